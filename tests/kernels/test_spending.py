"""What the drawn samples cost: bins, batches, joined stages and totals, each against plain sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.kernels import one_model, stages, stops
from mssim.kernels.bundles import bundle_of
from mssim.kernels.spending import N_BINS, PENDING, Amounts, bin_of, occupied, spending_of
from mssim.kernels.tally import Replays
from tests import naive
from tests.conftest import examples
from tests.kernels.pools import ragged_pool, recorded_of, rules_of

pytestmark = pytest.mark.kernels
POOL = ragged_pool()


@given(st.one_of(st.integers(0, 2**14), st.integers(0, 2**46 - 1)))
def test_bins_are_whole_totals_and_then_2048_per_power_of_two(total):
    power = max(total.bit_length() - 12, 0)
    assert bin_of(total) == power * 2048 + (total >> power) < N_BINS
    assert bin_of(total + 1) - bin_of(total) in (0, 1)


def amounts_of(models, sizes, rng, starts=None, joins=None):
    """Two plain sums, and a quantity with batches."""
    n_stages, n_budgets = sizes.shape
    values = rng.integers(0, 5000, (3, len(models), len(POOL.question_ids), POOL.codes.shape[2])).astype(np.int32)
    every = np.ones((n_stages, int(sizes.max())), bool)
    never = np.zeros((n_stages, n_budgets), bool)
    return Amounts(
        values,
        np.stack([every, every, every if starts is None else starts]),
        np.stack([never, never, never if joins is None else joins]),
    )


def total_of(amounts, k, b, q, places, sizes):
    """Total of one replay, draw by draw."""
    total = before = 0
    for i, drawn in enumerate(places):
        stage = batch = 0
        for j, place in enumerate(drawn[: sizes[i, b]]):
            batch = stage if amounts.starts[k, i, j] else batch
            stage = max(stage, batch + int(amounts.values[k, i, q, place]))
        before = before if amounts.joins[k, i, b] else total
        total = max(total, before + stage)
    return total


def expected_of(amounts, models, sizes, seed, replays, ends=None):
    """Sums [quantity, question, budget], and {(quantity, budget, bin): replays}; ends as in `stops.curve`."""
    sums, bins = np.zeros((3, len(POOL.question_ids), sizes.shape[1]), int), {}
    for q, question in enumerate(POOL.question_ids):
        for r in range(replays.first, replays.first + replays.n):
            last = 6 if ends is None else int(ends[q, r - replays.first])
            places = [naive.positions(seed, m, question, r, 6, 6, replays.replacement)[:last] for m in models]
            for k in range(3):
                for b in range(sizes.shape[1]):
                    total = total_of(amounts, k, b, q, places, sizes)
                    sums[k, q, b] += total
                    place = k, b, bin_of(total)
                    bins[place] = bins.get(place, 0) + 1
    return sums, bins


def check(spent, expected):
    sums, bins = expected
    assert spent.totals.tolist() == sums.tolist()
    places = np.arange(sums.shape[0] * sums.shape[2]).reshape(sums.shape[0], -1) * N_BINS
    found = {
        (int(place) // N_BINS // sums.shape[2], int(place) // N_BINS % sums.shape[2], int(place) % N_BINS): int(n)
        for place, n in occupied(spent, places)
    }
    assert found == bins
    assert occupied(spent, np.full_like(places, -1)).shape == (0, 2)


SEEDS, N_REPLAYS = st.integers(0, 2**64 - 1), st.sampled_from([1, 3, 4, 9])


@settings(max_examples=examples(20))
@given(SEEDS, N_REPLAYS, st.booleans(), st.lists(st.booleans(), min_size=5, max_size=5), st.permutations(range(1, 7)))
def test_totals_of_one_model_are_those_of_its_draws(seed, n, replacement, rest, budgets):
    sizes = np.array([budgets])
    amounts = amounts_of("x", sizes, np.random.default_rng(seed), np.array([[True, *rest]]))
    counted, replays = spending_of(amounts, sizes, bins=True), Replays(7, n, replacement)
    one_model.curve(recorded_of(POOL, ["x"], seed), 0, 6, replays, counted)
    check(counted.spent, expected_of(amounts, "x", sizes, seed, replays))


@settings(max_examples=examples(20))
@given(SEEDS, N_REPLAYS, st.booleans(), st.lists(st.booleans(), min_size=5, max_size=5), st.permutations(range(1, 7)))
def test_sums_are_the_same_without_a_histogram(seed, n, replacement, rest, budgets):
    sizes, replays, rng = np.array([budgets]), Replays(7, n, replacement), np.random.default_rng(seed)
    amounts = amounts_of("x", sizes, rng, np.array([[True, *rest]]))
    with_bins, sums = spending_of(amounts, sizes, bins=True), spending_of(amounts, sizes)
    for counted in (with_bins, sums):
        one_model.curve(recorded_of(POOL, ["x"], seed), 0, 6, replays, counted)
    assert sums.spent.totals.tolist() == with_bins.spent.totals.tolist()
    assert not sums.sums.any()


@settings(max_examples=examples(20))
@given(SEEDS, st.sampled_from([1, 4, 9, PENDING + 2]), st.booleans(), st.booleans(), st.permutations(range(1, 7)))
def test_totals_of_one_model_end_at_its_stop(seed, n, replacement, batches, budgets):
    sizes, replays, rng = np.array([budgets]), Replays(7, n, replacement), np.random.default_rng(seed)
    starts = np.array([[True, *(rng.random(5) < 0.5)]])
    amounts = amounts_of("x", sizes, rng, starts if batches else None)
    ends = rng.integers(1, 8, (len(POOL.question_ids), n)).astype(np.uint16)
    with_bins, sums = spending_of(amounts, sizes, bins=True), spending_of(amounts, sizes)
    for counted in (with_bins, sums):
        stops.curve_until(recorded_of(POOL, ["x"], seed), 0, 6, False, ends, replays, counted)
        assert not counted.pending.any()
    expected = expected_of(amounts, "x", sizes, seed, replays, ends)
    check(with_bins.spent, expected)
    assert sums.spent.totals.tolist() == expected[0].tolist()
    assert not sums.sums.any()


@pytest.mark.parametrize("budget", [0, 1])
def test_one_budget_has_the_totals_of_several(budget):
    sizes, replays = np.array([[2, 5], [4, 3]]), Replays(3, 6, False)
    amounts, never = amounts_of("yx", sizes, np.random.default_rng(1)), np.full((2, 2), 99)
    both, alone = spending_of(amounts, sizes), sizes[:, [budget]]
    one = spending_of(amounts._replace(joins=amounts.joins[:, :, [budget]]), alone)
    stages.staged(recorded_of(POOL, ["y", "x"], 2), bundle_of([rules_of(sizes, never)]), replays, both)
    stages.staged(recorded_of(POOL, ["y", "x"], 2), bundle_of([rules_of(alone, never[:, :1])]), replays, one)
    assert one.spent.totals[:, :, 0].tolist() == both.spent.totals[:, :, budget].tolist()


@settings(max_examples=examples(20))
@given(SEEDS, N_REPLAYS, st.booleans(), st.data())
def test_totals_of_stages_that_never_stop_are_those_of_all_draws(seed, n, replacement, data):
    sizes = np.array([[1, 2, 4, 6], [6, 3, 2, 0], [1, 1, 5, 0]])
    flags = st.lists(st.booleans(), min_size=4, max_size=4)
    joins = np.array([[False] * 4, data.draw(flags), data.draw(flags)])
    starts = np.array([[True, *data.draw(flags), data.draw(st.booleans())] for _ in range(3)])
    amounts = amounts_of("yxy", sizes, np.random.default_rng(seed), starts, joins)
    counted, replays = spending_of(amounts, sizes, bins=True), Replays(0, n, replacement)
    rules = rules_of(sizes, np.full(sizes.shape, 99))
    stages.staged(recorded_of(POOL, ["y", "x", "y"], seed), bundle_of([rules]), replays, counted)
    check(counted.spent, expected_of(amounts, "yxy", sizes, seed, replays))


@pytest.mark.parametrize("n", [PENDING - 1, PENDING, PENDING + 2])
def test_totals_that_wait_are_all_counted(n):
    sizes, replays = np.array([[2, 5]]), Replays(0, n, False)
    amounts = amounts_of("x", sizes, np.random.default_rng(n))
    counted = spending_of(amounts, sizes, bins=True)
    one_model.curve(recorded_of(POOL, ["x"], 1), 0, 5, replays, counted)
    check(counted.spent, expected_of(amounts, "x", sizes, 1, replays))
    assert not counted.pending.any()


def test_without_amounts_there_is_nothing_to_count():
    nothing = spending_of(None, np.array([[1, 2]]))
    assert len(nothing.plain) == nothing.values.size == nothing.pending.size == nothing.spent.totals.size == 0
    recorded, replays = recorded_of(POOL, ["x"], 3), Replays(0, 9, False)
    amounts = amounts_of("x", np.array([[1, 2]]), np.random.default_rng(0))
    hits = one_model.curve(recorded, 0, 2, replays, spending_of(amounts, np.array([[1, 2]])))
    assert hits.tolist() == one_model.curve(recorded, 0, 2, replays).tolist()


def test_the_histogram_has_only_bins_of_possible_totals():
    sizes = np.array([[1, 3], [2, 4]])
    values = np.full((1, 2, 1, 4), 5000, np.int32)
    flags = np.ones((1, 2, 4), bool), np.zeros((1, 2, 2), bool)
    spent = spending_of(Amounts(values, *flags), sizes, bins=True).spent
    assert spent.lowest.tolist() == [bin_of(5000)]
    assert spent.histogram.size == 2 * (bin_of(7 * 5000) - bin_of(5000) + 1)
    assert spending_of(Amounts(values, *flags), sizes).spent.histogram.size == 0
    shared = spending_of(Amounts(values, *flags), sizes, cap=9, bins=True).spent
    assert shared.histogram.size == 2 * (bin_of(18 * 5000) - bin_of(5000) + 1)


def test_draws_of_earlier_stages_are_skipped():
    """A second turn of a model continues with its draws."""
    sizes, replays = np.array([[2, 2], [3, 4]]), Replays(0, 6, False)
    amounts = amounts_of("xx", sizes, np.random.default_rng(4))
    values = amounts_of("x", sizes, np.random.default_rng(4)).values
    amounts = amounts._replace(values=np.repeat(values, 2, axis=1))
    counted = spending_of(amounts, sizes, skip=2, bins=True)
    rules = rules_of(sizes, np.full(sizes.shape, 99))._replace(skip=np.array([0, 2]))
    stages.staged(recorded_of(POOL, ["x", "x"], 5), bundle_of([rules]), replays, counted)
    together = sizes.sum(axis=0)[None]
    whole = amounts_of("x", together, np.random.default_rng(4))
    check(counted.spent, expected_of(whole, "x", together, 5, replays))
