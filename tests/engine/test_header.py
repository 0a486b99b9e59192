"""What decides the numbers of a run is in its header, and another run is refused by name."""

import datetime
import json

import pytest

from mssim import MssimError, OwnStop, Prices, SelfConsistency, Vote, evaluate, merge
from mssim.engine.header import header_of, job_of
from mssim.engine.job import read_job
from mssim.engine.versions import versions
from mssim.engine.work import Work
from tests.long_runs import BUDGETS, KEPT, OPTIONS, assert_same, kept

TABLE = Prices(datetime.date(2026, 11, 1), {"x": (0, 0), "y": (0, 0)}, "EUR", per_tokens=1000)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"seed": 8}, "seed: 7 in the file, 8 here"),
        ({"n_replays": 50}, "n_replays: 120 in the file, 50 here"),
        ({"replacement": True}, "replacement: false in the file, true here"),
        ({"method": "monte_carlo"}, 'method: "auto" in the file, "monte_carlo" here'),
        ({"budgets": [1, 2]}, r"budgets: \[1, 2, 5\] in the file, \[1, 2\] here"),
        ({"prices": {"x": 1, "y": 1}}, r'prices: nothing in the file, {"x": 1\.0, "y": 1\.0} here'),
        ({"prices": TABLE}, r'prices: nothing in the file, {"date": "2026-11-01", "currency":'),
        ({"tokens": "output"}, 'tokens: "all" in the file, "output" here'),
        ({"parallel": 2}, "parallel: nothing in the file, 2 here"),
        ({"quantiles": True}, "quantiles: false in the file, true here"),
        (
            {"shares_draws": [("x", "y")], "prices": {"x": 1, "y": 1}},
            r'shares_draws: \[\] in the file, \[\["x", "y"\]\] here',
        ),
        ({"strategies": ["sc:x", "ms:x+y"]}, "strategies sc:x,stop=beta:0.9: .* in the file, nothing here"),
        (
            {"strategies": {**dict(zip(KEPT, KEPT, strict=True)), "sc:x": "sc:y"}},
            r'sc:x models: \["x"\] in the file, \["y"',
        ),
    ],
)
def test_other_settings_are_refused(pool, path, changed, says):
    before = path.read_bytes()
    with pytest.raises(MssimError, match=rf"run\.ckpt belongs to another run \(.*{says}.*Use the settings of"):
        kept(pool, path, **changed)
    assert path.read_bytes() == before


def test_other_answers_questions_and_columns_are_refused(pool, tmp_path):
    rules = ["mix:x+y,vote=score_sum,column=chars"]
    path = tmp_path / "run.ckpt"
    kept(pool, path, strategies=rules)
    frame = pool.to_frame().drop(columns="correct")
    for column, says in (("answer", "pool answers"), ("chars", "pool column 'chars'"), ("topic", "pool questions")):
        changed = frame[column].where(frame.index > 0, "b") if column == "answer" else frame[column] * 2
        other = type(pool).from_frame(frame.assign(**{column: changed}), info=pool.info)
        with pytest.raises(MssimError, match=f"another run \\(.*{says}: "):
            kept(other, path, strategies=rules)


def test_other_versions_are_refused(pool, path, monkeypatch):
    other = {**versions(), "numba": "9.9"}
    monkeypatch.setattr("mssim.engine.header.versions", lambda: other)
    with pytest.raises(MssimError, match=r'another run \(versions numba: ".*" in the file, "9\.9" here\)'):
        kept(pool, path)


def test_other_blocks_are_refused(pool, path, monkeypatch):
    monkeypatch.setattr("mssim.engine.division._DRAWS_PER_TASK", 700)
    with pytest.raises(MssimError, match=r"another run \(blocks number: \d+ in the file, \d+ here; blocks digest"):
        kept(pool, path)


@pytest.mark.compiled
def test_prices_and_names_of_any_kind_survive(pool, tmp_path):
    frame = pool.to_frame().replace({"model": {"x": "a+b", "y": "c,d"}}).drop(columns="cost")
    odd = type(pool).from_frame(frame)
    rules = {
        "one": {"kind": "ms", "models": ["a+b", "c,d"], "vote": Vote.entropy(prior=(2, 1.5), ties="random")},
        "two": {"kind": "random", "models": ["c,d", "a+b"], "shares": (3, 1), "stop": "majority:0.7/3"},
    }
    for options in ({}, {"prices": {"a+b": 0.1, "c,d": 3}}, {"replacement": True, "method": "monte_carlo"}):
        name = tmp_path / f"{len(str(options))}.ckpt"
        result = evaluate(odd, rules, BUDGETS, checkpoint=name, **OPTIONS, **options)
        assert_same(result, evaluate(odd, rules, BUDGETS, **OPTIONS, **options))
        assert_same(merge([name]), result)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"prices": {"x": 1, "y": 2}},
        {"prices": TABLE, "tokens": "output", "parallel": 3, "quantiles": True, "shares_draws": [["x", "y"]]},
    ],
)
def test_all_settings_are_read_back(pool, given):
    job = read_job({"one": "ms:x+y"}, [1, 2], method="auto", n_replays=9, seed=3, replacement=False, **given)
    settings = json.loads(json.dumps(header_of(Work(job, pool)).settings))
    again = job_of(settings)
    for name in ("strategies", "method", "prices", "tokens", "parallel", "quantiles", "shares_draws"):
        assert getattr(again, name) == getattr(job, name), name


@pytest.mark.parametrize("own", [{"vote": Vote.own(lambda counts, _: counts[0])}, {"stop": OwnStop(lambda *_: True)}])
def test_rules_without_a_text_have_no_checkpoint(pool, tmp_path, own):
    own = {"mine": SelfConsistency("x", **own)}
    with pytest.raises(MssimError, match="mine: checkpoints do not support functions and classes of your own"):
        evaluate(pool, own, BUDGETS, checkpoint=tmp_path / "1.ckpt")
    assert not (tmp_path / "1.ckpt").exists()
