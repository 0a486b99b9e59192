"""Votes weighed by how much a model agrees with itself."""

from dataclasses import replace

from mssim import Mixture, ModelSwitch, Vote
from tests.rules.votes.by_hand import wins


def test_a_weight_within_the_model_goes_with_any_ballots():
    """x disagrees with itself, so its scores count a quarter: .25 x 3 against 2."""
    vote = replace(Vote.score_sum(), within="entropy")
    x, y = [("a", 3), ("b", 1), ("c", 1), ("d", 1)], [("e", 1), ("e", 1)]
    assert wins(vote, "e", x=x, y=y) == 1
    assert wins(Vote.score_sum(), "a", x=x, y=y) == 1


def test_a_model_that_disagrees_with_itself_counts_less():
    """x has 3, 1 and 1 votes and counts 1/5 + 4/5 (1 - 1.371 / log2 3) = .308 each: .924 against 1."""
    x, y = [("a", 0)] * 3 + [("b", 0), ("c", 0)], [("d", 0)]
    assert wins(Vote.plurality(), "a", x=x, y=y) == 1
    assert wins(Vote.entropy(), "d", x=x, y=y) == 1
    # Over log2 5 they count 1/5 + 4/5 (1 - .590) = .528 each: 1.58 against 1.
    assert wins(Vote.entropy(normaliser="samples"), "a", x=x, y=y) == 1
    assert wins(Vote.entropy(prior=(1.1, 1)), "a", x=x, y=y) == 1
    assert wins(Vote.entropy(prior=(1.05, 1)), "d", x=x, y=y) == 1


def test_it_is_the_default_of_model_switch_and_written_elsewhere():
    assert str(ModelSwitch(["x", "y"])) == "ms:x+y"
    assert str(ModelSwitch(["x", "y"], vote=Vote.entropy(normaliser="samples"))) == "ms:x+y,normaliser=samples"
    assert str(Mixture(["x", "y"], Vote.entropy())) == "mix:x+y,vote=entropy"
