"""Settings of an evaluation: read, checked against a pool, and turned into costs."""

import re

import numpy as np
import pytest

from mssim import BudgetError, MssimError, Pool, SelfConsistency, evaluate
from mssim.engine.job import name_strategies, read_budgets, read_job
from tests.conftest import long_frame, replay
from tests.engine.test_evaluate import random_pool

TWO_BY_TWO = {("x", "q1"): ["a", "b"], ("y", "q1"): ["a", "b"], ("x", "q2"): ["a", "a"], ("y", "q2"): ["a", "a"]}


def test_cost_is_recorded_cost_of_the_samples_drawn():
    frame = long_frame(TWO_BY_TWO).assign(cost=[1.0, 3.0, 10.0, 20.0, 0.5, 0.5, 7.0, 7.0])
    result = evaluate(Pool.from_frame(frame), ["sc:x", "ms:x+y"], [2])
    assert result.cost[0, 0].tolist() == [4.0, 1.0]
    assert result.cost[1, 0].tolist() == [2.0, 0.5]  # one sample of x always agrees; its mean cost counts
    cheap = replay(Pool.from_frame(frame), "ms:x+y", 2, n_replays=1, seed=1).cost[0, 0, 0]
    assert cheap in (1, 3)  # a replay pays for the sample that it drew


@pytest.mark.filterwarnings("ignore:cost. 2 samples of model 'y' have no cost:mssim.errors.PoolWarning")
def test_cost_counts_the_second_model_only_when_it_is_asked():
    frame = long_frame(TWO_BY_TWO).assign(cost=[1.0, 3.0, 10.0, 20.0, 0.5, 0.5, np.nan, np.nan])
    result = evaluate(Pool.from_frame(frame), "ms:x+y", 4)
    assert result.cost[0, 0].tolist() == [34.0, 1.0]  # y's unknown cost is never paid on q2
    for method in ("exact", "monte_carlo"):
        mixed = evaluate(Pool.from_frame(frame), "mix:x+y", 4, method=method, n_replays=10)
        assert np.isnan(mixed.cost[0, 0]).tolist() == [False, True]


def test_prices_replace_recorded_costs():
    pool = random_pool(cost=1.0)
    result = replay(pool, ["sc:x", "ms:x+y"], [4], prices={"x": 0.5, "y": 2, "z": 9}, n_replays=100)
    used = result.samples_used
    assert result.cost[0] == pytest.approx(used[0] * 0.5)
    assert result.cost[1] == pytest.approx(2 * 0.5 + (used[1] - 2) * 2)


def test_without_costs_and_prices_the_cost_is_unknown():
    assert np.isnan(replay(random_pool(), "sc:x", 4, n_replays=10).cost).all()


@pytest.mark.parametrize("budgets", [[[1], [1, 2]], 0, -1, [], [4, 0], 2.5, [2.0], "8", True, [[1, 2]], None])
def test_budgets_that_are_none_are_refused(budgets):
    with pytest.raises(BudgetError, match="Use positive integers, the samples allowed per question"):
        replay(random_pool(), "sc:x", budgets)


