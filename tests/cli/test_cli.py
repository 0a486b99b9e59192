"""The command line: tables for people, JSON for programs, one clear line for bad input."""

import subprocess
import sys

import pandas as pd
import pytest

from mssim.cli import main
from tests.engine.test_evaluate import random_pool


@pytest.fixture
def pool_path(tmp_path):
    frame = random_pool(cost=0.5).to_frame().assign(prompt="long", answer=lambda f: f["answer"].fillna("d"))
    both = pd.concat([frame, frame.assign(prompt="short", answer="b", correct=False)])
    both["topic"] = ["Math" if int(q[1:]) < 8 else "Law" for q in both["question_id"]]
    both.to_parquet(tmp_path / "pool.parquet")
    return str(tmp_path / "pool.parquet")


@pytest.fixture
def run(monkeypatch, capfd):
    """Run a command in this process: (exit code, stdout, stderr).

    Whichever test first needs a kernel compiles it, so stderr is without that notice; test_compiling is about it.
    """

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mssim", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
        out, err = capfd.readouterr()
        return code, out, err.replace("mssim: compiling, once; later runs start at once\n", "")

    return run


def bad(result, says):
    """Exit code 2 and a single line on stderr."""
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("mssim: error: ")
    assert says in err


EVALUATE = ("--where", "prompt=long", "--strategy", "sc:x", "--strategy", "ms:x+y", "--budgets", "2,6")
FAST = (*EVALUATE, "--n-replays", "50")


@pytest.mark.parametrize("command", ["info", "evaluate", "compare", "tune", "plan"])
def test_every_command_has_help_with_an_example(run, command):
    code, text, _ = run(command, "--help")
    assert code == 0
    assert "Example: mssim" in text


@pytest.mark.slow
def test_the_module_runs_as_a_command():
    done = subprocess.run([sys.executable, "-m", "mssim", "info", "/no/such/pool"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mssim: error: /no/such/pool does not exist")
