"""Metrics of a task, which lm-evaluation-harness logs with each document, as verdicts on its response.

A line has one value for each metric that the task computes. Since version 0.4.7, `metrics` lists their names; a task
may name the function there instead of its values, such as pass_at_k instead of pass@1. A value is a verdict if it is
true or false, 1 or 0. Lists, such as inst_level_strict_acc, and scores, such as f1, are not. With repeats, a value
refers to all responses of the document. See lm_eval/evaluator.py and lm_eval/api/task.py in
EleutherAI/lm-evaluation-harness.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.importers.fields import Fields, as_flag
from mssim.importers.safe_files import Source

__all__ = ["Metrics", "agreed"]

_LINE = frozenset((  # keys of a line that are not metrics
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
    "doc_hash", "prompt_hash", "target_hash",
))  # fmt: skip
_USUAL = ("exact_match", "acc")
_EXACT = "exact_match"
_MOST_NAMED = 8
_USE_RULE = "Grade the texts with a rule instead (rule=...)."


class Metrics:
    """Metrics in the lines of one filter of a file.

    Attributes
    ----------
    repeats : int
        Largest number of responses to one document.
    whole : bool
        Whether the filter changed no response, so that answers are whole responses.
    literal : bool
        Whether exact_match can be a comparison of whole responses with the target. If not, the task extracts an answer.
    """

    def __init__(self) -> None:
        self.repeats, self.whole, self.literal = 0, True, True
        self._verdicts: dict[str, dict[str, bool]] = {}  # by metric and document
        self._problems: dict[str, str] = {}  # why a metric is not a verdict

    def add(self, line: Fields, doc: str, texts: list[str | None]) -> None:
        """Add the line of a document with these responses."""
        self.repeats = max(self.repeats, len(texts))
        self.whole &= line.value.get("filtered_resps") in (texts, [texts])
        if len(texts) == 1 and line.value.get(_EXACT) == 1:
            self.literal &= _is_similar(texts[0] or "", line.value.get("target"))
        for name in _names(line):
            value = line.value.get(name)
            if value is None or name in self._problems:
                continue
            try:
                verdict = as_flag(value, f"{line.place}: {name!r}")
            except PoolError as error:
                self._problems[name] = str(error)
            else:
                self._verdicts.setdefault(name, {})[doc] = verdict

    def reject(self, name: str, problem: str) -> None:
        """Record why a metric is not a verdict, whatever its values are."""
        if name in self._verdicts:
            self._problems[name] = problem

    @property
    def names(self) -> list[str]:
        """Names of all logged metrics."""
        return list(dict.fromkeys([*self._verdicts, *self._problems]))

    @property
    def candidates(self) -> list[str]:
        """Names of the metrics that are right or wrong in all lines."""
        return [name for name in self._verdicts if name not in self._problems]

    def verdicts(self, name: str) -> dict[str, bool]:
        """Return the verdict of a metric on each document, without those that it does not judge."""
        return self._verdicts.get(name, {})

    def chosen(self, source: Source, asked: str | None, *, compared: bool, own: bool) -> str | None:
        """Return the metric whose values are the verdicts, or None if answers have those of exact_match.

        Parameters
        ----------
        source : Source
            The file, named in error messages.
        asked : str, optional
            The metric that the user chose.
        compared : bool
            Whether it is known how exact_match compares answers.
        own : bool
            Whether the task is known to compute its metrics by code of its own.
        """
        if asked in self._problems:
            raise PoolError(f"{self._problems[asked]} Choose another metric.")
        answers = compared or not (self.whole and (own or not self.literal))
        if asked == _EXACT and answers:
            return None
        if asked is None and (compared or not self.names):
            return None
        if asked is None and self.names == [_EXACT] and answers and (self.repeats > 1 or self.candidates):
            return None
        if self.repeats > 1:
            source.refuse(
                f"documents have up to {self.repeats} responses, but one value of {_listed(self.names)} for all of "
                f"them, so the verdict on each response is not logged. {_USE_RULE}"
            )
        return asked or self._only(source)

    def _only(self, source: Source) -> str:
        if not self.candidates:
            name, problem = next(iter(self._problems.items()))
            source.refuse(f"no metric of its lines is right or wrong, e.g. {name!r}: {problem} {_USE_RULE}")
        if len(self.candidates) > 1:
            source.refuse(
                f"its lines have several metrics that are right or wrong: {_listed(self.candidates)}. Choose one with "
                "metric=NAME."
            )
        return self.candidates[0]

    def missing(self, source: Source, asked: str) -> None:
        """Raise an error because no line has this metric."""
        has = f"{choose_from(asked, self.names)}" if self.names else "They have none. Remove metric="
        source.refuse(f"its lines have no metric {asked!r}. {has}.")

    @property
    def usual(self) -> list[str]:
        """Names of the metrics that judge a response beside a rule: exact_match, acc, or all candidates."""
        return next(([name] for name in _USUAL if name in self.candidates), self.candidates)


def agreed(filters: Collection[Metrics]) -> dict[str, bool]:
    """Return the verdict on each document with one response, if all filters and metrics agree on it."""
    if any(metrics.repeats > 1 for metrics in filters):
        return {}
    found: dict[str, set[bool]] = {}
    for metrics in filters:
        for name in metrics.usual:
            for doc, verdict in metrics.verdicts(name).items():
                found.setdefault(doc, set()).add(verdict)
    return {doc: verdicts.pop() for doc, verdicts in found.items() if len(verdicts) == 1}


def _names(line: Fields) -> list[Any]:
    """Return the names of the metrics of a line."""
    given = line.value.get("metrics")
    named = dict.fromkeys(name for name in given if isinstance(name, str)) if isinstance(given, list) else {}
    if named and all(name in line.value for name in named):
        return [name for name in named if name not in _LINE]
    return [name for name in line.value if name not in _LINE]


def _is_similar(text: str, target: Any) -> bool:
    """Return whether a response is a target except for case, white space and punctuation."""
    targets = [one for one in (target if isinstance(target, list) else [target]) if isinstance(one, str | int)]
    return any(text.strip() == str(one).strip() or _bare(text) == _bare(str(one)) for one in targets)


def _bare(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(f"{name!r:.60}" for name in list(names)[:_MOST_NAMED])
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
