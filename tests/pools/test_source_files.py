"""Pools know the files they were loaded from, and which row groups have which questions."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mssim import Pool
from mssim.pools import source_files as module
from mssim.pools.loading import read_pool
from mssim.pools.source_files import source_files, source_of
from tests.conftest import long_frame

FRAME = long_frame({(model, f"q{q}"): ["a", "b", "b"] for model in "xy" for q in range(4)})


@pytest.fixture
def folder(tmp_path):
    """Two shards, the first with row groups of five rows."""
    for number, (part, size) in enumerate([(FRAME.iloc[:14], 5), (FRAME.iloc[14:], 100)]):
        table = pa.Table.from_pandas(part, preserve_index=False)
        pq.write_table(table, tmp_path / f"samples-{number}.parquet", row_group_size=size)
    return tmp_path


def test_row_groups_and_their_questions(folder):
    source = source_of(read_pool(folder))
    question = FRAME["question_id"].str[1:].astype(int).to_numpy()
    assert source.paths == (str(folder / "samples-0.parquet"), str(folder / "samples-1.parquet"))
    assert source.groups.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0]]
    assert source.rows.tolist() == [5, 5, 4, 10]
    edges = [0, 5, 10, 14, 24]
    spans = [[question[a:b].min(), question[a:b].max()] for a, b in pairwise(edges)]
    assert source.spans.tolist() == spans


def test_the_row_groups_of_questions(folder):
    source = source_of(read_pool(folder))
    question = FRAME["question_id"].to_numpy()
    edges = [0, 5, 10, 14, 24]
    for q in range(4):
        having = [i for i in range(4) if f"q{q}" in question[edges[i] : edges[i + 1]]]
        assert set(having) <= set(source.holding(np.array([q])).tolist())
    assert source.holding(np.arange(4)).tolist() == [0, 1, 2, 3]
    assert source.by_file(np.array([0, 2, 3])) == ((source.paths[0], (0, 2)), (source.paths[1], (0,)))


def test_a_selection_of_questions_keeps_the_files(folder):
    pool = read_pool(folder).select(questions=["q3", "q1"], models=["y"])
    source = source_of(pool)
    assert source.questions.tolist() == [1, 3]
    assert source.holding(np.array([1])).tolist() == source_of(read_pool(folder)).holding(np.array([3])).tolist()


def test_pools_that_files_do_not_have(folder, tmp_path):
    pool = read_pool(folder)
    assert source_of(Pool.from_frame(FRAME)) is None
    assert source_of(replace(pool, codes=np.zeros_like(pool.codes))) is None
    assert source_of(pool.select(where={"sample_index": [0, 1]})) is None
    assert source_of(read_pool(folder, where={"sample_index": [0, 1]})) is None
    FRAME.to_csv(tmp_path / "table.csv", index=False)
    assert source_of(read_pool(tmp_path / "table.csv")) is None


def test_files_with_other_rows_by_now(folder):
    files = sorted(folder.glob("*.parquet"))
    assert source_files(files, np.zeros(24, int)) is not None
    assert source_files(files, np.zeros(23, int)) is None
    files[1].write_bytes(b"PAR1")
    assert source_files(files, np.zeros(24, int)) is None
    files[1].unlink()
    assert source_files(files, np.zeros(24, int)) is None


def test_a_pool_that_is_no_longer_used_is_not_kept(folder):
    before = len(module._sources)
    pool = read_pool(folder)
    assert len(module._sources) == before + 1
    del pool
    assert len(module._sources) == before


def test_empty_row_groups_have_no_questions(tmp_path):
    whole = pa.Table.from_pandas(FRAME, preserve_index=False)
    with pq.ParquetWriter(tmp_path / "samples.parquet", whole.schema) as writer:
        writer.write_table(whole.slice(0, 0))
        writer.write_table(whole)
    assert source_of(read_pool(tmp_path)).rows.tolist() == [24]
