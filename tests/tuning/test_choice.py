"""Choosing: the best candidate within a limit, and folds of questions, against a restatement in plain Python."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError, tune
from mssim.results.differences import mean_difference
from mssim.results.intervals import mean_interval
from mssim.tuning.choice import (
    Means,
    Scores,
    accuracy_noise,
    choose,
    choose_in_runs,
    frontier_of,
    means_on_sets,
    training_sets,
)
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool

STRATEGIES = ["sc:x", "sc:y", "ms:x+y,agreement=0.6,vote=plurality", "ms:z+x", "mix:y+z,vote=entropy"]


# The rules, restated with no speed in mind ---------------------


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def best_within(limit, accuracy, spend, questions, tolerance=0):
    """The most accurate candidate that spends at most the limit on these questions; or None."""
    rows = []
    for c in range(len(accuracy)):
        a, s = mean(accuracy[c][q] for q in questions), mean(spend[c][q] for q in questions)
        if s <= limit + tolerance:
            rows.append((a, s, c))
    if not rows:
        return None
    most = max(a for a, _, _ in rows)
    rows = [row for row in rows if row[0] >= most - tolerance]
    least = min(s for _, s, _ in rows)
    return min(c for _, s, c in rows if s <= least + tolerance)


def questions_without(folds, fold):
    return [q for q in range(len(folds)) if folds[q] != fold]


@st.composite
def outcomes(draw):
    """Accuracy and spend [candidate][question] in quarters, a fold per question, and limits."""
    n_candidates, n_questions = draw(st.integers(1, 6)), draw(st.integers(2, 9))
    n_folds = draw(st.integers(2, n_questions))
    few = st.integers(0, 4).map(lambda n: Fraction(n, 4))
    table = st.lists(
        st.lists(few, min_size=n_questions, max_size=n_questions), min_size=n_candidates, max_size=n_candidates
    )
    rest = draw(st.lists(st.integers(0, n_folds - 1), min_size=n_questions - n_folds, max_size=n_questions - n_folds))
    folds = draw(st.permutations([*range(n_folds), *rest]))
    limits = draw(st.lists(few, min_size=1, max_size=3))
    return draw(table), draw(table), folds, limits


def as_floats(table):
    return np.array(table, dtype=float)


def chosen_of(accuracy, spend, folds, limits, single=()):
    nothing = np.zeros(np.shape(accuracy))
    scores = Scores(as_floats(accuracy), as_floats(spend), nothing, nothing)
    return choose_in_runs([scores], np.array(single, dtype=int), training_sets(np.array(folds)), as_floats(limits))


def exact(accuracy, spend):
    """Means without Monte Carlo errors."""
    return Means(*map(np.asarray, (accuracy, spend)), *np.zeros((2, len(accuracy))))


@given(outcomes(), st.sets(st.integers(0, 5)))
def test_choices_are_the_naive_ones(case, single):
    accuracy, spend, folds, limits = case
    single = sorted(c for c in single if c < len(accuracy))
    found = chosen_of(accuracy, spend, folds, limits, single)
    sets = [*(questions_without(folds, fold) for fold in range(max(folds) + 1)), range(len(folds))]
    for i, limit in enumerate(limits):
        for s, questions in enumerate(sets):
            best = best_within(limit, accuracy, spend, questions)
            assert found.chosen[0, i, s] == (-1 if best is None else best)
            alone = best_within(limit, [accuracy[c] for c in single], [spend[c] for c in single], questions)
            assert found.control[0, i, s] == (-1 if alone is None else single[alone])
            if best is not None:
                assert found.training[0, i, s] == pytest.approx(float(mean(accuracy[best][q] for q in questions)))
        if best is not None:
            assert found.in_sample[0, i].tolist() == [float(a) for a in accuracy[best]]


@given(outcomes(), st.randoms(use_true_random=False))
def test_a_choice_does_not_depend_on_what_is_held_out(case, rng):
    accuracy, spend, folds, limits = case
    before = chosen_of(accuracy, spend, folds, limits)
    fold = rng.randrange(max(folds) + 1)
    for table in (accuracy, spend):
        for row in table:
            for q in range(len(folds)):
                if folds[q] == fold:
                    row[q] = Fraction(rng.randrange(1000), 999)
    after = chosen_of(accuracy, spend, folds, limits)
    assert (after.chosen[:, :, fold] == before.chosen[:, :, fold]).all()


@pytest.mark.slow
@given(outcomes())
def test_the_frontier_is_what_nothing_dominates(case):
    accuracy, spend, _, _ = case
    points = [(mean(s), mean(a)) for s, a in zip(spend, accuracy, strict=True)]
    free = [
        p for p in points if not any(o[0] <= p[0] and o[1] >= p[1] and o != p for o in points)
    ]  # fmt: skip
    expected = sorted(points.index(p) for p in set(free))  # the first of those that are the same
    found, limits = frontier_of(exact(*([float(p[i]) for p in points] for i in (1, 0))))
    assert sorted(found) == expected
    assert all(points[a] < points[b] for a, b in pairwise(found))
    assert limits.tolist() == [float(points[row][0]) for row in found]


def test_what_differs_by_rounding_is_a_tie():
    accuracy = [[0.5], [0.5 + 1e-12], [0.5 + 1e-12]]
    spend = [[1.0 + 1e-12], [1.0], [2.0]]
    found = chosen_of(np.repeat(accuracy, 2, axis=1), np.repeat(spend, 2, axis=1), [0, 1], [1.0, 3.0])
    assert found.chosen.tolist() == [[[0, 0, 0], [0, 0, 0]]]


def test_what_differs_by_more_than_rounding_is_no_tie():
    two, within, beyond = np.array([0.5, 0.5 + 1e-7]), np.array([1.0, 2.0]), np.array([1.0, 1.0 + 1e-7])
    assert choose(exact(two, within), np.array([3.0])).tolist() == [1]  # more accurate, though it costs more
    assert choose(exact(two[::-1], beyond[::-1]), np.array([1.0])).tolist() == [1]  # the other exceeds the limit
    assert choose(exact([0.5, 0.5], beyond[::-1]), np.array([3.0])).tolist() == [1]  # the cheaper one
    assert frontier_of(exact(two, within))[0].tolist() == [0, 1]
    assert frontier_of(exact([0.5, 0.5], beyond))[0].tolist() == [0]


# Monte Carlo errors ----------------------------------------


def test_intervals_that_overlap_are_a_tie_and_the_cheaper_is_chosen():
    for difference, chosen in ((0.0099, 0), (0.0101, 1)):
        means = Means(np.array([0.5, 0.5 + difference]), np.array([1.0, 2.0]), np.array([0.004, 0.006]), np.zeros(2))
        assert choose(means, np.array([3.0])).tolist() == [chosen]
        assert choose(means, np.array([1.5])).tolist() == [0]
    assert choose(exact([0.5, 0.5099], [1.0, 2.0]), np.array([3.0])).tolist() == [1]


def test_what_is_shown_to_be_worse_is_no_tie_with_an_estimate_that_could_be_anything():
    """The third is estimated to be the best, but the first is worse than the second in any case."""
    means = Means(np.array([0.5, 0.51, 0.52]), np.array([1.0, 2.0, 3.0]), np.array([0, 0, 0.1]), np.zeros(3))
    assert choose(means, np.array([1.0, 2.0, 3.0])).tolist() == [0, 1, 1]


def test_spends_within_their_errors_are_equal_and_the_first_is_chosen():
    for error, chosen in ((0.04, 1), (0.06, 0)):
        means = Means(np.array([0.5, 0.5]), np.array([2.1, 2.0]), np.zeros(2), np.array([error, error]))
        assert choose(means, np.array([3.0])).tolist() == [chosen]


def test_the_frontier_has_no_steps_within_the_errors():
    accuracy, spend = np.array([0.5, 0.505, 0.53, 0.531]), np.array([1.0, 2.0, 3.0, 4.0])
    found, limits = frontier_of(Means(accuracy, spend, np.full(4, 0.004), np.zeros(4)))
    assert found.tolist() == [0, 2]
    assert limits.tolist() == [1, 3]


def test_the_limit_from_which_a_candidate_is_chosen_can_be_above_its_spend():
    """The second is chosen only when the third shows that the first is worse."""
    accuracy, spend = np.array([0.5, 0.507, 0.512]), np.array([1.0, 2.0, 3.0])
    means = Means(accuracy, spend, np.full(3, 0.004), np.zeros(3))
    found, limits = frontier_of(means)
    assert (found.tolist(), limits.tolist()) == ([0, 1], [1, 3])
    assert choose(means, limits).tolist() == [0, 1]


def test_monte_carlo_variances_by_hand():
    variance, replays = np.array([[0.25 / 9, 0], [np.nan, np.nan], [0, 0]]), np.array([[10, 20], [1, 1], [0, 0]])
    found = accuracy_noise(variance, replays)
    assert found[0] == pytest.approx([0.25 / 9 + 0.005, 0.5 / 400])
    assert found[1] == pytest.approx([0.75, 0.75])
    assert found[2].tolist() == [0, 0]


def test_intervals_of_all_candidates_cover_at_the_same_time():
    """Half-widths by hand: the normal quantile at 1 - 0.05 / (2 n) for n candidates with an error."""
    scores = Scores(
        np.full((3, 2), 0.5), np.ones((3, 2)), np.array([[1e-4, 3e-4], [4e-4, 0], [0, 0]]), np.zeros((3, 2))
    )
    sets = np.array([[0.5, 0.5], [1.0, 0.0]])
    both, first = means_on_sets(scores, sets)
    assert both.accuracy_error == pytest.approx(np.array([0.01, 0.01, 0]) * 2.241402728)
    assert first.accuracy_error == pytest.approx(np.array([0.01, 0.02, 0]) * 2.241402728)
    (both, _) = means_on_sets(scores, sets, np.array([[True, True], [False, True], [True, True]]))
    assert both.accuracy_error[0] == pytest.approx(0.01 * 1.959963985)
    assert both.spend.tolist() == [1, np.inf, 1]


def test_noise_does_not_buy_more_draws():
    """Half of the samples are right, so any number of draws has the accuracy 0.5, and one is the choice."""
    pool = make_pool({("x", f"q{q}"): list("aaaabbbb") for q in range(20)})
    options = {"limits": 5, "method": "monte_carlo", "n_replays": 50}
    frames = [tune(pool, "sc:x", [1, 3, 5], seed=seed, **options).to_frame() for seed in range(8)]
    assert [frame["budget"][0] for frame in frames] == [1] * 8
    runs = [tune(pool, "sc:x", [1, 3, 5], seed=seed, n_runs=1, **options).to_frame() for seed in range(8)]
    assert {frame["budget"][0] for frame in runs} != {1}  # a study that ran each candidate once chooses by luck


def replayed(rng, chances, spends, n_replays, n_questions=30):
    """Scores of candidates with these accuracies, each from replays of its own, and spends of 1 or 8 samples."""
    right = rng.binomial(n_replays, chances[:, None], (len(chances), n_questions)) / n_replays
    eights = rng.binomial(n_replays, ((spends - 1) / 7)[:, None], right.shape) / n_replays
    used = 1 + 7 * eights
    noise = (8 - used) * (used - 1) / n_replays
    return Scores(right, used, accuracy_noise(right * (1 - right) / (n_replays - 1), np.array(n_replays)), noise)


def test_noise_does_not_decide_between_equal_candidates():
    """Forty candidates with independent draws: the cheapest is chosen, or the first of two that cost the same.

    A choice is wrong only if the highest of 40 estimates exceeds that of the cheapest by both half-widths, 4.6 errors
    of the difference: less than once in 10,000 data sets.
    """
    rng = np.random.default_rng(8)
    chances, spends = np.full(40, 0.6), np.r_[5.0, 3.0, 2.0, 2.0, np.full(36, 4.0)]
    sets = np.full((1, 30), 1 / 30)
    for _ in range(100):
        scores = replayed(rng, chances, spends, 200)
        found = choose_in_runs([scores], np.array([], int), sets, np.array([9.0]))
        assert found.chosen.item() == 2
        assert frontier_of(means_on_sets(scores, sets)[0])[0].size <= 2


def test_a_truly_better_candidate_is_chosen():
    rng = np.random.default_rng(9)
    chances, spends = np.r_[np.full(39, 0.6), 0.7], np.r_[np.full(39, 2.0), 6.0]
    sets = np.full((1, 30), 1 / 30)
    for _ in range(100):
        found = choose_in_runs([replayed(rng, chances, spends, 200)], np.array([], int), sets, np.array([5.0, 9.0]))
        assert found.chosen.ravel().tolist() == [0, 39]


def test_models_with_the_same_samples_and_rules_with_two_names_are_equal():
    """Copies of a model have streams of their own, so that a rule with no closed form differs by noise."""
    answers = {("x", f"q{q}"): list("aaabbc"[q % 3 :] + "aaabbc"[: q % 3]) for q in range(20)}
    pool = make_pool(answers | {("y", question): given for (_, question), given in answers.items()})
    options = {"limits": 6, "n_replays": 40, "n_folds": 2}
    for seed in range(6):
        names = {"second": "sc:y,stop=majority:0.9", "first": "sc:x,stop=majority:0.9"}
        found = tune(pool, names, 4, seed=seed, **options)
        assert (found.accuracy[0] != found.accuracy[1]).any()
        assert (found.spend[0] != found.spend[1]).any()
        assert {found.strategies[i] for i in found.chosen.ravel()} == {"second"}
        assert len(found.frontier()) == 1
        twice = tune(pool, {"a": "sc:x,stop=majority:0.9", "b": "sc:x,stop=majority:0.9"}, 4, seed=seed, **options)
        assert (twice.accuracy[0] == twice.accuracy[1]).all()
        assert set(twice.chosen.ravel()) == {0}


# Folds -----------------------------------------------------


def clustered(n_questions=12, size=3, **columns):
    pool = random_pool(n_questions)
    frame = pool.to_frame()
    number = frame["question_id"].str[1:].astype(int)
    return pool.from_frame(frame.assign(cluster=(number // size).map("c{}".format), topic=number % 2, **columns))


def test_there_are_no_more_folds_than_clusters():
    with pytest.raises(MssimError, match=r"n_folds=5 exceeds the number of questions or clusters, 4\. Use at most 4"):
        tune(clustered(), STRATEGIES, [4], n_folds=5)


def test_the_test_of_the_gain_can_be_chosen():
    found = tune(clustered(), STRATEGIES, [4], clusters="question_id")
    held = [found.accuracy[found.chosen[0, 0, fold], q] for q, fold in enumerate(found.folds)]
    alone = [found.accuracy[found.control[0, 0, fold], q] for q, fold in enumerate(found.folds)]
    for test in ("t", "gaffke"):
        row = found.to_frame(test=test).iloc[0]
        expected = mean_difference(np.subtract(held, alone), method=test, stretch=np.sqrt(1 + 10 / 9))
        assert row[["gain_low", "gain_high", "p_value"]].tolist() == pytest.approx([*expected[1:4]])


def test_clusters_are_taken_from_their_column_and_widen_the_interval():
    default = tune(clustered(), STRATEGIES, [4])
    assert default.chosen.shape[2] - 1 == 4
    assert all(len(set(default.folds[default.clusters == f"c{c}"])) == 1 for c in range(4))
    row = default.to_frame().iloc[0]
    held = [default.accuracy[default.chosen[0, 0, fold], q] for q, fold in enumerate(default.folds)]
    stretch = np.sqrt(1 + 4 / 3)
    expected = mean_interval(held, clusters=default.clusters, stretch=stretch)
    assert (row["low"], row["high"]) == pytest.approx(expected)
    assert (row["low"], row["high"]) != pytest.approx(mean_interval(held, stretch=stretch))
    alone = [default.accuracy[default.control[0, 0, fold], q] for q, fold in enumerate(default.folds)]
    gain = np.subtract(held, alone)
    found = mean_difference(gain, clusters=default.clusters, stretch=stretch)
    assert row["p_value"] == pytest.approx(found.p_value)
    assert row["p_value"] != pytest.approx(mean_difference(gain, method="t", stretch=stretch).p_value)
    assert tune(clustered(), STRATEGIES, [4], clusters="question_id").chosen.shape[2] - 1 == 10
    assert tune(clustered(), STRATEGIES, [4], clusters="topic", n_folds=2).folds.tolist() in ([0, 1] * 6, [1, 0] * 6)
