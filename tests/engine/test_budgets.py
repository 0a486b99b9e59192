"""Budgets of single strategies: their text, names of models that contain "@", and results at just these budgets."""

import numpy as np
import pandas as pd
import pytest

from mssim import (
    BudgetError,
    DifficultyAdaptive,
    MssimError,
    SelfConsistency,
    StrategyError,
    evaluate,
    evaluate_shard,
    merge,
    tune,
)
from mssim.engine.budgets import Limit, Own, name_strategies, own_budgets, parse_budgets, read_asked, split_budgets
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool

ODD = make_pool({(model, "q"): ["a"] for model in ("gpt@4", "gpt", "claude@2024", "b+c", "x@1,2")})


@pytest.mark.parametrize(
    ("text", "strategy", "budgets"),
    [
        ("sc:M@1-22", "sc:M", "1-22"),
        ("ms:A+B,agreement=0.8@4,8", "ms:A+B,agreement=0.8", "4,8"),
        ("sc:M,stop=beta:0.9@tokens=2000", "sc:M,stop=beta:0.9", "tokens=2000"),
        ("sc:M @ 4, 8 ,cost=0.05", "sc:M", "4, 8 ,cost=0.05"),
        ("sc:M@2024@8", "sc:M@2024", "8"),
        ('sc:"gpt@4"', 'sc:"gpt@4"', ""),
        ("sc:'gpt@4'@2", "sc:'gpt@4'", "2"),
        ("sc:M@v2", "sc:M@v2", ""),
        ("ms:A+B@2024,agreement=0.8", "ms:A+B@2024,agreement=0.8", ""),
        ("sc:M", "sc:M", ""),
    ],
)
def test_only_budgets_at_the_end_and_outside_quotes_count(text, strategy, budgets):
    assert split_budgets(text) == (strategy, budgets)


@pytest.mark.parametrize(
    ("text", "model", "budgets"),
    [
        ("sc:gpt@4", "gpt@4", ()),  # a model of the pool wins
        ("sc:gpt@5", "gpt", (5,)),
        ("sc:gpt@4@4", "gpt@4", (4,)),
        ('sc:"gpt"@4', "gpt", (4,)),
        ("sc:claude@2024", "claude@2024", ()),
        ("sc:claude@2024@1-3", "claude@2024", (1, 2, 3)),
        ("gpt@1", "gpt", (1,)),  # a name alone is Self-Consistency
        ("claude@2024@1", "claude@2024", (1,)),
        ("b+c@1", "b+c", (1,)),
        ('sc:"x@1,2"@1', "x@1,2", (1,)),
    ],
)
def test_names_with_at_are_those_of_the_pool(text, model, budgets):
    (asked,) = read_asked(text, ODD).values()
    assert asked.strategy == SelfConsistency(model)
    assert (asked.own.budgets, asked.common) == (budgets, not budgets)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ("sc:gpt@0", BudgetError, "strategy 'sc:gpt@0': '0' is out of range. Use integers from 1 to 100000"),
        ("sc:gpt@8-4", BudgetError, "strategy 'sc:gpt@8-4': the range '8-4' is reversed. Use 4-8"),
        ("sc:gpt@token=3", BudgetError, "no quantity 'token' of a budget. Did you mean 'tokens'?"),
        ("sc:gpt@cost=-1", BudgetError, "'-1' is not a limit of cost. Use a positive number"),
        ("sc:gpt@cost=nan", BudgetError, "'nan' is not a limit of cost. Use a positive number"),
        ("sc:gpt@1-100001", BudgetError, "'1-100001' is out of range"),
        ("sc:gpt@8,ties=random", StrategyError, "no model 'gpt@8' in this pool. Write budgets after all models and"),
        ("gpt", StrategyError, "strategy 'gpt' has no kind"),
        ("none@1", StrategyError, "strategy 'none' has no kind"),
        ({"kind": "sc", "models": "gpt", "budgets": [0]}, BudgetError, r"sc:gpt: budgets=\[0\] is not valid. Use pos"),
        ({"kind": "sc", "models": "gpt", "budgets": "x"}, BudgetError, "sc:gpt: budgets: 'x' is not a list of budgets"),
        ({"kind": "sc", "models": "gpt", "budgets": 2.5}, BudgetError, "sc:gpt: budgets=2.5 is not valid"),
    ],
)
def test_other_budgets_are_refused(given, error, says):
    with pytest.raises(error, match=says):
        read_asked([given], ODD)


