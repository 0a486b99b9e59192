"""Results: tables, comparisons, and files."""

import dataclasses
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mssim import BudgetError, Evaluation, MssimError, StrategyError, evaluate
from mssim.results.bands import mean_band
from mssim.results.differences import mean_difference
from mssim.results.intervals import mean_interval
from mssim.results.jackknife import these_interval
from mssim.results.spread import N_BINS, Histogram, Spread, bin_of
from tests.conftest import Backwards, make_pool, replay
from tests.engine.test_evaluate import random_pool

COLUMNS = [
    *("strategy", "budget", "accuracy", "low", "high", "replay_sd", "mc_error"),
    *("samples_used", "agreed", "tokens", "cost", "latency", "method", "n_replays", "n_questions"),
]


@cache
def plain_pool():
    return random_pool(30, 12, cost=0.5)


@cache
def evaluated(pool, n_replays, seed):
    rules = {"SC": "sc:x", "MS": "ms:x+y"}
    return replay(pool, rules, [2, 6, 12], n_replays=n_replays, seed=seed, executor=Backwards())  # small work


def result(n_replays=100, seed=0, **columns):
    return evaluated(random_pool(30, 12, cost=0.5, **columns) if columns else plain_pool(), n_replays, seed)


@pytest.mark.compiled
def test_the_table_is_tidy():
    evaluation = result()
    frame = evaluation.to_frame()
    assert frame.columns.tolist() == COLUMNS
    assert frame["strategy"].tolist() == ["SC"] * 3 + ["MS"] * 3
    assert frame["budget"].tolist() == [2, 6, 12] * 2
    assert frame["accuracy"].tolist() == pytest.approx(evaluation.accuracy.mean(axis=2).ravel().tolist())
    assert frame["samples_used"].tolist()[:3] == [2, 6, 12]
    assert frame["cost"].tolist() == pytest.approx((0.5 * frame["samples_used"]).tolist())
    assert frame[["tokens", "latency"]].isna().all(axis=None)  # were not recorded
    assert set(frame["method"]) == {"monte_carlo"}
    assert set(frame["n_replays"]) == {100}
    assert set(frame["n_questions"]) == {30}
    low, high = mean_interval(evaluation.accuracy[1, 2], confidence_level=0.8)
    row = evaluation.to_frame(confidence_level=0.8).iloc[5]
    assert (row["low"], row["high"]) == pytest.approx((low, high))


@pytest.mark.compiled
def test_a_simultaneous_band_is_that_of_each_strategy_over_its_budgets():
    evaluation = result(topic=[f"t{i // 144}" for i in range(30 * 36)])
    pointwise, whole = evaluation.to_frame(), evaluation.to_frame(confidence_level=0.9, band="simultaneous")
    pd.testing.assert_frame_equal(evaluation.to_frame(band="pointwise"), pointwise)
    pd.testing.assert_frame_equal(whole.drop(columns=["low", "high"]), pointwise.drop(columns=["low", "high"]))
    for at, name in enumerate(["SC", "MS"]):
        rows = whole[whole["strategy"] == name]
        expected = mean_band(evaluation.accuracy[at], confidence_level=0.9, band="simultaneous")
        assert np.array_equal([rows["low"], rows["high"]], expected)
    labels = evaluation.cluster_labels("topic")
    clustered = evaluation.to_frame(clusters="topic", band="simultaneous")
    expected = mean_band(evaluation.accuracy, clusters=labels, band="simultaneous")[0]
    assert clustered["low"].tolist() == expected.ravel().tolist()
    with pytest.raises(
        MssimError, match=r"^band='simultaneous_' is not valid\. Did you mean 'simultaneous'\? Choose from"
    ):
        evaluation.to_frame(band="simultaneous_")


def test_bands_are_over_questions():
    with pytest.raises(MssimError, match=r"band 'simultaneous': bands are about all questions of this kind\."):
        result().to_frame(scope="these", band="simultaneous")


@pytest.mark.compiled
def test_per_question_has_what_describes_the_questions():
    evaluation = result(topic="t")
    frame = evaluation.per_question()
    assert frame.columns.tolist() == [
        *("strategy", "budget", "question_id", "accuracy", "samples_used", "agreed"),
        *("tokens", "cost", "latency", "n_replays", "mc_variance", "truth", "topic"),
    ]
    assert len(frame) == 2 * 3 * 30
    mean = frame.groupby(["strategy", "budget"], sort=False)["accuracy"].mean()
    assert mean.tolist() == pytest.approx(evaluation.to_frame()["accuracy"].tolist())
    assert frame["question_id"].tolist()[30:60] == evaluation.questions["question_id"].tolist()


