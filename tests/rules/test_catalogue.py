"""Every rule there is: equal to tests/naive.py decision for decision, and the invariants that all of them keep.

RULES has rules with unusual options; every rule of the catalogue that is of another kind than these is added to them.
"""

import itertools
import random
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import cache

import numba
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mssim import (
    AdaptiveAllocation,
    BayesFactorStop,
    BEACONStop,
    BetaStop,
    Cascade,
    CGESStop,
    Coverage,
    DeepConf,
    DifficultyAdaptive,
    EntropyStop,
    EValueStop,
    Gate,
    MajorityStop,
    Mixture,
    ModelSwitch,
    OptimalStop,
    OracleRouter,
    OwnStop,
    Pool,
    PoolWarning,
    PValueStop,
    RandomRouter,
    ReASCStop,
    Reliability,
    Router,
    SelfConsistency,
    UntilVerified,
    Vote,
    WindowStop,
    catalogue,
    evaluate,
)
from mssim.rules.parsing import parse_strategy
from mssim.rules.registry import STOPS as STOPS_BY_NAME
from mssim.rules.registry import STRATEGIES
from mssim.rules.registry import VOTES as VOTES_BY_NAME
from tests import naive
from tests.conftest import Backwards, examples, replay

XYZ = ["x", "y", "z"]


@numba.njit
def squared(counts, prior):
    """A vote of one's own: every model's votes count their square; loops compile faster than array expressions."""
    score = np.zeros(counts.shape[1])
    for i in range(counts.shape[0]):
        for c in range(counts.shape[1]):
            score[c] += prior[i] * counts[i, c] ** 2
    return score


@numba.njit
def three(counts, n):
    """A stop rule of one's own."""
    return counts.max() >= 3 or n >= 6


VOTES = {
    "plurality": Vote.plurality(),
    "prior": Vote.plurality(prior=(2, 1, 1.5)),
    "entropy": Vote.entropy(),
    "entropy by samples": Vote.entropy(normaliser="samples", prior=(1, 2, 1)),
    "confidence": Vote.confidence(0.5),
    "cges": Vote.cges(prior=(1, 2, 1)),
    "cges of four": Vote.cges(answers=4),
    "score sum": Vote.score_sum(prior=(1, 1, 0.5)),
    "best of n": Vote.best_of_n(),
    "max consistency": Vote.max_consistency(),
    "shortest": Vote.shortest(2),
    "majority of bests": Vote.majority_of_bests(3),
    "scores within entropy": replace(Vote.score_sum(), within="entropy"),
    "best within entropy": replace(Vote.best_of_n(prior=(1, 2, 1)), within="entropy"),
    "bests within entropy": replace(Vote.majority_of_bests(2, prior=(1, 3, 2)), within="entropy"),
    "shortest shares": replace(Vote.shortest(3), within="share"),
    "most confident": replace(Vote.confidence(2.0), combine="max"),
    "shares": Vote(within="share"),
    "deepconf": Vote.deepconf(0.4, prior=(1, 2, 1)),
    "deepconf within entropy": replace(Vote.deepconf(0.7), within="entropy"),
    "borda": Vote.borda(2, column="score"),
    "borda shares": replace(Vote.borda(0.5, prior=(2, 1, 1.5)), within="share"),
    "best of majority": Vote.best_of_majority(0.3, prior=(1, 2, 1.5)),
    "best of all": Vote.best_of_majority(0),
    "own": Vote.own(squared, prior=(1, 2, 1)),
    "own in Python": Vote.own(getattr(squared, "py_func", squared)),
}
RANKED = ("deepconf", "borda", "best of majority")
STOPS = {
    "beta": BetaStop(0.9),
    "window": WindowStop(2),
    "majority": MajorityStop(0.7, min_samples=3),
    "entropy": EntropyStop(0.8),
    "evalue": EValueStop(0.3),
    "reasc": ReASCStop(0.9, centre=0.2, scale=0.3, gate=0.9),
    "cges": CGESStop(0.8, other=True),
    "cges of four": CGESStop(0.9, answers=4),
    "beacon": BEACONStop(0.2, horizon=5),
    "bayes factor": BayesFactorStop(6, 0.5, "article"),
    "own": OwnStop(three),
    "own in Python": OwnStop(getattr(three, "py_func", three)),
}
STOPS_WITH_VOTES = [
    *(("beta", "confidence"), ("window", "best of n"), ("own", "shortest"), ("majority", "own")),
    *(("window", "own"), ("beta", "majority of bests"), ("window", "majority of bests")),
    *(("cges", "cges"), ("beacon", "best of n")),
    *(("beta", "borda"), ("majority", "deepconf"), ("evalue", "best of majority")),
]


