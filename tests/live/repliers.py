"""A server whose replies are a function of model, messages and seed alone, whatever the timing, faults and kills."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import zlib

import pyarrow as pa

from mssim.live import run_protocol
from mssim.recorder import Choice, Reply, Retry, plan_from_options
from tests.recording import URL

AT_ONCE = Retry(attempts=50, first=0.0)
VERDICTS = ("Verdict: affirmative", "Verdict: undecided", "Verdict: correct", "Verdict: incorrect", "Agree", "Best: 2")


def questions(n=3, **columns):
    ids = [f"q{i}" for i in range(n)]
    return pa.table({"question_id": ids, "question": [f"Ask {i}" for i in ids], "truth": ["1"] * n, **columns})


def plan(models=("a", "b"), **options):
    return plan_from_options(list(models), **{"base_url": URL, "samples": 1, "concurrency": 4, "seed": 1, **options})


def key_of(request):
    return zlib.crc32(json.dumps([request.model_id, request.messages, request.seed]).encode())


def says(request):
    """A verdict of some kind, and one of three answers."""
    key = key_of(request)
    return f"{VERDICTS[key % 6]}\n{key // 6 % 3}"


class Replier:
    """Client of all servers of a plan, in this process.

    `before` is called with each request and may raise. `log` is a file that gets each event: the key of a request that
    is asked, or answered. At event number `at`, the process gets the signal.
    """

    def __init__(self, says=says, *, before=None, log=None, at=None, signal=signal.SIGKILL):
        self.says, self.before, self.at, self.signal = says, before or (lambda _: None), at, signal
        self.log = None if log is None else os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        self.requests, self.events, self.in_flight, self.most = [], 0, 0, 0

    def note(self, event, request):
        if self.log is not None:
            os.write(self.log, (json.dumps([event, key_of(request)]) + "\n").encode())
        if self.events == self.at:
            os.kill(os.getpid(), self.signal)
        self.events += 1

    async def sample(self, request):
        self.note("asked", request)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        self.before(request)
        self.note("answered", request)
        self.requests.append(request)
        return Reply((Choice(self.says(request), "stop"),), 10, 3)

    async def close(self):
        pass


def play(out, protocol="debate:a+b", runs=3, *, client=None, asked=None, given=None, **options):
    """Run a protocol against a client; return result and client."""
    client = client or Replier()
    given = given if given is not None else questions()
    options = {"rule": "number", "sampler": lambda _: client, "retry": AT_ONCE, **options}
    return run_protocol(given, asked or plan(), protocol, runs, out, **options), client


def table(result):
    """What must not depend on timing."""
    return result.to_frame().drop(columns=["latency", "cost"]).to_dict("records")


def play_alone(out, log, protocol, runs, at, number):
    """Play in a process of its own, which gets a signal at an event."""
    play(out, protocol, runs, client=Replier(log=log, at=at, signal=number))
