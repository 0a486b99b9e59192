"""Votes weighed by confidence, on draws that one can check by hand."""

from dataclasses import replace

import pytest

from mssim import SelfConsistency, StrategyError, Vote, evaluate
from tests.rules.votes.by_hand import A_LEADS, decisions, recorded, wins


def test_confidences_beyond_the_range_of_a_double_are_refused():
    pool = recorded("a", x=[("a", 0), ("b", 700)])
    with pytest.raises(
        StrategyError, match="temperature=1 is too small for confidence, whose range is 700: only the most"
    ):
        evaluate(pool, "sc:x,vote=confidence", 2)
    assert evaluate(pool, "sc:x,vote=confidence,temperature=2", 2).accuracy.item() == 0


def test_a_small_temperature_is_the_most_confident_draw_and_a_large_one_the_plurality():
    assert wins(Vote.confidence(0.1), "c", x=A_LEADS) == 1
    assert wins(Vote.confidence(100.0), "a", x=A_LEADS) == 1
    assert wins(replace(Vote.confidence(100.0), combine="max"), "c", x=A_LEADS) == 1


def test_votes_count_the_exponential():
    """At 1: 3 e against e^2 + e^1.5 = 11.9 and e^2.2 = 9.03; at 2: 4.95 against 4.83 and 3."""
    x = [("a", 1), ("a", 1), ("a", 1), ("b", 2), ("b", 1.5), ("c", 2.2)]
    assert wins(Vote.confidence(), "b", x=x) == 1
    assert wins(Vote.confidence(2.0), "a", x=x) == 1
    assert wins(Vote.confidence(prior=(1, 3)), "c", x=x, y=[("c", 0)]) == 1  # e^2.2 + 3


@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_the_softmax_of_a_reward_decides_as_scorio(temperature):
    scorio = pytest.importorskip("scorio.aggregate")
    for answers, numbers, right in decisions(Vote.confidence(temperature, column="score")):
        assert (scorio.softmax_weighted_vote(answers, numbers, temperature=temperature) == "a") == right


def test_it_is_written_with_its_temperature():
    assert str(SelfConsistency("x", Vote.confidence())) == "sc:x,vote=confidence"
    assert (
        str(SelfConsistency("x", Vote.confidence(0.5, column="p"))) == "sc:x,vote=confidence,temperature=0.5,column=p"
    )
