"""Blocks divide the work on plans: together they are all of it, and no part twice."""

import numpy as np
import pandas as pd
import pytest

from mssim.engine.blocks import Block
from mssim.engine.job import read_job
from mssim.engine.work import Work
from mssim.pools.pool import Pool
from tests.long_runs import BUDGETS, OPTIONS, RULES


def test_questions_are_those_from_the_first_to_the_last():
    block = Block(plan=1, exact=True, budgets=(0, 2), first_question=3, end_question=7)
    assert list(range(10))[block.questions] == [3, 4, 5, 6]
    assert (block.first_replay, block.n_replays) == (0, 0)


@pytest.mark.parametrize("method", ["auto", "monte_carlo"])
def test_blocks_cover_every_budget_question_and_replay_once(pool, method):
    job = read_job(RULES, BUDGETS, method=method, replacement=False, prices=None, **OPTIONS)
    shape = (len(job.plans), len(BUDGETS), len(pool.questions))
    exact, replayed = np.zeros(shape, int), np.zeros((*shape, job.n_replays), int)
    for block in Work(job, pool).blocks:
        for budget in block.budgets:
            if block.exact:
                exact[block.plan, budget, block.questions] += 1
            else:
                replays = slice(block.first_replay, block.first_replay + block.n_replays)
                replayed[block.plan, budget, block.questions, replays] += 1
    closed = np.array(job.closed)[:, :, None]
    assert (replayed == np.where(closed, 0, 1)[..., None]).all()
    # Samples used are exact under every method but "monte_carlo", also where accuracy is not.
    assert exact.max() <= 1
    assert (exact >= closed).all()
    assert exact.any() == (method == "auto")


@pytest.fixture
def usual(monkeypatch):
    """Sizes of blocks as they are, which the pool of this module made smaller."""
    monkeypatch.setattr("mssim.engine.monte_carlo._DRAWS_PER_TASK", 10_000_000)
    monkeypatch.setattr("mssim.engine.exact_tasks._CELLS_PER_TASK", 10_000)


def blocks_of(n_questions, n_replays, budgets=(8,), rules=("sc:x",), method="monte_carlo"):
    pool = Pool.from_frame(
        pd.DataFrame(
            {
                "question_id": np.repeat(range(n_questions), 8),
                "model": "x",
                "sample_index": np.tile(range(8), n_questions),
                "answer": "a",
                "truth": "a",
            }
        )
    )
    options = {**OPTIONS, "n_replays": n_replays}
    return Work(read_job(list(rules), budgets, method=method, replacement=False, prices=None, **options), pool).blocks


def draws_of(block, depth):
    return (block.end_question - block.first_question) * block.n_replays * depth


@pytest.mark.usefixtures("usual")
@pytest.mark.parametrize("rules", [("sc:x",), ("sc:x", "sc:x,stop=beta", "sc:x,ties=wrong")])
def test_a_job_of_a_second_has_equal_blocks_enough_for_many_processors(rules):
    draws = [draws_of(block, 8) for block in blocks_of(1000, 16_000, rules=rules)]
    assert 64 <= len(draws) <= 80
    assert max(draws) <= 1.1 * min(draws)


@pytest.mark.usefixtures("usual")
def test_small_jobs_have_few_blocks_and_large_jobs_have_blocks_of_a_tenth_of_a_second():
    assert len(blocks_of(1000, 50)) == 1
    draws = [draws_of(block, 8) for block in blocks_of(1000, 200_000)]
    assert max(draws) <= 1e7
    assert len(draws) <= 1.1 * sum(draws) / 1e7


@pytest.mark.usefixtures("usual")
def test_blocks_of_closed_forms_differ_by_at_most_one_question():
    sizes = [block.end_question - block.first_question for block in blocks_of(130, 1, method="exact")]
    assert sorted(sizes) == [43, 43, 44]
