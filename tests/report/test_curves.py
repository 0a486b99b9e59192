"""Curves and frontier: the numbers of an evaluation."""

import numpy as np
import pytest

from mssim import evaluate
from mssim.report.curves import curves_frame, curves_section, frontier_section
from tests.report.pools import small_study


@pytest.mark.parametrize("unit", ["samples_used", "tokens", "cost"])
def test_curves_are_those_of_an_evaluation(unit):
    study = small_study()
    frame = curves_frame(study, unit)
    names = list(frame["series"].unique())
    evaluated = evaluate(study.pool, names, [1, 2, 4], n_replays=40).to_frame(band="simultaneous")
    both = frame.merge(evaluated, left_on=["series", "budget"], right_on=["strategy", "budget"], suffixes=("", "_"))
    assert len(both) == len(frame) >= 9
    for column in ("accuracy", "low", "high"):
        assert np.allclose(both[column], both[f"{column}_"])
    assert np.allclose(both["spend"], both[unit] * study.quantity(unit).per)


def test_curves_have_every_single_model_and_the_choice():
    study = small_study()
    names = set(curves_frame(study, "samples_used")["series"])
    assert {"sc:x", "sc:y", "sc:z", study.chosen("samples_used", 1).strategy} <= names


def test_there_is_a_figure_for_every_quantity():
    study = small_study()
    for section, name in ((curves_section(study), "curves"), (frontier_section(study), "frontier")):
        figures = [part for part in section.parts if part.kind == "figure"]
        assert [figure.name for figure in figures] == [f"{name}-{unit}" for unit in study.tunings]
        assert [figure.unit for figure in figures] == list(study.tunings)
        assert all(figure.numbers.rows for figure in figures)


def test_the_frontier_lists_what_tune_has_on_it():
    study = small_study()
    figure = frontier_section(study).parts[1]
    expected = study.tunings["samples_used"].frontier()
    assert [row[0] for row in figure.numbers.rows] == list(expected["strategy"])
    assert [row[3] for row in figure.numbers.rows] == [f"{share:.1%}" for share in expected["in_sample"]]