@pytest.mark.slow
def test_budgets_are_sorted_and_counted_once():
    assert replay(random_pool(), "sc:x", [8, 2, 8], n_replays=2).budgets.tolist() == [2, 8]
    assert replay(random_pool(), "sc:x", np.int32(3), n_replays=2).budgets.tolist() == [3]
    assert replay(random_pool(), "sc:x", range(1, 4), n_replays=2).budgets.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("strategies", "options", "says"),
    [
        ("sc:xx", {}, "no model 'xx' in this pool. Did you mean 'x'"),
        ("ms:x+w", {}, "no model 'w' in this pool. Choose from 'x', 'y', 'z'"),
        ("sc:x,agreement=1", {}, "unknown option 'agreement'"),
        ([], {}, "strategies: none are given"),
        (["sc:x", "sc:x"], {}, "repeats a strategy. Remove the duplicate"),
        ("sc:x", {"n_replays": 0}, "n_replays=0 is out of range. Use an integer from 1"),
        ("sc:x", {"mc_error": "x"}, "mc_error='x' is not a number from 1e-05 to 0.5. Use e.g. mc_error=1e-4"),
        ("sc:x", {"mc_error": 1e-6}, "mc_error=1e-06 is not a number from 1e-05 to 0.5."),
        (
            "sc:x",
            {"mc_error": 0.1, "quantiles": True},
            "mc_error: quantiles need equally many replays of every question",
        ),
        ("sc:x", {"n_replays": 1e4}, "n_replays=10000.0 is not an integer. Use an integer"),
        ("sc:x", {"seed": -1}, "seed=-1 is out of range. Use an integer from 0"),
        ("sc:x", {"seed": 2**64}, "Use an integer from 0"),
        ("sc:x", {"seed": None}, "seed=None is not an integer. Use an integer"),
        ({1: "sc:x", "1": "sc:y"}, {}, "are not unique as text"),
        ("sc:x", {"replacement": "no"}, "replacement='no' is not a bool. Use True or False"),
        ("sc:x", {"prices": {"y": 1}}, "prices: model 'x' has no price"),
        ("sc:x", {"prices": {"x": -1}}, "prices: -1 of model 'x' is not a price"),
        ("sc:x", {"prices": {"x": float("nan")}}, "prices: nan of model 'x' is not a price"),
        ("sc:x", {"prices": {"x": 1e308}}, "prices: 1e+308 of model 'x' is not a price. Use a non-negative number"),
        ("sc:x", {"prices": {"x": 10**400}}, "of model 'x' is not a price"),
        ("sc:x", {"prices": 3}, "prices=3 is not a price table and does not map models to prices. Pass e.g. {"),
        ("sc:x", {"prices": "x=3"}, "prices: x=3: cannot be read (No such file or directory). Check the path."),
        ("sc:x", {"tokens": "input"}, "tokens='input' is not valid. Choose from 'all', 'output'."),
        ("sc:x", {"parallel": 0}, "parallel=0 is out of range. Use an integer from 1"),
        ("sc:x", {"parallel": 2.0}, "parallel=2.0 is not an integer. Use an integer from 1"),
        ("sc:x", {"quantiles": [0.5]}, "quantiles=[0.5] is not a bool. Use True or False"),
        ("sc:x", {"shares_draws": "xy"}, "shares_draws='xy' is not a list of groups. Use e.g. shares_draws=["),
        ("sc:x", {"shares_draws": ["xy"]}, "shares_draws: 'xy' is not a group of at least two different models"),
        ("sc:x", {"shares_draws": [["x"]]}, "shares_draws: ['x'] is not a group of at least two different models"),
        ("sc:x", {"shares_draws": [["x", "x"]]}, "shares_draws: ['x', 'x'] is not a group of at least two"),
        ("sc:x", {"shares_draws": [["x", 3]]}, "shares_draws: ['x', 3] is not a group of at least two"),
        ("sc:x", {"shares_draws": [["x", "y"], ["z", "x"]]}, "shares_draws: model 'x' is in two groups. Use one"),
        (np.array("sc:x"), {}, "is not a strategy. Pass e.g. ['sc:gpt-4']"),
    ],
)
def test_what_makes_no_sense_is_refused(strategies, options, says):
    with pytest.raises(MssimError) as error:
        replay(random_pool(), strategies, [2], **options)
    assert says in str(error.value)


def test_absurd_budgets_are_refused_before_memory_is_asked_for():
    with pytest.raises(BudgetError, match="the limit is 32767"):
        replay(random_pool(), "sc:x", 10**9, replacement=True)
    with pytest.raises(BudgetError, match="exceeds the limit of 2147483648"):
        replay(random_pool(), "sc:x", [2**63])


@pytest.mark.compiled
def test_the_largest_budget_is_replayed():
    assert replay(random_pool(1), "sc:x", 32767, replacement=True, n_replays=1).samples_used.item() == 32767


def test_names_are_texts_or_given():
    assert list(name_strategies("sc:x,ties=first")) == ["sc:x"]
    assert list(name_strategies(["sc:x", SelfConsistency("y")])) == ["sc:x", "sc:y"]
    assert name_strategies({1: "sc:x"}) == {"1": SelfConsistency("x")}


def test_plans_go_by_the_names_of_their_strategies():
    job = read_job(
        {"a": "sc:x", "b": "random:y+x"}, [2], method="auto", n_replays=9, seed=0, replacement=False, prices=None
    )
    assert job.names == ["a", "b", "b"]
    assert [plan.models for plan in job.plans] == [("x",), ("y",), ("x",)]
    assert job.models == ["x", "y"]


def test_limits_of_settings_are_allowed():
    options = {"method": "auto", "replacement": np.True_, "prices": None}
    job = read_job("sc:x", [2**31], n_replays=2**31, seed=2**64 - 1, **options)
    assert (job.n_replays, job.seed, job.replacement) == (2**31, 2**64 - 1, True)
    assert job.budgets.tolist() == [2**31]
    for wrong, says in (
        ({"n_replays": 2**31 + 1}, f"n_replays={2**31 + 1} is out of range. Use an integer from 1 to {2**31}."),
        ({"seed": 2**64}, f"seed={2**64} is out of range. Use an integer from 0 to {2**64 - 1}."),
    ):
        with pytest.raises(MssimError, match=re.escape(says)):
            read_job("sc:x", [1], **{"n_replays": 1, "seed": 0, **wrong}, **options)
    with pytest.raises(BudgetError, match=rf"budgets: {2**31 + 1} exceeds the limit of {2**31}\. Use lower budgets"):
        read_budgets([2**31 + 1])
