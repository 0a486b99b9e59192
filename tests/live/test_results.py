"""Results of live runs: means over the answered questions, with unknown values apart from zero."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mssim.live import Answer, Decision, Drawn, LiveProgress, LiveRun
from mssim.live.results import describe_draws
from mssim.recorder import Status


def answer(name, decision, correct, models, **more):
    drawn = tuple(Drawn(model, index, 0) for index, model in enumerate(models))
    numbers = {"input_tokens": 10.0, "output_tokens": 4.0, "cost": 0.5, "latency": 2.0, **more}
    return Answer(name, decision, "7" if decision else None, "7", correct, drawn, **numbers)


AGREED, SPENT = Decision(0, "agreement", 0), Decision(0, "budget", 1)


def result(*answers):
    status = Status(pd.DataFrame(), pd.DataFrame(), 0, noticed=("odd",))
    return LiveRun("ms:a+b", 4, "number", 0, Path("pool"), answers, status, ("note",))


def test_totals_are_means_over_answered_questions_and_accuracy_over_known_truths():
    found = result(
        answer("q1", AGREED, True, "aa"),
        answer("q2", SPENT, False, "aabb", input_tokens=20.0),
        answer("q3", SPENT, None, "aabb"),
        answer("q4", None, None, "a"),
    )
    assert found.totals() == {
        "strategy": "ms:a+b", "budget": 4, "questions": 4, "unfinished": 1, "accuracy": 0.5,
        "samples_used": pytest.approx(10 / 3), "tokens": pytest.approx(52 / 3), "cost": 0.5, "latency": 2.0,
    }  # fmt: skip
    assert not found.complete
    assert found.warnings == ("odd",)
    assert found.most_drawn() == {"a": 2, "b": 2}
    assert result(answer("q1", AGREED, True, "aab")).most_drawn() == {"a": 2, "b": 1}
    assert repr(found) == "LiveRun('ms:a+b', budget=4, 4 questions, 1 unfinished)"
    assert found.stops().to_dict("records") == [
        {"stopped": "agreement", "stage": 0, "questions": 1},
        {"stopped": "budget", "stage": 1, "questions": 2},
    ]


def test_the_frame_has_a_row_per_question():
    frame = result(answer("q1", AGREED, True, "aa"), answer("q2", None, None, "ab", cost=math.nan)).to_frame()
    assert list(frame) == [
        *("question_id", "answer", "truth", "correct", "samples_used", "tokens", "output_tokens", "cost", "latency"),
        *("stopped", "drawn"),
    ]
    assert frame["stopped"].tolist() == ["agreement", "unfinished"]
    assert frame["drawn"].tolist() == [{"a": 2}, {"a": 1, "b": 1}]
    assert frame["samples_used"].tolist() == [2, 2]
    assert np.isnan(frame["cost"][1])
    assert frame["correct"].tolist() == [True, None]


def test_without_an_answer_everything_is_unknown():
    empty = result(answer("q1", None, None, ""))
    values = (empty.accuracy, empty.samples_used, empty.tokens, empty.cost, empty.latency)
    assert all(map(math.isnan, values))
    assert empty.stops().empty
    assert empty.most_drawn() == {}


def test_progress_counts_samples_and_questions():
    progress = LiveProgress(wanted=40, done=0, failed=0, arrived=20, seconds=4.0, questions=10, answered=2)
    assert (progress.rate, progress.answered) == (5.0, 2)


def test_draws_as_text():
    assert describe_draws({"a": 2, "b": 1}) == "a 2, b 1"
    assert describe_draws({}) == ""
