"""Pools: recorded answers of several models to the same questions."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from mssim import tables
from mssim.assemble import MOST_CLASSES, assemble
from mssim.errors import PoolError, PoolWarning, choose_from, whole_number
from mssim.folder import check_files, current, folder_update, read_info, sample_files, write_info
from mssim.gathering import gather
from mssim.oddities import no_votes, oddities
from mssim.row_blocks import RowBlock, blocks_of, read_files
from mssim.tables import Where, conditions, matches, plain, read_table, table_from_frame
from mssim.unfolding import long_tables, write_samples

__all__ = ["Pool", "load_pool"]


@dataclass(frozen=True, eq=False, repr=False)
class Pool:
    """Recorded answers, as arrays; immutable.

    Make one with `load_pool` or `Pool.from_frame`.

    Attributes
    ----------
    models : tuple of str
        In the order in which the table names them.
    questions : DataFrame, one row per question; take a copy to change it
        `question_id` and every column that is constant within a question (truth, cluster, topic, ...).
    codes : ndarray of int16, shape (n_models, n_questions, n_samples)
        Answer class of each sample, numbered within its question; -1 = no answer.
    lengths : ndarray of int32, shape (n_models, n_questions)
        Recorded samples; codes beyond them mean nothing.
    class_offsets : ndarray of int64, shape (n_questions + 1,)
        Classes of question q are rows class_offsets[q] to class_offsets[q + 1] of the next two.
    class_correct : ndarray of bool, shape (n_classes,)
    class_labels : pyarrow.Array of text, shape (n_classes,)
    numbers : mapping of str to ndarray of float64, each of the shape of codes
        Recorded numbers per sample: score, confidence, cost, latency, input_tokens, output_tokens.
    extra : pyarrow.Table
        All other columns per sample, models first, then questions, then samples.
    info : mapping
        What pool.json says: title, source, licence, settings, grader, synthetic, ...

    Examples
    --------
    >>> import pandas as pd
    >>> from mssim import Pool
    >>> frame = pd.DataFrame({
    ...     "question_id": ["q1"] * 4, "model": ["a", "a", "b", "b"], "sample_index": [0, 1, 0, 1],
    ...     "answer": ["7", "8", "7", None], "truth": "7",
    ... })
    >>> pool = Pool.from_frame(frame)
    >>> pool
    Pool(1 question, 2 models, 2 samples each: a, b)
    >>> pool.codes[1, 0].tolist()
    [0, -1]
    """

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
        """Check that codes are classes of their questions: compiled code would read elsewhere without a word."""
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
            raise PoolError("the arrays of a pool do not fit each other; make it with load_pool, from_frame or select")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "numbers": dict(self.numbers), "info": dict(self.info)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, *, where: Where | None = None, info: Mapping[str, Any] | None = None
    ) -> Pool:
        """Make a pool from a long frame, one row per sample.

        Parameters
        ----------
        frame : DataFrame
            Columns question_id, model, sample_index, answer and one of correct and truth; further columns are kept.
            A missing or blank answer is "no answer".
        where : mapping or sequence of (column, operator, value), optional
            Rows to take, e.g. ``{"prompt": "concise"}`` or ``[("topic", "!=", "Math")]``.
        info : mapping, optional
            Title, source, licence and the like, kept in pool.json.

        Raises
        ------
        PoolError
            If a column is missing or the rows contradict each other; the message names row and remedy.
        """
        return from_blocks(blocks_of([table_from_frame(frame)]), where, info or {})

    @property
    def question_ids(self) -> list[str]:
        """Ids of the questions, in order."""
        return list(self.questions["question_id"])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that a replay can depend on, as hexadecimal text."""
        digest = hashlib.sha256(json.dumps([self.models, self.question_ids]).encode())
        for m in range(len(self.models)):
            digest.update(np.ascontiguousarray(np.where(self.recorded_of(m), self.codes[m], -2)).data)
        for array in (self.lengths, self.class_offsets, self.class_correct):
            digest.update(np.ascontiguousarray(array).data)
        for name in sorted(self.numbers):
            digest.update(name.encode())
            for values in self.numbers[name]:
                digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

    @property
    def recorded(self) -> NDArray[np.bool_]:
        """Whether a sample was recorded at each place of `codes`."""
        return np.asarray(np.arange(self.codes.shape[2]) < self.lengths[:, :, None])

    def recorded_of(self, model: int) -> NDArray[np.bool_]:
        """Whether a sample was recorded at each place of `codes` of a model, given its position."""
        return np.asarray(np.arange(self.codes.shape[2]) < self.lengths[model][:, None])

    def _parts(self) -> Iterator[slice]:
        """Questions, so many at a time that temporary arrays of one model stay small."""
        step = max(1, tables.BLOCK_ROWS // max(self.codes.shape[2], 1))
        return (slice(q, q + step) for q in range(0, len(self.questions), step))

    def sample_correct(self) -> NDArray[np.bool_]:
        """Whether each sample is right, in the shape of codes."""
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
        """Return a number of each sample, in the shape of codes: one of `numbers`, or an extra column of numbers.

        NaN where none was recorded. A column that is not there, or is no number, is a `PoolError`.
        """
        if column in self.numbers:
            return self.numbers[column]
        found = {f.name for f in self.extra.schema if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)}
        if column not in found:
            names = sorted(found | set(self.numbers))
            raise PoolError(f"the pool has no column {column!r} of numbers; {choose_from(column, names)}")
        values = np.full(self.codes.shape, np.nan)
        values[self.recorded] = self.extra[column].cast(pa.float64()).to_numpy()
        return values

    def model_index(self, model: str) -> int:
        """Position of a model; an unknown one is a `PoolError` that names the nearest."""
        if model not in self.models:
            raise PoolError(f"no model {model!r} in this pool; {choose_from(model, self.models)}")
        return self.models.index(model)

    def select(
        self,
        *,
        models: Sequence[str] | None = None,
        questions: Iterable[str] | None = None,
        where: Where | None = None,
        min_samples: int = 0,
    ) -> Pool:
        """Take part of the pool; draws of what stays are the same as before.

        Parameters
        ----------
        models : sequence of str, optional
            Models to keep, in this order.
        questions : iterable of str, optional
            Ids of the questions to keep.
        where : mapping or sequence of (column, operator, value), optional
            Conditions on columns of questions or of samples.
        min_samples : int, default 0
            Keep the questions for which every kept model has at least this many samples.
        """
        min_samples = whole_number("min_samples", min_samples, 0, 2**31)
        pool = self
        per_sample = [c for c in conditions(where) if c[0] not in self.questions.columns]
        if per_sample:
            pool = from_blocks(blocks_of(long_tables(pool)), per_sample, pool.info)
        per_question = [c for c in conditions(where) if c[0] in pool.questions.columns]
        keep = matches(table_from_frame(pool.questions), per_question)
        if questions is not None:
            wanted = {str(question) for question in questions}
            unknown = sorted(wanted - set(pool.question_ids))
            if unknown:
                raise PoolError(f"no question {unknown[0]!r}; {choose_from(unknown[0], pool.question_ids)}")
            keep &= pool.questions["question_id"].isin(wanted).to_numpy()
        rows = np.array([pool.model_index(model) for model in (pool.models if models is None else models)], dtype=int)
        if rows.size == 0 or np.unique(rows).size < rows.size:
            raise PoolError(f"models={list(models or [])!r}: name each model to keep once")
        keep &= (pool.lengths[rows] >= min_samples).all(axis=0)
        if not keep.any():
            raise PoolError(f"no question is left; the pool has {len(keep)}, the conditions exclude all of them")
        return pool._take(rows, np.nonzero(keep)[0])

    def _take(self, models: NDArray[np.int_], questions: NDArray[np.int_]) -> Pool:
        chosen = np.ix_(models, questions)
        lengths = self.lengths[chosen]
        width = int(lengths.max(initial=0))
        counts = np.diff(self.class_offsets)[questions]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        classes = np.repeat(self.class_offsets[questions] - offsets[:-1], counts) + np.arange(offsets[-1])
        return replace(
            self,
            models=tuple(self.models[i] for i in models),
            questions=self.questions.iloc[questions].reset_index(drop=True),
            codes=np.ascontiguousarray(self.codes[:, :, :width][chosen]),
            lengths=lengths,
            class_offsets=offsets,
            class_correct=self.class_correct[classes],
            class_labels=self.class_labels.take(pa.array(classes)),
            numbers={n: np.ascontiguousarray(values[:, :, :width][chosen]) for n, values in self.numbers.items()},
            extra=self.extra.take(pa.array(self._rows(*chosen))) if self.extra.num_columns else self.extra,
        )

    def _rows(self, models: NDArray[np.int_], questions: NDArray[np.int_]) -> NDArray[np.int64]:
        """Rows of `extra` that belong to models and questions, given as an open mesh."""
        flat = self.lengths.ravel().astype(np.int64)
        starts = (np.cumsum(flat) - flat).reshape(self.lengths.shape)[models, questions].ravel()
        lengths = self.lengths[models, questions].ravel().astype(np.int64)
        return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())

    def describe(self) -> pd.DataFrame:
        """One row per model: questions, samples per question, and what the samples are like.

        Returns
        -------
        DataFrame
            model; questions (with at least one sample); samples_min, samples_median, samples_max per such question;
            no_answer, share of samples without an answer; distinct_answers, mean number per question; accuracy of a
            single sample; top_share, mean share of the most frequent answer.
        """
        rows = []
        for m, model in enumerate(self.models):
            asked = self.lengths[m] > 0
            lengths = self.lengths[m][asked]
            counts = self.class_counts(model)
            right = self._sums(np.where(self.class_correct, counts, 0))[asked]
            several = np.diff(self.class_offsets) > 0
            top = np.zeros(asked.size, np.int64)
            top[several] = np.maximum.reduceat(counts, self.class_offsets[:-1][several]) if several.any() else 0
            rows.append(
                {
                    "model": model,
                    "questions": int(asked.sum()),
                    "samples_min": int(lengths.min()),
                    "samples_median": float(np.median(lengths)),
                    "samples_max": int(lengths.max()),
                    "no_answer": (int(self.lengths[m].sum()) - int(counts.sum())) / int(self.lengths[m].sum()),
                    "distinct_answers": np.mean(self._sums(counts > 0)[asked]),
                    "accuracy": float(np.mean(right / lengths)),
                    "top_share": float(np.mean(top[asked] / lengths)),
                }
            )
        return pd.DataFrame(rows)

    def _sums(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Sum of what the classes of each question have."""
        return np.diff(np.concatenate([[0], np.cumsum(values, dtype=np.int64)])[self.class_offsets])

    def class_counts(self, model: str) -> NDArray[np.int64]:
        """How many samples of a model fall in each answer class.

        Returns
        -------
        ndarray of int64, shape (n_classes,)
            In the order of `class_labels`; question q has rows class_offsets[q] to class_offsets[q + 1].
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

    def to_frame(self) -> pd.DataFrame:
        """Return the long frame, one row per sample, that `from_frame` reads."""
        frame: pd.DataFrame = pa.concat_tables(long_tables(self)).to_pandas()
        return frame.apply(plain)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the pool folder: samples.parquet, questions.parquet, pool.json.

        The folder appears whole or not at all. With `overwrite` it replaces an existing pool; other files in the folder
        stay.
        """
        target = Path(path)
        if target.exists() and not overwrite:
            raise PoolError(f"{target} exists already; choose another path or pass overwrite=True")
        if target.exists() and not current(target, "pool.json").is_file():
            raise PoolError(f"{target} is not a pool folder, so it is not overwritten; choose another path")
        with folder_update(target) as part:
            write_samples(self, part / "samples.parquet")
            pa.parquet.write_table(table_from_frame(self.questions), part / "questions.parquet", compression="zstd")
            counts = {"questions": len(self.questions), "models": len(self.models), "samples": int(self.lengths.sum())}
            write_info(part, target, {**self.info, "counts": counts})

    def warnings(self) -> list[str]:
        """What a reader of results from this pool should know; `load_pool` warns of each."""
        return oddities(self)

    def __repr__(self) -> str:
        low, high = int(self.lengths.min()), int(self.lengths.max())
        n = len(self.questions)
        each = f"{high}" if low == high else f"{low} to {high}"
        plural = "" if n == 1 else "s"
        models = "" if len(self.models) == 1 else "s"
        shown = ", ".join(self.models[:4]) + (", ..." if len(self.models) > 4 else "")
        return f"Pool({n} question{plural}, {len(self.models)} model{models}, {each} samples each: {shown})"


def load_pool(path: str | os.PathLike[str], *, where: Where | None = None) -> Pool:
    """Load a pool folder or a long table.

    Parameters
    ----------
    path : path
        A folder written by `Pool.save`, a folder with samples.parquet or several samples-*.parquet (one table, in the
        order of their names), or one Parquet, CSV or JSONL file with the columns that `Pool.from_frame` asks for.
        Parquet is read by block, so that no more than one is in memory beside the pool.
    where : mapping or sequence of (column, operator, value), optional
        Rows to take, e.g. ``{"prompt": "concise"}``, ``{"topic": ["Math", "Law"]}`` or ``[("topic", "!=", "Math")]``.

    Returns
    -------
    Pool

    Raises
    ------
    PoolError
        If the file is damaged or its rows contradict each other; the message names row and remedy.

    Warns
    -----
    PoolWarning
        Of ragged lengths, models without some questions, many samples without an answer, identical response texts
        and mixed settings.
    """
    source = Path(path)
    if not source.exists():
        raise PoolError(f"{source} does not exist; give a pool folder or a .parquet, .csv or .jsonl table")
    files = sample_files(source) if source.is_dir() else [source]
    if not files:
        raise PoolError(f"{source} has no samples.parquet; give a pool folder or a .parquet, .csv or .jsonl table")
    if current(source, "pool.json").exists():
        pool = _load_folder(source)
        pool = pool if where is None else pool.select(where=where)
    else:
        pool = from_blocks(read_files(files), where, {})
    for message in [*pool.warnings(), *no_votes(pool)]:
        warnings.warn(message, PoolWarning, stacklevel=2)
    return pool


def from_blocks(
    blocks: Iterable[RowBlock], where: Where | None, info: Mapping[str, Any], questions: pa.Table | None = None
) -> Pool:
    """Make a pool from blocks of a long table, as `Pool.from_frame` does, and a table of questions."""
    return Pool(**assemble(gather(blocks, where, questions), questions), info=dict(info))


def _fit(codes: NDArray[np.int16], offsets: NDArray[np.int64]) -> bool:
    """Whether all codes are classes of their questions, or -1."""
    return bool(codes.min(initial=-1) >= -1 and (codes.max(axis=2, initial=-1) < np.diff(offsets)).all())


def _load_folder(folder: Path) -> Pool:
    info = read_info(folder)
    check_files(folder, info.pop("files", {}))
    info.pop("counts", None)
    questions = current(folder, "questions.parquet")
    return from_blocks(
        read_files(sample_files(folder)),
        None,
        info,
        read_table(questions) if questions.exists() else None,
    )
