"""Tasks of closed forms take from the pool what their block needs, and compute what evaluate returns."""

import numpy as np
import pytest

from mssim import evaluate
from mssim.engine.amounts import Amounts
from mssim.engine.exact_tasks import ExactTask, UntilTask, exact_blocks, exact_task
from mssim.rules.parsing import parse_strategy
from tests.conftest import make_pool

BUDGETS = np.array([1, 3])
RULES = ["sc:x", "ms:x+y,agreement=0.6,vote=plurality", "until:x+y"]


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    answers = {(model, f"q{q}"): rng.choice(["a", "b", "c"], 6).tolist() for model in "xy" for q in range(5)}
    return make_pool(answers, output_tokens=rng.integers(10, 99, 60))


def blocks_of(text):
    (plan,) = parse_strategy(text).plans(BUDGETS)
    closed = np.ones(BUDGETS.size, dtype=bool)
    return plan, closed, list(exact_blocks(0, plan, closed, 5))


@pytest.mark.parametrize("text", RULES)
def test_blocks_together_are_the_evaluation(pool, text, monkeypatch):
    monkeypatch.setattr("mssim.engine.exact_tasks._CELLS_PER_TASK", 1)
    plan, closed, blocks = blocks_of(text)
    assert [block.questions for block in blocks] == [range(q, q + 1) for q in range(5)]
    expected = evaluate(pool, text, BUDGETS)
    for block in blocks:
        task = exact_task(pool, plan, block, closed, replacement=False, amounts=Amounts(pool))
        found = task.run()
        assert np.array_equal(found.right, expected.accuracy[0][:, block.at])
        assert np.array_equal(found.spent[0], expected.tokens[0][:, block.at])
        assert np.isnan(found.spent[1:]).all()
        assert not found.histogram.size


@pytest.mark.parametrize("text", RULES)
def test_without_amounts_nothing_is_known_of_what_is_spent(pool, text):
    plan, closed, (block,) = blocks_of(text)
    bare = exact_task(pool, plan, block, closed, replacement=False)
    assert isinstance(bare, UntilTask if text.startswith("until") else ExactTask)
    assert np.isnan(bare.run().spent).all()
    counting = exact_task(pool, plan, block, closed, replacement=False, amounts=Amounts(pool))
    assert np.array_equal(counting.run().right, bare.run().right)
    assert bare.nbytes > 0


def test_a_task_is_as_large_as_its_arrays(pool):
    plan, closed, (block,) = blocks_of("sc:x")
    bare = exact_task(pool, plan, block, closed, replacement=False)
    full = exact_task(pool, plan, block, closed, replacement=False, amounts=Amounts(pool))
    assert full.nbytes - bare.nbytes == sum(array.nbytes for array in full.samples)


def test_plans_without_closed_forms_have_no_blocks():
    (plan,) = parse_strategy("sc:x,stop=beta").plans(BUDGETS)
    assert not list(exact_blocks(0, plan, np.zeros(2, dtype=bool), 5))
