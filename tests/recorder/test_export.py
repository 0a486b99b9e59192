import json
import sqlite3

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mssim import MssimError, PoolError, PoolWarning, evaluate, load_pool
from mssim.grading import grade
from mssim.recorder import Choice, Journal, Reply, export
from tests.cli import test_cli
from tests.recording import PRICES, URL, Client, collect, plan, questions

run = test_cli.run


def answers(text="the answer is 7", **choice):
    return Client(lambda request: Reply((Choice(text, **choice),) * request.n, 10, 5 * request.n))


def samples(folder):
    return pq.read_table(folder / "samples.parquet").to_pandas()


def test_a_recording_is_a_pool_once_it_is_graded(tmp_path):
    collect(tmp_path, answers(), plan(["a", "b"]))
    with pytest.raises(PoolError, match=r"not been graded yet\. Grade them first: mssim"):
        load_pool(tmp_path)
    grade(tmp_path, "number")
    pool = load_pool(tmp_path)
    assert pool.models == ("a", "b")
    assert pool.describe()["accuracy"].tolist() == [1, 1]
    assert pool.info["models"]["a"]["settings"] == {"temperature": 1.0}
    assert pool.info["models"]["a"]["server"] == URL
    assert pool.info["grader"]["rule"] == "number"


def test_the_files_are_the_same_however_often_they_are_written(tmp_path):
    collect(tmp_path, Client())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "journal.sqlite"}
    collect(tmp_path, Client())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "journal.sqlite"} == before


def test_columns_of_a_sample(tmp_path):
    (tmp_path / "prices.toml").write_text(PRICES)
    client = Client(lambda _: Reply((Choice("7", "stop", -0.25, 4),), 10, 5, "a-2026", "fp", "r1"))
    collect(tmp_path / "pool", client, plan(samples=1, prices=tmp_path / "prices.toml", logprobs=True), questions(1))
    row = samples(tmp_path / "pool").iloc[0]
    assert row["time"].tzinfo is not None
    assert row["latency"] >= 0
    expected = {"question_id": "q0", "model": "a", "sample_index": 0, "text": "7", "finish_reason": "stop"}
    expected |= {"confidence": -0.25, "input_tokens": 10, "output_tokens": 5, "cost": 0.02}
    expected |= {"served_model": "a-2026", "fingerprint": "fp", "request_id": "r1"}
    assert row.drop(["time", "latency"]).to_dict() == expected
    assert json.loads((tmp_path / "pool" / "pool.json").read_text())["prices"]["date"] == "2026-11-01"


def test_tokens_of_several_samples_a_request_are_those_of_the_request(tmp_path):
    (tmp_path / "prices.toml").write_text(PRICES)
    asked = plan(samples=4, samples_per_request=4, prices=tmp_path / "prices.toml")
    collect(tmp_path / "pool", answers(), asked, questions(1))
    frame = samples(tmp_path / "pool")
    assert frame[["input_tokens", "output_tokens"]].isna().all(axis=None)
    columns = ["request_input_tokens", "request_output_tokens", "request_samples"]
    assert frame[columns].drop_duplicates().to_numpy().tolist() == [[10, 20, 4]]
    assert frame["cost"].tolist() == pytest.approx([0.05 / 4] * 4)
    assert "refer to the whole request" in json.loads((tmp_path / "pool" / "pool.json").read_text())["tokens"]


@pytest.mark.slow
def test_an_evaluation_pays_what_the_recording_cost(tmp_path):
    """A prompt of 10 tokens for 4 answers of 5 tokens costs 1 x 10 + 2 x 20 per thousand, whoever looks it up."""
    (tmp_path / "prices.toml").write_text(PRICES)
    asked = plan(
        ["mine=a"], 4, samples_per_request=4, prices=tmp_path / "prices.toml"
    )  # the table has the server's name
    texts = Client(lambda _: Reply(tuple(Choice(f"way {i}, so it is 7") for i in range(4)), 10, 20))
    collect(tmp_path / "pool", texts, asked, questions(2))
    grade(tmp_path / "pool", "number")
    pool = load_pool(tmp_path / "pool")
    for prices in (None, tmp_path / "prices.toml", pool.info["prices"]):
        found = evaluate(pool, "sc:mine", [1, 4], prices=prices)
        assert found.cost[0] == pytest.approx(np.array([[0.05 / 4] * 2, [0.05] * 2]))
        assert found.tokens[0].tolist() == [[7.5] * 2, [30] * 2]


