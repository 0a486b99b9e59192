"""Load a pool from a folder or from a long table."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from mssim.errors import PoolError, PoolWarning
from mssim.pools.conditions import Where
from mssim.pools.folder import check_files, current, read_info, sample_files
from mssim.pools.pool import Pool, from_blocks
from mssim.pools.quality import no_votes
from mssim.pools.reading import read_table
from mssim.pools.row_blocks import read_files


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