def one_model(vote):
    """The same vote for one model."""
    return replace(vote, prior=None)


RULES = {
    **{f"one model, {name}": SelfConsistency("x", one_model(vote)) for name, vote in VOTES.items()},
    **{f"stop {name}": SelfConsistency("y", stop=stop) for name, stop in STOPS.items()},
    **{
        f"stop {stop}, {vote}": SelfConsistency("z", one_model(VOTES[vote]), STOPS[stop])
        for stop, vote in STOPS_WITH_VOTES
    },
    **{
        f"stop {name}, looks": SelfConsistency("y", stop=STOPS[name], looks=looks)
        for name, looks in [
            *(("beta", (2, 3, 5, 9)), ("window", (1, 4, 7)), ("entropy", (4,)), ("majority", range(3, 40, 4))),
            *(("own", (2, 5, 6)), ("own in Python", (1, 5))),
        ]
    },
    "stop window, looks, best of n": SelfConsistency("x", Vote.best_of_n(), WindowStop(2), looks=(2, 6)),
    "stop optimal, looks": SelfConsistency("y", stop=OptimalStop(0.7), looks=(1, 3, 4, 8)),
    "random router, looks": RandomRouter(XYZ[:2], stop=BetaStop(0.8), looks=(2, 4)),
    "oracle router, looks": OracleRouter(XYZ[:2], stop=EntropyStop(0.8), looks=(3, 4)),
    **{f"mixture, {name}": Mixture(XYZ, vote) for name, vote in VOTES.items()},
    **{f"switch, {name}": ModelSwitch(XYZ, vote=vote, agreement=0.75) for name, vote in VOTES.items()},
    **{
        f"switch and pool, {name}": ModelSwitch(XYZ, vote=VOTES[name], on_agreement="pool", test_last=False)
        for name in ("plurality", "score sum", "max consistency", "majority of bests", "shortest", "own", *RANKED)
    },
    "mixture, shares": Mixture(XYZ, shares=(3, 1, 2)),
    "switch, shares": ModelSwitch(XYZ[:2], shares=(1, 3), strict=True, agreement=0.5),
    "switch to the same model": ModelSwitch(["x", "x"]),
    "switch to the same model, best of n": ModelSwitch(["x", "y", "x"], vote=Vote.best_of_n()),
    "switch to the same model, borda": ModelSwitch(["x", "y", "x"], vote=Vote.borda()),
    "switch to the same model, own": ModelSwitch(["x", "x"], vote=Vote.own(squared)),
    "cascade": Cascade(XYZ, agreement=0.6),
    "cascade of one model": Cascade(["y", "y"], agreement=0.6),
    "random router": RandomRouter(XYZ, shares=(1, 2, 1)),
    "random router, stop": RandomRouter(XYZ[:2], vote=Vote.best_of_n(), stop=BetaStop(0.8)),
    "oracle router": OracleRouter(XYZ),
    "coverage": Coverage(XYZ, shares=(1, 1, 2)),
    "reliability": Reliability("x"),
    "reliability, three quarters": Reliability("y", tau=0.75),
    "reliability, mean": Reliability("z", tau="mean"),
    "until right": UntilVerified(["z"]),
    "until right, sizes": UntilVerified(XYZ, sizes=(2, 1, 3)),
    "until score": UntilVerified(["y", "x"], column="score", threshold=0.2, shares=(1, 2)),
    "online": DeepConf("x", keep=0.5, warmup=3, window=1),
    "online, no consensus": DeepConf("y", keep=0.9, warmup=2, consensus=None, window=1),
    "gate": Gate(["y", "x"], 0.5),
    "gate, strict": Gate(XYZ, (0.5, 0.1), column="score", strict=True),
    "allocation": AdaptiveAllocation("x"),
    "allocation, cap": AdaptiveAllocation("y", cap=3),
    "by difficulty": DifficultyAdaptive("x", "level", window=2, easy=1, before=1),
    "by difficulty, one by one": DifficultyAdaptive("y", "level", window=1, easy=2, before=2, threshold=0.9),
    "by learnt difficulty": DifficultyAdaptive("z", features=["topic"], window=3, easy=1, before=1),
    "allocation, ppr": AdaptiveAllocation("z", certainty="ppr"),
}


