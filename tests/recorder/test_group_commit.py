"""Group commit: outcomes that come together are written together, and nobody waits for ever."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from mssim.recorder.group_commit import Commits


class Slow:
    """A journal whose first write ends when `go` is set; writes that `fails` names raise."""

    def __init__(self, fails=()):
        self.go, self.batches, self.fails = threading.Event(), [], list(fails)

    def store(self, outcomes):
        if not self.batches:
            self.go.wait(30)
        self.batches.append([outcome.name for outcome in outcomes])
        if self.fails and self.fails.pop(0):
            raise OSError("no space left")


def outcome(name, n=1):
    return SimpleNamespace(name=name, indices=range(n))


async def several(journal, outcomes):
    """Store outcomes, of which all but the first arrive while that is written; returns what became of each."""
    commits = Commits(journal)
    tasks = [asyncio.create_task(commits.store(outcomes[0]))]
    await asyncio.sleep(0)  # the first commit begins
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(commits.store(one)) for one in outcomes[1:]]
    await asyncio.sleep(0)
    journal.go.set()
    return await asyncio.gather(*tasks, return_exceptions=True), await commits.close()


def test_what_arrives_during_a_write_is_one_write():
    journal = Slow()
    results, lost = asyncio.run(several(journal, [outcome(name) for name in "abcd"]))
    assert journal.batches == [["a"], ["b", "c", "d"]]
    assert results == [None] * 4
    assert lost == 0


def test_a_write_that_fails_is_told_to_all_of_it_and_tried_again_at_the_end():
    journal = Slow([False, True, False])
    results, lost = asyncio.run(several(journal, [outcome(name) for name in "abc"]))
    assert journal.batches == [["a"], ["b", "c"], ["b", "c"]]
    assert results[0] is None
    assert all(isinstance(error, OSError) for error in results[1:])
    assert lost == 0


def test_samples_that_cannot_be_written_at_the_end_are_counted():
    journal = Slow([False, True, True])
    _, lost = asyncio.run(several(journal, [outcome("a"), outcome("b", 3), outcome("c", 4)]))
    assert lost == 7


def test_without_outcomes_nothing_is_written():
    journal = Slow()
    assert asyncio.run(Commits(journal).close()) == 0
    assert journal.batches == []


def test_who_stores_waits_until_it_is_written():
    async def impatient(journal):
        task = asyncio.create_task(Commits(journal).store(outcome("a")))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.01)
        journal.go.set()
        await task
        return journal.batches

    assert asyncio.run(impatient(Slow())) == [["a"]]
