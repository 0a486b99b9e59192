"""Samples and questions as readers add them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolWarning, load_pool
from mssim.importers.sink import Sink
from tests.importers.readers import both, imported, rows


def test_samples_are_numbered_as_they_come(tmp_path):
    read = both(rows({"answer": "1"}, {"answer": "2"}), rows({"answer": "3"}), rows({"answer": "1"}, model="n"))
    assert "range from 1 to 3" in imported(tmp_path, read).warnings[0]
    with pytest.warns(PoolWarning, match="range from 1 to 3"):
        pool = load_pool(tmp_path / "pool")
    assert pool.to_frame()[["model", "sample_index", "answer", "correct"]].values.tolist() == [
        ["m", 0, "1", True],
        ["m", 1, "2", False],
        ["m", 2, "3", False],
        ["n", 0, "1", True],
    ]


def test_pieces_of_other_columns_are_one_table(tmp_path, monkeypatch):
    monkeypatch.setattr("mssim.importers.sink._MOST_ROWS", 2)
    read = both(
        rows({"answer": "1", "text": "one"}, {"answer": "2", "text": "two"}),
        rows({"answer": "1", "output_tokens": 5}, {"answer": None, "cost": 0.5}, {"answer": "1", "text": "five"}),
    )
    imported(tmp_path, read)
    with pytest.warns(PoolWarning, match="no answer"), pytest.warns(PoolWarning, match="1 of 5 texts of m is empty"):
        pool = load_pool(tmp_path / "pool")
    assert pool.extra["text"].to_pylist() == ["one", "two", None, None, "five"]
    assert pool.to_frame()["answer"].tolist() == ["1", "2", "1", np.nan, "1"]
    assert pool.numbers["cost"][0, 0].tolist()[3] == 0.5
    assert np.isnan(pool.numbers["cost"][0, 0][:3]).all()


def test_what_is_known_of_questions_is_put_together(tmp_path):
    read = both(
        rows({"answer": "1"}, truth="1", question=None, topic="a"), rows({"answer": "1"}, question="1?", topic="b")
    )
    imported(tmp_path, read)
    question = load_pool(tmp_path / "pool").questions.iloc[0].to_dict()
    assert question == {"question_id": "q", "truth": "1", "topic": "a", "question": "1?"}


def test_numbers_of_samples_go_on_after_the_largest_that_was_given(tmp_path):
    sink = Sink(tmp_path)
    sink.add("q", "m", [{"answer": "1", "sample_index": 5}, {"answer": "2"}])
    sink.add("q", "m", [{"answer": "3"}], settings={"temperature": 0.5})
    sink.add("q", "n", [{"answer": "4"}])
    sink.close()
    (table,) = [pq.read_table(path) for path in sink.pieces]
    assert table["sample_index"].to_pylist() == [5, 6, 7, 0]
    assert table["temperature"].to_pylist() == [None, None, 0.5, None]


def test_long_texts_are_written_before_they_are_many(tmp_path, monkeypatch):
    monkeypatch.setattr("mssim.importers.sink._MOST_TEXT", 10)
    sink = Sink(tmp_path)
    sink.add("q", "m", [{"text": "x" * 6}, {"text": "x" * 4}, {"text": "x"}])
    assert [pq.read_table(path).num_rows for path in sink.pieces] == [2]
    sink.close()
    assert [pq.read_table(path).num_rows for path in sink.pieces] == [2, 1]
    sink.close()
    assert len(sink.pieces) == 2


def test_an_answer_that_is_none_is_not_an_answer_that_is_unknown(tmp_path):
    sink = Sink(tmp_path)
    sink.add("q", "m", [{"answer": None, "text": "a"}])
    sink.close()
    sink.add("q", "m", [{"text": "b"}])
    sink.close()
    assert ["answer" in pq.read_table(path).column_names for path in sink.pieces] == [True, False]


def test_notes_are_kept_once_and_failures_counted(tmp_path):
    sink = Sink(tmp_path)
    for reason, number in (("timeout", 1), ("refused", 2), ("timeout", 3)):
        sink.fail(reason, number)
        sink.note("odd it is")
    assert sink.failed == {"timeout": 4, "refused": 2}
    assert sink.notes == ["odd it is"]


# Questions ------------------------------------------------------------------------------------------------------------


def test_a_table_of_questions_keeps_first_values_and_records_others(tmp_path):
    sink = Sink(tmp_path)
    sink.describe("s", {"truth": "3"})
    table = {
        "question_id": ["q", "r", "q", "s", "q", None],
        "truth": pa.array([None, "1", "2", "4", "2", "5"]),
        "choices": [["a"], None, ["a "], None, ["b"], None],
        "question": ["2?", None, "2 ?", "3?", None, None],
        "topic": pa.array(["sums", None, "dates", None, "sums", None]),
        "day": pa.array([0, None, 1, None, None, None], pa.date32()),
    }
    sink.describe_table(pa.table(table))
    assert sink.questions == {
        "s": {"truth": "3", "question": "3?"},
        "q": {"truth": "2", "choices": ["a"], "question": "2?", "topic": "sums", "day": "1970-01-01"},
        "r": {"truth": "1"},
    }
    assert sink.conflicts.counts(["q", "r", "s"]) == {"choices": 1, "truth": 1}
    sink.describe("r", {"choices": ["a"], "question": "1?"})
    sink.describe("r", {"choices": ["b"], "question": "2?", "truth": "2"})
    assert "question 'r' has two truths" in sink.conflicts.message(["r"], "")


@given(
    st.lists(
        st.tuples(
            st.sampled_from("qrs"),
            st.sampled_from(["1", " 1", "2", None]),
            st.sampled_from(["a b", "ab", "c", None]),
            st.sampled_from([["x", "y"], ["x", "y "], ["y", "x"], None]),
        ),
        max_size=8,
    )
)
def test_a_table_of_questions_is_what_its_rows_are(tmp_path_factory, rows):
    names = ("question_id", "truth", "question", "choices")
    kinds = (pa.string(), pa.string(), pa.string(), pa.list_(pa.string()))
    values = list(zip(*rows, strict=True)) or [()] * 4
    whole, single = Sink(tmp_path_factory.getbasetemp()), Sink(tmp_path_factory.getbasetemp())
    whole.describe_table(pa.table({n: pa.array(v, k) for n, v, k in zip(names, values, kinds, strict=True)}))
    for row in rows:
        single.describe(row[0], dict(zip(names, row, strict=True)))
    assert whole.questions == single.questions
    assert list(whole.questions) == list(single.questions)
    assert whole.conflicts.of("qrs") == single.conflicts.of("qrs")


def test_prompts_of_a_question_may_differ_and_stand_for_its_text_where_none_is_known(tmp_path):
    sink = Sink(tmp_path)
    sink.add("q", "m", [], prompt="one shot. 1 + 1?")
    sink.add("q", "n", [], question={"question": "1 + 1?"}, prompt="two shots. 1 + 1?")
    sink.add("r", "m", [], prompt="one shot. 2 + 2?")
    sink.add("r", "n", [], prompt="two shots. 2 + 2?")
    assert sink.described() == [
        {"question_id": "q", "question": "1 + 1?"},
        {"question_id": "r", "question": "one shot. 2 + 2?"},
    ]
    assert not sink.conflicts.of("qr")


def test_what_identifies_a_question_is_compared_but_not_stored(tmp_path):
    sink = Sink(tmp_path)
    for question_id, value in (("q", "e3"), ("r", "e3"), ("q", "e3"), ("r", "5f")):
        sink.identify(question_id, "doc_hash", value)
    assert (sink.questions, sink.conflicts.counts("qr")) == ({}, {"doc_hash": 1})


def test_the_column_that_tells_questions_apart_is_found(tmp_path):
    table = pa.table(
        {
            "question_id": ["0"] * 4 + ["1"] * 2,
            "truth": ["7", "7", "Paris", "Paris", "3", "3"],
            "model": ["a", "a", "b", "b", "a", "b"],  # of samples
            "level": [1, 1, 1, 2, 3, 4],
            "dataset": ["sums", "sums", "capitals", "capitals", None, None],  # null elsewhere only
            "row": [0, 0, 1, 1, 4, 5],
            "sample": [0, 1, 2, 3, 4, 5],
            "response": ["I say 7.", "I say 7.", "I say Paris. " * 9, "Paris!", "3", "3"],
            "pred": ["8", "7", "Paris", "Paris", "3", "3"],  # equal to the truth in most rows
            "seconds": [0.5, 0.5, 1.5, 1.5, 2.0, 2.0],
            "right": [False, False, True, True, True, True],
        }
    )
    sink = Sink(tmp_path)
    sink.describe_table(table.select(["question_id", "truth"]))
    assert sink.telling_column(table) == "dataset"
    assert sink.telling_column(table.drop_columns("dataset")) == "row"
    assert sink.telling_column(table.drop_columns(["dataset", "row"])) is None
    sink.files["{folder}"] = sink.files["{stem}"] = table["dataset"]
    files = {"{folder}": pa.array(["x"] * 2 + ["y"] * 4), "{stem}": pa.array(["s", "s", "t", "t", "s", "s"])}
    table = table.select(["question_id", "truth", "model"])
    assert sink.telling_column(table.append_column("{stem}", files["{stem}"])) is None  # one model per file
    table = table.set_column(2, "model", pa.array(list("abbabb")))
    assert sink.telling_column(table.append_column("{folder}", files["{folder}"])) == "{folder}"
    assert Sink(tmp_path).telling_column(table) is None