def kind_of(rule):
    """Class of the strategy, of its stop rule, and name of its vote."""
    vote = getattr(rule, "vote", None)
    name = next((n for n, named in VOTES_BY_NAME.items() if vote is not None and named.matches(vote)), None)
    return type(rule), type(getattr(rule, "stop", None)), name


def example(text):
    """A rule of the catalogue, with models for M."""
    for name in XYZ:
        text = re.sub(r"\bM\b", name, text, count=1)
    return parse_strategy(text.replace("M1", "x"))


COVERED = {kind_of(rule) for rule in RULES.values()}
RULES |= {row.rule: rule for row in catalogue() if kind_of(rule := example(row.rule)) not in COVERED}
TIES = ["first", "random", "wrong"]


def as_parameters(named):
    """Rules or votes for parametrize; functions of one's own are slow: Numba compiles them again in every process."""
    own = {name for name in named if re.search(r"\bown\b(?! in Python)", name)}
    return [pytest.param(one, id=name, marks=pytest.mark.slow if name in own else ()) for name, one in named.items()]


every_rule = pytest.mark.parametrize("rule", as_parameters(RULES))
few = settings(max_examples=examples(8))


def with_ties(rule, ties):
    """The same rule with another tie rule."""
    names = {f.name for f in fields(rule)}
    if "vote" in names:
        return replace(rule, vote=replace(rule.vote, ties=ties))
    return replace(rule, ties=ties) if "ties" in names else rule


# Answer, score, confidence and tokens; one choice among them all is drawn in a fraction of the time of four.
SAMPLES = list(itertools.product("aabbc-", [-0.5, 0.0, 0.1, 0.2, 0.3, 1.0], [0.1, 0.5, 0.9], [1, 2, 3]))


def groups_of(answer, score, confidence, tokens):
    """Confidences of up to as many groups as tokens; a sample without an answer may have none."""
    return None if answer == "-" and tokens == 1 else [9 * confidence, 4 * score + 2, 4.5][:tokens]


@st.composite
def pools(draw, most_samples=6):
    """Few answers, numbers and lengths, so that ties of all kinds abound."""
    n, n_questions = draw(st.integers(3, most_samples)), draw(st.integers(1, 2))
    sample = st.sampled_from(SAMPLES)
    right = draw(st.sampled_from(["a", "b", "ac"]))
    rows = [
        (f"q{q}", model, i, None if answer == "-" else answer, answer in right, *numbers, groups_of(answer, *numbers))
        for model in XYZ
        for q in range(n_questions)
        for i, (answer, *numbers) in enumerate(draw(st.lists(sample, min_size=n, max_size=n)))
    ]
    columns = ["question_id", "model", "sample_index", "answer", "correct", "score", "confidence", "output_tokens"]
    columns.append("group_confidence")
    return described(pd.DataFrame(rows, columns=columns))


def described(frame):
    """A pool whose questions have what routers read."""
    number = frame["question_id"].str[1:].astype(int)
    text = frame["question_id"] + " asked"
    return Pool.from_frame(frame.assign(topic="t" + (number % 2).astype(str), question=text, level=number % 3))


def learns(rule):
    """Whether a rule learns from other questions."""
    by_others = isinstance(rule, Router) or (isinstance(rule, DifficultyAdaptive) and rule.difficulty is None)
    return by_others or getattr(getattr(rule, "stop", None), "learns", False)


def with_others(rule, pool):
    """Whether a pool has the other questions from which a rule learns."""
    return len(pool.questions) > 1 or not learns(rule)


def budgets_for(rule, n, extra=0):
    """Budgets up to what n samples of each model can pay for."""
    grid = np.arange(1, 3 * n + 1)
    fits = np.ones(grid.size, dtype=bool)
    for plan in rule.plans(grid):
        for model in plan.models:
            fits &= sum(s for m, s in zip(plan.models, plan.sizes, strict=True) if m == model) <= n
        fits &= (grid <= min(plan.cap, n)) if plan.cap else True
    return grid[fits][: 10 + extra]


def counts(pool, rule, budgets, n_replays=5, **options):
    """Right answers and samples used per budget and question, sums over replays; small work, so without threads."""
    result = replay(pool, {"rule": rule}, budgets, n_replays=n_replays, executor=Backwards(), **options)
    return np.round(n_replays * result.accuracy[0], 9), np.round(n_replays * result.samples_used[0], 9)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.kernels
