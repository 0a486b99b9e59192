"""The report of a fit: what it returns, and the line on the largest misfit."""

import re

import numpy as np
import pandas as pd
import pytest

from mssim import MssimError, Pool, PoolError
from mssim.simulate import AnswerModel, fit_pool, fit_report
from mssim.simulate.influence import influence
from mssim.simulate.misfit import misfits
from mssim.simulate.parameter_table import parameter_table
from mssim.simulate.pool_fit import fit_recorded, recorded
from tests.conftest import make_pool

POOL = AnswerModel(["x", "y"], [0.3, 0.1], 0.8, 1.0, 2.0, 0.6, shared_distractors=0.5).draw(60, 16, seed=4)


@pytest.mark.slow
def test_the_report_has_the_fit_and_both_tables():
    report = fit_report(POOL, k=[8, 4], confidence_level=0.8)
    assert report.answer_model == fit_pool(POOL)
    numbers = recorded(POOL, None)
    found = influence(numbers, report.answer_model)
    pd.testing.assert_frame_equal(
        report.parameters(), parameter_table(numbers, fit_recorded(numbers), found, None, 0.8)
    )
    expected = misfits(numbers, report.answer_model, found, np.array([4, 8]), None)
    pd.testing.assert_frame_equal(report.misfit(), expected)
    assert report.parameters()["parameter"].tolist() == [
        *["sure", "a", "b", "spread", "no_answer"] * 2,
        *["correlation", "shared_distractors"],
    ]
    assert report.parameters()["model"].tolist()[-2:] == ["x+y", "all"]
    changed = report.misfit()
    changed["pool"] = 0.0
    assert report.misfit()["pool"].any()


@pytest.mark.slow
def test_the_line_names_the_largest_misfit_of_a_share():
    report = fit_report(POOL, ["y"], k=4)
    frame = report.misfit()
    shares = frame[frame["quantity"] != "distinct answers"]
    largest = shares.loc[shares["difference"].abs().idxmax()]
    found = re.fullmatch(
        r"largest misfit: (.*) of y: (.*) points too (high|low) \(standard error (.*)\); noise explains (\d+) of (\d+) "
        "quantities",
        str(report),
    )
    name = {"maj@k": "maj@4", "pass@k": "pass@4", "agreement@k": "agreement@4"}
    assert found.groups() == (
        name.get(largest["quantity"], largest["quantity"]),
        f"{100 * abs(largest['difference']):.1f}",
        "high" if largest["difference"] > 0 else "low",
        f"{100 * largest['noise']:.1f}",
        str((frame["p_value_holm"] >= 0.05).sum()),
        str(len(frame)),
    )
    assert repr(report) == f"FitReport(1 model, {report})"


@pytest.mark.slow
def test_clusters_are_those_of_a_column():
    frame = POOL.select(models=["x"]).to_frame()
    topic = frame["question_id"].str.slice(-1)
    marked = Pool.from_frame(frame.assign(topic=topic))
    labels = marked.questions["topic"].to_numpy()
    numbers = recorded(marked, None)
    model = fit_recorded(numbers)
    expected = parameter_table(numbers, model, influence(numbers, model), labels, 0.95)
    pd.testing.assert_frame_equal(fit_report(marked, clusters="topic", k=4).parameters(), expected)
    named = Pool.from_frame(frame.assign(cluster=topic))
    pd.testing.assert_frame_equal(fit_report(named, k=4).parameters(), expected)


@pytest.mark.slow
@pytest.mark.parametrize("texts", ["aaaa", "bbbb", "bcde", "aabb"])
def test_questions_that_are_all_alike_show_no_error(texts):
    report = fit_report(make_pool({(m, f"q{i}"): list(texts) for i in range(9) for m in "xy"}))
    table = report.parameters()
    assert (table["high"] > table["low"])[table["high"].notna()].all()
    assert table.loc[table["parameter"].isin(["a", "b", "spread", "shared_distractors"]), "error"].isna().all()
    misfit = report.misfit()
    assert ((misfit["noise"] > 0) | (misfit["difference"] == 0)).all()
    if texts != "aabb":  # half of the answers to each question, which no beta distribution explains
        assert "noise explains 13 of 13 quantities" in str(report)


@pytest.mark.slow
def test_one_question_has_no_errors():
    report = fit_report(make_pool({("x", "q"): list("aabc")}))
    assert report.parameters()["error"].isna().all()
    assert report.misfit()["p_value"].isna().all()
    assert "(standard error unknown); noise cannot be estimated from one question or cluster" in str(report)


@pytest.mark.parametrize("k", [0, 1025, 2.0, "4", [], [[4]], True])
def test_numbers_of_samples_that_are_not(k):
    with pytest.raises(MssimError, match=r"^k=.* is not valid. Use an integer from 1 to 1024, or a list of them"):
        fit_report(POOL, k=k)


def test_bad_input_to_the_report():
    with pytest.raises(MssimError, match="confidence_level=95 is not between 0 and 1"):
        fit_report(POOL, confidence_level=95)
    with pytest.raises(PoolError, match="no model 'z' in this pool"):
        fit_report(POOL, ["z"])
    with pytest.raises(MssimError, match="clusters: no column 'topic'"):
        fit_report(POOL, clusters="topic")
