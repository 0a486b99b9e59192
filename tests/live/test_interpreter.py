"""Plans, draw by draw: equal to the naive rules on the draws of replays, and rounds that one can check by hand."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import ModelSwitch, OwnStop, SelfConsistency, StrategyError, catalogue, evaluate, parse_strategy
from mssim.live import Ask, Decision, Draw
from mssim.live.interpreter import Ranks, decide, read_draws, refusal
from tests.conftest import examples, make_pool
from tests.live.drawn import EVERY, Ranked, run, runs, samples_of
from tests.rules.test_catalogue import TIES, budgets_for, example, pools, with_ties


def plan_of(strategy, budget):
    return parse_strategy(strategy).plans(np.array([budget]))[0]


def runs_alone(rule):
    """Whether a rule has one plan, which needs no more than the draws of one question."""
    plan, *others = rule.plans(np.array([6]))
    return not others and refusal(plan) is None


ALONE = {name: rule for name, rule in EVERY.items() if runs_alone(rule)}


@pytest.mark.parametrize("rule", ALONE.values(), ids=ALONE)
@settings(max_examples=examples(4))
@given(pools(), st.sampled_from(TIES), st.integers(0, 2**64 - 1), st.booleans(), st.data())
def test_answers_and_draws_are_those_of_the_naive_rule(rule, pool, ties, seed, replacement, data):
    rule = with_ties(rule, ties)
    budget = data.draw(st.sampled_from(budgets_for(rule, pool.codes.shape[2]).tolist()))
    found = runs(pool, rule, budget, n_replays=3, seed=seed, replacement=replacement)
    for decision, (right, used), (naively_right, naively_used) in found:
        assert used == naively_used
        # A tie of correct answers is no answer under "wrong", which the naive rule counts as correct.
        assert right == naively_right or (ties == "wrong" and decision.answer == -1)


EXACT = [rule for row in catalogue() if row.method == "exact" and runs_alone(rule := example(row.rule))]
EXACT += [parse_strategy("sc:x,stop=window:2")]


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("rule", [pytest.param(rule, id=str(rule)) for rule in EXACT])
def test_the_mean_over_all_orders_of_draws_is_the_exact_expectation(rule, ties):
    numbers = {"score": [0.5, 0.1, 0.3, -1.0, 0.9, 0.4], "confidence": [0.9, 1.0, 0.8, 0.1, 0.2, 0.3]}
    pool = make_pool({("x", "q"): ["a", "b", "a"], ("y", "q"): ["b", None, "a"]}, **numbers)
    rule, budget = with_ties(rule, ties), 3 if len(rule.models) == 1 else 4
    plan, exact = plan_of(rule, budget), evaluate(pool, rule, budget, method="exact")
    recorded = {model: samples_of(pool, "q", model, range(3)) for model in rule.models}
    orders = [
        itertools.permutations(recorded[m], n) for m, n in zip(plan.models, plan.sizes[:, 0].tolist(), strict=True)
    ]
    found = []
    for draws, ranks in itertools.product(itertools.product(*orders), [(0, 1), (1, 0)]):
        by_model = dict(zip(plan.models, draws, strict=True))
        decision, asked = run(decide(plan, random=Ranked(ranks)), by_model)
        found.append((decision.answer == 0, sum(ask.n for ask in asked)))
    right, used = np.mean(found, axis=0)
    assert right == pytest.approx(exact.accuracy.item(), abs=1e-12)
    assert used == pytest.approx(exact.samples_used.item(), abs=1e-12)


def asked(strategy, budget, draws):
    return run(decide(plan_of(strategy, budget), random=np.random.default_rng(0)), draws)


SAME = {"x": [Draw(0)] * 9, "y": [Draw(1)] * 9}
MIXED = {"x": [Draw(c) for c in (0, 1, 0, 2, -1, 3, 3, 0, 0)], "y": [Draw(c) for c in (1, 1, 2, 1, 1, 1, 1, 1, 1)]}
NOTHING = {"x": [Draw(-1)] * 9, "y": [Draw(-1)] * 9}


@pytest.mark.parametrize(
    ("strategy", "draws", "rounds", "decision"),
    [
        ("sc:x", MIXED, [("x", 8)], Decision(0, "budget", 0)),
        ("sc:x,stop=majority:0.6/3", MIXED, [("x", 1)] * 3, Decision(0, "stop rule", 0)),
        ("sc:x,stop=window:3", MIXED, [("x", 3), ("x", 3), ("x", 2)], Decision(0, "budget", 0)),
        ("sc:y,stop=window:2", MIXED, [("y", 2)], Decision(1, "stop rule", 0)),
        ("sc:x,stop=majority:0.6/3,looks=2/5", MIXED, [("x", 2), ("x", 3), ("x", 3)], Decision(0, "budget", 0)),
        ("sc:x,stop=beta,looks=2/4/8", SAME, [("x", 2), ("x", 2)], Decision(0, "stop rule", 0)),
        ("sc:x,stop=beta,looks=3/7", SAME, [("x", 3), ("x", 4)], Decision(0, "stop rule", 0)),
        ("sc:x,stop=beta,looks=3/9", SAME, [("x", 3), ("x", 5)], Decision(0, "budget", 0)),
        ("sc:x,stop=window:2,looks=3/6", SAME, [("x", 3), ("x", 3)], Decision(0, "stop rule", 0)),
        ("sc:x,stop=window:9", SAME, [("x", 8)], Decision(0, "budget", 0)),
        ("mix:x+y", MIXED, [("x", 4, (Ask("y", 4),)), ("y", 4)], Decision(1, "budget", 1)),
        ("mix:x+y,sizes=8/4", MIXED, [("x", 8)], Decision(0, "budget", 0)),
        ("ms:x+y,agreement=2", MIXED, [("x", 4, (Ask("y", 4),)), ("y", 4)], Decision(1, "budget", 1)),
        ("ms:x+y", SAME, [("x", 4)], Decision(0, "agreement", 0)),
        ("ms:x+y,agreement=0.75", MIXED, [("x", 4), ("y", 4)], Decision(1, "agreement", 1)),
        ("ms:x+y,test_last=false,agreement=0.75", MIXED, [("x", 4), ("y", 4)], Decision(1, "budget", 1)),
        ("ms:x+x", MIXED, [("x", 4), ("x", 4)], Decision(0, "budget", 1)),
        ("ms:x+y,on_agreement=pool,agreement=0.5", MIXED, [("x", 4)], Decision(0, "agreement", 0)),
        ("ms:x+y,agreement=0", NOTHING, [("x", 4)], Decision(-1, "agreement", 0)),
        ("ms:x+y,agreement=0.1", NOTHING, [("x", 4), ("y", 4)], Decision(-1, "budget", 1)),
        ("ms:x+y,sizes=9/9", MIXED, [("x", 8)], Decision(0, "budget", 0)),
        ("cascade:x+y", MIXED, [("x", 4), ("y", 4)], Decision(1, "budget", 1)),
        ("cascade:x+y", NOTHING, [("x", 4), ("y", 4)], Decision(-1, "budget", 1)),
        ("cascade:x+y", SAME, [("x", 4)], Decision(0, "agreement", 0)),
        ("cascade:x+y,sizes=9/1", SAME, [("x", 8)], Decision(0, "budget", 0)),
    ],
)
def test_rounds_and_why_they_end(strategy, draws, rounds, decision):
    assert asked(strategy, 8, draws) == (decision, [Ask(*one) for one in rounds])


def test_stages_before_which_nothing_stops_are_one_round():
    draws = {model: [Draw(0)] * 4 for model in "xyz"}
    z = Ask("z", 2)
    assert asked("mix:x+y+z", 6, draws)[1] == [Ask("x", 2, (Ask("y", 2), z)), Ask("y", 2, (z,)), z]
    rule = ModelSwitch(["x", "y", "z"], 1.0, strict=True, sizes=(2, 1, 2))
    assert asked(rule, 5, draws)[1] == [Ask("x", 2, (Ask("y"), z)), Ask("y", 1, (z,)), z]
    (plan,) = rule.plans(np.array([5]))
    plan.need[:, 0] = [3, 1, 3]  # only the second stage can stop
    assert run(decide(plan, random=np.random.default_rng(0)), draws)[1] == [Ask("x", 2, (Ask("y"),)), Ask("y")]
    plan.need[:, 0] = [3, 2, 3]
    draws["y"][0] = Draw(1)
    assert len(run(decide(plan, random=np.random.default_rng(0)), draws)[1]) == 3


def test_a_model_that_agrees_is_adopted_or_all_draws_so_far_vote():
    draws = {"x": [Draw(0), Draw(0), Draw(1), Draw(0)], "y": [Draw(1)] * 4}
    assert asked("ms:x+y,agreement=0.8,vote=plurality", 8, draws)[0] == Decision(1, "agreement", 1)
    draws = {"x": [Draw(0)] * 3, "y": [Draw(1)] * 2}
    assert asked("ms:x+y,agreement=2,sizes=3/2,vote=plurality", 5, draws)[0] == Decision(0, "budget", 1)
    draws["x"][0] = Draw(-1)
    pooled = "ms:x+y,on_agreement=pool,sizes=3/2,vote=plurality"
    assert asked(pooled, 5, draws)[0] == Decision(0, "agreement", 1)  # y agrees, and both have two votes


def numbered(*draws):
    return [Draw(answer, {"confidence": number}) for answer, number in draws]


def test_a_verifier_answers_with_the_first_draw_that_it_accepts():
    rule = "until:x+y,column=confidence,threshold=-0.5"
    draws = {"x": numbered((0, -0.6), (-1, -0.1)), "y": numbered((2, -0.51), (1, -0.5))}
    assert asked(rule, 4, draws) == (Decision(1, "accepted", 1), [Ask("x"), Ask("x"), Ask("y"), Ask("y")])
    draws["y"] = numbered((2, -0.51), (1, -0.7))
    assert asked(rule, 4, draws)[0] == Decision(-1, "budget", 1)
    assert asked(rule, 1, draws) == (Decision(-1, "budget", 0), [Ask("x")])


def test_the_last_model_of_a_gate_answers_in_any_case():
    rule = "gate:x+y+z,threshold=0.9/0.5"
    draws = {"x": numbered((0, 0.9)), "y": numbered((1, 0.5)), "z": [Draw(2)]}
    assert asked(rule, 9, draws) == (Decision(0, "accepted", 0), [Ask("x")])
    draws["x"] = [Draw(-1)]
    assert asked(rule, 9, draws) == (Decision(1, "accepted", 1), [Ask("x"), Ask("y")])
    draws["y"] = numbered((1, 0.4))
    assert asked(rule, 9, draws) == (Decision(2, "budget", 2), [Ask("x"), Ask("y"), Ask("z")])
    assert asked(rule, 2, draws) == (Decision(1, "budget", 1), [Ask("x"), Ask("y")])
    draws["x"] = numbered((0, 0.9))
    assert asked(f"{rule},strict=true", 1, draws)[0] == Decision(0, "budget", 0)
    assert asked(f"{rule},strict=true", 2, draws)[0] == Decision(1, "budget", 1)


def test_a_stop_rule_is_asked_after_every_draw_with_all_its_numbers():
    heard = []

    def stop(counts, answers, numbers):
        heard.append((counts.tolist(), answers.tolist(), numbers.tolist()))
        return len(answers) == 3

    rule = SelfConsistency("x", stop=OwnStop(stop, columns=["confidence", "output_tokens"]))
    draws = [Draw(1, {"confidence": -1, "output_tokens": 5}), Draw(-1), Draw(1, {"confidence": 0, "output_tokens": 7})]
    assert asked(rule, 5, {"x": draws}) == (Decision(1, "stop rule", 0), [Ask("x")] * 3)
    assert [(counts, answers) for counts, answers, _ in heard] == [
        ([0, 1], [1]),
        ([0, 1], [1, -1]),
        ([0, 2], [1, -1, 1]),
    ]
    assert np.array_equal(heard[-1][2], [[-1, np.nan, 0], [5, np.nan, 7]], equal_nan=True)


def test_ties_at_random_follow_the_random_numbers():
    draws = {"x": [Draw(1), Draw(0), Draw(-1)]}
    plan = plan_of("sc:x,ties=random", 3)
    assert run(decide(plan, random=Ranked([0.2, 0.7])), draws)[0].answer == 1
    assert run(decide(plan, random=Ranked([0.7, 0.2])), draws)[0].answer == 0
    answers = [run(decide(plan, random=np.random.default_rng(seed)), draws)[0].answer for seed in range(200)]
    assert 40 < sum(answers) < 160  # both with probability 1/2; beyond these once in 10^17
    ranks = Ranks(Ranked([0.1, 0.2, 0.3]))
    assert [ranks(2), ranks(0), ranks(2), ranks(1)] == [0.3, 0.1, 0.3, 0.2]


def test_a_tie_that_counts_as_wrong_is_no_answer():
    draws = {"x": [Draw(0), Draw(0), Draw(1), Draw(1)], "y": [Draw(2)]}
    assert asked("sc:x,ties=wrong", 4, draws)[0] == Decision(-1, "budget", 0)
    assert asked("sc:x,ties=wrong", 3, draws)[0] == Decision(0, "budget", 0)
    assert asked("ms:x+y,agreement=0.5,sizes=4/1,ties=wrong", 5, draws)[0] == Decision(-1, "agreement", 0)


def test_a_draw_beyond_a_limit_of_tokens_has_no_answer():
    long, short, unknown = (Draw(0, {"output_tokens": n}) for n in (9, 8, float("nan")))
    (plan,) = parse_strategy("mix:x+y,max_tokens=8/none").plans(np.array([4]))
    assert read_draws(plan, 0, 2, [long, short]) == [Draw(-1, {"output_tokens": 8}), short]
    assert read_draws(plan, 1, 1, [long]) == [long]
    assert read_draws(plan, 0, 1, [unknown]) == [unknown]  # the server knows the limit
    assert read_draws(plan, 0, 1, [Draw(0)]) == [Draw(0)]


@pytest.mark.parametrize("number", [{}, {"confidence": float("nan")}, {"confidence": float("inf")}])
def test_a_number_that_is_missing_is_named_with_its_model(number):
    turns = decide(plan_of("mix:x+y,vote=confidence", 2), random=np.random.default_rng(0))
    next(turns)
    turns.send([Draw(-1, number)])  # needs none
    says = "column 'confidence': a sample of model 'y' has none. Let the server send it, or use a strategy that does"
    with pytest.raises(StrategyError, match=re.escape(says)):
        turns.send([Draw(0, number)])


def test_as_many_draws_come_as_were_asked_for():
    turns = decide(plan_of("sc:x", 2), random=np.random.default_rng(0))
    next(turns)
    with pytest.raises(ValueError, match="2 draws of 'x' were asked for, and 1 came"):
        turns.send([Draw(0)])


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        ("cov:x", "plan: it asks whether any draw is correct, and does not choose an answer. Use a strategy that"),
        ("rel:x", "plan: it counts correct draws, and does not choose an answer. Use a strategy that votes, or eval"),
        ("rel:x,tau=mean", "plan: it counts correct draws"),
        ("until:x", "plan: its verifier knows the correct answer. Set column and threshold, e.g. column=confidence,"),
        ("deepconf:x", "plan: no server sends the confidences of groups of tokens, or ends a sample by them. Use rec"),
        ("alloc:x", "plan: its questions share one budget. Run it for all questions together, or evaluate it on"),
    ],
)
def test_a_plan_that_needs_more_than_its_draws_is_refused(strategy, says):
    with pytest.raises(StrategyError, match="^" + re.escape(says)):
        decide(plan_of(strategy, 2), random=np.random.default_rng(0))


def test_a_plan_has_one_budget():
    (plan,) = SelfConsistency("x").plans(np.array([2, 4]))
    with pytest.raises(StrategyError, match=r"plan: it has 2 budgets\. Use `Plan\.at\(\[number\]\)` to choose"):
        decide(plan, random=np.random.default_rng(0))
    assert run(decide(plan.at([1]), random=np.random.default_rng(0)), SAME)[1] == [Ask("x", 4)]
