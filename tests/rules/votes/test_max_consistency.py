"""The answer of the most consistent model, on draws that one can check by hand."""

from dataclasses import replace

from mssim import Mixture, Vote
from tests.rules.votes.by_hand import wins


def test_max_consistency_takes_the_model_that_leads_most_and_the_earlier_of_two():
    vote = Vote.max_consistency()
    x, y = [("a", 0), ("a", 0), ("b", 0), ("b", 0)], [("c", 0), ("c", 0), ("c", 0), ("a", 0)]
    assert wins(vote, "c", x=x, y=y) == 1  # though a has as many votes
    assert wins(vote, "a", x=[("a", 0), ("b", 0), ("a", 0)], y=[("c", 0), ("c", 0), ("b", 0)]) == 1
    assert wins(vote, "c", y=[("c", 0), ("c", 0), ("b", 0)], x=[("a", 0), ("b", 0), ("a", 0)]) == 1
    assert wins(replace(vote, prior=(1, 2)), "c", x=[("a", 0)] * 3, y=[("c", 0), ("c", 0), ("b", 0)]) == 1
    # 2 of 3 is more than 3 of 5, in votes it is less.
    assert wins(vote, "a", x=[("a", 0), ("a", 0), ("b", 0)], y=[("c", 0)] * 3 + [("b", 0)] * 2) == 1


def test_it_is_written_by_its_name():
    assert str(Mixture(["x", "y"], Vote.max_consistency())) == "mix:x+y,vote=max_consistency"
