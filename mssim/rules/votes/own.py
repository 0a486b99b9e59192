"""Votes counted by a function of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from mssim.rules.votes.base import Function, Prior, WeightedVote, frozen

__all__ = ["Own"]


class Own(WeightedVote):
    """A function of the user's scores the answers."""

    @classmethod
    def own(
        cls, function: Function, *, columns: str | Sequence[str] = (), prior: Prior = None, ties: str = "first"
    ) -> Self:
        """Let a function of yours score the answers; the highest score wins, ties by the tie rule.

        Parameters
        ----------
        function : callable
            ``function(counts, prior) -> score``: counts is int64 of shape (n_stages, n_classes), the votes of each
            stage (one model's turn) for each of the question's answer classes, prior float64 of shape (n_stages,), the
            prior weights with the largest 1; score is float64 of shape (n_classes,). Answers without a vote do not
            win, and an answer that alone has votes wins unasked.
            With `columns` it is ``function(counts, prior, stages, answers, numbers) -> score``: stages and answers are
            int64 of shape (n_draws,), the stage and the answer class of each draw that votes, -1 = no answer, stages in
            order, then draws in order; numbers is float64 of shape (n_columns, n_draws).
            Compile it with ``numba.njit`` for speed; a plain Python function works too and is hundreds of times slower.
        columns : str or sequence of str, optional
            Recorded numbers of each draw that the function reads, such as confidence, score or output_tokens.
        prior, ties
            As in the other votes.

        Examples
        --------
        >>> from mssim import Vote
        >>> squares = Vote.own(lambda counts, prior: (prior[:, None] * counts**2).sum(axis=0))
        >>> squares.counts_only
        False
        """
        return cls(function=function, columns=columns, prior=frozen(prior), ties=ties)  # type: ignore[arg-type]
