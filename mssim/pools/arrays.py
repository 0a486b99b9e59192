"""Arrays of a pool and statistics derived from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.pools import reading
from mssim.pools.assemble import MOST_CLASSES
from mssim.pools.row_checks import GROUPS
from mssim.pools.texts import normal

__all__ = ["PoolArrays"]


@dataclass(frozen=True, eq=False, repr=False)
class PoolArrays:
    """Recorded samples as arrays; the base class of `Pool`, which documents the fields."""

    models: tuple[str, ...]
    questions: pd.DataFrame
    codes: NDArray[np.int16]
    lengths: NDArray[np.int32]
    class_offsets: NDArray[np.int64]
    class_correct: NDArray[np.bool_]
    class_labels: pa.Array
    numbers: Mapping[str, NDArray[np.float64]]
    extra: pa.Table
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_arrays()
        arrays: list[NDArray[Any]] = [self.codes, self.lengths, self.class_offsets, self.class_correct]
        for array in (*arrays, *self.numbers.values()):
            array.flags.writeable = False
        object.__setattr__(self, "numbers", MappingProxyType(dict(self.numbers)))
        object.__setattr__(self, "info", MappingProxyType(dict(self.info)))

    def _check_arrays(self) -> None:
        """Check shapes and that codes are valid classes, because compiled kernels index without bounds checks."""
        shape, offsets = (len(self.models), len(self.questions)), self.class_offsets
        if not (
            self.codes.dtype == np.int16
            and self.codes.ndim == 3
            and self.codes.shape[:2] == shape
            and all(values.shape == self.codes.shape for values in self.numbers.values())
            and self.lengths.shape == shape
            and offsets.shape == (shape[1] + 1,)
            and offsets[0] == 0
            and offsets[-1] == self.class_correct.size
            and self.lengths.min(initial=0) >= 0
            and self.lengths.max(initial=0) <= self.codes.shape[2]
            and np.diff(offsets).max(initial=0) <= MOST_CLASSES
            and (_fit(self.codes, offsets) or _fit(np.where(self.recorded, self.codes, -1), offsets))
        ):
            raise PoolError(
                "pool: the arrays are inconsistent. Create pools with load_pool, Pool.from_frame or Pool.select."
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "numbers": dict(self.numbers), "info": dict(self.info)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    @property
    def question_ids(self) -> list[str]:
        """Question ids in the order of the question axis."""
        return list(self.questions["question_id"])

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 digest of everything that affects a replay."""
        digest = hashlib.sha256(json.dumps([self.models, self.question_ids]).encode())
        for m in range(len(self.models)):
            digest.update(np.ascontiguousarray(np.where(self.recorded_of(m), self.codes[m], -2)).data)
        for array in (self.lengths, self.class_offsets, self.class_correct):
            digest.update(np.ascontiguousarray(array).data)
        for name in sorted(self.numbers):
            digest.update(name.encode())
            for values in self.numbers[name]:
                digest.update(np.ascontiguousarray(values).data)
        for model in self.models if GROUPS in self.extra.column_names else ():
            for numbers in self.lists(GROUPS, model):
                digest.update(numbers.data)
        return digest.hexdigest()

    @property
    def recorded(self) -> NDArray[np.bool_]:
        """Mask of the recorded samples, with the shape of `codes`."""
        return np.asarray(np.arange(self.codes.shape[2]) < self.lengths[:, :, None])

    def recorded_of(self, model: int) -> NDArray[np.bool_]:
        """Return the mask of the recorded samples of one model, given its position."""
        return np.asarray(np.arange(self.codes.shape[2]) < self.lengths[model][:, None])

    def _parts(self) -> Iterator[slice]:
        """Yield slices of questions small enough to bound temporary arrays of one model."""
        step = max(1, reading.BLOCK_ROWS // max(self.codes.shape[2], 1))
        return (slice(q, q + step) for q in range(0, len(self.questions), step))

    def sample_correct(self) -> NDArray[np.bool_]:
        """Return whether each sample is correct, with the shape of `codes`."""
        correct = np.zeros(self.codes.shape, dtype=bool)
        if not self.class_correct.size:
            return correct
        for m, part in product(range(len(self.models)), self._parts()):
            codes = self.codes[m, part]
            index = np.clip(codes, 0, None) + self.class_offsets[:-1][part, None]
            right = self.class_correct[np.minimum(index, self.class_correct.size - 1)]
            recorded = np.arange(self.codes.shape[2]) < self.lengths[m, part, None]
            correct[m, part] = right & (codes >= 0) & recorded
        return correct

    def number(self, column: str) -> NDArray[np.float64]:
        """Return a numeric column with the shape of `codes`.

        Parameters
        ----------
        column : str
            Name of one of `numbers`, or of a numeric column of `extra`.

        Returns
        -------
        ndarray of float64, shape (n_models, n_questions, n_samples)
            The values; NaN where no value was recorded.

        Raises
        ------
        PoolError
            If the pool has no numeric column of this name.
        """
        if column in self.numbers:
            return self.numbers[column]
        found = {f.name for f in self.extra.schema if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)}
        if column not in found:
            names = sorted(found | set(self.numbers))
            raise PoolError(f"the pool has no column {column!r} of numbers. {choose_from(column, names)}.")
        values = np.full(self.codes.shape, np.nan)
        values[self.recorded] = self.extra[column].cast(pa.float64()).to_numpy()
        return values

    def lists(self, column: str, model: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return a column of lists of numbers, of the samples of a model in the order of questions and samples.

        Parameters
        ----------
        column : str
            Name of a column of lists of `extra`, such as "group_confidence".
        model : str
            Name of the model.

        Returns
        -------
        values : ndarray of float64, shape (n_values,)
            The values of all samples.
        offsets : ndarray of int64, shape (n_samples + 1,)
            Sample i has the values offsets[i] to offsets[i + 1]; none if its list is missing.

        Raises
        ------
        PoolError
            If the pool has no column of lists of this name.

        Examples
        --------
        >>> import pandas as pd
        >>> from mssim import Pool
        >>> frame = pd.DataFrame({
        ...     "question_id": "q", "model": "m", "sample_index": [0, 1], "answer": "7", "truth": "7",
        ...     "group_confidence": [[17.5, 16.0, 18.0], [12.5]],
        ... })
        >>> Pool.from_frame(frame).lists("group_confidence", "m")
        (array([17.5, 16. , 18. , 12.5]), array([0, 3, 4]))
        """
        lists = [f.name for f in self.extra.schema if pa.types.is_large_list(f.type) or pa.types.is_list(f.type)]
        if column not in lists:
            raise PoolError(f"the pool has no column {column!r} of lists. {choose_from(column, lists)}.")
        m = self.model_index(model)
        rows = self.extra[column].slice(int(self.lengths[:m].sum()), int(self.lengths[m].sum()))
        lengths = pa.compute.list_value_length(rows).fill_null(0).to_numpy()
        values = pa.compute.list_flatten(rows).cast(pa.float64()).to_numpy()
        return values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])

    def model_index(self, model: str) -> int:
        """Return the position of a model; raise `PoolError` if it is unknown."""
        name = normal(model) if isinstance(model, str) and model not in self.models else model
        if name not in self.models:
            raise PoolError(f"no model {model!r} in this pool. {choose_from(str(model), self.models)}.")
        return self.models.index(name)

    def _sums(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Sum values over the answer classes of each question."""
        return np.diff(np.concatenate([[0], np.cumsum(values, dtype=np.int64)])[self.class_offsets])

    def class_counts(self, model: str) -> NDArray[np.int64]:
        """Count the samples of a model in each answer class.

        Parameters
        ----------
        model : str
            Name of the model.

        Returns
        -------
        ndarray of int64, shape (n_classes,)
            Counts in the order of `class_labels`; question q has rows class_offsets[q] to class_offsets[q + 1].
        """
        m = self.model_index(model)
        counts = np.zeros(len(self.class_correct), np.int64)
        for part in self._parts():
            offsets = self.class_offsets[:-1][part, None]
            voting = (self.codes[m, part] >= 0) & (np.arange(self.codes.shape[2]) < self.lengths[m, part, None])
            first, last = offsets[0, 0], self.class_offsets[1:][part][-1]
            flat = (self.codes[m, part] + (offsets - first))[voting]
            counts[first:last] = np.bincount(flat, minlength=last - first)
        return counts


def _fit(codes: NDArray[np.int16], offsets: NDArray[np.int64]) -> bool:
    """Return whether every code is -1 or a class of its question."""
    return bool(codes.min(initial=-1) >= -1 and (codes.max(axis=2, initial=-1) < np.diff(offsets)).all())
