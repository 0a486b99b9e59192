"""Plans that share replays have the outcomes of plans that are replayed alone."""

import numpy as np
import pytest

from mssim.engine.blocks import Block, Outcome, SharedOutcome
from mssim.engine.monte_carlo import ReplayTasks
from mssim.engine.shared_replays import AllTasks
from mssim.engine.totals import Totals
from mssim.rules.parsing import parse_strategy
from tests import naive
from tests.engine.test_evaluate import random_pool

BUDGETS = np.array([2, 5, 12])
TEXTS = ["ms:x+y", "ms:y+x,agreement=0.6,vote=plurality", "mix:x+z,vote=entropy", "cascade:z+y,agreement=0.5"]


def run(pool, texts, controls=(), counts_stops=True, **block):
    plans = [parse_strategy(text).plans(BUDGETS)[0] for text in texts]
    tasks = AllTasks(ReplayTasks(pool, 3, replacement=False), plans, controls, counts_stops=counts_stops)
    given = {"plans": tuple(range(len(plans))), "exact": False, "budgets": (0, 1, 2), "questions": (0, 2, 5), **block}
    whole = Block(**{"n_replays": 40, **given})
    task = tasks.task(whole, count=False)
    assert task.nbytes > 0
    return plans, whole, task.run()


def test_shared_replays_are_those_of_each_plan():
    pool = random_pool()
    plans, block, found = run(pool, TEXTS)
    assert isinstance(found, SharedOutcome)
    totals = Totals(plans, len(pool.questions))
    totals.add(block, found)
    for i, text in enumerate(TEXTS):
        _, one, alone = run(pool, [text])
        assert isinstance(alone, Outcome)
        assert np.array_equal(found.right[i], alone.right)
        lonely = Totals(plans[i : i + 1], len(pool.questions))
        lonely.add(one, alone)
        (expected,), shared = lonely.estimates(), totals.estimates()[i]
        for a, b in zip((*expected.outcome, *expected[1:]), (*shared.outcome, *shared[1:]), strict=True):
            assert np.array_equal(a, b, equal_nan=True)


def test_stops_are_left_out_where_closed_forms_have_them():
    _, _, found = run(random_pool(), TEXTS, counts_stops=False)
    assert found.stopped.size == 0
    assert found.right.shape == (4, 3, 3)


@pytest.mark.parametrize("text", ["ms:x+y", "mix:x+z,vote=entropy"])
def test_a_control_is_the_plurality_on_the_same_draws(text):
    pool = random_pool()
    _, block, found = run(pool, [text], controls={0})
    plain = parse_strategy(f"{text.partition(',')[0]},vote=plurality")
    for b, budget in enumerate(BUDGETS.tolist()):
        expected = naive.evaluate(pool, plain, budget, n_replays=40, seed=3)[0]
        assert found.control[0, 0, b].tolist() == np.array(expected)[list(block.questions)].tolist()
    assert (found.control[1] <= np.minimum(found.control[0], found.right)).all()
    assert (found.control[1] >= found.control[0] + found.right - 40).all()
