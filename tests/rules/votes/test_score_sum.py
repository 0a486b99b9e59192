"""Votes weighed by a score, on draws that one can check by hand."""

from mssim import SelfConsistency, Vote
from tests.rules.votes.by_hand import A_LEADS, wins


def test_scores_may_be_negative_and_tie_up_to_rounding():
    assert wins(Vote.score_sum(), "b", x=[("a", -1), ("a", -1), ("b", -1.5)]) == 1
    assert wins(Vote.best_of_n(), "b", x=[("a", -3), ("b", -2)]) == 1
    tie = [("a", 0.1), ("a", 0.2), ("b", 0.3)]  # 0.1 + 0.2 is not 0.3 in binary
    assert wins(Vote.score_sum(ties="wrong"), "a", x=tie) == wins(Vote.score_sum(ties="wrong"), "b", x=tie) == 0
    nearly = [("a", 0.1), ("a", 0.2), ("a", -0.3), ("b", 0.0)]
    assert wins(Vote.score_sum(ties="wrong"), "a", x=nearly) == 0


def test_scores_add_up():
    assert wins(Vote.score_sum(), "c", x=A_LEADS) == 1  # 3, 3.5 and 9
    assert wins(Vote.score_sum(), "b", x=A_LEADS[:-1]) == 1
    assert wins(Vote.score_sum(), "a", x=A_LEADS[:-1], y=[("a", 0.6)]) == 1  # 3.6 and 3.5
    assert wins(Vote.score_sum(prior=(1, 0.5)), "b", x=A_LEADS[:-1], y=[("a", 0.6)]) == 1  # 3.3 and 3.5


def test_it_is_written_with_its_column():
    assert str(SelfConsistency("x", Vote.score_sum())) == "sc:x,vote=score_sum"
    assert str(SelfConsistency("x", Vote.score_sum(column="reward"))) == "sc:x,vote=score_sum,column=reward"
