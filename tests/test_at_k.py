"""pass@k, maj@k and agreement@k against enumeration, rational arithmetic, SciPy's distributions and identities."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mssim import (
    MssimError,
    agreement_at_k,
    g_pass_at_k,
    maj_at_k,
    mg_pass_at_k,
    pass_at_k,
    pass_hat_k,
)
from tests import naive

SMALL = st.lists(st.integers(0, 4), min_size=1, max_size=4)


def draws_of(counts, no_answer, k, replacement):
    """The votes of every ordered draw of k samples."""
    samples = [c for c, n in enumerate(counts) for _ in range(n)] + [None] * no_answer
    orders = itertools.product(samples, repeat=k) if replacement else itertools.permutations(samples, k)
    for order in orders:
        yield [order.count(c) for c in range(len(counts))]


def mean(values):
    values = list(values)
    return Fraction(sum(values), len(values))


def right_share(votes, right, ties):
    tied = [c for c, n in enumerate(votes) if n == max(votes) > 0]
    if ties == "wrong":
        return Fraction(bool(tied) and set(tied) <= right)
    return Fraction(sum(c in right for c in tied), max(len(tied), 1))


@pytest.mark.slow
@given(SMALL, st.integers(0, 2), st.sets(st.integers(0, 3)), st.sampled_from(["random", "wrong"]), st.booleans())
def test_maj_at_k_is_the_mean_over_all_draws(counts, no_answer, right, ties, replacement):
    assume(sum(counts) + no_answer > 0)
    right = {c for c in right if c < len(counts)}
    most = min(sum(counts) + no_answer, 4)
    ks = np.arange(1, most + 1)
    found = maj_at_k(counts, ks, correct=sorted(right), ties=ties, replacement=replacement, no_answer=no_answer)
    for k in ks:
        expected = mean(right_share(votes, right, ties) for votes in draws_of(counts, no_answer, int(k), replacement))
        assert found[k - 1] == pytest.approx(float(expected), abs=1e-12)


@given(SMALL, st.integers(0, 2), st.sampled_from([0.0, 0.3, 0.5, 2 / 3, 0.75, 1.0, 1.2]), st.booleans(), st.booleans())
def test_agreement_at_k_is_the_mean_over_all_draws(counts, no_answer, threshold, strict, replacement):
    assume(sum(counts) + no_answer > 0)
    ks = np.arange(1, min(sum(counts) + no_answer, 4) + 1)
    options = {"replacement": replacement, "no_answer": no_answer}
    found = agreement_at_k(counts, ks, agreement=threshold, strict=strict, **options)
    for k in ks:

        def agrees(votes, k=k):
            return max(votes) / k > threshold if strict else max(votes) / k >= threshold

        expected = mean(agrees(votes) for votes in draws_of(counts, no_answer, int(k), replacement))
        assert found[k - 1] == pytest.approx(float(expected), abs=1e-12)


LARGE = [
    ([200, 180, 100, 20, 5, 2, 1], 4, {0}),
    ([180, 180, 152], 0, {1}),
    ([400, 380, 150, 60], 34, {1, 3}),
    ([250, 240, 240, 200, 50, 4], 40, {0}),
]


@pytest.mark.slow
@pytest.mark.parametrize("ties", ["random", "wrong"])
@pytest.mark.parametrize(("counts", "no_answer", "right"), LARGE)
def test_maj_at_k_is_precise_in_rational_arithmetic(counts, no_answer, right, ties):
    total = sum(counts) + no_answer
    assert total in (512, 1024)
    found = maj_at_k(counts, np.arange(1, total + 1), correct=sorted(right), ties=ties, no_answer=no_answer)
    for k in (1, 2, 63, 64, 65, 130):
        assert abs(Fraction(found[k - 1]) - naive.maj_at_k(counts, k, right, ties, no_answer)) < 1e-12
    assert found[-1] == pytest.approx(float(right_share(counts, right, ties)), abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("counts", "k"), [([180, 180, 152], 505), ([340, 342, 342], 520), ([340, 342, 342], 1000)])
def test_maj_at_k_is_precise_to_the_pool_size(counts, k):
    assert abs(Fraction(maj_at_k(counts, k)) - naive.maj_at_k(counts, k, {0})) < 1e-12


@pytest.mark.parametrize("total", [3, 16, 512, 1024, 5000])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.52, 0.93])
def test_binary_maj_at_k_is_hypergeometric(total, share):
    right = round(share * total)
    k = np.unique(np.geomspace(1, total, 60).astype(int))
    more, equal = stats.hypergeom(total, right, k).sf(k // 2), stats.hypergeom(total, right, k).pmf(k / 2)
    expected = more + equal / 2 * (k % 2 == 0)
    assert maj_at_k([right, total - right], k) == pytest.approx(expected, abs=1e-11)
    assert maj_at_k([right, total - right], k, ties="wrong") == pytest.approx(more, abs=1e-11)


@pytest.mark.parametrize("k", [1, 2, 17, 64, 301, 1024])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.52, 0.93])
def test_binary_maj_at_k_with_replacement_is_binomial(k, share):
    right = round(share * 100)
    law = stats.binom(k, right / 100)
    expected = law.sf(k // 2) + (law.pmf(k // 2) / 2 if k % 2 == 0 else 0)
    assert maj_at_k([right, 100 - right], k, replacement=True) == pytest.approx(expected, abs=1e-11)


@given(st.integers(0, 40), st.integers(0, 40))
def test_an_even_number_of_binary_votes_is_as_good_as_one_fewer(right, wrong):
    assume(right + wrong >= 2)
    found = maj_at_k([right, wrong], np.arange(1, right + wrong + 1))
    n = found.size // 2
    assert found[1 : 2 * n : 2] == pytest.approx(found[0 : 2 * n : 2], abs=1e-12)
    if right > wrong:
        assert (np.diff(found[::2]) >= -1e-12).all()  # Condorcet: more votes help a majority
    elif right < wrong:
        assert (np.diff(found[::2]) <= 1e-12).all()


@given(st.lists(st.integers(0, 9), min_size=2, max_size=6), st.integers(0, 5), st.randoms())
def test_two_votes_are_one_and_names_of_classes_do_not_matter(counts, no_answer, rng):
    assume(sum(counts) >= 2)
    ks = np.arange(1, sum(counts) + 1)
    found = maj_at_k(counts, ks)
    assert found[1] == pytest.approx(found[0], abs=1e-12)
    others = counts[1:]
    rng.shuffle(others)
    shuffled = maj_at_k([*others, counts[0], 0], ks, correct=[len(others)], no_answer=no_answer)
    assert no_answer or shuffled == pytest.approx(found, abs=1e-12)
    every = maj_at_k(counts, ks, correct=range(len(counts)), no_answer=no_answer)
    assert every == pytest.approx(agreement_at_k(counts, ks, agreement=0, strict=True, no_answer=no_answer), abs=1e-12)
    assert (maj_at_k(counts, ks, ties="wrong") <= found + 1e-12).all()


@given(st.integers(1, 60), st.data())
def test_pass_at_k_is_the_product_form_and_monotone(n, data):
    c = data.draw(st.integers(0, n))
    ks = np.arange(1, n + 1)
    found = pass_at_k(n, c, ks)
    for k in ks:
        product = 1.0 if n - c < k else 1.0 - float(np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))
        assert found[k - 1] == pytest.approx(product, abs=1e-12)
        assert abs(Fraction(found[k - 1]) - (1 - Fraction(math.comb(n - c, int(k)), math.comb(n, int(k))))) < 1e-13
    assert (np.diff(found) >= 0).all()
    assert c == n or (pass_at_k(n, c + 1, ks) >= found).all()


def test_pass_at_k_of_large_pools():
    for n, c in ((512, 1), (1024, 30), (1024, 1023)):
        ks = np.arange(1, n + 1)
        exact = np.array([float(1 - Fraction(math.comb(n - c, int(k)), math.comb(n, int(k)))) for k in ks])
        assert pass_at_k(n, c, ks) == pytest.approx(exact, abs=1e-12)


# pass^k, G-Pass@k and mG-Pass@k ---------------------------


def share_of_draws(n, c, k, enough):
    """Mean of a function of the right draws over all sets of k of n samples, in whole numbers."""
    ways = [math.comb(c, j) * math.comb(n - c, k - j) for j in range(k + 1)]
    return sum(Fraction(enough(j)) * way for j, way in enumerate(ways)) / math.comb(n, k)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (pass_hat_k(8, 6, 3), 0.357143),
        (pass_hat_k(16, 12, 8), 0.038462),
        (g_pass_at_k(8, 6, 4, 0.75), 0.785714),
        (g_pass_at_k(8, 6, 4, 1), 0.214286),
        (mg_pass_at_k(8, 6, 4), 0.5),
        (g_pass_at_k(16, 10, 8, 0.75), 0.304196),
        (g_pass_at_k(16, 10, 8, 1.0), 0.003497),
        (mg_pass_at_k(16, 10, 8), 0.265734),
    ],
)
def test_reliability_of_known_counts(found, expected):
    assert found == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("n", range(1, 8))
def test_reliability_is_the_mean_over_all_draws(n):
    for c in range(n + 1):
        samples = [i < c for i in range(n)]
        for k in range(1, n + 1):
            right = [sum(drawn) for drawn in itertools.combinations(samples, k)]
            assert pass_hat_k(n, c, k) == pytest.approx(float(mean(j == k for j in right)), rel=1e-13)
            of_tau = {
                tau: float(mean(j >= math.ceil(Fraction(tau) * k) for j in right)) for tau in ("0.1", "0.5", "0.7")
            }
            for tau, expected in of_tau.items():
                assert g_pass_at_k(n, c, k, float(tau)) == pytest.approx(expected, rel=1e-13)
            above = range(math.ceil(Fraction(k, 2)) + 1, k + 1)
            expected = Fraction(2, k) * sum(mean(j >= i for j in right) for i in above)
            assert mg_pass_at_k(n, c, k) == pytest.approx(float(expected), rel=1e-13)


@given(st.integers(1, 60), st.data())
def test_reliability_lies_between_its_extremes(n, data):
    c = data.draw(st.integers(0, n))
    ks = np.arange(1, n + 1)
    every, some = pass_hat_k(n, c, ks), pass_at_k(n, c, ks)
    assert every == pytest.approx([math.comb(c, int(k)) / math.comb(n, int(k)) for k in ks], rel=1e-13)
    assert np.array_equal(g_pass_at_k(n, c, ks, 1.0), every)
    assert g_pass_at_k(n, c, ks, 1e-9) == pytest.approx(some, abs=1e-13)
    assert [g_pass_at_k(n, c, int(k), 1 / k) for k in ks] == pytest.approx(some.tolist(), abs=1e-13)
    assert (np.diff(every) <= 0).all()
    assert (every <= maj_at_k([c, n - c], ks) + 1e-12).all()
    assert every == pytest.approx(1 - pass_at_k(n, n - c, ks), abs=1e-12)
    tau = np.sort(data.draw(st.lists(st.floats(0.01, 1), min_size=2, max_size=4)))
    by_tau = np.array([g_pass_at_k(n, c, ks, t) for t in [0.001, *tau, 1.0]])
    assert (np.diff(by_tau, axis=0) <= 1e-13).all()
    mean_above = mg_pass_at_k(n, c, ks)
    assert (mean_above <= g_pass_at_k(n, c, ks, 0.5 + 1e-6) + 1e-13).all()
    assert (mean_above >= every * (1 - ks % 2 / ks) - 1e-13).all()
    if c < n:
        for function in (pass_hat_k, mg_pass_at_k):
            assert (function(n, c + 1, ks) >= function(n, c, ks) - 1e-13).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("c", "k"), [(32766, 32766), (32700, 400), (16384, 16384), (20000, 1200), (3000, 9000), (1, 32767), (31000, 5400)]
)
def test_reliability_of_large_pools_has_a_small_relative_error(c, k):
    n = 32767
    low, high = max(0, k - (n - c)), min(c, k)
    way, ways = math.comb(c, low) * math.comb(n - c, k - low), {}
    for j in range(low, high + 1):
        ways[j] = way
        way = way * (c - j) * (k - j) // ((j + 1) * max(n - c - k + j + 1, 1))
    whole = math.comb(n, k)
    assert sum(ways.values()) == whole
    for tau in ("0.05", "0.5", "0.75", "0.9", "0.99", "1"):
        exact = sum(way for j, way in ways.items() if j >= Fraction(tau) * k) / whole
        found = g_pass_at_k(n, c, k, float(tau))
        assert found == pytest.approx(exact, rel=1e-11, abs=0) if exact > 1e-290 else found < 1e-289
    exact = 2 * sum(way * max(j - (k + 1) // 2, 0) for j, way in ways.items()) / (k * whole)
    found = mg_pass_at_k(n, c, k)
    assert found == pytest.approx(exact, rel=1e-11, abs=0) if exact > 1e-290 else found < 1e-289


def test_a_mean_over_thresholds_is_the_sum_of_the_paper():
    for n, c in ((16, 10), (64, 3), (64, 48), (64, 64)):
        for k in (1, 2, 3, 8, 15, 16):
            terms = [g_pass_at_k(n, c, k, i / k) for i in range(math.ceil(0.5 * k) + 1, k + 1)]
            assert mg_pass_at_k(n, c, k) == pytest.approx(2 / k * sum(terms), rel=1e-13)


def test_shapes_follow_counts_and_k():
    counts = np.arange(1, 25).reshape(2, 3, 4)
    assert maj_at_k(counts, 5).shape == (2, 3)
    assert maj_at_k(counts, [5]).shape == (2, 3, 1)
    assert maj_at_k(counts, [7, 2, 2]).shape == (2, 3, 3)
    assert agreement_at_k(counts, [2, 3]).shape == (2, 3, 2)
    assert pass_at_k([10, 12], [[1], [2], [3]], [1, 2, 3, 4]).shape == (3, 2, 4)
    for function in (pass_hat_k, mg_pass_at_k, lambda n, c, k: g_pass_at_k(n, c, k, 0.6)):
        assert function([10, 12], [[1], [2], [3]], [1, 2, 3, 4]).shape == (3, 2, 4)
        assert function([10, 12], 1, 2).shape == (2,)
        assert function(np.zeros(0, int), 0, [1, 2]).shape == (0, 2)
        assert isinstance(function(10, 2, 1), float)
        assert np.isnan(function([3, 4, 0], [3, 4, 0], 4)).tolist() == [True, False, True]
        alone = [[function(n, c, k) for k in (4, 1)] for n, c in ((10, 4), (12, 9))]
        assert np.array_equal(function([10, 12], [4, 9], [4, 1]), alone)
    assert np.shape(pass_at_k(10, 2, 1)) == np.shape(maj_at_k([3, 2], 1)) == np.shape(agreement_at_k([3, 2], 1)) == ()
    assert isinstance(maj_at_k([3, 2], 1), float)
    assert isinstance(pass_at_k(10, 2, 1), float)
    assert maj_at_k(np.zeros((0, 3), int), [1, 2]).shape == (0, 2)
    many = np.random.default_rng(0).integers(0, 9, (150, 5))
    many[:, 0] += 1
    found = maj_at_k(many, [3, 1, 40], no_answer=2)
    alone = [maj_at_k(row, [3, 1, 40], no_answer=2) for row in many]
    assert np.array_equal(found, alone, equal_nan=True)
    mask = np.arange(5) == np.arange(150)[:, None] % 5
    assert maj_at_k(many, 3, correct=mask)[7] == maj_at_k(many[7], 3, correct=[2])
    assert maj_at_k([3, 2], 1, correct=[]) == 0
    assert maj_at_k([3, 2], 1, correct=1) == pytest.approx(0.4)


def test_more_than_was_recorded_is_not_a_number():
    assert np.isnan(maj_at_k([[2, 1], [3, 1]], 4)).tolist() == [True, False]
    assert np.isnan(maj_at_k([2, 1], 4, no_answer=1)).item() is False
    assert np.isnan(maj_at_k([2, 1], [4, 5])).all()
    assert np.isnan(pass_at_k([3, 4], 1, 4)).tolist() == [True, False]
    assert np.isnan(agreement_at_k([[2, 1], [3, 1]], 4)).tolist() == [True, False]
    assert np.isnan([maj_at_k([0, 0], 1), pass_at_k(0, 0, 1), agreement_at_k([0], 1)]).all()
    assert np.isnan([maj_at_k([0, 0], 1, replacement=True), agreement_at_k([0], 1, replacement=True)]).all()
    assert maj_at_k([2, 1], 5, replacement=True) > 2 / 3


def test_nothing_but_samples_without_an_answer_is_wrong_and_does_not_agree():
    assert maj_at_k([0, 0], [1, 2], no_answer=3).tolist() == [0, 0]
    assert agreement_at_k([0, 0], [1, 2], no_answer=3).tolist() == [0, 0]
    assert agreement_at_k([0, 0], [1, 2], agreement=0, no_answer=3).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: maj_at_k([1.5, 2], 1), "counts=[1.5, 2] is not valid. Use non-negative integers"),
        (lambda: maj_at_k([-1, 2], 1), "counts=[-1, 2] is not valid. Use non-negative integers"),
        (lambda: maj_at_k([[1], [1, 2]], 1), "Use non-negative integers"),
        (lambda: maj_at_k(3, 1), "counts=3 has no classes. Use an array of shape (..., n_classes)"),
        (lambda: maj_at_k([], 1), "counts=[] is not valid. Use"),
        (lambda: maj_at_k([2, 1], 0), "k=0 is not valid. Use an integer from 1"),
        (lambda: maj_at_k([2, 1], []), "k=[] is not valid. Use"),
        (lambda: maj_at_k([2, 1], [[1]]), "k=[[1]] is not valid. Use an integer from 1"),
        (lambda: maj_at_k([2, 1], 2.0), "k=2.0 is not valid. Use non-negative integers"),
        (lambda: maj_at_k([2, 1], True), "k=True is not valid. Use non-negative integers"),
        (lambda: maj_at_k([2, 1], 10**6, replacement=True), "k=1000000 is not valid. Use an integer from 1 to 32767"),
        (lambda: maj_at_k([2, 1], 1, ties="frist"), "ties='frist' is not valid. Did you mean 'first'"),
        (lambda: maj_at_k([2, 1], 1, correct=[2]), "correct=[2] is not valid. Use indices of classes from 0 to 1"),
        (lambda: maj_at_k([2, 1], 1, correct=[-1]), "correct=[-1] is not valid. Use indices of classes from 0 to 1"),
        (lambda: maj_at_k([2, 1], 1, correct=["a"]), "correct=['a'] is not valid. Use indices of classes"),
        (lambda: maj_at_k([2, 1], 1, correct=[True, False, True]), "correct: shape (3,) does not broadcast to (2,)"),
        (lambda: maj_at_k([2, 1], 1, replacement=1), "replacement=1 is not a bool. Use True or False"),
        (
            lambda: maj_at_k([[2, 1]], 1, no_answer=[1, 2]),
            "no_answer: shape (2,) does not broadcast to (1,). Use one number",
        ),
        (lambda: agreement_at_k([2, 1], 1, agreement=-0.5), "agreement=-0.5 must be a number of at least 0"),
        (lambda: agreement_at_k([2, 1], 1, agreement=math.nan), "agreement=nan must be a number of at least 0"),
        (lambda: agreement_at_k([2, 1], 1, strict="no"), "strict='no' is not a bool"),
        (lambda: pass_at_k(3, 4, 1), "c: 4 correct samples exceed n=3. Use values of c from 0 to n"),
        (lambda: pass_at_k([3, 3], [1, 2, 3], 1), "n, c: shapes (2,) and (3,) do not broadcast"),
        (lambda: pass_at_k(3, 1, 0), "k=0 is not valid. Use an integer from 1"),
        (lambda: pass_hat_k(3, 4, 1), "c: 4 correct samples exceed n=3. Use values of c from 0 to n"),
        (lambda: mg_pass_at_k([3, 3], [1, 2, 3], 1), "n, c: shapes (2,) and (3,) do not broadcast"),
        (lambda: pass_hat_k(3, 1, 0), "k=0 is not valid. Use an integer from 1"),
        (lambda: g_pass_at_k(3, 1, 2, 0), "tau=0 is not a share of right samples. Use a number above 0 and at most 1:"),
        (lambda: g_pass_at_k(3, 1, 2, 1.01), "1 requires all k samples to be right, and 1/k or less requires one"),
        (lambda: g_pass_at_k(3, 1, 2, [0.5, 1]), "tau=[0.5, 1] is not a share of right samples"),
        (lambda: pass_at_k("3", 1, 1), "n='3' is not valid. Use non-negative integers"),
    ],
)
def test_what_makes_no_sense_is_refused(call, says):
    with pytest.raises(MssimError) as error:
        call()
    assert says in str(error.value)
