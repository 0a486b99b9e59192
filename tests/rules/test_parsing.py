"""Strategies from text and mappings, and the catalogue of all rules."""

import re
import subprocess
import sys

import pytest

from mssim import (
    PoolError,
    SelfConsistency,
    StrategyError,
    catalogue,
    evaluate,
    parse_strategy,
)
from tests.conftest import long_frame, make_pool
from tests.rules.test_catalogue import described


@pytest.mark.parametrize("row", catalogue(), ids=[row.rule for row in catalogue()])
def test_the_catalogue_says_what_is_so(row):
    text, column, method = row.rule, row.column, row.method
    for name in ("x", "y", "z"):
        text = re.sub(r"\bM\b", name, text, count=1)
    text = text.replace("M1", "x")
    numbers = {"score": 0.5, "confidence": 0.5, "output_tokens": 7, "group_confidence": [[9.0]] * 32}
    answers = {(m, q): list("aabcabca") for m in "xy" for q in ("q1", "q2")}

    def asked(**columns):
        return described(long_frame(answers, **columns))

    without = {name: value for name, value in numbers.items() if name != column}
    if column == "-":
        result = evaluate(asked(), text, 6, n_replays=9)
    else:
        with pytest.raises(PoolError, match=f"requires column '{column}'"):
            evaluate(asked(**without), text, 6)
        result = evaluate(asked(**numbers), text, 6, n_replays=9)
    assert result.to_frame()["method"].item() == {"exact": "exact", "replay": "monte_carlo"}[method]


@pytest.mark.slow
def test_a_fresh_interpreter_knows_every_strategy():
    """Rules register when they are imported, which nobody else may have done yet."""
    code = (
        "from mssim.rules.parsing import catalogue, parse_strategy as p; print(p('sc:a,stop=beta'), len(catalogue()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sc:a,stop=beta:0.95", str(len(catalogue()))]


def test_strategies_are_read_once():
    strategy = SelfConsistency("x")
    assert parse_strategy(strategy) is strategy
    assert parse_strategy({"kind": "sc", "models": "x"}) == parse_strategy("sc:x") == strategy


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            "xs:gpt-4",
            "strategy 'xs:gpt-4': unknown kind 'xs'. Choose from 'alloc', 'cascade', 'cov', 'deepconf', 'dsc'",
        ),
        ("sc:a+b", "strategy 'sc:a+b': sc takes one model, but 2 were given. To combine models, use e.g. mix:a+b."),
        ({"kind": "sc"}, "sc takes one model, but 0 were given. To combine models, use e.g. mix:a+b."),
        (
            "mix:a,sizes=0",
            "strategy 'mix:a,sizes=0': sizes=(0,) does not fit the models ['a']. Use one integer from 1 to",
        ),
    ],
)
def test_errors_name_the_strategy(given, says):
    with pytest.raises(StrategyError) as error:
        parse_strategy(given)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("sc:a+b", 'sc:"a+b"'),
        ("sc:c,d=e", 'sc:"c,d=e"'),
        ("ms:x+a+b,agreement=0.5", 'ms:x+"a+b",agreement=0.5'),
        ({"MS": "ms:a+b+x"}, 'ms:"a+b"+x'),
    ],
)
def test_a_name_of_the_pool_that_lacks_quotes(given, text):
    pool = make_pool({(m, "q"): list("aab") for m in ("a+b", "c,d=e", "x")})
    with pytest.raises(StrategyError) as error:
        evaluate(pool, given, 2)
    assert f"a name of a model needs quotes. Write {text!r}." in str(error.value)
    assert evaluate(pool, text, 2).strategies == (text,)


def test_quotes_are_not_suggested_where_they_do_not_help():
    pool = make_pool({(m, "q"): list("aab") for m in ("a", "b", "a+b")})
    assert evaluate(pool, "ms:a+b", 2).strategies == ("ms:a+b",)
    with pytest.raises(StrategyError, match="unknown option 'agrement'"):
        evaluate(pool, "ms:a+b,agrement=1", 2)
    with pytest.raises(PoolError, match="no model 'd' in this pool"):
        evaluate(pool, "ms:a+b+d", 2)


def test_the_catalogue_lists_strategies_stops_and_votes_by_name():
    rules = [row.rule for row in catalogue()]
    assert rules.index("alloc:M") < rules.index("sc:M") < rules.index("sc:M,stop=beta:0.95")
    assert rules.index("sc:M,stop=window:5") < rules.index("sc:M,vote=best_of_n")
