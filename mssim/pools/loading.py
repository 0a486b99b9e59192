"""Loading of pools from folders and long tables."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from mssim._files import usable_path
from mssim._validation import shown
from mssim.errors import PoolError, PoolWarning
from mssim.pools.conditions import Where
from mssim.pools.folder import check_files, current, read_info, sample_files
from mssim.pools.pool import Pool, from_blocks
from mssim.pools.quality import no_votes
from mssim.pools.reading import read_table
from mssim.pools.row_blocks import read_files

__all__ = ["known_warnings", "load_pool", "messages_of", "read_pool"]


def load_pool(path: str | os.PathLike[str], *, where: Where | None = None) -> Pool:
    """Load a pool folder or a long table.

    Parameters
    ----------
    path : str or path-like
        A folder written by `Pool.save`; a folder with samples.parquet or several samples-*.parquet, which form one
        table in the order of their names; or a Parquet, CSV or JSONL file with the columns of `Pool.from_frame`.
        Parquet files are read block by block, so that only one block is in memory in addition to the pool.
    where : mapping or sequence of (column, operator, value), optional
        Conditions that rows must satisfy, e.g. ``{"prompt": "concise"}``, ``{"topic": ["Math", "Law"]}`` or
        ``[("topic", "!=", "Math")]``. By default all rows are used.

    Returns
    -------
    Pool
        The loaded pool.

    Raises
    ------
    PoolError
        If a file is damaged or its rows are inconsistent. The message names the row and a remedy.

    Warns
    -----
    PoolWarning
        For unequal numbers of samples, models without samples for some questions, many samples without an answer,
        models without a right answer, mixed settings, several served models, samples that were cut off, empty and
        repeated response texts, and verdicts of the source that the grades contradict. A warning that the publisher of
        the pool has stated is not repeated: it is in the list known_warnings of `pool.info`, word for word.

    Examples
    --------
    >>> from mssim import load_pool
    >>> load_pool("recorded/llm-products")
    Pool(159 questions, 3 models, 256 samples each: smol, smol-cool, gemma)
    """
    pool = read_pool(path, where=where)
    for message in messages_of(pool):
        warnings.warn(message, PoolWarning, stacklevel=2)
    return pool


def read_pool(path: str | os.PathLike[str], *, where: Where | None = None) -> Pool:
    """Load a pool without warnings; see `load_pool`."""
    source = usable_path(path, "pool")
    if not source.exists():
        raise PoolError(f"{source} does not exist. Use the path of a pool folder or a .parquet, .csv or .jsonl table.")
    files = sample_files(source) if source.is_dir() else [source]
    if not files:
        raise PoolError(
            f"{source} contains no samples.parquet. Use the path of a pool folder or a .parquet, .csv or .jsonl table."
        )
    if current(source, "pool.json").exists():
        pool = _load_folder(source)
        return pool if where is None else pool.select(where=where)
    return from_blocks(read_files(files), where, {}, files=files)


def messages_of(pool: Pool) -> list[str]:
    """Return the warnings that `load_pool` issues for a pool: those that its publisher did not state already."""
    stated = known_warnings(pool)
    return [message for message in [*pool.warnings(), *no_votes(pool)] if message not in stated]


def known_warnings(pool: Pool) -> list[str]:
    """Return the warnings that the publisher of a pool has stated in pool.json, under `known_warnings`."""
    stated = pool.info.get("known_warnings", [])
    if not isinstance(stated, list) or not all(isinstance(text, str) for text in stated):
        raise PoolError(f"pool.json: known_warnings={shown(stated)} is not a list of texts. Remove the entry.")
    return stated


def _load_folder(folder: Path) -> Pool:
    info = read_info(folder)
    check_files(folder, info.pop("files", {}))
    info.pop("counts", None)
    questions = current(folder, "questions.parquet")
    described = read_table(questions) if questions.exists() else None
    files = sample_files(folder)
    return from_blocks(read_files(files), None, info, described, files)
