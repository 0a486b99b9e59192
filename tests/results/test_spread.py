"""Distributions of totals: bins, order of blocks, quantiles as NumPy has them, mixtures, and bytes."""

from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.kernels import spending
from mssim.results.spread import N_BINS, Histogram, Spread, bin_of, bin_value
from tests.conftest import examples

UNKNOWN = [np.nan, np.nan]
TOTALS = st.lists(st.one_of(st.integers(0, 12), st.integers(0, 2**46 - 1)), min_size=1, max_size=40)
SHARES = st.one_of(st.sampled_from([0, 0.25, 0.5, 0.9, 0.95, 0.999, 1]), st.floats(0, 1))


def entries(totals, quantity=0, budget=0, n_budgets=1):
    """Entries of a block of replays, in the order of the replays."""
    place = (quantity * n_budgets + budget) * N_BINS + bin_of(totals)
    return np.column_stack([place, np.ones(len(totals))])


def histogram(*blocks):
    made = Histogram()
    for block in blocks:
        made.add(block)
    return made


def of_tokens(*parts, unit=1.0, weights=None):
    """The distribution of one strategy at one budget, from the totals of its plans."""
    plans = [histogram(entries(totals)) for totals in parts]
    mixture = ([1] * len(parts) if weights is None else weights, plans)
    return Spread.from_histograms([mixture], 1, units=[unit, *UNKNOWN], n_totals=len(parts[0]))


# Bins -----------------------------------------------------


def test_a_bin_is_as_in_plain_integers_and_in_the_kernel_that_counts():
    edges = [2**b + d for b in range(1, 46) for d in (-1, 0, 1)]
    totals = [*edges, *(int(2**x) for x in np.random.default_rng(0).uniform(0, 46, 200)), 2**46 - 1]
    exponents = [max(total.bit_length() - 12, 0) for total in totals]
    expected = [e * 2048 + (total >> e) for e, total in zip(exponents, totals, strict=True)]
    assert bin_of(totals).tolist() == expected
    in_kernel = getattr(spending.bin_of, "py_func", spending.bin_of)  # as Python: there is little to count
    assert [int(in_kernel(total)) for total in totals] == expected
    assert max(expected) == N_BINS - 1 == spending.N_BINS - 1


def test_bins_are_in_the_order_of_totals_and_without_gaps():
    assert np.array_equal(bin_of(np.arange(8192)), [*range(4096), *np.repeat(range(4096, 6144), 2)])
    edges = np.array([[2**b - 1, 2**b] for b in range(12, 46)])
    assert np.array_equal(np.diff(bin_of(edges)), np.ones((34, 1)))
    assert bin_of(2**46 - 1) == N_BINS - 1


def test_the_value_of_a_bin_is_its_only_total_or_the_middle():
    assert np.array_equal(bin_value(np.arange(4096)), np.arange(4096))
    every = np.arange(N_BINS)
    assert np.array_equal(bin_of(np.floor(bin_value(every)).astype(int)), every)
    low = np.array([2**b for b in range(12, 46)])
    width = np.array([2 ** (b - 11) for b in range(12, 46)])
    assert np.array_equal(bin_value(bin_of(low)), low + (width - 1) / 2)


@settings(max_examples=examples(60))
@given(st.integers(1, 2**46 - 1))
def test_the_value_is_within_the_resolution(total):
    assert abs(bin_value(bin_of(total)) - total) <= total / 4096


# Histograms -----------------------------------------------


