"""Labels of axes, titles and names that plots share."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from mssim._drawing import AXES, axis_label, pool_title, scale_x, short_name
from mssim.results.quantities import SPENDS


def test_every_quantity_has_a_label_with_its_unit():
    assert set(AXES) == set(SPENDS)
    assert all("per question" in label for label in AXES.values())
    assert AXES["latency"].startswith("seconds")


@pytest.mark.parametrize(
    ("prices", "label"),
    [
        (None, "cost per question (mean)"),
        ({"a": 0.5}, "cost per question (mean)"),
        ({"currency": 0.5}, "cost per question (mean)"),  # a model of this name with a price per sample
        ({"currency": "EUR", "date": "2026-11-01"}, "cost per question (mean, EUR)"),
        ({"currency": "$\n"}, "cost per question (mean, $\\n)"),
    ],
)
def test_costs_by_a_table_have_its_currency(prices, label):
    assert axis_label("cost", {"prices": prices}) == label
    assert axis_label("tokens", {"prices": prices}) == "tokens per question (mean)"
    assert axis_label("cost", {}) == "cost per question (mean)"


def test_titles_and_names_fit_into_a_line():
    assert pool_title({"title": "a\nb"}, 1) == "a\\nb, 1 question"
    assert pool_title({"synthetic": True}, 2) == "SYNTHETIC DATA: 2 questions"
    assert short_name("x" * 70) == "x" * 70
    assert len(short_name("x" * 71)) == 71


def test_wide_ranges_have_a_logarithmic_axis():
    _, ax = plt.subplots()
    for values, scale in (([0, 50], "linear"), ([1, 11.9], "linear"), ([1, 12], "log")):
        scale_x(ax, np.array(values))
        assert ax.get_xscale() == scale
    plt.close("all")


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1, 2, 4, 16], {"1", "2", "4", "8", "16"}),
        ([2e-5, 7e-4], {"2e-05", "5e-05", "0.0001", "0.0002", "0.0005"}),
        ([0.01, 0.3], {"0.01", "0.02", "0.05", "0.1", "0.2"}),
        ([1e-5, 0.2], {"1e-05", "0.0001", "0.001", "0.01", "0.1"}),
    ],
)
def test_logarithmic_axes_have_short_labels(values, labels):
    _, ax = plt.subplots()
    ax.plot(values, values)
    scale_x(ax, np.array(values))
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    shown = {
        label.get_text()
        for label, place in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)
        if low <= place <= high
    }
    assert shown == labels
    assert not [label for label in ax.get_xticklabels(minor=True) if label.get_text()]
    plt.close("all")
