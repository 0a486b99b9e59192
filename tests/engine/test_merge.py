"""Shards are merged to the last bit; what is missing or does not fit is named."""

import json
import shutil
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import MssimError, evaluate, merge
from mssim.engine.checkpoint import _crc
from mssim.engine.versions import versions
from tests.conftest import examples
from tests.long_runs import BUDGETS, FEW, OPTIONS, SWAPPED, Counting, assert_same, part, run_whole


@settings(max_examples=examples(6))
@given(st.integers(1, 9), st.integers(1, 4), st.randoms(use_true_random=False))
def test_any_number_of_shards_in_any_files_and_order(pool, few, tmp_path_factory, n, n_files, rng):
    folder = tmp_path_factory.mktemp("any")
    shards = [*range(1, n + 1), *(rng.randint(1, n) for _ in range(2))]  # some of them twice
    rng.shuffle(shards)
    files = {folder / f"{rng.randrange(n_files)}.ckpt" for _ in shards}
    names = sorted(files)
    for i in shards:
        part(pool, rng.choice(names), i, n, FEW)
    names = [name for name in names if name.exists()]
    rng.shuffle(names)
    assert_same(merge(names), few)


def test_what_is_missing_is_named(pool, tmp_path):
    files = [tmp_path / f"{i}.ckpt" for i in range(1, 4)]
    for i in (1, 3):
        part(pool, files[i - 1], i, 3, FEW)
    total = n_of(pool)
    with pytest.raises(
        MssimError, match=rf"of {total} blocks are missing: shard 2/3 is not among the files\. Run what"
    ):
        merge([files[0], files[2]])
    with pytest.raises(MssimError, match=r"shard 2/3 is not among the files, 3/3 is not among the files\. Run"):
        merge(files[0])
    with sqlite3.connect(files[2]) as file:
        file.execute("DELETE FROM blocks WHERE number % 2 = 0")
    file.close()
    part(pool, files[1], 2, 3, FEW)
    with pytest.raises(MssimError, match=rf"of {total} blocks are missing: shard 3/3 is not finished\. Run what is"):
        merge(files)
    part(pool, files[2], 3, 3, FEW)
    merge(files)


def n_of(pool):
    counting = Counting()
    evaluate(pool, FEW, BUDGETS, executor=counting, **OPTIONS)
    return len(counting.tasks)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"seed": 8}, r"seed: 7 and 8\)"),
        ({"n_replays": 121}, r"n_replays: 120 and 121\)"),
        ({"replacement": True}, r"replacement: false and true"),
        ({"method": "monte_carlo"}, 'method: "auto" and "monte_carlo"'),
        ({"prices": {"x": 1, "y": 2}}, r"prices: nothing and \{"),
        ({"rules": FEW[:2]}, r"strategies alloc:x,cap=6: \{.*\} and nothing"),
    ],
)
def test_files_of_different_runs_are_refused(pool, tmp_path, changed, says):
    part(pool, tmp_path / "1.ckpt", 1, 2, FEW)
    part(pool, tmp_path / "2.ckpt", 2, 2, **{"rules": FEW, **changed})
    with pytest.raises(MssimError, match=rf"1\.ckpt and .*2\.ckpt are from different runs \({says}.*same settings"):
        merge([tmp_path / "1.ckpt", tmp_path / "2.ckpt"])


def test_blocks_with_other_bits_are_refused(pool, tmp_path):
    for name in ("1.ckpt", "2.ckpt"):
        part(pool, tmp_path / name, 1, 1, FEW)
    file = sqlite3.connect(tmp_path / "2.ckpt")
    number, block, data = file.execute("SELECT number, block, data FROM blocks").fetchone()
    data = bytes([data[0] ^ 1]) + data[1:]
    file.execute("UPDATE blocks SET data = ?, crc = ? WHERE number = ?", (data, _crc(number, block, data), number))
    file.commit()
    file.close()
    with pytest.raises(MssimError, match=r"2\.ckpt: block \d+ differs from that of another file.*the same type"):
        merge([tmp_path / "1.ckpt", tmp_path / "2.ckpt"])


