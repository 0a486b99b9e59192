"""Models that are parts of one recorded run: drawn together, and every run paid once."""

import random
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import (
    BudgetError,
    Cascade,
    Coverage,
    Mixture,
    ModelSwitch,
    Pool,
    PoolError,
    PoolWarning,
    SelfConsistency,
    StrategyError,
    UntilVerified,
    Vote,
    evaluate,
    parse_strategy,
)
from mssim.engine.half_samples import half_pools
from mssim.engine.shared_draws import check_linked, paid_amounts, prefixes, with_orders
from mssim.rules.plan import QUANTITIES
from tests import naive
from tests.conftest import make_pool, replay

ROUNDS = ("r1", "r2", "r3")
GROUPS = [ROUNDS]


def debate_frame(answers, extra):
    """A frame from {(model, question): answers} of ROUNDS and "x"; a later round has spent more, as `extra` says."""
    rows = []
    for question in sorted({q for _, q in answers}):
        for model in (*ROUNDS, "x"):
            for i, answer in enumerate(answers[model, question]):
                before = rows[-len(answers[model, question])] if model in ROUNDS[1:] else None
                spent = extra() + (before["output_tokens"] if before else 0)
                waited = extra() / 8 + (before["latency"] if before else 0)
                sample = {"question_id": question, "model": model, "sample_index": i, "answer": answer}
                spends = {"output_tokens": spent, "cost": spent / 4, "latency": waited}
                rows.append(sample | spends | {"correct": answer == "a"})
    return pd.DataFrame(rows).astype({"output_tokens": float})


@st.composite
def debates(draw):
    n, answers = draw(st.integers(2, 5)), st.sampled_from(["a", "a", "b", "c", None])
    lists = st.lists(answers, min_size=n, max_size=n)
    given_answers = {(m, f"q{q}"): draw(lists) for m in (*ROUNDS, "x") for q in range(draw(st.integers(1, 2)))}
    questions = sorted({q for _, q in given_answers})
    for m in (*ROUNDS, "x"):
        for q in questions:
            given_answers.setdefault((m, q), ["a"] * n)
    rng = random.Random(draw(st.integers(0, 99)))
    return Pool.from_frame(debate_frame(given_answers, lambda: rng.randint(0, 9)))


SEVERAL = st.sampled_from([("r1", "r2", "r3"), ("r1", "x", "r3"), ("r2", "r3"), ("x", "r1", "r2")])
STRATEGIES = st.one_of(
    st.builds(ModelSwitch, SEVERAL, st.sampled_from([0.5, 1.0, 1.5]), on_agreement=st.sampled_from(["adopt", "pool"])),
    st.builds(Mixture, SEVERAL, st.sampled_from([Vote.plurality(), Vote.entropy()])),
    st.builds(Cascade, SEVERAL, st.sampled_from([0.6, 1.0])),
    st.builds(Coverage, SEVERAL),
    st.builds(UntilVerified, SEVERAL),
    st.builds(SelfConsistency, st.sampled_from(ROUNDS)),
)


def spent_in(pool, strategy, budget, question, number, seed, parallel):
    """What a replay spends: of every run the whole of its last part that was drawn, {quantity: amount}."""
    samples, right = naive.recorded(pool)
    sizes = naive.allocate(budget, len(strategy.models))
    n = len(samples["x"][question])
    orders = [
        naive.positions(seed, "r1" if model in ROUNDS else model, question, number, n, size)
        for model, size in zip(strategy.models, sizes, strict=True)
    ]
    draws = [[samples[m][question][i] for i in order] for m, order in zip(strategy.models, orders, strict=True)]
    known = sorted({a for by_question in samples.values() for a in by_question[question] if a is not None})
    rank = {a: naive.tie_rank(seed, question, number, c) for c, a in enumerate(known)}
    _, used = naive.replay(strategy, draws, right[question], rank.get)
    tokens, latency = (naive.column_of(pool, column) for column in ("output_tokens", "latency"))
    runs = {}  # the last part of every run
    for model, order, end in zip(strategy.models, orders, used, strict=True):
        runs |= {("run" if model in ROUNDS else model, i): tokens[model][question][i] for i in order[:end]}
    waited, so_far = 0.0, {}
    for stages in naive.rounds_of(strategy, used, sizes):
        begun = dict(so_far)
        longest = 0.0
        for s, start, end in stages:
            model = strategy.models[s]
            keys = [("run" if model in ROUNDS else model, i) for i in orders[s][start:end]]
            ends = {key: latency[model][question][key[1]] for key in keys}
            times = [ends[key] - (begun if parallel is None else so_far).get(key, 0.0) for key in keys]
            if parallel is None:
                longest = max([longest, *times])
            else:
                waited += sum(max(times[j : j + parallel]) for j in range(0, len(times), parallel))
            so_far |= ends
        waited += longest
    return {"tokens": sum(runs.values()), "cost": sum(runs.values()) / 4, "latency": waited}


