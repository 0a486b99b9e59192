"""Strategies by name: which can run live, what they read of a sample, and their random numbers."""

import re
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from mssim import (
    BudgetError,
    MssimError,
    OwnStop,
    RandomRouter,
    SelfConsistency,
    Stop,
    Strategy,
    StrategyError,
    Vote,
    parse_strategy,
)
from mssim.live import Ask, Draw
from mssim.live.strategies import COLUMNS, allocation, columns_needed, plans_at, random_of, refuse, turns
from mssim.rules.registry import STRATEGIES
from tests.live import strategies_page
from tests.live.drawn import EVERY, run

LIVE = {"alloc", "cascade", "gate", "mix", "ms", "random", "sc", "until"}
REPLAYED = {
    "dsc",
    "cov",
    "deepconf",
    "oracle",
    "rel",
    "route",
}  # need other questions, or correct answers, or end samples


def test_of_every_registered_strategy_it_is_known_whether_it_runs_live():
    ours = {kind for kind, cls in STRATEGIES.items() if cls.__module__.startswith("mssim.")}
    assert ours == LIVE | REPLAYED


@pytest.mark.parametrize("rule", EVERY.values(), ids=EVERY)
def test_every_rule_runs_live_or_says_why_it_cannot(rule):
    unknown = set(columns_needed(rule)) - set(COLUMNS)
    learns = getattr(getattr(rule, "stop", None), "learns", False)
    vote = getattr(rule, "vote", None)
    negative = vote is not None and vote.ballots == "kept" and vote.column == "confidence"  # as a weight
    refused = unknown or learns or negative
    if rule.kind in LIVE and not refused and getattr(rule, "column", None) != "correct":
        refuse(rule)
        rounds = (allocation if rule.kind == "alloc" else turns)(rule, 3, "q")
        assert next(rounds)
    else:
        with pytest.raises(StrategyError, match=r" cannot run live: .*\. Use|Set .* evaluate"):
            refuse(rule)
        with pytest.raises(StrategyError, match=" cannot run live: "):
            turns(rule, 3, "q")


def test_the_guide_has_the_rules_of_the_registries():
    page = strategies_page.PAGE.read_text(encoding="utf-8")
    assert strategies_page.table() in page, "run python -m tests.live.strategies_page"


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        ("cov:x+y", "cov:x+y cannot run live: it asks whether any draw is correct, and does not choose an answer. Use"),
        (
            "sc:x,stop=optimal:0.9",
            "sc:x,stop=optimal:0.9 cannot run live: its stop rule learns from recorded samples of other questions. Use "
            "one that does not, or evaluate it on the recorded pool.",
        ),
        ("rel:x", "rel:x cannot run live: it counts correct draws, and does not choose an answer. Use a strategy that"),
        ("until:x", "until:x cannot run live: its verifier knows the correct answer. Set column and threshold, e.g. "),
        (
            "oracle:x+y",
            "oracle:x+y cannot run live: it chooses a model for each question by recorded accuracies or columns, "
            "which no run knows. Use a strategy such as ms or random, or evaluate it on the recorded pool.",
        ),
        (
            "sc:x,vote=best_of_n",
            "sc:x,vote=best_of_n cannot run live: no server sends the column 'score'. Use one of confidence, "
            "input_tokens, output_tokens, cost, latency, or record samples, add the column to them, and evaluate the "
            "strategy.",
        ),
        ("until:x,column=reward,threshold=1", "cannot run live: no server sends the column 'reward'. Use one of"),
        ({"kind": "sc", "models": ["x"], "stop": OwnStop(lambda *_: True, "score")}, "no server sends the column 'sc"),
    ],
)
def test_what_cannot_run_live_is_named_with_a_remedy(strategy, says):
    with pytest.raises(StrategyError, match=re.escape(says)):
        refuse(strategy)
    with pytest.raises(StrategyError, match=re.escape(says)):
        turns(strategy, 4, "q")


def test_strategies_are_read_as_everywhere():
    text, mapping = "ms:x+y,agreement=0.8", {"kind": "ms", "models": ["x", "y"], "agreement": 0.8}
    for strategy in (text, mapping, parse_strategy(text)):
        assert next(turns(strategy, 8, "q")) == Ask("x", 4)
        refuse(strategy)
    with pytest.raises(StrategyError, match="unknown kind 'mss'"):
        refuse("mss:x+y")


@pytest.mark.parametrize(
    ("strategy", "columns"),
    [
        ("sc:x", ()),
        ("sc:x,vote=confidence", ("confidence",)),
        ("random:x+y,vote=shortest,m=2", ("output_tokens",)),
        ("until:x,column=latency,threshold=2", ("latency",)),
        (SelfConsistency("x", Vote.confidence(), OwnStop(lambda *_: True, "output_tokens")), None),
        (SelfConsistency("x", Vote.confidence(), OwnStop(lambda *_: True, "confidence")), ("confidence",)),
    ],
)
def test_the_columns_that_a_strategy_reads(strategy, columns):
    assert columns_needed(strategy) == (columns if columns is not None else ("confidence", "output_tokens"))


