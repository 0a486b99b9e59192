"""Conditions on columns for selecting rows or questions."""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from mssim._validation import choose_from, shown
from mssim.errors import PoolError
from mssim.pools.arrow import distinct_values
from mssim.pools.comparable import Comparable, comparable
from mssim.pools.texts import as_text

__all__ = ["Conditions", "Where", "conditions", "matches"]

Where = Mapping[str, Any] | Sequence[tuple[str, str, Any]]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
    "in": lambda value, several: value in several,
    "not in": lambda value, several: value not in several,
}


def conditions(where: Where | None) -> list[tuple[str, str, Any]]:
    """Convert `where` to a list of (column, operator, value) triples."""
    if where is None:
        return []
    if isinstance(where, Mapping):
        where = [(c, "in", v) if _is_several(v) else (c, "==", v) for c, v in where.items()]
    given: Any = where
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise PoolError(f"where: {shown(given)} is not a condition. Use e.g. {{'topic': 'Math'}}.")
    triples: list[Any] = list(given)
    for triple in triples:
        if not (isinstance(triple, tuple | list) and len(triple) == 3):
            raise PoolError(
                f"where: {shown(triple)} is not a (column, operator, value) triple. Use e.g. ('topic', '!=', 'Math')."
            )
        if not isinstance(triple[0], str):
            raise PoolError(f"where: {shown(triple[0])} is not the name of a column. Use text, e.g. 'topic'.")
    return [(c, "==" if op == "=" else op, v) for c, op, v in triples]


def _is_several(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


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
        for _, operator, _ in self._all:
            if not isinstance(operator, str) or operator not in _OPERATORS:
                raise PoolError(f"where: unknown operator {operator!r}. {choose_from(str(operator), _OPERATORS)}.")
        self._values: list[dict[str, None]] = [{} for _ in self._all]  # seen so far, for messages
        self._unused = [_several(wanted) if operator in ("==", "in") else [] for _, operator, wanted in self._all]

    def __bool__(self) -> bool:
        return bool(self._all)

    def mask(self, table: pa.Table) -> NDArray[np.bool_]:
        """Return a mask of the rows that satisfy all conditions."""
        mask = np.ones(table.num_rows, dtype=bool)
        for i, (column, operator, wanted) in enumerate(self._all):
            if column not in table.column_names:
                raise PoolError(f"where: no column {column!r}. {choose_from(column, table.column_names)}.")
            codes, values = distinct_values(table[column])
            found = comparable(column, table.schema.field(column).type, values)
            if self._unused[i]:
                self._values[i].update(dict.fromkeys(found.names))
                held = set(found.values)
                self._unused[i] = [one for one in self._unused[i] if found.read(one) not in held]
            chosen = _chosen(found, operator, wanted)
            mask &= np.array([*chosen, operator in ("!=", "not in")])[codes]  # the last entry: missing values, code -1
        return mask

    def require_use(self) -> None:
        """Raise if a requested value matches no rows of any block, since it is probably misspelt."""
        for (column, _, _), values, unused in zip(self._all, self._values, self._unused, strict=True):
            for one in unused:
                raise PoolError(
                    f"where: {column}={shown(one)} matches no rows. {choose_from(as_text(one)[:200], values)}."
                )


def _several(wanted: Any) -> list[Any]:
    return list(wanted) if _is_several(wanted) else [wanted]


def _chosen(found: Comparable, operator: str, wanted: Any) -> list[bool]:
    """Return whether each distinct value satisfies a condition."""
    if operator in ("in", "not in"):
        several = {found.read(one) for one in _several(wanted)}
        return [(value in several) == (operator == "in") for value in found.values]
    one, compare = found.read(wanted), _OPERATORS[operator]
    return [bool(compare(value, one)) for value in found.values]
