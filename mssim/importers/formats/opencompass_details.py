"""Details of evaluations of OpenCompass: the answer and the verdict of each repeat of a question.

results/MODEL/DATASET.json has details as a list or as an object by number. Members of a detail are single values, or
lists with one value per repeat, beside example_abbr. See evaluate in
opencompass/openicl/icl_evaluator/icl_base_evaluator.py and format_details in opencompass/tasks/openicl_eval.py of
github.com/open-compass/opencompass. Evaluators name these members differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mssim._validation import counted
from mssim.importers.fields import Fields, as_flag, as_text
from mssim.importers.safe_files import Source

__all__ = ["CORRECT", "PREDICTED", "Detail", "joined", "read_details"]

PREDICTED = ("parsed", "pred", "predictions")  # names of an answer, the most processed first
CORRECT = ("correct", "is_correct", "cascade_correct")  # names of a verdict, in the order of evaluate
_TRUE = ("answer", "answers", "refr", "ref", "references", "reference")


@dataclass(frozen=True)
class Detail:
    """Answers and verdicts of the repeats of one question."""

    answers: tuple[str | None, ...]
    correct: tuple[bool | None, ...]
    truth: str | None


def read_details(results: Source) -> list[Detail] | None:
    """Return the details of all questions of a data set, None if they have no verdicts."""
    found = [_detail(record) for record in _records(results)]
    if all(right is None for one in found for right in one.correct):
        return None
    if len({len(one.correct) for one in found}) > 1:
        results.refuse("the questions in details have different numbers of repeats. Evaluate again.")
    return found


def _records(results: Source) -> Iterator[Fields]:
    """Iterate over the details of questions, which are a list or an object by number."""
    listed = False
    for record in results.items("details"):
        listed = True
        yield record
    members = None if listed else results.document().get("details")
    if isinstance(members, dict):
        for name, value in members.items():
            if isinstance(value, dict):
                yield Fields(value, f"{results}, {name!r:.80}")


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