def test_columns_of_questions_with_the_names_of_results_are_kept():
    evaluation = result(20, accuracy=1, budget="large")
    frame = evaluation.per_question()
    assert frame["question_accuracy"].tolist() == [1] * 180
    assert set(frame["question_budget"]) == {"large"}


@pytest.mark.slow
def test_replay_sd_is_the_scatter_of_single_runs():
    """Chi-square interval of 300 runs' variance, missed by one seed in a million."""
    runs = np.array([result(1, seed).accuracy.mean(axis=2) for seed in range(300)])
    ratio = 299 * runs.var(axis=0, ddof=1).ravel() / result(20_000, 1).to_frame()["replay_sd"] ** 2
    assert (ratio > stats.chi2.ppf(5e-7, 299)).all()
    assert (ratio < stats.chi2.isf(5e-7, 299)).all()


@pytest.mark.slow
def test_mc_error_is_the_scatter_of_means():
    means = np.array([result(50, seed).accuracy.mean(axis=2) for seed in range(200)])
    ratio = 199 * means.var(axis=0, ddof=1).ravel() / result(20_000, 1).to_frame()["mc_error"] ** 2 / (20_000 / 50)
    assert (ratio > stats.chi2.ppf(5e-7, 199)).all()
    assert (ratio < stats.chi2.isf(5e-7, 199)).all()


@pytest.mark.slow
def test_two_replays_estimate_the_scatter_without_bias():
    # Means of many estimates of the variance; five standard errors.
    found = np.array([result(2, seed).to_frame()["replay_sd"].to_numpy()[:2] ** 2 for seed in range(300)])
    expected = result(20_000, 1).to_frame()["replay_sd"].to_numpy()[:2] ** 2
    assert (np.abs(found.mean(axis=0) - expected) < 5 * found.std(axis=0) / np.sqrt(len(found))).all()


def test_a_single_replay_claims_no_error():
    frame = result(1).to_frame()
    assert frame[["replay_sd", "mc_error"]].isna().all(axis=None)


def test_where_every_draw_decides_alike_nothing_scatters():
    frame = evaluate(make_pool({("x", "q1"): ["a"] * 4, ("x", "q2"): ["b"] * 4}), "sc:x", 2, n_replays=10).to_frame()
    assert frame[["accuracy", "replay_sd", "mc_error"]].iloc[0].tolist() == [0.5, 0, 0]


# Clusters -------------------------------------------------


def test_clusters_widen_the_interval_and_are_taken_from_their_column_by_default():
    answers = {("x", f"q{i}"): ["a" if i < 15 else "b"] * 4 for i in range(30)}
    pool = make_pool(answers)
    frame = pool.to_frame()
    group = [f"g{int(q[1:]) // 5}" for q in frame["question_id"]]
    plain = evaluate(pool, "sc:x", 1, n_replays=5).to_frame().iloc[0]
    named = evaluate(pool.from_frame(frame.assign(problem=group)), "sc:x", 1, n_replays=5)
    default = evaluate(pool.from_frame(frame.assign(cluster=group)), "sc:x", 1, n_replays=5)
    assert named.to_frame()["low"].item() == plain["low"]
    assert named.to_frame(clusters="problem")["low"].item() < plain["low"] - 0.1
    assert default.to_frame()["low"].item() == named.to_frame(clusters="problem")["low"].item()
    assert default.to_frame(clusters="question_id")["low"].item() == plain["low"]
    with pytest.raises(MssimError, match=r"clusters: no column 'problm'\. Did you mean 'problem'"):
        named.to_frame(clusters="problm")


def test_clusters_with_missing_labels_are_refused():
    frame = make_pool({("x", "q1"): ["a"] * 2, ("x", "q2"): ["b"] * 2}).to_frame()
    frame["problem"] = frame["question_id"].map({"q1": "p"})
    evaluation = evaluate(random_pool().from_frame(frame), "sc:x", 1, n_replays=5)
    with pytest.raises(MssimError, match="clusters: question 'q2' has no value in column 'problem'"):
        evaluation.to_frame(clusters="problem")


# Comparisons ----------------------------------------------


