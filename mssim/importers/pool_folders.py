"""Pool folders among the files to import: their questions and metadata."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute

from mssim.pools.folder import check_files, current, read_info, sample_files
from mssim.pools.plain_types import rows_of
from mssim.pools.reading import read_table

__all__ = ["described_samples", "files_of_pools", "questions_of", "shared_info"]

_REQUEST = ("request_input_tokens", "request_output_tokens", "request_samples", "served_model", "request_id")
_NOT_SHARED = ("files", "counts", "import", "synthetic", "votes")


def is_pool(folder: Path) -> bool:
    """Return whether a folder is a pool."""
    return current(folder, "pool.json").is_file() and bool(sample_files(folder))


def files_of_pools(files: Iterable[Path]) -> list[Path]:
    """Return files without those beside the samples of a pool, such as questions, journals and descriptions."""
    kept = []
    for path in files:
        samples = sample_files(path.parent.parent if path.parent.name == ".next" else path.parent)
        if not samples or path in samples:
            kept.append(path)
    return kept


def _pool_of(path: Path) -> Path | None:
    """Return the pool folder whose samples a file holds."""
    folder = path.parent.parent if path.parent.name == ".next" else path.parent
    return folder if is_pool(folder) and path in sample_files(folder) else None


def questions_of(path: Path) -> list[dict[str, Any]]:
    """Return the questions of the pool whose samples a file holds, [] if it is not the file of a pool.

    Raises
    ------
    PoolError
        If a file of the pool is missing or was changed.
    """
    table = _questions_table(path)
    return [] if table is None else rows_of(table.drop_columns(_of_samples(table)))


def described_samples(path: Path, question_ids: pa.ChunkedArray) -> dict[str, pa.Array]:
    """Return columns of samples that a pool stores with its questions, since they are constant within each.

    Joined with samples of other models, they must not describe those.

    Parameters
    ----------
    path : Path
        File of the samples. If it is not the file of a pool, there are no such columns.
    question_ids : ChunkedArray
        Question of each sample.
    """
    table = _questions_table(path)
    if table is None:
        return {}
    known, asked = (ids.cast(pa.string()).combine_chunks() for ids in (table["question_id"], question_ids))
    place = pa.compute.index_in(asked, known)
    return {name: table[name].combine_chunks().take(place) for name in _of_samples(table)}


def _of_samples(table: pa.Table) -> list[str]:
    return [name for name in _REQUEST if name in table.column_names]


def _questions_table(path: Path) -> pa.Table | None:
    """Return the table of questions of the pool whose samples a file holds, if there is one."""
    folder = _pool_of(path)
    if folder is None:
        return None
    check_files(folder, read_info(folder).get("files", {}))
    questions = current(folder, "questions.parquet")
    return read_table(questions) if questions.is_file() else None


def shared_info(paths: Iterable[Path]) -> dict[str, Any]:
    """Return what all pools among the files share, such as their licence. They are synthetic if one of them is."""
    folders = dict.fromkeys(folder for folder in map(_pool_of, paths) if folder is not None)
    infos = [read_info(folder) for folder in folders]
    if not infos:
        return {}
    first = infos[0]
    shared = {name: first[name] for name in first if name not in _NOT_SHARED}
    shared = {name: value for name, value in shared.items() if all(info.get(name) == value for info in infos)}
    synthetic = [info["synthetic"] for info in infos if info.get("synthetic")]
    votes = all(info.get("votes") is not False for info in infos)
    return {**shared, **({"synthetic": synthetic[0]} if synthetic else {}), **({} if votes else {"votes": False})}
