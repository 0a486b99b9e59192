"""Details of evaluations of OpenCompass: the answer and the verdict of each repeat of a question.

results/MODEL/DATASET.json has details as a list or as an object by number. Members of a detail are single values, or
lists with one value per repeat, beside example_abbr. See evaluate in
opencompass/openicl/icl_evaluator/icl_base_evaluator.py and format_details in opencompass/tasks/openicl_eval.py of
github.com/open-compass/opencompass. Evaluators name these members differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mssim._validation import counted, is_number
from mssim.importers.fields import Fields, as_flag, as_text
from mssim.importers.safe_files import Source

__all__ = ["CORRECT", "PREDICTED", "Detail", "joined", "read_details"]

PREDICTED = ("parsed", "pred", "predictions")  # names of an answer, the most processed first
CORRECT = ("correct", "is_correct", "cascade_correct")  # names of a verdict, in the order of evaluate
_ROUNDED = 0.01  # percentage points by which a rounded accuracy may differ
_TRUE = ("answer", "answers", "refr", "ref", "references", "reference")


@dataclass(frozen=True)
class Detail:
    """Answers and verdicts of the repeats of one question."""

    answers: tuple[str | None, ...]
    correct: tuple[bool | None, ...]
    truth: str | None


def read_details(results: Source) -> list[Detail] | None:
    """Return the details of all questions of a data set, None if they have no verdicts.

    Evaluators without verdicts, such as AccEvaluator, have predictions and references in the details. They are compared
    if the share of equal ones is the accuracy of the results.
    """
    listed = [_detail(record) for record in results.items("details")]
    whole = {} if listed else results.document()
    members = whole.get("details")
    named = members.items() if isinstance(members, dict) else ()
    records = [Fields(value, f"{results}, {name!r:.80}") for name, value in named if isinstance(value, dict)]
    found = listed or [_detail(record) for record in records]
    if all(right is None for one in found for right in one.correct):
        return _compared(records, whole.get("accuracy"))
    if len({len(one.correct) for one in found}) > 1:
        results.refuse("the questions in details have different numbers of repeats. Evaluate again.")
    return found


def _compared(records: Sequence[Fields], accuracy: Any) -> list[Detail] | None:
    """Return details by comparing predictions with references, None if that does not explain the accuracy."""
    pairs = [[record.value.get(name) for name in ("predictions", "references")] for record in records]
    texts = [pair for pair in pairs if all(isinstance(value, str) for value in pair)]
    if not records or len(texts) < len(records) or not is_number(accuracy):
        return None
    equal = sum(predicted == true for predicted, true in texts)
    if abs(100 * equal / len(texts) - accuracy) > _ROUNDED:
        return None
    return [Detail((as_text(said, ""),), (said == true,), as_text(true, "")) for said, true in texts]


def _detail(record: Fields) -> Detail:
    """Return the details of one question."""
    correct = next((record.value[name] for name in CORRECT if name in record), None)
    if correct is None:
        return Detail((None,), (None,), None)
    repeats = len(correct) if isinstance(correct, list) else 1
    listed = isinstance(correct, list) or "example_abbr" in record

    def column(names: Sequence[str]) -> list[Any]:
        name = next((name for name in names if name in record), None)
        value = None if name is None else record.value[name]
        if not listed or value is None:
            return [value] * repeats
        if not isinstance(value, list) or len(value) != repeats:
            record.refuse(
                f"{name!r} must be a list of {counted(repeats, 'item')}, one for each repeat. Evaluate again."
            )
        return value

    place = f"{record.place}: 'correct'"
    flags = tuple(None if value is None else as_flag(value, place) for value in column(CORRECT))
    answers = tuple(joined(value, record) for value in column(PREDICTED))
    return Detail(answers, flags, joined(column(_TRUE)[0], record, single=True) if repeats else None)


def joined(value: Any, record: Fields, *, single: bool = False) -> str | None:
    """Return a value as text, and the items of a list of values joined by commas, or only an item that is `single`."""
    items = value if isinstance(value, list) else [value]
    texts = list(dict.fromkeys(as_text(item, record.place) for item in items if item is not None))
    return (None if single and len(texts) > 1 else ", ".join(texts)) if texts else None
