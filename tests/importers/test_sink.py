"""Samples and questions as readers add them."""

import numpy as np
import pyarrow.parquet as pq
import pytest

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
