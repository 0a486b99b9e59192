"""Finished blocks in a file: committed in time, readable by anyone, and left alone if it is damaged or in use."""

import json
import sqlite3

import numpy as np
import pytest

from mssim import MssimError, Pool, evaluate
from mssim.engine.checkpoint import Checkpoint
from mssim.engine.header import header_of
from mssim.engine.job import read_job
from mssim.engine.work import Work
from tests.conftest import long_frame
from tests.long_runs import BUDGETS, FEW, OPTIONS, SWAPPED, AtOnce, assert_same, finish, kept, part, run_whole


def test_blocks_are_committed_once_a_second(pool, tmp_path, monkeypatch):
    now, commits, commit = [0.0], [], Checkpoint.commit
    monkeypatch.setattr("mssim.engine.checkpoint.time.monotonic", lambda: now[0])
    monkeypatch.setattr(Checkpoint, "commit", lambda file: (commits.append(now[0]), commit(file)))

    def progress(*_):
        now[0] += 0.25

    kept(pool, tmp_path / "run.ckpt", progress=progress)
    assert commits[:3] == [1.0, 2.0, 3.0]


def foreign_database(path):
    file = sqlite3.connect(path)
    file.execute("CREATE TABLE run (a)")
    file.commit()
    file.close()


def later_version(path):
    file = sqlite3.connect(path)
    file.execute("PRAGMA user_version = 4")
    file.commit()
    file.close()


def changed(query):
    def change(path):
        file = sqlite3.connect(path)
        file.execute(query)
        file.commit()
        file.close()

    return change


