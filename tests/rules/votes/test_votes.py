"""`Vote`: the general formula with all of its named forms."""

import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from mssim import Vote
from mssim.rules import registry
from mssim.rules.votes.base import WeightedVote


def test_a_vote_is_the_general_formula_with_every_named_form():
    assert Vote() == Vote(within="none", normaliser="distinct", prior=None, ties="first", ballots="one", combine="sum")
    assert issubclass(Vote, WeightedVote)
    for name, named in registry.VOTES.items():
        made = getattr(Vote, named.make)(**named.example)
        assert type(made) is Vote
        assert named.matches(made), name


def test_every_form_has_one_name():
    made = [getattr(Vote, named.make)(**named.example) for named in registry.VOTES.values()]
    for vote in made:
        assert [named.matches(vote) for named in registry.VOTES.values()].count(True) == 1


def test_votes_are_values():
    vote = Vote.confidence(0.5, prior={"x": 2, "y": 1})
    assert hash(vote) == hash(Vote.confidence(0.5, prior={"x": 2, "y": 1}))
    assert pickle.loads(pickle.dumps(vote)) == vote
    assert replace(vote, ties="wrong") != vote
    with pytest.raises(FrozenInstanceError):
        vote.ties = "random"
