"""Which run of its question a request gets."""

import asyncio
import gc
import json

import pytest

from mssim.live.answered import Answered
from mssim.live.chat_requests import ChatRequest
from mssim.live.numbered_runs import Runs

SYSTEM = {"role": "system", "content": "Be brief."}


def asked(text="What?", **fields):
    return ChatRequest("mssim", (SYSTEM, {"role": "user", "content": text}), **fields)


def labels(ids):
    """The numbers or seeds of runs, without the hash of their question."""
    return [name.split("-", 1)[1] for name in ids]


class Slow:
    """Answers when it is told to."""

    def __init__(self):
        self.questions, self.may = [], asyncio.Event()

    async def answer(self, question, _messages):
        self.questions.append(question)
        await self.may.wait()
        return Answered(question["question_id"], "42", "42", "budget", {}, {}, 1)


def test_equal_requests_are_runs_of_their_own():
    runs = Runs(None)
    assert [labels(runs.take(asked())) for _ in range(3)] == [["1"], ["2"], ["3"]]
    assert labels(runs.take(asked("Why?"))) == ["1"]
    assert labels(runs.take(asked(n=2))) == ["4", "5"]


def test_the_question_is_known_by_all_its_messages_and_by_nothing_else():
    runs = Runs(None)
    names = {
        runs.take(request)[0].split("-")[0]
        for request in (
            asked(),
            asked("Why?"),
            ChatRequest("mssim", (SYSTEM,)),
            ChatRequest("mssim", ({**SYSTEM, "role": "user"},)),
        )
    }
    assert len(names) == 4
    other = ChatRequest("other", asked().messages, stream=True, ignored={"temperature": 0})
    assert labels(runs.take(other)) == ["2"]


def test_a_seed_names_a_run():
    runs = Runs(None)
    assert [labels(runs.take(asked(seed=7, n=2))) for _ in range(2)] == [["seed7-1", "seed7-2"]] * 2
    assert labels(runs.take(asked(seed=8))) == ["seed8-1"]
    assert labels(runs.take(asked(seed=-8))) == ["seed-8-1"]
    assert labels(runs.take(asked())) == ["1"]


def test_runs_that_were_not_delivered_are_given_to_the_next_request():
    runs = Runs(None)
    first, second, third = (runs.take(asked()) for _ in range(3))
    runs.release(asked(), third)
    runs.release(asked(), first)
    assert [runs.take(asked()) for _ in range(2)] == [first, third]
    assert labels(runs.take(asked())) == ["4"]
    assert labels(second) == ["2"]


def test_released_seeds_do_not_become_numbers():
    runs = Runs(None)
    runs.release(asked(seed=7), runs.take(asked(seed=7)))
    assert labels(runs.take(asked())) == ["1"]


def test_a_run_goes_on_without_its_client_and_the_next_one_joins_it():
    async def all_of_it():
        slow = Slow()
        runs = Runs(slow.answer)
        names = runs.take(asked())
        first = asyncio.ensure_future(runs.answers(asked(), names))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        runs.release(asked(), names)
        assert runs.take(asked()) == names
        second = asyncio.ensure_future(runs.answers(asked(), names))
        await asyncio.sleep(0)
        slow.may.set()
        return [one.question_id for one in await second], names, slow.questions

    found, names, questions = asyncio.run(all_of_it())
    assert found == names
    assert len(questions) == 1


def test_a_run_that_failed_is_started_again():
    calls = []

    async def answer(question, _messages):
        calls.append(question["question_id"])
        if len(calls) == 1:
            raise ValueError("not now")
        return Answered(question["question_id"], "42", "42", "budget", {}, {}, 1)

    async def twice():
        runs = Runs(answer)
        names = runs.take(asked())
        with pytest.raises(ValueError, match="not now"):
            await runs.answers(asked(), names)
        return await runs.answers(asked(), names), names

    (found,), names = asyncio.run(twice())
    assert [found.question_id] == names
    assert calls == names * 2


def test_a_run_that_fails_after_its_client_has_left_is_not_reported_by_the_loop():
    reported = []

    async def answer(*_):
        raise ValueError("not now")

    async def abandoned():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        runs = Runs(answer)
        runs._start(asked(), "q-1")
        await runs.close()
        assert runs._running == {}

    asyncio.run(abandoned())
    gc.collect()
    assert reported == []


def test_an_end_awaits_runs_or_cancels_them():
    async def closed(at_once):
        slow = Slow()
        runs = Runs(slow.answer)
        task = runs._start(asked(), "q-1")
        await asyncio.sleep(0)
        ending = asyncio.ensure_future(runs.close(at_once=True) if at_once else runs.close())
        await asyncio.sleep(0)
        slow.may.set()
        await ending
        return task.cancelled()

    assert [asyncio.run(closed(at_once)) for at_once in (False, True)] == [False, True]


def test_the_question_says_what_was_asked():
    said = [{"role": "user", "content": "Z?"}, {"role": "user", "content": "A?"}, {"role": "assistant", "content": "B"}]

    async def once():
        slow = Slow()
        slow.may.set()
        runs = Runs(slow.answer)
        for messages in ((SYSTEM, *said), ({**SYSTEM, "content": "Be kind."}, SYSTEM)):
            request = ChatRequest("mssim", messages)
            await runs.answers(request, runs.take(request))
        return slow.questions

    first, second = asyncio.run(once())
    assert (first["question"], second["question"]) == ("A?", "Be brief.")
    assert first["truth"] is None
    assert first["question_id"] == first["cluster"] + "-1"
    assert json.loads(second["messages"])[1] == SYSTEM
    assert len(first["cluster"]) == 16