def test_a_comparison_is_paired():
    evaluation = result()
    found = evaluation.compare("MS", "SC", budget=12, margin=0.1)
    difference = evaluation.accuracy[1, 2] - evaluation.accuracy[0, 2]
    expected = mean_difference(difference, margin=0.1)
    assert (found.difference, found.low, found.high) == pytest.approx(expected[:3])
    assert (found.p_value, found.p_noninferior, found.p_equivalent) == pytest.approx(expected[3:6])
    assert (found.test, found.margin, found.confidence_level) == ("gaffke", 0.1, 0.95)
    assert found.wins + found.ties + found.losses == found.n_questions == 30
    assert found.to_frame().columns.tolist()[:5] == ["a", "b", "budget_a", "budget_b", "difference"]


def test_a_comparison_is_antisymmetric():
    there, back = result().compare("MS", "SC", budget=6), result().compare("SC", "MS", budget=6)
    assert there.difference == -back.difference
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-7)
    assert (there.wins, there.ties, there.losses) == (back.losses, back.ties, back.wins)


def test_equal_draws_make_the_paired_interval_narrow():
    frame = result().to_frame()
    found = result().compare("MS", "SC", budget=12)
    width = frame.query("budget == 12").eval("high - low").sum()
    assert found.high - found.low < width / 2


def test_clusters_and_the_test_reach_a_comparison():
    evaluation = result()
    questions = evaluation.questions.assign(topic=[f"t{i % 5}" for i in range(30)])
    evaluation = dataclasses.replace(evaluation, questions=questions)
    difference = evaluation.accuracy[1, 2] - evaluation.accuracy[0, 2]
    found = evaluation.compare("MS", "SC", budget=12, clusters="topic", confidence_level=0.9)
    expected = mean_difference(difference, clusters=questions["topic"], confidence_level=0.9)
    assert (found.low, found.high, found.p_value) == pytest.approx((expected.low, expected.high, expected.p_value))
    assert found.test == "t"
    assert evaluation.compare("MS", "SC", budget=12, test="t").low > evaluation.compare("MS", "SC", budget=12).low


def test_a_family_of_comparisons_with_one_strategy():
    evaluation = result()
    family = evaluation.compare_with("SC", budgets=[2, 12], margin=0.05)
    alone = [evaluation.compare("MS", "SC", budget=budget, margin=0.05) for budget in (2, 12)]
    assert list(family) == alone
    every = evaluation.compare_with("SC")
    assert [(one.a, one.b, one.budget_a) for one in every] == [("MS", "SC", budget) for budget in (2, 6, 12)]
    assert len(evaluation.compare_with("SC", ["MS"], budgets=6)) == 1
    repeated = evaluation.compare_with("SC", ["MS", "MS"], budgets=[2, 12, 2], margin=0.05)
    assert repeated == family


def test_a_family_needs_something_to_compare():
    evaluation = result()
    with pytest.raises(StrategyError, match="no strategy 'SCC' was evaluated"):
        evaluation.compare_with("SCC")
    with pytest.raises(StrategyError, match="is the only strategy"):
        evaluation.compare_with("SC", [])
    with pytest.raises(BudgetError, match="budget 7 was not evaluated"):
        evaluation.compare_with("SC", budgets=[7])
    with pytest.raises(StrategyError, match="strategies"):
        evaluation.compare_with("SC", "MS")
    with pytest.raises(StrategyError, match="strategies: 'SC' is also the base"):
        evaluation.compare_with("SC", ["MS", "SC"])


def test_two_budgets_of_one_strategy_are_compared():
    found = result().compare("SC", "SC", budget=(12, 2))
    assert (found.budget_a, found.budget_b) == (12, 2)
    assert found.difference == pytest.approx(np.diff(result().to_frame()["accuracy"][[0, 2]]).item())


def test_wins_ties_and_losses_by_hand():
    answers = {("x", "q1"): "aa", ("y", "q1"): "bb", ("x", "q2"): "bb", ("y", "q2"): "aa"}
    answers |= {("x", "q3"): "ab", ("y", "q3"): "ba", ("x", "q4"): "aa", ("y", "q4"): "bb"}
    pool = make_pool({key: list(value) for key, value in answers.items()})
    found = evaluate(pool, ["sc:x", "sc:y"], 1, n_replays=999).compare("sc:x", "sc:y", budget=1)
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)


