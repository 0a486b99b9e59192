"""Remarks about values of a column that a tool reports separately, such as tasks and subsets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

from mssim._validation import counted
from mssim.pools.texts import as_text

__all__ = ["reported_apart"]

_NAMED = 4  # values that a remark names
_LONG = 60  # characters of a value that is cut


def reported_apart(questions: pa.Table, columns: Iterable[str]) -> list[str]:
    """Return a remark for each column of which a pool has several values.

    Parameters
    ----------
    questions : Table
        One row per question.
    columns : iterable of str
        Columns whose values the tool reports separately. Absent columns are skipped.

    Returns
    -------
    list of str
        Each remark names the most frequent values, with their number of questions, and how to select one.

    Examples
    --------
    >>> questions = pa.table({"question_id": ["a", "b", "c"], "task": ["sums", "sums", "dates"]})
    >>> reported_apart(questions, ["task"])[0][:92]
    "the tool reports the 2 values of task separately: 'sums' (2 questions), 'dates' (1 question)"
    """
    return [remark for name in columns if name in questions.column_names for remark in _remark(name, questions[name])]


def _remark(name: str, values: pa.ChunkedArray) -> list[str]:
    counts = Counter(as_text(value) for value in values.to_pylist() if value is not None)
    if len(counts) < 2:
        return []
    shown = [f"{value!r:.{_LONG}} ({counted(number, 'question')})" for value, number in counts.most_common(_NAMED)]
    more = f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else ""
    chosen = next((repr(value) for value, _ in counts.most_common() if len(value) < _LONG), "...")
    return [
        f"the tool reports the {len(counts)} values of {name} separately: {', '.join(shown)}{more}. The pool joins "
        f"them. Select one with where={{{name!r}: {chosen}}}."
    ]