@pytest.mark.slow
@given(debates(), STRATEGIES, st.integers(0, 2**64 - 1), st.sampled_from([None, 1, 2]))
def test_runs_are_drawn_together_and_paid_once(pool, strategy, seed, parallel):
    budgets = list(range(1, pool.codes.shape[2] + 1))
    options = {"n_replays": 5, "seed": seed, "shares_draws": GROUPS}
    found = replay(pool, strategy, budgets, parallel=parallel, **options)
    for b, budget in enumerate(budgets):
        hits, used = naive.evaluate(pool, strategy, budget, **options)
        assert np.rint(5 * found.accuracy[0, b]).tolist() == hits
        assert np.rint(5 * found.samples_used[0, b]).tolist() == used
        for q, question in enumerate(pool.question_ids):
            replays = [spent_in(pool, strategy, budget, question, r, seed, parallel) for r in range(5)]
            for name in QUANTITIES:
                assert getattr(found, name)[0, b, q] == pytest.approx(sum(one[name] for one in replays) / 5), name


def debate(n=6, seed=3):
    rng = random.Random(seed)
    answers = {(m, f"q{q}"): rng.choices("aabc", k=n) for m in (*ROUNDS, "x") for q in range(3)}
    return Pool.from_frame(debate_frame(answers, lambda: rng.randint(1, 9)))


def test_a_run_that_is_right_in_one_of_two_rounds_is_always_covered():
    pool = make_pool({("r1", "q"): list("aabb"), ("r2", "q"): list("bbaa")})
    asked = (pool, "cov:r1+r2", [2, 4])
    assert evaluate(*asked, shares_draws=[["r1", "r2"]]).accuracy.ravel().tolist() == [1, 1]
    assert evaluate(*asked).accuracy.ravel()[0] == pytest.approx(3 / 4)
    both = evaluate(pool, "mix:r1+r2,ties=wrong", 2, shares_draws=[["r1", "r2"]], n_replays=50)
    assert both.accuracy.item() == 0
    assert both.n_replays.item() == 50


def test_with_one_model_of_a_group_closed_forms_remain():
    pool = debate()
    plain, shared = (evaluate(pool, ["sc:r3", "ms:r2+x,vote=plurality"], [2, 4], shares_draws=g) for g in ((), GROUPS))
    assert np.array_equal(plain.accuracy, shared.accuracy)
    assert not shared.n_replays.any()
    with pytest.raises(StrategyError, match="models that share draws depend on each other"):
        evaluate(pool, "ms:r2+r3,vote=plurality", [2], shares_draws=GROUPS, method="exact")


def test_every_round_has_the_draws_of_the_first():
    """A model of a group on its own is replayed with the same runs as the others."""
    pool = make_pool({(m, "q"): list("aabbb") for m in ("r1", "r2", "x")})
    found = replay(pool, ["sc:r1", "sc:r2", "sc:x"], [3], n_replays=40, shares_draws=[["r1", "r2"]]).accuracy[:, 0, 0]
    alone = replay(pool, ["sc:r1", "sc:r2", "sc:x"], [3], n_replays=40).accuracy[:, 0, 0]
    assert found[0] == found[1] == alone[0] != alone[1]
    assert found[2] == alone[2]


def test_a_worked_debate():
    """Two runs of three rounds: a run in all rounds costs as much as its last one."""
    answers = {("r1", "q"): ["b", "a"], ("r2", "q"): ["a", "a"], ("r3", "q"): ["a", "a"]}
    pool = make_pool(answers, output_tokens=[100.0, 110.0, 220.0, 230.0, 350.0, 360.0])
    asked = ["ms:r1+r2+r3,sizes=1/1/1,agreement=1.5", "cov:r1+r2+r3,sizes=1/1/1", "sc:r3"]
    options = {"n_replays": 60, "shares_draws": GROUPS}
    three, alone = replay(pool, asked[:2], 3, **options), replay(pool, asked[2], 1, **options)
    assert three.tokens[:, 0, 0].tolist() == [alone.tokens.item()] * 2
    assert three.samples_used[:, 0, 0].tolist() == [3, 3]
    assert three.accuracy[:, 0, 0].tolist() == [1, 1]
    assert evaluate(pool, "sc:r3", 1, shares_draws=GROUPS).tokens.item() == 355


@pytest.mark.compiled
def test_the_jackknife_leaves_out_whole_runs():
    pool = debate(n=8)
    asked = ["mix:r1+r2", "random:r1+r2", "sc:r2"]
    found = evaluate(pool, asked, [2, 4], jackknife=True, n_replays=200, shares_draws=GROUPS).jackknife
    assert np.isfinite(found.variance).all()
    rng = random.Random(1)
    answers = [rng.choices("aaab", k=8) for _ in range(60)]
    same = make_pool({(m, f"q{q}"): given for m in ("r1", "r2") for q, given in enumerate(answers)})
    twice = evaluate(same, ["random:r1+r2", "sc:r1"], 1, jackknife=True, n_replays=2000, shares_draws=[["r1", "r2"]])
    # The mean of two equal rounds varies as one of them, not half as much as if they were independent.
    ratio = twice.jackknife.error()[0, 0] / twice.jackknife.error()[1, 0]
    assert ratio == pytest.approx(1, abs=0.2)


