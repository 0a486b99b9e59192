"""Content of a page: sections of texts, tables and figures, without any layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

__all__ = ["Choice", "Explorer", "Figure", "Part", "Section", "Table", "Text"]


@dataclass(frozen=True)
class Text:
    """Paragraphs, points of a list, or a warning; names of strategies are between backticks.

    A part with a `unit` is shown while this quantity is selected on the page.
    """

    paragraphs: Sequence[str]
    unit: str | None = None
    as_list: bool = False
    warning: bool = False
    kind: str = field(default="text", init=False)


@dataclass(frozen=True)
class Table:
    """A table whose cells are texts; columns of `numeric` are aligned to the right."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[str] = frozenset()
    unit: str | None = None
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class Figure:
    """A Vega-Lite chart with its caption, the entries of its legend, and the numbers that it draws."""

    name: str
    caption: str
    spec: Mapping[str, Any]
    legend: Sequence[Mapping[str, str]] = ()
    numbers: Table | None = None
    unit: str | None = None
    kind: str = field(default="figure", init=False)


@dataclass(frozen=True)
class Choice:
    """The answer for one limit of one quantity: three sentences."""

    unit: str
    limit: str
    sentences: Sequence[str]
    first: bool
    kind: str = field(default="choice", init=False)


@dataclass(frozen=True)
class Explorer:
    """The questions of a pool as JSON: an index of all questions, and details in chunks that are read on demand."""

    index: Mapping[str, Any]
    chunks: Sequence[Any]
    kind: str = field(default="explorer", init=False)


Part = Text | Table | Figure | Choice | Explorer


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Examples
    --------
    >>> Section("methods", "Methods", [Text(["Seed 0."])]).parts[0].kind
    'text'
    """

    key: str
    title: str
    parts: Sequence[Part]


def table_of(
    frame: pd.DataFrame, caption: str, formats: Mapping[str, str] | None = None, unit: str | None = None
) -> Table:
    """Return a table of a frame whose numbers are written by formats such as ``"{:.1%}"``; NaN is empty.

    Examples
    --------
    >>> table_of(pd.DataFrame({"model": ["a"], "accuracy": [0.51]}), "", {"accuracy": "{:.1%}"}).rows
    [['a', '51.0%']]
    """
    written = {name: (formats or {}).get(name, "{}") for name in frame.columns}
    rows = [
        [_cell(value, form) for value, form in zip(row, written.values(), strict=True)]
        for row in frame.itertuples(index=False, name=None)
    ]
    numeric = frozenset(name for name in frame.columns if frame[name].dtype.kind in "iuf" or "{:" in written[name])
    return Table(caption, [str(name) for name in frame.columns], rows, numeric, unit)


def _cell(value: Any, form: str) -> str:
    return "" if value is None or value != value else form.format(value)