def truncated(path):
    path.write_bytes(path.read_bytes()[:-5000])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            lambda path: path.write_bytes(b"PAR1" * 1000),
            "is damaged or not a checkpoint .*file is not a database",
        ),
        (
            lambda path: (path.unlink(), foreign_database(path)),
            "is not a checkpoint of mssim and is not overwritten. Use another file",
        ),
        (later_version, "unsupported checkpoint version 4. This mssim reads version 3"),
        (truncated, "is damaged or not a checkpoint"),
        (changed("UPDATE blocks SET data = zeroblob(length(data))"), r"is damaged.*the checksum of block \d+ is wrong"),
        (changed("UPDATE blocks SET number = number + 1000"), r"is damaged.*the checksum of block \d+ is wrong"),
        (changed("UPDATE blocks SET block = '[]'"), r"is damaged.*the checksum of block \d+ is wrong"),
        (changed("UPDATE run SET settings = '{}'"), "is damaged.*the checksum of the header is wrong"),
        (changed("DELETE FROM run"), "is damaged.*0 headers instead of 1"),
        (changed("DROP TABLE blocks"), "is damaged.*no such table: blocks"),
    ],
)
def test_damage_is_told_and_the_file_left_alone(pool, path, damage, says):
    damage(path)
    before = path.read_bytes()
    with pytest.raises(MssimError, match=f"run.ckpt:? ?{says}"):
        kept(pool, path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["run.ckpt"]


def test_arrays_of_another_shape_are_damage(pool, path, monkeypatch):
    monkeypatch.setattr("mssim.engine.checkpoint._crc", lambda *_: 0)
    changed("UPDATE blocks SET data = substr(data, 9), crc = 0")(path)
    changed("UPDATE run SET crc = 0")(path)
    with pytest.raises(MssimError, match="is damaged"):
        kept(pool, path)


def test_places_that_are_none(pool, tmp_path):
    with pytest.raises(MssimError, match=r"is a folder\. Use the path of a file"):
        kept(pool, tmp_path)
    with pytest.raises(MssimError, match=r"no does not exist\. Create it first"):
        kept(pool, tmp_path / "no" / "run.ckpt")


@pytest.mark.slow
def test_a_file_in_use_is_left_to_its_process(pool, path, whole_kept):
    def other(done, _):
        if done == 8:
            with pytest.raises(MssimError, match=r"run\.ckpt is in use by another process\. Wait until it ends"):
                kept(pool, path)
            with pytest.raises(MssimError, match="in use by another process"):
                Checkpoint(path)

    assert_same(kept(pool, path, progress=other), whole_kept)


def test_a_disk_that_is_full(pool, path, whole_kept, total, monkeypatch):
    add = Checkpoint.add

    def full(file, *block):
        with file.clear_errors():
            if len(file.held) == 9:
                raise sqlite3.OperationalError("database or disk is full")
        return add(file, *block)

    monkeypatch.setattr(Checkpoint, "add", full)
    with pytest.raises(
        MssimError,
        match=r"run\.ckpt: cannot be read or written \(database or disk is full\)\. Check .* blocks are kept",
    ):
        kept(pool, path)
    monkeypatch.setattr(Checkpoint, "add", add)
    assert finish(pool, path, whole_kept, total) == total - 9


def test_without_samples_costs_are_unknown_in_the_file_too(tmp_path):
    pool = Pool.from_frame(long_frame({("x", "q1"): list("aab"), ("x", "q2"): list("abb")}))
    for _ in range(2):
        result = evaluate(pool, "sc:x", [2], checkpoint=tmp_path / "run.ckpt")
        assert result.cost.tolist() != result.cost.tolist()  # NaN


def test_the_file_can_be_read_without_mssim(pool, tmp_path):
    part(pool, tmp_path / "1.ckpt", 1, 2, FEW)
    file = sqlite3.connect(tmp_path / "1.ckpt")
    told = json.loads(file.execute("SELECT settings FROM run").fetchone()[0])
    assert (told["seed"], told["budgets"], list(told["strategies"])) == (7, BUDGETS, FEW)
    plans, exact, budgets, questions, replay, n = json.loads(file.execute("SELECT block FROM blocks").fetchone()[0])
    assert set(plans) <= {0, 1, 2}
    assert questions == sorted(set(questions) & set(range(8)))
    assert set(budgets) <= {0, 1, 2}
    assert exact == (n == 0)
    assert replay <= 120
    assert file.execute("SELECT i, n FROM shards").fetchall() == [(1, 2)]
    file.close()


@pytest.mark.compiled
def test_an_interrupt_between_writing_and_noting_a_block(pool, tmp_path, monkeypatch):
    class Once(set):
        def add(self, number):
            if len(self) == 3:
                raise KeyboardInterrupt
            super().add(number)

    made = Checkpoint.__init__

    def with_interrupt(file, *asked):
        made(file, *asked)
        file._held = Once(file._held)

    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "__init__", with_interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_whole(pool, path)
    result = run_whole(pool, path)
    assert_same(result, evaluate(pool, SWAPPED, BUDGETS, **OPTIONS, method="monte_carlo", executor=AtOnce()))


def test_a_block_is_taken_once_and_comes_back_as_it_was(pool, tmp_path):
    work = Work(read_job(FEW, BUDGETS, method="auto", replacement=False, prices=None, **OPTIONS), pool)
    outcomes = {number: work.task(number).run() for number in (0, len(work.blocks) - 1)}
    with Checkpoint(tmp_path / "run.ckpt", header_of(work)) as file:
        for number, outcome in outcomes.items():
            assert file.add(number, work.blocks[number], outcome)
            assert not file.add(number, work.blocks[number], outcome)
        assert file.held == set(outcomes)
        file.note_shard(1, 3)
        file.note_shard(1, 3)
    with Checkpoint(tmp_path / "run.ckpt") as file:
        assert file.shards() == [(1, 3)]
        found = {number: (block, data) for number, block, data in file.blocks()}
        assert set(found) == set(outcomes)
        for number, (block, data) in found.items():
            assert block == work.blocks[number]
            read = file.outcome_of(block, work.plans, data)
            assert type(read) is type(outcomes[number])
            assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(read, outcomes[number], strict=True))
        assert file.header.settings["blocks"]["number"] == len(work.blocks)