@every_rule
@few
@given(pools(), st.sampled_from(TIES), st.integers(0, 2**64 - 1), st.booleans())
def test_every_decision_equals_the_naive_one(rule, pool, ties, seed, replacement):
    assume(with_others(rule, pool))
    rule = with_ties(rule, ties)
    budgets = budgets_for(rule, pool.codes.shape[2])
    hits, used = counts(pool, rule, budgets, seed=seed, replacement=replacement)
    for i, budget in enumerate(budgets):
        expected, spent = naive.evaluate(pool, rule, int(budget), n_replays=5, seed=seed, replacement=replacement)
        assert np.allclose(hits[i], np.array(expected, dtype=float), atol=1e-6, rtol=0), budget
        assert np.allclose(used[i], np.array(spent, dtype=float), atol=1e-6, rtol=0), budget


@pytest.mark.slow
@every_rule
@pytest.mark.parametrize("replacement", [False, True])
def test_deep_pools_equal_the_naive_rule(rule, replacement):
    """Dozens of votes of many answers, and scores that are all different."""
    pool = deep_pool()
    budgets = budgets_for(rule, 60, extra=200)
    budgets = np.unique(budgets[np.linspace(0, budgets.size - 1, 4).astype(int)])
    hits, used = counts(pool, rule, budgets, n_replays=4, replacement=replacement)
    for i, budget in enumerate(budgets):
        expected, spent = naive.evaluate(pool, rule, int(budget), n_replays=4, replacement=replacement)
        assert np.allclose(hits[i], np.array(expected, dtype=float)), budget
        assert np.allclose(used[i], np.array(spent, dtype=float)), budget


@pytest.mark.kernels
@every_rule
def test_pools_with_unequal_numbers_of_samples_equal_the_naive_rule(rule):
    frame = deep_pool(4, 20).to_frame()
    keep = frame["sample_index"] < 12 + 2 * frame["question_id"].str[1:].astype(int) + (frame["model"] == "y")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        pool = Pool.from_frame(frame[keep])
    assert sorted(set(pool.lengths.ravel())) == [12, 13, 14, 15, 16, 17, 18, 19]
    budgets = np.unique(budgets_for(rule, 12, extra=30)[[0, 1, -1]])
    hits, used = counts(pool, rule, budgets, n_replays=5)
    for i, budget in enumerate(budgets):
        expected, spent = naive.evaluate(pool, rule, int(budget), n_replays=5)
        assert np.allclose(hits[i], np.array(expected, dtype=float)), budget
        assert np.allclose(used[i], np.array(spent, dtype=float)), budget


@cache
def deep_pool(n_questions=3, n_samples=60):
    rng = random.Random(11)
    rows = [
        {
            "question_id": f"q{q}",
            "model": model,
            "sample_index": i,
            "answer": rng.choice([*"aaaaabbbbccdefgh", None]),
            "truth": "a",
            "score": rng.gauss(0, 1),
            "confidence": rng.random(),
            "output_tokens": rng.randrange(10, 99),
            "group_confidence": [rng.gauss(9, 1) for _ in range(rng.randrange(1, 9))],
        }
        for model in XYZ
        for q in range(n_questions)
        for i in range(n_samples)
    ]
    return described(pd.DataFrame(rows))


@pytest.mark.slow
@every_rule
def test_permuting_samples_changes_nothing_but_monte_carlo_error(rule):
    if isinstance(rule, Router):
        pytest.skip("by replays, it may choose another of two nearly equal models")
    # Independent replays of two orders of one pool, within 6 standard errors of what scatters most: some 160
    # comparisons, of which one fails for one seed in a million.
    frame = deep_pool(8, 20).to_frame()
    shuffled = frame.assign(sample_index=(frame["sample_index"] * 7 + 3) % 20)
    one, two = (replay(Pool.from_frame(f), {"rule": rule}, [3], n_replays=800) for f in (frame, shuffled))
    for values in ("accuracy", "samples_used"):
        a, b = getattr(one, values).mean(), getattr(two, values).mean()
        spread = 0.5 if values == "accuracy" else 3
        assert abs(a - b) < 6 * spread * np.sqrt(2 / (8 * 800))


