"""Scores as credit, and scores that are no verdicts."""

import math
from types import SimpleNamespace

import pytest

from mssim import PoolError
from mssim.importers.formats.inspect_scores import credit_of, score_of, unjudged, values_of


def scored(**scores):
    return SimpleNamespace(scores={name: SimpleNamespace(value=value) for name, value in scores.items()} or None)


@pytest.mark.parametrize(
    ("value", "credit"),
    [("C", 1), ("N", 0), ("P", 0.5), ("YES", 1), (False, 0), ("0.25", 0.25), (None, math.nan), ("nan", math.nan)],
)
def test_credit(value, credit):
    assert credit_of(value, "here") == pytest.approx(credit, nan_ok=True)


@pytest.mark.parametrize("value", ["B", "", -0.5, 2, [1], math.inf])
def test_other_values_are_refused(value):
    with pytest.raises(
        PoolError, match=r"here is .* It must be C, I, P, N, true, false or a number from 0 to 1\. Choose"
    ):
        credit_of(value, "here")


def test_values_of_one_scorer_have_names():
    both = scored(match="C", judge={"style": 1, "truth": None})
    assert values_of(both) == {"match": "C", "judge.style": 1, "judge.truth": None}
    assert values_of(scored()) == {}
    assert [score_of(both, name)[0] for name in ("match", "judge.truth")] == ["match", "judge"]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, ""),
        ({"reason": "grader_failed"}, "the grader gave no verdict"),
        ({"reason": "scoring_failed"}, "the scorer failed"),
        ({"reason": "no_response"}, ""),
        ({"reason": ["grader_failed"]}, ""),
        ({"metadata": {"unscored_reason": "grade_parse_failure"}}, "the grader gave no verdict"),
        ({"metadata": {"unscored_reason": 1}}, ""),
        ({"explanation": " Grade not found in model output: hm"}, "the grader gave no verdict"),
        ({"explanation": "The answer says: Grade not found in model output"}, ""),
    ],
)
def test_scorers_that_gave_up(told, why):
    assert unjudged(SimpleNamespace(**{"reason": None, "metadata": None, "explanation": None, **told})) == why
