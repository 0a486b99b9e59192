"""Results of a live run: per question and in total."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mssim._validation import counted
from mssim.live.turns import Decision
from mssim.recorder.progress import Progress, Status

__all__ = ["UNFINISHED", "Answer", "Drawn", "LiveProgress", "LiveRun"]

UNFINISHED = "unfinished"
_COLUMNS = ["question_id", "answer", "truth", "correct", "samples_used", "tokens", "output_tokens", "cost", "latency"]


class Drawn(NamedTuple):
    """One sample that a strategy drew.

    Attributes
    ----------
    model : str
        Name of the model.
    sample_index : int
        Its index in the pool.
    code : int
        Answer class; -1 = no answer.
    text : str, optional
        Text of the sample; None in a `LiveRun`, whose texts are in the pool.
    finish_reason : str, optional
        Reason why it ended.

    Examples
    --------
    >>> from mssim.live import Drawn
    >>> Drawn("gemma3", 0, 0, "It is 7.", "stop").code
    0
    """

    model: str
    sample_index: int
    code: int
    text: str | None = None
    finish_reason: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a strategy answers to one question.

    Attributes
    ----------
    question_id : str
        The question.
    decision : Decision, optional
        The decision; None if the question is unfinished.
    answer : str, optional
        Most frequent spelling of the answer class; None for no answer.
    truth : str, optional
        The truth as given.
    correct : bool, optional
        Whether the answer class contains the truth; None if the truth is unknown or the question is unfinished.
    draws : tuple of Drawn
        The samples in the order in which they were drawn.
    input_tokens, output_tokens : float
        Tokens of these samples. A sample bears its share of the input tokens of its request, so that a request for
        several is paid once. NaN if a server does not report them.
    cost : float
        Cost in the currency of the prices; NaN without prices.
    latency : float
        Seconds: the sum over rounds of the longest request.

    Examples
    --------
    >>> from mssim.live import Answer, Decision, Drawn
    >>> answer = Answer("q1", Decision(0, "budget", 0), "7", "7", True, (Drawn("a", 0, 0, "It is 7.", "stop"),), 9, 4)
    >>> answer.samples_used, answer.tokens, answer.stopped
    (1, 13, 'budget')
    """

    question_id: str
    decision: Decision | None
    answer: str | None = None
    truth: str | None = None
    correct: bool | None = None
    draws: tuple[Drawn, ...] = ()
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    cost: float = math.nan
    latency: float = 0.0

    @property
    def samples_used(self) -> int:
        """Number of samples drawn."""
        return len(self.draws)

    @property
    def tokens(self) -> float:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    @property
    def stopped(self) -> str:
        """Why the strategy drew no further sample, or "unfinished"."""
        return UNFINISHED if self.decision is None else self.decision.stopped

    def without_texts(self) -> Answer:
        """Return the same answer without the texts of its samples, which may be long.

        Returns
        -------
        Answer
            With None for each text.
        """
        return replace(self, draws=tuple(draw._replace(text=None) for draw in self.draws))

    def drawn(self) -> dict[str, int]:
        """Return the number of samples of each model that was reached.

        Returns
        -------
        dict of str to int
            In the order in which the models were reached.
        """
        counts: dict[str, int] = {}
        for draw in self.draws:
            counts[draw.model] = counts.get(draw.model, 0) + 1
        return counts


