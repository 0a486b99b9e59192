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
from mssim.tuning.choice import Scores, choose, choose_in_runs, noise_on_sets, training_sets, undominated
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
    scores = Scores(as_floats(accuracy), as_floats(spend), np.zeros(len(accuracy), int))
    return choose_in_runs([scores], np.array(single, dtype=int), training_sets(np.array(folds)), as_floats(limits))


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
    found = undominated(*(np.array([float(p[i]) for p in points]) for i in (1, 0)))
    assert sorted(found) == expected
    assert all(points[a] < points[b] for a, b in pairwise(found))


def test_what_differs_by_rounding_is_a_tie():
    accuracy = [[0.5], [0.5 + 1e-12], [0.5 + 1e-12]]
    spend = [[1.0 + 1e-12], [1.0], [2.0]]
    found = chosen_of(np.repeat(accuracy, 2, axis=1), np.repeat(spend, 2, axis=1), [0, 1], [1.0, 3.0])
    assert found.chosen.tolist() == [[[0, 0, 0], [0, 0, 0]]]


def test_what_differs_by_more_than_rounding_is_no_tie():
    two, within, beyond = np.array([0.5, 0.5 + 1e-7]), np.array([1.0, 2.0]), np.array([1.0, 1.0 + 1e-7])
    assert choose(two, within, np.array([3.0])).tolist() == [1]  # more accurate, though it costs more
    assert choose(two[::-1], beyond[::-1], np.array([1.0])).tolist() == [1]  # the other one exceeds the limit
    assert choose(np.array([0.5, 0.5]), beyond[::-1], np.array([3.0])).tolist() == [1]  # the cheaper one
    assert undominated(two, within).tolist() == [0, 1]
    assert undominated(np.array([0.5, 0.5]), beyond).tolist() == [0]


@pytest.mark.parametrize(("errors", "chosen"), [(1.9, 0), (2.1, 1)])
def test_what_differs_by_up_to_two_monte_carlo_errors_goes_to_the_cheaper(errors, chosen):
    noise = np.array([9e-6, 16e-6])  # the error of the difference is 0.005
    accuracy, spend = np.array([0.5, 0.5 + 0.005 * errors]), np.array([1.0, 2.0])
    assert choose(accuracy, spend, np.array([3.0]), noise).tolist() == [chosen]
    assert choose(accuracy, spend, np.array([3.0]), np.zeros(2)).tolist() == [1]


def test_monte_carlo_variances_by_hand():
    accuracy, sets = np.array([[0.5, 0.2], [0.5, 1.0], [0.4, 0.4]]), np.array([[1.0, 0.0], [0.5, 0.5]])
    found = noise_on_sets(accuracy, np.array([11, 101, 0]), sets)
    assert found == pytest.approx(np.array([[0.025, 0.01025], [0.0025, 0.000625], [0, 0]]))


def test_noise_does_not_buy_more_draws():
    """Half of the samples are right, so any number of draws has the accuracy 0.5, and one is the choice."""
    pool = make_pool({("x", f"q{q}"): list("aaaabbbb") for q in range(20)})
    options = {"limits": 5, "method": "monte_carlo", "n_replays": 50}
    frames = [tune(pool, "sc:x", [1, 3, 5], seed=seed, **options).to_frame() for seed in range(8)]
    assert [frame["budget"][0] for frame in frames] == [1] * 8
    runs = [tune(pool, "sc:x", [1, 3, 5], seed=seed, n_runs=1, **options).to_frame() for seed in range(8)]
    assert {frame["budget"][0] for frame in runs} != {1}  # a study that ran each candidate once chooses by luck


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