def test_another_mssim_does_not_merge(pool, tmp_path, monkeypatch):
    part(pool, tmp_path / "1.ckpt", 1, 1, FEW)
    other = {**versions(), "code of mssim": "0123456789ab"}
    monkeypatch.setattr("mssim.engine.merge.versions", lambda: other)
    with pytest.raises(
        MssimError, match=r"written by another version of mssim .*, here 0123456789ab\)\. Run `mssim merge`"
    ):
        merge(tmp_path / "1.ckpt")


def test_nothing_to_merge(tmp_path):
    with pytest.raises(MssimError, match="paths: no files are given"):
        merge([])
    with pytest.raises(MssimError, match=r"1\.ckpt does not exist\. Use a checkpoint written by evaluate_shard"):
        merge([tmp_path / "1.ckpt"])


def test_rules_in_another_order_are_another_run(pool, tmp_path):
    part(pool, tmp_path / "1", 1, 2, SWAPPED)
    part(pool, tmp_path / "2", 2, 2, SWAPPED[::-1])
    with pytest.raises(MssimError, match=r"are from different runs .*order of strategies"):
        merge([tmp_path / "1", tmp_path / "2"])
    with pytest.raises(MssimError, match=r"belongs to another run .*order of strategies"):
        part(pool, tmp_path / "1", 1, 2, SWAPPED[::-1])


@pytest.fixture(scope="module")
def one_shard(pool, tmp_path_factory):
    path = tmp_path_factory.mktemp("one_shard") / "run"
    part(pool, path, 1, 1, SWAPPED, method="monte_carlo")
    assert_same(merge(path), run_whole(pool, path))
    return path


def forged(path, columns):
    """Change the block that comes first, with a checksum that fits."""
    file = sqlite3.connect(path)
    number, text, data = file.execute("SELECT number, block, data FROM blocks ORDER BY number").fetchone()
    fields = ["plans", "exact", "budgets", "questions", "first_replay", "n_replays"]
    values = dict(zip(fields, json.loads(text), strict=True)) | columns
    other = values.pop("number", number)
    row = (other, json.dumps([values[name] for name in fields]), data)
    file.execute("UPDATE blocks SET number = ?, block = ?, crc = ? WHERE number = ?", (*row[:2], _crc(*row), number))
    file.commit()
    file.close()


@pytest.mark.parametrize(
    "columns",
    [
        {"number": 10**12},
        {"number": -1},
        {"plans": [99]},
        {"plans": [len(SWAPPED)]},
        {"budgets": [len(BUDGETS)]},
        {"questions": list(range(9))},
        {"questions": [0, 0]},
        {"questions": []},
        {"plans": [-1]},
        {"plans": ["x"]},
        {"plans": "x"},
        {"plans": []},
        {"budgets": [0, 7]},
        {"budgets": [-1]},
        {"questions": [-2, -1]},
        {"questions": [0, 10**9]},
        {"n_replays": 10**6},
    ],
)
def test_blocks_that_no_run_has_are_damage(pool, one_shard, tmp_path, columns):
    path = shutil.copy(one_shard, tmp_path)
    forged(path, columns)
    with pytest.raises(MssimError, match="is damaged"):
        merge(path)
    with pytest.raises(MssimError, match="is damaged"):
        run_whole(pool, path)


def test_of_many_missing_shards_eight_are_named(pool, tmp_path):
    part(pool, tmp_path / "1.ckpt", 1, 10, FEW)
    with pytest.raises(
        MssimError,
        match=r"20 of 23 blocks are missing: shard 2/10 is not among the files, .* 9/10 is not among the files and 1 "
        r"more\. Run what is missing",
    ):
        merge(tmp_path / "1.ckpt")
    part(pool, tmp_path / "2.ckpt", 2, 10, FEW)
    with pytest.raises(
        MssimError, match=r"shard 3/10 is not among the files, .* 10/10 is not among the files\. Run what"
    ):
        merge([tmp_path / "1.ckpt", tmp_path / "2.ckpt"])
