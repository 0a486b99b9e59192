"""The line that says why the first run waits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ARGUMENTS = ("evaluate", "tests/demo-synthetic", "--strategy", "sc:strong", "--budgets", "2", "--json")


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_the_first_run_says_that_it_compiles_and_the_second_does_not(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-m", "mssim", *ARGUMENTS],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        )
        for _ in range(2)
    )  # fmt: skip
    assert first.stdout == second.stdout
    assert first.stderr == "mssim: compiling, once; later runs start at once\n"
    assert second.stderr == ""