def test_mappings_have_the_key_budgets():
    given = {"kind": "sc", "models": ["gpt"], "budgets": [4, 2]}
    named = read_asked({"one": given, "two": {**given, "budgets": "1-3"}, "three": {**given, "budgets": 7}}, ODD)
    assert [asked.own.budgets for asked in named.values()] == [(2, 4), (1, 2, 3), (7,)]
    assert list(read_asked([given], ODD)) == ["sc:gpt"]


def test_a_strategy_with_several_budgets_has_all_of_them():
    asked = read_asked(["sc:x@4", "sc:y", "sc:x@1-2,cost=3", "sc:x@cost=3"])
    assert asked["sc:x"].own == Own((4, 1, 2), (Limit("cost", 3.0),))
    grid = own_budgets(asked, [8])
    assert {name: own.tolist() for name, own in grid.items()} == {"sc:x": [1, 2, 4], "sc:y": [8]}
    assert own_budgets(read_asked(["sc:x@4", "sc:x"]), [8])["sc:x"].tolist() == [4, 8]
    with pytest.raises(StrategyError, match="repeats a strategy"):
        read_asked(["sc:x", "sc:x@4", "sc:x"])


def test_common_budgets_are_required_only_where_a_strategy_has_no_own():
    asked = read_asked(["sc:x@4", "sc:y"])
    with pytest.raises(BudgetError, match=r"budgets: missing for sc:y\. Use positive integers"):
        own_budgets(asked, None)
    assert own_budgets(read_asked("sc:x@4"), None)["sc:x"].tolist() == [4]
    assert parse_budgets("1,3-4,latency=10") == Own((1, 3, 4), (Limit("latency", 10.0),))


def test_what_is_not_an_evaluation_refuses_own_budgets():
    with pytest.raises(StrategyError, match="sc:x has budgets of its own, which only an evaluation reads"):
        name_strategies("sc:x@4")
    with pytest.raises(MssimError, match="sc:x has budgets of its own"):
        tune(random_pool(), ["sc:x@4", "sc:y"], [4])


# Results --------------------------------------------------------------------------------------------------------------

OWN = {"sc:x": (1, 2, 3), "ms:x+y": (2, 5), "random:y+x": (4,), "alloc:x,cap=6": (3, 5), "sc:y,stop=beta:0.95": (2, 4)}
TEXTS = [f"{name}@{','.join(map(str, own))}" for name, own in OWN.items()]
GRID = [1, 2, 3, 4, 5]
QUICK = {"n_replays": 50, "seed": 3}


def chosen(whole, names):
    """Values of a whole grid [strategy, budget, ...], with NaN where a strategy was not given a budget."""
    values = np.array(whole, dtype=float)
    for row, own in zip(values, names, strict=True):
        row[~np.isin(GRID, own)] = np.nan
    return values


def test_results_are_those_of_the_whole_grid():
    pool = random_pool(6, 8, cost=2.0)
    found, whole = evaluate(pool, TEXTS, **QUICK), evaluate(pool, list(OWN), GRID, **QUICK)
    assert found.strategies == tuple(OWN)
    assert found.budgets.tolist() == GRID
    for name in ("accuracy", "samples_used", "agreed", "cost"):
        wanted = chosen(getattr(whole, name), OWN.values())
        assert np.allclose(getattr(found, name), wanted, rtol=0, atol=1e-12, equal_nan=True)
    given = ~np.isnan(found.accuracy[:, :, 0])
    assert np.array_equal(found.n_replays, np.where(given[..., None], whole.n_replays, 0))


