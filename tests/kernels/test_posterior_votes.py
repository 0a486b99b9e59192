"""Votes for the likeliest answer, with more answers from one budget to the next, as the oracle counts them."""

import numpy as np
import pytest

from mssim import BetaStop, ModelSwitch, SelfConsistency, Vote
from tests import naive
from tests.conftest import replay
from tests.rules.test_catalogue import deep_pool

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize(
    "rule",
    [
        SelfConsistency("x", Vote.cges(ties="random")),
        SelfConsistency("x", Vote.cges(answers=12), BetaStop(0.8)),
        ModelSwitch(["x", "y"], vote=Vote.cges(prior=(1, 3)), agreement=0.9, sizes=(2, 9)),
        ModelSwitch(["x", "y"], vote=Vote.cges(), agreement=0.6, on_agreement="pool"),
    ],
    ids=str,
)
def test_budgets_in_any_order_equal_the_oracle(rule):
    pool = deep_pool(2, 20)
    budgets = [1, 2, 3, 5, 9, 11]
    result = replay(pool, rule, budgets, n_replays=8)
    for i, budget in enumerate(budgets):
        hits, _ = naive.evaluate(pool, rule, budget, n_replays=8)
        assert (np.rint(result.accuracy[0, i] * 8) == hits).all()
