"""Rules as text: written and read back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import (
    Coverage,
    Gate,
    MajorityStop,
    Mixture,
    ModelSwitch,
    OwnStop,
    ReASCStop,
    SelfConsistency,
    StrategyError,
    Vote,
    WindowStop,
    parse_strategy,
)
from mssim.rules.text import describe, options_of, parse_stop, split
from tests.engine.test_monte_carlo import STRATEGIES as RANDOM_STRATEGIES
from tests.rules.test_names import NAMES


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
    assert options_of(Coverage) == ["sizes", "shares", "max_tokens"]
    votes = ["vote", "normaliser", "temperature", "column", "m"]
    votes += ["answers", "keep", "power", "alpha", "within", "combine", "prior", "ties"]
    assert options_of(SelfConsistency) == [*votes, "stop", "max_tokens", "looks"]


def test_the_last_field_of_a_stop_rule_may_be_a_list():
    assert parse_stop("optimal:0.9/0.6+0.4/1").priors == ((0.6, 0.4), (1.0,))
    assert parse_stop("optimal:0.9").priors == parse_stop("optimal").priors == ()
    with pytest.raises(StrategyError, match=r"cannot be read\. Example: stop=optimal:0\.95/0\.6\+0\.3\+0\.1\."):
        parse_stop("optimal:0.9/0.6+0.4/one")


def test_stop_rules_are_read_by_the_values_of_their_fields():
    assert parse_stop("majority") == MajorityStop()
    assert parse_stop(" majority : 0.9/4 ") == MajorityStop(0.9, 4)
    with pytest.raises(StrategyError, match=r"stop='majority:0.9/4/1' cannot be read. Example: stop=majority:0.8/2\."):
        parse_stop("majority:0.9/4/1")
    with pytest.raises(StrategyError, match=r"rule 'majorty'\. Did you mean 'majority'"):
        parse_stop("majorty")


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("sc:gpt-4", SelfConsistency("gpt-4")),
        ("sc:qwen2.5:7b,ties=wrong", SelfConsistency("qwen2.5:7b", Vote.plurality(ties="wrong"))),
        ("sc:a,stop=window:5", SelfConsistency("a", stop=WindowStop(5))),
        ("sc:a, stop=window: 8, ties=random", SelfConsistency("a", Vote.plurality(ties="random"), WindowStop(8))),
        ("ms:a+b", ModelSwitch(["a", "b"])),
        (
            "ms:a+b,agreement=0.85,strict=true,on_agreement=pool,test_last=false,normaliser=samples,prior=2/1,sizes=6/4",
            ModelSwitch(
                ["a", "b"],
                agreement=0.85,
                strict=True,
                on_agreement="pool",
                test_last=False,
                vote=Vote.entropy(normaliser="samples", prior={"b": 1, "a": 2}),
                sizes=[6, 4],
            ),
        ),
        ("mix:a+b,vote=entropy", Mixture(["a", "b"], Vote.entropy())),
        ("cov:a", Coverage(["a"])),
    ],
)
def test_text_is_read(text, strategy):
    assert parse_strategy(text) == strategy


def test_a_mapping_reads_like_a_table_of_toml():
    given = {
        "kind": "ms",
        "models": ["a+b", "c,d"],
        "agreement": 0.8,
        "vote": "plurality",
        "prior": [1, 2],
        "strict": True,
    }
    expected = ModelSwitch(["a+b", "c,d"], agreement=0.8, strict=True, vote=Vote.plurality(prior=(1, 2)))
    assert parse_strategy(given) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gpt-4", "has no kind. Write kind:model"),
        ("xs:gpt-4", "Choose from 'alloc', 'cascade', 'cov', 'deepconf', 'dsc'"),
        ("ms:a+b,agrement=1", "unknown option 'agrement'. Did you mean 'agreement'"),
        ("sc:a,agreement=1", "Choose from 'vote', 'normaliser'"),
        (
            "sc:a,stop=5",
            "unknown rule '5'. Choose from '",
        ),
        ("sc:a,stop=window", "stop='window' cannot be read. Example: stop=window:3."),
        ("sc:a,stop=window:0", "WindowStop: window=0 is out of range. Use an integer from 1 to 32767"),
        (
            {"kind": "sc", "models": "a", "stop": 5},
            "stop=5 is not a stopping rule. Use e.g. BetaStop() or WindowStop(5), or None",
        ),
        ("sc:a+b", "To combine models, use e.g. mix:a+b."),
        ("sc:", "the name of a model is empty. Write kind:model"),
        ("mix:a+a", "repeats a model. Name each model once"),
        ("ms:a+b,agreement", "option 'agreement' has no value. Write option=value."),
        ("sc:a,stop=beta,looks=2,4,8", "option '4' has no value. Separate several numbers by a slash: looks=2/4."),
        ("ms:a+b,agreement=high", "Example: agreement=0.8."),
        ("ms:a+b,agreement=-1", "must be a number of at least 0: 0 always stops, 1 requires unanimity"),
        ("ms:a+b,agreement=nan", "must be a number of at least 0: 0 always stops, 1 requires unanimity"),
        ("ms:a+b,strict=maybe", "Example: strict=true."),
        ("ms:a+b,on_agreement=adapt", "Did you mean 'adopt'"),
        ("ms:a+b,vote=schulze", "Choose from 'best_of_majority', 'best_of_n', 'borda'"),
        ("mix:a+b,normaliser=samples", "normaliser is an option of vote=entropy, not of vote=plurality"),
        ("mix:a+b,vote=entropy,normaliser=sample", "Did you mean 'samples'"),
        ("mix:a+b,ties=last", "Choose from 'first', 'random', 'wrong'"),
        ("mix:a+b,prior=1/2/3", "prior has 3 weights for 2 models. Use one weight per model"),
        ("mix:a+b,prior=1/0", "prior weight 0.0 is not a positive finite number"),
        ("mix:a+b,sizes=1", "sizes=(1,) does not fit the models ['a', 'b']. Use one integer from 1 to"),
        ("mix:a+b,sizes=1/x", "Example: sizes=2/4/8."),
        ("ms:a+b,agreement=1,agreement=0.5", "option 'agreement' appears twice"),
        (7, "strategy 7 has no kind. Write kind:model"),
        ({"kind": "ms", "models": 3}, "models=3 is not a list of names"),
        ({"kind": "ms", "models": ["a", 3]}, "models=['a', 3] is not a list of names"),
        ({"kind": "ms", "models": ["a", "b"], "prior": 3}, "prior=3 contains no weights. Use one per model"),
        ({"kind": "ms", "models": ["a", "b"], "prior": []}, "prior=() contains no weights. Use one per model"),
        ({"kind": "ms", "models": ["a", "b"], "sizes": 3}, "sizes=3 does not fit the models"),
        ({"kind": "ms", "models": ["a", "b"], "sizes": [1, 2.5]}, "sizes=(1, 2.5) does not fit the models"),
        (
            {"kind": "ms", "models": ["a", "b"], "agreement": [1]},
            "must be a number of at least 0: 0 always stops, 1 requires unanimity",
        ),
        ({"kind": "ms", "models": ["a", "b"], "agreement": True}, "agreement=True must be a number of at least 0"),
        ({"kind": "ms", "models": ["a", "b"], "strict": 3}, "strict=3 is not a bool. Use true or false"),
        ("sc:a,stop=majority:0.8/2/3", "cannot be read. Example: stop=majority:0.8/2."),
        ("sc:x,vote=shortest", "vote=shortest requires m. Use e.g. vote=shortest,m=3"),
        ("sc:x,m=3", "m is an option of vote=majority_of_bests or vote=shortest, not of vote=plurality"),
        ('sc:"a', "the quotes of '\"a' are not closed"),
        ("sc:a+search", "A model whose name contains + or a comma needs quotes, as in"),
        ("sc:a,dtype=auto", "A model whose name contains + or a comma needs quotes, as in"),
        ("sc:x,vote=own:borda", "Use an object of Vote.own in Python."),
        ("sc:x,vote=best_of", "Did you mean 'best_of_n'"),
        (
            {"kind": "sc", "models": "x", "vote": Vote(), "ties": "random"},
            "ties cannot be combined with a Vote. Set it when the Vote is created",
        ),
        ("sc:x,vote=confidence,temperature=x", "Example: temperature=0.8."),
    ],
)
def test_what_cannot_be_read_says_what_can(text, says):
    with pytest.raises(StrategyError) as error:
        parse_strategy(text)
    assert says in str(error.value)


@given(st.lists(NAMES.filter(str.strip), min_size=1, max_size=3, unique=True))
def test_any_names_of_models_and_columns_survive_as_text(names):
    for strategy in (Mixture(names), Coverage(names), SelfConsistency(names[0], Vote.score_sum(column=names[-1]))):
        assert parse_strategy(str(strategy)) == strategy


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ('sc:"gpt-4o+search"', ("gpt-4o+search",)),
        ("ms:'a,b' + c,agreement=1.0", ("a,b", "c")),
        ("sc:a,stop=majority:0.8/2", ("a",)),
        ("sc:llama:8b", ("llama:8b",)),
        ('mix:a=b+"""a"""', ("a=b", '"a"')),
    ],
)
def test_names_in_quotes(text, models):
    assert tuple(parse_strategy(text).models) == models


def test_quotes_appear_only_where_they_are_needed():
    assert str(parse_strategy("""ms:"a"+'b',agreement=1.0""")) == "ms:a+b"
    assert str(parse_strategy({"kind": "ms", "models": ["a,b", "c:d"]})) == 'ms:"a,b"+c:d'


@pytest.mark.parametrize(
    "strategy",
    [
        SelfConsistency("a", Vote.borda(np.float64(1.2))),
        SelfConsistency("a", Vote.best_of_majority(np.float32(0.25))),
        ModelSwitch(["a", "b"], vote=Vote.plurality(prior=(np.float64(2), 1))),
        SelfConsistency("a", stop=ReASCStop(rate=0, gate=1)),
        Gate(["a", "b"], (0.5,)),
    ],
    ids=str,
)
def test_numbers_of_any_type_are_read_back(strategy):
    text = str(strategy)
    assert parse_strategy(text) == strategy
    assert str(parse_strategy(text)) == text
