"""Blocks of rows: where they end, and in how many files they lie, changes nothing."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import Pool, load_pool
from mssim.pools.row_blocks import Origin, RowBlock, blocks_of
from tests.conftest import examples, long_frame, make_pool
from tests.pools.tables import FOUR, GOOD, QUIET, assert_same, write_split


@st.composite
def tables(draw):
    """Ragged samples in any order, with columns that are constant in all questions, in some blocks only, or nowhere."""
    sizes = {(m, q): draw(st.integers(0, 4)) for m in "xy" for q in "abc"}
    sizes["x", "a"] = max(sizes["x", "a"], 1)
    answers = st.sampled_from(["a", "b", "7", None, " "])
    frame = long_frame({key: draw(st.lists(answers, min_size=n, max_size=n)) for key, n in sizes.items()})
    n = len(frame)
    frame["sample_index"] *= draw(st.sampled_from([1, 2, 2**40]))
    frame["topic"] = frame["question_id"].map({"a": "Math", "b": None, "c": "Law"})
    frame["token"], frame["cost"] = range(n), np.arange(n) / 4
    frame["late"] = ["same"] * (n - 1) + [draw(st.sampled_from(["same", "other", None]))]
    frame["nothing"] = None
    frame["prompt"] = [draw(st.sampled_from(["short", "long"]))] * (n - 1) + ["short"]
    if draw(st.booleans()):
        frame["correct"] = (frame.pop("truth") == frame["answer"]).astype(draw(st.sampled_from([str, bool, int])))
    if draw(st.booleans()):
        frame["late"] = frame["late"].astype("category")
    order = draw(st.sampled_from([["model", "question_id"], ["question_id", "model"], ["sample_index", "model"], None]))
    shuffled = frame.sample(frac=1, random_state=draw(st.integers(0, 9)))
    return (shuffled if order is None else frame.sort_values(order, kind="stable")).reset_index(drop=True)


@pytest.mark.slow
@QUIET
@settings(max_examples=examples(25))
@given(frame=tables(), rows=st.integers(1, 9), groups=st.integers(1, 9), data=st.data())
def test_files_row_groups_and_blocks_change_nothing(tmp_path_factory, frame, rows, groups, data):
    pool = Pool.from_frame(frame)
    edges = data.draw(st.sets(st.integers(1, len(frame)), max_size=2))
    folder = write_split(frame, tmp_path_factory.mktemp("split") / "pool", edges, groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mssim.pools.reading.BLOCK_ROWS", rows)
        assert_same(load_pool(folder), pool)
        cut = Pool.from_frame(frame)
        assert_same(cut, pool)
        assert cut.extra.schema == pool.extra.schema
        pool.save(folder.with_name("saved"))
        assert_same(load_pool(folder.with_name("saved")), pool)
        where = [("token", ">=", len(frame) // 2)]
        some = load_pool(folder, where=where)
    assert_same(some, Pool.from_frame(frame, where=where))


@QUIET
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@FOUR
def test_other_formats_are_cut_into_blocks_as_well(tmp_path, ending):
    frame = long_frame(GOOD, late=["s"] * 11 + ["t"], cost=0.5)
    if ending == "csv":
        frame.to_csv(tmp_path / "t.csv", index=False)
    else:
        frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    pool = load_pool(tmp_path / f"t.{ending}")
    assert pool.extra["late"].to_pylist() == ["s"] * 11 + ["t"]
    assert pool.fingerprint == make_pool(GOOD, cost=0.5).fingerprint


@pytest.mark.parametrize("most", [1, 2**10, 2**12])
def test_long_texts_are_read_few_at_a_time(tmp_path, monkeypatch, most):
    frame = long_frame(GOOD, text=[f"{number}" * 500 for number in range(12)])
    frame.to_parquet(tmp_path / "long.parquet")
    monkeypatch.setattr("mssim.pools.reading._MOST_BYTES", most)
    assert_same(load_pool(tmp_path / "long.parquet"), Pool.from_frame(frame))


def test_rows_are_named_by_their_place_in_the_file():
    table = pa.table({"a": [10, 11, 12, 13]})
    block = RowBlock(table, Origin("samples-1.parquet", 5, 4))
    assert block.origin.name(3) == "row 8 of samples-1.parquet"
    chosen = block.choose(np.array([False, True, False, True]))
    assert chosen.table["a"].to_pylist() == [11, 13]
    assert [chosen.origin.name(i) for i in range(2)] == ["row 6 of samples-1.parquet", "row 8 of samples-1.parquet"]
    assert Origin("", 1, 2).name(1) == "row 2"


@pytest.mark.usefixtures("blocks_of_four")
def test_tables_are_cut_and_their_rows_numbered_on():
    tables = [pa.table({"a": list(range(6))}), pa.table({"a": [6]}), pa.table({"a": list(range(7, 12))})]
    blocks = list(blocks_of(tables, "f"))
    assert [value for block in blocks for value in block.table["a"].to_pylist()] == list(range(12))
    assert all(block.table.num_rows == block.origin.n_rows <= 4 for block in blocks)
    assert [block.origin.first for block in blocks] == [1 + block.table["a"][0].as_py() for block in blocks]
