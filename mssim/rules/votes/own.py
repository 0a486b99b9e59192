"""Votes by a user function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from mssim.rules.votes.base import Function, Prior, WeightedVote, frozen

__all__ = ["Own"]


class Own(WeightedVote):
    """Vote by a user function."""

    @classmethod
    def own(
        cls, function: Function, *, columns: str | Sequence[str] = (), prior: Prior = None, ties: str = "first"
    ) -> Self:
        """Score the answers with a user function; the highest score wins.

        Parameters
        ----------
        function : callable
            ``function(counts, prior) -> score``. `counts` is int64 of shape (n_stages, n_classes), the votes of each
            stage (one model's turn) for each answer class of the question. `prior` is float64 of shape (n_stages,), the
            prior weights, of which the largest is 1. `score` is float64 of shape (n_classes,). Answers without votes
            cannot win. If only one answer has votes, it wins, and the function is not called.
            With `columns` the signature is ``function(counts, prior, stages, answers, numbers) -> score``. `stages` and
            `answers` are int64 of shape (n_draws,), the stage and the answer class of each voting draw (-1 = no
            answer), ordered by stage and draw. `numbers` is float64 of shape (n_columns, n_draws).
            Compile the function with ``numba.njit``; plain Python is hundreds of times slower.
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
