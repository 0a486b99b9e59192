"""Tables of tuning: what each fold chose, and the frontier, scored on other questions."""

import numpy as np
import pytest

from mssim import (
    tune,
)
from tests.engine.test_evaluate import random_pool
from tests.tuning.test_choice import STRATEGIES


def test_choices_say_what_each_fold_chose():
    tuning = tune(random_pool(20, 8), STRATEGIES, [1, 4, 8], n_folds=4, n_runs=6, n_replays=50)
    frame = tuning.choices()
    assert frame.groupby(["limit", "fold"])["share"].sum().tolist() == pytest.approx([1] * 12)
    assert frame.drop_duplicates(["limit", "fold"])["n_questions"].tolist() == [5] * 12
    assert (frame.groupby(["limit", "fold"]).size() > 1).any()
    assert frame.groupby(["limit", "fold"])["share"].apply(lambda share: share.is_monotonic_decreasing).all()
    candidates = list(zip(tuning.strategies, tuning.budgets, strict=True))
    for row in frame.itertuples():
        c, i, out = (
            candidates.index((row.strategy, row.budget)),
            [1, 4, 8].index(row.limit),
            tuning.folds == row.fold - 1,
        )
        runs = np.nonzero(tuning.chosen[:, i, row.fold - 1] == c)[0]
        assert row.share == pytest.approx(len(runs) / 6)
        assert row.training == pytest.approx(tuning.training[runs, i, row.fold - 1].mean())
        assert (row.held_out, row.spend) == (tuning.accuracy[c, out].mean(), tuning.spend[c, out].mean())
    usual = tuning.to_frame()[["limit", "strategy", "budget", "same_choice"]].merge(frame)
    assert usual.groupby("limit")["share"].sum().to_numpy() / 4 == pytest.approx(
        usual.groupby("limit")["same_choice"].first()
    )


def test_the_choice_of_most_runs_is_named():
    tuning = tune(random_pool(20, 8), ["sc:x", "sc:y", "sc:z"], [1, 3], limits=3, n_runs=7, seed=2)
    names = [(tuning.strategies[c], tuning.budgets[c]) for c in tuning.chosen[:, 0, -1]]
    row = tuning.to_frame().iloc[0]
    assert len(set(names)) > 1
    assert names[0] != (row["strategy"], row["budget"])
    assert names.count((row["strategy"], row["budget"])) == max(names.count(name) for name in names)


def test_the_frontier_is_scored_on_other_questions():
    pool, budgets = random_pool(20, 8, seed=3), [1, 2, 4, 8]
    tuning = tune(pool, STRATEGIES, budgets, n_folds=5, n_replays=200)
    frame = tuning.frontier(confidence_level=0.8)
    assert frame.columns.tolist() == [
        *("strategy", "fitted", "budget", "spend", "in_sample", "limit", "held_out", "low", "high", "folds")
    ]
    assert len(frame) > 3
    assert (np.diff(frame["spend"]) > 0).all()
    assert (np.diff(frame["in_sample"]) > 0).all()
    # Every row says what is found within its limit.
    again = tune(pool, STRATEGIES, budgets, limits=frame["limit"], n_folds=5, n_replays=200)
    same = again.to_frame(confidence_level=0.8)
    for name in ("strategy", "budget"):
        assert frame[name].tolist() == same[name].tolist()
    for name in ("spend", "in_sample", "held_out", "low", "high"):
        assert frame[name].tolist() == pytest.approx(same[name].tolist())


def test_the_frontier_counts_the_folds_that_have_it_too():
    exact = ["sc:x", "sc:y", "ms:x+y,agreement=0.6,vote=plurality", "ms:z+x,vote=plurality", "mix:y+z"]
    tuning = tune(random_pool(20, 8, seed=3), exact, [1, 2, 4, 8], n_folds=5)
    assert not tuning.n_replays.any()
    frame, candidates = tuning.frontier(), list(zip(tuning.strategies, tuning.budgets, strict=True))
    for row in frame.itertuples():
        me, among = candidates.index((row.strategy, row.budget)), 0
        for fold in range(5):
            rest = tuning.folds != fold
            points = list(zip(tuning.spend[:, rest].mean(axis=1), tuning.accuracy[:, rest].mean(axis=1), strict=True))
            s, a = points[me]
            better = [t <= s + 1e-9 and b >= a - 1e-9 and (t < s - 1e-9 or b > a + 1e-9) for t, b in points]
            among += not any(better)
        assert row.folds == among
    assert 0 < frame["folds"].min() < 5
