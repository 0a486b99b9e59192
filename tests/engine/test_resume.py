"""A run that ends early continues where it stopped, and nothing that was committed is computed again."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from mssim import evaluate
from tests.conftest import Backwards
from tests.long_runs import (
    BUDGETS,
    KEPT,
    OPTIONS,
    AtOnce,
    assert_same,
    finish,
    held,
    kept,
    make_pool,
    small_blocks,
    stops_at,
)
from tests.recording_http import FORKS


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_end_at_any_block_loses_nothing(pool, tmp_path, whole_kept, total, error):
    assert 20 < total < 60
    for k in range(1, total + 1, 1 if error is KeyboardInterrupt else 7):
        path = tmp_path / f"{k}.ckpt"
        with pytest.raises(error):
            kept(pool, path, progress=stops_at(k, error))
        assert held(path) == k
        assert finish(pool, path, whole_kept, total) == total - k


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(3), Backwards, lambda: None])
def test_blocks_under_way_at_an_interrupt_are_kept(pool, tmp_path, whole_kept, total, make):
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        evaluate(
            *(pool, KEPT, BUDGETS),
            **OPTIONS,
            checkpoint=path,
            executor=make(),
            progress=stops_at(3, KeyboardInterrupt),
        )
    assert held(path) >= 3
    finish(pool, path, whole_kept, total)


def test_again_and_again(pool, tmp_path, whole_kept, total):
    path = tmp_path / "run.ckpt"
    for k in range(5, total, 5):
        with pytest.raises(KeyboardInterrupt):
            kept(pool, path, progress=stops_at(k, KeyboardInterrupt))
    assert finish(pool, path, whole_kept, total) <= 5
    assert finish(pool, path, whole_kept, total) == 0


def test_a_block_that_fails_costs_no_other(pool, tmp_path, whole_kept, total):
    class Fails(AtOnce):
        def submit(self, function, *args):
            future = super().submit(function, *args)
            if not self.left:
                future = type(future)()
                future.set_exception(ZeroDivisionError())
            self.left -= 1
            return future

        left = 9

    with pytest.raises(ZeroDivisionError):
        kept(pool, tmp_path / "run.ckpt", Fails())
    assert finish(pool, tmp_path / "run.ckpt", whole_kept, total) == total - 9


def killed(path, k):
    """Run until k blocks are done and committed, and then no further."""
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch)
        patch.setattr("mssim.engine.checkpoint._COMMIT_EVERY", 0.0)

        def progress(done, _):
            if done == k:
                os.kill(os.getpid(), signal.SIGKILL)

        kept(make_pool(), path, progress=progress)


@pytest.mark.slow
def test_a_kill_loses_nothing_that_was_committed(pool, tmp_path, whole_kept, total):
    path = tmp_path / "run.ckpt"
    process = FORKS.Process(target=killed, args=(path, 11))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert finish(pool, path, whole_kept, total) == total - 11


def test_an_empty_file_is_a_beginning(pool, tmp_path, whole_kept):
    (tmp_path / "run.ckpt").touch()
    assert_same(kept(pool, tmp_path / "run.ckpt"), whole_kept)
