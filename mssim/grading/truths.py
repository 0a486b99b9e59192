"""Questions of a pool, with truths in the form of answers and rules that know the choices."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.grading.rules import Rule
from mssim.pools.reading import encode_text
from mssim.pools.texts import normal


@dataclass(frozen=True)
class Questions:
    """Questions in the order of their table.

    Attributes
    ----------
    place : dict of str to int
        Position of each question_id.
    given : list of str or None
        Truths as written.
    truths : list of str or None
        Truths in the form of answers, None if no answer can equal it.
    rules : list of Rule
        Rule of each question.
    """

    place: dict[str, int]
    given: list[str | None]
    truths: list[str | None]
    rules: list[Rule]


def read_questions(table: pa.Table, rule: Rule) -> Questions:
    """Read question_id, truth and, if the rule needs them, choices."""
    for name in ("question_id", "truth"):
        if name not in table.column_names:
            nearest = choose_from(name, table.column_names)
            raise PoolError(f"questions: has no column {name!r}. Rename one of the columns to {name!r}. {nearest}.")
    ids, given = _texts(table["question_id"]), _texts(table["truth"])
    place = {name: i for i, name in enumerate(ids) if name is not None}
    if len(place) < len(ids):
        raise PoolError("questions: a question_id is empty or repeated. Give each question a distinct question_id.")
    rules = [rule] * len(ids)
    if rule.of_choices and "choices" in table.column_names:
        choices = table["choices"].to_pylist()
        rules = [_with_choices(rule, value, name) for value, name in zip(choices, place, strict=True)]
    truths = [None if truth is None else own.read_truth(normal(truth)) for truth, own in zip(given, rules, strict=True)]
    return Questions(place, given, truths, rules)


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    codes, labels = encode_text(column)
    return [labels[code] if code >= 0 else None for code in codes]


def _with_choices(rule: Rule, given: Any, question: str) -> Rule:
    """Return the rule for the choices of a question, a list or its JSON text."""
    choices = given
    if isinstance(given, str):
        try:
            choices = json.loads(given)
        except (ValueError, RecursionError):
            choices = None
    if rule.of_choices is None or given is None:
        return rule
    if not isinstance(choices, list) or not choices:
        raise PoolError(
            f'question {question!r}: choices={given!r:.100} is not a list of text, such as ["yes", "no"]. Correct it.'
        )
    return rule.of_choices(tuple(str(choice) for choice in choices))
