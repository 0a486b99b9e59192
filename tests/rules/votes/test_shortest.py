"""Votes of the shortest draws, on draws that one can check by hand."""

import numpy as np
import pytest

from mssim import Pool, SelfConsistency, StrategyError, Vote, parse_strategy
from tests.conftest import replay
from tests.rules.votes.by_hand import recorded, wins


def test_shortest_draws_vote_and_the_shorter_wins_a_tie():
    assert wins(Vote.shortest(3), "b", x=[("a", 9), ("a", 8), ("a", 7), ("b", 1), ("b", 3), ("c", 2)]) == 1
    assert wins(Vote.shortest(2), "b", x=[("a", 2), ("a", 8), ("b", 1)]) == 1
    assert wins(Vote.shortest(1), "b", x=[("a", 2), ("a", 8), (None, 1), ("b", 3)]) == 0  # the shortest has no answer
    assert wins(Vote.shortest(100), "a", x=[("a", 2), ("a", 8), ("b", 1)]) == 1


def test_without_a_length_and_an_answer_a_draw_is_not_among_the_shortest():
    frame = recorded("b", x=[("a", 1), ("b", 2), (None, 0)]).to_frame().assign(chars=[5.0, 4.0, np.nan])
    pool = Pool.from_frame(frame)
    assert replay(pool, "sc:x,vote=shortest,m=1,column=chars", 3, n_replays=20).accuracy.item() == 1


def test_it_is_written_with_its_number_of_draws():
    assert str(SelfConsistency("x", Vote.shortest(3))) == "sc:x,vote=shortest,m=3"
    assert str(SelfConsistency("x", Vote.shortest(2, column="chars"))) == "sc:x,vote=shortest,column=chars,m=2"


def test_the_number_of_draws_must_be_given():
    with pytest.raises(StrategyError, match=r"vote=shortest requires m\. Use e\.g\. vote=shortest,m=3"):
        parse_strategy("sc:x,vote=shortest")
