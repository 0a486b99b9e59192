"""Functions of the user's, compiled and plain, at their corners."""

import numba
import numpy as np
import pytest

from mssim import Mixture, OwnStop, SelfConsistency, StrategyError, Vote, evaluate
from tests import naive
from tests.conftest import make_pool, replay
from tests.rules.test_catalogue import deep_pool

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("columns", [(), ("score",)])
def test_a_function_that_scores_other_answers_than_there_are_is_refused(columns):
    """When it is tried before the work it is given three classes; here the question has two."""

    def three(counts, prior, *draws):  # noqa: ARG001
        return np.ones(3)

    pool = make_pool({("x", "q"): list("aabb")}, score=0.5)
    with pytest.raises(StrategyError, match=r"Vote\.own: calling the function failed: it must return one number per"):
        evaluate(pool, SelfConsistency("x", Vote.own(three, columns=columns)), 4, n_replays=4)


def test_draws_that_decide_nothing_tie():
    """A function that also reads draws scores all answers alike: the first of the draws wins."""
    pool = make_pool({("x", "q"): list("aabb")}, score=0.5)
    vote = Vote.own(lambda counts, prior, *draws: counts.sum(axis=0) * 0.0, columns=("score",))  # noqa: ARG005
    first = replay(pool, SelfConsistency("x", vote), 3, n_replays=40).accuracy
    assert first.item() == replay(pool, "sc:x", 1, n_replays=40).accuracy.item()


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=pytest.mark.slow), False])
def test_an_error_in_a_function_says_whose_it_is(compiled):
    def stop(counts, n):  # noqa: ARG001
        if n > 3:
            raise ValueError("no rule for so many draws")
        return False

    def score(counts, prior):  # noqa: ARG001
        if counts.sum() > 3:
            raise ValueError("no rule for so many votes")
        return counts.sum(axis=0)

    stop, score = (numba.njit(stop), numba.njit(score)) if compiled else (stop, score)
    pool = make_pool({("x", "q"): list("aabb")})
    with pytest.raises(StrategyError, match=r"OwnStop: calling the function failed: no rule for so many draws$"):
        evaluate(pool, SelfConsistency("x", stop=OwnStop(stop)), 4, n_replays=4)
    with pytest.raises(StrategyError, match=r"Vote\.own: calling the function failed: no rule for so many votes$"):
        evaluate(pool, SelfConsistency("x", Vote.own(score)), 4, n_replays=4)


@numba.njit
def likelihood(counts, prior):
    """The logarithm of a product of votes: minus infinity for an answer that some model never gave."""
    score = np.zeros(counts.shape[1])  # in loops, which compile several times faster than array expressions
    for i in range(counts.shape[0]):
        for c in range(counts.shape[1]):
            score[c] += prior[i] * np.log(counts[i, c]) if counts[i, c] > 0 else -np.inf
    return score


@pytest.mark.slow
@pytest.mark.parametrize("ties", ["first", "random", "wrong"])
@pytest.mark.parametrize("function", [likelihood, getattr(likelihood, "py_func", likelihood)])
def test_scores_that_are_all_minus_infinity_tie(function, ties):
    pool, rule = deep_pool(2, 6), Mixture(["x", "y"], Vote.own(function, ties=ties))
    for budget in (2, 3, 6):
        result = replay(pool, rule, budget, n_replays=20)
        hits, _ = naive.evaluate(pool, rule, budget, n_replays=20)
        assert (np.rint(result.accuracy[0, 0] * 20) == hits).all()


@pytest.mark.parametrize("replacement", [False, True])
def test_a_function_is_asked_about_more_budgets_than_there_are_tables(replacement):
    """It may also write into the votes and prior weights that it is given."""

    def squares(counts, prior):
        score = (prior[:, None] * counts**2).sum(axis=0)
        counts[:] = -1
        return score.astype(int)

    pool = make_pool({("x", "q"): [None, *"abbacdabbcaadd"] * 5, ("y", "q"): [*"aabc", None] * 15})
    rule, budgets = Mixture(["x", "y"], Vote.own(squares)), [*range(1, 141), 20, 150]
    result = replay(pool, rule, sorted(set(budgets)), n_replays=4, replacement=replacement)
    for i, budget in enumerate(sorted(set(budgets))):
        if budget % 9 == 1 or budget > 138:
            hits, _ = naive.evaluate(pool, rule, budget, n_replays=4, replacement=replacement)
            assert (np.rint(result.accuracy[0, i] * 4) == hits).all(), budget


def test_a_model_that_draws_less_at_a_higher_budget_loses_votes():
    """With shares of 6, 6 and 2, the third model draws one sample of 9 and none of 10."""
    pool = make_pool({("x", "q"): [*"abbabc"], ("y", "q"): [*"baabca"], ("z", "q"): [*"cdaaaa"]})
    rule = Mixture(["x", "y", "z"], Vote.own(lambda counts, prior: prior @ counts), shares=(6, 6, 2))
    budgets = [8, 9, 10, 11, 12, 13]
    result = replay(pool, rule, budgets, n_replays=40)
    for i, budget in enumerate(budgets):
        hits, _ = naive.evaluate(pool, rule, budget, n_replays=40)
        assert (np.rint(result.accuracy[0, i] * 40) == hits).all(), budget
