"""Work and memory of reading and writing pools block by block."""

import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mssim import load_pool
from mssim.pools import arrow, column_roles
from tests.pools.tables import part, write_split


@pytest.mark.slow
@pytest.mark.parametrize("answers", ["new in each", "the same in all"])
def test_work_per_file_does_not_grow_with_the_files_before(tmp_path, monkeypatch, answers):
    n_files, n_rows = 64, 16
    for number in range(n_files):
        ids = [number * n_rows + row for row in range(n_rows)]
        texts = [f"a{i}" for i in (ids if answers == "new in each" else range(n_rows))]
        frame = pd.DataFrame({"question_id": [f"q{i // 2}" for i in ids], "model": "x", "sample_index": ids})
        frame.assign(answer=texts, correct=number == 0, topic=frame["question_id"]).to_parquet(part(tmp_path, number))
    looked_at = {"texts": 0, "values": 0}
    distinct, chained = arrow._distinct, column_roles._chained

    def counted_distinct(texts):
        looked_at["texts"] += sum(map(len, texts))
        return distinct(texts)

    def counted_chained(name, parts):
        looked_at["values"] += sum(map(len, parts))
        return chained(name, parts)

    monkeypatch.setattr(arrow, "_distinct", counted_distinct)
    monkeypatch.setattr(column_roles, "_chained", counted_chained)
    pool = load_pool(tmp_path)
    assert len(pool.questions) == n_files * n_rows // 2
    assert len(pool.class_labels) == n_files * n_rows
    rows = n_files * n_rows
    assert looked_at["texts"] <= 5 * rows  # to look at all before with every file: 32 * rows
    assert looked_at["values"] <= rows // 2 * (np.log2(n_files) + 2)


MEASURED = []  # memory pools of Arrow: one must outlive all that was allocated from it


def peak_bytes(call):
    """Most that NumPy and Arrow hold at once beyond what they held before."""
    usual = pa.default_memory_pool()
    MEASURED.append(pa.proxy_memory_pool(usual))
    pa.set_memory_pool(MEASURED[-1])
    tracemalloc.start()
    try:
        found = call()
        return found, tracemalloc.get_traced_memory()[1] + MEASURED[-1].max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(usual)


@pytest.mark.slow
def test_reading_and_writing_hold_no_long_table(tmp_path, monkeypatch):
    monkeypatch.setattr("mssim.pools.reading.BLOCK_ROWS", 2**14)
    shape = (4, 500, 256)
    model, question, sample = (index.ravel() for index in np.indices(shape))
    answer = np.random.default_rng(0).geometric(0.4, model.size)
    ids, texts = pa.array([f"q{q:03}" for q in range(shape[1])]), pa.array(list(map(str, range(answer.max() + 1))))
    columns = {
        "question_id": ids.take(pa.array(question)),
        "model": pa.array(list("wxyz")).take(pa.array(model)),
        "sample_index": pa.array(sample),
        "answer": texts.take(pa.array(answer)),
        "correct": pa.array(answer == 1),
    }
    write_split(pa.table(columns), tmp_path / "pool", [model.size // 2], 2**15)
    pool, peak = peak_bytes(lambda: load_pool(tmp_path / "pool"))
    assert peak < 25 * model.size  # its columns and places as 64-bit numbers would be 64 alone
    _, peak = peak_bytes(lambda: pool.save(tmp_path / "saved"))
    assert peak < 8 * model.size
    _, peak = peak_bytes(lambda: (pool.describe(), pool.warnings(), pool.fingerprint, pool.select(models=["x"])))
    assert peak < 3 * model.size
