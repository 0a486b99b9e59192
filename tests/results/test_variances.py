"""Variance components: exact numbers, unbiasedness by enumeration, and the interval of the variance of a pilot."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mssim import MssimError
from mssim.results.variances import Measured, PairedQuestions, Variances
from tests.paired import Law

ROWS = [[1, 1, 0, 1], [0, 0, 0, 1], [1, 1, 1, 1], [0, 1, 0, 0]]


def components(pilot):
    """Estimates before negative ones are replaced: between, covariance within clusters, cluster size."""
    return pilot._components()


def test_the_split_of_a_matrix():
    runs = Measured.from_samples(ROWS)
    assert (float(runs.within.mean()), runs.between) == (0.1875, 0.09375)
    assert runs.standard_error**2 == pytest.approx(0.03515625)
    assert runs.mean.tolist() == [0.75, 0.25, 1, 0.25]


@given(st.lists(st.lists(st.integers(0, 1), min_size=5, max_size=5), min_size=2, max_size=8))
def test_counts_are_the_matrix_of_zeros_and_ones(rows):
    matrix, counts = Measured.from_samples(rows), Measured.from_counts(np.sum(rows, axis=1), 5)
    assert counts.mean == pytest.approx(matrix.mean)
    assert counts.within == pytest.approx(matrix.within)
    assert counts.between == pytest.approx(matrix.between)


def test_questions_may_have_different_numbers_of_runs():
    counts = Measured.from_counts([1, 2, 4], [2, 3, 4])
    assert counts.within.tolist() == pytest.approx([0.5, 1 / 3, 0])
    means, errors = [0.5, 2 / 3, 1], [0.25, 1 / 9, 0]
    assert counts.between == pytest.approx(np.var(means, ddof=1) - np.mean(errors))


def test_without_clusters_between_is_the_variance_minus_the_noise():
    rng = np.random.default_rng(0)
    a, b = (Measured.from_samples(rng.integers(0, 2, size=(9, n))) for n in (3, 5))
    noise = a.within / 3 + b.within / 5
    expected = np.var(a.mean - b.mean, ddof=1) - noise.mean()
    assert components(PairedQuestions.from_runs(a, b)) == pytest.approx((expected, 0, 1))


@pytest.mark.slow
def test_the_components_are_unbiased():
    """All draws of two questions of two types with two runs of each strategy, in fractions."""
    types = [(Fraction(1, 4), Fraction(1, 2)), (Fraction(3, 4), Fraction(1, 4))]
    mean = between = within = total = Fraction(0)
    for (p, q), (r, s) in itertools.product(types, repeat=2):
        for bits in itertools.product([0, 1], repeat=8):
            chances = [p, p, q, q, r, r, s, s]
            weight = Fraction(1, 4)
            for bit, chance in zip(bits, chances, strict=True):
                weight *= chance if bit else 1 - chance
            a, b = Measured.from_samples([bits[:2], bits[4:6]]), Measured.from_samples([bits[2:4], bits[6:]])
            pilot = PairedQuestions.from_runs(a, b)
            total += weight
            mean += weight * Fraction(float(pilot.difference.mean()))
            between += weight * Fraction(components(pilot)[0])
            within += weight * Fraction(float(pilot.within_a.mean()))
    differences = [p - q for p, q in types]
    assert total == 1
    assert mean == sum(differences) / 2 == Fraction(1, 8)
    assert between == sum(d**2 for d in differences) / 2 - mean**2 == Fraction(9, 64)
    assert within == Fraction(3, 16)


def test_the_components_of_clusters_are_unbiased():
    """Clusters of one to three questions with a common part of +-0.2 and own parts of +-0.1, all cases."""
    labels = np.array(["x", "y", "y", "z", "z", "z"])
    codes = np.array([0, 1, 1, 2, 2, 2])
    found = []
    for common in itertools.product([-0.2, 0.2], repeat=3):
        for own in itertools.product([-0.1, 0.1], repeat=6):
            d = 0.3 + np.array(common)[codes] + np.array(own)
            found.append(components(PairedQuestions(d, d**2, np.full(6, 0.1), np.full(6, 0.1), labels)))
    between, covariance, size = np.mean(found, axis=0)
    assert between == pytest.approx(0.2**2 + 0.1**2)
    assert covariance == pytest.approx(0.2**2)
    assert size == pytest.approx((1 + 4 + 9) / 6)


@given(st.integers(1, 5), st.integers(2, 6), st.floats(0, 1), st.integers(1, 9))
def test_the_design_effect_is_the_variance_of_the_mean(size, n_clusters, correlation, runs):
    """The variance of the mean from the covariance matrix of all questions."""
    variances = Variances(0.2, 0.1, 0.15, cluster_size=size, cluster_correlation=correlation)
    block = np.full((size, size), correlation * 0.2) + np.eye(size) * (0.2 * (1 - correlation) + 0.25 / runs)
    matrix = np.kron(np.eye(n_clusters), block)
    n = size * n_clusters
    assert variances.of_mean(runs) / n == pytest.approx(matrix.sum() / n**2)
    rho = block[0, -1] / block[0, 0] if size > 1 else 0
    assert variances.design_effect(runs) == pytest.approx(1 + (size - 1) * rho)
    assert variances.of_mean([runs, runs + 1]).shape == (2,)


def test_a_negative_variance_between_questions_is_replaced_and_named():
    """Two equal strategies: differences are noise, here less than expected."""
    runs = Measured.from_counts([4] * 10, 8)
    pilot = PairedQuestions.from_runs(runs, runs)
    assert components(pilot)[0] < 0
    assert pilot.truncated
    variances = pilot.variances()
    assert (variances.between, variances.cluster_correlation) == (0, 0)
    assert variances.within_a == variances.within_b == 0.25  # the estimate is 2/7
    assert not PairedQuestions.from_runs(runs, Measured.from_counts([0, 8] * 5, 8)).truncated


def test_estimates_outside_the_possible_range_are_replaced():
    """Differences of opposite signs in each cluster have a negative covariance; rounding can make within negative."""
    d = np.array([0.5, -0.5] * 4)
    tiny = np.full(8, -1e-17)
    variances = PairedQuestions(d, d**2, tiny, np.full(8, 0.3), np.repeat(np.arange(4), 2)).variances()
    assert (variances.cluster_size, variances.cluster_correlation) == (2, 0)
    assert (variances.within_a, variances.within_b) == (0, 0.25)
    assert variances.of_mean() == variances.of_question() == variances.between + 0.25
    d = np.array([1.0, -1.0] * 2)
    assert PairedQuestions(d, d**2, d * 0, d * 0).variances().between == 1  # the estimate is 4/3


def test_clusters_of_one_question_are_no_clusters():
    rng = np.random.default_rng(2)
    a, b = (Measured.from_samples(rng.integers(0, 2, size=(30, 4))) for _ in range(2))
    alone = PairedQuestions.from_runs(a, b)
    labelled = PairedQuestions.from_runs(a, b, clusters=[f"c{i}" for i in range(30)])
    assert labelled.variances() == alone.variances()
    assert labelled.variance_range(2) == alone.variance_range(2)


def test_the_range_is_by_chi_square_with_the_jackknifes_degrees_of_freedom():
    law = Law((0.2, 0.1), (0.1, 0.1), 0.8)  # few questions differ
    rng = np.random.default_rng(3)
    p, q = law.draw(rng, 60)
    pilot = PairedQuestions.from_runs(*(Measured.from_counts(rng.binomial(9, one), 9) for one in (p, q)))

    def estimate(kept):
        part = PairedQuestions(*(x[kept] for x in (pilot.difference, pilot.square, pilot.within_a, pilot.within_b)))
        return part.variances().of_question(4)

    every = np.arange(60)
    v, left_out = estimate(every), [estimate(every[every != i]) for i in every]
    df = 2 * v**2 / (59 / 60 * np.sum((left_out - np.mean(left_out)) ** 2))
    assert df < 59
    expected = v * df / stats.chi2.ppf([0.95, 0.05], df)
    assert pilot.variance_range(4, confidence_level=0.9) == pytest.approx(expected)


def test_the_degrees_of_freedom_are_those_of_normal_differences_at_most():
    """Differences of +-0.2 have a variance without error; 24 degrees of freedom remain."""
    d = 0.2 * np.array([-1.0, 1.0] * 12 + [1.0])
    pilot = PairedQuestions(d, d**2, d * 0, d * 0)
    expected = np.var(d, ddof=1) * 24 / stats.chi2.ppf([0.975, 0.025], 24)
    assert pilot.variance_range(1) == pytest.approx(expected)


def test_the_range_of_clusters_leaves_out_clusters():
    """Ten copies of each question in a cluster say no more than the question."""
    rng = np.random.default_rng(4)
    d = rng.normal(0.05, 0.2, size=40).clip(-1, 1)
    none = np.zeros_like(d)
    alone = PairedQuestions(d, d**2, none, none)
    copied = PairedQuestions(*(np.repeat(x, 10) for x in (d, d**2, none, none)), np.repeat(np.arange(40), 10))
    assert copied.variances().cluster_correlation == pytest.approx(1)
    assert copied.variances().cluster_size == pytest.approx(10)
    assert np.array(copied.variance_range(1)) / 10 == pytest.approx(alone.variance_range(1), rel=1e-9)


def test_a_small_pilot_has_a_wide_range_that_ends_at_one():
    law = Law((1, 0.5), (1, 0.6), 0)
    rng = np.random.default_rng(5)

    def ratio(n):
        runs = (Measured.from_counts(rng.binomial(8, p), 8) for p in law.draw(rng, n))
        low, high = PairedQuestions.from_runs(*runs).variance_range(2)
        return high / low

    assert ratio(20) > 3 > 1.6 > ratio(500)
    rare = np.array([1.0] + [0.0] * 9)
    assert PairedQuestions(rare, rare, rare * 0, rare * 0).variance_range(1)[1] == 1


@pytest.mark.slow
def test_the_range_covers():
    """300 pilots of 50 questions: with a coverage of 93 % or more, at most one seed in 10^6 fails."""
    law = Law((1, 0.5), (1, 0.6), 0.3)
    rng = np.random.default_rng(6)
    true = law.between + sum(law.within) / 4
    covered = 0
    for _ in range(300):
        runs = (Measured.from_counts(rng.binomial(8, p), 8) for p in law.draw(rng, 50))
        low, high = PairedQuestions.from_runs(*runs).variance_range(4)
        covered += low <= true <= high
    assert stats.binom.cdf(covered, 300, 0.93) > 1e-6


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Variances(1.5, 0.1, 0.1), "between=1.5 is out of range. Use a number from 0 to 1."),
        (lambda: Variances(0.1, 0.3, 0.1), "within_a=0.3 is out of range. Use a number from 0 to 0.25."),
        (lambda: Variances(0.1, 0.1, "x"), "within_b='x' is out of range"),
        (lambda: Variances(0.1, 0.1, float("nan")), "within_b=nan is out of range"),
        (lambda: Variances(0.1, 0.1, 0.1, 0.5), "cluster_size=0.5 is out of range. Use a finite number from 1."),
        (lambda: Variances(0.1, 0.1, 0.1, np.inf), "cluster_size=inf is out of range"),
        (lambda: Variances(0.1, 0.1, 0.1, 2, -0.1), "cluster_correlation=-0.1 is out of range"),
        (lambda: Variances(0, 0, 0), "between, within_a, within_b: all are 0"),
        (lambda: PairedQuestions(*np.zeros((4, 5))).variances(), "pilot: both strategies have the same difference in"),
        (lambda: Measured.from_samples([[1], [0]]), "values: shape (2, 1) is not valid"),
        (lambda: Measured.from_samples([[1, 2], [0, 0]]), "values are not between 0 and 1"),
        (lambda: Measured.from_counts([1, 2], [1, 2]), "correct, n_runs: out of range. Use at least two runs"),
        (lambda: Measured.from_counts([1, 5], [4, 4]), "correct, n_runs: out of range"),
        (lambda: Measured.from_counts([0.5, 1], 4), "correct: not one integer per question"),
        (
            lambda: PairedQuestions.from_runs(Measured.from_samples(ROWS), Measured.from_samples(ROWS[:2])),
            "b: 2 questions, but a has 4. Pass the same questions for both.",
        ),
        (
            lambda: PairedQuestions.from_runs(*[Measured.from_samples(ROWS)] * 2, clusters=["a"]),
            "clusters: 1 labels for 4 questions",
        ),
        (
            lambda: PairedQuestions.from_runs(*[Measured.from_samples(ROWS)] * 2, clusters=["a"] * 4),
            "clusters: a pilot needs at least two independent questions or clusters",
        ),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(MssimError) as caught:
        call()
    assert says in str(caught.value)
