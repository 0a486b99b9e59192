import json

import pyarrow.parquet as pq
import pytest

from mssim import evaluate, load_pool
from mssim.rules.parsing import parse_for
from tests.live.repliers import Replier, plan, play, questions
from tests.recording import PRICES


def test_the_pool_has_one_model_with_the_sums_of_each_run(tmp_path):
    result, client = play(tmp_path, "mad:a+b,rounds=1", runs=8)
    rows = pq.read_table(tmp_path / "samples.parquet").to_pylist()
    frame = result.to_frame()
    assert {row["model"] for row in rows} == {"mad:a+b,rounds=1"}
    assert [row["sample_index"] for row in rows] == [*range(8)] * 3
    for name in (
        "question_id",
        "text",
        "input_tokens",
        "output_tokens",
        "calls",
        "ended",
        "latency",
        "answer",
        "correct",
    ):
        assert [row[name] for row in rows] == frame[name].tolist()
    assert sum(row["calls"] for row in rows) == len(client.requests)
    assert {row["calls"] for row in rows} == {3, 4}
    assert all(row["input_tokens"] == 10 * row["calls"] and row["finish_reason"] == "stop" for row in rows)
    assert "cost" not in rows[0]


def test_the_pool_keeps_runs_and_questions_that_are_not_asked_for_again(tmp_path):
    whole, _ = play(tmp_path, runs=3)
    before = pq.read_table(tmp_path / "samples.parquet").to_pylist()
    for given, runs in ((questions(3), 1), (questions(2), 3)):
        part, client = play(tmp_path, runs=runs, given=given)
        assert (part.complete, client.events, len(part.to_frame())) == (True, 0, len(given) * runs)
        assert pq.read_table(tmp_path / "samples.parquet").to_pylist() == before
        assert pq.read_metadata(tmp_path / "questions.parquet").num_rows == 3
    assert len(load_pool(tmp_path).question_ids) == whole.questions


def test_questions_of_earlier_runs_may_follow_new_ones(tmp_path):
    play(tmp_path, given=questions(2))
    play(tmp_path, given=questions(3).slice(1))
    assert sorted(load_pool(tmp_path).question_ids) == ["q0", "q1", "q2"]


@pytest.mark.slow
def test_it_is_evaluated_as_any_model(tmp_path):
    result, _ = play(tmp_path, "debate:a+b", runs=6)
    pool = load_pool(tmp_path)
    assert pool.models == ("debate:a+b",)
    found = evaluate(pool, [parse_for('sc:"debate:a+b"', pool.models)], [1]).to_frame()
    assert found["accuracy"].tolist() == [pytest.approx(result.accuracy)]
    assert found["tokens"].tolist() == [pytest.approx(4 * 13)]


def test_what_the_folder_says(tmp_path):
    play(tmp_path, "debate:a+b", called="debate", prompts={"debate": {"between": " "}})
    info = json.loads((tmp_path / "pool.json").read_text())
    assert info["source"].startswith("runs of debate:a+b (arXiv 2305.14325), recorded with mssim ")
    assert info["models"]["debate"]["protocol"] == "debate:a+b"
    assert info["models"]["debate"]["prompts"]["between"] == " "
    assert set(info["models"]["debate"]["models"]) == {"a", "b"}
    assert info["counts"] == {"questions": 3, "models": 1, "samples": 9}
    assert info["grader"]["rule"] == "number"
    (tmp_path / "pool.json").write_text(json.dumps({**info, "title": "Debates"}))
    play(tmp_path, "debate:a+b", runs=4, called="mine", prompts={"debate": {"between": " "}})
    info = json.loads((tmp_path / "pool.json").read_text())
    assert (info["title"], list(info["models"]), info["counts"]["samples"]) == ("Debates", ["mine"], 12)


def test_cost_is_the_sum_over_all_calls(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(PRICES + "[models.b]\ninput = 2.0\noutput = 0.0\n")
    result, _ = play(tmp_path / "pool", "debate:a+b", asked=plan(prices=path))
    per_call = {"a": (10 + 2 * 3) / 1000, "b": 20 / 1000}
    assert result.to_frame()["cost"].tolist() == [pytest.approx(2 * sum(per_call.values()))] * 9
    assert result.currency == "EUR"
    assert result.spent["cost"].tolist() == [pytest.approx(18 * cost) for cost in per_call.values()]
    assert load_pool(tmp_path / "pool").numbers["cost"].min() > 0


def test_lone_surrogates_are_replaced(tmp_path):
    play(tmp_path, "debate:a+b", runs=1, client=Replier(lambda _: "1 \ud800"), given=questions(1))
    assert pq.read_table(tmp_path / "samples.parquet")["text"].to_pylist() == ["1 \ufffd"]


def test_a_damaged_pool_is_written_again_from_the_journal(tmp_path):
    play(tmp_path)
    (tmp_path / "pool.json").write_text("{")
    result, client = play(tmp_path)
    assert (result.complete, client.events) == (True, 0)
    assert len(load_pool(tmp_path).question_ids) == 3
