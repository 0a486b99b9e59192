"""Filters and exact_match of lm-evaluation-harness, as configured by a results file.

The behaviour is that of lm_eval/filters and lm_eval/api/metrics.py in EleutherAI/lm-evaluation-harness.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from mssim.importers.fields import Fields
from mssim.importers.patterns import Pattern
from mssim.importers.sink import Sink

__all__ = ["Filter", "final"]

_Step = Callable[[str], str]
_CHOOSING = ("take_first", "take_first_k", "majority_vote")  # select among repeats, all of which a pool keeps
_STEPS: dict[str, _Step] = {"lowercase": str.lower, "uppercase": str.upper, "remove_whitespace": str.strip}
_SAME = 1e-6  # largest difference between equal means
_INVALID = "[invalid]"  # default result of a filter without a match
_USE_RULE = "Grade with a rule instead, such as rule='number', rule='choice' or rule='regex=PATTERN'."


class Filter:
    """A filter of a task together with its exact_match metric."""

    def __init__(self, config: Fields, sink: Sink, name: str) -> None:
        self.name, self.config, self.sink = name, config, sink
        self.metric = _metric(config)

    def grades(self, line: Fields, texts: list[str | None], targets: list[str]) -> list[dict[str, Any]]:
        """Return answer and verdict of each text."""
        logged, whole = self._logged(line, len(texts))
        found = logged if whole else [self._apply(text or "") for text in texts]
        if not (set(logged) <= set(found) if self._votes else logged == found[: len(logged)]):
            line.refuse(
                f"filter {self.name!r} yields {found[: len(logged)]!r:.80}, but the log has {logged!r:.80}. {_USE_RULE}"
            )
        said = line.value.get("exact_match")
        said = bool(said) if isinstance(said, int | float) and said in (0, 1) else None
        if said is not None and len(found) == 1:
            right = [said]
        else:
            right = self._right(line, found, targets, whole=whole)
            if said is not None and len(logged) == 1 and not self._agrees(line, logged, targets, said, whole=whole):
                line.refuse(
                    f"exact_match of {logged[0]!r:.80} is {said:d} in the log, but {1 - said:d} here. {_USE_RULE}"
                )
            if self.metric is None and whole:
                self._check_mean(line, right)
        answers = [self._answer(answer) for answer in found]
        return [{"answer": a, "correct": r and a is not None} for a, r in zip(answers, right, strict=True)]

    def _check_mean(self, line: Fields, right: list[bool]) -> None:
        """Check an exact_match that is logged for all responses, if it is not known how it compares answers."""
        said, mean = line.value.get("exact_match"), sum(right) / max(len(right), 1)
        if isinstance(said, int | float) and 0 <= said <= 1 and abs(said - mean) > _SAME:
            line.refuse(
                f"exact_match of {len(right)} responses is {said:g} in the log, but the share of answers that equal "
                f"the truth literally is {mean:g}. {_USE_RULE}"
            )

    def _logged(self, line: Fields, number: int) -> tuple[list[str], bool]:
        """Return the logged answers, and whether there is one for each text."""
        values = line.values("filtered_resps", required=True)
        each = len(values) == 1 and isinstance(values[0], list)
        logged = Fields({"filtered_resps": values[0] if each else values}, line.place).texts("filtered_resps")
        return [text or "" for text in logged], len(logged) == number and (each or number == 1)

    def _apply(self, text: str) -> str:
        for step in self._steps:
            text = step(text)
        return text

    def _right(self, line: Fields, answers: list[str], targets: list[str], *, whole: bool) -> list[bool]:
        if not targets:
            line.refuse("has no target to compare answers with. Log the samples again with a task that has targets.")
        if self.metric:
            right = {self.metric(target).strip() for target in targets}
            return [self.metric(answer).strip() in right for answer in answers]
        if not whole:
            line.refuse(f"the task does not use exact_match alone. {_USE_RULE}")
        self.sink.note(
            f"the metric of filter {self.name!r} is not known. Answers are compared with the truth literally."
        )
        return [answer.strip() in map(final, targets) for answer in answers]

    def _agrees(self, line: Fields, logged: list[str], targets: list[str], said: bool, *, whole: bool) -> bool:
        """Return whether a verdict of the log is ours; the harness calls white space around an answer wrong."""
        spaced = logged != [answer.strip() for answer in logged]
        return self._right(line, logged, targets, whole=whole) == [said] or (spaced and not said)

    def _answer(self, found: str) -> str | None:
        answer = (self.metric or str)(found)
        return None if found.strip().lower() == _INVALID or not answer.strip() else answer

    @cached_property
    def _parts(self) -> list[Fields]:
        chains = {chain.name("name"): chain for chain in self.config.parts("filter_list")}
        return chains[self.name].parts("filter") if self.name in chains else []

    @cached_property
    def _votes(self) -> bool:
        return any(part.value.get("function") == "majority_vote" for part in self._parts)

    @cached_property
    def _steps(self) -> list[_Step]:
        """Functions that the filter applies to each response."""
        if not (self._parts or (self.config.value and self.name == "none")):
            self.config.refuse(
                f"answers of single repeats are not logged, and no results file defines filter {self.name!r}. "
                + _USE_RULE
            )
        return [_step(part) for part in self._parts if part.value.get("function") not in _CHOOSING]


def _step(part: Fields) -> _Step:
    function = part.name("function")
    if function in _STEPS:
        return _STEPS[function]
    if function != "regex":
        part.refuse(f"filter function {function!r} is not supported. {_USE_RULE}")
    pattern, fallback = Pattern(part.name("regex_pattern"), part), part.text("fallback")
    return partial(_match, pattern, int(part.number("group_select") or 0), _INVALID if fallback is None else fallback)


def _match(pattern: Pattern, number: int, fallback: str, text: str) -> str:
    """Return match `number` (negative: from the end). Of several groups, take the first that is not empty."""
    found = pattern.findall(text)
    if not -len(found) <= number < len(found):
        return fallback
    match: str | tuple[str, ...] = found[number]
    return (match if isinstance(match, str) else next(filter(None, match), fallback)).strip()


def _metric(config: Fields) -> _Step | None:
    """Return the normalization of exact_match, or None if it is unknown or the task uses its own code."""
    metrics = {metric.text("metric"): metric for metric in config.parts("metric_list")}
    if not config.value or "process_results" in config or (metrics and "exact_match" not in metrics):
        return None
    options = metrics.get("exact_match", Fields({}, config.place))
    ignored = [Pattern(pattern or "", options) for pattern in options.texts("regexes_to_ignore")]
    deleted = string.punctuation * bool(options.flag("ignore_punctuation"))
    deleted += string.digits * bool(options.flag("ignore_numbers"))
    return partial(_compared, ignored, bool(options.flag("ignore_case")), str.maketrans("", "", deleted))


def _compared(ignored: list[Pattern], lower: bool, deleted: dict[int, int | None], text: str) -> str:
    for pattern in ignored:
        text = pattern.without(text)
    return (text.lower() if lower else text).translate(deleted)


def final(target: str) -> str:
    """Return the final answer of a worked GSM8K solution. Other targets are returned unchanged."""
    answer = target.rpartition("#### ")[2].strip()
    return answer if answer and "\n" not in answer else target.strip()
