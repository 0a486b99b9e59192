"""Limits of output tokens: longer samples have no answer, in replays, closed forms and the jackknife."""

import random
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import (
    AdaptiveAllocation,
    Cascade,
    ModelSwitch,
    OracleRouter,
    OwnStop,
    Pool,
    PoolError,
    PoolWarning,
    RandomRouter,
    SelfConsistency,
    Strategy,
    StrategyError,
    UntilVerified,
    Vote,
    evaluate,
    parse_strategy,
)
from mssim.engine.jackknife import JackknifeWork
from mssim.engine.job import read_job
from mssim.engine.limited import check_limits, codes_of, cut_tokens, limit_warnings, limits_by_model
from mssim.engine.sample_groups import GroupWork
from mssim.rules.plan import Plan, allocate
from tests import naive
from tests.conftest import make_pool
from tests.engine import test_closed_forms, test_monte_carlo

XYZ = ["x", "y", "z"]
LIMITS = st.one_of(st.integers(1, 6), st.lists(st.sampled_from([None, 1, 2, 3, 4, 6]), min_size=3, max_size=3))


def lengths_drawn(draw, pool):
    """The pool with output tokens of 1 to 5, the longer ones more often wrong or not."""
    frame = pool.to_frame()
    n = len(frame)
    return Pool.from_frame(
        frame.assign(output_tokens=draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))).astype(
            {"output_tokens": float}
        )
    )


def given_limits(draw, strategy):
    limits = draw(LIMITS)
    return replace(strategy, max_tokens=limits if isinstance(limits, int) else limits[: len(strategy.models)])


