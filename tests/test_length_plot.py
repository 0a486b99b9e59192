"""The plot of accuracy over the output tokens at which samples are cut off."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from mssim import MssimError
from mssim.plots import plot_length_limits
from mssim.theory import length_limits
from tests.theory.test_length_limits import pool


@pytest.fixture
def frame():
    with pytest.warns(UserWarning, match="cut off by the recording"):
        yield length_limits(pool(), ["sc:x", "sc:y"], [3, 6, 22], [1, 2])
    plt.close("all")


def test_lines_bands_and_the_limit_of_the_recording_are_the_frame(frame):
    ax = plot_length_limits(frame, pool())
    curves = [line for line in ax.lines if len(line.get_xdata()) == 3]
    groups = [rows for _, rows in frame.groupby(["strategy", "budget"], sort=False)]
    assert len(curves) == len(ax.collections) == 4
    for line, rows in zip(curves, groups, strict=True):
        assert line.get_xdata().tolist() == rows["max_tokens"].tolist()
        assert np.allclose(line.get_ydata(), 100 * rows["accuracy"])
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in dashed] == [20, 24]
    white = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
    assert [line.get_xdata().tolist() for line in white] == [[22], [22], [], []]
    assert ax.get_xscale() == "log"
    assert ax.get_title(loc="left") == "2 questions"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[:2] == ["sc:x, budget 1", "sc:x, budget 2"]
    assert texts[4:] == ["cut off by the recording from 20 tokens", "cut off by the recording from 24 tokens"]


def test_it_draws_on_the_axes_it_is_given(frame):
    _, ax = plt.subplots()
    assert plot_length_limits(frame, pool(), ax=ax) is ax


def test_a_table_without_rows_is_refused(frame):
    with pytest.raises(MssimError, match="frame: no rows to draw"):
        plot_length_limits(frame[:0], pool())