@settings(max_examples=examples(60))
@given(st.lists(TOTALS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_and_the_size_of_blocks_do_not_matter(blocks, random):
    together = histogram(entries([*chain(*blocks)])).entries()
    random.shuffle(blocks)
    assert np.array_equal(histogram(*map(entries, blocks)).entries(), together)
    parts = histogram(*(histogram(entries(block)).entries() for block in blocks))
    assert np.array_equal(parts.entries(), together)
    places, counts = np.unique(bin_of([*chain(*blocks)]), return_counts=True)
    assert np.array_equal(together, np.column_stack([places, counts]))


def test_entries_are_summed_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr("mssim.results.spread._PENDING", 10)
    made = Histogram()
    for _ in range(7):
        made.add(entries([3, 5, 3]))
    assert made._n_added == 9
    assert made.entries().tolist() == [[3, 14], [5, 7]]


def test_a_histogram_without_blocks_is_empty():
    assert Histogram().entries().shape == (0, 2)
    made = histogram(np.empty((0, 2)))
    assert made.entries().shape == (0, 2)


# Quantiles ------------------------------------------------


@settings(max_examples=examples(60))
@given(TOTALS, SHARES)
def test_quantiles_are_those_of_numpy(totals, q):
    found = of_tokens(totals).quantile(q)
    # In binary, a share such as 0.55 is slightly more than 55 of 100. The difference is not counted.
    expected = np.quantile(bin_value(bin_of(totals)), q * (1 - 1e-12), method="inverted_cdf")
    assert found[0, 0].tolist() == pytest.approx([expected, *UNKNOWN], rel=0, nan_ok=True)


def test_shares_that_binary_fractions_miss_are_met():
    totals = list(range(1, 101))
    for percent in range(1, 101):
        assert of_tokens(totals).quantile(percent / 100)[0, 0, 0] == percent


@settings(max_examples=examples(60))
@given(TOTALS, st.one_of(st.integers(0, 14), st.integers(0, 2**47)), st.sampled_from([1.0, 0.25, 2.0**-40]))
def test_shares_above_an_amount_are_counted_by_bins(totals, x, unit):
    spread = of_tokens(totals, unit=unit)
    bins, most = bin_of(totals), bin_of(min(x, 2**46 - 1))
    assert spread.exceeds("tokens", x * unit).item() == pytest.approx(np.mean(bins > most))
    assert np.isnan(spread.exceeds("cost", x * unit)).all()


@settings(max_examples=examples(60))
@given(TOTALS, SHARES)
def test_at_most_the_rest_exceeds_a_quantile(totals, q):
    spread = of_tokens(totals)
    assert spread.exceeds("tokens", spread.quantile(q)[0, 0, 0]).item() <= 1 - q + 1e-9


def test_a_total_does_not_exceed_itself_and_exceeds_less():
    spread = of_tokens([2, 2, 5], unit=0.5)
    assert [spread.exceeds("tokens", x).item() for x in (0, 0.9, 1, 1.2, 2.4, 2.5, 1e300)] == pytest.approx(
        [1, 1, 1 / 3, 1 / 3, 1 / 3, 0, 0]
    )
    prices = of_tokens([5 * round(0.7 * 2**26)], unit=2.0**-26)  # five samples at 0.7, which no binary fraction is
    assert prices.exceeds("tokens", 3.5).item() == 0
    assert prices.exceeds("tokens", 3.49).item() == 1


def test_every_strategy_budget_and_quantity_has_its_own_distribution():
    totals = np.arange(2 * 3 * 2 * 5).reshape(2, 3, 2, 5) * 17  # strategy, budget, quantity, replay
    plans = [histogram(*(entries(totals[s, b, q], 2 * q, b, 3) for q in range(2) for b in (2, 0, 1))) for s in range(2)]
    spread = Spread.from_histograms([([1], [plan]) for plan in plans], 3, units=[1, np.nan, 0.5], n_totals=5)
    assert repr(spread) == "Spread(2 strategies, 3 budgets, tokens, latency)"
    found = spread.quantile(0.5)
    assert found.shape == (2, 3, 3)
    assert np.array_equal(found[..., 0], totals[:, :, 0, 2])
    assert np.array_equal(found[..., 2], totals[:, :, 1, 2] / 2)
    assert np.isnan(found[..., 1]).all()
    assert np.array_equal(spread.exceeds("latency", 17 * 25), (totals[:, :, 1] > 17 * 50).mean(axis=-1))


def test_strategies_may_have_budgets_of_their_own():
    first, second = entries([1, 2, 3], 2, 0, 2), entries([40, 50, 60], 2, 1, 2)
    whole = [entries([7 * b] * 3, 0, b, 3) for b in range(3)]
    groups = [([1], [histogram(first, second)]), ([1], [histogram(*whole)])]
    spread = Spread.from_histograms(groups, 3, units=[1, 1, 1], n_totals=3, budgets=[[0, 2], [0, 1, 2]])
    found = spread.quantile(0.5)
    assert found[0, :, 2].tolist() == pytest.approx([2, np.nan, 50], nan_ok=True)
    assert np.isnan(found[0, :, :2]).all()
    assert found[1, :, 0].tolist() == [0, 7, 14]
    reverse = Spread.from_histograms(groups[:1], 3, units=[1, 1, 1], n_totals=3, budgets=[[2, 0]])
    assert reverse.quantile(0.5)[0, :, 2].tolist() == pytest.approx([50, np.nan, 2], nan_ok=True)


# What is unknown ------------------------------------------


def test_a_distribution_that_lacks_questions_is_unknown():
    plan = histogram(entries([1, 2, 3]), entries([1, 2], quantity=1), entries([7] * 4, quantity=2))
    spread = Spread.from_histograms([([1], [plan]), None], 1, units=[1, 1, 1], n_totals=3)
    assert spread.quantile(1)[0, 0].tolist() == pytest.approx([3, *UNKNOWN], nan_ok=True)
    assert np.isnan(spread.quantile(1)[1]).all()
    assert spread.exceeds("tokens", 1)[:, 0].tolist() == pytest.approx([2 / 3, np.nan], nan_ok=True)


@pytest.mark.parametrize("unit", [np.nan, 0])
def test_a_quantity_without_a_unit_is_unknown(unit):
    spread = of_tokens([1, 2], unit=unit)
    assert np.isnan(spread.quantile(0.5)).all()
    assert np.isnan(spread.exceeds("tokens", 1)).all()
    assert repr(spread) == "Spread(1 strategy, 1 budget, nothing known)"


# Mixtures -------------------------------------------------


@settings(max_examples=examples(60))
@given(st.data(), st.integers(1, 20), SHARES)
def test_whole_chances_repeat_the_totals_of_a_plan(data, n, q):
    parts = data.draw(st.lists(st.lists(st.integers(0, 30), min_size=n, max_size=n), min_size=1, max_size=3))
    weights = data.draw(st.lists(st.integers(1, 4), min_size=len(parts), max_size=len(parts)))
    repeated = [*chain(*(totals * weight for totals, weight in zip(parts, weights, strict=True)))]
    found, expected = of_tokens(*parts, weights=weights), of_tokens(repeated)
    assert np.array_equal(found.quantile(q), expected.quantile(q), equal_nan=True)
    assert found.exceeds("tokens", 15).item() == pytest.approx(expected.exceeds("tokens", 15).item())
    tenths = of_tokens(*parts, weights=[weight / 10 for weight in weights])  # only ratios matter
    assert np.array_equal(tenths.quantile(q), expected.quantile(q), equal_nan=True)


def test_a_chance_that_rounds_is_met():
    spread = of_tokens([1] * 7, [9] * 7, weights=[0.7, 0.3])
    assert spread.quantile(0.7)[0, 0, 0] == 1
    assert spread.quantile(0.7001)[0, 0, 0] == 9
    assert spread.exceeds("tokens", 1).item() == pytest.approx(0.3)


def test_a_mixture_with_an_unknown_part_is_unknown():
    plans = [histogram(entries([1, 2])), histogram(entries([1]))]
    spread = Spread.from_histograms([([1, 1], plans)], 1, units=[1, 1, 1], n_totals=2)
    assert not spread.sizes.any()


# Bytes ----------------------------------------------------


@settings(max_examples=examples(60))
@given(st.lists(TOTALS, min_size=1, max_size=3), st.sampled_from([1, 3, 0.3]))
def test_bytes_keep_every_bit(parts, weight):
    n = min(map(len, parts))
    spread = of_tokens(*(totals[:n] for totals in parts), weights=[weight, 1, 2][: len(parts)], unit=2.0**-30)
    back = Spread.from_bytes(spread.to_bytes())
    for name in ("units", "sizes", "bins", "weights"):
        there, here = getattr(spread, name), getattr(back, name)
        assert there.dtype == here.dtype
        assert np.array_equal(there, here, equal_nan=True)


def test_bytes_are_few():
    """Two of a bin and its count: a thousand curves fit beside the results."""
    totals = np.random.default_rng(0).lognormal(10, 1, 20_000).astype(int)
    spread = of_tokens(totals)
    assert spread.bins.size > 5000
    assert len(spread.to_bytes()) < 2 * spread.bins.size + 2500


def test_damaged_counts_are_refused():
    spread = of_tokens(list(range(200)))
    data = spread.to_bytes()
    refused = 0
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for place in range(4, footer, 7):
        damaged = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        try:
            back = Spread.from_bytes(damaged)
        except (pa.ArrowException, OSError, KeyError, ValueError):
            refused += 1
        else:  # the byte was one that nobody reads
            assert np.array_equal(back.bins, spread.bins)
            assert np.array_equal(back.weights, spread.weights)
    assert refused > 10