def test_a_confidence_that_is_not_known_is_missing_and_refused_only_by_votes_that_read_it(tmp_path):
    replies = iter([Reply((Choice("7", confidence=-0.5),)), Reply((Choice("7"),))])
    collect(tmp_path, Client(lambda _: next(replies)), plan(samples=2, concurrency=1), questions(1))
    frame = samples(tmp_path)
    assert frame["confidence"].tolist() == pytest.approx([-0.5, np.nan], nan_ok=True)
    grade(tmp_path, "number")
    pool = load_pool(tmp_path)
    assert pool.numbers["confidence"][0, 0].tolist() == pytest.approx([-0.5, np.nan], nan_ok=True)
    assert evaluate(pool, ["sc:a"], [1]).to_frame()["accuracy"].item() == 1
    with pytest.raises(PoolError, match="1 samples of model 'a' have none, first sample 1 of question"):
        evaluate(pool, ["sc:a,vote=confidence"], [1])


def test_half_a_surrogate_pair_is_kept_in_the_journal_and_replaced_in_the_pool(tmp_path):
    collect(tmp_path, answers("a\ud800b\0"), plan(samples=1), questions(1))
    with Journal(tmp_path) as journal:
        assert journal.samples(next(journal.cells()))[0]["text"] == "a\ud800b\0"
    assert samples(tmp_path)["text"].item() == "a\ufffdb\0"


def test_recording_more_keeps_grade_scores_and_what_was_written_by_hand(tmp_path):
    collect(tmp_path, answers())
    grade(tmp_path, "number")
    table = pq.read_table(tmp_path / "samples.parquet")
    scored = table.append_column("score", pa.array(range(table.num_rows), pa.float64()))
    pq.write_table(scored, tmp_path / "samples.parquet")
    info = json.loads((tmp_path / "pool.json").read_text())
    (tmp_path / "pool.json").write_text(json.dumps({**info, "licence": "CC0"}))
    collect(tmp_path, answers("9"), plan(samples=6))
    frame = samples(tmp_path)
    old = frame[frame["sample_index"] < 4]
    assert old["score"].tolist() == list(range(12))
    assert old["correct"].all()
    assert frame.loc[frame["sample_index"] >= 4, "score"].isna().all()
    assert frame.loc[frame["sample_index"] >= 4, "answer"].tolist() == ["9"] * 6
    assert json.loads((tmp_path / "pool.json").read_text())["licence"] == "CC0"


def test_code_named_by_a_file_is_not_run(tmp_path):
    collect(tmp_path, answers())
    grade(tmp_path, "number")
    info = json.loads((tmp_path / "pool.json").read_text())
    info["grader"]["rule"] = "python=antigravity:fly"
    (tmp_path / "pool.json").write_text(json.dumps(info))
    before = (tmp_path / "samples.parquet").read_bytes()
    found = collect(tmp_path, answers(), plan(samples=6))
    assert found.complete
    assert len(found.notes) == 1
    assert found.notes[0].startswith("All samples are in the journal, but the files of the pool were not updated")
    assert found.notes[0].endswith("--rule python=antigravity:fly`.")
    assert (tmp_path / "samples.parquet").read_bytes() == before
    assert export(tmp_path, rule="number").to_frame()["samples"].tolist() == [18]


def test_nothing_recorded_is_no_pool(tmp_path):
    collect(tmp_path, Client(), max_requests=0)
    assert not (tmp_path / "pool.json").exists()


def test_questions_keep_their_columns(tmp_path):
    asked = questions(2, choices=[["x", "y"], ["z"]], cluster=["k", "k"], level=[1, 2])
    collect(tmp_path, Client(), None, asked)
    frame = pd.read_parquet(tmp_path / "questions.parquet")
    assert frame.columns.tolist() == ["question_id", "question", "truth", "choices", "cluster", "level"]
    assert [list(choices) for choices in frame["choices"]] == [["x", "y"], ["z"]]
    grade(tmp_path, "exact")
    with pytest.warns(PoolWarning, match="no answer of a is right, e.g. question q0: answer 'text 0', truth '7'"):
        pool = load_pool(tmp_path)
    assert pool.questions["cluster"].tolist() == ["k", "k"]


