"""What a worker reads of a pool equals what is cut out of the pool, to the last bit."""

import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mssim import PoolError
from mssim.pools.loading import read_pool
from mssim.pools.part import PartOfFiles, PartShape, cut_out, digest_of, read_part
from mssim.pools.source_files import source_of

COLUMNS = ("cost", "chars")


def rows_of(seed, n_questions=9):
    """Ragged samples in some order: models without some questions, equal answers written differently, texts."""
    rng = random.Random(seed)
    rows = [
        {
            "question_id": f" q{q}" if rng.random() < 0.5 else f"q{q}",
            "model": model,
            "sample_index": 3 * i,
            "answer": rng.choice(["7", " 7", "8", "x", f"{q}", None]),
            "truth": "7",
            "cost": None if rng.random() < 0.2 else rng.random(),
            "chars": rng.randrange(100),
            "text": "long" * rng.randrange(9),
            "level": q,
        }
        for q in rng.sample(range(n_questions), n_questions)
        for model in rng.sample("xyz", 3)
        for i in range(rng.choice([0, 1, 4, 6]) if model != "x" else 5)
    ]
    return rows if seed % 3 else rng.sample(rows, len(rows))


def write(folder, rows, group=7, shards=3):
    for number, part in enumerate(np.array_split(np.arange(len(rows)), shards)):
        table = pa.Table.from_pandas(pd.DataFrame([rows[i] for i in part]), preserve_index=False)
        pq.write_table(table, folder / f"samples-{number}.parquet", row_group_size=group)


def parts_of(pool, questions, models=None, columns=COLUMNS):
    """The part cut out, and what a worker needs to read it."""
    shape = PartShape(tuple(models or pool.models), columns, pool.codes.shape[2], {"title": "part"})
    described = {"level": pool.questions["level"].to_numpy(dtype=float)}
    part = cut_out(pool, shape, questions, {name: pool.number(name) for name in columns}, described)
    source = source_of(pool)
    files = source.by_file(source.holding(questions))
    of_questions = {name: values[questions] for name, values in described.items()}
    return part, PartOfFiles(shape, files, tuple(part.question_ids), of_questions, digest_of(part))


def assert_equal(one, other):
    recorded = one.recorded
    for a, b in (
        *((getattr(one, name), getattr(other, name)) for name in ("lengths", "class_offsets", "class_correct")),
        (one.codes[recorded], other.codes[recorded]),
        *((one.numbers[name][recorded], other.numbers[name][recorded]) for name in one.numbers),
    ):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert one.codes.shape == other.codes.shape
    assert (one.models, dict(one.info), set(one.numbers)) == (other.models, dict(other.info), set(other.numbers))
    pd.testing.assert_frame_equal(one.questions, other.questions)


@pytest.mark.parametrize("seed", range(6))
def test_a_part_that_is_read_equals_the_part_of_the_pool(tmp_path, seed):
    write(tmp_path, rows_of(seed))
    pool, rng = read_pool(tmp_path), np.random.default_rng(seed)
    for models in (None, ["z", "x"], ["y"]):
        for _ in range(2):
            questions = np.sort(rng.choice(len(pool.questions), rng.integers(1, 9), replace=False))
            part, wanted = parts_of(pool, questions, models)
            read = read_part(wanted)
            assert_equal(read, part)
            assert digest_of(read) == wanted.digest


def test_a_part_of_a_selection(tmp_path):
    write(tmp_path, rows_of(1))
    pool = read_pool(tmp_path).select(questions=["q1", "q2", "q5", "q8"], models=["y", "x"])
    part, wanted = parts_of(pool, np.array([1, 3]), ["x"])
    assert_equal(read_part(wanted), part)


def test_recorded_verdicts_take_precedence_over_truths(tmp_path):
    rows = [{**row, "truth": "x", "correct": row["answer"] in ("7", " 7")} for row in rows_of(2)]
    write(tmp_path, rows)
    part, wanted = parts_of(read_pool(tmp_path), np.arange(4))
    assert part.class_correct.any()
    assert_equal(read_part(wanted), part)


def test_answers_that_are_numbers(tmp_path):
    rows = [{**row, "answer": float(len(row["text"]) % 3) / 2, "truth": 0.5} for row in rows_of(4)]
    write(tmp_path, rows)
    part, wanted = parts_of(read_pool(tmp_path), np.arange(2, 7))
    assert_equal(read_part(wanted), part)


def test_only_the_row_groups_of_the_questions_are_read(tmp_path):
    write(tmp_path, sorted(rows_of(1), key=lambda row: row["question_id"].strip()), group=5)
    pool = read_pool(tmp_path)
    _, wanted = parts_of(pool, np.array([4]))
    assert sum(len(groups) for _, groups in wanted.files) < source_of(pool).rows.size / 2


@pytest.mark.parametrize(
    ("column", "value"), [("answer", "other"), ("cost", 0.5), ("chars", 1000), ("sample_index", 100)]
)
def test_the_digest_tells_changed_files(tmp_path, column, value):
    rows = rows_of(1)
    write(tmp_path, rows)
    _, wanted = parts_of(read_pool(tmp_path), np.arange(9))
    place = next(i for i, row in enumerate(rows) if row["model"] == "x" and row["answer"])
    write(tmp_path, [{**row, column: value} if i == place else row for i, row in enumerate(rows)])
    assert digest_of(read_part(wanted)) != wanted.digest


def test_the_digest_covers_what_is_not_read(tmp_path):
    write(tmp_path, rows_of(1))
    pool = read_pool(tmp_path)
    part, _ = parts_of(pool, np.arange(3))
    digests = {digest_of(part)}
    for info, described, columns in (({}, {}, COLUMNS), ({"a": 1}, {}, COLUMNS), ({}, {}, ()), ({}, {"n": 1}, ())):
        shape = PartShape(pool.models, columns, pool.codes.shape[2], info)
        given = {name: np.full(len(pool.questions), value) for name, value in described.items()}
        per_sample = {name: pool.number(name) for name in columns}
        digests.add(digest_of(cut_out(pool, shape, np.arange(3), per_sample, given)))
    assert len(digests) == 5


def test_questions_that_are_gone(tmp_path):
    write(tmp_path, rows_of(1))
    _, wanted = parts_of(read_pool(tmp_path), np.arange(2))
    write(tmp_path, [row for row in rows_of(1) if row["question_id"].strip() not in wanted.question_ids])
    with pytest.raises(PoolError, match="the pool is empty"):
        read_part(wanted)
