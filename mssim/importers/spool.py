"""Texts of samples on disk, while the other columns are in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

__all__ = ["Spool"]


class _Piece(NamedTuple):
    rows: int
    path: Path | None  # None: without texts


class Spool:
    """Columns of long texts that wait on disk until the rest of a table is known.

    Parameters
    ----------
    folder : Path
        An existing folder.
    """

    NAMES = ("text", "reasoning")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pieces: list[_Piece] = []

    def put(self, table: pa.Table, texts: Mapping[str, pa.ChunkedArray]) -> pa.Table:
        """Write the texts of the next rows, and return the other columns."""
        path = None
        if texts:
            path = self._folder / f"texts-{len(self._pieces):05}.arrow"
            waiting = pa.table(dict(texts))
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, waiting.schema, options=options) as out:
                out.write_table(waiting)
        self._pieces.append(_Piece(table.num_rows, path))
        return table.select([name for name in table.column_names if name not in texts])

    def pieces(self, table: pa.Table) -> Iterator[pa.Table]:
        """Iterate over the rows of a table, with their texts."""
        if not any(piece.path for piece in self._pieces):
            yield table
            return
        start = 0
        for piece in self._pieces:
            part = table.slice(start, piece.rows)
            start += piece.rows
            if piece.path is not None:
                with pa.OSFile(str(piece.path), "rb") as file, pa.ipc.open_stream(file) as stored:
                    texts = stored.read_all()
                piece.path.unlink()
                for name in texts.column_names:
                    part = part.append_column(name, texts[name])
            if piece.rows:
                yield part
