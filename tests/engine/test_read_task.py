"""A process reads a part once, keeps some, and says if the files are not those of the pool."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mssim import PoolError
from mssim.engine import read_task
from mssim.engine.blocks import indices
from mssim.engine.read_task import ReadTask, SkippedTask, Unreadable
from mssim.engine.work import Work
from mssim.pools.loading import read_pool
from tests.engine.test_work import job_of
from tests.long_runs import Elsewhere, kept, reads_at_once


@pytest.fixture
def tasks(pool, tmp_path, monkeypatch):
    """The tasks of a run, before any of them has run."""
    reads_at_once(monkeypatch)
    pool.save(tmp_path / "pool")
    executor = Elsewhere()
    kept(read_pool(tmp_path / "pool"), executor=executor)
    monkeypatch.setattr(read_task, "_parts", read_task._Parts())
    return [args[0] for args in executor.tasks if isinstance(args[0], ReadTask)]


@pytest.fixture
def reads(monkeypatch):
    found = []
    read = read_task.read_part
    monkeypatch.setattr(read_task, "read_part", lambda part: found.append(part.digest) or read(part))
    return found


def test_outcomes_of_every_block_in_order(pool, tasks):
    work = Work(job_of(["sc:x", "ms:x+y", "sc:x,stop=beta:0.9"]), pool)
    by_block = {block: number for number, block in enumerate(work.blocks)}
    places = {id_: place for place, id_ in enumerate(pool.question_ids)}
    for task in tasks:
        for asked, outcome in zip(task.asked, task.run(), strict=True):
            questions = [places[task.part.question_ids[q]] for q in asked.block.questions]
            block = asked.block._replace(questions=indices(questions))
            expected = work.task(by_block[block]).run()
            assert all(a.tobytes() == b.tobytes() for a, b in zip(outcome, expected, strict=True))


def test_a_part_is_read_once(tasks, reads):
    for task in tasks:
        task.run()
    assert len(reads) == len(set(reads)) > 1


def test_threads_wait_for_the_one_that_reads(tasks, reads):
    with ThreadPoolExecutor(4) as threads:
        for future in [threads.submit(tasks[0].run) for _ in range(8)]:
            future.result()
    assert len(reads) == 1


def test_the_parts_used_last_are_kept(tasks, reads, monkeypatch):
    first, second, third = list({task.part.digest: task for task in tasks}.values())[:3]
    first.run()
    size = read_task._nbytes(read_task._parts._held[first.part.digest])
    monkeypatch.setattr(read_task, "_MOST_HELD", int(2.5 * size))
    for task in (second, first, third, first, second):
        task.run()
    assert reads == [task.part.digest for task in (first, second, third, second)]
    monkeypatch.setattr(read_task, "_MOST_HELD", 0)
    third.run()
    assert list(read_task._parts._held) == [third.part.digest]


def test_a_file_that_cannot_be_opened(tasks):
    part = tasks[0].part
    elsewhere = replace(part, files=(("/nowhere/samples.parquet", (0,)),))
    outcome = replace(tasks[0], part=elsewhere).run()
    assert outcome == Unreadable("[Errno 2] No such file or directory: '/nowhere/samples.parquet'")
    assert isinstance(SkippedTask().run(), Unreadable)


@pytest.mark.parametrize("way", ["other", "damaged", "fewer groups", "without a column"])
def test_other_files(tasks, way, tmp_path):
    part, other = tasks[0].part, tmp_path / "other.parquet"
    if way == "other":
        changed = replace(part, digest="0" * 32)
    elif way == "damaged":
        other.write_bytes(b"PAR1")
        changed = replace(part, files=((str(other), (0,)),))
    elif way == "fewer groups":
        changed = replace(part, files=((part.files[0][0], (0, 7)),))
    else:
        changed = replace(part, shape=replace(part.shape, columns=("seconds",)))
    with pytest.raises(
        PoolError, match=r"executor: on .* does not contain the samples that were loaded from it"
    ) as error:
        replace(tasks[0], part=changed).run()
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
    assert not read_task._parts._held


def test_what_is_sent_is_small(tasks):
    assert all(0 < task.nbytes < len(pickle.dumps(task)) for task in tasks)
    assert SkippedTask().nbytes == 1
