"""What the tests of the recorder share: questions, plans, and clients that answer in this process."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pyarrow as pa

from mssim.recorder import Choice, Journal, Reply, Retry, plan_from_options, record

URL = "http://127.0.0.1:9/v1"
AT_ONCE = Retry(attempts=4, first=0.0)
PRICES = """
date = 2026-11-01
currency = "EUR"
per_tokens = 1000
[models.a]
input = 1.0
output = 2.0
"""


def questions(n=3, **columns):
    ids = [f"q{i}" for i in range(n)]
    return pa.table({"question_id": ids, "question": [f"Ask {i}" for i in range(n)], "truth": ["7"] * n, **columns})


def plan(models=("a",), samples=4, **options):
    return plan_from_options(list(models), **{"base_url": URL, "samples": samples, "concurrency": 8, **options})


class Client:
    """Answers every request with unique texts; `says(request)` may raise or return another reply instead."""

    def __init__(self, says=None):
        self.says = says or (lambda _: None)
        self.requests = []
        self.texts = []
        self.closed = False

    async def sample(self, request):
        self.requests.append(request)
        reply = self.says(request) or self.reply(request.n)
        self.texts += [choice.text for choice in reply.choices]
        return reply

    def reply(self, n):
        return Reply(
            tuple(Choice(f"text {len(self.texts) + j}", "stop") for j in range(n)), 10, 5 * n, "served", "fp", "r"
        )

    async def close(self):
        self.closed = True


def collect(out, client, asked=None, given=None, **options):
    """Record with a client, retrying at once."""
    return record(
        given if given is not None else questions(),
        asked or plan(),
        out,
        **{"sampler": lambda _: client, "retry": AT_ONCE, **options},
    )


def stored(out):
    """{(question, model, sample_index): text} of a journal."""
    with Journal(out) as journal:
        return {
            (cell.question, cell.model, sample["sample_index"]): sample["text"]
            for cell in journal.cells()
            for sample in journal.samples(cell)
        }


def as_version_1(out):
    """Turn a journal into one that mssim 0.1.0 wrote: it has no columns for reasoning, refusal and tool calls."""
    with closing(sqlite3.connect(out / "journal.sqlite", isolation_level=None)) as journal:
        for name in ("reasoning", "refusal", "tool_calls"):
            journal.execute(f"ALTER TABLE samples DROP COLUMN {name}")
        journal.execute("UPDATE models SET info = json_remove(info, '$.logprobs')")
        journal.execute("PRAGMA user_version = 1")
