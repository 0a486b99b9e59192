"""Votes counted by a function of the user's: what it is given, and what is refused at once."""

import numba
import numpy as np
import pytest

from mssim import Mixture, StrategyError, Vote, evaluate
from tests.conftest import replay
from tests.rules.votes.by_hand import recorded, wins


@numba.njit
def borda(counts, prior):
    """Every model gives an answer as many points as it has answers with fewer votes."""
    score = np.zeros(counts.shape[1])
    for i in range(counts.shape[0]):
        for c in range(counts.shape[1]):
            score[c] += prior[i] * (counts[i] < counts[i, c]).sum()
    return score


@pytest.mark.slow
@pytest.mark.parametrize("function", [borda, getattr(borda, "py_func", borda)], ids=["compiled", "plain"])
def test_a_vote_of_ones_own(function):
    x = [("a", 0)] * 5 + [("b", 0)] * 4
    y = z = [("b", 0)] * 2 + [("c", 0)]
    assert wins(Vote.own(function), "b", x=x, y=y, z=z) == 1  # 1 + 2 + 2 points; a has 2, and c 1 + 1
    assert wins(Vote.own(function, prior=(9, 1, 1)), "a", x=x, y=y, z=z) == 1
    assert str(Mixture(["x"], Vote.own(function))) == "mix:x,vote=own:borda"


def test_a_function_may_spoil_what_it_is_given():
    def spoils(counts, prior):
        score = (prior[:, None] * counts).sum(axis=0)
        counts[:] = 0
        return score

    pool = recorded("a", x=[("a", 0), ("b", 0), ("a", 0), ("c", 0), ("a", 0)])
    own = replay(pool, {"own": Mixture(["x"], Vote.own(spoils))}, range(1, 6), n_replays=50)
    assert np.array_equal(own.accuracy, replay(pool, Mixture(["x"]), range(1, 6), n_replays=50).accuracy)


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda counts, _: counts, "the function of Vote.own returned array([[1, 1, 1]"),
        (lambda _, prior: prior, "Return one number per answer class, here an array of shape (3,)."),
        (lambda _, __: 1.0, "returned array(1.) for votes of shape (2, 3). Return one number per answer class"),
        (lambda _, __: ["a", "b", "c"], "Return one number per answer class"),
        (lambda counts: counts, "raises an error for votes of shape (2, 3): TypeError"),
        (numba.njit(lambda counts, prior: counts.nothing + prior), "TypingError"),
    ],
)
def test_a_function_that_is_no_vote_is_refused_at_once(function, says):
    pool = recorded("a", x=[("a", 0)], y=[("b", 0)])
    with pytest.raises(StrategyError) as error:
        evaluate(pool, {"mine": Mixture(["x", "y"], Vote.own(function))}, 2, n_replays=2)
    assert str(error.value).startswith("mine: ")
    assert says in str(error.value)


def test_what_an_answer_without_votes_scores_does_not_matter():
    def contrary(counts, prior):
        return -(prior[:, None] * counts).sum(axis=0)

    pool = recorded("c", x=[("a", 0), ("a", 0), ("b", 0)], y=[("c", 0)] * 3)
    assert replay(pool, Mixture(["x"], Vote.own(contrary)), 3, n_replays=9).accuracy.item() == 0
    pool = recorded("b", x=[("a", 0), ("a", 0), ("b", 0)], y=[("c", 0)] * 3)
    assert replay(pool, Mixture(["x"], Vote.own(contrary)), 3, n_replays=9).accuracy.item() == 1
