"""Intervals and tests over questions, against SciPy, brute force, and their own promise of coverage."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mssim import MssimError
from mssim.results.intervals import cluster_labels, mean_interval, sign_flip_p_value, standard_error

VALUES = st.lists(st.floats(0, 1), min_size=2, max_size=30)


@given(VALUES)
def test_standard_error_is_that_of_the_mean(values):
    assert standard_error(values) == pytest.approx(stats.sem(values), abs=1e-12)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), min_size=2, max_size=30))
def test_clustered_standard_error_by_hand(rows):
    mean = sum(x for x, _ in rows) / len(rows)
    names = {g for _, g in rows}
    total = sum(sum(x - mean for x, g in rows if g == name) ** 2 for name in names)
    error = standard_error([x for x, _ in rows], [g for _, g in rows])
    if len(names) < 2:
        assert np.isnan(error)
    else:
        assert error == pytest.approx(np.sqrt(len(names) / (len(names) - 1) * total) / len(rows), abs=1e-12)


def test_clusters_of_one_question_each_change_nothing():
    values = np.random.default_rng(0).random((3, 2, 20))
    assert standard_error(values, np.arange(20)) == pytest.approx(standard_error(values))
    assert standard_error(values).shape == (3, 2)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_the_interval_of_a_difference_is_students(level):
    values = np.random.default_rng(0).normal(size=15)
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert mean_interval(values, confidence_level=level, bounded=False) == pytest.approx(tuple(expected))


def test_the_interval_of_many_shares_is_students_too():
    values = np.random.default_rng(0).random(200)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx(tuple(expected))


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (3, 10), (1, 200), (100, 200), (200, 200)])
def test_the_interval_of_right_and_wrong_is_wilsons(right, n):
    interval = mean_interval(np.repeat([1.0, 0.0], [right, n - right]))
    # se^2 divides by n - 1 and Wilson's interval by n: the effective number of questions is n - 1 unless all agree.
    assert interval == pytest.approx(wilson(right / n, n - 1 if 0 < right < n else n, stats.t.ppf(0.975, n - 1)))


def test_wilsons_formula_is_scipys():
    for right, n in ((0, 10), (3, 10), (199, 200)):
        assert wilson(right / n, n, stats.norm.ppf(0.975)) == pytest.approx(
            tuple(stats.binomtest(right, n).proportion_ci(0.95, "wilson"))
        )


def wilson(p, n, quantile):
    """The two solutions of |x - p| = quantile sqrt(x (1 - x) / n) for the true share x."""
    return tuple(sorted(np.roots([1 + quantile**2 / n, -(2 * p + quantile**2 / n), p**2])))


@pytest.mark.parametrize(("q", "a", "b"), [(19, 20, 20), (100, 30, 1)])
def test_smooth_values_keep_their_narrow_interval_however_few_they_are(q, a, b):
    values = np.random.default_rng(14).beta(a, b, (200, q))
    low, high = mean_interval(values)
    t_low, t_high = mean_interval(values, bounded=False)
    assert ((high - low) / (t_high - t_low)).mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("rare", [lambda x: x, lambda x: 1 - x], ids=["right", "wrong"])
@pytest.mark.parametrize(("expected", "is_t"), [(3.5, False), (9.5, False), (10, True), (10.5, True)])
def test_the_interval_is_students_from_ten_expected_outcomes_of_either_kind(rare, expected, is_t):
    """Shares of 256 questions that add up to `expected`, without rounding; none is 0 or 1."""
    values = rare(np.tile([0.5, 1.5], 128) * expected / 256)
    t = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    mean = values.mean()
    independent = mean * (1 - mean) / stats.sem(values) ** 2
    other = wilson(mean, independent, stats.t.ppf(0.975, 255))
    assert abs(t.low - other[0]) > 1e-5
    assert mean_interval(values) == pytest.approx(tuple(t) if is_t else other, abs=1e-9)


def test_limits_beyond_0_and_1_are_cut():
    values = np.array([0.0] * 15 + [0.9] * 3 + [0.999] * 8)  # not binary, and more than ten of either kind
    low, high = mean_interval(values, confidence_level=1 - 1e-9, bounded=False)
    assert low < 0
    assert high > 1
    assert mean_interval(values, confidence_level=1 - 1e-9) == (0, 1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_an_interval_of_shares_holds_the_mean_and_stays_between_0_and_1(values):
    low, high = mean_interval(values)
    assert 0 <= low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= high <= 1


def test_intervals_are_vectorised():
    values = np.random.default_rng(1).random((2, 3, 30)) ** 9
    values[0, 0] = 1.0
    lows, highs = mean_interval(values, clusters=np.arange(30) // 3)
    for i, j in itertools.product(range(2), range(3)):
        assert (lows[i, j], highs[i, j]) == pytest.approx(mean_interval(values[i, j], clusters=np.arange(30) // 3))


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, float("nan")])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(MssimError, match="is not between 0 and 1"):
        mean_interval([0.5, 0.6], confidence_level=level)


N_WORLDS = 4000
# A count of covered worlds that is binomial with p = .95 strays by five standard deviations once in a million seeds.
SLACK = 5 * np.sqrt(0.95 * 0.05 / N_WORLDS)


def test_coverage_of_independent_questions():
    rng = np.random.default_rng(11)
    low, high = mean_interval(rng.beta(0.6, 0.4, (N_WORLDS, 60)))
    covered = np.mean((low <= 0.6) & (high >= 0.6))
    assert abs(covered - 0.95) < SLACK + 0.01  # the t interval is approximate for skew values: a point is granted


@pytest.mark.parametrize(("share", "n"), [(0.5, 12), (0.9, 30), (0.97, 100)])
def test_coverage_of_few_binary_outcomes(share, n):
    rng = np.random.default_rng(12)
    low, high = mean_interval((rng.random((N_WORLDS, n)) < share).astype(float))
    covered = np.mean((low <= share) & (share <= high))
    assert 0.93 - SLACK < covered < 0.99 + SLACK  # Wilson's interval oscillates in this range


@pytest.mark.parametrize(("n_clusters", "size", "mean"), [(3, 5, 0.5), (5, 50, 0.9), (4, 200, 0.8)])
def test_coverage_of_few_clusters_of_binary_outcomes(n_clusters, size, mean):
    rng = np.random.default_rng(15)
    chance = rng.beta(4 * mean, 4 * (1 - mean), (N_WORLDS, n_clusters)).repeat(size, axis=1)
    low, high = mean_interval(
        (rng.random(chance.shape) < chance).astype(float), clusters=np.arange(n_clusters).repeat(size)
    )
    assert np.mean((low <= mean) & (mean <= high)) > 0.9


def test_coverage_of_clustered_questions_needs_the_clusters():
    rng = np.random.default_rng(13)
    common = rng.random((N_WORLDS, 30)).repeat(10, axis=1)  # 30 problems in ten languages each
    values = 0.8 * common + 0.2 * rng.random((N_WORLDS, 300))
    clusters = np.repeat(np.arange(30), 10)
    for labels, expected in ((clusters, True), (None, False)):
        low, high = mean_interval(values, clusters=labels)
        covered = np.mean((low <= 0.5) & (high >= 0.5))
        assert (abs(covered - 0.95) < SLACK + 0.01) == expected
    assert covered < 0.6


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_with_few_questions_the_p_value_counts_all_sign_patterns(differences):
    total = abs(sum(differences))
    patterns = list(itertools.product([-1, 1], repeat=len(differences)))
    extreme = sum(abs(sum(s * d for s, d in zip(signs, differences, strict=True))) >= total for signs in patterns)
    assert sign_flip_p_value(differences) == pytest.approx(min(1, extreme / len(patterns)))


def test_sums_that_only_rounding_tells_apart_are_equal():
    differences = [-0.3, -0.1, 0.1, 0.3]  # 0 but for rounding
    assert 0 < abs(sum(differences)) < 1e-15
    assert sign_flip_p_value(differences) == 1.0


def test_signs_of_a_cluster_flip_together():
    differences = [1.0, 1.0, -1.0, 1.0, 1.0, 1.0]
    assert sign_flip_p_value(differences, clusters=list("aabbcc")) == 0.5  # |2 + 0 + 2| in half of the patterns
    assert sign_flip_p_value(differences, clusters=["one"] * 6) == 1.0


def test_the_random_p_value_follows_the_plus_one_rule_and_its_seed():
    assert sign_flip_p_value(np.ones(60), n_resamples=999) == pytest.approx(2 / 1000)
    values = np.random.default_rng(3).normal(0.1, 1, 100)
    assert sign_flip_p_value(values, seed=1) == sign_flip_p_value(values, seed=1)
    assert sign_flip_p_value(values, seed=1) != sign_flip_p_value(values, seed=2)
    assert sign_flip_p_value(values) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.03)


@pytest.mark.parametrize("n", [9, 20, 1000])
def test_the_p_value_is_scipys(n):
    differences = np.random.default_rng(n).normal(0.1, 1, n)
    wanted = stats.permutation_test(
        (differences, np.zeros(n)),
        lambda one, other, axis: (one - other).sum(axis=axis),
        permutation_type="samples",
        n_resamples=2500,
        batch=2_000_000 // n,
        rng=np.random.default_rng(7),
    )
    assert sign_flip_p_value(differences, n_resamples=2500, seed=7) == pytest.approx(wanted.pvalue)


@pytest.mark.parametrize(
    ("differences", "options", "message"),
    [
        ([1.0, np.nan], {}, "differences: not finite numbers"),
        ([1.0, np.inf], {}, "differences: not finite numbers"),
        ([[1.0, 2.0]], {}, "one per question"),
        ([], {}, "one per question"),
        ([1.0, 2.0], {"clusters": ["a"]}, "clusters: 1 labels for 2 questions. Pass one per question"),
        ([1.0, 2.0], {"n_resamples": 0}, "n_resamples=0 is out of range"),
        ([1.0, 2.0], {"seed": -1}, "seed=-1 is out of range"),
    ],
)
def test_p_values_of_what_is_no_comparison_are_refused(differences, options, message):
    with pytest.raises(MssimError, match=message):
        sign_flip_p_value(differences, **options)


def test_nothing_to_tell_apart_has_p_value_1():
    assert sign_flip_p_value([0.7]) == sign_flip_p_value([0.7], n_resamples=1) == 1.0
    assert sign_flip_p_value([0.0, 0.0]) == sign_flip_p_value(np.zeros(40), n_resamples=99) == 1.0


def test_rows_of_values_have_the_intervals_of_each_alone():
    values = np.random.default_rng(5).beta(0.2, [[0.01], [0.2], [4.0]], (3, 40))  # some means near 0 and 1
    low, high = mean_interval(values)
    assert [mean_interval(row) for row in values] == list(zip(low, high, strict=True))


def test_clusters_that_are_not_one_per_question_are_refused():
    for statistic in (standard_error, mean_interval):
        with pytest.raises(MssimError, match="clusters: 2 labels for 3 questions"):
            statistic([1.0, 0.0, 1.0], clusters=["a", "b"])


def test_p_values_are_uniform_when_nothing_differs():
    rng = np.random.default_rng(4)
    found = [sign_flip_p_value(rng.normal(size=40), n_resamples=199, seed=i) for i in range(300)]
    assert stats.kstest(found, "uniform").pvalue > 1e-6


def test_shares_that_are_all_alike_have_no_width():
    for share, n in ((0.3, 5), (0.3, 400), (0.5, 2)):
        assert mean_interval([share] * n) == pytest.approx((share, share))


def test_without_two_clusters_there_is_no_standard_error_and_the_interval_is_that_of_one_question():
    values = np.array([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0]])
    error = standard_error(values, ["one"] * 3)
    assert error.shape == (2,)
    assert np.isnan(error).all()
    low, high = mean_interval(values, clusters=["one"] * 3)
    for i, share in enumerate((0.5, 1.0)):
        assert (low[i], high[i]) == pytest.approx(wilson(share, 1, stats.t.ppf(0.975, 1)))


def test_ten_thousand_sign_patterns_are_drawn_unless_told_otherwise():
    assert sign_flip_p_value(np.ones(60)) == pytest.approx(2 / 10_000)


def test_clusters_are_a_column_of_the_questions():
    questions = pd.DataFrame({"question_id": ["q1", "q2"], "topic": [1, 2]})
    assert cluster_labels(questions) is None
    assert cluster_labels(questions, "topic").tolist() == ["1", "2"]
    with_clusters = questions.assign(cluster=["a", "b"])
    assert cluster_labels(with_clusters).tolist() == ["a", "b"]
    assert cluster_labels(with_clusters, "question_id") is None
    with pytest.raises(MssimError, match=r"clusters: no column 'topics'\. Did you mean 'topic'"):
        cluster_labels(questions, "topics")
    with pytest.raises(MssimError, match="clusters: question 'q2' has no value in column 'topic'"):
        cluster_labels(questions.assign(topic=["a", None]), "topic")


# Differences that are all equal ---------------------------------------------------------------------------------------


def newcombe(n, ones, others):
    """Newcombe's interval of the difference of two shares of n, by hand."""
    quantile = stats.t.ppf(0.975, n - 1)
    (low_1, high_1), (low_2, high_2) = wilson(ones, n, quantile), wilson(others, n, quantile)
    difference = ones - others
    return (
        difference - np.hypot(ones - low_1, high_2 - others),
        difference + np.hypot(high_1 - ones, others - low_2),
    )


