"""The answer of the draw with the highest score, on draws that one can check by hand."""

from mssim import ModelSwitch, SelfConsistency, Vote
from tests.conftest import replay
from tests.rules.votes.by_hand import A_LEADS, recorded, wins


def test_model_switch_with_best_of_n_adopts_agreement_and_else_takes_the_best_of_all():
    switch = ModelSwitch(["x", "y"], vote=Vote.best_of_n(), sizes=(2, 2))
    agreed = recorded("a", x=[("a", 0), ("a", 0)], y=[("b", 9), ("b", 9)])
    assert replay(agreed, switch, 4, n_replays=9).accuracy.item() == 1
    differ = recorded("b", x=[("a", 1), ("c", 2)], y=[("b", 9), ("a", 0)])
    assert replay(differ, switch, 4, n_replays=9).accuracy.item() == 1


def test_the_highest_score_wins_whatever_the_votes():
    assert wins(Vote.best_of_n(), "c", x=A_LEADS) == 1
    assert wins(Vote.best_of_n(), "b", x=[("a", -3), ("b", -2)]) == 1
    assert wins(Vote.best_of_n(), "d", x=A_LEADS, y=[("d", 9.5), ("a", 9)]) == 1


def test_scores_of_a_model_count_its_prior():
    assert wins(Vote.best_of_n(prior=(1, 2)), "b", x=[("a", 3)], y=[("b", 2)]) == 1
    assert wins(Vote.best_of_n(prior=(1, 1)), "a", x=[("a", 3)], y=[("b", 2)]) == 1


def test_it_is_written_with_its_column():
    assert str(SelfConsistency("x", Vote.best_of_n())) == "sc:x,vote=best_of_n"
    assert str(SelfConsistency("x", Vote.best_of_n(column="reward"))) == "sc:x,vote=best_of_n,column=reward"
