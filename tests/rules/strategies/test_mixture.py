"""Draws of all models, which vote together."""

import numpy as np
import pytest

from mssim import Mixture, StrategyError, Vote, evaluate
from mssim.rules.agreement import NEVER
from tests.conftest import make_pool


def test_all_draws_vote_and_nothing_stops():
    """x says a twice, y says b three times; the weight of x decides."""
    pool = make_pool({("x", "q"): ["a"] * 2, ("y", "q"): ["b"] * 3})
    sizes = (2, 3)
    rules = {
        "plain": Mixture(["x", "y"], sizes=sizes),
        "light": Mixture(["x", "y"], Vote.plurality(prior=(1.4, 1)), sizes),
        "heavy": Mixture(["x", "y"], Vote.plurality(prior=(1.6, 1)), sizes),
        "only x": Mixture(["x", "y"], sizes=(2, 1)),
    }
    result = evaluate(pool, rules, [5])
    assert result.accuracy[:, 0, 0].tolist() == [0, 0, 1, 1]
    assert result.samples_used[:, 0, 0].tolist() == [5, 5, 5, 3]


def test_the_order_of_the_models_decides_ties():
    pool = make_pool({("x", "q"): ["a"], ("y", "q"): ["b"]})
    assert evaluate(pool, Mixture(["x", "y"]), [2]).accuracy.item() == 1
    assert evaluate(pool, Mixture(["y", "x"]), [2]).accuracy.item() == 0


def test_a_plan_has_a_stage_for_each_model_and_never_stops():
    (plan,) = Mixture(["x", "y", "z"]).plans(np.array([7, 16]))
    assert plan.sizes.T.tolist() == [[3, 3, 1], [6, 6, 4]]
    assert (plan.need == NEVER).all()
    assert plan.vote == Vote.plurality()


def test_a_model_has_one_turn():
    with pytest.raises(StrategyError, match=r"Mixture: models=\['x', 'x'\] repeats a model\. Name each model once"):
        Mixture(["x", "x"])
