"""Answers to questions that arrive one by one, and why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mssim.errors import MssimError

__all__ = ["Answered", "UnansweredError"]


@dataclass(frozen=True)
class Answered:
    """The answer of a strategy or a protocol to one question.

    Attributes
    ----------
    question_id : str
        The question in the journal.
    text : str
        Text of the first sample that has the answer. If the strategy decides for no answer, this is the first sample
        without an answer, and empty if all have one.
    answer : str or None
        The answer by the grading rule, None if there is none.
    stopped : str
        Why the strategy drew no further sample, or the protocol ended.
    votes : mapping of str to int
        Number of samples of each answer.
    models : mapping of str to int
        Number of samples of each model, in the order of their first draws.
    samples_used : int
        Number of samples, or of calls of a protocol.
    input_tokens, output_tokens : int or None
        Sums over all calls, None if a server did not report them.
    cost : float or None
        Sum over all calls, None without prices.
    finish_reason : str or None
        Why the sample ended.

    Examples
    --------
    >>> from mssim.live.answered import Answered
    >>> Answered("q", "It is 2.", "2", "budget", {"2": 3, "3": 1}, {"small": 4}, 4, 36, 20).votes["2"]
    3
    """

    question_id: str
    text: str
    answer: str | None
    stopped: str
    votes: Mapping[str, int]
    models: Mapping[str, int]
    samples_used: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    finish_reason: str | None = None


class UnansweredError(MssimError):
    """A question that could not be answered now.

    Parameters
    ----------
    message : str
        Reason in one line without secrets.
    limit : bool, default False
        Whether a limit of the user is reached.
    retry_after : float, optional
        Seconds after which the question may be answered.

    Examples
    --------
    >>> from mssim.live.answered import UnansweredError
    >>> UnansweredError("The limit max_requests=8 is reached.", limit=True).limit
    True
    """

    def __init__(self, message: str, *, limit: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.limit = limit
        self.retry_after = retry_after
