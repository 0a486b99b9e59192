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


@pytest.mark.parametrize("total", [3, 16, 512, 1024, pytest.param(5000, marks=pytest.mark.slow)])
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
