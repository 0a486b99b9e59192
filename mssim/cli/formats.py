"""Formats of tables for programs, spreadsheets, pages and papers: JSON, CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import html
import json
import math
import re
from typing import TYPE_CHECKING, Any

from mssim._validation import printable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMATS", "cell", "decimals", "is_numeric", "json_rows", "table_text"]

FORMATS = ("table", "json", "csv", "md", "latex")

_DIGITS = {
    "samples_used": 2,
    "samples_median": 1,
    "distinct_answers": 2,
    "tokens": 1,
    "output_tokens": 1,
    "latency": 3,
    "mc_error": 5,
    "replay_sd": 5,
}
_ANY_UNIT = ("cost", "spend", "limit")  # ends of names
_MOST_SIGNIFICANT = 6  # of quantities whose unit may be of any size
_NOISE = 1e-12  # a smaller difference of accuracies comes from rounding
_QUANTILE = re.compile(r"(tokens|cost|latency)_p[\d.]+")
_IN_MARKDOWN = str.maketrans({c: rf"\{c}" for c in r"\`*_[]|"} | {c: f"&#{ord(c)};" for c in "~$"})
_IN_LATEX = str.maketrans({"|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}", "[": "{[}", "*": "{*}"})


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON types, with None for missing values.

    Examples
    --------
    >>> import pandas as pd
    >>> json_rows(pd.DataFrame({"model": ["a", "b"], "cost": [0.25, float("nan")]}))
    [{'model': 'a', 'cost': 0.25}, {'model': 'b', 'cost': None}]
    """
    rows: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", double_precision=15))
    return rows


def table_text(frame: pd.DataFrame, form: str, title: str | None = None) -> str:
    r"""Return a frame as text that ends with a newline.

    Parameters
    ----------
    frame : DataFrame
        The table. All columns are written.
    form : {"json", "csv", "md", "latex"}
        JSON and CSV have numbers in full precision. Markdown and LaTeX have them rounded as on a terminal, and names
        in which nothing is markup.
    title : str, optional
        Caption of Markdown and LaTeX.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"model": ["a|b", "c_d"], "accuracy": [0.5, 2 / 3]})
    >>> print(table_text(frame, "csv"), end="")
    model,accuracy
    a|b,0.5
    c_d,0.6666666666666666
    >>> print(table_text(frame, "md"), end="")
    | model | accuracy |
    | :--- | ---: |
    | a\|b | 0.5000 |
    | c\_d | 0.6667 |
    """
    if form == "json":
        return json.dumps(json_rows(frame), indent=1) + "\n"
    if form == "csv":
        return _csv(frame.map(_as_text))
    return _markdown(frame, title) if form == "md" else _latex(frame, title)


def _as_text(value: Any) -> Any:
    """Return lists and objects, which a cell cannot hold, as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _csv(frame: pd.DataFrame) -> str:
    """Return a frame as CSV; names that contain a carriage return, which Python leaves without quotes, have them."""
    text = frame.to_csv(index=False, lineterminator="\n")
    if "\r" in text:
        text = frame.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return text


def _markdown(frame: pd.DataFrame, title: str | None) -> str:
    rules = ["---:" if is_numeric(frame[name]) else ":---" for name in frame.columns]
    rows = [[_inert(name) for name in frame.columns], rules, *([_inert(text) for text in row] for row in _rows(frame))]
    caption = "" if title is None else f"**{_inert(title)}**\n\n"
    return caption + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _inert(text: str) -> str:
    r"""Return text that Markdown shows as it is.

    Examples
    --------
    >>> print(_inert("a|b_<i>"))
    a\|b\_&lt;i&gt;
    """
    return html.escape(printable(text), quote=False).translate(_IN_MARKDOWN)


def _latex(frame: pd.DataFrame, title: str | None) -> str:
    import pandas as pd

    names = [printable(name) for name in frame.columns]
    shown = pd.DataFrame(_rows(frame), columns=names, dtype=object)
    text = shown.to_latex(
        index=False,
        escape=True,
        column_format="".join("r" if is_numeric(frame[name]) else "l" for name in frame.columns),
        caption=None if title is None else printable(title).replace("_", r"\_"),
    )
    # The usual font encoding has other characters in these places; [ and * would be read as options of a row's end.
    return text.translate(_IN_LATEX)


def _rows(frame: pd.DataFrame) -> list[list[str]]:
    """Return the cells as text, with numbers rounded; those without a value are empty."""
    import pandas as pd

    digits = [decimals(name, frame[name]) for name in frame.columns]
    return [
        [
            "" if value is None or value is pd.NA else _rounded(name, value, most)
            for name, value, most in zip(frame.columns, row, digits, strict=True)
        ]
        for row in frame.itertuples(index=False, name=None)
    ]


def _rounded(name: str, value: Any, digits: int) -> str:
    """Return a cell; a number that would be rounded to zero has two significant digits."""
    text = cell(value, digits)
    small = isinstance(value, float) and 0 < abs(value) < 0.5 * 10**-digits
    return f"{value:.2g}" if small and (abs(value) > _NOISE or name.startswith("p_")) else text


# Cells of all formats but JSON and CSV -------------------------------------------------------------------------------


def is_numeric(column: pd.Series[Any]) -> bool:
    """Return whether a column contains numbers, which are aligned to the right.

    Examples
    --------
    >>> import pandas as pd
    >>> is_numeric(pd.Series([1.5])), is_numeric(pd.Series(["1.5"])), is_numeric(pd.Series([True]))
    (True, False, False)
    """
    return column.dtype.kind in "ifu"


def decimals(name: str, column: pd.Series[Any]) -> int:
    """Return the number of decimals of a column.

    Examples
    --------
    >>> import pandas as pd
    >>> [decimals(name, pd.Series([1e-6])) for name in ("accuracy", "tokens", "cost")]
    [4, 1, 11]
    """
    quantile = _QUANTILE.fullmatch(name)
    base = quantile[1] if quantile else name
    if not base.endswith(_ANY_UNIT) or column.dtype.kind != "f" or not 0 < column.max() < math.inf:
        return _DIGITS.get(base, 4)
    return min(max(_MOST_SIGNIFICANT - 1 - math.floor(math.log10(column.max())), 2), 15)


def cell(value: Any, digits: int) -> str:
    r"""Return a value as one line of text, empty if it is missing.

    Examples
    --------
    >>> cell(2 / 3, 4), cell(float("nan"), 4), cell({"a": 4}, 4)
    ('0.6667', '', '{"a": 4}')
    """
    if isinstance(value, float):
        return "" if value != value else f"{value:z.{digits}f}"
    return printable(_as_text(value))
