"""Stop quality and consistency: the numbers of the theory."""

import numpy as np
import pytest

from mssim import theory
from mssim.report import stops
from mssim.report.stops import consistency_section, stops_section
from mssim.report.study import make_study
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool
from tests.report.pools import FAST, small_study


def test_ends_are_those_of_the_theory():
    study = small_study()
    figure = next(part for part in stops_section(study).parts if part.kind == "figure")
    budget = 4
    expected = theory.stop_quality(study.pool, "ms:x+y,vote=plurality", budget, n_replays=40)
    assert [row[1] for row in figure.numbers.rows] == [f"{share:.1%}" for share in expected["coverage"]]
    shares = [row["share"] for row in next(iter(figure.spec["datasets"].values()))]
    assert np.isclose(sum(shares), 1)


def test_without_modelswitch_there_are_no_ends():
    study = make_study(random_pool().select(models=["x"]), budgets=[1, 2], limits=[2], n_replays=20)
    text, *others = stops_section(study).parts
    assert "No ModelSwitch" in text.paragraphs[0]
    assert [part.kind for part in others] == ["text", "figure"]


def test_calibration_is_that_of_the_theory():
    study = small_study()
    figure = stops_section(study).parts[-1]
    frame = theory.calibration(study.pool, "y", 8)
    expected = [f"{share:.1%}" for share in frame["accuracy"][frame["votes"] > 0] if share == share]
    assert [row[3] for row in figure.numbers.rows if row[0] == "y"] == expected


def test_correlations_are_those_of_the_theory():
    table = consistency_section(small_study()).parts[-1]
    expected = theory.consistency(small_study().pool, n_resamples=99).to_frame()
    assert [row[3] for row in table.rows] == ["" if r != r else f"{r:+.2f}" for r in expected["r"]]


def test_one_sample_per_question_is_too_few_for_either():
    answers = {(m, f"q{q}"): ["a" if (q + i) % 3 else "b"] for i, m in enumerate("mn") for q in range(6)}
    study = make_study(make_pool(answers), **FAST | {"budgets": [1], "limits": [1]})
    figures = [part.name for part in stops_section(study).parts if part.kind == "figure"]
    assert figures == ["ends"]  # and no calibration
    assert "Not computed" in consistency_section(study).parts[0].paragraphs[0]


@pytest.mark.parametrize(("most", "grouped"), [(10**6, False), (10, True)])
def test_many_dots_are_grouped(monkeypatch, most, grouped):
    monkeypatch.setattr(stops, "_MOST_DOTS", most)
    figure = consistency_section(small_study()).parts[1]
    rows = next(iter(figure.spec["datasets"].values()))
    assert sum(row["questions"] for row in rows) == 48
    assert ("group of questions" in figure.caption) == grouped == (len(rows) < 48)