def test_what_is_spent_is_that_of_the_whole_grid():
    answers = {(model, f"q{q}"): ["a", "b", None, "a", "b", "a"] for model in "xy" for q in range(4)}
    spends = np.random.default_rng(1).integers(1, 200, (2, 48))
    pool = make_pool(answers, output_tokens=spends[0], latency=spends[1] / 8)
    options = {**QUICK, "quantiles": True, "prices": {"x": 1, "y": 2.5}}
    found, whole = evaluate(pool, TEXTS, **options), evaluate(pool, list(OWN), GRID, **options)
    given = found.evaluated.ravel()
    table = found.to_frame(quantiles=[0.5, 0.95], latency_exceeds=50)
    expected = whole.to_frame(quantiles=[0.5, 0.95], latency_exceeds=50)[given].reset_index(drop=True)
    assert table.filter(regex="tokens|cost|latency").notna().all(axis=None)
    pd.testing.assert_frame_equal(table, expected, rtol=1e-12)


@pytest.mark.slow
def test_jackknife_and_bias_are_those_of_the_whole_grid():
    pool = random_pool(6, 8)
    names = [name for name in OWN if not name.startswith("alloc")]
    texts = [text for text in TEXTS if not text.startswith("alloc")]
    own = [OWN[name] for name in names]
    options = {**QUICK, "jackknife": True}
    found, whole = evaluate(pool, texts, **options), evaluate(pool, names, GRID, **options)
    closed = (whole.n_replays == 0).all(axis=2) & ~np.isnan(found.accuracy[:, :, 0])
    assert closed.sum() == 5
    assert np.allclose(found.jackknife.variance[closed], whole.jackknife.variance[closed], rtol=0, atol=1e-12)
    assert np.array_equal(np.isnan(found.jackknife.variance), np.isnan(found.accuracy))
    assert np.array_equal(found.jackknife.share, chosen(whole.jackknife.share, own), equal_nan=True)
    found, whole = (evaluate(pool, *given, replacement=True, **QUICK) for given in ((texts,), (names, GRID)))
    assert np.allclose(found.bias, chosen(whole.bias, own), rtol=0, atol=1e-12, equal_nan=True)


def test_requirements_are_those_of_the_own_budgets():
    pool = make_pool({("x", "q"): ["a"] * 6, ("debate", "q"): ["a"]})
    found = evaluate(pool, ["sc:x@1-6", "debate@1"])
    assert found.samples_used[:, :, 0].tolist()[0] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(BudgetError, match=r"sc:debate: budget 2 needs 2 samples of model 'debate'.*1 were recorded"):
        evaluate(pool, ["sc:x@6", "debate@1-2"])


def test_shards_and_checkpoints_keep_own_budgets(tmp_path):
    pool = random_pool(6, 8, cost=2.0)
    whole = evaluate(pool, TEXTS, **QUICK)
    for i in (1, 2):
        evaluate_shard(pool, TEXTS, shard=(i, 2), checkpoint=tmp_path / f"{i}.ckpt", **QUICK)
    with pytest.raises(MssimError, match=r"belongs to another run .*sc:x budgets"):
        evaluate_shard(pool, ["sc:x@4", *TEXTS], shard=(1, 2), checkpoint=tmp_path / "1.ckpt", **QUICK)
    merged = merge([tmp_path / "1.ckpt", tmp_path / "2.ckpt"])
    for name in ("accuracy", "samples_used", "agreed", "cost", "budgets", "n_replays"):
        assert np.array_equal(getattr(merged, name), getattr(whole, name), equal_nan=True)
    assert merged.provenance == whole.provenance


def test_budgets_may_follow_the_name_of_a_column():
    assert split_budgets("dsc:a,difficulty=level@4,8", ["a"]) == ("dsc:a,difficulty=level", "4,8")
    assert split_budgets("sc:a,stop=cges:0.9/p@tokens=20", ["a"]) == ("sc:a,stop=cges:0.9/p", "tokens=20")
    assert split_budgets("ms:a+a@4", ["a", "a@4"]) == ("ms:a+a@4", "")
    with_at = str(DifficultyAdaptive("a", "level@4"))
    assert with_at == 'dsc:a,difficulty="level@4"'
    assert split_budgets(with_at, ["a"]) == (with_at, "")