@pytest.mark.parametrize(("standard_errors", "ties"), [(2.9, 1), (3.1, 0)])
def test_a_tie_is_a_difference_of_up_to_three_monte_carlo_errors(standard_errors, ties):
    n, p = 10_000, 0.5
    gap = standard_errors * np.sqrt(2 * p * (1 - p) / n)
    accuracy = np.array([[[p + gap / 2]], [[p - gap / 2]]])
    nothing = np.zeros_like(accuracy)
    question = pd.DataFrame({"question_id": ["q"]})
    replays, variance = np.full((2, 1, 1), n), accuracy * (1 - accuracy) / (n - 1)
    made = Evaluation(("a", "b"), np.array([1]), question, accuracy, *[nothing] * 5, replays, variance, provenance={})
    found = made.compare("a", "b", budget=1)
    assert (found.wins, found.ties, found.losses) == (1 - ties, ties, 0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"margin": -1}, "margin=-1 is not valid"),
        ({"test": "sign"}, "'sign' is not valid"),
        ({"budget": (2, 6, 12)}, "is neither an int nor a pair"),
        ({"confidence_level": 95}, "between 0 and 1"),
    ],
)
def test_options_of_a_comparison_are_checked(options, says):
    with pytest.raises(MssimError, match=says):
        result().compare("SC", "MS", **{"budget": 6, **options})


def test_what_was_not_evaluated_cannot_be_compared():
    with pytest.raises(StrategyError, match=r"no strategy 'SCC' was evaluated\. Did you mean 'SC'"):
        result().compare("SCC", "MS", budget=6)
    with pytest.raises(BudgetError, match=r"budget 7 was not evaluated\. Choose from \[2, 6, 12\]"):
        result().compare("SC", "MS", budget=7)


@pytest.mark.parametrize("budget", [[], [8], "8", None, 8.0, (1, "2"), (1,)])
def test_budgets_of_a_comparison_are_integers(budget):
    evaluation = result()
    a, b = evaluation.strategies[:2]
    with pytest.raises(MssimError, match=r"budget: .* is neither an int nor a pair"):
        evaluation.compare(a, b, budget=budget)


@pytest.mark.parametrize("name", [None, 5, np.array([1, 2]), ["a"]])
def test_strategies_of_a_comparison_are_names(name):
    with pytest.raises(MssimError, match=r"no strategy .* was evaluated"):
        result().compare(name, name, budget=2)


# What an interval is about --------------------------------


@cache
def with_jackknife():
    return evaluate(plain_pool(), ["sc:x", "sc:y,vote=entropy"], [2, 12], n_replays=60, jackknife=True)


def test_the_table_of_these_questions_has_the_jackknife_beside_the_scatter_of_runs():
    evaluation = with_jackknife()
    frame, wide = evaluation.to_frame(scope="these", confidence_level=0.8), evaluation.to_frame(confidence_level=0.8)
    columns = [*COLUMNS]
    columns.insert(columns.index("replay_sd") + 1, "jackknife_error")
    assert frame.columns.tolist() == columns
    assert frame.drop(columns=["low", "high"]).equals(wide.drop(columns=["low", "high"]))
    assert frame["jackknife_error"].tolist() == evaluation.jackknife.error().ravel().tolist()
    low, high = these_interval(
        frame["accuracy"],
        np.hypot(frame["jackknife_error"], frame["mc_error"]),
        evaluation.jackknife.share.ravel(),
        n_questions=30,
        confidence_level=0.8,
    )
    assert frame["low"].tolist() == low.tolist()
    assert frame["high"].tolist() == high.tolist()


def test_these_questions_need_the_jackknife_and_scopes_have_names():
    with pytest.raises(
        MssimError, match=r"scope='these': the jackknife .* not computed\. Evaluate again with jackknife"
    ):
        result().to_frame(scope="these")
    for given in ("this", None, 3):
        with pytest.raises(MssimError, match=r"scope=.* is not valid\. .*Choose from 'questions', 'these'"):
            with_jackknife().to_frame(scope=given)


# Distributions over questions and draws -------------------


def with_spread(evaluation):
    """Add made-up distributions of tokens and latency to one or two strategies; the second is a mixture."""
    n_budgets = evaluation.budgets.size
    plans = [Histogram() for _ in range(3)]
    for at, plan in enumerate(plans):
        for budget in range(n_budgets):
            totals = (at + 1) * (budget + 1) * np.arange(1, 11)
            for quantity in (0, 2):
                place = (quantity * n_budgets + budget) * N_BINS + bin_of(totals)
                plan.add(np.column_stack([place, np.ones(10)]))
    groups = [([1], plans[:1]), ([1, 3], plans[1:])][: len(evaluation.strategies)]
    spread = Spread.from_histograms(groups, n_budgets, units=[1, np.nan, 0.25], n_totals=10)
    return dataclasses.replace(evaluation, spread=spread)


