"""The likeliest answer of best-of-m, against resampling."""

import numpy as np
import pytest

from mssim import SelfConsistency, StrategyError, Vote, parse_strategy
from tests import naive
from tests.rules.votes.by_hand import A_LEADS, wins


def test_majority_of_bests_is_what_resampling_finds():
    """The chance of each draw to be the best of m, against resampling; four standard errors at a fixed seed."""
    rng = np.random.default_rng(3)
    scores, m, n = [0.3, 0.1, 0.1, 0.7, 0.7, 0.9], 3, 40_000
    stages, numbers = [list("abcdef")], [scores]
    rule = Vote.majority_of_bests(m)
    expected = naive.vote(stages, rule, numbers)
    taken = rng.integers(6, size=(n, m))
    best = np.array(scores)[taken].max(axis=1)
    for answer, score in zip("abcdef", scores, strict=True):
        tied = scores.count(score)
        assert abs((best == score).mean() / tied - expected[answer]) < 4 * np.sqrt(0.25 / n)
    assert sum(expected.values()) == pytest.approx(1)


@pytest.mark.parametrize(("m", "winner"), [(1, "a"), (2, "b"), (60, "c")])
def test_one_of_m_is_the_plurality_and_many_are_best_of_n(m, winner):
    """With m = 2, of 36 pairs: a is the best of 9 (ranks 1 to 3), b of 7 + 9 (ranks 4 and 5), c of 11."""
    assert wins(Vote.majority_of_bests(m), winner, x=A_LEADS) == 1


def test_draws_without_an_answer_are_not_drawn_again():
    without = [(None, 99), *A_LEADS, (None, 98)]
    assert wins(Vote.majority_of_bests(2), "b", x=without) == 1


def test_it_is_written_with_its_number_of_draws():
    assert str(SelfConsistency("x", Vote.majority_of_bests(4))) == "sc:x,vote=majority_of_bests,m=4"
    assert (
        str(SelfConsistency("x", Vote.majority_of_bests(3, column="r"))) == "sc:x,vote=majority_of_bests,column=r,m=3"
    )


def test_the_number_of_draws_must_be_given():
    with pytest.raises(StrategyError, match=r"requires m\. Use e\.g\. vote=majority_of_bests,m=4"):
        parse_strategy("sc:x,vote=majority_of_bests")
