"""A pool on disk, and commands run on it."""

import pytest

from tests.cli import test_cli
from tests.cli.test_cli import FAST

pool_path, run = test_cli.pool_path, test_cli.run


@pytest.fixture
def small_blocks(monkeypatch):
    """Split the work into many blocks of replays."""
    monkeypatch.setattr("mssim.engine.division._DRAWS_PER_TASK", 500)


@pytest.fixture
def table(run, pool_path):
    """What `mssim evaluate` prints of the pool."""
    code, out, err = run("evaluate", pool_path, *FAST)
    assert (code, err) == (0, "")
    return out
