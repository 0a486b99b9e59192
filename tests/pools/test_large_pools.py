"""Pools read and written block by block: where the blocks end, and in how many files they lie, changes nothing."""

import json
import tracemalloc
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import Pool, PoolError, load_pool
from mssim.pools import arrow, column_roles
from mssim.pools.folder import read_info, write_info
from tests.conftest import examples, long_frame, make_pool
from tests.pools.test_pool import GOOD, change_json, full_pool

FOUR = pytest.mark.usefixtures("blocks_of_four")
QUIET = pytest.mark.filterwarnings("ignore::mssim.PoolWarning")


@pytest.fixture
def blocks_of_four(monkeypatch):
    monkeypatch.setattr("mssim.pools.reading.BLOCK_ROWS", 4)


def part(folder, number):
    return folder / f"samples-{number:05}.parquet"


def write_split(frame, folder, edges, rows=None):
    """Write a frame as files that end at these rows, each in row groups of so many."""
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    edges = sorted({0, *edges, table.num_rows})
    folder.mkdir(exist_ok=True)
    for number, (first, last) in enumerate(pairwise(edges)):
        pq.write_table(table.slice(first, last - first), part(folder, number), row_group_size=rows)
    return folder


def assert_same(pool, other):
    assert pool.models == other.models
    assert pool.fingerprint == other.fingerprint
    assert pool.class_labels.to_pylist() == other.class_labels.to_pylist()
    assert pool.extra.column_names == other.extra.column_names
    pd.testing.assert_frame_equal(pool.questions, other.questions)
    pd.testing.assert_frame_equal(pool.to_frame(), other.to_frame())
    pd.testing.assert_frame_equal(pool.describe(), other.describe())
    assert pool.warnings() == other.warnings()


# Blocks -----------------------------------------------------------------------------------------------------------


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


def test_views_of_text_in_the_columns_that_all_pools_have(tmp_path):
    table = pa.Table.from_pandas(long_frame(GOOD))
    for place, name in enumerate(table.column_names):
        if name != "sample_index":
            table = table.set_column(place, name, table[name].cast(pa.string_view()))
    pq.write_table(table, tmp_path / "views.parquet")
    assert_same(load_pool(tmp_path / "views.parquet"), make_pool(GOOD))


def test_seven_as_number_in_one_file_and_as_text_in_another(tmp_path):
    frame = long_frame({("x", "q"): ["7", "8", "7", "8"]}, truth="7")
    folder = write_split(frame.iloc[:2], tmp_path / "pool", [])
    for number, kind in enumerate([int, float], 1):
        later = frame.iloc[2:].assign(answer=frame["answer"].astype(kind))
        later.assign(sample_index=later["sample_index"] + 2 * number).to_parquet(part(folder, number))
    pool = load_pool(folder)
    assert pool.codes[0, 0].tolist() == [0, 1] * 3
    assert pool.class_labels.to_pylist() == ["7", "8"]


# What contradicts itself across blocks --------------------------------------------------------------------------------


def refused(folder, says, **options):
    with pytest.raises(PoolError) as error:
        load_pool(folder, **options)
    assert says in str(error.value)


@FOUR
def test_an_answer_that_is_right_in_one_file_and_wrong_in_another(tmp_path):
    frame = long_frame(GOOD).assign(correct=lambda f: f["answer"] == "a").drop(columns="truth")
    frame.loc[10, "correct"] = False
    refused(
        write_split(frame, tmp_path / "pool", [7]),
        "answer: 'a' is correct in row 7 of samples-00000.parquet (question 'q2', model 'x', sample_index 0) and wrong "
        "in row 4 of samples-00001.parquet (question 'q2', model 'y', sample_index 1)",
    )


@FOUR
def test_one_sample_in_two_files(tmp_path):
    frame = long_frame(GOOD, run=1)
    twice = pd.concat([frame, frame.iloc[[4]].assign(run=2)], ignore_index=True)
    refused(
        write_split(twice, tmp_path / "pool", [9]),
        "2 rows hold the same sample, the second is row 4 of samples-00001.parquet (question 'q1', model 'y', "
        "sample_index 1). Column 'run' distinguishes them: select one value with where={'run': ...} (1, 2)",
    )
    assert load_pool(tmp_path / "pool", where={"run": 1}).fingerprint == make_pool(GOOD).fingerprint


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score": [0.5] * 10 + [np.inf, 0.5]}, "row 4 of samples-00001.parquet (question 'q2', model 'y', sample_ind"),
        ({"sample_index": [*range(11), -1]}, "row 5 of samples-00001.parquet: sample_index is -1"),
        ({"model": [*"xxxxxxxxxxx", None]}, "row 5 of samples-00001.parquet: model is empty"),
        (
            {"correct": ["no"] * 12},
            "row 1 of samples-00000.parquet (question 'q1', model 'x', sample_index 0): correct",
        ),
    ],
)
@FOUR
def test_a_bad_row_is_named_by_file_and_row(tmp_path, change, says):
    refused(write_split(long_frame(GOOD).assign(**change), tmp_path / "pool", [7]), says)


@FOUR
def test_rows_are_counted_in_the_file_whatever_was_left_out(tmp_path):
    frame = long_frame(GOOD, run=[1, 2] * 6, score=[0.5] * 10 + [np.nan, 0.5])
    frame.to_parquet(tmp_path / "one.parquet")
    refused(tmp_path / "one.parquet", "row 11 (question 'q2', model 'y', sample_index 1): score", where={"run": 1})


