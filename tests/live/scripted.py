"""Servers whose answers depend on model, question and sample index alone, whatever the timing and the faults."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import zlib

import pyarrow as pa

from mssim.live import run
from mssim.recorder import Choice, Reply, RequestFailed, Retry, plan_from_options
from tests.recording import URL

AT_ONCE = Retry(attempts=50, first=0.0)
CONCURRENCY = 4
RULE = r"regex=it is (\d)"
INDICES = 40  # of samples whose seeds are known


def questions(n=4, **columns):
    ids = [f"q{i}" for i in range(n)]
    return pa.table({"question_id": ids, "question": [f"Ask {i}" for i in ids], "truth": ["1"] * n, **columns})


def plan(models=("a", "b"), **options):
    return plan_from_options(
        list(models), **{"base_url": URL, "samples": 1, "concurrency": CONCURRENCY, "seed": 1, **options}
    )


def digit(model, question, index):
    """One of four answers, of which the first is more frequent; each fifth sample has none."""
    number = zlib.crc32(f"{model} {question} {index}".encode()) % 10
    return None if number > 7 else min(number // 2, 4 - number % 4)


def says(model, question, index):
    answer = digit(model, question, index)
    return f"{model} {question} {index}: {'I do not know' if answer is None else f'it is {answer}'}"


class Servers:
    """Client of all servers of a plan, in this process.

    `before` is called with each request, and may raise or return a smaller number of choices; `log` is a file that gets
    what was asked, and what was answered.
    """

    def __init__(self, asked, ids, says=says, *, before=None, log=None, rng=None):
        self.first = {m.sample_seed(q, i): (m.name, q, i) for m in asked.models for q in ids for i in range(INDICES)}
        assert len(self.first) == len(asked.models) * len(ids) * INDICES
        self.says, self.before, self.rng = says, before or (lambda _: None), rng
        self.log = None if log is None else os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        self.asked, self.in_flight, self.most = [], 0, 0

    def note(self, event, samples):
        self.asked.append((event, samples))
        if self.log is not None:
            os.write(self.log, (json.dumps([event, samples]) + "\n").encode())

    async def sample(self, request):
        model, question, index = self.first[request.seed]
        samples = [(model, question, index + j) for j in range(request.n)]
        self.note("asked", samples)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            for _ in range(self.rng.randrange(1, 6) if self.rng else 3):
                await asyncio.sleep(0)
            n = self.before(request)
        finally:
            self.in_flight -= 1
        samples = samples[: request.n if n is None else n]
        self.note("answered", samples)
        confidence = -0.5 if request.logprobs else None
        choices = tuple(Choice(self.says(*sample), "stop", confidence, 7) for sample in samples)
        return Reply(choices, 10, 7 * len(choices))

    async def close(self):
        pass

    def samples(self, event="asked"):
        """All samples that were asked for or answered, in order."""
        return [sample for kind, samples in self.asked if kind == event for sample in samples]


def faults(share, seed=0):
    """Of this share of requests one fails: a status, a broken connection, too many requests, or fewer choices."""
    rng = random.Random(seed)

    def before(request):
        if rng.random() >= share:
            return None
        kind = rng.choice(["500", "broken", "429", "fewer"])
        if kind == "fewer":
            return max(request.n // 2, 1)
        raise RequestFailed(f"HTTP {kind}", retry_after=0.0 if kind == "429" else None)

    return before


def live(out, strategy, budget, *, client=None, asked=None, given=None, **options):
    """Run a strategy against scripted servers; return result and servers."""
    asked = asked or plan()
    given = given if given is not None else questions()
    client = client or Servers(asked, given["question_id"].to_pylist())
    options = {"rule": RULE, "sampler": lambda _: client, "retry": AT_ONCE, **options}
    return run(given, asked, strategy, budget, out, **options), client


def table(result):
    """What must not depend on timing."""
    rows = result.to_frame().drop(columns="latency").astype(object)
    return rows.where(rows.notna(), None).to_dict("records")


# A run in a process of its own, which does not import pytest ----------------------------------------------------------


class Deadly(Servers):
    """Kills its own process at a request: before it is answered, as the answer leaves, or some commits later."""

    def __init__(self, *args, at, how, **options):
        super().__init__(*args, **options)
        self.left, self.how = at, how

    async def sample(self, request):
        self.left -= 1
        if self.left == 0 and self.how == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        reply = await super().sample(request)
        if self.left <= (0 if self.how == "answered" else -3):
            os.kill(os.getpid(), signal.SIGKILL)
        return reply


def live_with_faults(out, *, share=0.3, seed=0, kind=Servers, **options):
    """Run ModelSwitch on twelve questions, with requests of two samples of which a share fails."""
    asked, given = plan(samples_per_request=2), questions(12)
    ids = given["question_id"].to_pylist()
    client = kind(asked, ids, before=faults(share, seed), rng=random.Random(seed), **options)
    return live(out, "ms:a+b,agreement=0.6", 16, client=client, asked=asked, given=given)[0]


def run_until_killed(out, log, at, how, seed):
    """Run in this process until the servers kill it."""
    live_with_faults(out, seed=seed, kind=Deadly, log=log, at=at, how=how)
