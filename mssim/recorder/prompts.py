"""Templates of prompts, with placeholders for the columns of a question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.csv

from mssim._validation import choose_from
from mssim.errors import MssimError
from mssim.pools.texts import as_text, is_missing

__all__ = ["check_prompts", "check_template", "default_template", "messages", "placeholders", "render"]

# A placeholder is a name in double braces; \boxed{}, {x} and {{x + y}} are text.
PLACEHOLDER = re.compile(r"\{\{[ \t]*([\w.-]+(?: [\w.-]+)*)[ \t]*\}\}")


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def default_template(columns: Iterable[str]) -> str:
    """Return the default template: the question, followed by its choices, if any.

    Examples
    --------
    >>> default_template(["question_id", "question", "truth"])
    '{{question}}'
    """
    return "{{question}}\n\n{{choices}}" if "choices" in columns else "{{question}}"


def placeholders(template: str) -> list[str]:
    r"""Return the names of the placeholders of a template.

    Examples
    --------
    >>> placeholders("{{question}} Put the answer in \boxed{}.")
    ['question']
    """
    return list(_parts(template)[1::2])


def check_template(template: str, columns: Sequence[str]) -> None:
    """Raise if a template has no placeholder, or one that is not a column of the questions or is the truth.

    Examples
    --------
    >>> check_template("{{topics}}", ["question", "truth", "topic"])
    Traceback (most recent call last):
    ...
    mssim.errors.MssimError: {{topics}}: no such column. Did you mean 'topic'? Choose from 'question', 'topic'.
    """
    names = _parts(template)[1::2]
    if not names:
        raise MssimError("template: it has no placeholder, so all prompts would be equal. Insert {{question}}.")
    _check_names(names, columns)


def _check_names(names: Iterable[str], columns: Sequence[str]) -> None:
    for name in names:
        if name == "truth":
            raise MssimError("{{truth}}: it would reveal the correct answer to the model. Remove it from the template.")
        if name not in columns:
            allowed = choose_from(name, [column for column in columns if column != "truth"])
            raise MssimError(f"{{{{{name}}}}}: no such column. {allowed}.")


def check_prompts(template: str, system: str | None, questions: pa.Table) -> None:
    """Check that `messages` accepts every question, before any request.

    Raises
    ------
    MssimError
        If `check_template` raises, if a question lacks a value that a placeholder needs, or if it has more than 26
        choices.
    """
    columns = questions.column_names
    check_template(template, columns)
    names = [*_parts(template)[1::2], *_parts(system or "")[1::2]]
    _check_names(names, columns)
    needed = questions.select(list(dict.fromkeys(["question_id", *names])))
    for row in needed.to_pylist():
        for name in needed.column_names:
            _value(name, row)


def render(template: str, row: Mapping[str, Any]) -> str:
    r"""Replace the placeholders of a template by the values of a question.

    Parameters
    ----------
    template : str
        Template that `check_template` accepts. ``{{column}}`` is replaced by the value of a column, and ``{{choices}}``
        by lines "A. ...", "B. ...". All other text, including single braces, is unchanged.
    row : mapping
        One row of `read_questions`.

    Returns
    -------
    str
        The prompt. Placeholders within values are not replaced.

    Raises
    ------
    MssimError
        If the question lacks a value, or has more than 26 choices.

    Examples
    --------
    >>> row = {"question": "Is {{truth}} a word?", "choices": ["yes", "no"]}
    >>> print(render("{{question}}\n{{choices}}\nPut the letter in \\boxed{}.", row))
    Is {{truth}} a word?
    A. yes
    B. no
    Put the letter in \boxed{}.
    """
    parts = _parts(template)
    return "".join(part if i % 2 == 0 else _value(part, row) for i, part in enumerate(parts))


@lru_cache(maxsize=64)
def _parts(template: str) -> tuple[str, ...]:
    """Split a template into alternating texts and names of columns."""
    return tuple(PLACEHOLDER.split(template))


def _value(name: str, row: Mapping[str, Any]) -> str:
    value = row[name]
    if is_missing(value):
        question = row.get("question_id")
        raise MssimError(
            f"question {question!r} has no {name}, which the template needs. Add it, or remove the question."
        )
    if name != "choices":
        return as_text(value)
    if len(value) > len(_LETTERS):
        raise MssimError(
            f"question {row.get('question_id')!r} has {len(value)} choices. {{{{choices}}}} allows at most "
            f"{len(_LETTERS)}. Write the choices into the question."
        )
    return "\n".join(f"{letter}. {choice}" for letter, choice in zip(_LETTERS, value, strict=False))


def messages(template: str, system: str | None, row: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the messages of a request: the system message, if any, and the prompt. Both may have placeholders.

    Examples
    --------
    >>> messages("{{question}}", None, {"question": "1 + 1 = ?"})
    [{'role': 'user', 'content': '1 + 1 = ?'}]
    """
    asked = [{"role": "user", "content": render(template, row)}]
    return asked if system is None else [{"role": "system", "content": render(system, row)}, *asked]