def test_a_rule_that_is_none_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    collect(tmp_path, answers())
    monkeypatch.setattr("mssim.recorder._export._write_samples", None)
    with pytest.raises(MssimError, match=r"rule 'nmber' is not known\. Did you mean 'number'"):
        export(tmp_path, rule="nmber")


def test_the_command_grades_what_was_recorded_since_the_last_export(tmp_path, run):
    with Journal(tmp_path, record=True):
        pass
    code, _, err = run("grade", tmp_path, "--rule", "number")
    assert (code, err) == (2, f"mssim: error: {tmp_path}: no samples were recorded yet. Run `mssim record` first.\n")
    collect(tmp_path, answers())
    (tmp_path / "samples.parquet").unlink()  # as if it had been killed before the export
    (tmp_path / "pool.json").unlink()
    code, text, err = run("grade", tmp_path, "--rule", "number")
    assert (code, err) == (0, "")
    assert "rule number" in text
    assert load_pool(tmp_path).describe()["accuracy"].tolist() == [1]


def test_nothing_new_is_not_written_again(tmp_path, monkeypatch):
    collect(tmp_path, answers())
    monkeypatch.setattr("mssim.recorder._record.export_journal", None)
    assert collect(tmp_path, answers()).notes == ()
    (tmp_path / "samples.parquet").unlink()
    monkeypatch.undo()
    assert collect(tmp_path, answers()).notes == ()
    assert len(samples(tmp_path)) == 12
    (tmp_path / ".next").mkdir()
    (tmp_path / "samples.parquet").rename(tmp_path / ".next" / "samples.parquet")  # as a kill may leave it
    assert collect(tmp_path, answers()).notes == ()
    assert len(samples(tmp_path)) == 12


def test_pool_json_says_what_the_last_run_said(tmp_path):
    (tmp_path / "prices.toml").write_text(PRICES.replace("[models.a]", "[models.b]\ninput = 1\noutput = 1\n[models.a]"))
    collect(tmp_path / "pool", answers(), plan(["a", "b"], 1))
    collect(tmp_path / "pool", answers(), plan(["a"], 2, prices=tmp_path / "prices.toml"))
    info = json.loads((tmp_path / "pool" / "pool.json").read_text())
    assert info["prices"]["currency"] == "EUR"
    assert list(info["models"]) == ["a", "b"]


def damaged(tmp_path, change, says):
    """The pool's files are as `change` left them, the samples safe, and a note tells what to do."""
    collect(tmp_path, answers())
    change()
    before = (tmp_path / "samples.parquet").read_bytes()
    found = collect(tmp_path, answers(), plan(samples=5))
    assert found.complete
    assert len(found.notes) == 1
    assert says in found.notes[0]
    assert "\n" not in found.notes[0]
    assert (tmp_path / "samples.parquet").read_bytes() == before


def test_answers_of_another_hand_are_not_lost(tmp_path):
    def change():
        samples(tmp_path).assign(answer="7", correct=True).to_parquet(tmp_path / "samples.parquet")

    damaged(tmp_path, change, "has answers that were not written by `mssim grade` and would be lost")


def test_repeated_rows_with_a_column_of_their_own_are_refused(tmp_path):
    def change():
        frame = samples(tmp_path).assign(score=1.0)
        pd.concat([frame, frame]).to_parquet(tmp_path / "samples.parquet")

    damaged(tmp_path, change, "has several rows for the same sample. Remove the repeated rows or the file")


def test_a_damaged_table_is_not_blamed_on_writing(tmp_path):
    damaged(tmp_path, lambda: (tmp_path / "samples.parquet").write_bytes(b"junk"), "cannot be read (")


def test_a_grader_that_is_none_is_refused(tmp_path):
    def change():
        info = json.loads((tmp_path / "pool.json").read_text())
        (tmp_path / "pool.json").write_text(json.dumps({**info, "grader": "x"}))

    damaged(tmp_path, change, "grader='x' in pool.json is not an object. Remove the entry and grade again")


