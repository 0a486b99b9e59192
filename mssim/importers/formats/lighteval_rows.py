"""Rows of details of LightEval, with the same names for all versions and without ids of tokens.

Files have the ids of all tokens as nested lists of numbers, which are many times larger as objects of Python than the
texts. They are not read, except to count the tokens of each sample. The columns of both versions are described in
`mssim.importers.formats.lighteval`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from mssim.errors import PoolError
from mssim.importers.fields import Fields
from mssim.importers.safe_files import Source
from mssim.pools.plain_types import rows_of

__all__ = ["has_columns", "rows"]

_PATHS = {  # where files have each value: one or two names, in the order of preference
    "query": (("doc", "query"), ("__doc__", "query"), ("example",)),
    "choices": (("doc", "choices"), ("__doc__", "choices"), ("choices",)),
    "gold_index": (("doc", "gold_index"), ("__doc__", "gold_index"), ("gold_index",)),
    "gold": (("gold",),),
    "id": (("doc", "id"), ("__doc__", "id")),
    "texts": (("model_response", "text"), ("__model_response__", "text"), ("predictions",)),
    "reasonings": (("model_response", "reasonings"), ("__model_response__", "reasonings")),
    "tokens": (("model_response", "output_tokens"), ("__model_response__", "output_tokens"), ("cont_tokens",)),
    "metrics": (("metric",), ("__metric__",), ("metrics",)),
}
_COLUMNS = ({"doc", "model_response", "metric"}, {"example", "full_prompt", "predictions", "metrics"})
_ROWS = 100  # rows that are converted at once; one can have hundreds of long texts


def has_columns(source: Source) -> bool:
    """Return whether a file is a table with the columns of one of the versions. Never raises."""
    try:
        names = {name.strip("_") for name in pa.parquet.read_schema(source.path).names}
    except (pa.ArrowException, OSError, ValueError):
        return False
    return any(columns <= names for columns in _COLUMNS)


def rows(source: Source) -> Iterator[Fields]:
    """Iterate over the rows of a file.

    Parameters
    ----------
    source : Source
        A Parquet file.

    Yields
    ------
    Fields
        The values query, choices, gold_index, gold, id, texts, reasonings and metrics, and tokens: the number of
        tokens of each text. Values that the file does not have are absent.
    """
    try:
        with pa.parquet.ParquetFile(source.path) as table:
            found = _found(table.schema_arrow)
            _check(source, table.schema_arrow, found)
            number = 0
            for batch in table.iter_batches(_ROWS, columns=[".".join(path) for path in found.values()]):
                batch.validate(full=True)  # finds invalid UTF-8, which the reader accepts
                for row in _converted(batch, found):
                    number += 1
                    yield Fields(row, f"{source}, row {number}")
    except PoolError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        source.refuse(f"cannot be read ({reason}). Check whether the file is damaged or truncated.")


def _found(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Return the path of each value that a file has."""
    leaves = set[tuple[str, ...]]()
    for field in schema:
        leaves.add((field.name,))
        if pa.types.is_struct(field.type):
            leaves |= {(field.name, inner.name) for inner in field.type}
    found = {name: next((path for path in paths if path in leaves), None) for name, paths in _PATHS.items()}
    return {name: path for name, path in found.items() if path is not None}


def _check(source: Source, schema: pa.Schema, found: dict[str, tuple[str, ...]]) -> None:
    """Raise if a file has other columns, twice the same column, or columns with lists as text."""
    if len(set(schema.names)) < len(schema.names):
        source.refuse("two columns have the same name. Export the file again.")
    if "texts" not in found:
        source.refuse(
            "has neither the column model_response nor predictions. Pass files details_*.parquet of LightEval."
        )
    for name in {found[name][0] for name in ("texts", "metrics") if name in found}:
        kind = schema.field(name).type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            source.refuse(
                f"column {name!r} has lists as text, as LightEval before 0.8 wrote them. Convert them to lists first."
            )


def _converted(batch: pa.RecordBatch, found: dict[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    """Return rows with the names of `_PATHS`."""
    arrays: dict[str, Any] = {}
    for name, path in found.items():
        array = batch.column(path[0])
        arrays[name] = array if len(path) == 1 else pa.compute.struct_field(array, path[1])
    counts = _lengths(arrays.pop("tokens", pa.nulls(batch.num_rows)))
    converted = rows_of(pa.table(arrays))
    return [{**row, "tokens": count} for row, count in zip(converted, counts, strict=True)]


def _lengths(tokens: pa.Array) -> Sequence[list[int | None] | None]:
    """Return the length of each inner list, None for values that are not lists of lists."""
    if not (pa.types.is_list(tokens.type) and pa.types.is_list(tokens.type.value_type)):
        return [None] * len(tokens)
    return [pa.compute.list_value_length(row.values).to_pylist() if row.is_valid else None for row in tokens]
