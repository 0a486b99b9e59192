"""Templates of messages: text with names in double braces."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mssim.recorder.prompts import PLACEHOLDER

__all__ = ["Template", "fill", "names_in", "starts_anew"]

_ALWAYS = ("question", "prompt")


class Template(NamedTuple):
    """Text of a message with names in double braces.

    Every template may have {{question}}, the question, and {{prompt}}, the text by which the model is asked alone. For
    each reply, {{reply answer}} is the answer in it, by the grading rule.

    Attributes
    ----------
    text : str
        The default text.
    replies : tuple of str
        Names that stand for replies of models.
    others : tuple of str
        Names that stand for anything else.

    Examples
    --------
    >>> from mssim.live.protocols import Template
    >>> Template("Is {{reply}} right?", ("reply",)).names()
    ['question', 'prompt', 'reply', 'reply answer']
    """

    text: str
    replies: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """Return the names that the text may have."""
        return [*_ALWAYS, *(name for reply in self.replies for name in (reply, f"{reply} answer")), *self.others]


def fill(text: str, values: Mapping[str, Callable[[], str]]) -> str:
    """Replace the names of a template. Names within values are not replaced.

    Examples
    --------
    >>> fill("{{a}} and {x}", {"a": lambda: "{{b}}"})
    '{{b}} and {x}'
    """
    return PLACEHOLDER.sub(lambda found: values[found[1]](), text)


def starts_anew(text: str) -> bool:
    """Return whether a template starts a conversation: it has the question, so it does not need earlier messages.

    Examples
    --------
    >>> starts_anew("{{prompt}} {{others}}"), starts_anew("Others say: {{others}}")
    (True, False)
    """
    return not {*names_in(text)}.isdisjoint(_ALWAYS)


def names_in(text: str) -> list[str]:
    """Return the names of a template, in order.

    Examples
    --------
    >>> names_in("{{question}} {x} {{ own answer }}")
    ['question', 'own answer']
    """
    return re.findall(PLACEHOLDER, text)