def test_a_router_sends_each_question_to_one_model_by_its_share():
    router = RandomRouter(["x", "y", "z"], shares=(1, 2, 1))
    asked = [next(turns(router, 4, f"q{i}", 5)) for i in range(500)]
    counts = Counter(ask.model for ask in asked)
    assert {ask.n for ask in asked} == {4}
    # Within 5 standard deviations of the means: one seed in 500 000 fails.
    assert abs(counts["x"] - 125) < 5 * 9.7
    assert abs(counts["y"] - 250) < 5 * 11.2
    assert next(turns(router, 4, "q7", 5)) == asked[7]
    assert {next(turns(router, 4, "q7", seed)).model for seed in range(20)} == {"x", "y", "z"}


def test_random_numbers_depend_on_seed_and_question_alone():
    draws = {"x": [Draw(0), Draw(1)]}
    answers = [run(turns("sc:x,ties=random", 2, "q", seed), draws)[0].answer for seed in range(200)]
    assert answers == [run(turns("sc:x,ties=random", 2, "q", seed), draws)[0].answer for seed in range(200)]
    assert 40 < sum(answers) < 160  # fair coins; beyond these once in 10^17
    assert random_of("q", 0).random() != random_of("p", 0).random()
    assert random_of("\ud800", 0).random() != random_of("q", 0).random()  # text that is not encodable
    assert random_of("q1", 0).random() == 0.48189025255568796  # which runs that are resumed depend on
    with pytest.raises(MssimError, match="seed=-1 is out of range"):
        turns("sc:x", 2, "q", -1)


@pytest.mark.parametrize("budget", [0, 2**15, 2.5, "4"])
def test_a_budget_is_a_number_of_samples(budget):
    with pytest.raises(MssimError, match=r"^budget="):
        turns("sc:x", budget, "q")


def test_a_shared_budget_needs_all_questions():
    with pytest.raises(StrategyError, match=r"^alloc:x: its questions share one budget\. Use `allocation` for all"):
        turns("alloc:x", 4, "q")
    for strategy in ("sc:x", "random:x+y"):
        with pytest.raises(StrategyError, match=r": its questions do not share one budget\. Use `turns` for each"):
            allocation(strategy, 4, ["q"])
    with pytest.raises(
        BudgetError, match=r"^alloc:x,cap=3: budget=4 exceeds the 3 samples .* Lower the budget, or raise cap\."
    ):
        allocation("alloc:x,cap=3", 4, ["q"])
    with pytest.raises(BudgetError, match=r"^alloc:x: budget=1025 exceeds the 1024 samples .* Lower the budget\.$"):
        allocation("alloc:x", 1025, ["q"])
    assert next(allocation("alloc:x,cap=3", 3, ["q"])) == [("q", Ask("x"))]
    with pytest.raises(StopIteration) as stopped:
        next(allocation("alloc:x", 3, []))
    assert stopped.value.value == {}


def test_ties_of_a_shared_budget_follow_the_seed_and_the_question():
    answers = []
    for seed in range(100):
        running = allocation("alloc:x,ties=random,cap=2", 2, ["p", "q"], seed)
        next(running)
        running.send([[Draw(0)], [Draw(0)]])
        with pytest.raises(StopIteration) as stopped:
            running.send([[Draw(1)], [Draw(1)]])
        answers.append(tuple(decision.answer for decision in stopped.value.value.values()))
    assert set(answers) == {(0, 0), (0, 1), (1, 0), (1, 1)}


@dataclass(frozen=True)
class Halves(Strategy):
    """A strategy of one's own: two stages of half the budget, of which the first stops with two votes."""

    models: tuple

    def plans(self, budgets):
        first = SelfConsistency(self.models[0]).plans(budgets)[0]
        sizes = np.stack([budgets - budgets // 2, budgets // 2])
        return (first._replace(models=self.models, sizes=sizes, need=np.array([[2], [9]]), adopt=True),)


@dataclass(frozen=True)
class Broken(Halves):
    def plans(self, budgets):
        return (super().plans(budgets)[0]._replace(sizes=np.zeros((2, 1), np.int64)),)


def test_a_strategy_of_ones_own_runs_by_its_plans():
    draws = {"x": [Draw(0), Draw(1), Draw(2)], "y": [Draw(2), Draw(2)]}
    decision, asked = run(turns(Halves(("x", "y")), 5, "q"), draws)
    assert (decision.answer, asked) == (2, [Ask("x", 3), Ask("y", 2)])
    with pytest.raises(StrategyError, match="sizes of its plan are"):
        refuse(Broken(("x", "y")))


@dataclass(frozen=True)
class Tokens(Stop):
    """A stop rule of one's own."""

    most: float = 10
    columns = ("output_tokens",)

    def stops(self, answers, numbers):  # noqa: ARG002
        return numbers[0].sum() >= self.most


def test_a_stop_rule_of_ones_own_is_asked():
    draws = {"x": [Draw(1, {"output_tokens": 4}), Draw(0, {"output_tokens": 6}), Draw(0, {"output_tokens": 1})]}
    decision, asked = run(turns(SelfConsistency("x", stop=Tokens()), 9, "q"), draws)
    assert decision == (1, "stop rule", 0)
    assert asked == [Ask("x"), Ask("x")]


def test_functions_are_tried_before_the_first_request():
    with pytest.raises(StrategyError, match="raises an error for votes"):
        turns(SelfConsistency("x", Vote.own(lambda counts: counts)), 4, "q")
    unequal = replace(Vote.plurality(), prior=(1, 1e-12))
    with pytest.raises(StrategyError, match="less than the rounding of scores"):
        plans_at(parse_strategy({"kind": "mix", "models": ["x", "y"], "vote": unequal}), 4)
