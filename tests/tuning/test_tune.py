"""Tuning: the choice that the rules demand, scored on questions that took no part in it."""

import random
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mssim import (
    BudgetError,
    ModelSwitch,
    MssimError,
    PoolError,
    PoolWarning,
    StrategyError,
    Vote,
    evaluate,
    load_pool,
    tune,
)
from mssim.results.differences import mean_difference
from mssim.results.intervals import mean_interval
from mssim.results.multiplicity import holm
from mssim.results.quantities import SPENDS
from mssim.tuning._tune import tune_each
from mssim.tuning.grid import grid
from tests.conftest import Backwards, make_pool
from tests.engine.test_evaluate import random_pool
from tests.tuning.test_choice import STRATEGIES, best_within, clustered, mean, questions_without

COLUMNS = [
    *("limit", "strategy", "fitted", "budget", "same_choice", "in_sample", "fresh", "held_out", "low", "high"),
    *("optimism", "mc_error", "spend", "held_out_spend"),
    *("control", "control_budget", "control_held_out", "control_spend"),
    *("gain", "gain_low", "gain_high", "p_value", "p_holm", "n_folds", "n_questions"),
]


# The whole way ----------------------------------------------


def ragged_pool():
    """Models x, y, z with 9, 6 and 4 samples on twenty questions."""
    frame = random_pool(20, 9, seed=4).to_frame()
    most = frame["model"].map({"x": 9, "y": 6, "z": 4})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        return random_pool().from_frame(frame[frame["sample_index"] < most])


def one_by_one(pool, candidates, **options):
    """Every candidate in an evaluation of its own: accuracy, samples used [candidate][question]."""
    results = [evaluate(pool, strategy, budget, **options) for strategy, budget in candidates]
    return [r.accuracy[0, 0].tolist() for r in results], [r.samples_used[0, 0].tolist() for r in results]


