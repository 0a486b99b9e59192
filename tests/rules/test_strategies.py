import re

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
    Strategy,
    StrategyError,
    Vote,
    WindowStop,
    evaluate,
    parse_strategy,
)
from mssim.rules.stops import _STOPS
from mssim.rules.strategies import _KINDS
from mssim.rules.text import VOTE_NAMES
from tests.conftest import make_pool
from tests.engine.test_monte_carlo import STRATEGIES


@given(STRATEGIES)
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
        ("gpt-4", "write kind:model"),
        ("xs:gpt-4", "choose from 'sc', 'ms', 'cascade', 'mix', 'cov', 'random', 'oracle', 'alloc'"),
        ("ms:a+b,agrement=1", "unknown option 'agrement'; did you mean 'agreement'"),
        ("sc:a,agreement=1", "choose from 'vote', 'normaliser'"),
        (
            "sc:a,stop=5",
            "rule '5'; choose from 'window', 'beta', 'majority', 'entropy', 'evalue', e.g. stop=beta:0.95",
        ),
        ("sc:a,stop=window", "stop='window' cannot be read; e.g. stop=window:5"),
        ("sc:a,stop=window:0", "WindowStop: window=0; give a whole number from 1 to 32767"),
        ({"kind": "sc", "models": "a", "stop": 5}, "stop=5; give a rule such as BetaStop() or WindowStop(5), or None"),
        ("sc:a+b", "use mix for several"),
        ("sc:", "give one or more names"),
        ("mix:a+a", "name each model once"),
        ("ms:a+b,agreement", "write option=value"),
        ("ms:a+b,agreement=high", "e.g. agreement=0.8"),
        ("ms:a+b,agreement=-1", "give a share from 0 to 1"),
        ("ms:a+b,agreement=nan", "give a share from 0 to 1"),
        ("ms:a+b,strict=maybe", "e.g. strict=true"),
        ("ms:a+b,on_agreement=adapt", "did you mean 'adopt'"),
        ("ms:a+b,vote=borda", "choose from 'plurality', 'entropy'"),
        ("mix:a+b,normaliser=samples", "belongs to vote=entropy"),
        ("mix:a+b,vote=entropy,normaliser=sample", "did you mean 'samples'"),
        ("mix:a+b,ties=last", "choose from 'first', 'random', 'wrong'"),
        ("mix:a+b,prior=1/2/3", "3 weights for 2 models"),
        ("mix:a+b,prior=1/0", "give positive numbers"),
        ("mix:a+b,sizes=1", "one whole number from 1 for each"),
        ("mix:a+b,sizes=1/x", "e.g. sizes=6/6/4"),
        ("ms:a+b,agreement=1,agreement=0.5", "option 'agreement' is there twice"),
        (7, "write kind:model"),
        ({"kind": "ms", "models": 3}, "models=3; give a list of names"),
        ({"kind": "ms", "models": ["a", 3]}, "models=['a', 3]; give a list of names"),
        ({"kind": "ms", "models": ["a", "b"], "prior": 3}, "prior=3; give one weight per model"),
        ({"kind": "ms", "models": ["a", "b"], "prior": []}, "give one weight per model"),
        ({"kind": "ms", "models": ["a", "b"], "sizes": 3}, "sizes=3; give one whole number from 1 for each"),
        ({"kind": "ms", "models": ["a", "b"], "sizes": [1, 2.5]}, "sizes=(1, 2.5); give one whole number"),
        ({"kind": "ms", "models": ["a", "b"], "agreement": [1]}, "give a share from 0 to 1"),
        ({"kind": "ms", "models": ["a", "b"], "agreement": True}, "agreement=True; give a share from 0 to 1"),
        ({"kind": "ms", "models": ["a", "b"], "strict": 3}, "strict=3; give true or false"),
    ],
)
def test_what_cannot_be_read_says_what_can(text, says):
    with pytest.raises(StrategyError) as error:
        parse_strategy(text)
    assert says in str(error.value)


def test_objects_check_their_types():
    for options in ({"agreement": "0.8"}, {"strict": "no"}, {"vote": "plurality"}, {"sizes": "66"}):
        with pytest.raises(StrategyError, match="give"):
            ModelSwitch(["a", "b"], **options)
    with pytest.raises(StrategyError, match="give one or more names"):
        Mixture(7)


def test_windows_are_whole_numbers():
    assert WindowStop(np.int32(4)) == WindowStop(4)
    for window in (0, 2.0, True, "5", None, 2**15):
        with pytest.raises(StrategyError, match="give a whole number from 1"):
            WindowStop(window)


def test_numbers_of_numpy_are_numbers():
    strategy = ModelSwitch(
        ["a", "b"], agreement=np.float64(0.5), sizes=[np.int64(2), 3], vote=Vote.plurality(prior=[np.int64(2), 1])
    )
    assert strategy == ModelSwitch(["a", "b"], agreement=0.5, sizes=(2, 3), vote=Vote.plurality(prior=(2, 1)))


def test_a_prior_by_name_must_name_the_models():
    with pytest.raises(StrategyError, match="name each once"):
        Mixture(["a", "b"], Vote.plurality(prior={"a": 1, "c": 2}))


def rows_of_the_table():
    """Text, column and method of every rule in the documentation of Strategy."""
    lines = [line.strip() for line in Strategy.__doc__.splitlines()]
    first, second, last = (i for i, line in enumerate(lines) if line.startswith("==="))
    assert lines[first + 1].split() == ["rule", "formula", "source", "column", "method"]
    rows = [line.split() for line in lines[second + 1 : last]]
    return [(row[0], row[-2], row[-1]) for row in rows if row[-1] in ("exact", "replay")]


@pytest.mark.parametrize(("text", "column", "method"), rows_of_the_table())
def test_the_table_of_rules_says_what_is_so(text, column, method):
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


def test_the_table_of_rules_has_every_kind_vote_and_stop():
    table = " ".join(text for text, _, _ in rows_of_the_table())
    for kind in _KINDS:
        assert f"{kind}:" in table
    for stop in _STOPS:
        assert f"stop={stop}:" in table
    for vote in set(VOTE_NAMES) - {"entropy"}:
        assert f"vote={vote}" in table
