"""Scores of Inspect AI as credit from 0 to 1, and scores of scorers that reached no verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mssim.errors import PoolError

__all__ = ["credit_of", "score_of", "unjudged", "values_of"]

_CREDIT = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_FAILED = {  # reasons for which Inspect excludes a sample, and the former name of one in the metadata
    "grader_failed": "the grader gave no verdict",
    "grade_parse_failure": "the grader gave no verdict",
    "scoring_failed": "the scorer failed",
}
_NO_GRADE = "Grade not found in model output"  # until 2026, scorers with a grader marked such samples as wrong


def values_of(summary: Any) -> dict[str, Any]:
    """Return the values of all scorers. Several values of one scorer are named SCORER.VALUE."""
    values: dict[str, Any] = {}
    for name, score in (summary.scores or {}).items():
        if isinstance(score.value, Mapping):
            values |= {f"{name}.{key}": value for key, value in score.value.items()}
        else:
            values[name] = score.value
    return values


def score_of(summary: Any, scorer: str) -> tuple[str, Any]:
    """Return name and score of a scorer, of which `scorer` may be one value."""
    name = scorer if scorer in summary.scores else scorer.rpartition(".")[0]
    return name, summary.scores[name]


def credit_of(value: Any, place: str) -> float:
    """Convert a score to credit from 0 to 1, or to NaN if the scorer reached no verdict."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        value = _CREDIT.get(value, _CREDIT.get(value.lower(), value))
    try:
        credit = float(value)
    except (TypeError, ValueError, OverflowError):
        credit = math.inf
    if not (0 <= credit <= 1 or math.isnan(credit)):
        raise PoolError(
            f"{place} is {value!r:.60}. It must be C, I, P, N, true, false or a number from 0 to 1. "
            "Choose another scorer."
        )
    return credit


def unjudged(score: Any) -> str:
    """Return why a scorer reached no verdict, or an empty text if it may have reached one.

    Scorers that give up may write a value that means wrong beside the reason.
    """
    reason = getattr(score, "reason", None) or (score.metadata or {}).get("unscored_reason")
    if isinstance(reason, str) and reason in _FAILED:
        return _FAILED[reason]
    return _FAILED["grader_failed"] if (score.explanation or "").lstrip().startswith(_NO_GRADE) else ""
