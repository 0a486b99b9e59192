"""Conditions on columns for selecting rows or questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.pools.arrow import as_text, encode

__all__ = ["Conditions", "Where", "conditions", "matches"]

Where = Mapping[str, Any] | Sequence[tuple[str, str, Any]]


def conditions(where: Where | None) -> list[tuple[str, str, Any]]:
    """Convert `where` to a list of (column, operator, value) triples."""
    if where is None:
        return []
    if isinstance(where, Mapping):
        return [(c, "in" if isinstance(v, list | tuple | set | frozenset) else "==", v) for c, v in where.items()]
    triples = list(where)
    for triple in triples:
        if not (isinstance(triple, tuple | list) and len(triple) == 3):
            raise PoolError(
                f"where: {triple!r} is not a (column, operator, value) triple. Use e.g. ('topic', '!=', 'Math')."
            )
    return [(c, "==" if op == "=" else op, v) for c, op, v in triples]


def matches(table: pa.Table, where: Where | None) -> NDArray[np.bool_]:
    """Return a mask of the rows that satisfy all conditions."""
    chosen = Conditions(where)
    mask = chosen.mask(table)
    chosen.require_use()
    return mask


class Conditions:
    """Conditions that are applied to a table block by block."""

    def __init__(self, where: Where | None) -> None:
        self._all = conditions(where)
        self._values: list[dict[str, None]] = [{} for _ in self._all]  # seen so far, for messages
        self._unused = [list({"==": [wanted], "in": wanted}.get(operator, [])) for _, operator, wanted in self._all]

    def __bool__(self) -> bool:
        return bool(self._all)

    def mask(self, table: pa.Table) -> NDArray[np.bool_]:
        """Return a mask of the rows that satisfy all conditions."""
        mask = np.ones(table.num_rows, dtype=bool)
        for i, (column, operator, wanted) in enumerate(self._all):
            if column not in table.column_names:
                raise PoolError(f"where: no column {column!r}. {choose_from(column, table.column_names)}.")
            codes, values = encode(table[column])
            if self._unused[i]:
                self._values[i].update(dict.fromkeys(map(str, values)))
                self._unused[i] = [
                    one for one in self._unused[i] if not any(_fulfils(column, value, "==", one) for value in values)
                ]
            chosen = [_fulfils(column, value, operator, wanted) for value in values]
            mask &= np.array([*chosen, operator in ("!=", "not in")])[
                codes
            ]  # the last entry is for missing values (code -1)
        return mask

    def require_use(self) -> None:
        """Raise if a requested value matches no rows of any block, since it is probably misspelt."""
        for (column, _, _), values, unused in zip(self._all, self._values, self._unused, strict=True):
            for one in unused:
                raise PoolError(f"where: {column}={one!r} matches no rows. {choose_from(str(one), values)}.")


def _fulfils(column: str, value: Any, operator: str, wanted: Any) -> bool:
    compare: dict[str, Callable[[Any, Any], bool]] = {
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
    if operator in ("in", "not in"):
        return any(value == _like(column, value, w) for w in wanted) == (operator == "in")
    if operator not in compare:
        raise PoolError(f"where: unknown operator {operator!r}. {choose_from(operator, [*compare, 'in', 'not in'])}.")
    return compare[operator](value, _like(column, value, wanted))


def _like(column: str, value: Any, wanted: Any) -> Any:
    """Convert `wanted`, possibly text from the command line, to the type of the column values."""
    if isinstance(value, str):
        return as_text(wanted)
    if isinstance(wanted, str):
        if isinstance(value, bool) and wanted.lower() in ("true", "false"):
            return wanted.lower() == "true"
        try:
            return float(wanted)
        except ValueError:
            raise PoolError(
                f"where: {wanted!r} cannot be compared with column {column!r} of type {type(value).__name__}. "
                "Use a value of that type."
            ) from None
    return wanted
