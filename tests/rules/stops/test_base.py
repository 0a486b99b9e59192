"""What stop rules share: text, registration, leading votes, and tables of votes that are enough."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MajorityStop, SelfConsistency, Stop, StrategyError, evaluate, parse_strategy
from mssim.rules import registry
from mssim.rules.stops.base import StopTable, leading_votes, votes_against
from tests.conftest import make_pool


@pytest.fixture
def registered(monkeypatch):
    """A registry of stop rules that is as before after the test."""
    monkeypatch.setattr(registry.STOPS, "_rules", dict(registry.STOPS))


@pytest.mark.usefixtures("registered")
def test_a_subclass_with_any_annotations_has_its_text():
    """This module evaluates its annotations, unlike those of the library."""

    @dataclass(frozen=True)
    class First(Stop):
        name = "first"
        votes: int
        share: float | None = None
        loud: bool = False

        def stops(self, answers, numbers):
            return answers.size >= self.votes + numbers.shape[0]

    rule = parse_strategy("sc:x,stop=first:2/0.5/true")
    assert rule == SelfConsistency("x", stop=First(2, 0.5, True))
    assert str(SelfConsistency("x", stop=First(2))) == "sc:x,stop=first:2"
    assert evaluate(make_pool({("x", "q"): list("abcab")}), {"rule": rule}, 4, n_replays=3).samples_used.item() == 2
    with pytest.raises(StrategyError, match=r"cannot be read\. Example: stop=first:3/None/False"):
        parse_strategy("sc:x,stop=first")


@pytest.mark.usefixtures("registered")
def test_a_subclass_without_options_or_without_text_explains_itself():
    class Always(Stop):
        name = "always"

        def stops(self, answers, numbers):
            return answers.size > numbers.shape[0]

    assert str(SelfConsistency("x", stop=Always())) == "sc:x,stop=always"
    assert isinstance(parse_strategy("sc:x,stop=always").stop, Always)
    assert Always().table(9) is None  # so it runs in plain Python

    @dataclass(frozen=True)
    class Listed(Always):
        name = "listed"
        wanted: dict | None = None

    with pytest.raises(StrategyError, match="wanted: an option of type dict cannot be given as text"):
        parse_strategy("sc:x,stop=listed:3")
    with pytest.raises(StrategyError, match="is the name of"):

        class Other(Stop):
            name = "beta"

    with pytest.raises(TypeError, match="abstract method"):
        type("Nothing", (Stop,), {})()


def test_options_at_their_defaults_are_not_written_but_the_first():
    assert str(MajorityStop()) == "majority:0.8"
    assert str(MajorityStop(min_samples=3)) == "majority:0.8/3"
    assert str(MajorityStop(0.5)) == "majority:0.5"


def test_whole_numbers_have_a_range():
    assert MajorityStop(min_samples=2**15 - 1).min_samples == 2**15 - 1
    for number, problem in ((2**15, "out of range"), (0, "out of range"), (2.0, "not an integer")):
        says = rf"MajorityStop: min_samples={number} is {problem}\. Use an integer from 1 to 32767"
        with pytest.raises(StrategyError, match=says):
            MajorityStop(min_samples=number)


@given(st.lists(st.integers(-1, 4), max_size=12))
def test_leading_votes_are_the_two_largest_counts(answers):
    votes = sorted((answers.count(c) for c in range(5)), reverse=True)
    assert leading_votes(np.array(answers, dtype=np.int64)) == (votes[0], votes[1])


@given(st.integers(0, 40), st.integers(0, 12))
def test_votes_that_are_enough_are_the_fewest(depth, margin):
    """A certainty that is the leader's margin is enough from the votes of the next answer plus that margin."""
    enough = votes_against(lambda first, second: first - second, margin, depth)
    assert enough.tolist() == [min(s + margin, depth + 1) for s in range(depth // 2 + 1)]
    assert not enough.flags.writeable


@pytest.mark.parametrize("share", [0, 1.01, -0.5, math.nan, "0.9", True, None])
def test_numbers_have_a_range_of_which_the_end_may_be_part(share):
    assert MajorityStop(1).share == 1.0
    with pytest.raises(StrategyError, match=r"MajorityStop: share=.* is out of range\. Use a share from above 0 to 1"):
        MajorityStop(share)


def test_a_table_looks_at_neither_entropy_nor_windows_unless_told_to():
    table = StopTable(np.zeros(1, np.int64), np.zeros(1, np.int64))
    assert (table.entropy, table.window) == (math.inf, 0)


@pytest.mark.parametrize(("below", "votes"), [(1e-13, 1), (1e-11, 2)])
def test_a_certainty_that_is_enough_up_to_rounding_is_enough(below, votes):
    enough = votes_against(lambda first, second: (first - second) * (1 - below), 1.0, 4)
    assert enough[0] == votes
