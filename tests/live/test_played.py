import math

import pandas as pd
import pytest

from mssim.live import Played, ProtocolRun
from mssim.live.played import spent_by, table_of


def made(runs=2):
    played = [
        Played("q1", 0, "7", "judge", 3, "stop", 30, 9, 0.5, 2.0),
        Played("q1", 1, "8", "rounds", 7, "stop", 70, 21, 1.5, 4.0),
        Played("q2", 0, "?", "rounds", 7, None, 70, 21, None, 4.0),
    ]
    graded = pd.DataFrame(
        {"question_id": ["q1", "q1", "q2"], "sample_index": [0, 1, 0], "answer": ["7", "8", None]}
    ).assign(correct=[True, False, True])
    return ProtocolRun("mad:a", "mad", "out", 3, runs, table_of(played, graded), pd.DataFrame(), pd.DataFrame())


def test_totals():
    totals = made().totals()
    assert totals.pop("accuracy") == 0.75  # the mean over the two questions that have runs
    assert totals.pop("calls") == pytest.approx(17 / 3)
    assert [totals.pop(name) for name in ("tokens", "latency")] == [pytest.approx(221 / 3), pytest.approx(10 / 3)]
    named = {"protocol": "mad:a", "questions": 3, "runs": 2, "unfinished": 3}
    assert totals == {**named, "output_tokens": 17.0, "cost": 1.0}


def test_what_is_unfinished_counts_the_runs_that_were_asked_for():
    assert (made(1).unfinished, made(1).complete) == (1, False)
    assert (made(2).unfinished, made(3).unfinished) == (3, 6)


def test_ends():
    assert made().ends().to_dict("records") == [
        {"ended": "judge", "runs": 1, "calls": 3.0},
        {"ended": "rounds", "runs": 2, "calls": 7.0},
    ]


def test_no_run_is_finished():
    columns = ["question_id", "sample_index", "answer", "correct"]
    table = table_of([], pd.DataFrame(columns=columns))
    result = ProtocolRun("mad:a", "mad", "out", 3, 2, table, pd.DataFrame(), pd.DataFrame())
    assert (result.unfinished, len(result.to_frame()), len(result.ends())) == (6, 0, 0)
    assert all(math.isnan(result.totals()[name]) for name in ("accuracy", "calls", "tokens", "cost", "latency"))


def test_spending_by_model():
    names = ["model", "requests", "refused", "input_tokens", "output_tokens", "cost", "latency"]
    rows = [
        ("a as x", 1, 0, 10, 2, 0.5, 4.0),
        ("a as y", 3, 1, None, 2, 0.25, 8.0),
        ("b as x", 1, 1, None, None, None, 1.0),
    ]
    spent = spent_by([dict(zip(names, row, strict=True)) for row in rows], lambda name: name[0])
    assert spent[names[:5]].to_numpy().tolist() == [["a", 4, 1, 10, 4], ["b", 1, 1, 0, 0]]
    assert spent["latency"].tolist() == [7.0, 1.0]
    assert spent["cost"].iloc[0] == 0.75
    assert math.isnan(spent["cost"].iloc[1])
    assert len(spent_by([], str)) == 0