def test_halves_have_whole_runs():
    pool = debate(n=7)
    for half in half_pools(pool, 5, GROUPS):
        rows = [half.model_index(model) for model in ROUNDS]
        steps = np.diff(half.numbers["output_tokens"][rows], axis=0)
        assert (steps >= 1).all(where=half.recorded[rows[1:]])
    apart = half_pools(pool, 5)[0].numbers["output_tokens"][:3]
    assert (np.diff(apart, axis=0) < 0).any()


def test_groups_must_have_equal_numbers_of_samples():
    pool = make_pool({("r1", "p"): ["a", "a"], ("r2", "p"): ["a", "a"], ("r1", "q"): ["a", "a"], ("r2", "q"): ["a"]})
    with pytest.raises(PoolError, match=r"^shares_draws: question 'q' has 2 samples of model 'r1', but 1 of 'r2'\."):
        evaluate(pool, "sc:r1", 1, shares_draws=[["r1", "r2"]])
    with pytest.raises(PoolError, match="no model 'r9' in this pool"):
        evaluate(pool, "sc:r1", 1, shares_draws=[["r1", "r9"]])


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("mix:r2+r1", StrategyError, "'r1' comes after 'r2', but before it in a run"),
        ("ms:r1+r2+r1", StrategyError, "share draws, and one of them has several turns"),
        ("mix:r1+r2,sizes=1/2", BudgetError, "budget 3 draws 2 samples of 'r2', but only 1 of 'r1', which begin them"),
        ("mix:r1+x+r3,sizes=1/4/2", BudgetError, "budget 7 draws 2 samples of 'r3', but only 1 of 'r1'"),
    ],
)
def test_a_plan_must_draw_runs_from_their_beginning(text, error, says):
    with pytest.raises(error, match=f"^{text.split(',')[0].replace('+', '[+]')}.*{says}"):
        evaluate(debate(), text, [1, 2, 3, 7], shares_draws=GROUPS, replacement=True)


def test_several_turns_of_one_round_are_its_next_runs():
    pool = debate()
    found = replay(pool, ["ms:r2+r2"], [4], n_replays=20, shares_draws=GROUPS)
    renamed = pool.select(models=["r1", "x"])
    assert found.samples_used.max() <= 4
    assert renamed.models == ("r1", "x")
    plan = with_orders(parse_strategy("ms:r2+r2").plans(np.array([4]))[0], GROUPS)
    assert not plan.is_linked
    check_linked("it", plan, np.array([4]), GROUPS)


def test_a_part_cannot_spend_more_than_the_whole():
    answers = {("r1", "q"): ["a", "a"], ("r2", "q"): ["a", "a"]}
    pool = make_pool(answers, output_tokens=[5.0, 9.0, 6.0, 8.0])
    says = "sample 1 of question 'q' has tokens 8 for model 'r2', less than the 9 for 'r1', a part of the same run"
    with pytest.raises(PoolError, match=says):
        evaluate(pool, "mix:r1+r2", 2, shares_draws=[["r1", "r2"]])
    # One limit for both also limits the part; a model on its own is not compared.
    with pytest.warns(PoolWarning, match="no effect"):
        evaluate(pool, "sc:r2,max_tokens=9", 2, shares_draws=[["r1", "r2"]])
    limited = evaluate(pool, "mix:r1+r2,max_tokens=6", 2, shares_draws=[["r1", "r2"]], n_replays=4)
    assert limited.tokens.item() == 6


def test_paid_amounts_are_differences():
    amounts = np.array([[4, 2], [9, 9], [5, 7]], np.int32)
    assert paid_amounts(amounts, [None, None, 0]).tolist() == [[4, 2], [9, 9], [1, 5]]
    assert paid_amounts(amounts, [None, None, 1]).tolist() == [[4, 2], [9, 9], [0, 0]]
    assert paid_amounts(amounts, [None] * 3).dtype == np.int32


def test_prefixes_are_the_last_earlier_stages():
    plan = with_orders(parse_strategy("mix:r1+x+r2+r3").plans(np.array([4]))[0], GROUPS)
    assert plan.orders == ("r1", "x", "r1", "r1")
    assert plan.is_linked
    assert prefixes(plan) == [None, None, 0, 2]
    assert prefixes(plan, [False, False, True, False]) == [None, None, 0, 2]
    assert prefixes(plan, [False, False, False, True]) == [None, None, 0, 0]
    (alone,) = parse_strategy("mix:x+y").plans(np.array([4]))
    assert with_orders(alone, GROUPS) is alone
    assert prefixes(alone) == [None, None]


def test_the_chance_of_a_run_is_one_of_those_recorded():
    """Both rounds of one run: of five runs, two are right in both rounds, and one in the second only."""
    pool = make_pool({("r1", "q"): list("aabbb"), ("r2", "q"): list("aabab")})
    rule = ModelSwitch(["r1", "r2"], agreement=1.5, vote=Vote.plurality(ties="wrong"))
    found = replay(pool, rule, 2, n_replays=4000, shares_draws=[["r1", "r2"]])
    assert abs(found.accuracy.item() - float(Fraction(2, 5))) < 0.05  # Hoeffding: fails less than once in 1e8
