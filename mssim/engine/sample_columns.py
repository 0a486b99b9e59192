"""Recorded tokens, costs and latencies of samples, with requests of several samples divided among them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from mssim.errors import PoolError
from mssim.pools.pool import Pool

__all__ = ["HIGHEST", "SampleColumns"]

Floats = NDArray[np.float64]

HIGHEST = 1e100  # of an amount or a price; sums remain finite


class SampleColumns:
    """Recorded numbers of the samples of each model, [question, sample], NaN where unknown or not recorded.

    A column is one of `Pool.numbers`, a numeric column of `Pool.extra`, or a numeric column of `Pool.questions`, which
    holds columns that are constant within every question.

    Parameters
    ----------
    pool : Pool
        Recorded samples.

    Examples
    --------
    >>> import pandas as pd
    >>> from mssim import Pool
    >>> pool = Pool.from_frame(pd.DataFrame({
    ...     "question_id": "q", "model": "a", "sample_index": range(4), "answer": "7", "truth": "7",
    ...     "request_input_tokens": 100, "request_output_tokens": 60, "request_samples": 4,
    ... }))
    >>> columns = SampleColumns(pool)
    >>> columns.inputs("a").tolist(), columns.outputs("a").tolist()
    ([[25.0, 25.0, 25.0, 25.0]], [[15.0, 15.0, 15.0, 15.0]])
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._tokens: dict[tuple[str, str], Floats] = {}

    def __contains__(self, column: str) -> bool:
        """Return whether any samples have the column."""
        pool = self._pool
        return column in pool.numbers or column in pool.extra.column_names or column in pool.questions.columns

    def recorded(self, model: str) -> NDArray[np.bool_]:
        """Return the mask of the recorded samples of a model."""
        return self._pool.recorded_of(self._pool.model_index(model))

    def numbers(self, column: str, model: str) -> Floats:
        """Return a column; raise `PoolError` if a number is negative, infinite or, for request_samples, below 1."""
        values = self._values(column, model)
        low = 1 if column == "request_samples" else 0
        if (
            np.fmin.reduce(values, axis=None, initial=low) < low
            or np.fmax.reduce(values, axis=None, initial=0) > HIGHEST
        ):
            question, sample = np.argwhere((values < low) | (values > HIGHEST))[0]
            raise PoolError(
                f"model {model!r}, question {self._pool.question_ids[question]!r}, sample {sample}: {column} is "
                f"{values[question, sample]:g}. Use a number from {low} to {HIGHEST:g}, or leave it empty if it is "
                "unknown."
            )
        return values

    def inputs(self, model: str) -> Floats:
        """Return the input tokens that each sample bears: its share of those of its request."""
        return self._shares("input", model)

    def outputs(self, model: str) -> Floats:
        """Return output tokens: those of each sample or, where unknown, its share of those of its request."""
        return self._shares("output", model)

    @cached_property
    def any_inputs(self) -> bool:
        """Whether any sample of the pool has input tokens."""
        return self._any("input")

    @cached_property
    def any_outputs(self) -> bool:
        """Whether any sample of the pool has output tokens."""
        return self._any("output")

    def _any(self, kind: str) -> bool:
        names = [name for name in (f"{kind}_tokens", f"request_{kind}_tokens") if name in self]
        return any(not np.isnan(self._values(name, model)).all() for name in names for model in self._pool.models)

    def _shares(self, kind: str, model: str) -> Floats:
        if (kind, model) not in self._tokens:
            own = self.numbers(f"{kind}_tokens", model)
            if "request_samples" in self or f"request_{kind}_tokens" in self:
                together = self.numbers("request_samples", model)
                together = np.where(np.isnan(together), 1, together)
                own = own / together if kind == "input" else own
                own = np.where(np.isnan(own), self.numbers(f"request_{kind}_tokens", model) / together, own)
            self._tokens[kind, model] = own
        return self._tokens[kind, model]

    def _values(self, column: str, model: str) -> Floats:
        pool, row = self._pool, self._pool.model_index(model)
        recorded = pool.recorded_of(row)
        if column in pool.numbers:
            given: Floats = pool.numbers[column][row]
            return given if recorded.all() else np.where(recorded, given, np.nan)
        values = np.full(recorded.shape, np.nan)
        try:
            if column in pool.extra.column_names:
                first = int(pool.lengths[:row].sum())
                values[recorded] = _of_arrow(pool.extra[column].slice(first, int(pool.lengths[row].sum())))
            elif column in pool.questions.columns:
                of_question = pd.to_numeric(pool.questions[column]).to_numpy(dtype=float, na_value=np.nan)
                values = np.where(recorded, of_question[:, None], np.nan)
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise PoolError(
                f"column {column!r} is not numeric ({str(error).splitlines()[0]}). Store numbers or rename the column."
            ) from error
        return values


def _of_arrow(column: pa.ChunkedArray) -> Floats:
    kind = column.type
    plain = column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column
    return np.asarray(plain.cast(pa.float64()).to_numpy(), dtype=float)
