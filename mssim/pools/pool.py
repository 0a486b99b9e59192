"""Pools of recorded samples of several models for the same questions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from mssim._files import usable_path
from mssim._validation import choose_from, counted, printable, shown, whole_number
from mssim.errors import PoolError
from mssim.pools.arrays import PoolArrays
from mssim.pools.arrow import plain, table_from_frame
from mssim.pools.assemble import assemble
from mssim.pools.conditions import Where, conditions, matches
from mssim.pools.folder import current, folder_update, write_info
from mssim.pools.frames import Frame, table_from
from mssim.pools.long_table import long_tables, write_samples
from mssim.pools.plain_types import to_frame
from mssim.pools.quality import pool_warnings
from mssim.pools.row_blocks import RowBlock, blocks_of
from mssim.pools.rows import gather
from mssim.pools.source_files import keep_source, source_files, source_of
from mssim.pools.texts import as_text, normal

__all__ = ["Pool", "from_blocks"]


@dataclass(frozen=True, eq=False, repr=False)
class Pool(PoolArrays):
    """Immutable pool of recorded samples.

    Create pools with `load_pool` or `Pool.from_frame`.

    Attributes
    ----------
    models : tuple of str
        Model names, in order of first appearance in the table.
    questions : DataFrame, shape (n_questions, n_columns)
        `question_id` and all columns that are constant within every question (truth, cluster, topic, ...). Copy the
        frame before you modify it.
    codes : ndarray of int16, shape (n_models, n_questions, n_samples)
        Answer class of each sample, numbered within its question; -1 = no answer.
    lengths : ndarray of int32, shape (n_models, n_questions)
        Number of recorded samples; codes beyond it are undefined.
    class_offsets : ndarray of int64, shape (n_questions + 1,)
        Question q has the classes class_offsets[q] to class_offsets[q + 1] of `class_correct` and `class_labels`.
    class_correct : ndarray of bool, shape (n_classes,)
        Whether each answer class is correct.
    class_labels : pyarrow.Array of text, shape (n_classes,)
        Text of each answer class.
    numbers : mapping of str to ndarray of float64, shape of `codes`
        Recorded numbers per sample: score, confidence, cost, latency, input_tokens, output_tokens.
    extra : pyarrow.Table
        All other columns per sample, ordered by model, question and sample.
    info : mapping
        Content of pool.json: title, source, licence, settings, grader, synthetic, ...

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

    @classmethod
    def from_frame(cls, frame: Frame, *, where: Where | None = None, info: Mapping[str, Any] | None = None) -> Pool:
        """Create a pool from a long frame with one row per sample.

        Parameters
        ----------
        frame : DataFrame or other table
            Table with the columns question_id, model, sample_index, answer and either correct or truth. Further
            columns are kept. A missing or blank answer means "no answer". Answers, truths, question ids and models
            that differ only in surrounding white space or in their Unicode normal form are equal, and so are 18 and
            18.0 in columns of numbers. It is a pandas or polars DataFrame, a pyarrow Table, a `datasets.Dataset`, or
            any table with the Arrow PyCapsule interface, the dataframe interchange protocol or a method to_pandas.
        where : mapping or sequence of (column, operator, value), optional
            Conditions that rows must satisfy, e.g. ``{"prompt": "concise"}`` or ``[("topic", "!=", "Math")]``.
            By default all rows are used.
        info : mapping, optional
            Title, source, licence and other metadata to store in pool.json.

        Returns
        -------
        Pool
            The pool.

        Raises
        ------
        PoolError
            If `frame` is not a table, a column is missing or has nested values, or rows are inconsistent. The message
            names the row and a remedy.
        """
        return from_blocks(blocks_of([table_from(frame)]), where, info or {})

    def select(
        self,
        *,
        models: Sequence[str] | None = None,
        questions: Iterable[str] | None = None,
        where: Where | None = None,
        min_samples: int = 0,
    ) -> Pool:
        """Select models and questions; the draws of the remaining ones do not change.

        Parameters
        ----------
        models : sequence of str, optional
            Models to keep, in this order.
        questions : iterable of str, optional
            Ids of the questions to keep.
        where : mapping or sequence of (column, operator, value), optional
            Conditions on columns of questions or of samples.
        min_samples : int, default 0
            Keep only questions for which every selected model has at least this many samples.

        Returns
        -------
        Pool
            The selected part of the pool.
        """
        min_samples = whole_number("min_samples", min_samples, 0, 2**31)
        pool = self
        per_sample = [c for c in conditions(where) if c[0] not in self.questions.columns]
        if per_sample:
            pool = from_blocks(blocks_of(long_tables(pool)), per_sample, pool.info)
        per_question = [c for c in conditions(where) if c[0] in pool.questions.columns]
        keep = matches(table_from_frame(pool.questions), per_question)
        for name, given in (("models", models), ("questions", questions)):
            if given is not None and (isinstance(given, str) or not isinstance(given, Iterable)):
                raise PoolError(f"{name}={shown(given)} is not a list of names. Use e.g. [{shown(given)}].")
        if questions is not None:
            wanted = {normal(as_text(question)) for question in questions}
            unknown = sorted(wanted - set(pool.question_ids))
            if unknown:
                raise PoolError(f"no question {unknown[0]!r}. {choose_from(unknown[0], pool.question_ids)}.")
            keep &= pool.questions["question_id"].isin(wanted).to_numpy()
        rows = np.array([pool.model_index(model) for model in (pool.models if models is None else models)], dtype=int)
        if rows.size == 0:
            raise PoolError("models is empty. Name at least one model, or leave it out to keep all.")
        if np.unique(rows).size < rows.size:
            raise PoolError(f"models: {list(models or [])!r} repeats a model. Name each model once.")
        keep &= (pool.lengths[rows] >= min_samples).all(axis=0)
        if not keep.any():
            asked = {"where": where, "questions": questions, "min_samples": min_samples or None}
            raise PoolError(
                f"no questions remain: the conditions exclude all {len(keep)} questions of the pool. Relax "
                f"{' or '.join(f'{name}=' for name, value in asked.items() if value is not None)}."
            )
        return pool._take(rows, np.nonzero(keep)[0])

    def _take(self, models: NDArray[np.int_], questions: NDArray[np.int_]) -> Pool:
        chosen = np.ix_(models, questions)
        lengths = self.lengths[chosen]
        width = int(lengths.max(initial=0))
        counts = np.diff(self.class_offsets)[questions]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        classes = np.repeat(self.class_offsets[questions] - offsets[:-1], counts) + np.arange(offsets[-1])
        part = replace(
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
        source = source_of(self)
        keep_source(part, source and source.select(questions))
        return part

    def _rows(self, models: NDArray[np.int_], questions: NDArray[np.int_]) -> NDArray[np.int64]:
        """Return the rows of `extra` that belong to models and questions, given as an open mesh."""
        flat = self.lengths.ravel().astype(np.int64)
        starts = (np.cumsum(flat) - flat).reshape(self.lengths.shape)[models, questions].ravel()
        lengths = self.lengths[models, questions].ravel().astype(np.int64)
        return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())

    def describe(self) -> pd.DataFrame:
        """Summarise the samples of each model.

        Returns
        -------
        DataFrame, one row per model
            Columns: model; questions (number with at least one sample); samples_min, samples_median, samples_max
            (samples per such question); no_answer (share of samples without an answer); distinct_answers (mean number
            per question); accuracy (of a single sample); top_share (mean share of the most frequent answer);
            output_tokens (of a sample, mean over questions; NaN if they are unknown for some samples).
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
                    "output_tokens": self._mean_tokens(m, asked),
                }
            )
        return pd.DataFrame(rows)

    def _mean_tokens(self, model: int, asked: NDArray[np.bool_]) -> float:
        """Return the mean output tokens of a sample of a model, each question with the same weight."""
        if "output_tokens" not in self.numbers:
            return np.nan
        sums = np.where(self.recorded_of(model), self.numbers["output_tokens"][model], 0.0).sum(axis=1)
        return float(np.mean(sums[asked] / self.lengths[model][asked]))

    def to_frame(self) -> pd.DataFrame:
        """Return the pool as a long frame with one row per sample, as accepted by `from_frame`."""
        return to_frame(pa.concat_tables(long_tables(self))).apply(plain)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the pool folder with samples.parquet, questions.parquet and pool.json atomically.

        Parameters
        ----------
        path : str or path-like
            Folder to write.
        overwrite : bool, default False
            Whether to replace an existing pool. Other files in the folder are kept.
        """
        target = usable_path(path)
        if target.exists() and not overwrite:
            raise PoolError(f"{target} already exists. Choose another path or pass overwrite=True.")
        if target.exists() and not current(target, "pool.json").is_file():
            raise PoolError(f"{target} is not a pool folder and is not overwritten. Choose another path.")
        with folder_update(target) as part:
            write_samples(self, part / "samples.parquet")
            pa.parquet.write_table(table_from_frame(self.questions), part / "questions.parquet", compression="zstd")
            counts = {"questions": len(self.questions), "models": len(self.models), "samples": int(self.lengths.sum())}
            write_info(part, target, {**self.info, "counts": counts})

    def warnings(self) -> list[str]:
        """Return warnings about the quality of the pool; `load_pool` emits each as a `PoolWarning`."""
        return pool_warnings(self)

    def __repr__(self) -> str:
        low, high = int(self.lengths.min()), int(self.lengths.max())
        each = counted(high, "sample") if low == high else f"{low} to {high} samples"
        size = f"{counted(len(self.questions), 'question')}, {counted(len(self.models), 'model')}"
        shown = ", ".join(map(printable, self.models[:4])) + (", ..." if len(self.models) > 4 else "")
        return f"Pool({size}, {each} each: {shown})"


def from_blocks(
    blocks: Iterable[RowBlock],
    where: Where | None,
    info: Mapping[str, Any],
    questions: pa.Table | None = None,
    files: Sequence[Path] = (),
) -> Pool:
    """Create a pool from blocks of a long table, which `files` have, and, optionally, a table of questions."""
    rows = gather(blocks, where, questions)
    source = source_files(files, rows.question)
    pool = Pool(**assemble(rows, questions), info=dict(info))
    keep_source(pool, source and source.select(np.arange(len(pool.questions))))
    return pool
