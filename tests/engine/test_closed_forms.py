"""Every strategy with a closed form against the mean over all draws there are, in rational arithmetic.

The pools are tiny and awkward: one answer or only different ones, samples without an answer, and unequal numbers of
samples.
"""

import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import (
    Cascade,
    Coverage,
    Mixture,
    ModelSwitch,
    OracleRouter,
    Pool,
    PoolWarning,
    RandomRouter,
    Reliability,
    SelfConsistency,
    UntilVerified,
    Vote,
    WindowStop,
    evaluate,
)
from mssim.engine.exact import grid_of, obstacles, tie_rule
from mssim.kernels.exact_several_stages import most_nodes, n_nodes
from mssim.kernels.tally import FIRST, HIGHER, RANDOM
from mssim.rules.parsing import parse_strategy
from mssim.rules.registry import STRATEGIES
from tests import naive
from tests.conftest import examples, make_pool

pytestmark = pytest.mark.kernels

XYZ = ["x", "y", "z"]
TIES = st.sampled_from(["first", "random", "wrong"])
PRIORS = [None, (2, 1, 1), (1, 2, 1), (5, 1, 1), (0.5, 3, 1), (1e6, 1, 1e3), (0.1, 0.2, 0.3), (0.3, 0.7, 0.1)]
AGREEMENTS = st.sampled_from([0.0, 0.4, 0.5, 2 / 3, 0.75, 1.0, 1.5])
MODELS = st.integers(1, 3).map(lambda n: XYZ[:n])
MOST_ORDERS = 1500  # of draws, which are enumerated


