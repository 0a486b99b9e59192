"""Corners of the kernels that few pools reach."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mssim import Mixture, Pool, SelfConsistency, StrategyError, Vote, agreement_at_k, evaluate
from mssim.engine.exact import grid_of, tie_rule
from mssim.kernels import allocation
from mssim.kernels import exact_plurality as kernel
from mssim.kernels.tally import RANDOM
from mssim.rules.agreement import NEVER
from tests import naive
from tests.conftest import make_pool, replay
from tests.rules.test_catalogue import deep_pool

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize(("n", "rate"), [(0, 0.4), (7, 0.4), (40, 0.9), (2500, 0.4), (3000, 0.6)])
@pytest.mark.parametrize("replacement", [False, True])
def test_ballots_are_binomial_or_poisson_even_where_the_first_weight_underflows(n, rate, replacement):
    for size in (3, 50, 1200):
        found = np.full(size, np.nan)
        kernel.ballots(found, n, rate, replacement)
        law = stats.poisson(n * rate) if replacement else stats.binom(n, rate)
        assert found == pytest.approx(law.pmf(np.arange(size)), rel=1e-9, abs=1e-290)


@pytest.mark.parametrize(("n", "total", "draws"), [(5, 1000, 100), (500, 1000, 100), (990, 1000, 400), (9, 9, 9)])
def test_what_is_left_out_is_rare(n, total, draws):
    most = kernel.most_votes(n, total, draws, True)
    assert stats.binom(draws, n / total).sf(most) < 1.1e-20
    for votes in (0, 1, draws // 2):
        k = kernel.most_draws(n, total, votes, draws)
        assert votes <= k <= draws
        if k < draws:
            assert stats.binom(k + 1, n / total).cdf(votes) < 1.1e-20


@pytest.mark.parametrize("replacement", [False, True])
def test_one_rate_serves_draws_until_their_weights_would_underflow(replacement):
    first, last = 1, kernel._last_of_block(4000, 1, 3900, replacement)
    assert first < last < 3900
    rate = (first + last + 1) / (2 * 4001)
    law = stats.poisson(4000 * rate) if replacement else stats.binom(4000, rate)
    assert law.logpmf([first, last]).min() > -600


def test_a_stage_of_fewer_samples_than_others_is_unknown_beyond_them():
    """`evaluate` refuses such budgets; the kernel leaves them open and keeps to its arrays."""
    votes = np.array([[2, 0, 4, 1], [1, 1, 3, 2]])  # of two questions, the first with two samples of each model
    counts = kernel.Counts(votes, np.zeros((2, 2), np.int64), np.array([0, 2, 4]), np.array([True, False] * 2), False)
    grid = grid_of((4, 3), (1.0, 1.0))
    found = kernel.plurality(counts, grid, np.array([NEVER, NEVER]), tie_rule(RANDOM, grid, 2))
    assert np.isfinite(found[0, :3, :3]).all()
    assert np.isnan(found[0, 3:]).all()
    assert np.isnan(found[0, :, 3]).all()
    assert np.isfinite(found[1]).all()


def test_where_fewer_samples_were_recorded_agreement_is_unknown():
    found = agreement_at_k([[3, 1], [1, 0], [0, 0]], [1, 3], agreement=0.6)
    assert found == pytest.approx(np.array([[1, 1], [1, np.nan], [np.nan, np.nan]]), nan_ok=True)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 299_999)), min_size=1, max_size=12))
def test_the_lowest_of_many_marks_is_found(steps):
    words, above, top = np.zeros(4688, np.uint64), np.zeros(74, np.uint64), np.zeros(2, np.uint64)
    marked = set()
    for adds, level in steps:
        if adds or level not in marked:
            allocation._mark(level, words, above, top)
            marked.add(level)
        else:
            allocation._unmark(level, words, above, top)
            marked.discard(level)
        if marked:
            assert allocation._least(words, above, top) == min(marked)
    for level in sorted(marked):
        assert allocation._least(words, above, top) == level
        allocation._unmark(level, words, above, top)
    assert not top.any()


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("m", [1, 3, 5000])
def test_the_best_of_thousands_among_more_samples_than_a_word_has_bits(m, replacement):
    """With m = 1 all classes with as many votes tie; with 5000 the chance of half of the draws is beyond a double."""
    frame = deep_pool(1, 24).to_frame()
    pool = Pool.from_frame(frame.assign(answer=frame["answer"].fillna("z")))
    rule = Mixture(["x", "y", "z"], Vote.majority_of_bests(m))
    budgets = [3, 8, 20, 60]
    result = replay(pool, rule, budgets, n_replays=6, replacement=replacement)
    for i, budget in enumerate(budgets):
        hits, _ = naive.evaluate(pool, rule, budget, n_replays=6, replacement=replacement)
        assert (np.rint(result.accuracy[0, i] * 6) == hits).all()


def test_a_function_that_scores_other_answers_than_there_are_is_refused():
    """When it is tried before the work it is given three classes; here the question has two."""

    def three(counts, prior):  # noqa: ARG001
        return np.ones(3)

    pool = make_pool({("x", "q"): list("aabb")})
    with pytest.raises(StrategyError, match=r"Vote\.own: calling the function failed: it must return one number per"):
        evaluate(pool, SelfConsistency("x", Vote.own(three)), 4, n_replays=4)


@numba.njit
def likelihood(counts, prior):
    """The logarithm of a product of votes: minus infinity for an answer that some model never gave."""
    return (prior.reshape(-1, 1) * np.where(counts > 0, np.log(np.maximum(counts, 1)), -np.inf)).sum(axis=0)


@pytest.mark.parametrize("ties", ["first", "random", "wrong"])
@pytest.mark.parametrize("function", [likelihood, getattr(likelihood, "py_func", likelihood)])
def test_scores_that_are_all_minus_infinity_tie(function, ties):
    pool, rule = deep_pool(2, 6), Mixture(["x", "y"], Vote.own(function, ties=ties))
    for budget in (2, 3, 6):
        result = replay(pool, rule, budget, n_replays=20)
        hits, _ = naive.evaluate(pool, rule, budget, n_replays=20)
        assert (np.rint(result.accuracy[0, 0] * 20) == hits).all()
