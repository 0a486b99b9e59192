"""Comparisons as rows of a table, families of them, and what the verdict says."""

import dataclasses

import numpy as np
import pytest

from mssim import MssimError
from mssim.engine.estimates import binomial_variance
from mssim.results.comparison import Comparison, Comparisons, compare_pair

FOUND = Comparison("a", "b", 8, 16, 0.5, 0.25, 0.75, 0.01, 6, 3, 1, 10)


def compared(**values):
    return dataclasses.replace(FOUND, **values)


def test_a_comparison_is_a_row_of_a_table():
    (row,) = FOUND.to_frame().to_dict("records")
    margin = ["margin", "p_noninferior", "p_equivalent"]
    assert row == {name: value for name, value in vars(FOUND).items() if name not in margin} | {
        "verdict": "a is better"
    }
    assert list(row) == [
        *("a", "b", "budget_a", "budget_b", "difference", "low", "high", "p_value"),
        *("wins", "ties", "losses", "n_questions", "confidence_level", "test", "verdict"),
    ]


def test_a_margin_adds_its_tests():
    frame = compared(margin=0.02, p_noninferior=0.001, p_equivalent=0.6).to_frame()
    assert frame.columns.tolist()[-4:] == ["margin", "p_noninferior", "p_equivalent", "verdict"]
    assert frame["p_equivalent"][0] == 0.6


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({"p_value": 0.01}, "a is better"),
        ({"p_value": 0.01, "difference": -0.1}, "b is better"),
        ({"p_value": 0.05}, "a is better"),
        ({"p_value": 0.051}, "no difference found"),
        ({"p_value": 0.03, "confidence_level": 0.99}, "no difference found"),
        ({"p_value": 0.3, "margin": 0.02, "p_equivalent": 0.04, "p_noninferior": 0.01}, "the same within 2 points"),
        ({"p_value": 0.3, "margin": 0.01, "p_equivalent": 0.04, "p_noninferior": 0.01}, "the same within 1 point"),
        (
            {"p_value": 0.01, "margin": 0.025, "p_equivalent": 0.04, "p_noninferior": 0.01},
            "a is better, by less than 2.5 points",
        ),
        (
            {"p_value": 0.3, "margin": 0.02, "p_equivalent": 0.4, "p_noninferior": 0.01},
            "no difference found; a is not worse by 2 points",
        ),
        ({"p_value": 0.3, "margin": 0.02, "p_equivalent": 0.4, "p_noninferior": 0.4}, "no difference found"),
        ({"p_value": float("nan")}, "no difference found"),
    ],
)
def test_the_verdict_follows_from_the_p_values(values, verdict):
    assert compared(**values).verdict == verdict
    assert compared(**values).to_frame()["verdict"][0] == verdict


def test_a_family_is_adjusted_by_holm():
    family = Comparisons(compared(p_value=p) for p in (0.01, 0.04, 0.03, 0.005))
    frame = family.to_frame()
    assert len(family) == 4
    assert [one.p_value for one in family] == frame["p_value"].tolist() == [0.01, 0.04, 0.03, 0.005]
    assert frame["p_holm"].tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert frame["verdict"].tolist() == ["a is better", "no difference found", "no difference found", "a is better"]


def test_tests_of_a_margin_are_families_too():
    family = Comparisons(compared(p_value=0.5, margin=0.02, p_noninferior=p, p_equivalent=p) for p in (0.03, 0.01))
    frame = family.to_frame()
    assert frame["p_equivalent"].tolist() == pytest.approx([0.03, 0.02])
    assert frame["p_noninferior"].tolist() == pytest.approx([0.03, 0.02])
    three = Comparisons([*family, compared(p_value=0.5, margin=0.02, p_noninferior=0.04, p_equivalent=0.04)])
    assert three.to_frame()["verdict"].tolist()[0] == "no difference found"
    assert three.to_frame()["verdict"].tolist()[1] == "the same within 2 points"


@pytest.mark.parametrize("given", [[], [FOUND, "a"], [FOUND, compared(confidence_level=0.9)]])
def test_what_is_no_family_is_refused(given):
    with pytest.raises(MssimError, match="comparisons: "):
        Comparisons(given)


def test_a_family_cannot_be_changed():
    family = Comparisons([FOUND])
    with pytest.raises(dataclasses.FrozenInstanceError):
        family.comparisons = ()
    assert family == Comparisons([FOUND])


def test_ties_are_within_three_monte_carlo_errors():
    accuracy = np.array([[0.5, 0.5, 0.9], [0.5, 0.7, 0.5]])
    options = {"margin": None, "confidence_level": 0.9, "clusters": None, "test": "t"}
    for replays, counts in (([0, 0], (1, 1, 1)), ([100, 100], (1, 2, 0)), ([100, 0], (1, 1, 1)), ([9, 9], (0, 3, 0))):
        variance = binomial_variance(accuracy, np.array(replays)[:, None])
        found = compare_pair(("a", "b"), (4, 8), accuracy, variance, **options)
        assert (found.wins, found.ties, found.losses) == counts
    assert (found.a, found.b, found.budget_a, found.budget_b, found.test) == ("a", "b", 4, 8, "t")
    assert found.difference == pytest.approx(0.2 / 3)
