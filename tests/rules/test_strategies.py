import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import (
    Coverage,
    Mixture,
    ModelSwitch,
    PoolError,
    SelfConsistency,
    StrategyError,
    Vote,
    WindowStop,
    catalogue,
    evaluate,
    parse_strategy,
)
from mssim.rules.registry import STOPS, STRATEGIES
from mssim.rules.text import VOTES
from tests.conftest import make_pool
from tests.engine.test_monte_carlo import STRATEGIES as RANDOM_STRATEGIES


@given(RANDOM_STRATEGIES)
def test_text_and_object_say_the_same(strategy):
    assert parse_strategy(str(strategy)) == strategy


@given(st.floats(0, 10), st.lists(st.integers(1, 99), min_size=2, max_size=2))
def test_any_number_survives_as_text(agreement, sizes):
    strategy = ModelSwitch(["a", "b"], agreement=agreement, sizes=sizes, vote=Vote.plurality(prior=(1, 1 / 3)))
    assert parse_strategy(str(strategy)) == strategy


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
        ("xs:gpt-4", "choose from 'alloc', 'cascade', 'cov', 'mix', 'ms', 'sc', 'oracle', 'random'"),
        ("ms:a+b,agrement=1", "unknown option 'agrement'; did you mean 'agreement'"),
        ("sc:a,agreement=1", "choose from 'vote', 'normaliser'"),
        (
            "sc:a,stop=5",
            "unknown rule '5'; choose from 'beta', 'entropy', 'evalue', 'majority', 'window', e.g. stop=beta:0.95",
        ),
        ("sc:a,stop=window", "stop='window' cannot be read. Example: stop=window:3."),
        ("sc:a,stop=window:0", "WindowStop: window=0 is out of range. Use an integer from 1 to 32767"),
        (
            {"kind": "sc", "models": "a", "stop": 5},
            "stop=5 is not a stopping rule. Use e.g. BetaStop() or WindowStop(5), or None",
        ),
        ("sc:a+b", "Use mix for several."),
        ("sc:", "Name at least one model"),
        ("mix:a+a", "repeats a model. Name each model once"),
        ("ms:a+b,agreement", "option 'agreement' has no value. Write option=value."),
        ("ms:a+b,agreement=high", "Example: agreement=0.8."),
        ("ms:a+b,agreement=-1", "is not a share. Give a number from 0 (always stop) to 1"),
        ("ms:a+b,agreement=nan", "is not a share. Give a number from 0 (always stop) to 1"),
        ("ms:a+b,strict=maybe", "Example: strict=true."),
        ("ms:a+b,on_agreement=adapt", "did you mean 'adopt'"),
        ("ms:a+b,vote=borda", "choose from 'best_of_n', 'confidence', 'entropy'"),
        ("mix:a+b,normaliser=samples", "normaliser is an option of vote=entropy, not of vote=plurality"),
        ("mix:a+b,vote=entropy,normaliser=sample", "did you mean 'samples'"),
        ("mix:a+b,ties=last", "choose from 'first', 'random', 'wrong'"),
        ("mix:a+b,prior=1/2/3", "prior has 3 weights for 2 models. Use one weight per model"),
        ("mix:a+b,prior=1/0", "prior weight 0.0 is not a positive number"),
        ("mix:a+b,sizes=1", "sizes=(1,) does not fit the models ['a', 'b']. Use one positive integer per model"),
        ("mix:a+b,sizes=1/x", "Example: sizes=6/6/4."),
        ("ms:a+b,agreement=1,agreement=0.5", "option 'agreement' appears twice"),
        (7, "Write kind:model"),
        ({"kind": "ms", "models": 3}, "models=3 is not a list of names"),
        ({"kind": "ms", "models": ["a", 3]}, "models=['a', 3] is not a list of names"),
        ({"kind": "ms", "models": ["a", "b"], "prior": 3}, "prior=3 contains no weights. Use one per model"),
        ({"kind": "ms", "models": ["a", "b"], "prior": []}, "prior=() contains no weights. Use one per model"),
        ({"kind": "ms", "models": ["a", "b"], "sizes": 3}, "sizes=3 does not fit the models"),
        ({"kind": "ms", "models": ["a", "b"], "sizes": [1, 2.5]}, "sizes=(1, 2.5) does not fit the models"),
        (
            {"kind": "ms", "models": ["a", "b"], "agreement": [1]},
            "is not a share. Give a number from 0 (always stop) to 1",
        ),
        ({"kind": "ms", "models": ["a", "b"], "agreement": True}, "agreement=True is not a share"),
        ({"kind": "ms", "models": ["a", "b"], "strict": 3}, "strict=3 is not a bool. Use true or false"),
    ],
)
def test_what_cannot_be_read_says_what_can(text, says):
    with pytest.raises(StrategyError) as error:
        parse_strategy(text)
    assert says in str(error.value)


