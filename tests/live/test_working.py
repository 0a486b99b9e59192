"""Pieces of work that go on at the same time: how many, in which order, and what ends them."""

import asyncio

import pytest

from mssim.grading import parse_rule
from mssim.live.results import LiveProgress
from mssim.live.working import Working
from mssim.recorder import Journal, Retry
from mssim.recorder.budget import Budget
from mssim.recorder.preparing import run_to_end
from tests.live.scripted import Servers, plan


class Twelve(Working):
    """Twelve jobs. A job notes when it begins and when it ends, and one of them may fail."""

    def __init__(self, journal, fails=None):
        asked = plan(["a"], concurrency=3)
        samplers = {asked.models[0].server: Servers(asked, ["q0"])}
        options = {"budget": Budget(), "retry": Retry(), "retry_failed": False, "report": None}
        super().__init__(parse_rule("number"), journal, [], samplers, LiveProgress(12, 0, 0), **options)
        self.fails, self.events, self.completed = fails, [], 0

    def _jobs(self):
        return (self._job(number) for number in range(12))

    async def _job(self, number):
        self.events.append(("begun", number))
        for _ in range(1 + number % 3):
            await asyncio.sleep(0)
        if number == self.fails:
            raise OSError("the disk is full")
        self.events.append(("ended", number))

    def _complete(self):
        self.completed += 1


def test_jobs_begin_in_order_and_as_many_go_on_as_the_server_allows(tmp_path):
    with Journal(tmp_path, record=True) as journal:
        work = Twelve(journal)
        run_to_end(work)
    assert [number for event, number in work.events if event == "begun"] == list(range(12))
    under_way = [sum(1 if event == "begun" else -1 for event, _ in work.events[: i + 1]) for i in range(24)]
    assert max(under_way) == 3
    assert under_way[-1] == 0
    assert work.completed == 1


def test_the_error_of_a_job_is_raised_when_the_others_have_ended(tmp_path):
    with Journal(tmp_path, record=True) as journal:
        work = Twelve(journal, fails=4)
        with pytest.raises(OSError, match="the disk is full"):
            run_to_end(work)
    assert sorted(number for event, number in work.events if event == "ended") == [n for n in range(12) if n != 4]
    assert work.stopped == "the disk is full"
