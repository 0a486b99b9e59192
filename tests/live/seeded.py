"""Clients whose answers are random numbers that depend on the seed of a request, as those of some servers do."""

import hashlib
import random

import pyarrow as pa

from mssim.recorder import Choice, Reply, export, plan_from_options, record
from tests.recording import AT_ONCE, URL, Client

RULE = r"regex=it is (\d+)"
CHANCE = {"a": 0.6, "b": 0.45}  # of the right answer to a question of medium difficulty


def questions(n):
    ids = [f"q{i}" for i in range(n)]
    return pa.table({"question_id": ids, "question": [f"Ask {i}" for i in ids], "truth": ["1"] * n})


def plan(seed, *, samples=1, per_request=8):
    return plan_from_options(
        ["a", "b"], base_url=URL, samples=samples, samples_per_request=per_request, seed=seed, concurrency=8
    )


def text(model, question, seed, chance):
    """A right answer with a chance that depends on the question; longer texts are more often wrong."""
    draw = random.Random(hashlib.blake2b(f"{model} {question} {seed}".encode()).digest())
    ease = random.Random(question).uniform(-0.4, 0.4)
    right = draw.random() < min(max(chance[model] + ease, 0), 1)
    answer = 1 if right else draw.choice([2, 2, 3, 4])
    return f"it is {answer}", 5 + draw.randrange(10 if right else 20)


def client(chance=CHANCE):
    def says(request):
        question = request.messages[-1]["content"]
        said = [text(request.model_id, question, request.seed + j, chance) for j in range(request.n)]
        choices = tuple(Choice(words, "stop", -0.5, tokens) for words, tokens in said)
        return Reply(choices, 20, sum(tokens for _, tokens in said))

    return Client(says)


def recording(folder, n_questions, n_samples, *, seed=1, chance=CHANCE):
    """Record and grade a pool."""
    asked = plan(seed, samples=n_samples)
    record(questions(n_questions), asked, folder, sampler=lambda _: client(chance), retry=AT_ONCE)
    export(folder, rule=RULE)
    return folder
