"""Tokens, cost and latency of every strategy against all orders of draws of tiny pools, where costs go with answers."""

import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from mssim import Pool, PoolWarning, evaluate
from mssim.rules.parsing import parse_strategy
from tests import naive

AMOUNTS = {"tokens": "output_tokens", "cost": "cost", "latency": "latency"}
EXACT = [
    "sc:a",
    "sc:a,vote=entropy",
    "sc:a,stop=window:2",
    "mix:a+b",
    "mix:a+b,sizes=1/3",
    "cov:a+b",
    "rel:a",
    "ms:a+b,agreement=0.6,vote=plurality",
    "ms:a+b",
    "ms:b+a,agreement=1.5",
    "ms:a+b,test_last=false,on_agreement=pool",
    "cascade:b+a,agreement=0.6",
    "random:a+b",
    "until:a",
    "until:a+b,sizes=3/1",
]
REPLAYED = ["sc:a,stop=majority:0.9/2", "ms:a+a,agreement=0.9", "sc:b,stop=beta:0.8"]
BUDGET = 4


@pytest.fixture(scope="module")
def pool():
    """Two questions; wrong answers are long, dear and slow, and no answer is the longest."""
    answers = {"q": {"a": "xxxyy.", "b": "xyzzx"}, "r": {"a": "wwww.", "b": "x.wwy"}}
    rows = [
        (q, model, i, None if answer == "." else answer, 10 + 7 * i + 100 * (answer != "x") + 500 * (answer == "."))
        for q, models in answers.items()
        for model, given in models.items()
        for i, answer in enumerate(given)
    ]
    frame = pd.DataFrame(rows, columns=["question_id", "model", "sample_index", "answer", "output_tokens"])
    frame["cost"] = frame["output_tokens"] * np.where(frame["model"] == "a", 0.001, 0.003)
    frame["latency"] = (frame["output_tokens"] * 37 % 101) / 16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        return Pool.from_frame(frame.assign(truth="x"))


def every_replay(pool, text, question, parallel, replacement=False):
    """Yield every replay of a strategy on a question: its chance, and what its draws cost."""
    strategy = parse_strategy(text)
    if text.startswith("random"):
        for model in strategy.models:
            alone = every_replay(pool, f"sc:{model}", question, parallel, replacement)
            yield from ((chance / len(strategy.models), spent) for chance, spent in alone)
        return
    samples, right = naive.recorded(pool)
    amounts = {name: naive.column_of(pool, column) for name, column in AMOUNTS.items()}
    sizes = naive.allocate(BUDGET, len(strategy.models), *naive.split_of(strategy))
    distinct = list(dict.fromkeys(strategy.models))
    depths = [sum(k for m, k in zip(strategy.models, sizes, strict=True) if m == model) for model in distinct]
    places = [range(len(samples[model][question])) for model in distinct]
    ways = [
        list(itertools.product(n, repeat=k) if replacement else itertools.permutations(n, k))
        for n, k in zip(places, depths, strict=True)
    ]
    chance = Fraction(1, math.prod(map(len, ways)))
    for orders in itertools.product(*ways):
        left = {model: list(order) for model, order in zip(distinct, orders, strict=True)}
        turns = []
        for model, size in zip(strategy.models, sizes, strict=True):
            turns.append([(model, left[model].pop(0)) for _ in range(size)])
        draws = [[samples[model][question][i] for model, i in turn] for turn in turns]
        _, used = naive.replay(strategy, draws, right[question], None)
        drawn = [turn[:n] for turn, n in zip(turns, used, strict=True)]
        spent = {
            name: sum(amounts[name][model][question][i] for turn in drawn for model, i in turn)
            for name in ("tokens", "cost")
        }
        rounds = [
            [[amounts["latency"][model][question][i] for model, i in turns[s][first:end]] for s, first, end in found]
            for found in naive.rounds_of(strategy, used, sizes)
        ]
        yield chance, {**spent, "latency": naive.latency_of(rounds, parallel)}