def fits(strategy, budget):
    half = -(-budget // 2)
    most = {"x": 9, "y": 6, "z": 4}
    kind, models = strategy.split(",")[0].split(":")
    sizes = [budget] if kind == "sc" else [half, budget - half]
    return all(size <= most[model] for model, size in zip(models.split("+"), sizes, strict=True))


@pytest.mark.parametrize("n_runs", [None, 3])
def test_everything_follows_from_evaluations_one_by_one(n_runs):
    pool, budgets, limits = ragged_pool(), [1, 2, 4, 7, 9, 12], [1.5, 4, 9]
    tuning = tune(pool, STRATEGIES, budgets, limits=limits, n_folds=4, n_runs=n_runs, n_replays=200, seed=7)
    candidates = [(s, b) for s in STRATEGIES for b in budgets if fits(s, b)]
    assert 9 < len(candidates) < 5 * 6
    assert list(zip(tuning.strategies, tuning.budgets.tolist(), strict=True)) == candidates
    accuracy, spend = one_by_one(pool, candidates, n_replays=200, seed=7)
    assert tuning.accuracy == pytest.approx(np.array(accuracy), abs=1e-12)
    assert tuning.spend == pytest.approx(np.array(spend), abs=1e-12)

    seeds = np.random.SeedSequence(7).generate_state(n_runs or 0, np.uint64).tolist()
    runs = [one_by_one(pool, candidates, n_replays=1, method="monte_carlo", seed=s) for s in seeds]
    runs = runs or [(accuracy, spend)]
    folds, everything, frame = tuning.folds, range(20), tuning.to_frame()
    single = [c for c, (s, _) in enumerate(candidates) if s.startswith("sc:")]
    for i, limit in enumerate(limits):
        in_sample, fresh, held, control, used, training = [], [], [], [], [], []
        for right, paid in runs:
            on_all = best_within(limit, right, paid, everything, 1e-9)
            in_sample.append(right[on_all])
            fresh.append(mean(accuracy[on_all]))
            without = [best_within(limit, right, paid, questions_without(folds, f), 1e-9) for f in range(4)]
            alone = [
                single[best_within(limit, [right[c] for c in single], [paid[c] for c in single], rest, 1e-9)]
                for rest in (questions_without(folds, f) for f in range(4))
            ]
            held.append([accuracy[without[folds[q]]][q] for q in everything])
            control.append([accuracy[alone[folds[q]]][q] for q in everything])
            used.append([spend[without[folds[q]]][q] for q in everything])
            training.append([mean(right[without[f]][q] for q in questions_without(folds, f)) for f in range(4)])
        row = frame.iloc[i]
        assert row["limit"] == limit
        assert row["in_sample"] == pytest.approx(np.mean(in_sample))
        assert row["fresh"] == pytest.approx(np.mean(fresh))
        assert row["held_out"] == pytest.approx(np.mean(held))
        assert row["held_out_spend"] == pytest.approx(np.mean(used))
        assert row["optimism"] == pytest.approx(np.mean(in_sample) - np.mean(held))
        assert row["control_held_out"] == pytest.approx(np.mean(control))
        gain = np.mean(held, axis=0) - np.mean(control, axis=0)
        assert row["gain"] == pytest.approx(gain.mean())
        stretch = np.sqrt(1 + 4 / 3)  # of four folds
        gained = mean_difference(gain, method="t", stretch=stretch)
        assert row[["gain_low", "gain_high", "p_value"]].tolist() == pytest.approx([*gained[1:4]])
        assert row[["low", "high"]].tolist() == pytest.approx(mean_interval(np.mean(held, axis=0), stretch=stretch))
        if n_runs:
            per_run = np.mean(in_sample, axis=1) - np.mean(held, axis=1)
            assert row["mc_error"] == pytest.approx(per_run.std(ddof=1) / np.sqrt(n_runs))
        assert tuning.training[:, i, :4] == pytest.approx(np.array(training))
    assert frame.columns.tolist() == COLUMNS
    assert frame["p_holm"].tolist() == pytest.approx(holm(frame["p_value"]).tolist())
    assert frame["n_folds"].tolist() == [4] * 3
    assert frame["n_questions"].tolist() == [20] * 3


def test_answers_to_held_out_questions_do_not_move_the_choice():
    """The pool is tuned again after all that a fold holds out was answered wrongly."""
    pool = random_pool(16, 8, seed=2)
    options = {"n_folds": 4, "n_replays": 100}
    before = tune(pool, STRATEGIES, [1, 2, 3, 6], **options)
    frame = pool.to_frame()
    changed = 0
    for fold in range(4):
        out = frame["question_id"].isin(pool.questions["question_id"][before.folds == fold])
        altered = frame.assign(answer=frame["answer"].mask(out, "wrong"), correct=frame["correct"] & ~out)
        after = tune(pool.from_frame(altered), STRATEGIES, [1, 2, 3, 6], **options)
        assert (after.chosen[:, :, fold] == before.chosen[:, :, fold]).all()
        changed += (after.chosen != before.chosen).any()
    assert changed > 0


def test_any_executor_gives_the_same_result_and_progress_is_reported():
    pool, seen = random_pool(), []
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    first = tune(pool, STRATEGIES, [2, 5, 30], n_runs=2, n_replays=50, progress=progress)
    second = tune(pool, STRATEGIES, [2, 5, 30], n_runs=2, n_replays=50, executor=Backwards())
    pd.testing.assert_frame_equal(first.to_frame(), second.to_frame())
    done, totals = zip(*seen, strict=True)
    assert list(done) == sorted(done)
    assert done[-1] == totals[-1]
    assert set(totals) == {totals[0]}
    assert first.provenance["strategies"] == {s: s for s in STRATEGIES}
    assert repr(first) == f"Tuning({first.budgets.size} candidates, 3 limits, 12 questions in 10 folds)"


# What choosing does ------------------------------------------


def coin_pool(rng, n_models, n_questions):
    """Models that know nothing: each is always right or always wrong on a question, by the toss of a coin."""
    return make_pool({(f"m{m}", f"q{q}"): [rng.choice("ab")] for m in range(n_models) for q in range(n_questions)})


@pytest.mark.slow
def test_choosing_among_equals_flatters_in_sample_and_not_held_out():
    """Eighty pools of fair coins; each bound is missed by one seed in a million (five standard errors)."""
    rng = random.Random(5)
    rows = [tune(coin_pool(rng, 6, 30), grid([f"m{m}" for m in range(6)], n_models=[1])).to_frame() for _ in range(80)]
    frame = pd.concat(rows)
    error = frame[["held_out", "optimism"]].std() / np.sqrt(len(frame))
    assert frame["optimism"].mean() > 5 * error["optimism"]
    assert abs(frame["held_out"].mean() - 0.5) < 5 * error["held_out"]
    # The best of six binomial shares of thirty questions.
    at_most = stats.binom.cdf(np.arange(30), 30, 0.5) ** 6
    spread = frame["in_sample"].std() / np.sqrt(len(frame))
    assert abs(frame["in_sample"].mean() - (1 - at_most).sum() / 30) < 5 * spread


@pytest.mark.slow
def test_choosing_on_one_run_flatters_by_the_luck_of_the_draw():
    """Six equal models that toss a coin per draw: in_sample is the best of six binomials (five errors)."""
    pool = make_pool({(f"m{m}", f"q{q}"): ["a", "b"] for m in range(6) for q in range(20)})
    tuning = tune(pool, grid(pool.models, n_models=[1]), 1, n_runs=300, seed=3)
    row = tuning.to_frame().iloc[0]
    luck = (1 - stats.binom.cdf(np.arange(20), 20, 0.5) ** 6).sum() / 20 - 0.5
    assert row["fresh"] == row["held_out"] == 0.5
    assert row["mc_error"] < luck / 20
    assert abs(row["in_sample"] - row["fresh"] - luck) < 5 * row["mc_error"]
    assert row["optimism"] == pytest.approx(row["in_sample"] - 0.5)
    assert row["gain"] == 0


def test_a_choice_that_all_folds_make_is_compared_as_an_evaluation_is():
    pool = make_pool(
        {("x", f"q{q}"): list("ab" * 3) for q in range(12)} | {("y", f"q{q}"): list("aab" * 2) for q in range(12)}
        | {("x", "r"): list("a" * 6), ("y", "r"): list("b" * 6)}
    )  # fmt: skip
    rules = {"MS": ModelSwitch(["y", "x"], vote=Vote.plurality()), "SC": "sc:x"}
    row = tune(pool, rules, 4, seed=2).to_frame().iloc[0]
    found = evaluate(pool, rules, 4).compare("MS", "SC", budget=4, test="t")
    assert (row["strategy"], row["same_choice"], row["control"], row["control_budget"]) == ("MS", 1, "SC", 4)
    assert row["gain"] == pytest.approx(found.difference)
    stretch = np.sqrt(1 + row["n_folds"] / (row["n_folds"] - 1))
    assert row["gain_high"] - row["gain_low"] == pytest.approx(stretch * (found.high - found.low))
    assert row["p_value"] > found.p_value
    assert row[["optimism", "mc_error"]].tolist() == [0, 0]


def test_monte_carlo_error_of_the_optimism():
    options = {"n_folds": 3, "method": "monte_carlo"}
    tuning = tune(random_pool(seed=1), STRATEGIES, [3, 8], n_replays=400, **options)
    everywhere, without = tuning.chosen[0, :, -1], tuning.chosen[0][:, tuning.folds]
    variance = tuning.accuracy * (1 - tuning.accuracy) / 399
    expected = [
        np.sqrt(sum(variance[a, q] + variance[b, q] for q, b in enumerate(row) if a != b)) / 12
        for a, row in zip(everywhere, without, strict=True)
    ]
    assert max(expected) > 0
    assert tuning.to_frame()["mc_error"].tolist() == pytest.approx(expected)
    once = tune(random_pool(seed=1), STRATEGIES[::-1], [3, 8], n_replays=1, **options).to_frame()
    assert once["mc_error"].tolist() == [0, 0]  # the same choice in all folds, because one replay shows nothing
    assert tune(random_pool(), STRATEGIES, [3, 8], n_runs=1, n_replays=9).to_frame()["mc_error"].isna().all()
    exact = tune(random_pool(), ["sc:x", "sc:y"], [3, 8]).to_frame()
    assert exact["mc_error"].tolist() == [0, 0]


# Candidates, spend and limits ---------------------------------


@pytest.mark.parametrize("spend", SPENDS)
def test_what_is_limited(spend):
    pool = random_pool(cost=0.5, output_tokens=10, input_tokens=20, latency=2)
    tuning = tune(pool, "ms:x+y", 4, spend=spend, limits=[200], n_replays=50, tokens="output", parallel=1)
    used = evaluate(pool, "ms:x+y", 4, n_replays=50).samples_used.mean()
    assert 2 < used < 4
    expected = {"budget": 4, "samples_used": used, "cost": used / 2, "tokens": 10 * used, "latency": 2 * used}[spend]
    assert tuning.provenance["spend"] == spend
    assert tuning.candidates()["spend"].item() == pytest.approx(expected)
    assert tuning.to_frame()["spend"].item() == pytest.approx(expected)


def test_a_spend_that_is_unknown_of_a_later_candidate_is_refused_first():
    frame = random_pool(cost=0.5).to_frame()
    lacking = (frame["model"] == "y") & frame["question_id"].isin(["q3", "q4"])
    pool = random_pool().from_frame(frame.assign(cost=frame["cost"].mask(lacking)))
    seen = []
    says = r"spend='cost': 48 samples of model 'y' have no cost, first sample 0 of question 'q3'\. .* or use prices=\.$"
    with pytest.raises(MssimError, match=says):
        tune(pool, ["sc:x", "ms:x+y"], [2, 4], spend="cost", progress=lambda *done: seen.append(done))
    with pytest.raises(MssimError, match=r"^prices: model 'y' has no price\. Set the price of a sample for each of"):
        tune(pool, ["sc:x", "sc:y"], 2, spend="cost", prices={"x": 1}, progress=lambda *done: seen.append(done))
    assert not seen
    # Budgets at which y draws nothing have a known cost, and so have other models and prices.
    for options in ({"budgets": 1}, {"strategies": ["sc:x", "ms:x+z"]}, {"prices": {"x": 1, "y": 2}}):
        tuning = tune(pool, **{"strategies": ["sc:x", "ms:x+y"], "budgets": [1, 2], "spend": "cost", **options})
        assert np.isfinite(tuning.spend).all()


@pytest.mark.parametrize("spend", ["tokens", "latency"])
def test_runs_choose_by_what_their_samples_spent(spend):
    """The spend of a sample goes with its answer, so that it varies from run to run."""
    spent = np.random.default_rng(3).integers(1, 40, 12 * 3 * 24)
    pool = random_pool(output_tokens=spent, latency=spent / 4)
    candidates = [(strategy, budget) for strategy in ("sc:x", "sc:y", "ms:z+x") for budget in (2, 6)]
    limits = [45.0, 90.0] if spend == "tokens" else [8.0, 12.0]
    options = {"limits": limits, "n_folds": 3, "n_runs": 4, "n_replays": 50, "seed": 2}
    tuning = tune(pool, ["sc:x", "sc:y", "ms:z+x"], [2, 6], spend=spend, **options)
    for run, seed in enumerate(np.random.SeedSequence(2).generate_state(4, np.uint64).tolist()):
        once = [evaluate(pool, *one, method="monte_carlo", n_replays=1, seed=seed) for one in candidates]
        right, paid = ([getattr(one, name)[0, 0].tolist() for one in once] for name in ("accuracy", spend))
        assert (np.abs(np.mean(paid, axis=1) - tuning.spend.mean(axis=1)) > 1e-6).all()
        for i, limit in enumerate(limits):
            sets = [*(questions_without(tuning.folds, fold) for fold in range(3)), range(12)]
            chosen = [best_within(limit, right, paid, questions, 1e-9) for questions in sets]
            assert tuning.chosen[run, i].tolist() == chosen


def test_prices_decide_what_is_affordable():
    pool = make_pool({("good", f"q{q}"): ["a"] * 4 for q in range(9)} | {("bad", f"q{q}"): ["b"] * 4 for q in range(9)})
    options = {"spend": "cost", "prices": {"good": 2, "bad": 0.5}}
    frame = tune(pool, ["sc:good", "sc:bad"], [1, 2, 4], limits=[0.5, 1.9, 2, 100], **options).to_frame()
    assert frame["strategy"].tolist() == ["sc:bad", "sc:bad", "sc:good", "sc:good"]
    assert frame["spend"].tolist() == frame["held_out_spend"].tolist() == [0.5, 0.5, 2, 2]
    assert frame["held_out"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("prices", "first", "last"), [((2, 1 / 3), 0.334, 8), ((2, 0), 2, 8), ((0.0012345, 1), 0.00124, 4)]
)
def test_default_limits_of_cost_go_from_the_cheapest_to_the_dearest(prices, first, last):
    pool = make_pool({(model, f"q{q}"): ["a"] * 4 for model in "xy" for q in range(9)})
    steps = tune(pool, ["sc:x", "sc:y"], [1, 2, 4], spend="cost", prices=dict(zip("xy", prices, strict=True))).limits
    assert steps.size == 8
    assert (steps[0], steps[-1]) == pytest.approx((first, last))
    assert steps[1:] / steps[:-1] == pytest.approx((last / first) ** (1 / 7), rel=0.01)


def test_default_limits_that_a_fold_cannot_keep_are_dropped_and_given_ones_refused():
    answers = {("x", f"q{q}"): ["a"] for q in range(8)}
    pool = make_pool(answers)
    frame = pool.to_frame()
    pool = pool.from_frame(frame.assign(cost=np.where(frame["question_id"] == "q0", 0.08, 1.0)))
    pool = pool.from_frame(pd.concat([pool.to_frame(), pool.to_frame().assign(model="y", cost=3.0)]))
    tuning = tune(pool, ["sc:x", "sc:y"], 1, spend="cost")
    assert tuning.limits.size == 7
    assert tuning.limits[0] > 1  # 0.885 is the mean cost of x, 1 without the question that is cheap
    says = (
        r"limits: in at least one fold, every candidate spends more than 0\.9 per question on average. Use limits of "
    )
    with pytest.raises(MssimError, match=says + r"at least 1\.$"):
        tune(pool, ["sc:x", "sc:y"], 1, spend="cost", limits=[0.9, 2])
    assert tune(pool, ["sc:x", "sc:y"], 1, spend="cost", limits=[1]).limits.tolist() == [1]
    first = tuning.frontier().iloc[0]
    assert (first["strategy"], first["in_sample"]) == ("sc:x", 1)
    assert np.isnan(first["held_out"])


def test_without_a_single_model_there_is_no_control():
    frame = tune(random_pool(), ["ms:x+y", "sc:x,stop=window:2"], [4], n_replays=50).to_frame()
    nothing = [
        "control",
        "control_budget",
        "control_held_out",
        "control_spend",
        "gain",
        "gain_low",
        "gain_high",
        "p_value",
        "p_holm",
    ]
    assert frame[nothing].isna().all(axis=None)
    assert frame["held_out"].notna().all()


def test_a_control_beyond_the_limit_is_missing_there_alone():
    frame = tune(random_pool(), ["ms:x+y", "sc:x"], [6], limits=[5.9, 6], n_replays=50).to_frame()
    assert frame["control"].fillna("none").tolist() == ["none", "sc:x"]
    assert frame["gain"].isna().tolist() == [True, False]


# Refusals ----------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"spend": "samples"}, MssimError, "spend='samples' is not valid. Did you mean 'samples_used'"),
        ({"spend": "cost"}, MssimError, "spend='cost': the pool has no costs. Record a column 'cost' or use prices="),
        ({"spend": "cost", "prices": {"x": 0, "y": 0}}, MssimError, "every candidate has cost 0. Limit samples_used"),
        ({"prices": {"x": 1}}, MssimError, "model 'y' has no price"),
        ({"spend": pd.NA}, MssimError, "spend=<NA> is not valid. Choose from"),
        ({"progress": 3}, MssimError, "progress=3 cannot be called. Pass a function of"),
        ({"executor": 3}, MssimError, "executor=3 is not an executor"),
        ({"prices": 3}, MssimError, "prices=3 is not a price table and does not map models to prices"),
        ({"limits": []}, MssimError, r"limits=\[\] is not valid. Limits of the mean spend per question are positive"),
        (
            {"limits": [0, 2]},
            MssimError,
            r"limits=\[0, 2\] is not valid. Limits of the mean spend per question are positive",
        ),
        (
            {"limits": [float("nan")]},
            MssimError,
            r"limits=\[nan\] is not valid. Limits of the mean spend per question are positive",
        ),
        ({"limits": "8"}, MssimError, "limits='8' is not valid. Limits of the mean spend per question are positive"),
        ({"limits": [[1], [1, 2]]}, MssimError, "is not valid. Limits of the mean spend per question are positive"),
        (
            {"limits": [0.5, 2]},
            MssimError,
            "every candidate spends more than 0.5 per question on average. Use limits of at least 2.",
        ),
        ({"n_folds": 1}, MssimError, "n_folds=1 is out of range. Use an integer from 2"),
        ({"n_folds": 11}, MssimError, "n_folds=11 is out of range. Use an integer from 2 to 10"),
        ({"n_runs": 0}, MssimError, "n_runs=0 is out of range. Use an integer from 1"),
        ({"n_replays": 0}, MssimError, "n_replays=0 is out of range. Use an integer from 1"),
        ({"mc_error": 0}, MssimError, "mc_error=0 is not a number from 1e-05 to 0.5. Use e.g. mc_error=1e-4"),
        ({"seed": -1}, MssimError, "seed=-1 is out of range. Use an integer from 0"),
        ({"method": "best"}, MssimError, "method='best'"),
        ({"clusters": "topic"}, MssimError, "clusters: no column 'topic'"),
        (
            {"budgets": [25, 30]},
            BudgetError,
            r"budgets: too few samples were recorded for sc:x at any of the budgets \[25, 30\]",
        ),
        ({"budgets": [0]}, BudgetError, "Use positive integers"),
        ({"strategies": "sc:w"}, PoolError, "no model 'w'"),
        ({"strategies": ["sc:x", "sc:x"]}, StrategyError, "repeats a strategy. Remove the duplicate"),
        ({"strategies": []}, StrategyError, "strategies: none are given"),
        ({"families": "stop"}, MssimError, "families: 'stop' is not valid. Did you mean 'stops'"),
        ({"strategies": ["sc:x", "sx:y"]}, StrategyError, "unknown kind 'sx'"),
        ({"strategies": ["sc:x", "sc:y,vote=best_of_n"]}, PoolError, "sc:y,vote=best_of_n requires column 'score'"),
        ({"strategies": ["sc:x", "sc:y,max_tokens=9"]}, PoolError, "output_tokens"),
        ({"spend": "latency"}, MssimError, "spend='latency': the pool has no latencies"),
        ({"spend": "tokens"}, MssimError, "spend='tokens': the pool has no output_tokens"),
        ({"tokens": "none"}, MssimError, "tokens='none' is not valid"),
        ({"prices": "nowhere.toml", "spend": "cost"}, MssimError, "nowhere.toml"),
        ({"replacement": 2}, MssimError, "replacement=2 is not a bool"),
        ({"parallel": 0}, MssimError, "parallel=0 is out of range"),
        ({"method": "exact", "strategies": ["sc:x", "ms:x+y"]}, StrategyError, "method='exact' is not available"),
        ({"shares_draws": [["x"]]}, MssimError, "shares_draws"),
        ({"n_folds": 3, "clusters": "truth"}, MssimError, "clusters"),
        ({"limits": [1, 3], "spend": "budget"}, MssimError, "spends more than 1 per .* Use limits of at least 2"),
        ({"limits": 5, "spend": "cost", "prices": {"x": 3, "y": 4}}, MssimError, "more than 5 .* of at least 6"),
        ({"limits": 0.9, "strategies": "sc:x,stop=beta:0.9"}, MssimError, "more than 0.9 .* Use limits above 1"),
        (
            {"limits": 5, "strategies": "ms:x+y", "spend": "cost", "prices": {"x": 6, "y": 1}},
            MssimError,
            "spends more than 5 per question on average. Use limits above 6",
        ),
    ],
)
def test_refusals(options, error, says, monkeypatch):
    """All of them are known at once: nothing is evaluated, which takes most of the time."""
    monkeypatch.setattr("mssim.tuning.candidates.evaluate_job", lambda *_, **__: pytest.fail("evaluated"))
    with pytest.raises(error, match=says):
        tune(random_pool(), **{"strategies": ["sc:x", "sc:y"], "budgets": [2, 4], **options})