@FOUR
def test_a_condition_may_be_met_in_a_later_block_but_must_be_met(tmp_path):
    folder = write_split(long_frame(GOOD, run=[1] * 9 + [2] * 3), tmp_path / "pool", [5])
    assert load_pool(folder, where={"run": 2}).models == ("y",)
    refused(folder, "where: run=3 matches no rows; choose from '1', '2'", where={"run": [1, 3]})


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def split(tmp_path):
    """A pool of three files, listed in pool.json."""
    folder = write_split(long_frame(GOOD), tmp_path / "pool", [5, 8])
    pd.DataFrame({"question_id": ["q1", "q2"], "truth": "a"}).to_parquet(folder / "questions.parquet")
    write_info(folder, folder, {"title": "three files"})
    return folder


def test_a_pool_of_several_files(split):
    pool = load_pool(split)
    assert_same(pool, make_pool(GOOD))
    assert pool.info == {"title": "three files"}
    assert sorted(json.loads((split / "pool.json").read_text())["files"]) == [
        "questions.parquet",
        *(part(split, number).name for number in range(3)),
    ]


def test_files_are_one_table_in_the_order_of_their_names(tmp_path):
    for number, model in [(2, "x"), (0, "y"), (1, "z")]:
        long_frame({(model, "q"): ["a"]}).to_parquet(part(tmp_path, number))
    assert load_pool(tmp_path).models == ("y", "z", "x")


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda p: cut(part(p, 1)), "samples-00001.parquet: the SHA-256 checksum differs from pool.json"),
        (lambda p: part(p, 1).unlink(), "samples-00001.parquet is listed in pool.json but missing. Restore the file."),
        (lambda p: part(p, 2).rename(part(p, 3)), "samples-00002.parquet is listed in pool.json but missing"),
        (
            lambda p: part(p, 3).write_bytes(part(p, 2).read_bytes()),
            "samples-00003.parquet: not listed in pool.json. Remove the file",
        ),
        (
            lambda p: (p / "samples.parquet").write_bytes(part(p, 2).read_bytes()),
            "contains both samples.parquet and samples-00000.parquet. Remove the one that does not belong",
        ),
        (
            lambda p: [cut(part(p, 1)), change_json(p, files={})],
            "samples-00001.parquet: cannot be read (P",
        ),
        (
            lambda p: [pq.write_table(pq.read_table(part(p, 1)).drop(["truth"]), part(p, 1)), change_json(p, files={})],
            "column 'truth': present in samples-00000.parquet but missing in samples-00001.parquet. Write the same",
        ),
        (
            lambda p: [part(p, n).unlink() for n in range(3)],
            "contains no samples.parquet. Use the path of a pool folder",
        ),
    ],
)
def test_a_damaged_pool_of_several_files_is_refused(split, damage, says):
    damage(split)
    refused(split, says)


def test_overwriting_replaces_all_files_of_samples(split):
    full_pool().save(split, overwrite=True)
    assert sorted(path.name for path in split.iterdir()) == ["pool.json", "questions.parquet", "samples.parquet"]
    assert_same(load_pool(split), full_pool())


@pytest.mark.parametrize("moved", [[], ["pool.json"]])
def test_an_update_that_was_cut_off_is_read_though_what_it_replaces_is_there(split, moved):
    full_pool().save(split / ".next")
    for name in moved:
        (split / ".next" / name).replace(split / name)
    assert_same(load_pool(split), full_pool())


# Saving ---------------------------------------------------------------------------------------------------------------


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
    refused(tmp_path / "pool", "the pool is empty")


# Work and memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answers", ["new in each", "the same in all"])
def test_work_per_file_does_not_grow_with_the_files_before(tmp_path, monkeypatch, answers):
    n_files, n_rows = 64, 16
    for number in range(n_files):
        ids = [number * n_rows + row for row in range(n_rows)]
        texts = [f"a{i}" for i in (ids if answers == "new in each" else range(n_rows))]
        frame = pd.DataFrame({"question_id": [f"q{i // 2}" for i in ids], "model": "x", "sample_index": ids})
        frame.assign(answer=texts, correct=False, topic=frame["question_id"]).to_parquet(part(tmp_path, number))
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


@pytest.mark.parametrize("most", [1, 2**10, 2**12])
def test_long_texts_are_read_few_at_a_time(tmp_path, monkeypatch, most):
    frame = long_frame(GOOD, text=[f"{number}" * 500 for number in range(12)])
    frame.to_parquet(tmp_path / "long.parquet")
    monkeypatch.setattr("mssim.pools.reading._MOST_BYTES", most)
    assert_same(load_pool(tmp_path / "long.parquet"), Pool.from_frame(frame))


def test_texts_are_kept_in_types_that_hold_more_than_two_gigabytes(tmp_path):
    table = pa.Table.from_pandas(long_frame(GOOD), preserve_index=False)
    table = table.set_column(table.column_names.index("answer"), "answer", table["answer"].cast(pa.string()))
    write_split(table, tmp_path / "pool", [5])
    assert load_pool(tmp_path / "pool").class_labels.type == pa.large_string()


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
