"""Rules as text: written and read back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import (
    Coverage,
    MajorityStop,
    Mixture,
    ModelSwitch,
    OwnStop,
    SelfConsistency,
    StrategyError,
    Vote,
    parse_strategy,
)
from mssim.rules.text import describe, options_of, parse_stop, split
from tests.engine.test_monte_carlo import STRATEGIES as RANDOM_STRATEGIES


@given(RANDOM_STRATEGIES)
def test_text_and_object_say_the_same(strategy):
    assert parse_strategy(str(strategy)) == strategy


@given(st.floats(0, 10), st.lists(st.integers(1, 99), min_size=2, max_size=2))
def test_any_number_survives_as_text(agreement, sizes):
    strategy = ModelSwitch(["a", "b"], agreement=agreement, sizes=sizes, vote=Vote.plurality(prior=(1, 1 / 3)))
    assert parse_strategy(str(strategy)) == strategy


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (SelfConsistency("x"), "sc:x"),
        (ModelSwitch(["x", "y"], agreement=1.0), "ms:x+y"),  # at its default
        (ModelSwitch(["x", "y"], agreement=2.0, strict=True), "ms:x+y,agreement=2,strict=true"),
        (ModelSwitch(["x", "y"], test_last=False, sizes=(3, 1)), "ms:x+y,test_last=false,sizes=3/1"),
        (Mixture(["x", "y"], shares=(0.5, 2)), "mix:x+y,shares=0.5/2"),
        (Mixture(["x", "y"], replace(Vote.score_sum(), within="entropy")), "mix:x+y,vote=score_sum,within=entropy"),
        (
            Mixture(["x"], replace(Vote.score_sum(), within="entropy", normaliser="samples")),
            "mix:x,vote=score_sum,normaliser=samples,within=entropy",
        ),
        (
            SelfConsistency("x", replace(Vote.confidence(2.0), combine="max")),
            "sc:x,vote=confidence,temperature=2,combine=max",
        ),
        (SelfConsistency("x", Vote.own(max), OwnStop(min)), "sc:x,vote=own:max,stop=own:min"),
    ],
)
def test_options_at_their_defaults_are_left_out(strategy, text):
    assert str(strategy) == text
    if "own" not in text:
        assert parse_strategy(text) == strategy


def test_a_mapping_keeps_names_of_models_that_text_would_split():
    strategy = ModelSwitch(["a+b", "c,d"], agreement=0.8)
    written = describe("ms", strategy)
    assert written == {"kind": "ms", "models": ["a+b", "c,d"], "agreement": "0.8"}
    assert parse_strategy(written) == strategy


def test_text_is_split_at_the_first_colon():
    assert split("sc: qwen:7b , ties = wrong") == ("sc", ["qwen:7b"], {"ties": "wrong"})
    assert split("mix:a + b") == ("mix", ["a", "b"], {})
    assert split({"kind": "sc", "models": "a", "ties": "wrong"}) == ("sc", ["a"], {"ties": "wrong"})


def test_options_are_the_fields_and_for_a_vote_its_own_options():
    assert options_of(Coverage) == ["sizes", "shares"]
    votes = ["vote", "normaliser", "temperature", "column", "m", "within", "combine", "prior", "ties"]
    assert options_of(SelfConsistency) == [*votes, "stop"]


def test_stop_rules_are_read_by_the_values_of_their_fields():
    assert parse_stop("majority") == MajorityStop()
    assert parse_stop(" majority : 0.9/4 ") == MajorityStop(0.9, 4)
    with pytest.raises(StrategyError, match=r"stop='majority:0.9/4/1' cannot be read. Example: stop=majority:0.8/2\."):
        parse_stop("majority:0.9/4/1")
    with pytest.raises(StrategyError, match=r"rule 'majorty'; did you mean 'majority'"):
        parse_stop("majorty")