def test_routers_that_cannot_be_fitted_are_refused_at_once(monkeypatch):
    monkeypatch.setattr("mssim.tuning.candidates.evaluate_job", lambda *_, **__: pytest.fail("evaluated"))
    with pytest.raises(MssimError, match="topics"):
        tune(random_pool(), ["sc:x", "route:x+y,by=topics"], [2])
    for module in ("sklearn", "sklearn.feature_extraction.text", "sklearn.linear_model"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MssimError, match="route"):
        tune(random_pool(), ["sc:x", "route:x+y,by=logistic,features=truth"], [2])


@pytest.mark.parametrize(
    ("strategy", "error", "says"),
    [
        ("route:x+y,by=topics", MssimError, "route:x.y,by=topics: by='topics': no such question column"),
        ("dsc:x,difficulty=level", MssimError, "dsc:x,difficulty=level: .* no such question column"),
        ("sc:x,vote=best_of_n,column=nope", PoolError, "requires column 'nope'"),
    ],
)
def test_strategies_that_cannot_be_run_are_refused_before_others_are_fitted(strategy, error, says, monkeypatch):
    monkeypatch.setattr("mssim.tuning._tune.candidates_of", lambda *_: pytest.fail("families"))
    monkeypatch.setattr("mssim.tuning._tune.fit_all", lambda *_: pytest.fail("fitted"))
    with pytest.raises(error, match=says):
        tune(random_pool(), ["sc:x", strategy], [2], families="weights")


