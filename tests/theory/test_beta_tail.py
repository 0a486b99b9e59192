"""The law of hard questions: probabilities in fractions, likelihoods by SciPy."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from mssim.theory import beta_tail
from mssim.theory.beta_tail import FEW, ZeroInflatedBeta, fit_tail


def all_wrong(a, b, k):
    """E (1 - p)^k for p ~ beta(a, b), in fractions."""
    return prod((b + j) / (a + b + j) for j in range(k))


@pytest.mark.parametrize(("k", "expected"), [(1, 0.25), (10, 0.663624), (100, 0.887861)])
def test_pass_at_k_of_a_beta_law(k, expected):
    assert ZeroInflatedBeta(0.5, 1.5).pass_at_k(k) == pytest.approx(expected, abs=5e-7)
    exact = 1 - all_wrong(Fraction(1, 2), Fraction(3, 2), k)
    assert ZeroInflatedBeta(0.5, 1.5, 0.2).pass_at_k(k) == pytest.approx(float(Fraction(4, 5) * exact), rel=1e-12)


def test_a_question_without_a_correct_sample_among_ten():
    assert ZeroInflatedBeta(0.5, 1.5).solved_later(10, 110) == pytest.approx(0.681962, abs=5e-7)
    after_ten = ZeroInflatedBeta(0.5, 11.5).pass_at_k(100)  # the posterior law
    assert ZeroInflatedBeta(0.5, 1.5).solved_later(10, 110) == pytest.approx(float(after_ten), rel=1e-12)


positive = st.floats(0.05, 30)


@given(positive, positive, st.floats(0, 0.9), st.integers(1, 50), st.integers(0, 500))
def test_solving_now_or_later_is_solving(a, b, hopeless, n, more):
    law = ZeroInflatedBeta(a, b, hopeless)
    now = law.pass_at_k(n)
    assert now + (1 - now) * law.solved_later(n, n + more) == pytest.approx(float(law.pass_at_k(n + more)), abs=1e-9)


def log_likelihood(n, c, a, b, hopeless):
    """The log-likelihood of counts given that they are at most FEW, by SciPy."""
    kept = c <= FEW
    n, c = n[kept], c[kept]
    few = hopeless + (1 - hopeless) * stats.betabinom.cdf(np.minimum(FEW, n), n, a, b)
    chance = hopeless * (c == 0) + (1 - hopeless) * stats.betabinom.pmf(c, n, a, b)
    return np.log(chance / few).sum()


def drawn(n_questions=200, seed=3):
    rng = np.random.default_rng(seed)
    n = rng.choice([24, 48], n_questions)
    p = np.where(rng.random(n_questions) < 0.5, rng.beta(0.6, 12, n_questions), rng.beta(20, 5, n_questions))
    return n, rng.binomial(n, p * (rng.random(n_questions) > 0.15))


@pytest.mark.slow
def test_the_best_laws_of_the_grid_are_near_the_best_of_all():
    n, c = drawn()
    tail = fit_tail(n, c, np.ones((1, n.size)))
    laws = {"inflated": tail.inflated, "plain": tail.plain}
    best = {}
    for name, law in laws.items():
        a, b, h = (float(np.squeeze(x)) for x in (law.a, law.b, law.hopeless))
        found = log_likelihood(n, c, a, b, h)

        def loss(x, name=name):
            return -log_likelihood(n, c, *np.exp(x[:2]), x[2] if name == "inflated" else 0.0)

        bounds = [(-4, 3), (-2.3, 7.2), (0, 0.99)]
        done = optimize.minimize(loss, [np.log(a), np.log(b), h], bounds=bounds, method="Nelder-Mead")
        assert 0 <= -done.fun - found < 0.1
        best[name] = found
        fitted = ZeroInflatedBeta(*np.exp(done.x[:2]), done.x[2] if name == "inflated" else 0.0)
        assert law.solved_later(24, 200)[0] == pytest.approx(float(fitted.solved_later(24, 200)), abs=0.03)
    gain = best["inflated"] - best["plain"]
    assert tail.weight[0] == pytest.approx(1 / (1 + np.exp(gain - 1)), rel=1e-6)
    assert gain > 0


@pytest.mark.slow
def test_no_other_node_of_the_grid_is_better():
    n, c = drawn(60)
    tail = fit_tail(n, c, np.ones((1, n.size)))
    found = log_likelihood(n, c, tail.inflated.a[0], tail.inflated.b[0], tail.inflated.hopeless[0])
    rng = np.random.default_rng(0)
    scales = beta_tail._scales(n)
    for _ in range(150):
        a, b, share = rng.choice(beta_tail._SHAPES), rng.choice(scales), rng.choice(beta_tail._HOPELESS)
        below = stats.betabinom.cdf(FEW, int(np.median(n)), a, b)
        assert log_likelihood(n, c, a, b, share * below / (1 - share + share * below)) <= found + 1e-9


def test_easy_questions_do_not_matter():
    n, c = drawn()
    moved = np.where(c > FEW, n, c)
    one, other = (fit_tail(n, x, np.ones((1, n.size))) for x in (c, moved))
    assert (one.inflated.a, one.inflated.b, one.weight) == (other.inflated.a, other.inflated.b, other.weight)


def test_weights_are_repetitions():
    n, c = drawn(50)
    times = np.random.default_rng(1).integers(0, 4, (3, 50))
    together = fit_tail(n, c, times.astype(float))
    for i, row in enumerate(times):
        # The reference size of the grid is the median of all questions, which repetitions keep.
        alone = fit_tail(n, c, row[None].astype(float))
        repeated = np.repeat(np.arange(50), row)
        assert log_likelihood(n[repeated], c[repeated], together.plain.a[i], together.plain.b[i], 0.0) == pytest.approx(
            log_likelihood(n[repeated], c[repeated], alone.plain.a[0], alone.plain.b[0], 0.0), rel=1e-12
        )
        assert together.inflated.hopeless[i] == alone.inflated.hopeless[0]


def test_without_hard_questions_nothing_is_learnt():
    tail = fit_tail(np.full(3, 16), np.array([16, 9, 12]), np.ones((2, 3)))
    assert tail.weight == pytest.approx([1 / (1 + np.exp(-1))] * 2)
