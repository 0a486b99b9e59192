"""Arguments of the summary table about distributions, and columns that are not means."""

import numpy as np
import pytest

from mssim import MssimError
from mssim.engine.estimates import binomial_variance
from mssim.results.spread import Histogram, Spread, bin_of
from mssim.results.summary import error_of_mean, read_spread_options, run_scatter, spread_columns


def spread_of(units):
    """A distribution whose quantities that have a unit are known."""
    made = Histogram()
    for quantity in range(3):
        made.add(np.array([[quantity * 2048 * 36 + bin_of(7), 2.0]]))
    return Spread.from_histograms([([1], [made])], 1, units=units, n_totals=2)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (None, ()),
        (0.5, (0.5,)),
        (1, (1.0,)),
        ([0.5, 0.95, 0.5], (0.5, 0.95)),
        (np.array([0.9, 0.1]), (0.9, 0.1)),
        ((0, 1), (0.0, 1.0)),
    ],
)
def test_quantiles_are_one_or_several_shares(given, asked):
    assert read_spread_options(given, {}) == (asked, {})


@pytest.mark.parametrize("given", [95, -0.1, np.nan, "0.5", [], [0.5, 50], [True], ["0.5"], [[0.5]], [None]])
def test_quantiles_that_are_no_shares_are_refused(given):
    with pytest.raises(MssimError, match=r"^quantiles=.* not numbers from 0 to 1\. Use e\.g\. quantiles=\[0\.5, 0\.95"):
        read_spread_options(given, {})


def test_amounts_are_read_by_quantity():
    given = {"tokens": 100, "cost": None, "latency": np.float64(0)}
    assert read_spread_options(None, given) == ((), {"tokens": 100.0, "latency": 0.0})


@pytest.mark.parametrize(
    ("quantity", "argument"), [("tokens", "tokens_exceed"), ("cost", "cost_exceeds"), ("latency", "latency_exceeds")]
)
@pytest.mark.parametrize("amount", [-1, np.inf, np.nan, "1", True, [1]])
def test_amounts_that_are_none_are_refused(quantity, argument, amount):
    with pytest.raises(MssimError, match=f"^{argument}=.* is not an amount of {quantity}\\. Use a finite number"):
        read_spread_options(None, {quantity: amount})


def test_columns_are_named_by_percentages():
    columns = spread_columns(spread_of([1, 0.5, np.nan]), [0, 0.07, 0.5, 0.999], {"cost": 3})
    names = ["p0", "p7", "p50", "p99.9"]
    assert list(columns) == [*(f"tokens_{p}" for p in names), *(f"cost_{p}" for p in names), "cost_exceeds"]
    assert columns["tokens_p7"].tolist() == [7]
    assert columns["cost_p0"].tolist() == [3.5]
    assert columns["cost_exceeds"].tolist() == [1]
    assert spread_columns(None, None, {"cost": None}) == {}


def test_what_is_not_known_is_said():
    nothing = spread_of([np.nan] * 3)
    with pytest.raises(MssimError, match=r"^quantiles: neither tokens, cost nor latency are known"):
        spread_columns(nothing, 0.5, {})
    with pytest.raises(
        MssimError, match=r"^cost_exceeds=2: cost is not known .* or use evaluate\(\.\.\., prices=\.\.\.\)\."
    ):
        spread_columns(spread_of([1, np.nan, 1]), 0.5, {"cost": 2})
    with pytest.raises(MssimError, match=r"^latency_exceeds=2: latency is not known .*\. Record latency\."):
        spread_columns(spread_of([1, 1, np.nan]), None, {"latency": 2})


def test_the_scatter_of_a_run_and_of_the_mean_by_hand():
    accuracy = np.array([[[0.5, 1.0], [0.5, 0.5], [0.2, 0.2]]])
    variance = binomial_variance(accuracy, np.array([0, 5, 1])[:, None] * np.ones((1, 3, 2), int))
    replay_sd, mc_error = run_scatter(accuracy, variance), error_of_mean(variance)
    assert replay_sd[0, :2] == pytest.approx([0.25, np.sqrt(5 / 4 * 0.125)])
    assert mc_error[0, :2] == pytest.approx([0, np.sqrt(0.125) / 2])
    assert np.isnan([replay_sd[0, 2], mc_error[0, 2]]).all()