@st.composite
def limited_strategies(draw):
    others = st.one_of(
        st.builds(Cascade, st.just(["x", "y", "x"]), st.sampled_from([0.5, 1.0])),
        st.builds(ModelSwitch, st.just(["x", "x"]), st.sampled_from([0.6, 1.0])),
        st.builds(SelfConsistency, st.just("y"), st.just(Vote.shortest(2, column="output_tokens"))),
        st.builds(AdaptiveAllocation, st.just("x"), st.sampled_from([None, 3])),
        st.builds(OracleRouter, st.just(XYZ)),
        st.builds(RandomRouter, st.just(XYZ[:2])),
        st.builds(UntilVerified, st.just(XYZ[:2]), st.sampled_from(["correct"])),
    )
    return given_limits(draw, draw(st.one_of(test_monte_carlo.STRATEGIES, others)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
@given(st.data(), st.integers(0, 2**64 - 1), st.booleans())
def test_limited_replays_equal_the_naive_ones(data, seed, replacement):
    pool = lengths_drawn(data.draw, data.draw(test_monte_carlo.pools()))
    strategy = data.draw(limited_strategies())
    replacement = replacement and not isinstance(strategy, AdaptiveAllocation)
    budgets = list(range(1, min(pool.codes.shape[2], getattr(strategy, "cap", None) or 7) + 1))
    hits, used = test_monte_carlo.counts(pool, strategy, budgets, seed=seed, replacement=replacement)
    for i, budget in enumerate(budgets):
        expected, spent = naive.evaluate(pool, strategy, budget, n_replays=6, seed=seed, replacement=replacement)
        assert (hits[i], used[i]) == ([round(n) for n in expected], [round(n) for n in spent])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
@pytest.mark.parametrize("kind", test_closed_forms.CLOSED_FORMS)
@given(st.data(), st.booleans())
def test_limited_closed_forms_equal_the_mean_over_all_draws(kind, data, replacement):
    pool = lengths_drawn(data.draw, data.draw(test_closed_forms.pools()))
    rule = given_limits(data.draw, data.draw(test_closed_forms.CLOSED_FORMS[kind]))
    budgets = test_closed_forms.affordable(pool, rule, replacement)
    result = evaluate(pool, rule, budgets, method="exact", replacement=replacement)
    for i, budget in enumerate(budgets):
        accuracy, used = naive.expectation(pool, rule, budget, replacement=replacement)
        assert result.accuracy[0, i] == pytest.approx([float(p) for p in accuracy], abs=1e-12)
        assert result.samples_used[0, i] == pytest.approx([float(n) for n in used], abs=1e-11)


def token_pool(n_questions=4, n_samples=8, **columns):
    rng = random.Random(5)
    answers = {
        (m, f"q{q}"): rng.choices(["a", "a", "b", "c", None], k=n_samples) for m in XYZ for q in range(n_questions)
    }
    tokens = [float(rng.randint(1, 9)) for given in answers.values() for _ in given]
    return make_pool(answers, output_tokens=tokens, **columns)


def cut(pool, limit):
    """The pool in which long samples have no answer; its answer classes have the same numbers."""
    tokens = pool.numbers["output_tokens"]
    codes = np.where(tokens > limit, -1, pool.codes).astype(np.int16)
    return replace(pool, codes=codes, numbers={"output_tokens": np.minimum(tokens, limit)})


ALL_KINDS = [
    "sc:x",
    "sc:x,ties=random",
    "sc:x,stop=window:2",
    "sc:x,stop=beta",
    "sc:x,vote=shortest,m=3",
    "ms:x+y",
    "ms:x+x",
    "mix:x+y+z,prior=2/1/1",
    "cascade:x+y,agreement=0.6",
    "cov:x+y",
    "rel:x",
    "random:x+y",
    "oracle:x+y",
    "alloc:x",
    "until:x+y",
]


@pytest.mark.parametrize(("options", "without"), [({}, ()), ({"replacement": True, "jackknife": True}, ("alloc:x",))])
def test_a_limit_is_the_same_as_a_pool_in_which_long_samples_have_no_answer(options, without):
    """To the last bit, in closed forms and replays, and also their jackknife."""
    pool = token_pool()
    asked = {name: parse_strategy(name) for name in ALL_KINDS if name not in without}
    limited = {name: replace(strategy, max_tokens=5) for name, strategy in asked.items()}
    one = evaluate(pool, limited, [2, 5], n_replays=30, **options)
    other = evaluate(cut(pool, 5), asked, [2, 5], n_replays=30, **options)
    whole = evaluate(pool, asked, [2, 5], n_replays=30, **options)
    assert np.array_equal(one.accuracy, other.accuracy)
    assert np.array_equal(one.samples_used, other.samples_used)
    assert np.array_equal(one.tokens, other.tokens, equal_nan=True)
    assert (one.accuracy != whole.accuracy).any(axis=(1, 2)).all()
    assert one.jackknife is None or np.array_equal(one.jackknife.variance, other.jackknife.variance)


def test_stopping_rules_read_the_tokens_of_samples_that_are_cut_off():
    def spent(counts, answers, numbers):  # noqa: ARG001
        return numbers[0].sum() >= 6

    pool = make_pool({("x", "q"): ["a"] * 6}, output_tokens=[9.0] * 6)
    rule = SelfConsistency("x", stop=OwnStop(spent, columns=("output_tokens",)))
    used = evaluate(pool, {"short": replace(rule, max_tokens=2), "long": rule}, 6, n_replays=2).samples_used
    assert used.ravel().tolist() == [3, 1]


def test_codes_are_limited_per_stage():
    pool = make_pool({("x", "q"): ["a", "b", None], ("y", "q"): ["a"]}, output_tokens=[3.0, 4.0, 5.0, 9.0])
    found = codes_of(pool, ["x", "x", "y"], (3, None, 8), slice(0, 1))
    assert found[:, 0].tolist() == [[0, -1, -1], [0, 1, -1], [-1, *pool.codes[1, 0, 1:]]]
    assert codes_of(pool, ["x"], (4,), slice(0, 1))[0, 0, :2].tolist() == [0, 1]
    assert codes_of(pool, ["x"], None, slice(0, 1))[0, 0, :2].tolist() == [0, 1]
    assert pool.codes[0, 0].tolist() == [0, 1, -1]  # unchanged


def test_tokens_are_cut_per_stage():
    tokens = np.array([[[1.0, 5.0]], [[1.0, 5.0]]])
    assert cut_tokens(tokens, (3, None)).tolist() == [[[1, 3]], [[1, 5]]]
    assert cut_tokens(tokens, None) is tokens


@dataclass(frozen=True)
class TwoLengths(Strategy):
    """The mean of one model with a short and with a long limit."""

    kind: ClassVar[str] = ""
    models: tuple[str, ...] = ("x",)

    def plans(self, budgets):
        sizes = allocate(budgets, 1)
        never = np.full_like(sizes, 2**31)
        return tuple(Plan(["x"], sizes, never, Vote.plurality(), max_tokens=(limit,)) for limit in (3, 7))

    def combine(self, parts, _questions):
        return parts[0]._replace(accuracy=np.mean([part.accuracy for part in parts], axis=0))


def test_limits_are_collected_by_model():
    plans = [*TwoLengths().plans(np.array([2])), *parse_strategy("mix:y+x").plans(np.array([2]))]
    assert limits_by_model(plans) == {"x": {3, 7, None}, "y": {None}}


def test_a_sample_that_two_limits_share_is_left_out_of_both():
    """The jackknife leaves out groups of samples, since no closed form has the two parts of a sample."""
    options = {"method": "auto", "n_replays": 20, "seed": 0, "replacement": False}
    job = read_job({"both": TwoLengths(), "one": "sc:x"}, [2, 4], **options)
    work = JackknifeWork(job, token_pool())
    kinds = {key[0]: len(key) for key in work._keys}
    assert kinds == {0: 4, 1: 3}  # blocks of replays without a group, closed forms without a sample
    assert isinstance(work._groups[0][1], GroupWork)
    assert np.isfinite(work.run(None).variance).all()


def test_limits_need_the_tokens_of_every_sample():
    with pytest.raises(
        PoolError, match=r"^sc:x,max_tokens=3: max_tokens requires output_tokens.*2 of 2 samples.*first sample 0"
    ):
        evaluate(make_pool({("x", "q"): ["a", "b"]}), "sc:x,max_tokens=3", 1)
    lacking = make_pool({("x", "q"): ["a", "b"], ("y", "q"): ["a"]}, output_tokens=[3, None, 4])
    with pytest.raises(PoolError, match=r"1 of 2 samples of model 'x' have none, first sample 1 of question 'q'\."):
        evaluate(lacking, "mix:x+y,max_tokens=3", 1)
    with pytest.warns(PoolWarning, match="tokens: 1 sample of model 'x' has no output_tokens"):
        assert evaluate(lacking, "mix:y+x,max_tokens=3/none", 1).accuracy.item() == 0


@pytest.mark.parametrize("limits", [(1, 2), (0,), (1.5,), [3], 7, (True,)])
def test_limits_of_a_plan_are_checked(limits):
    (plan,) = parse_strategy("sc:x").plans(np.array([1]))
    with pytest.raises(StrategyError, match="mine: max_tokens of its plan is"):
        check_limits(token_pool(), "mine", plan._replace(max_tokens=limits))


def warned(pool, *strategies):
    return limit_warnings(pool, [plan for text in strategies for plan in parse_strategy(text).plans(np.array([2]))])


def recorded(reasons, tokens):
    return make_pool({("x", "q"): ["a"] * len(tokens)}, finish_reason=reasons, output_tokens=[float(n) for n in tokens])


def test_a_limit_beyond_that_of_the_recording_is_named_once_per_model():
    pool = recorded(["stop", "length", "length", "stop"], [5, 64, 60, 7])
    assert warned(pool, "sc:x,max_tokens=60", "sc:x") == []
    expected = "50 % of the samples of model 'x' were cut off by the recording, at 60 to 64 tokens. "
    expected += "A longer limit cannot be simulated beyond that. Use at most 60."
    assert warned(pool, "sc:x,max_tokens=61", "sc:x,max_tokens=60") == [f"max_tokens=61: {expected}"]
    several = warned(pool, "sc:x,max_tokens=99", "ms:x+x,max_tokens=62/none")
    assert several == [f"max_tokens=[62, 99]: {expected}"]
    with pytest.warns(PoolWarning, match=r"max_tokens=61: 50 %"):
        evaluate(pool, "sc:x,max_tokens=61", 1)


def test_a_limit_of_the_recording_is_guessed_without_finish_reasons():
    pool = make_pool({("x", "q"): ["a"] * 100}, output_tokens=[64.0] * 8 + [float(n % 60) for n in range(92)])
    assert warned(pool, "sc:x,max_tokens=64") == [
        "max_tokens=64: no effect on model 'x', whose longest sample has 64 tokens. Use a lower limit, or remove it."
    ]
    (message,) = warned(pool, "sc:x,max_tokens=65")
    assert message.startswith(
        "max_tokens=65: 8 % of the samples of model 'x' have exactly 64 tokens, the largest number"
    )


def test_a_limit_without_effect_is_named():
    pool = recorded(["stop"] * 3, [5, 64, 7])
    assert warned(pool, "sc:x,max_tokens=63") == []
    assert warned(pool, "sc:x,max_tokens=64")[0].startswith("max_tokens=64: no effect on model 'x'")


def test_one_sample_in_thousands_that_was_cut_off_is_no_warning():
    pool = recorded(["stop"] * 2000 + ["length"], [5] * 2000 + [20])
    assert warned(pool, "sc:x,max_tokens=19") == []
    assert "no effect" in warned(pool, "sc:x,max_tokens=25")[0]
