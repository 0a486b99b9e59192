"""Curves and frontier: the numbers of an evaluation."""

import numpy as np
import pytest

from mssim import evaluate
from mssim.report.curves import curves_frame, curves_section, frontier_section
from mssim.report.study import make_study
from tests.engine.test_evaluate import random_pool
from tests.report.pools import FAST, small_study


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


def test_tables_have_the_numbers_and_the_unit_of_the_sentences():
    pool = random_pool(n_questions=4, n_samples=4, output_tokens=12345, cost=2e-6)
    study = make_study(pool, strategies=[], **FAST)
    for section in (curves_section(study), frontier_section(study)):
        shown = {figure.unit: figure.numbers for figure in section.parts[1:]}
        for unit, first in (("tokens", "12,345"), ("cost", "2")):
            axis = study.quantity(unit).axis
            assert shown[unit].rows[0][shown[unit].columns.index(axis)] == first
            assert axis in shown[unit].numeric
    assert study.quantity("cost").axis == "money per million questions (mean, units of cost)"


def test_the_best_single_model_has_no_interval_on_the_frontier():
    figure = frontier_section(small_study()).parts[1]
    rows = [row for part in figure.spec["datasets"].values() for row in part if "interval" in row]
    assert {row["interval"] for row in rows if row["series"].startswith("best")} == {"none"}
    assert all(" to " in row["interval"] for row in rows if row["series"].startswith("choice"))