def test_quantiles_and_shares_are_columns_after_the_means():
    evaluation = with_spread(result())
    frame = evaluation.to_frame(quantiles=[0.5, 0.999], latency_exceeds=4.5, tokens_exceed=20)
    added = ["tokens_p50", "tokens_p99.9", "latency_p50", "latency_p99.9", "tokens_exceed", "latency_exceeds"]
    columns = [*COLUMNS]
    columns[columns.index("latency") + 1 : columns.index("method")] = added
    assert frame.columns.tolist() == columns
    pd.testing.assert_frame_equal(frame.drop(columns=added), evaluation.to_frame())
    totals = [k * b * np.arange(1, 11) for k, b in ((1, 1), (1, 2), (1, 3))]
    totals += [b * np.concatenate([2 * np.arange(1, 11), *[3 * np.arange(1, 11)] * 3]) for b in (1, 2, 3)]
    for q, name in ((0.5, "p50"), (0.999, "p99.9")):
        expected = [np.quantile(values, q, method="inverted_cdf") for values in totals]
        assert frame[f"tokens_{name}"].tolist() == expected
        assert frame[f"latency_{name}"].tolist() == [value / 4 for value in expected]
    assert frame["tokens_exceed"].tolist() == pytest.approx([(values > 20).mean() for values in totals])
    assert frame["latency_exceeds"].tolist() == pytest.approx([(values > 18).mean() for values in totals])


def test_quantiles_need_distributions():
    with pytest.raises(
        MssimError, match=r"^quantiles=0\.5: distributions .* not computed\. Evaluate again with quantiles=True\."
    ):
        result().to_frame(quantiles=0.5)
    with pytest.raises(MssimError, match=r"^cost_exceeds: distributions .* not computed\."):
        result().to_frame(cost_exceeds=1)


# Own budgets ----------------------------------------------


def with_own():
    """The evaluation of the other tests, as if SC had been given budgets 2 and 12, and MS budget 6 and 12."""
    evaluation = with_spread(result())
    given = np.array([[True, False, True], [False, True, True]])
    hidden = {
        name: np.where(given[:, :, None], getattr(evaluation, name), np.nan)
        for name in ("accuracy", "samples_used", "agreed", "cost")
    }
    return evaluation, dataclasses.replace(evaluation, **hidden), given


@pytest.mark.parametrize("band", ["pointwise", "simultaneous"])
def test_tables_leave_out_budgets_that_a_strategy_was_not_given(band):
    whole, own, given = with_own()
    assert np.array_equal(own.evaluated, given)
    assert whole.evaluated.all()
    options = {"quantiles": 0.5, "band": band}
    frame, expected = own.to_frame(**options), whole.to_frame(**options)[given.ravel()].reset_index(drop=True)
    limits = ["low", "high"] if band == "simultaneous" else []
    pd.testing.assert_frame_equal(frame.drop(columns=limits), expected.drop(columns=limits))
    assert frame[["strategy", "budget"]].values.tolist() == [["SC", 2], ["SC", 12], ["MS", 6], ["MS", 12]]
    assert frame[["low", "high"]].notna().all(axis=None)
    each = whole.per_question()[np.repeat(given.ravel(), 30)].reset_index(drop=True)
    pd.testing.assert_frame_equal(own.per_question(), each)


def test_comparisons_are_at_budgets_that_both_were_given():
    whole, own, _ = with_own()
    assert own.compare("SC", "MS", budget=12) == whole.compare("SC", "MS", budget=12)
    assert own.compare("SC", "MS", budget=(2, 6)) == whole.compare("SC", "MS", budget=(2, 6))
    with pytest.raises(BudgetError, match=r"SC: budget 6 was not evaluated\. Choose from \[2, 12\]"):
        own.compare("SC", "MS", budget=6)
    assert [one.budget_a for one in own.compare_with("MS")] == [12]
    with pytest.raises(BudgetError, match="MS: budget 2 was not evaluated"):
        own.compare_with("MS", budgets=[2, 12])
    own.accuracy[0, 2] = np.nan
    with pytest.raises(BudgetError, match="SC and MS were evaluated at no common budget"):
        own.compare_with("MS")