@dataclass
class LiveProgress(Progress):
    """Progress of a live run. The number of samples is not known before the end.

    Attributes
    ----------
    questions, answered : int
        Numbers of questions and of those that are answered.

    Examples
    --------
    >>> from mssim.live import LiveProgress
    >>> LiveProgress(wanted=160, done=12, failed=0, questions=10, answered=1).answered
    1
    """

    questions: int = 0
    answered: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class LiveRun:
    """Result of a live run.

    Attributes
    ----------
    strategy : str
        The strategy as text.
    budget : int
        Samples allowed per question.
    rule : str
        Rule of grading.
    seed : int
        Seed of random choices.
    out : Path
        Folder of the pool.
    answers : tuple of Answer
        One per question, in the order of the questions.
    status : Status
        What all runs in the folder have requested, as of `mssim.recorder.status`: requests, tokens and cost of each
        model, with refused requests and samples that this strategy did not draw.
    notes : tuple of str
        Reasons why the run ended early, differences from the graded pool, and how to replay it.
    currency : str
        Currency of the cost, empty without prices.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> from mssim.live import run
    >>> from mssim.recorder import Choice, Reply, plan_from_options
    >>> class Parrot:
    ...     async def sample(self, request):
    ...         return Reply((Choice("It is 2.", "stop"),) * request.n, 10, 4 * request.n)
    ...     async def close(self):
    ...         pass
    >>> questions = pa.table({"question_id": ["q"], "question": ["1 + 1 = ?"], "truth": ["2"]})
    >>> plan = plan_from_options(["parrot"], base_url="http://localhost", samples=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = run(questions, plan, "sc:parrot", 4, folder, rule="number", sampler=lambda server: Parrot())
    >>> result.to_frame()[["question_id", "answer", "correct", "samples_used", "tokens", "stopped"]]
      question_id answer  correct  samples_used  tokens stopped
    0           q      2     True             4    56.0  budget
    >>> result, result.accuracy
    (LiveRun('sc:parrot', budget=4, 1 question, complete), 1.0)
    """

    strategy: str
    budget: int
    rule: str
    seed: int
    out: Path
    answers: tuple[Answer, ...]
    status: Status
    notes: tuple[str, ...] = ()
    currency: str = ""

    def __repr__(self) -> str:
        state = "complete" if self.complete else f"{self.unfinished} unfinished"
        return f"LiveRun({self.strategy!r}, budget={self.budget}, {counted(len(self.answers), 'question')}, {state})"

    @property
    def _finished(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.decision is not None]

    @property
    def unfinished(self) -> int:
        """Number of questions without a decision."""
        return len(self.answers) - len(self._finished)

    @property
    def complete(self) -> bool:
        """Whether all questions are answered."""
        return self.unfinished == 0

    @property
    def accuracy(self) -> float:
        """Share of right answers to the answered questions with a known truth; NaN without any."""
        return _mean([answer.correct for answer in self._finished if answer.correct is not None])

    @property
    def samples_used(self) -> float:
        """Mean number of samples per answered question."""
        return _mean([answer.samples_used for answer in self._finished])

    @property
    def tokens(self) -> float:
        """Mean number of tokens per answered question."""
        return _mean([answer.tokens for answer in self._finished])

    @property
    def cost(self) -> float:
        """Mean cost per answered question."""
        return _mean([answer.cost for answer in self._finished])

    @property
    def latency(self) -> float:
        """Mean latency per answered question, in seconds."""
        return _mean([answer.latency for answer in self._finished])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the run noticed and what the journal says about its samples."""
        return self.status.warnings

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row per question.

        Returns
        -------
        DataFrame
            The columns question_id, answer, truth, correct, samples_used, tokens, output_tokens, cost, latency, stopped
            and drawn, which maps models to numbers of samples.
        """
        names = [*_COLUMNS, "stopped"]
        rows = [[getattr(answer, name) for name in names] + [answer.drawn()] for answer in self.answers]
        frame = pd.DataFrame(rows, columns=[*names, "drawn"])
        return frame.astype(dict.fromkeys(("tokens", "output_tokens", "cost", "latency"), float))

    def totals(self) -> dict[str, Any]:
        """Return means over the answered questions, and how many there are.

        Returns
        -------
        dict
            The entries strategy, budget, questions, unfinished, accuracy, samples_used, tokens, cost and latency, with
            NaN for what is unknown.
        """
        means = {name: getattr(self, name) for name in ("accuracy", "samples_used", "tokens", "cost", "latency")}
        return {
            "strategy": self.strategy,
            "budget": self.budget,
            "questions": len(self.answers),
            "unfinished": self.unfinished,
            **means,
        }

    def most_drawn(self) -> dict[str, int]:
        """Return the largest number of samples of a question by model.

        Returns
        -------
        dict of str to int
            Models that were reached for some question.
        """
        most: dict[str, int] = {}
        for answer in self.answers:
            for model, number in answer.drawn().items():
                most[model] = max(most.get(model, 0), number)
        return most

    def stops(self) -> pd.DataFrame:
        """Return how many questions ended for which reason, and at which turn.

        Returns
        -------
        DataFrame
            The columns stopped, stage (from 0) and questions.
        """
        ended = [(answer.decision.stopped, answer.decision.stage) for answer in self._finished if answer.decision]
        frame = pd.DataFrame(ended, columns=["stopped", "stage"])
        return frame.value_counts(["stage", "stopped"], sort=False).reset_index(name="questions")[
            ["stopped", "stage", "questions"]
        ]


def _mean(values: list[Any]) -> float:
    return float(np.mean(values)) if values else math.nan


def describe_draws(drawn: Mapping[str, int]) -> str:
    """Return numbers of samples as text.

    Examples
    --------
    >>> describe_draws({"smol": 8, "gemma": 4})
    'smol 8, gemma 4'
    """
    return ", ".join(f"{model} {number}" for model, number in drawn.items())
