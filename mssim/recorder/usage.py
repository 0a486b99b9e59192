"""Numbers of tokens of replies with several choices, for which some servers report one choice only."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from mssim.recorder.sampler import Choice, Reply

__all__ = ["with_all_choices"]

# More characters than a token of text has on average, in any language and vocabulary: English has about 4.5, Russian
# 3.5 and Hindi 3 at most.
_CHARACTERS = 8.0
_OTHERS = 1.5  # weight of characters that are not ASCII
_RUNS = re.compile(r"(.)\1{3,}", re.DOTALL)  # spaces and rulers, of which a token may have many
_FRAME = 16  # tokens of an answer without text, such as its end


def with_all_choices(reply: Reply, most_tokens: int | None, known: bool) -> tuple[Reply, bool]:
    """Correct the number of output tokens of a reply whose server counts one choice.

    Parameters
    ----------
    reply : Reply
        The reply of a server.
    most_tokens : int or None
        Maximum number of tokens of a choice.
    known : bool
        Whether the server is known to count one choice.

    Returns
    -------
    Reply
        The reply. If the server counts one choice, the number of output tokens is that of the log-probabilities, or
        else the reported number times the number of choices, and at least a lower bound from the texts.
    bool
        Whether the server counts one choice.

    Examples
    --------
    >>> text = "The sum of both numbers is forty-two. " * 10
    >>> reply, counts_one = with_all_choices(Reply((Choice(text), Choice(text), Choice(text)), 20, 90), None, False)
    >>> reply.output_tokens, counts_one
    (270, True)
    """
    choices, reported = reply.choices, reply.output_tokens
    if len(choices) < 2 or reported is None:
        return reply, known
    exact = all(choice.output_tokens is not None or not choice.text for choice in choices)
    least = sum(_least(choice, reported, most_tokens) for choice in choices)
    if least <= reported and (exact or _more_than_one(choices, reported, most_tokens)):
        return reply, False
    if least <= reported and not known:
        return reply, False
    return replace(reply, output_tokens=least if exact else max(least, reported * len(choices))), True


def _text(choice: Choice) -> str:
    return "".join((choice.text, choice.reasoning or "", choice.refusal or "", choice.tool_calls or ""))


def _least(choice: Choice, reported: int, most_tokens: int | None) -> int:
    """Return a lower bound of the tokens of a choice."""
    if choice.output_tokens is not None:
        return choice.output_tokens
    if choice.finish_reason == "length" and most_tokens is not None and reported >= most_tokens:
        return most_tokens
    text = _RUNS.sub(r"\1\1\1", _text(choice))
    plain = sum(map(str.isascii, text))
    return math.ceil((plain + _OTHERS * (len(text) - plain)) / _CHARACTERS)


def _more_than_one(choices: Sequence[Choice], reported: int, most_tokens: int | None) -> bool:
    """Return whether no single choice has as many tokens as reported. A token of text has at least one byte."""
    longest = max(len(_text(choice).encode("utf-8", "replace")) for choice in choices) + _FRAME
    return reported > min(longest, longest if most_tokens is None else most_tokens)
