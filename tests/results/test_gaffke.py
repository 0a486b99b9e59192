"""Gaffke's limit against exact rational arithmetic, Clopper and Pearson, and random weights."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mssim.results.gaffke import lower_limit, probability_below

TAIL = np.array([0.025])
SHARES = st.lists(st.integers(0, 1000), min_size=1, max_size=12, unique=True)


def below_by_partial_fractions(coefficients):
    """P[sum a_i e_i <= 0] for different a_i, from the partial fractions of the characteristic function."""
    a = [Fraction(value) for value in coefficients]
    return 1 - sum(
        prod((one / (one - other) for other in a if other != one), start=Fraction(1)) for one in a if one > 0
    )


def rows(values, weights=None):
    y = np.array([values], dtype=float)
    return y, np.ones_like(y) if weights is None else np.array([weights], dtype=float)


@given(SHARES, st.integers(1, 999))
def test_the_probability_is_that_of_partial_fractions(thousandths, at):
    coefficients = [1000 * x - (1000 * at + 7) for x in thousandths] + [-(1000 * at + 7)]
    if len(set(coefficients)) < len(coefficients):  # a question with x = 0 equals the additional one
        coefficients[-1] -= 1
    pseudo = np.array([-coefficients[-1] / (1000 * at + 7)])
    y, w = rows([x / 1000 for x in thousandths])
    found = probability_below(y, w, pseudo, np.array([at / 1000 + 7e-6]))
    assert np.exp(found[0]) == pytest.approx(float(below_by_partial_fractions(coefficients)), rel=1e-7, abs=1e-300)


@given(st.integers(1, 200), st.integers(0, 200), st.floats(0.001, 0.999))
def test_right_and_wrong_have_the_limits_of_clopper_and_pearson(n, right, level):
    right = min(right, n)
    y, w = rows([1.0] * right + [0.0] * (n - right))
    tail = np.array([(1 - level) / 2])
    interval = stats.binomtest(right, n).proportion_ci(level, "exact")
    assert lower_limit(y, w, np.ones(1), tail) == pytest.approx([interval.low], rel=1e-6)
    assert 1 - lower_limit(w - y, w, np.ones(1), tail) == pytest.approx([interval.high], rel=1e-6)


@pytest.mark.parametrize(
    ("values", "level", "low", "high"),
    [
        ([1] * 39 + [0], 0.95, 0.868414, 0.999367),
        ([1] * 40, 0.95, 0.911903, 1),
        ([1] * 39 + [0.875], 0.95, 0.908864, 0.999921),
        ([1] * 39 + [0.875], 0.8, 0.940915, 0.999671),
        ([1] * 38 + [0.875] * 2, 0.95, 0.905835, 0.999236),
        ([0.2, 0.5, 0.9, 1, 1, 0.7, 0.4, 1, 0.8, 1], 0.95, 0.471849, 0.906294),
    ],
)
def test_known_limits(values, level, low, high):
    y, w = rows(values)
    tail = np.array([(1 - level) / 2])
    assert lower_limit(y, w, np.ones(1), tail)[0] == pytest.approx(low, abs=1e-6)
    assert 1 - lower_limit(w - y, w, np.ones(1), tail)[0] == pytest.approx(high, abs=1e-6)


def test_known_limits_of_sums():
    """With an additional unit of mean weight."""
    y, w = rows([3, 4, 10, 2.5], [5, 4, 12, 9])
    assert lower_limit(y, w, w.mean(axis=1), TAIL)[0] == pytest.approx(0.22624, abs=5e-6)
    assert 1 - lower_limit(w - y, w, w.mean(axis=1), TAIL)[0] == pytest.approx(0.91065, abs=5e-6)


@pytest.mark.parametrize("seed", range(5))
def test_weights_of_many_sizes_are_solved_in_far_tails(seed):
    rng = np.random.default_rng(seed)
    w = rng.lognormal(0, 2, (40, 20))
    y, tail = w * rng.beta(0.5, 0.2, w.shape), np.full(40, 5e-5)
    limit = lower_limit(y, w, w.mean(axis=1), tail)
    assert np.exp(probability_below(y, w, w.mean(axis=1), limit)) == pytest.approx(tail, rel=1e-3)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 9)), min_size=1, max_size=60), st.floats(1e-6, 0.49))
def test_the_limit_has_the_probability_of_its_tail(units, tail):
    y, w = rows([share * size for share, size in units], [size for _, size in units])
    pseudo = w.mean(axis=1)
    limit = lower_limit(y, w, pseudo, np.array([tail]))
    if (y > 1e-12 * w).any():  # below, a share counts as 0
        assert np.exp(probability_below(y, w, pseudo, limit)) == pytest.approx([tail], rel=1e-5)
    else:
        assert limit == 0


def test_the_distribution_is_that_of_random_weights():
    """A million draws: the standard error of each share is at most 0.0005, and 5.1 of them have p < 1e-6."""
    rng = np.random.default_rng(3)
    y, w = rows([3, 4, 10, 2.5], [5, 4, 12, 9])
    pseudo = w.mean(axis=1)
    e = rng.exponential(size=(1_000_000, 5))
    draws = e[:, :4] @ y[0] / (e[:, :4] @ w[0] + e[:, 4] * pseudo)
    for t in (0.2, 0.4, 0.6, 0.8):
        assert np.exp(probability_below(y, w, pseudo, np.array([t])))[0] == pytest.approx(
            (draws <= t).mean(), abs=0.0026
        )


def test_certain_and_impossible_events():
    y, w = rows([0.25, 0.5])
    log_p = probability_below(np.tile(y, (3, 1)), np.tile(w, (3, 1)), np.ones(3), np.array([0.0, 0.5, 1.0]))
    assert log_p.tolist() == [-np.inf, 0, 0]
    y, w = rows([0.0, 0.0])
    assert probability_below(y, w, np.ones(1), np.array([0.0])) == 0


@pytest.mark.parametrize("t", [0.46, 0.5, 0.505, 0.51, 0.54, 0.6, 0.9])
def test_events_far_on_either_side_of_the_mean(t):
    """Values close to 0.5: P[T <= t] is nearly 0 or 1. The sum of both tails is 1."""
    y = 0.5 + 0.02 * np.random.default_rng(0).normal(size=(1, 300)).clip(-2, 2)
    w = np.ones_like(y)
    below = probability_below(y, w, np.ones(1), np.array([t]))
    # With the additional unit of weight 0 and one more question that is wrong, the mirror image is the complement.
    mirrored = np.append(1 - y, [[1.0]], axis=1)
    above = probability_below(mirrored, np.ones_like(mirrored), np.zeros(1), np.array([1 - t]))
    assert np.exp(below) + np.exp(above) == pytest.approx([1], abs=1e-6)


def test_tiny_probabilities_keep_their_digits():
    """All of 200 questions are right: P[T <= t] = t^200."""
    y, w = rows([1.0] * 200)
    assert probability_below(y, w, np.ones(1), np.array([1e-3])) == pytest.approx([200 * np.log(1e-3)], rel=1e-9)


@pytest.mark.parametrize("right", [0, 1, 2, 1500, 2999, 3000])
@pytest.mark.parametrize("tail", [1e-9, 0.005, 0.1, 0.4])
def test_many_questions_of_which_few_differ(right, tail):
    """The hard case: one exponential variable has another scale than the others."""
    y = np.repeat([1.0, 0.0], [right, 3000 - right])[None]
    expected = stats.beta.ppf(tail, right, 3001 - right) if right else 0
    assert lower_limit(y, np.ones_like(y), np.ones(1), np.array([tail])) == pytest.approx([expected], rel=1e-6)


def test_rows_do_not_depend_on_each_other():
    rng = np.random.default_rng(0)
    y = rng.beta(1, 0.3, (5, 30))
    w, pseudo, tail = np.ones_like(y), np.ones(5), np.full(5, 0.025)
    alone = [lower_limit(y[[i]], w[[i]], pseudo[[i]], tail[[i]])[0] for i in range(5)]
    assert lower_limit(y, w, pseudo, tail) == pytest.approx(alone, abs=1e-9)
