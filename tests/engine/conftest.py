"""A pool, its results by one thread and in a checkpoint; work on it is split into some hundred blocks."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mssim import evaluate
from tests import long_runs
from tests.long_runs import BUDGETS, FEW, OPTIONS, Counting, is_finite, kept, run, stops_at


@pytest.fixture(scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        long_runs.small_blocks(patch)
        yield


@pytest.fixture(scope="module")
def pool(small_blocks):  # noqa: ARG001
    return long_runs.make_pool()


@pytest.fixture(scope="module")
def whole(pool):
    """What one thread finds with all rules."""
    with ThreadPoolExecutor(1) as one:
        result = run(pool, one)
    assert is_finite(result)
    return result


@pytest.fixture(scope="module")
def few(pool):
    """What shards of few rules must find together."""
    return evaluate(pool, FEW, BUDGETS, **OPTIONS)


@pytest.fixture(scope="module")
def whole_kept(pool):
    """What runs in a checkpoint must find."""
    return kept(pool)


@pytest.fixture(scope="module")
def total(pool):
    """Number of blocks of a run in a checkpoint."""
    counting = Counting()
    kept(pool, executor=counting)
    return len(counting.tasks)


@pytest.fixture
def path(pool, tmp_path):
    """A checkpoint with some blocks."""
    with pytest.raises(KeyboardInterrupt):
        kept(pool, tmp_path / "run.ckpt", progress=stops_at(5, KeyboardInterrupt))
    return tmp_path / "run.ckpt"
