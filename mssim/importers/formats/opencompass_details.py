"""Details of evaluations of OpenCompass: the answer and the verdict of each repeat of a question.

results/MODEL/DATASET.json has details as a list or as an object by number. Members of a detail are single values, or
lists with one value per repeat, beside example_abbr. See evaluate in
opencompass/openicl/icl_evaluator/icl_base_evaluator.py and format_details in opencompass/tasks/openicl_eval.py of
github.com/open-compass/opencompass. Evaluators name these members differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mssim._validation import counted, is_number
from mssim.importers.fields import Fields, as_flag, as_text
from mssim.importers.safe_files import Source

__all__ = ["CORRECT", "PREDICTED", "Detail", "joined", "read_details"]

PREDICTED = ("parsed", "pred", "predictions")  # names of an answer, the most processed first
CORRECT = ("correct", "is_correct", "cascade_correct")  # names of a verdict, in the order of evaluate
_ROUNDED = 0.01  # percentage points by which a rounded accuracy may differ
_LETTER, _ACCURACY = re.compile("[AB]"), re.compile(r"accuracy(?: \(\d+ runs average\))?")
_TRUE = ("answer", "answers", "refr", "ref", "references", "reference")


@dataclass(frozen=True)
class Detail:
    """Answers and verdicts of the repeats of one question."""

    answers: tuple[str | None, ...]
    correct: tuple[bool | None, ...]
    truth: str | None


def read_details(results: Source) -> list[Detail] | None:
    """Return the details of all questions of a data set, None if they have no verdicts.

    Some evaluators write no verdicts: AccEvaluator has predictions and references in the details, which are equal or
    not, and GenericLLMEvaluator the replies of a judge, of which the first A means correct and the first B wrong. Such
    verdicts are used if their mean is the accuracy of the results.
    """
    found, inferred = list[Detail](), list[Detail | None]()
    scalars, records = _parts(results)
    for record in records:
        found.append(_detail(record))
        inferred.append(_inferred(record))
    if all(right is None for one in found for right in one.correct):
        known = [one for one in inferred if one is not None]
        if len(known) < len(inferred) or not _explains(known, scalars):
            return None
        found = known
    if len({len(one.correct) for one in found}) > 1:
        results.refuse("the questions in details have different numbers of repeats. Evaluate again.")
    return found


def _parts(results: Source) -> tuple[Mapping[str, Any], Iterator[Fields]]:
    """Return metrics and details, which are a list or an object by number."""
    if next(results.items("details"), None) is not None:
        return results.outer, results.items("details")
    whole = results.document()
    members = whole.get("details")
    named = members.items() if isinstance(members, dict) else ()
    places = ((f"{results}, {name!r:.80}", value) for name, value in named)
    return whole, (Fields(value, place) for place, value in places if isinstance(value, dict))


def _inferred(record: Fields) -> Detail | None:
    """Return what details without verdicts say by a comparison or by the replies of a judge."""
    said, true = record.value.get("predictions"), record.value.get("references")
    if isinstance(said, str) and isinstance(true, str):
        return Detail((as_text(said, ""),), (said == true,), as_text(true, ""))
    replies = record.value.get("prediction")
    replies = replies if isinstance(replies, list) else [replies]
    if not replies or not all(isinstance(reply, str) for reply in replies):
        return None
    letters = [_LETTER.search(reply) for reply in replies]
    return Detail((None,) * len(replies), tuple(found is not None and found[0] == "A" for found in letters), None)


def _explains(found: Sequence[Detail], scalars: Mapping[str, Any]) -> bool:
    """Return whether the mean of verdicts is the accuracy of the results, up to rounding."""
    accuracy = next((value for name, value in scalars.items() if _ACCURACY.fullmatch(name)), None)
    right = [bool(one) for detail in found for one in detail.correct]
    return is_number(accuracy) and bool(right) and abs(100 * sum(right) / len(right) - accuracy) < _ROUNDED


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
