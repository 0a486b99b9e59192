"""Charts: valid Vega-Lite, no address, and one look per series."""

import json
import sys

import pandas as pd
import pytest

from mssim import MssimError
from mssim.report.charts import altair, curves_chart, legend_of
from tests.report.pools import hostile_report


@pytest.mark.slow
def test_charts_are_valid_and_name_no_address():
    import altair as alt
    import vl_convert

    figures = [part for section in hostile_report().sections for part in section.parts if part.kind == "figure"]
    assert {figure.name.split("-")[0] for figure in figures} >= {"curves", "frontier", "differences", "ends", "entropy"}
    for figure in figures:
        assert "://" not in json.dumps(figure.spec)
        alt.LayerChart.from_dict(figure.spec) if "layer" in figure.spec else alt.Chart.from_dict(figure.spec)
        compiled = vl_convert.vegalite_to_vega(json.dumps(figure.spec | {"width": 400}))
        assert compiled["marks"]


def test_charts_have_all_rows_whatever_a_user_has_set():
    frame = pd.DataFrame(
        {"series": "a", "spend": range(1, 5002), "accuracy": 0.5, "low": 0.4, "high": 0.6, "budget": "1"}
    )
    with altair().data_transformers.enable("json"):  # would write a file and put its address into the page
        (rows,) = curves_chart(frame, "samples")["datasets"].values()
    assert len(rows) == 5001


def test_neighbours_differ_in_colour_dashes_or_shape():
    entries = legend_of([str(i) for i in range(28)])
    looks = {(one["colour"], one["dash"], one["shape"]) for one in entries}
    assert len(looks) == 28


def test_series_can_be_hidden_at_first():
    assert [one["selected"] for one in legend_of(["a", "b"], ["b"])] == ["false", "true"]


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(MssimError, match=r"the package altair, which is not installed. Run .*mssim\[report\]"):
        altair()
