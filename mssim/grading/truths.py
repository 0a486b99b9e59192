"""The questions of a pool as grading needs them: truths read as answers, and rules that know the choices."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.grading.rules import Rule
from mssim.pools.reading import encode_text


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
        Truths as answers; None = no answer can equal it.
    rules : list of Rule
    """

    place: dict[str, int]
    given: list[str | None]
    truths: list[str | None]
    rules: list[Rule]


def read_questions(table: pa.Table, rule: Rule) -> Questions:
    """Read question_id, truth and, if the rule asks for them, choices."""
    for name in ("question_id", "truth"):
        if name not in table.column_names:
            nearest = choose_from(name, table.column_names)
            raise PoolError(f"the table of questions has no column {name!r}; rename the one that holds it: {nearest}")
    ids, given = _texts(table["question_id"]), _texts(table["truth"])
    place = {name: i for i, name in enumerate(ids) if name is not None}
    if len(place) < len(ids):
        raise PoolError("the table of questions repeats a question_id, or one is empty; give every question its own")
    rules = [rule] * len(ids)
    if rule.of_choices and "choices" in table.column_names:
        choices = table["choices"].to_pylist()
        rules = [_with_choices(rule, value, name) for value, name in zip(choices, place, strict=True)]
    truths = [None if truth is None else own.read_truth(truth.strip()) for truth, own in zip(given, rules, strict=True)]
    return Questions(place, given, truths, rules)


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    codes, labels = encode_text(column)
    return [labels[code] if code >= 0 else None for code in codes]


def _with_choices(rule: Rule, given: Any, question: str) -> Rule:
    """Give the choices to a rule: a list, or one written as JSON."""
    choices = given
    if isinstance(given, str):
        try:
            choices = json.loads(given)
        except (ValueError, RecursionError):
            choices = None
    if rule.of_choices is None or given is None:
        return rule
    if not isinstance(choices, list) or not choices:
        raise PoolError(f'question {question!r}: choices={given!r:.100}; give a list of text, e.g. ["yes", "no"]')
    return rule.of_choices(tuple(str(choice) for choice in choices))
