"""A pool as a long table, block by block."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mssim import Pool, PoolError, load_pool
from mssim.pools.folder import read_info
from mssim.pools.long_table import long_tables
from tests.conftest import long_frame, make_pool
from tests.pools.tables import FOUR, GOOD, assert_same, full_pool, load_refused


@FOUR
def test_a_pool_is_saved_in_row_groups_and_comes_back(tmp_path):
    pool = full_pool()
    pool.save(tmp_path / "pool")
    written = pq.ParquetFile(tmp_path / "pool" / "samples.parquet").metadata
    assert [written.row_group(i).num_rows for i in range(written.num_row_groups)] == [6, 3, 3]  # whole questions
    assert_same(load_pool(tmp_path / "pool"), pool)


@FOUR
def test_a_disk_that_is_full_at_the_second_row_group_leaves_the_old_pool(tmp_path, monkeypatch):
    make_pool(GOOD).save(tmp_path / "pool")
    write, calls = pq.ParquetWriter.write_table, []

    def full_disk(self, *given):
        calls.append(given)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        write(self, *given)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full_disk)
    with pytest.raises(PoolError, match=r"cannot be written \(No space left"):
        full_pool().save(tmp_path / "pool", overwrite=True)
    assert_same(load_pool(tmp_path / "pool"), make_pool(GOOD))
    assert [path.name for path in tmp_path.iterdir()] == ["pool"]


def test_an_empty_selection_is_saved_as_an_empty_table(tmp_path):
    pool = make_pool({("x", "q"): ["a"], ("y", "r"): ["a"]})
    pool.select(models=["x"], questions=["r"]).save(tmp_path / "pool")
    assert read_info(tmp_path / "pool")["counts"] == {"questions": 1, "models": 1, "samples": 0}
    load_refused(tmp_path / "pool", "the pool is empty")


@pytest.mark.usefixtures("blocks_of_four")
def test_rows_are_those_of_the_frame_the_pool_was_made_of():
    frame = long_frame({("x", "q1"): ["a", None, "b"], ("x", "q2"): ["a"], ("y", "q2"): ["c", "a"]}, topic="t")
    frame = frame.assign(tokens=range(6), cost=[0.5, np.nan, 1, 2, 3, 4])
    tables = list(long_tables(Pool.from_frame(frame)))
    assert [table.num_rows for table in tables] == [4, 2]
    found = pa.concat_tables(tables).to_pandas()
    expected = frame.assign(correct=frame["answer"] == frame["truth"])
    pd.testing.assert_frame_equal(found[expected.columns.tolist()], expected, check_dtype=False)
    without = next(long_tables(Pool.from_frame(frame), questions=False))
    assert set(found.columns) - set(without.column_names) == {"truth", "topic"}