@pytest.mark.parametrize("n", [2, 12, 80])
@pytest.mark.parametrize(
    ("difference", "ones", "others"), [(0, 1, 1), (0, 0, 0), (1, 1, 0), (-1, 0, 1), (0.25, 1, 0.75)]
)
def test_equal_differences_have_newcombes_interval(n, difference, ones, others):
    low, high = mean_interval([difference] * n, bounded=False)
    assert (low, high) == pytest.approx(newcombe(n, ones, others), abs=1e-9)


def test_equal_differences_up_to_rounding_and_in_several_rows():
    values = np.full((3, 20), 0.1)
    values[0] += 1e-13 * np.arange(20) / 20
    values[1] *= -1
    values[2, 0] = 0.2
    low, high = mean_interval(values, bounded=False)
    assert (low[0], high[0]) == pytest.approx((-high[1], -low[1]))
    assert low[0] < 0 < 0.1 < high[0]
    assert (low[2], high[2]) == pytest.approx(tuple(stats.ttest_1samp(values[2], 0).confidence_interval(0.95)))


def test_equal_differences_of_clusters_count_clusters():
    ten, few = mean_interval([0.0] * 10, bounded=False), mean_interval([0.0] * 10, bounded=False, clusters=[0, 1] * 5)
    assert few[1] > ten[1]
    assert few == pytest.approx(mean_interval([0.0] * 2, bounded=False))


