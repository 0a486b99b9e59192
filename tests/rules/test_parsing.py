"""Strategies from text and mappings, and the catalogue of all rules."""

import re
import subprocess
import sys

import pytest

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
from tests.conftest import make_pool


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
        ("gpt-4", "write kind:model"),
        ("xs:gpt-4", "choose from 'alloc', 'cascade', 'cov', 'mix', 'ms', 'sc', 'oracle', 'random'"),
        ("ms:a+b,agrement=1", "unknown option 'agrement'; did you mean 'agreement'"),
        ("sc:a,agreement=1", "choose from 'vote', 'normaliser'"),
        (
            "sc:a,stop=5",
            "rule '5'; choose from 'beta', 'entropy', 'evalue', 'majority', 'window', e.g. stop=beta:0.95",
        ),
        ("sc:a,stop=window", "stop='window' cannot be read. Example: stop=window:3."),
        ("sc:a,stop=window:0", "WindowStop: window=0; give a whole number from 1 to 32767"),
        ({"kind": "sc", "models": "a", "stop": 5}, "stop=5; give a rule such as BetaStop() or WindowStop(5), or None"),
        ("sc:a+b", "Use mix for several."),
        ("sc:", "give one or more names"),
        ("mix:a+a", "name each model once"),
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
        ("mix:a+b,prior=1/2/3", "3 weights for 2 models"),
        ("mix:a+b,prior=1/0", "give positive numbers"),
        ("mix:a+b,sizes=1", "one whole number from 1 for each"),
        ("mix:a+b,sizes=1/x", "Example: sizes=6/6/4."),
        ("ms:a+b,agreement=1,agreement=0.5", "option 'agreement' appears twice"),
        (7, "write kind:model"),
        ({"kind": "ms", "models": 3}, "models=3 is not a list of names"),
        ({"kind": "ms", "models": ["a", 3]}, "models=['a', 3] is not a list of names"),
        ({"kind": "ms", "models": ["a", "b"], "prior": 3}, "prior=3; give one weight per model"),
        ({"kind": "ms", "models": ["a", "b"], "prior": []}, "give one weight per model"),
        ({"kind": "ms", "models": ["a", "b"], "sizes": 3}, "sizes=3; give one whole number from 1 for each"),
        ({"kind": "ms", "models": ["a", "b"], "sizes": [1, 2.5]}, "sizes=(1, 2.5); give one whole number"),
        (
            {"kind": "ms", "models": ["a", "b"], "agreement": [1]},
            "is not a share. Give a number from 0 (always stop) to 1",
        ),
        ({"kind": "ms", "models": ["a", "b"], "agreement": True}, "agreement=True is not a share"),
        ({"kind": "ms", "models": ["a", "b"], "strict": 3}, "strict=3 is not true or false"),
        ("sc:a,stop=majority:0.8/2/3", "cannot be read. Example: stop=majority:0.8/2."),
        ("sc:x,vote=shortest", "vote=shortest needs m, e.g. vote=shortest,m=3"),
        ("sc:x,m=3", "m is an option of vote=majority_of_bests or vote=shortest, not of vote=plurality"),
        ("sc:x,vote=own:borda", "Use Vote.own(function)."),
        ("sc:x,vote=best_of", "did you mean 'best_of_n'"),
        ({"kind": "sc", "models": "x", "vote": Vote(), "ties": "random"}, "leave out ties"),
        ("sc:x,vote=confidence,temperature=x", "Example: temperature=0.8."),
    ],
)
def test_what_cannot_be_read_says_what_can(text, says):
    with pytest.raises(StrategyError) as error:
        parse_strategy(text)
    assert says in str(error.value)


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
        with pytest.raises(PoolError, match=f"needs column '{column}'"):
            evaluate(make_pool(answers, **without), text, 6)
        result = evaluate(make_pool(answers, **numbers), text, 6, n_replays=9)
    assert result.to_frame()["method"].item() == {"exact": "exact", "replay": "monte_carlo"}[method]


def test_a_fresh_interpreter_knows_every_strategy():
    """Rules register when they are imported, which nobody else may have done yet."""
    code = (
        "from mssim.rules.parsing import catalogue, parse_strategy as p; print(p('sc:a,stop=beta'), len(catalogue()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sc:a,stop=beta:0.95", str(len(catalogue()))]