def test_one_cluster_cannot_be_split():
    with pytest.raises(MssimError, match="all questions are in one cluster, but cross-validation needs at least 2"):
        tune(clustered(size=12), "sc:x", 2)


def test_a_confidence_level_is_checked():
    tuning = tune(random_pool(), "sc:x", 2)
    for table in (tuning.to_frame, tuning.frontier):
        with pytest.raises(MssimError, match="confidence_level=95"):
            table(confidence_level=95)


# Recorded answers of real models -----------------------------------


@pytest.mark.slow
def test_all_pairs_of_nine_models(shared_pools):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        pool = load_pool(shared_pools / "exam-nine-models" / "samples.parquet", where={"temperature": 1.0})
    strategies = grid(pool.models, agreement=[1.0], vote=["plurality"])
    tuning = tune(pool, strategies, [1, 4, 8, 12], seed=1)
    assert len(strategies) == 9 + 72 + 36
    assert tuning.budgets.size == 9 * 3 + 108 * 4
    frame = tuning.to_frame()
    assert np.bincount(tuning.folds).tolist() == [10] * 10
    assert (frame["held_out_spend"] <= frame["limit"] * 1.1).all()
    assert (np.diff(frame["in_sample"]) >= 0).all()
    best = evaluate(pool, strategies, [1]).to_frame().sort_values("accuracy").iloc[-1]
    assert frame["in_sample"][0] == pytest.approx(best["accuracy"])
    # Where folds disagree, choosing on the same questions flatters.
    unsure = frame[frame["same_choice"] < 1]
    assert len(unsure) > 0
    assert (unsure["optimism"] > 0).all()


