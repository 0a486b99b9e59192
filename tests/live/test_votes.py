"""Votes by the class that wins, where one can check it by hand; all votes are compared in test_interpreter."""

from mssim import Vote
from mssim.live import Draw
from mssim.live.votes import elect


def winner(vote, *stages, rank=float):
    """The class that wins; draws are classes, or classes with a number."""
    drawn = [[Draw(d) if isinstance(d, int) else Draw(d[0], {"score": d[1]}) for d in draws] for draws in stages]
    return elect(vote, drawn, rank)


def test_ties_are_first_random_or_no_answer():
    assert winner(Vote.plurality(), [2, 0, 0, 2]) == 2
    assert winner(Vote.plurality(ties="random"), [2, 0, 0, 2], rank=lambda c: -c) == 0
    assert winner(Vote.plurality(ties="wrong"), [2, 0, 0, 2]) == -1
