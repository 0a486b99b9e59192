"""One model alone: closed forms against rational enumeration and products."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from mssim.simulate import AnswerModel
from mssim.simulate.one_model import coverage, distinct, never_right
from tests.kernels.test_stick_breaking import partitions_of

shares = st.fractions(0, 1, max_denominator=6)


def rising(x, n):
    return math.prod((x + i for i in range(n)), start=Fraction(1))


def outcomes(k, sure, a, b, theta, no_answer):
    """Every (right draws, sizes of wrong classes) of k draws with its chance."""
    for n in range(k + 1):
        answered = math.comb(k, n) * (1 - no_answer) ** n * no_answer ** (k - n)
        yield n, (), answered * sure
        for c in range(n + 1):
            chance = math.comb(n, c) * rising(a, c) * rising(b, n - c) / rising(a + b, n)
            for sizes, split in partitions_of(n - c, theta).items():
                yield c, sizes, answered * (1 - sure) * chance * split


def is_right(c, sizes):
    return Fraction(c > 0 and c >= max(sizes, default=0), 1 + sizes.count(c)) if c else Fraction(0)


positive = st.fractions(Fraction(1, 4), 5, max_denominator=4)


@pytest.mark.slow
@pytest.mark.kernels
@given(st.integers(1, 7), shares, positive, positive, positive, shares)
def test_closed_forms_are_the_sums_over_all_outcomes(k, sure, a, b, theta, no_answer):
    found = list(outcomes(k, sure, a, b, theta, no_answer))
    assert sum(chance for _, _, chance in found) == 1
    model = AnswerModel("x", float(sure), float(a), float(b), float(theta), no_answer=float(no_answer))
    right = sum(chance * is_right(c, sizes) for c, sizes, chance in found)
    assert model.accuracy_at_k("x", k) == pytest.approx(float(right), abs=1e-12)
    for threshold, strict in ((1.0, False), (0.85, True), (0.5, False), (0.3, False)):
        agreed = sum(
            chance
            for c, sizes, chance in found
            if (share := max(c, *sizes, 0) / k) > threshold or (share == threshold and not strict)
        )
        assert model.agreement_at_k("x", k, agreement=threshold, strict=strict) == pytest.approx(
            float(agreed), abs=1e-12
        )
    law, draws = model.law("x"), np.array([k])
    some = sum(chance for c, _, chance in found if c)
    assert coverage(law, draws) == pytest.approx([float(some)], abs=1e-12)
    different = sum(chance * ((c > 0) + len(sizes)) for c, sizes, chance in found)
    assert distinct(law, draws) == pytest.approx([float(different)], abs=1e-9)
    answered = (1 - sure) * rising(b, k) / rising(a + b, k)  # none correct, given that all have an answer
    assert never_right(law, np.array([0, k])) == pytest.approx([1, float(answered)], abs=1e-12)


@pytest.mark.parametrize(("a", "b", "theta"), [(0.4, 0.8, 0.3), (2.0, 1.0, 12.0), (0.05, 3.0, 1.7)])
def test_unanimity_of_hundreds_of_draws(a, b, theta):
    """All right, or all wrong and alike: a product that needs no partition."""
    k = np.array([1, 2, 31, 512, 1024])
    alike = special.gammaln(k) + special.gammaln(theta + 1) - special.gammaln(theta + k)
    all_right = special.betaln(a + k, b) - special.betaln(a, b)
    all_wrong = special.betaln(a, b + k) - special.betaln(a, b) + alike
    expected = 0.2 + 0.8 * (np.exp(all_right) + np.exp(all_wrong))
    model = AnswerModel("x", 0.2, a, b, theta)
    assert model.agreement_at_k("x", k) == pytest.approx(expected, rel=1e-9)


def test_majorities_of_hundreds_of_draws():
    """With need > k / 2 the events of two classes exclude each other: expected numbers of classes are chances."""
    k, need, theta, a, b = 200, 171, 0.7, 0.3, 0.6
    c = np.arange(k + 1)
    chance = stats.betabinom.pmf(c, k, a, b)
    agreed = chance[need:].sum()
    for m in range(need, k + 1):
        j = np.arange(need, m + 1)
        ways = special.gammaln([m + 1, theta + m])[:, None] - special.gammaln([m - j + 1, theta + m - j])
        agreed += chance[k - m] * (np.exp(ways[0] - ways[1]) * theta / j).sum()
    model = AnswerModel("x", 0.0, a, b, theta)
    assert model.agreement_at_k("x", k, agreement=0.85, strict=True) == pytest.approx(agreed, rel=1e-9)


def test_extremes():
    k = [1, 2, 16, 512]
    assert AnswerModel("x", 1, 1, 1, 1).accuracy_at_k("x", k).tolist() == [1, 1, 1, 1]
    assert AnswerModel("x", 1, 1, 1, 1, no_answer=1).accuracy_at_k("x", k).tolist() == [0, 0, 0, 0]
    assert AnswerModel("x", 1, 1, 1, 1, no_answer=1).agreement_at_k("x", k).tolist() == [0, 0, 0, 0]
    assert AnswerModel("x", 0, 1, 1, 2).agreement_at_k("x", k, agreement=0).tolist() == [1, 1, 1, 1]
    assert AnswerModel("x", 0, 1, 1, 2).agreement_at_k("x", k, agreement=1, strict=True).tolist() == [0, 0, 0, 0]
    # Wrong answers that never agree lose to two right ones, those that always do make a fair contest.
    scattered, alike = AnswerModel("x", 0, 1, 1, 1e6), AnswerModel("x", 0, 1, 1, 1e-6)
    assert scattered.accuracy_at_k("x", 512) > 0.99
    assert alike.accuracy_at_k("x", [2, 32, 1024]) == pytest.approx([0.5, 0.5, 0.5], abs=1e-5)
    assert np.isfinite(AnswerModel("x", 0, 1e-6, 1e6, 1e6, no_answer=0.5).accuracy_at_k("x", [3, 256])).all()


@given(shares, positive, positive, positive)
def test_curves_have_their_shapes(sure, a, b, theta):
    model = AnswerModel("x", *map(float, (sure, a, b, theta)))
    one, two = model.accuracy_at_k("x", [1, 2])
    assert one == pytest.approx(float(sure + (1 - sure) * a / (a + b)))
    assert two == pytest.approx(one)  # ties go to the first answer, so the second draw decides nothing
    agreed = model.agreement_at_k("x", [1, 2, 3, 5, 9, 40])
    assert agreed[0] == 1
    assert (np.diff(agreed) <= 1e-12).all()
    assert agreed[-1] >= sure - 1e-12
    assert model.agreement_at_k("x", 8, agreement=0.85, strict=True) >= model.agreement_at_k("x", 8)