def test_other_quantities_have_no_interval_of_shares():
    assert mean_interval([3.0] * 5, bounded=False) == (3, 3)
    assert np.isnan(mean_interval([np.nan] * 5, bounded=False)).all()


@pytest.mark.parametrize("clusters", [[None, "a"], [["a"], ["b"]], [["a"], ["b", "c"]], "ab", []])
def test_clusters_that_are_not_one_label_each(clusters):
    with pytest.raises(MssimError, match="clusters: "):
        mean_interval([0.0, 1.0], clusters=clusters)


@pytest.mark.parametrize("column", [5, ["cluster"], {"a": 1}, b"cluster"])
def test_a_column_of_clusters_is_named_by_text(column):
    with pytest.raises(MssimError, match="is not the name of a column"):
        cluster_labels(pd.DataFrame({"question_id": ["q"]}), column)


def test_labels_that_are_no_text_are_refused():
    with pytest.raises(MssimError, match="'bytes' cannot be written as text"):
        cluster_labels(
            pd.DataFrame({"question_id": ["q"], "bytes": [b"\xff"]}).astype({"bytes": "large_binary[pyarrow]"}), "bytes"
        )


def test_labels_of_clusters_are_compared_without_white_space():
    questions = pd.DataFrame({"question_id": ["q", "r", "s"], "cluster": ["a", "a ", "b"]})
    assert cluster_labels(questions).tolist() == ["a", "a", "b"]