def test_objects_check_their_types():
    for options in ({"agreement": "0.8"}, {"strict": "no"}, {"vote": "plurality"}, {"sizes": "66"}):
        with pytest.raises(StrategyError, match=r"Give a number|true or false|is not a Vote|does not fit"):
            ModelSwitch(["a", "b"], **options)
    with pytest.raises(StrategyError, match="Name at least one model"):
        Mixture(7)


def test_windows_are_whole_numbers():
    assert WindowStop(np.int32(4)) == WindowStop(4)
    for window in (0, 2.0, True, "5", None, 2**15):
        with pytest.raises(StrategyError, match="Use an integer from 1"):
            WindowStop(window)


def test_numbers_of_numpy_are_numbers():
    strategy = ModelSwitch(
        ["a", "b"], agreement=np.float64(0.5), sizes=[np.int64(2), 3], vote=Vote.plurality(prior=[np.int64(2), 1])
    )
    assert strategy == ModelSwitch(["a", "b"], agreement=0.5, sizes=(2, 3), vote=Vote.plurality(prior=(2, 1)))


def test_a_prior_by_name_must_name_the_models():
    with pytest.raises(StrategyError, match="Use one weight for each of these models"):
        Mixture(["a", "b"], Vote.plurality(prior={"a": 1, "c": 2}))


@pytest.mark.parametrize("row", catalogue(), ids=[row.rule for row in catalogue()])
def test_the_catalogue_says_what_is_so(row):
    text, column, method = row.rule, row.column, row.method
    for name in ("x", "y", "z"):
        text = re.sub(r"\bM\b", name, text, count=1)
    text = text.replace("M1", "x")
    numbers = {"score": 0.5, "confidence": 0.5, "output_tokens": 7}
    answers = {(m, "q"): list("aabcabca") for m in "xy"}
    without = {name: value for name, value in numbers.items() if name != column}
    if column == "-":
        result = evaluate(make_pool(answers), text, 6, n_replays=9)
    else:
        with pytest.raises(PoolError, match=f"requires column '{column}'"):
            evaluate(make_pool(answers, **without), text, 6)
        result = evaluate(make_pool(answers, **numbers), text, 6, n_replays=9)
    assert result.to_frame()["method"].item() == {"exact": "exact", "replay": "monte_carlo"}[method]


def test_every_registered_rule_of_the_library_has_a_row_that_names_it():
    by_default = {"entropy", "plurality"}  # votes that some strategies have unless told otherwise
    for registry, text in ((STRATEGIES, "{}:"), (STOPS, "stop={}:"), (VOTES, "vote={}")):
        names = {n for n, rule in registry.items() if getattr(rule, "__module__", "mssim").startswith("mssim")}
        names -= by_default if registry is VOTES else set()
        assert names
        for name in names:
            assert any(text.format(name) in row.rule for row in registry[name].rows), name


def test_a_fresh_interpreter_knows_every_strategy():
    """Rules register when they are imported, which nobody else may have done yet."""
    code = (
        "from mssim.rules.parsing import catalogue, parse_strategy as p; print(p('sc:a,stop=beta'), len(catalogue()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sc:a,stop=beta:0.95", str(len(catalogue()))]
