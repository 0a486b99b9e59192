"""The best model of each question: ties, and no model twice."""

import numpy as np
import pytest

from mssim import (
    BetaStop,
    OracleRouter,
    SelfConsistency,
    StrategyError,
    Vote,
    evaluate,
)
from mssim.rules.plan import Expected
from tests.conftest import make_pool
from tests.rules.test_catalogue import XYZ


def test_of_equally_good_models_the_oracle_takes_the_cheaper():
    pool = make_pool({(m, "q"): ["a", "a"] for m in XYZ})
    routed = evaluate(pool, "oracle:x+y+z", 2, prices={"x": 3, "y": 1, "z": 2})
    assert (routed.accuracy.item(), routed.cost.item()) == (1, 2)


def result(accuracy, cost):
    """What is expected of one model, of two questions at one budget; samples used tell the models apart."""
    values = np.array([accuracy], dtype=float)
    return Expected(values, 10 * values, values, 100 * values, np.array([cost], dtype=float), 1000 * values)


def test_each_question_goes_to_its_best_model_with_all_that_is_expected_of_it():
    router = OracleRouter(["x", "y"])
    found = router.combine([result([0.2, 0.9], [1, 1]), result([0.5, 0.1], [7, 7])], None)
    assert found.accuracy.tolist() == [[0.5, 0.9]]
    assert found.samples_used.tolist() == [[5, 9]]
    assert found.cost.tolist() == [[7, 1]]
    assert router.chances() is None  # it depends on the question


def test_models_that_differ_by_rounding_are_equally_good():
    router = OracleRouter(["x", "y"])
    cheaper = router.combine([result([0.3, 0.3], [2, 1]), result([0.3 - 1e-15, 0.3 + 1e-15], [1, 2])], None)
    assert cheaper.cost.tolist() == [[1, 1]]
    better = router.combine([result([0.3, 0.3], [1, 1]), result([0.3 + 1e-9, 0.3 + 1e-11], [2, 2])], None)
    assert better.cost.tolist() == [[2, 2]]


def test_without_costs_the_earlier_of_two_equals_is_asked():
    router = OracleRouter(["x", "y"])
    nothing = [np.nan, np.nan]
    first, second = result([0.3, 0.3], nothing), result([0.3, 0.3], nothing)._replace(agreed=np.array([[9.0, 9.0]]))
    assert router.combine([first, second], None).agreed.tolist() == first.agreed.tolist()


def test_of_two_equals_the_one_with_a_known_cost_is_asked():
    unknown, known = result([0.3, 0.9], [np.nan, np.nan]), result([0.3, 0.1], [7, 7])
    found = OracleRouter(["x", "y"]).combine([unknown, known], None)
    assert found.cost[0, 0] == 7
    assert np.isnan(found.cost[0, 1])  # the only best model


def test_it_plans_what_each_model_does_alone():
    router = OracleRouter(["x", "y"], Vote.best_of_n(), BetaStop())
    alone = [SelfConsistency(model, Vote.best_of_n(), BetaStop()) for model in "xy"]
    budgets = np.array([2, 8])
    for plan, strategy in zip(router.plans(budgets), alone, strict=True):
        (expected,) = strategy.plans(budgets)
        assert (plan.models, plan.vote, plan.stop) == (expected.models, expected.vote, expected.stop)
        assert plan.sizes.tolist() == [[2, 8]]


def test_what_no_model_can_do_alone_is_refused():
    with pytest.raises(StrategyError, match=r"vote='plurality' is not a Vote\. Use e\.g\. Vote\.plurality\(\)"):
        OracleRouter(["x"], vote="plurality")
    with pytest.raises(StrategyError, match=r"prior has 2 weights, but 'x' votes alone\. Remove prior\."):
        OracleRouter(["x", "y"], Vote.plurality(prior=(1, 2)))
    with pytest.raises(StrategyError, match=r"prior has 2 weights, but 'x' votes alone\. Remove prior\."):
        OracleRouter(["x", "y"], Vote.plurality(prior={"x": 1, "y": 2}))
    with pytest.raises(
        StrategyError, match=r"OracleRouter: models=\['x', 'x'\] repeats a model\. Name each model once"
    ):
        OracleRouter(["x", "x"])
