"""The answer of a text by a rule, in the form in which answers are compared."""

from __future__ import annotations

from collections.abc import Callable

from mssim.errors import PoolError
from mssim.grading.rules import Rule
from mssim.pools.texts import encodable, normal

__all__ = ["answer_of"]


def answer_of(rule: Rule, text: str, sample: Callable[[], str]) -> str | None:
    """Return the answer of a text without reasoning, or None if it has none.

    Parameters
    ----------
    rule : Rule
        Rule of grading.
    text : str
        The text, or the part of it that is an answer.
    sample : callable () -> str
        Returns the description of the sample, for messages.

    Raises
    ------
    PoolError
        If the function of the rule fails or returns anything but text or None.

    Examples
    --------
    >>> from mssim.grading import parse_rule
    >>> answer_of(parse_rule("number"), "It is 12.", lambda: "question 'q'")
    '12'
    """
    try:
        answer = rule.extract(text)
    except Exception as error:  # raised by the user's function
        raise PoolError(f"rule {rule.name}: {sample()}: {type(error).__name__}: {error}") from error
    if answer is not None and not isinstance(answer, str):
        raise PoolError(
            f"rule {rule.name}: {sample()}: the function returned {answer!r:.80}, of type {type(answer).__name__}. It "
            "must return text, or None for no answer."
        )
    return normal(encodable(answer or "")) or None
