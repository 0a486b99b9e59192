import json
import os
import shutil
import time

import pandas as pd
import pytest

from mssim import PoolError, load_pool
from mssim.pools.folder import current, folder_update, read_info, write_info
from tests.conftest import make_pool

OLD = {("x", "q"): ["a", "b"]}
NEW = {("x", "q"): ["a", "a"]}


def change_half(folder, part, how):
    """Stop a change of `folder` right after it became valid, then do `how` of the rest."""
    make_pool(OLD).save(folder)
    make_pool(NEW).save(part)
    shutil.copytree(part, folder / ".next")
    for name in how:
        (folder / ".next" / name).replace(folder / name)


@pytest.mark.parametrize("how", [[], ["pool.json"], ["pool.json", "questions.parquet", "samples.parquet"]])
def test_a_change_that_was_cut_off_is_read_whole_and_finished_by_the_next(tmp_path, how):
    folder = tmp_path / "pool"
    change_half(folder, tmp_path / "new", how)
    assert load_pool(folder).fingerprint == make_pool(NEW).fingerprint
    with pytest.raises(RuntimeError, match="stop"), folder_update(folder):
        raise RuntimeError("stop")
    assert sorted(path.name for path in folder.iterdir()) == ["pool.json", "questions.parquet", "samples.parquet"]
    assert load_pool(folder).fingerprint == make_pool(NEW).fingerprint


def fill_the_disk(folder):
    with folder_update(folder) as part:
        (part / "samples.parquet").write_bytes(b"half")
        raise OSError(28, "No space left on device")


def test_a_change_that_fails_changes_nothing(tmp_path):
    folder = tmp_path / "pool"
    make_pool(OLD).save(folder)
    (folder / "journal.sqlite").write_bytes(b"kept")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(PoolError, match=r"pool: cannot be written \(No space left"):
        fill_the_disk(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), folder_update(tmp_path / "deep" / "pool"):
        raise RuntimeError("stop")
    assert list((tmp_path / "deep").iterdir()) == []


def test_what_a_killed_change_left_behind_is_removed_after_a_day(tmp_path):
    make_pool(OLD).save(tmp_path / "pool")
    for name, age in (("old", 90_000), ("new", 80_000)):
        left = tmp_path / "pool" / f".next.{name}.part"
        left.mkdir()
        os.utime(left, (time.time() - age,) * 2)
    make_pool(NEW).save(tmp_path / "pool", overwrite=True)
    assert [path.name for path in (tmp_path / "pool").glob(".*")] == [".next.new.part"]


def test_checksums_cover_the_tables_of_a_pool_alone(tmp_path):
    folder = tmp_path / "pool"
    make_pool(OLD).save(folder)
    pd.DataFrame({"a": [1]}).to_parquet(folder / "curves.parquet")
    with folder_update(folder) as part:
        write_info(part, folder, read_info(folder) | {"title": "t"})
    assert sorted(json.loads(current(folder, "pool.json").read_text())["files"]) == [
        "questions.parquet",
        "samples.parquet",
    ]
    assert load_pool(folder).info["title"] == "t"


def test_texts_that_were_not_graded_say_what_to_do(tmp_path):
    frame = pd.DataFrame({"question_id": ["q"], "model": ["m"], "sample_index": [0], "text": ["7"], "truth": ["7"]})
    frame.to_parquet(tmp_path / "samples.parquet")
    with pytest.raises(PoolError, match=r"not been graded yet\. Grade them first: mssim"):
        load_pool(tmp_path)
