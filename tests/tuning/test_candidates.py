"""Candidates of tuning: what can be evaluated, at budgets that were recorded."""

import re
import warnings

import numpy as np
import pytest

from mssim import (
    BudgetError,
    PoolWarning,
    StrategyError,
    evaluate,
    tune,
)
from mssim.tuning.grid import grid
from tests.engine.test_evaluate import random_pool
from tests.tuning.test_tune import ragged_pool


def test_the_default_tries_every_model_and_pair_up_to_what_was_recorded():
    pool = random_pool(10, 4)
    tuning = tune(pool, n_replays=20)
    tried = tuning.candidates()
    assert tried.columns.tolist() == ["strategy", "fitted", "budget", "spend", "in_sample"]
    assert list(dict.fromkeys(tried["strategy"])) == [str(s) for s in grid(pool.models)]
    assert tried.groupby("strategy")["budget"].agg(list)["sc:x"] == [1, 2, 3, 4]
    assert tried.groupby("strategy")["budget"].agg(list)["ms:x+y"] == [1, 2, 3, 4, 5, 6, 8]
    assert tuning.limits.tolist() == [1, 2, 3, 4, 5, 6, 8]


def test_default_budgets_end_with_the_most_that_one_and_two_models_can_spend():
    pool = random_pool(10, 7)
    assert np.unique(tune(pool, ["sc:x", "mix:x+y"]).budgets).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14]
    assert tune(pool, "sc:x", replacement=True).budgets.max() == 128


def uneven_pool():
    """As `ragged_pool`, and a question with but three samples of y."""
    frame = ragged_pool().to_frame()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        few = (frame["question_id"] == "q3") & (frame["model"] == "y") & (frame["sample_index"] > 2)
        return random_pool().from_frame(frame[~few])


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize(
    "strategy",
    ["sc:y", "mix:x+z", "mix:z+x,sizes=3/9", "ms:x+y+x", "cascade:y+x+y", "random:x+z", "alloc:y", "alloc:x,cap=3"],
)
def test_candidates_are_what_can_be_evaluated(strategy, replacement):
    pool, budgets = uneven_pool(), range(1, 31)
    can = []
    for budget in budgets:
        try:
            evaluate(pool, strategy, budget, method="monte_carlo", n_replays=1, replacement=replacement)
            can.append(budget)
        except BudgetError:
            pass
    found = tune(pool, strategy, budgets, method="monte_carlo", n_replays=1, replacement=replacement, limits=30)
    assert found.budgets.tolist() == can
    assert 1 in can


@pytest.mark.parametrize("strategy", ["sc:y", "alloc:y", "mix:x+y"])
def test_a_question_without_samples_of_a_model_has_no_candidate_of_it(strategy):
    frame = random_pool().to_frame()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        pool = random_pool().from_frame(frame[(frame["model"] != "y") | (frame["question_id"] != "q3")])
    with pytest.raises(
        BudgetError,
        match=f"budgets: too few samples were recorded for {re.escape(strategy)} at any of the budgets",
    ):
        tune(pool, strategy, [2, 4], replacement=True)


@pytest.mark.parametrize("strategy", ["cov:x+y", "oracle:x+y"])
def test_ceilings_are_no_candidates(strategy):
    with pytest.raises(StrategyError, match=re.escape(f"strategies: {strategy} is an upper bound that cannot be run")):
        tune(random_pool(), ["sc:x", strategy], [2, 4])


def test_draws_until_one_is_right_are_candidates_because_tests_and_proofs_can_be_verified():
    tuned = tune(random_pool(), ["sc:x", "until:x", "until:x+y"], [2, 4], spend="budget", n_folds=3)
    assert set(tuned.to_frame()["strategy"]) <= {"until:x", "until:x+y"}


@pytest.mark.parametrize("strategy", ["rel:x", "rel:x,tau=mean"])
def test_measures_of_reliability_are_no_candidates(strategy):
    says = f"strategies: {strategy} measures how often several draws are right. It returns no answer, so it cannot be"
    with pytest.raises(StrategyError, match=re.escape(says)):
        tune(random_pool(), ["sc:x", strategy], [2, 4])