@st.composite
def pools(draw):
    """One or two questions with one to five samples of each of three models."""
    answers = draw(st.sampled_from(["a", "ab", "aab", "abc", "abcdefgh"]))
    no_answer = draw(st.sampled_from([0, 1, len(answers)]))
    sample = st.sampled_from([*answers, *[None] * no_answer])
    right = draw(st.sampled_from([{"a"}, {"b"}, {"a", "c"}, set()]))
    rows = [
        (f"q{q}", model, i, answer, answer in right)
        for q in range(draw(st.integers(1, 2)))
        for model in XYZ
        for i, answer in enumerate(draw(st.lists(sample, min_size=1, max_size=5)))
    ]
    columns = ["question_id", "model", "sample_index", "answer", "correct"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        return Pool.from_frame(pd.DataFrame(rows, columns=columns))


@st.composite
def plain_votes(draw, models):
    prior = draw(st.sampled_from(PRIORS))
    return Vote.plurality(prior=prior and prior[: len(models)], ties=draw(TIES))


@st.composite
def several(draw, make, *, prior=True, **options):
    models = draw(MODELS)
    given = {name: draw(option) for name, option in options.items()}
    if prior:
        given["vote"] = draw(plain_votes(models))
    split = draw(st.sampled_from([{}, {}, {"sizes": (1, 3, 2)}, {"sizes": (3, 1, 1)}, {"shares": (3, 1, 2)}]))
    given |= {name: values[: len(models)] for name, values in split.items()}
    return make(models, **given)


ONE_VOTE = st.builds(Vote, ties=TIES)
WINDOWS = st.one_of(st.none(), st.builds(WindowStop, st.integers(1, 3)))
CLOSED_FORMS = {
    "sc": st.builds(SelfConsistency, st.sampled_from(XYZ), ONE_VOTE, WINDOWS),
    "cov": several(Coverage, prior=False),
    "mix": several(Mixture),
    "ms": several(
        ModelSwitch,
        agreement=AGREEMENTS,
        strict=st.booleans(),
        on_agreement=st.sampled_from(["adopt", "pool"]),
        test_last=st.booleans(),
    ),
    "cascade": several(Cascade, prior=False, agreement=AGREEMENTS, strict=st.booleans(), ties=TIES),
    "random": st.builds(RandomRouter, st.just(XYZ[1:]), st.sampled_from([None, (1, 3)]), ONE_VOTE, WINDOWS),
    "oracle": st.builds(OracleRouter, MODELS, ONE_VOTE, WINDOWS),
    "rel": st.builds(Reliability, st.sampled_from(XYZ), st.sampled_from([1.0, 0.75, 0.6, 0.5, 0.1, "mean"])),
    "until": several(UntilVerified, prior=False),
}


def test_every_kind_with_a_closed_form_is_here():
    closed = set()
    for kind in (kind for kind, cls in STRATEGIES.items() if cls.__module__.startswith("mssim.")):
        option = ",vote=plurality" if kind in ("sc", "ms", "mix", "random", "oracle", "route") else ""
        option = ",threshold=0.5" if kind == "gate" else option
        models = "x" if kind in ("sc", "alloc", "rel", "dsc", "deepconf") else "x+y"
        plans = parse_strategy(f"{kind}:{models}{option}").plans(np.array([4]))
        if all(obstacles(plan, most_cells=2500) == [None] for plan in plans):
            closed.add(kind)
    assert closed == {*CLOSED_FORMS, "gate", "route"}  # these two in their own test files


def affordable(pool, rule, replacement):
    """Budgets that the pool can pay for, and of which all orders of draws can be enumerated."""
    budgets = []
    for budget in range(1, 13):
        n_orders = 1
        for plan in rule.plans(np.array([budget])):
            for model, size in zip(plan.models, plan.sizes[:, 0].tolist(), strict=True):
                lengths = pool.lengths[pool.model_index(model)].tolist()
                if not replacement and size > min(lengths):
                    return budgets
                n_orders *= max(n**size if replacement else math.perm(n, size) for n in lengths)
        if n_orders > MOST_ORDERS:
            return budgets
        budgets.append(budget)
    return budgets


@pytest.mark.slow
@pytest.mark.parametrize("kind", CLOSED_FORMS)
@settings(max_examples=examples(100))
@given(pools(), st.data(), st.booleans())
def test_closed_forms_equal_the_mean_over_all_draws(kind, pool, data, replacement):
    rule = data.draw(CLOSED_FORMS[kind])
    budgets = affordable(pool, rule, replacement)
    result = evaluate(pool, rule, budgets, method="exact", replacement=replacement)
    for i, budget in enumerate(budgets):
        accuracy, used = naive.expectation(pool, rule, budget, replacement=replacement)
        assert result.accuracy[0, i] == pytest.approx([float(p) for p in accuracy], abs=1e-12)
        assert result.samples_used[0, i] == pytest.approx([float(n) for n in used], abs=1e-11)


@pytest.mark.parametrize("ties", ["first", "random", "wrong"])
def test_sizes_that_only_two_budgets_together_have_change_nothing(ties):
    """2+2+2 and 3+3+1 draws are ranked; with 3+3+2 draws some scores are nearly equal, and others lie between them."""
    answers = {("x", "q"): list("aab"), ("y", "q"): list("abb"), ("z", "q"): list("bbc")}
    rule = Mixture(XYZ, Vote.plurality(prior=(0.200000000462, 1, 0.399999999384), ties=ties))
    together = evaluate(make_pool(answers), rule, [6, 7], method="exact").accuracy[0, :, 0]
    for budget, found in zip([6, 7], together, strict=True):
        assert found == evaluate(make_pool(answers), rule, budget, method="exact").accuracy.item()
        (accuracy,), _ = naive.expectation(make_pool(answers), rule, budget)
        assert found == pytest.approx(float(accuracy), abs=1e-12)


# How many nodes integrate over ties exactly ---------------

SIZES = [(1,), (5,), (1, 1), (2, 3), (4, 1), (1, 1, 1), (2, 1, 2)]
WEIGHTS = [(1, 1, 1), (2, 1, 1), (5, 1, 1), (1, 5, 3), (0.5, 3, 1), (1e6, 1, 1e3), (0.1, 0.2, 0.3), (0.3, 0.7, 0.1)]


def ties_of(sizes, weights):
    """By score: all lists of votes [class][stage] that tie at this score, within the draws that there are."""
    weights = [Fraction(str(weight)) for weight in weights]
    cells = [cell for cell in itertools.product(*(range(size + 1) for size in sizes)) if any(cell)]
    found = {}

    def add(tied, left, first):
        for i in range(first, len(cells)):
            score = sum(w * n for w, n in zip(weights, cells[i], strict=True))
            if all(n <= m for n, m in zip(cells[i], left, strict=True)) and (not tied or score == tied[0]):
                more = (score, [*(tied[1] if tied else []), cells[i]])
                found.setdefault(score, []).append(more[1])
                add(more, [m - n for n, m in zip(cells[i], left, strict=True)], i)

    add((), list(sizes), 0)
    return found


def degree(ties, stage):
    """The degree of what is integrated over if the first of the tied classes is seen in a stage; -1: in any."""
    if stage == -1:
        return max(len(tied) - 1 for tied in ties)
    seen_there = [tied for tied in ties if not any(any(votes[:stage]) for votes in tied)]
    if stage == len(ties[0][0]) - 1:
        return max((len(tied) - 1 for tied in seen_there), default=0)
    return max((sum(votes[stage] for votes in tied) - 1 for tied in seen_there), default=0)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("sizes", SIZES)
def test_the_nodes_suffice_for_every_tie_there_is(sizes, weights):
    """With equal weights none is superfluous either."""
    weights = weights[: len(sizes)]
    grid = grid_of(sizes, tuple(w / max(weights) for w in weights))
    equal, needed = len(set(weights)) == 1, {FIRST: 1, RANDOM: 1}
    for score, ties in ties_of(sizes, weights).items():
        level = int(np.searchsorted(grid.scores * HIGHER, float(score) / max(weights)))
        most = max(len(tied) for tied in ties) - 1
        assert grid.rivals[level] == most if equal else grid.rivals[level] >= most
        for rule, stages in ((RANDOM, [-1]), (FIRST, range(len(sizes)))):
            for stage in stages if most > 0 else []:
                n = degree(ties, stage) // 2 + 1
                assert n <= n_nodes(grid.sizes, grid.prior, stage, grid.scores[level], grid.rivals[level])
                needed[rule] = max(needed[rule], n)
    for rule, n in needed.items():
        found = most_nodes(grid, rule, 99)
        assert found == n if equal else found >= n


def test_no_more_nodes_than_classes_can_use():
    grid = grid_of((9, 9), (1.0, 1.0))
    assert [most_nodes(grid, RANDOM, n) for n in (1, 2, 3, 4, 5, 18, 19, 99)] == [1, 1, 2, 2, 3, 9, 9, 9]
    assert most_nodes(grid, FIRST, 2) == 5  # y^8, whatever the number of rivals
    for n in (1, 2, 3, 5, 7, 18):
        orders = tie_rule(RANDOM, grid, n).orders
        assert np.all(np.diff(orders) > 0)
        assert orders[-1] >= most_nodes(grid, RANDOM, n)