def rounds_pool():
    """Two rounds of a debate; the pool has them in the other order."""
    rng = random.Random(2)
    answers = {(m, f"q{q:02}"): rng.choices("aab", k=6) for m in ("r2", "x", "r1") for q in range(12)}
    return make_pool(
        answers, output_tokens=[float(rng.randint(1, 9)) + 20 * (m == "r2") for m, _ in answers for _ in range(6)]
    )


@pytest.mark.slow
def test_rounds_of_a_debate_are_tried_in_their_order():
    options = {"n_folds": 3, "n_replays": 20, "shares_draws": [["r1", "r2"]]}
    tried = set(tune(rounds_pool(), None, [2], **options).strategies)
    assert {"mix:r1+r2", "ms:r1+r2,vote=plurality", "ms:x+r2", "ms:r2+x"} <= tried
    assert not any("r2+r1" in name for name in tried)
    assert "ms:r2+r1" in set(tune(rounds_pool(), None, [2], **options | {"shares_draws": ()}).strategies)
    with pytest.raises(StrategyError, match="'r1' comes after 'r2'"):
        tune(rounds_pool(), "ms:r2+r1", [2], **options)


def test_limits_of_tokens_that_have_no_effect_are_named_once():
    strategies = ["sc:r1,max_tokens=9", "sc:r1,max_tokens=4", "sc:x"]
    with pytest.warns(PoolWarning, match="max_tokens=9: no effect on model 'r1'") as warned:
        tune(rounds_pool(), strategies, [1], n_folds=3)
    assert len(warned) == 1


def test_limits_of_several_quantities_share_one_evaluation_but_not_runs():
    pool = random_pool(cost=0.5)
    both = tune_each(pool, ["sc:x", "sc:y"], [1, 4], limits={"samples_used": [1, 4], "cost": [0.5, 2]})
    for spend, limits in (("samples_used", [1, 4]), ("cost", [0.5, 2])):
        alone = tune(pool, ["sc:x", "sc:y"], [1, 4], spend=spend, limits=limits)
        pd.testing.assert_frame_equal(both[spend].to_frame(), alone.to_frame())
    with pytest.raises(MssimError, match="n_runs: runs are drawn once"):
        tune_each(pool, ["sc:x"], [1], limits={"samples_used": 1, "cost": 1}, n_runs=2)
