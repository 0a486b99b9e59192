"""Blocks divide the work on plans: together they are all of it, and no part twice."""

from itertools import product

import numpy as np
import pytest

from mssim.engine.blocks import Block, picked
from mssim.engine.job import read_job
from mssim.engine.work import Work
from tests.long_runs import BUDGETS, OPTIONS, RULES


def test_questions_are_those_from_the_first_to_the_last():
    block = Block(plans=(1,), exact=True, budgets=(0, 2), questions=range(3, 7))
    assert list(range(10))[block.at] == [3, 4, 5, 6]
    assert (block.first_replay, block.n_replays) == (0, 0)


@pytest.mark.parametrize("questions", [range(3, 7), (3, 4, 6), range(1)])
def test_a_block_is_read_as_it_was_written(questions):
    block = Block((0, 5), False, (0, 2), questions, 2**32, 100)
    assert Block.read(block.text) == block
    assert np.arange(10)[block.at].tolist() == list(questions)
    values = np.arange(60).reshape(2, 10, 3)
    assert picked(values, [1, 0], block.at).tolist() == values[[1, 0]][:, list(questions)].tolist()


@pytest.mark.parametrize("method", ["auto", "monte_carlo"])
def test_blocks_cover_every_budget_question_and_replay_once(pool, method):
    job = read_job(RULES, BUDGETS, method=method, replacement=False, prices=None, **OPTIONS)
    shape = (len(job.plans), len(BUDGETS), len(pool.questions))
    exact, replayed = np.zeros(shape, int), np.zeros((*shape, job.n_replays), int)
    for block in Work(job, pool).blocks:
        for plan, budget in product(block.plans, block.budgets):
            if block.exact:
                exact[plan, budget, block.at] += 1
            else:
                replays = slice(block.first_replay, block.first_replay + block.n_replays)
                replayed[plan, budget, block.at, replays] += 1
    closed = np.array(job.closed)[:, :, None]
    assert (replayed == np.where(closed, 0, 1)[..., None]).all()
    # Samples used are exact under every method but "monte_carlo", also where accuracy is not.
    assert exact.max() <= 1
    assert (exact >= closed).all()
    assert exact.any() == (method == "auto")