@pytest.mark.slow
@every_rule
@few
@given(pools(), st.data())
def test_what_should_change_nothing_changes_nothing(rule, pool, data):
    assume(with_others(rule, pool))
    budgets = budgets_for(rule, pool.codes.shape[2])
    found = counts(pool, rule, budgets)
    # Names of the answers, which only break ties.
    frame = pool.to_frame()
    renamed = frame.assign(answer=frame["answer"].map({"a": "zeta", "b": "y", "c": "x"}))
    assert same(found, counts(Pool.from_frame(renamed), rule, budgets))
    # Models that the strategy does not name, and other questions.
    assert same(found, counts(pool.select(models=list(dict.fromkeys(rule.models))), rule, budgets))
    if not isinstance(rule, AdaptiveAllocation | DifficultyAdaptive) and not learns(rule):
        last = counts(pool.select(questions=pool.question_ids[-1:]), rule, budgets)
        assert same([values[:, -1:] for values in found], last)
    # Other budgets.
    i = data.draw(st.integers(0, len(budgets) - 1))
    assert same([values[[i]] for values in found], counts(pool, rule, budgets[[i]]))
    # A factor of all weights.
    if hasattr(rule, "vote"):
        weights = rule.vote.prior or (1,) * (
            1 if isinstance(rule, RandomRouter | OracleRouter | Router) else len(rule.models)
        )
        factor = data.draw(st.sampled_from([1e-3, 0.3, 3.3, 1e6]))
        scaled = replace(rule, vote=replace(rule.vote, prior=tuple(factor * w for w in weights)))
        assert same(found, counts(pool, scaled, budgets))


def in_turn(rules):
    """Those of the rules that ask three models in turn."""
    return {
        name: rule
        for name, rule in rules.items()
        if isinstance(rule, ModelSwitch | Cascade) and len(set(rule.models)) == 3
    }


@pytest.mark.slow
@pytest.mark.parametrize("rule", as_parameters(in_turn(RULES)))
@few
@given(pools())
def test_a_model_that_is_never_reached_changes_nothing(rule, pool):
    split = {"sizes": (2, 2), "shares": None, "models": XYZ[:2], "agreement": 0.0}
    if isinstance(rule, ModelSwitch):
        split["vote"] = replace(rule.vote, prior=None)
    two = replace(rule, **split)
    assert same(counts(pool, two, [4, 6]), counts(pool, replace(two, models=XYZ, sizes=(2, 2, 2)), [4, 6]))


@every_rule
@few
@given(pools())
def test_samples_used_lie_between_the_first_stage_and_the_budget(rule, pool):
    assume(with_others(rule, pool))
    budgets = budgets_for(rule, pool.codes.shape[2])
    used = replay(pool, {"rule": rule}, budgets, n_replays=5).samples_used[0]
    if isinstance(rule, AdaptiveAllocation):
        assert np.allclose(used.mean(axis=1), budgets)
        return
    smallest = min(plan.sizes[0].min() for plan in rule.plans(budgets))
    early = getattr(rule, "stop", None) or isinstance(rule, UntilVerified)
    first = min(smallest, (getattr(rule, "looks", None) or (1,))[0]) if early else smallest
    assert (used >= first - 1e-9).all()
    assert (used <= budgets[:, None] + 1e-9).all()


THRESHOLDS = {
    "switch": [ModelSwitch(XYZ, agreement=t) for t in (0.0, 0.3, 0.5, 0.7, 0.9, 1.0, 1.1)],
    "cascade": [Cascade(XYZ, agreement=t) for t in (0.0, 0.3, 0.5, 0.7, 0.9, 1.0, 1.1)],
    "beta": [SelfConsistency("x", stop=BetaStop(t)) for t in (0.51, 0.7, 0.9, 0.95, 0.999)],
    "majority": [SelfConsistency("x", stop=MajorityStop(t)) for t in (0.1, 0.5, 0.7, 0.9, 1.0)],
    "entropy": [SelfConsistency("x", stop=EntropyStop(t)) for t in (1.0, 0.9, 0.75, 0.5, 0.1)],
    "evalue": [SelfConsistency("x", stop=EValueStop(a)) for a in (0.9, 0.5, 0.2, 0.05, 0.001)],
    "bayes factor": [SelfConsistency("x", stop=BayesFactorStop(b)) for b in (1, 4.1, 10, 30, 300)],
    "pvalue": [SelfConsistency("x", stop=PValueStop(a)) for a in (0.49, 0.2, 0.05, 0.001)],
    "optimal": [SelfConsistency("x", stop=OptimalStop(t, [(2, 1), (6, 3, 1)])) for t in (0.51, 0.7, 0.9, 0.99)],
}


