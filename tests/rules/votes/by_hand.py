"""Draws that one can check by hand, and sequences that other packages decide; shared by the tests of the votes."""

from random import Random

import numpy as np
import pandas as pd

from mssim import Mixture, Pool, SelfConsistency
from mssim.live import Draw
from mssim.live.votes import elect
from tests import naive
from tests.conftest import replay


def recorded(truth, **models):
    """One question; every model's samples as (answer, number), all of which are drawn."""
    rows = [
        {
            "question_id": "q",
            "model": model,
            "sample_index": i,
            "answer": answer,
            "truth": truth,
            "score": float(number),
            "confidence": float(number),
            "output_tokens": int(10 + number),
        }
        for model, samples in models.items()
        for i, (answer, number) in enumerate(samples)
    ]
    return Pool.from_frame(pd.DataFrame(rows))


def wins(vote, answer, **models):
    """Chance that this answer wins when all samples are drawn, in whatever order."""
    pool = recorded(answer, **models)
    budget = sum(len(samples) for samples in models.values())
    sizes = tuple(len(samples) for samples in models.values())
    return replay(pool, {"": Mixture(list(models), vote, sizes)}, budget, n_replays=200).accuracy.item()


A_LEADS = [("a", 1), ("a", 1), ("a", 1), ("b", 2), ("b", 1.5), ("c", 9)]


def sequences(n, seed=29):
    """Random draws of one question as (answer or None, whole number); few answers and numbers, so that ties abound."""
    random = Random(seed)

    def draw():
        return random.choice([*"aaabbcd", None]), random.randint(1, 12)

    return [[draw() for _ in range(random.randint(1, 16))] for _ in range(n)]


def elected(vote, draws):
    """Answer that wins a vote over draws in this order, by the oracle and by the rule that runs live; "-" for none."""
    scores = naive.vote([[answer for answer, _ in draws]], vote, [[float(number) for _, number in draws]])
    answers = [Draw("abcd".index(answer) if answer else -1, {vote.column: float(number)}) for answer, number in draws]
    won = elect(vote, [answers], rank=float)
    answer = "abcd"[won] if won >= 0 else "-"
    assert naive.is_right(scores, {answer}, "first", None) == (won >= 0)
    return answer


def decisions(vote, n_questions=40, n_samples=12):
    """Decisions of replays as (answers, numbers, whether "a" wins), for every budget up to all samples."""
    random = Random(n_samples)
    rows = [(q, i, random.choice("aaabbcd"), random.random()) for q in range(n_questions) for i in range(n_samples)]
    frame = pd.DataFrame(rows, columns=["question_id", "sample_index", "answer", vote.column])
    frame = frame.assign(question_id=frame["question_id"].map("q{:03}".format), model="x", truth="a")
    pool, budgets = Pool.from_frame(frame), np.arange(1, n_samples + 1)
    right = replay(pool, {"": SelfConsistency("x", vote)}, budgets, n_replays=1, seed=7).accuracy[0]
    for q, name in enumerate(pool.question_ids):
        samples = frame[frame["question_id"] == name]
        order = naive.positions(7, "x", name, 0, n_samples, n_samples)
        answers, numbers = (samples[column].to_numpy()[order].tolist() for column in ("answer", vote.column))
        for b in budgets:
            yield answers[:b], numbers[:b], bool(right[b - 1, q])
