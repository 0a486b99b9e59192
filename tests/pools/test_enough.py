"""The selections that messages name: what they keep, against `Pool.select` itself."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import BudgetError, PoolError, evaluate
from mssim.pools.enough import selecting, selecting_asked, selecting_usual
from tests.conftest import examples, make_pool

LENGTHS = st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=2, max_size=2)


def pool_of(lengths):
    """A pool of the models x and y with these numbers of samples."""
    rows = zip("xy", lengths, strict=True)
    return make_pool({(m, f"q{q}"): ["a"] * n for m, row in rows for q, n in enumerate(row) if n})


def selected(pool, call):
    """What is left of a pool after the selection that a message names, which says how many questions that are."""
    code, kept, of = re.fullmatch(r"(pool\.select\(.*\)), which keeps (\d+) of (\d+) questions?", call).groups()
    found = eval(code, {"pool": pool})
    assert (len(found.questions), len(pool.questions)) == (int(kept), int(of))
    return found


@settings(max_examples=examples(60))
@given(LENGTHS.filter(lambda lengths: all(map(any, lengths))), st.integers(1, 5), st.sampled_from(["xy", "x", "y"]))
def test_what_a_selection_keeps(lengths, least, models):
    pool = pool_of(lengths)
    call = selecting(pool, least, models)
    if call:
        found = selected(pool, call)
        assert all(found.lengths[found.models.index(model)].min() >= least for model in models)
    else:
        with pytest.raises(PoolError, match="no questions remain"):
            pool.select(models=list(models), min_samples=least)


@settings(max_examples=examples(60))
@given(LENGTHS.filter(lambda lengths: all(map(any, lengths))), st.integers(1, 3), st.integers(2, 8))
def test_a_strategy_can_be_evaluated_after_the_selection_that_its_error_names(lengths, own, budget):
    pool, strategies = pool_of(lengths), {"one": f"mix:x,sizes={own}", "two": "mix:x+y"}
    try:
        evaluate(pool, strategies, budget, method="monte_carlo", n_replays=2)
    except BudgetError as error:
        found = re.search(r"use (pool\.select\(.*questions?)\.$", str(error))
        if found:
            evaluate(selected(pool, found[1]), strategies, budget, method="monte_carlo", n_replays=2)
        else:
            with pytest.raises(PoolError, match="no questions remain"):
                pool.select(min_samples=max(own, -(-budget // 2)))


@pytest.mark.parametrize(
    ("lengths", "asked", "number"),
    [
        (([1, 4, 4], [8, 8, 8]), {"x": 4, "y": 8}, 4),  # every question has 8 samples of y
        (([1, 4, 8], [8, 7, 8]), {"x": 4, "y": 8}, 8),
        (([1, 4, 4], [0, 0, 1]), {"x": 4}, 4),
    ],
)
def test_the_least_number_that_is_enough_is_named(lengths, asked, number):
    assert f"min_samples={number})" in selecting_asked(pool_of(lengths), asked)


@pytest.mark.parametrize(
    ("lengths", "call"),
    [
        (([1, 4, 8], [8, 8, 8]), "pool.select(min_samples=4), which keeps 2 of 3 questions"),
        (([1, 1, 8], [8, 8, 8]), "pool.select(min_samples=8), which keeps 1 of 3 questions"),
        (([4, 4, 4], [8, 8, 8]), ""),
        (([0, 1, 1], [1, 0, 0]), ""),
    ],
)
def test_the_usual_number_keeps_half_of_the_questions(lengths, call):
    assert selecting_usual(pool_of(lengths)) == call