@pytest.mark.parametrize("rules", THRESHOLDS.values(), ids=THRESHOLDS)
@few
@given(pools())
def test_samples_used_grow_with_the_threshold(rules, pool):
    n = pool.codes.shape[2]
    used = replay(pool, {str(i): rule for i, rule in enumerate(rules)}, [1, n], n_replays=8).samples_used
    assert (np.diff(used, axis=0) >= 0).all()


@pytest.mark.slow
@every_rule
@few
@given(pools())
def test_no_rule_is_right_where_no_draw_could_be(rule, pool):
    assume(with_others(rule, pool))
    rules = {"rule": rule, "ceiling": Coverage(list(dict.fromkeys(rule.models)))}
    budget = min(budgets_for(one, pool.codes.shape[2])[-1] for one in rules.values())
    result = replay(pool, rules, budget, n_replays=20)
    possible = np.array([part.any() for part in np.split(pool.class_correct, pool.class_offsets[1:-1])])
    assert (result.accuracy[0, 0][~possible] == 0).all()
    if isinstance(rule, Mixture | ModelSwitch | Cascade) and rule.shares is None and len(set(rule.models)) == 3:
        assert (result.accuracy[0] <= result.accuracy[1]).all()  # on the same draws, so without any error


@pytest.mark.compiled
@every_rule
def test_the_same_bits_for_any_executor(rule, monkeypatch):
    pool = deep_pool(7, 20)
    budgets = budgets_for(rule, 20, extra=10)
    one = evaluate(pool, {"rule": rule}, budgets, n_replays=40)
    monkeypatch.setattr("mssim.engine.division._DRAWS_PER_TASK", 2000)
    with Backwards() as backwards, ThreadPoolExecutor(3) as three_threads:
        others = [evaluate(pool, {"rule": rule}, budgets, n_replays=40, executor=e) for e in (backwards, three_threads)]
    for other in others:
        for name in ("accuracy", "samples_used", "agreed"):
            assert np.array_equal(getattr(one, name), getattr(other, name))


# A router may choose another of two nearly equal models by replays than by closed forms.
CLOSED = {name: rule for name, rule in RULES.items() if not str(rule).count("own:") and not isinstance(rule, Router)}


@pytest.mark.compiled
@pytest.mark.parametrize("rule", CLOSED.values(), ids=CLOSED)
def test_what_is_exact_equals_replays(rule):
    """Accuracy where it has a closed form, samples used everywhere; fails for one seed in a million."""
    pool, n = deep_pool(6, 12), 2000
    budgets = budgets_for(rule, 12)
    auto = evaluate(pool, {"rule": rule}, budgets, n_replays=n, seed=1)
    drawn = replay(pool, {"rule": rule}, budgets, n_replays=n)
    # About 100 comparisons, each within 5.8 standard errors of a difference.
    spread = np.sqrt((auto.accuracy * (1 - auto.accuracy)).clip(0.01) / n)
    bound = 5.8 * np.sqrt(2) * spread + (0.03 if isinstance(rule, OracleRouter) else 0)  # the best of means is higher
    assert (np.abs(auto.accuracy - drawn.accuracy) < bound).all()
    assert (np.abs(auto.agreed - drawn.agreed) < 5.8 * np.sqrt(2) * 0.5 / np.sqrt(n)).all()
    used = budgets[:, None] if not isinstance(rule, AdaptiveAllocation) else 12
    assert (np.abs(auto.samples_used - drawn.samples_used) < 5.8 * np.sqrt(2) * used / 2 / np.sqrt(n) + 1e-9).all()


def test_every_registered_rule_is_in_the_list():
    strategies, stops, votes = (set(column) for column in zip(*map(kind_of, RULES.values()), strict=True))
    assert {cls for cls in STRATEGIES.values() if cls.__module__.startswith("mssim.")} <= strategies
    assert {cls for cls in STOPS_BY_NAME.values() if cls.__module__.startswith("mssim.")} <= stops
    assert set(VOTES_BY_NAME) <= votes


@every_rule
def test_text_and_back(rule):
    text = str(rule)
    if "own:" in text:
        return
    assert parse_strategy(text) == rule