def test_reasoning_refusals_and_tool_calls_have_columns_if_a_sample_has_one(tmp_path):
    collect(tmp_path / "none", answers())
    assert not {"reasoning", "refusal", "tool_calls"} & set(samples(tmp_path / "none").columns)
    replies = iter([Choice("7", reasoning="3 + 4"), Choice("", refusal="I must not."), Choice("8")])
    client = Client(lambda _: Reply((next(replies),), 10, 5))
    collect(tmp_path / "some", client, plan(samples=3, concurrency=1), questions(1))
    frame = samples(tmp_path / "some")
    assert frame.columns[:6].tolist() == ["question_id", "model", "sample_index", "text", "reasoning", "refusal"]
    assert frame["reasoning"].fillna("-").tolist() == ["3 + 4", "-", "-"]
    assert frame["refusal"].fillna("-").tolist() == ["-", "I must not.", "-"]
    assert "tool_calls" not in frame
    grade(tmp_path / "some", "number")
    assert samples(tmp_path / "some")["reasoning"].fillna("-").tolist() == ["3 + 4", "-", "-"]


def test_a_column_of_the_user_is_kept_though_samples_may_have_one_of_that_name(tmp_path):
    collect(tmp_path, answers())
    samples(tmp_path).assign(reasoning="mine").to_parquet(tmp_path / "samples.parquet")
    collect(tmp_path, answers(), plan(samples=5))
    assert samples(tmp_path)["reasoning"].value_counts().to_dict() == {"mine": 12}


def test_half_a_surrogate_pair_or_a_control_character_in_any_field_does_not_block_the_export(tmp_path):
    half = "a\ud800\x1b[1m"
    choice = Choice("7", half, reasoning=half, refusal=half, tool_calls=half)
    collect(tmp_path, Client(lambda _: Reply((choice,), 10, 5, half, half, half)), plan(samples=1), questions(1))
    row = samples(tmp_path).iloc[0]
    for name in ("reasoning", "refusal", "tool_calls"):
        assert row[name].replace("\ufffd", "") == "a\x1b[1m"
    for name in ("finish_reason", "served_model", "fingerprint", "request_id"):
        assert row[name].replace("\ufffd", "") == "a [1m"
    assert load_pool_after_grading(tmp_path).models == ("a",)


def load_pool_after_grading(folder):
    grade(folder, "number")
    return load_pool(folder)


def test_pool_json_has_all_settings(tmp_path):
    asked = plan(samples=2, samples_per_request=2, settings=["top_p=0.9"], logprobs=True, seed=5)
    collect(tmp_path, answers(confidence=-0.5), asked, questions(1))
    known = json.loads((tmp_path / "pool.json").read_text())["models"]["a"]
    assert known["settings"] == {"temperature": 1.0, "top_p": 0.9}
    assert (known["samples_per_request"], known["logprobs"], known["seed"]) == (2, True, 5)


def test_a_journal_with_fewer_samples_than_the_pool_does_not_replace_it(tmp_path):
    collect(tmp_path, answers())
    before = (tmp_path / "samples.parquet").read_bytes()
    for lost in ("journal.sqlite", "pool.json"):
        (tmp_path / lost).unlink()
        Journal(tmp_path, record=True).close()
        client = answers()
        with pytest.raises(MssimError, match=r"has a pool of 12 samples, but its journal has 0\. Restore journal"):
            collect(tmp_path, client)
        assert client.requests == []
        assert (tmp_path / "samples.parquet").read_bytes() == before


def test_samples_that_cannot_be_read_are_not_left_out_of_the_export(tmp_path):
    collect(tmp_path, answers())
    before = (tmp_path / "samples.parquet").read_bytes()
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        journal.execute("UPDATE samples SET settings = 'x' WHERE sample_index = 0 AND question = 'q0'")
    journal.close()
    with pytest.raises(MssimError, match=r"the journal is damaged: of 12 samples, 11 can be read"):
        export(tmp_path)
    assert (tmp_path / "samples.parquet").read_bytes() == before
