"""The answer with the most votes, on draws that one can check by hand."""

import pytest

from mssim import Mixture, SelfConsistency, Vote
from tests.rules.votes.by_hand import A_LEADS, wins


def test_the_most_votes_win_whatever_their_numbers():
    assert wins(Vote.plurality(), "a", x=A_LEADS) == 1
    assert wins(Vote.plurality(), "b", x=A_LEADS, y=[("b", 0), ("b", 0)]) == 1


def test_draws_without_an_answer_do_not_vote():
    assert wins(Vote.plurality(), "a", x=[("a", 1), (None, 1), (None, 1)]) == 1
    assert wins(Vote.plurality(), "a", x=[(None, 1), (None, 1)]) == 0


def test_votes_of_a_model_count_its_prior():
    x, y = [("a", 0)] * 2, [("b", 0)] * 3
    assert wins(Vote.plurality(prior=(2, 1)), "a", x=x, y=y) == 1  # 4 against 3
    assert wins(Vote.plurality(prior={"y": 3, "x": 4}), "b", x=x, y=y) == 1  # 8 against 9
    assert wins(Vote.plurality(prior=(3, 2), ties="wrong"), "a", x=x, y=y) == 0  # 6 each


def test_ties_by_their_rule():
    tie = {"x": [("a", 0)], "y": [("b", 0)]}
    assert [wins(Vote.plurality(ties="first"), answer, **tie) for answer in "ab"] == [1, 0]
    assert [wins(Vote.plurality(ties="wrong"), answer, **tie) for answer in "ab"] == [0, 0]
    shares = [wins(Vote.plurality(ties="random"), answer, **tie) for answer in "ab"]
    assert sum(shares) == pytest.approx(1)
    assert 0.3 < shares[0] < 0.7  # 200 replays: 5.6 standard deviations


def test_it_is_the_default_and_written_where_it_is_not():
    assert str(SelfConsistency("x", Vote.plurality())) == "sc:x"
    assert str(Mixture(["x", "y"], Vote.plurality(prior=(2, 1), ties="random"))) == "mix:x+y,prior=2/1,ties=random"
    assert Vote.plurality() == Vote()
