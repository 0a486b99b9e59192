"""Live runs on disk beside what replays of the recording predict."""

import numpy as np
import pandas as pd
import pytest

from analysis import live
from analysis.sources import named
from mssim import PoolError, evaluate
from tests.analysis import stand_ins

STRATEGIES = ("sc:strong", "ms:strong+weak,agreement=0.75")


def runs(pool, shift=0.0):
    """One replay of each strategy in place of a live run, with `shift` of the questions made wrong."""
    frames = []
    for strategy in STRATEGIES:
        one = evaluate(pool, strategy, [4], method="monte_carlo", n_replays=1, seed=3)
        correct = one.accuracy[0, 0] == 1
        correct[: round(shift * correct.size)] = False
        used = {"samples_used": one.samples_used[0, 0].astype(int), "stopped": "budget"}
        frames.append(one.questions[["question_id"]].assign(strategy=strategy, budget=4, correct=correct, **used))
    return pd.concat(frames)


@pytest.fixture
def folder(tmp_path):
    pool = stand_ins.samples(n=60)
    pool.save(tmp_path / "llm-task")
    runs(pool).to_csv(tmp_path / "llm-task" / "live.csv", index=False)
    return tmp_path / "llm-task"


@pytest.mark.slow
def test_every_strategy_and_quantity_has_a_row_with_its_z_score(folder):
    source = named(folder)
    table = live.run(source, n_runs=50)
    assert table[["strategy", "quantity"]].to_numpy().tolist() == [
        [strategy, quantity] for strategy in STRATEGIES for quantity in ("accuracy", "samples_used")
    ]
    assert table["synthetic"].all()
    assert (table["n_questions"] == 60).all()
    assert np.allclose(table["live"] - table["predicted"], table["z"] * table["sd"])
    assert (table["verdict"] == "as predicted").all()
    assert (table["p_value"] > 0.001).all()
    shares = source.live.groupby("strategy", sort=False)["correct"].mean()
    assert table.loc[table["quantity"] == "accuracy", "live"].tolist() == pytest.approx(shares.tolist())


@pytest.mark.slow
def test_a_run_that_is_worse_than_predicted_is_found(folder):
    runs(stand_ins.samples(n=60), 0.6).to_csv(folder / "live.csv", index=False)
    table = live.run(named(folder), n_runs=50).set_index(["strategy", "quantity"])
    assert (table["verdict"].xs("accuracy", level="quantity") == "lower").all()
    assert (table["p_value"] < 1e-4).all()


def test_another_table_of_runs_is_another_source(folder):
    before = named(folder).fingerprint
    pd.read_csv(folder / "live.csv").assign(correct=True).to_csv(folder / "live.csv", index=False)
    assert named(folder).fingerprint != before


def test_sources_without_runs_and_tables_without_their_columns_are_refused(folder):
    pd.read_csv(folder / "live.csv").drop(columns="budget").to_csv(folder / "live.csv", index=False)
    with pytest.raises(PoolError, match=r"live\.csv: no column 'budget'"):
        named(folder)
    (folder / "live.csv").unlink()
    with pytest.raises(
        PoolError, match=r"llm-task: no live runs\. Write the tables of `mssim\.live\.run` to live\.csv"
    ):
        live.run(named(folder))
