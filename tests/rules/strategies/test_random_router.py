"""One model for each question, at random: the mean of what the models do alone."""

import numpy as np
import pytest

from mssim import RandomRouter, SelfConsistency, StrategyError, Vote, WindowStop, evaluate
from mssim.rules.plan import Expected
from tests.conftest import make_pool


@pytest.mark.parametrize(("shares", "chances"), [(None, [1 / 3] * 3), ((2, 1, 1), [0.5, 0.25, 0.25])])
def test_the_result_is_the_mean_over_the_models_by_their_shares(shares, chances):
    rng = np.random.default_rng(0)
    parts = [Expected(*rng.random((6, 2, 5))) for _ in range(3)]
    found = RandomRouter(["x", "y", "z"], shares).combine(parts, None)
    for i, values in enumerate(found):
        assert values == pytest.approx(np.average([part[i] for part in parts], axis=0, weights=chances))
    assert RandomRouter(["x", "y", "z"], shares).chances() == (shares or (1, 1, 1))


def test_whole_budgets_are_spent_on_one_model():
    pool = make_pool({("x", "q"): ["a"] * 4, ("y", "q"): ["b"] * 4, ("z", "q"): ["b"] * 4})
    result = evaluate(pool, RandomRouter(["x", "y", "z"], shares=(2, 1, 1)), [1, 4], prices={"x": 1, "y": 3, "z": 5})
    assert result.accuracy[0, :, 0] == pytest.approx([0.5, 0.5])
    assert result.samples_used[0, :, 0] == pytest.approx([1, 4])
    assert result.cost[0, :, 0] == pytest.approx([2.5, 10])


def test_it_plans_what_each_model_does_alone():
    router = RandomRouter(["x", "y"], vote=Vote.score_sum(), stop=WindowStop(2))
    for plan, model in zip(router.plans(np.array([3])), "xy", strict=True):
        (expected,) = SelfConsistency(model, Vote.score_sum(), WindowStop(2)).plans(np.array([3]))
        assert (plan.models, plan.vote, plan.stop, plan.adopt) == expected[:1] + expected[3:4] + (WindowStop(2), True)


def test_what_no_model_can_do_alone_is_refused():
    with pytest.raises(StrategyError, match=r"stop='beta' is not a stopping rule\. Use e\.g\. BetaStop\(\)"):
        RandomRouter(["x", "y"], stop="beta")
    with pytest.raises(
        StrategyError, match=r"shares=\(1,\) does not fit the models .*\. Use one positive number per model"
    ):
        RandomRouter(["x", "y"], (1,))
    with pytest.raises(
        StrategyError, match=r"RandomRouter: models=\['x', 'x'\] repeats a model\. Name each model once"
    ):
        RandomRouter(["x", "x"])
