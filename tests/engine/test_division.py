"""Replays are divided into blocks of about equal size; tests/engine/test_blocks.py tests that they are complete."""

import numpy as np
import pandas as pd
import pytest

from mssim.engine import division
from mssim.engine.job import read_job
from mssim.engine.work import Work
from mssim.pools.pool import Pool
from tests.long_runs import OPTIONS


@pytest.fixture(autouse=True)
def usual(monkeypatch):
    """Sizes of blocks as they are, which pools of other modules made smaller."""
    monkeypatch.setattr(division, "_DRAWS_PER_TASK", 10_000_000)
    monkeypatch.setattr("mssim.engine.exact_tasks._CELLS_PER_TASK", 10_000)


def blocks_of(n_questions, n_replays, rules=("sc:x",), method="monte_carlo"):
    n = 8
    question, sample = np.divmod(np.arange(n * n_questions), n)
    frame = pd.DataFrame({"question_id": question, "sample_index": sample, "model": "x", "answer": "a", "truth": "a"})
    pool = Pool.from_frame(frame)
    options = {**OPTIONS, "n_replays": n_replays}
    return Work(read_job(list(rules), [n], method=method, replacement=False, prices=None, **options), pool).blocks


def draws_of(block):
    return len(block.questions) * block.n_replays * 8


@pytest.mark.parametrize("rules", [("sc:x",), ("sc:x", "sc:x,stop=beta", "sc:x,ties=wrong")])
def test_a_job_of_a_second_has_equal_blocks_enough_for_many_processors(rules):
    draws = [draws_of(block) for block in blocks_of(1000, 16_000, rules)]
    assert 64 <= len(draws) <= 80
    assert max(draws) <= 1.1 * min(draws)


def test_small_jobs_have_few_blocks_and_large_jobs_have_blocks_of_a_tenth_of_a_second():
    assert len(blocks_of(1000, 50)) == 1
    draws = [draws_of(block) for block in blocks_of(1000, 200_000)]
    assert max(draws) <= 1e7
    assert len(draws) <= 1.1 * sum(draws) / 1e7


def test_blocks_of_closed_forms_differ_by_at_most_one_question():
    sizes = [len(block.questions) for block in blocks_of(130, 1, method="exact")]
    assert sorted(sizes) == [43, 43, 44]