def expectation(pool, text, parallel, replacement=False):
    """Expected tokens, cost and latency, {quantity: [question]}."""
    found = {name: [] for name in AMOUNTS}
    for q in pool.question_ids:
        replays = list(every_replay(pool, text, q, parallel, replacement))
        for name, means in found.items():
            means.append(sum(float(chance) * spent[name] for chance, spent in replays))
    return found


@pytest.mark.compiled
@pytest.mark.parametrize("parallel", [None, 1, 2])
@pytest.mark.parametrize("text", EXACT)
def test_means_are_exact(pool, text, parallel):
    found = evaluate(pool, text, BUDGET, parallel=parallel, n_replays=4000)
    for name, expected in expectation(pool, text, parallel).items():
        # Windows of draws without replacement have no closed form of the longest draw; the bound fails once in 1e8.
        replayed = "window" in text and name == "latency" and parallel != 1
        within = 12 * 6 / math.sqrt(4000) if replayed else 1e-9
        assert getattr(found, name)[0, 0] == pytest.approx(expected, abs=within), name


@pytest.mark.parametrize("text", ["sc:a", "mix:a+b", "ms:a+b", "sc:a,stop=window:2", "until:b+a"])
def test_means_with_replacement_are_exact(pool, text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        found = evaluate(pool, text, BUDGET, replacement=True)
    for name, expected in expectation(pool, text, None, replacement=True).items():
        assert getattr(found, name)[0, 0] == pytest.approx(expected, rel=1e-9), name


@pytest.mark.compiled
@pytest.mark.parametrize("parallel", [None, 2])
@pytest.mark.parametrize("text", [*EXACT, *REPLAYED])
def test_replays_are_about_the_drawn_samples(pool, text, parallel):
    """By Hoeffding's inequality the bound fails less than once in 1e7 means, of which there are 200."""
    n = 4000
    found = evaluate(pool, text, BUDGET, parallel=parallel, method="monte_carlo", n_replays=n)
    for name, expected in expectation(pool, text, parallel).items():
        most = {"tokens": 3000.0, "cost": 6.0, "latency": 26.0}[name]
        assert getattr(found, name)[0, 0] == pytest.approx(expected, abs=most * math.sqrt(8.5 / n)), name


@pytest.mark.compiled
@pytest.mark.parametrize(
    "text", ["sc:a", "ms:a+b", "mix:a+b", "sc:a,stop=window:2", "random:a+b", "until:b+a", *REPLAYED]
)
def test_quantiles_are_those_of_all_orders(pool, text):
    """The share of totals up to a value differs by more than 0.03 less than once in 1e7 (Hoeffding, 10,000 draws)."""
    found = evaluate(pool, text, BUDGET, quantiles=True, n_replays=5000).to_frame(quantiles=[0.3, 0.9], cost_exceeds=1)
    replays = [one for q in pool.question_ids for one in every_replay(pool, text, q, None)]
    for name in AMOUNTS:
        totals = np.array([float(spent[name]) for _, spent in replays])
        chances = np.array([float(chance) / len(pool.question_ids) for chance, _ in replays])
        for level in (0.3, 0.9):
            value = found[f"{name}_p{100 * level:g}"].iloc[0]
            assert chances[totals <= value * 1.001].sum() >= level - 0.03
            assert chances[totals < value * 0.999].sum() <= level + 0.03
    dear = sum(float(chance) / len(pool.question_ids) for chance, spent in replays if spent["cost"] > 1)
    assert found["cost_exceeds"].iloc[0] == pytest.approx(dear, abs=0.03)


def test_accuracy_is_the_same_with_and_without_costs(pool):
    free = Pool.from_frame(pool.to_frame().drop(columns=[*AMOUNTS.values()]))
    texts = [*EXACT, *REPLAYED]
    a = evaluate(pool, texts, [2, BUDGET], quantiles=True, n_replays=50)
    b = evaluate(free, texts, [2, BUDGET], n_replays=50)
    for name in ("accuracy", "samples_used", "agreed"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
    assert np.isnan(b.tokens).all()
    assert np.isnan(b.latency).all()
