"""The draws of one question: samples from the journal, as the strategy sees them and as the result counts them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from mssim.live.classes import Classes
from mssim.live.results import Answer, Drawn
from mssim.live.strategies import COLUMNS
from mssim.live.turns import Ask, Decision, Draw
from mssim.pools.endings import was_cut_off
from mssim.recorder._export import row_of

__all__ = ["Course", "Draws"]


class Draws:
    """Samples of one question in the order in which a strategy draws them.

    Parameters
    ----------
    row : mapping
        The question, with question_id and optionally truth.
    classes : Classes
        Answer classes of the question.
    limited : collection of str
        Models whose cut-off samples have no answer, since the strategy limits output tokens.

    Examples
    --------
    >>> from mssim.grading import parse_rule
    >>> draws = Draws({"question_id": "q", "truth": "7"}, Classes(parse_rule("number"), "7"))
    >>> sample = {"sample_index": 0, "text": "It is 7.", "finish_reason": "stop", "confidence": None, "choices": 1,
    ...           "input_tokens": 9, "output_tokens": None, "request_output_tokens": 4, "cost": None, "latency": 0.5,
    ...           "served_model": None, "fingerprint": None, "request_id": None, "time": 0.0}
    >>> draws.add("a", [sample])
    [Draw(answer=0, numbers={'input_tokens': 9.0, 'output_tokens': 4.0, 'latency': 0.5})]
    >>> draws.next("a"), draws.answer(None).tokens
    (1, 13.0)
    """

    def __init__(self, row: Mapping[str, Any], classes: Classes, limited: Sequence[str] = ()) -> None:
        self._row, self._classes, self._limited = row, classes, limited
        self._drawn: list[Drawn] = []
        self._next: Counter[str] = Counter()
        self._input = self._output = self._cost = self._latency = self._longest = 0.0

    def next(self, model: str) -> int:
        """Return the index of the next sample of a model."""
        return self._next[model]

    def add(self, model: str, samples: Sequence[Mapping[str, Any]], *, joined: bool = False) -> list[Draw]:
        """Draw the next samples of a model, which were requested together.

        Parameters
        ----------
        model : str
            Name of the model.
        samples : sequence of mapping
            Samples in the order of their index, as `Journal.samples` returns them.
        joined : bool, default False
            Whether they belong to the round of the samples before.

        Returns
        -------
        list of Draw
            What the strategy sees of them.
        """
        found = [self._draw(model, sample) for sample in samples]
        self._next[model] += len(found)
        longest = max(sample["latency"] for sample in samples)
        self._latency += max(longest - self._longest, 0.0) if joined else longest
        self._longest = max(longest, self._longest) if joined else longest
        return found

    def _draw(self, model: str, sample: Mapping[str, Any]) -> Draw:
        row = row_of(dict(sample))
        code = self._classes.read(model, row)
        if model in self._limited and was_cut_off(row["finish_reason"]):
            code = -1
        self._drawn.append(Drawn(model, row["sample_index"], code, row["text"], row["finish_reason"]))
        together = sample["choices"]
        self._input += _share(sample["input_tokens"], together)
        output = row["output_tokens"]
        self._output += _share(sample["request_output_tokens"], together) if output is None else output
        self._cost += math.nan if row["cost"] is None else row["cost"]
        return Draw(code, {name: float(row[name]) for name in COLUMNS if row[name] is not None})

    def answer(self, decision: Decision | None) -> Answer:
        """Return the answer to the question, given the decision of the strategy or None if it is unfinished."""
        truth = self._row.get("truth")
        right = None if decision is None else self._classes.is_right(decision.answer)
        if decision is not None and right is None and truth is not None:
            right = False  # no answer can equal this truth under the rule, as in the pool
        return Answer(
            self._row["question_id"],
            decision,
            None if decision is None else self._classes.name(decision.answer),
            truth,
            right,
            tuple(self._drawn),
            self._input,
            self._output,
            self._cost if self._drawn else math.nan,
            self._latency,
        )


class Course:
    """A strategy under way on one question.

    Parameters
    ----------
    draws : Draws
        Draws of the question.
    turns : generator
        What the strategy asks for; it returns the decision.

    Examples
    --------
    >>> from mssim.grading import parse_rule
    >>> from mssim.live.strategies import turns
    >>> draws = Draws({"question_id": "q"}, Classes(parse_rule("number"), None))
    >>> course = Course(draws, turns("sc:a", 4, "q"))
    >>> course.ask, course.answer().stopped
    (Ask(model='a', n=4), 'unfinished')
    """

    def __init__(self, draws: Draws, turns: Generator[Ask, Sequence[Draw], Decision]) -> None:
        self._draws, self._turns = draws, turns
        self._decision: Decision | None = None
        self._joined = False
        self.ask: Ask | None = next(turns)

    @property
    def start(self) -> int:
        """Index of the first sample that is asked for."""
        assert self.ask is not None
        return self._draws.next(self.ask.model)

    @property
    def round(self) -> list[tuple[str, int, int]]:
        """Samples that may be requested at the same time: model, index of the first one, and number."""
        assert self.ask is not None
        found, begun = [], Counter[str]()
        for model, n, _ in (self.ask, *self.ask.then):
            found.append((model, self._draws.next(model) + begun[model], n))
            begun[model] += n
        return found

    def give(self, samples: Sequence[Mapping[str, Any]]) -> None:
        """Draw the samples that are asked for."""
        assert self.ask is not None
        draws = self._draws.add(self.ask.model, samples, joined=self._joined)
        self._joined = bool(self.ask.then)
        try:
            self.ask = self._turns.send(draws)
        except StopIteration as end:
            self.ask, self._decision = None, end.value

    def answer(self) -> Answer:
        """Return the answer, which is unfinished as long as samples are asked for."""
        return self._draws.answer(self._decision)


def _share(tokens: int | None, together: int) -> float:
    return math.nan if tokens is None else tokens / together
