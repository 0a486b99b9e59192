"""The ceiling: nothing exceeds it, Coverage reaches it, and its interval covers as often as it says."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mssim import (
    BetaStop,
    Cascade,
    Coverage,
    Mixture,
    ModelSwitch,
    MssimError,
    OracleRouter,
    Pool,
    PoolError,
    PoolWarning,
    RandomRouter,
    SelfConsistency,
    Vote,
    WindowStop,
    evaluate,
)
from mssim.results.intervals import mean_interval
from mssim.theory import ceiling
from tests import naive
from tests.conftest import examples, make_pool
from tests.engine.test_evaluate import random_pool
from tests.engine.test_monte_carlo import XYZ, pools
from tests.theory import test_limits

any_pool, models_with = test_limits.any_pool, test_limits.models_with

RULES = [
    *(SelfConsistency(m) for m in XYZ),
    SelfConsistency("x", stop=BetaStop()),
    SelfConsistency("y", stop=WindowStop(2)),
    SelfConsistency("z", Vote.best_of_n()),
    SelfConsistency("x", Vote.score_sum()),
    Mixture(XYZ, Vote.plurality(prior=(2, 1, 1))),
    Mixture(XYZ, Vote.max_consistency()),
    ModelSwitch(XYZ),
    ModelSwitch(XYZ, vote=Vote.best_of_n(), agreement=0.75),
    ModelSwitch(XYZ[:2], on_agreement="pool", agreement=0.5),
    Cascade(XYZ, agreement=0.5),
    RandomRouter(XYZ),
    OracleRouter(XYZ),
    Coverage(XYZ),
]


def failed_by_hand(pool, models):
    samples, right = naive.recorded(pool)
    return sum(not any(a in right[q] for m in models for a in samples[m][q]) for q in pool.question_ids)


@pytest.mark.slow
@settings(max_examples=examples(30))
@given(pools(n_models=3), st.integers(0, 5), st.booleans())
def test_no_rule_exceeds_it_on_any_question(pool, seed, replacement):
    frame = pool.to_frame()
    scored = Pool.from_frame(frame.assign(score=np.random.default_rng(seed).random(len(frame))))
    n = pool.codes.shape[2]
    result = evaluate(scored, RULES, sorted({1, n}), n_replays=8, replacement=replacement)
    assert result.accuracy.mean(axis=2).max() <= ceiling(scored).ceiling + 1e-12
    whole = evaluate(scored, [Mixture(XYZ), ModelSwitch(XYZ), Coverage(XYZ)], 3 * n, n_replays=8)
    assert whole.accuracy.mean(axis=2).max() <= ceiling(scored).ceiling + 1e-12


@pytest.mark.slow
@given(pools(n_models=3))
def test_coverage_of_the_whole_pool_reaches_it(pool):
    for models in (["x"], ["z", "x"], XYZ):
        found = ceiling(pool, models)
        assert found.n_failed == failed_by_hand(pool, models)
        budget = len(models) * pool.codes.shape[2]
        assert evaluate(pool, Coverage(models), budget, method="exact").accuracy.mean() == found.ceiling
        assert found.failed == found.n_failed / found.n_questions == pytest.approx(1 - found.ceiling)
    assert ceiling(pool).ceiling >= ceiling(pool, ["x"]).ceiling


def test_the_ceiling_of_every_pool(any_pool):
    models = models_with(any_pool, 4)
    found = ceiling(any_pool, models, clusters="question_id")
    assert found.n_failed == failed_by_hand(any_pool, models)
    low, high = stats.binomtest(found.n_failed, found.n_questions).proportion_ci(0.95, method="exact")
    assert (found.failed_low, found.failed_high) == pytest.approx((low, high), abs=1e-7)
    rules = [Coverage(models), ModelSwitch(models), Mixture(models), OracleRouter(models), Cascade(models)]
    result = evaluate(any_pool, rules, [1, 2, 4], n_replays=50)
    assert result.accuracy.mean(axis=2).max() <= found.ceiling + 1e-12


def test_a_finite_pool_errs_on_the_low_side():
    """The counter-example: with more samples of the same model the ceiling rises."""
    few, many = (make_pool({("x", "q"): given}) for given in (["b"] * 4, ["b"] * 4 + ["a"]))
    assert (ceiling(few).ceiling, ceiling(many).ceiling) == (0, 1)


# The interval ---------------------------------------------


def pool_with(n_failed, n, per_cluster=1):
    answers = {("x", f"q{i:03}"): ["b" if i < n_failed else "a"] for i in range(n)}
    frame = make_pool(answers).to_frame()
    if per_cluster > 1:
        frame["cluster"] = [f"c{int(q[1:]) // per_cluster}" for q in frame["question_id"]]
    return Pool.from_frame(frame)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 7, 30])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_is_exact(n, level):
    """That of scipy; and, summed over every outcome, it covers at least as often as it says."""
    intervals = []
    for k in range(n + 1):
        found = ceiling(pool_with(k, n), confidence_level=level)
        ci = stats.binomtest(k, n).proportion_ci(level, method="exact")
        assert (found.failed_low, found.failed_high) == pytest.approx((ci.low, ci.high), abs=1e-7)
        assert (found.low, found.high) == (1 - found.failed_high, 1 - found.failed_low)
        intervals.append((found.failed_low, found.failed_high))
    for beta in np.linspace(0.005, 0.995, 67):
        covers = [low <= beta <= high for low, high in intervals]
        assert stats.binom.pmf(np.arange(n + 1), n, beta) @ covers >= level


@pytest.mark.parametrize("n_failed", [0, 10, 40])
def test_clusters_reach_the_interval(n_failed):
    pool = pool_with(n_failed, 40, per_cluster=5)
    found, independent = ceiling(pool), ceiling(pool, clusters="question_id")
    failed = np.arange(40) < n_failed
    assert (found.failed_low, found.failed_high) == mean_interval(failed, clusters=pool.questions["cluster"])
    assert (independent.failed_low, independent.failed_high) == mean_interval(failed)
    assert found.failed_high - found.failed_low > independent.failed_high - independent.failed_low


def test_a_single_cluster_says_nothing():
    found = ceiling(pool_with(2, 10, per_cluster=10))
    assert (found.low, found.ceiling, found.high) == (0, 0.8, 1)


@pytest.mark.slow
def test_the_frame_and_what_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("error", PoolWarning)
        found = ceiling(random_pool(), ["x", "z"])
    row = found.to_frame().iloc[0].to_dict()
    assert row.pop("models") == "x+z"
    assert row == {name: getattr(found, name) for name in row}
    assert list(row) == [
        *("ceiling", "low", "high", "failed", "failed_low", "failed_high"),
        *("n_failed", "n_questions"),
    ]
    with pytest.raises(MssimError, match="confidence_level=95 is not between 0 and 1"):
        ceiling(random_pool(), confidence_level=95)
    with pytest.raises(PoolError, match="no model 'w' in this pool"):
        ceiling(random_pool(), ["w"])
    with pytest.raises(MssimError, match="clusters: no column 'topic'"):
        ceiling(random_pool(), clusters="topic")
