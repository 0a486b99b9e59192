"""Columns of a table that no name reads although they probably matter: verdicts, and what distinguishes questions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.pools.arrow import as_text, codes_of
from mssim.pools.verdicts import as_verdicts

__all__ = ["contradicted", "of_several_sets", "said_verdicts"]

Columns = Mapping[str, pa.ChunkedArray]

_VERDICTS = (  # usual names of verdicts, but for correct
    "is_correct", "correctness", "is_right", "passed", "pass", "acc", "accuracy", "exact_match", "em", "judgement",
    "judgment", "judge", "grade", "reward", "score",
)  # fmt: skip
_SETS = (  # usual names of what is the same for all samples of a question
    "dataset", "data_source", "subset", "subtask", "task", "task_name", "benchmark", "subject", "category", "domain",
    "split", "problem", "question_text", "instruction", "query", "options",
)  # fmt: skip


def said_verdicts(columns: Columns) -> tuple[str, NDArray[np.int8]] | None:
    """Return the column that probably holds verdicts and its values, 1 (right), 0 (wrong) or -1 (unknown), or None.

    Examples
    --------
    >>> columns = {"grade": pa.chunked_array([[0.5, 1.0]]), "passed": pa.chunked_array([[True, None]])}
    >>> said_verdicts(columns)
    ('passed', array([ 1, -1], dtype=int8))
    """
    for name in _VERDICTS:
        if name in columns and not pa.types.is_nested(columns[name].type):
            said = as_verdicts(columns[name])
            known = int(np.count_nonzero(said >= 0))
            if known and known == len(columns[name]) - columns[name].null_count:
                return name, said
    return None


def contradicted(columns: Columns, verdicts: NDArray[np.int8]) -> list[str]:
    """Return a warning if a column that probably holds verdicts is not used and contradicts those that are.

    Parameters
    ----------
    columns : mapping of str to column
        Columns of samples: question_id, answer and others.
    verdicts : int array, shape (samples,)
        1 = right, 0 = wrong, -1 = unknown.
    """
    found = said_verdicts(columns)
    if found is None:
        return []
    name, said = found
    both = (said >= 0) & (verdicts >= 0)
    differ = np.nonzero(both & (said != verdicts))[0]
    if not differ.size:
        return []
    question, answer = (columns[column][int(differ[0])].as_py() for column in ("question_id", "answer"))
    given = "no answer" if answer is None else f"answer {as_text(answer)!r:.40}"
    words = ("right", "wrong") if said[differ[0]] else ("wrong", "right")
    example = f"question {question!r:.40}: {given} is {words[0]} by {name!r} and {words[1]} by the truth"
    return [
        f"column {name!r} is not read as the verdict, and disagrees with the comparison of answers and truths on "
        f"{differ.size} of {counted(int(both.sum()), 'sample')}, e.g. {example}. If it holds the verdicts, map it: "
        f"names={{'correct': {name!r}}}."
    ]


def of_several_sets(columns: Columns, names: Mapping[str, str]) -> list[str]:
    """Return a warning if a column that usually belongs to a question varies within the samples of one.

    Parameters
    ----------
    columns : mapping of str to column
        Columns of samples: question_id, model and others.
    names : mapping of str to str
        Old names of columns by their new names.
    """
    given = [name for name in _SETS if name in columns and columns[name].null_count < len(columns[name])]
    if not given:
        return []
    ids, models = (codes_of(columns[name]).astype(np.int64) for name in ("question_id", "model"))
    groups = ids * (int(models.max(initial=0)) + 1) + models
    for name in given:
        codes = codes_of(columns[name])
        known = codes >= 0
        _, first, of = np.unique(groups[known], return_index=True, return_inverse=True)
        differ = np.nonzero(codes[known] != codes[known][first][of])[0]
        if differ.size:
            rows = np.nonzero(known)[0]
            one, other = rows[first[of[differ[0]]]], rows[differ[0]]
            values = [_shown(columns[name][int(row)].as_py()) for row in (one, other)]
            number = counted(np.unique(ids[known][differ]).size, "question")
            example = f"{values[0]} and {values[1]} for question {columns['question_id'][int(one)].as_py()!r:.40}"
            both = f"{name}+{names.get('question_id', 'question_id')}"
            return [
                f"the column {name!r} has several values in {number}, e.g. {example}. If the ids start anew in each, "
                f"samples of different questions are joined. Use names={{'question_id': {both!r}}}."
            ]
    return []


def _shown(value: object) -> str:
    return f"{value if isinstance(value, list | dict) else as_text(value)!r:.40}"
