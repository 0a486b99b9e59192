"""Columns of questions and columns of samples are told apart, whatever comes in later blocks."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import Pool, PoolError, load_pool
from mssim.pools.column_roles import Columns
from tests.conftest import long_frame
from tests.pools.tables import FOUR, GOOD, QUIET, part, write_split


def test_columns_of_questions_and_of_samples_are_told_apart():
    frame = long_frame(GOOD, topic="t", tokens=range(12))
    pool = Pool.from_frame(frame)
    assert pool.questions.columns.tolist() == ["question_id", "truth", "topic"]
    assert pool.extra.column_names == ["tokens"]
    assert sorted(pool.to_frame()["tokens"]) == list(range(12))


@FOUR
def test_lists_that_vary_in_a_later_block_only(tmp_path):
    frame = long_frame(GOOD)
    chat = [[{"role": "user", "content": question}] for question in frame["question_id"]]
    table = pa.Table.from_pandas(frame).append_column("chat", pa.array(chat))
    folder = write_split(table.append_column("late", pa.array([[1]] * 11 + [[2]])), tmp_path / "pool", [5])
    pool = load_pool(folder)
    assert [list(value) for value in pool.questions["chat"]] == [chat[0], chat[6]]
    assert sorted(pool.extra["late"].to_pylist()) == [[1]] * 11 + [[2]]


def test_a_column_of_nulls_in_one_file_and_of_text_in_another(tmp_path):
    frame = long_frame(GOOD, topic=["t"] * 12, note=[None] * 6 + list("abcdef"))
    folder = write_split(frame.iloc[6:], tmp_path / "pool", [])
    part(folder, 0).rename(part(folder, 1))
    frame.iloc[:6].assign(note=None).to_parquet(part(folder, 0))
    assert load_pool(folder).extra["note"].to_pylist() == [None] * 3 + list("abc") + [None] * 3 + list("def")
    frame.iloc[:6].assign(note=1).to_parquet(part(folder, 0))
    with pytest.raises(PoolError, match=r"column 'note': the types int64 and \w*string have no common type"):
        load_pool(folder)


@QUIET
@pytest.mark.parametrize("first", ["nulls", "codes", "view"])
@pytest.mark.parametrize("second", ["nulls", "codes", "view", "view of one"])
def test_nulls_codes_and_views_in_two_files_are_one_column(tmp_path, first, second):
    notes = {
        "nulls": pa.nulls(6),
        "codes": pa.array(["s", "t", None] * 2).dictionary_encode(),
        "view": pa.array(["s", "t", None] * 2, pa.string_view()),
        "view of one": pa.array(["s"] * 6, pa.string_view()),
    }
    rows = pa.Table.from_pandas(long_frame(GOOD))
    (tmp_path / "pool").mkdir()
    for number, note in enumerate([first, second]):
        pq.write_table(rows.slice(6 * number, 6).append_column("note", notes[note]), part(tmp_path / "pool", number))
    pool = load_pool(tmp_path / "pool")
    given = dict(zip(range(12), [*notes[first].to_pylist(), *notes[second].to_pylist()], strict=True))
    expected = Pool.from_frame(long_frame(GOOD).assign(note=pd.Series(given, dtype=object)))
    for found, wanted in [(pool, expected), (pool.select(models=["y"]), expected.select(models=["y"]))]:
        frames = [one.to_frame().astype(object) for one in (found, wanted)]
        pd.testing.assert_frame_equal(*[frame.where(frame.notna(), None) for frame in frames])
    pool.save(tmp_path / "saved")
    assert load_pool(tmp_path / "saved").fingerprint == pool.fingerprint
    if "s" in given.values():
        some = load_pool(tmp_path / "pool", where={"note": "s"})
        assert some.lengths.sum() == list(given.values()).count("s")


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=6), max_size=4))
def test_a_column_describes_questions_if_it_is_constant_within_each(blocks):
    """Questions are numbered as they appear; each has a value of its own unless a row says otherwise."""
    places, rows = {}, []
    columns = Columns(None, {"sample"})
    for block in blocks:
        question = np.array([places.setdefault(q, len(places)) for q, _ in block])
        given_ = {
            "topic": [f"t{q}" for q, _ in block],
            "varies": [f"{q}{value}" for q, value in block],
            "sample": ["one"] * len(block),
        }
        rows += zip(question.tolist(), *given_.values(), strict=True)
        columns.add(pa.table(given_), question)
    if not rows:
        return
    of_questions, of_samples = columns.split()
    constant = len({(q, value) for q, _, value, _ in rows}) == len(places)
    assert of_questions.column_names == ["topic", *(["varies"] if constant else [])]
    assert of_samples.column_names == [*([] if constant else ["varies"]), "sample"]
    assert of_questions["topic"].to_pylist() == [f"t{q}" for q in places]
    if not constant:
        assert of_samples["varies"].to_pylist() == [value for _, _, value, _ in rows]
