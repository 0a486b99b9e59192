"""Pools from folders and tables: what was saved comes back, and what is damaged is refused."""

import json
from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest

from mssim import Pool, PoolError, PoolWarning, load_pool
from mssim.pools.folder import write_info
from tests.conftest import long_frame, make_pool
from tests.pools.tables import GOOD, assert_same, change_json, full_pool, load_refused, part, write_split


def test_a_saved_pool_comes_back(tmp_path):
    pool = full_pool()
    pool.save(tmp_path / "pool")
    back = load_pool(tmp_path / "pool")
    assert back.fingerprint == pool.fingerprint
    assert back.info == pool.info
    pd.testing.assert_frame_equal(back.to_frame(), pool.to_frame())
    pd.testing.assert_frame_equal(back.questions, pool.questions)
    assert load_pool(tmp_path / "pool", where={"question_id": "q2"}).question_ids == ["q2"]
    back.save(tmp_path / "again")
    pd.testing.assert_frame_equal(load_pool(tmp_path / "again").to_frame(), pool.to_frame())


def test_questions_without_samples_survive(tmp_path):
    make_pool(GOOD).save(tmp_path / "pool")
    part = load_pool(tmp_path / "pool", where=[("question_id", "!=", "q1")])
    assert part.question_ids == ["q2"]


def test_a_folder_with_samples_alone_is_read_as_that_table(tmp_path):
    long_frame(GOOD, topic="t").to_parquet(tmp_path / "samples.parquet")
    assert load_pool(tmp_path, where={"topic": "t"}).fingerprint == make_pool(GOOD).fingerprint


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda p: change_json(p, schema=2), "unknown schema version. This mssim reads version 1"),
        (lambda p: (p / "pool.json").write_text("{"), "pool.json: not valid JSON"),
        (lambda p: (p / "pool.json").write_text("[]"), "unknown schema version"),
        (lambda p: (p / "pool.json").write_text("[" * 100_000), "pool.json: not valid JSON"),
        (lambda p: (p / "samples.parquet").unlink(), "contains no samples.parquet"),
        (lambda p: (p / "questions.parquet").unlink(), "questions.parquet is listed in pool.json but missing"),
        (lambda p: change_json(p, files={"../x": "0"}), "is listed in pool.json but missing"),
        (
            lambda p: (p / "samples.parquet").write_bytes((p / "samples.parquet").read_bytes()[:-1]),
            "the SHA-256 checksum differs from pool.json",
        ),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path, damage, says):
    full_pool().save(tmp_path / "pool")
    damage(tmp_path / "pool")
    with pytest.raises(PoolError) as error:
        load_pool(tmp_path / "pool")
    assert says in str(error.value)


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
    load_refused(split, says)


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


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(PoolError, match=r"does not exist\. Use the path of a pool folder"):
        load_pool(tmp_path / "nothing")


def test_warnings_that_the_publisher_has_stated_are_not_repeated(tmp_path):
    ends = {"text": ["a"] * 4, "finish_reason": ["length", "stop"] * 2}
    pool = Pool.from_frame(long_frame({("m", "q1"): ["a", "a"], ("m", "q2"): ["a", "a"]}, **ends))
    warned = pool.warnings()
    assert warned == ["2 of 4 samples of m were cut off (finish_reason length)."]
    replace(pool, info={"known_warnings": warned}).save(tmp_path / "pool")
    assert load_pool(tmp_path / "pool").warnings() == warned
    with pytest.warns(PoolWarning, match="1 of 2 samples of m was cut off"):  # of a part, which nobody stated
        load_pool(tmp_path / "pool", where={"question_id": "q1"})
    change_json(tmp_path / "pool", known_warnings="all")
    with pytest.raises(
        PoolError, match=r"pool\.json: known_warnings='all' is not a list of texts\. Remove the entry\."
    ):
        load_pool(tmp_path / "pool")
