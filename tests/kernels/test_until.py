"""Draws until one is accepted: as the oracle draws them, one replay after the other, with what the samples spend."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.kernels.tally import Replays
from mssim.kernels.until import REJECTED, RIGHT, WRONG, Found, bin_of, replayed
from tests import naive
from tests.conftest import examples
from tests.kernels.pools import ragged_pool, recorded_of

pytestmark = pytest.mark.kernels
POOL = ragged_pool()
N_BINS = 2048 * 36


def by_the_oracle(seed, models, sizes, verdicts, amounts, replays):
    """Right answers, accepted samples, draws and totals of every replay, draw by draw."""
    n_stages, n_budgets = sizes.shape
    n_questions = len(POOL.question_ids)
    right, accepted, drawn = (
        np.zeros(shape, int) for shape in ((n_questions, n_budgets), *[(n_questions, n_stages, n_budgets)] * 2)
    )
    totals = np.zeros((replays.n, len(amounts), n_questions, n_budgets), int)
    for q, question in enumerate(POOL.question_ids):
        for r in range(replays.n):
            for b in range(n_budgets):
                verdict = REJECTED
                for i, model in enumerate(models):
                    n = int(POOL.lengths[POOL.model_index(model), q])
                    number, size = replays.first + r, int(sizes[i, b])
                    for place in naive.positions(seed, model, question, number, n, size, replays.replacement):
                        if verdict == REJECTED:
                            verdict = verdicts[i, q, place]
                            drawn[q, i, b] += 1
                            totals[r, :, q, b] += amounts[:, i, q, place]
                            accepted[q, i, b] += verdict != REJECTED
                right[q, b] += verdict == RIGHT
    return right, accepted, drawn, totals


def some_of_all(rng, models):
    """Verdicts of all kinds, and amounts of three quantities, the last of them large."""
    shape = (len(models), len(POOL.question_ids), POOL.codes.shape[2])
    verdicts = rng.choice([REJECTED, REJECTED, REJECTED, WRONG, RIGHT], shape).astype(np.uint8)
    amounts = np.stack([rng.integers(0, most, shape) for most in (3, 5000, 2**26)]).astype(np.int32)
    return verdicts, amounts


@settings(max_examples=examples(40))
@given(
    st.integers(0, 2**64 - 1), st.integers(0, 30), st.integers(1, 9), st.booleans(), st.sampled_from(["x", "yx"]),
    st.data(),
)  # fmt: skip
def test_every_replay_draws_as_the_oracle_does(seed, first, n, replacement, models, data):
    stage = st.lists(st.integers(0, 6), min_size=3, max_size=3)
    sizes = np.array([data.draw(stage) for _ in models])
    sizes[0] = np.maximum(sizes[0], 1)
    replays = Replays(first, n, replacement)
    verdicts, amounts = some_of_all(np.random.default_rng(seed), models)
    found = Found(*replayed(recorded_of(POOL, list(models), seed), sizes, verdicts, amounts, N_BINS, replays))
    right, accepted, drawn, totals = by_the_oracle(seed, models, sizes, verdicts, amounts, replays)
    assert found.right.tolist() == right.tolist()
    assert found.accepted.tolist() == accepted.tolist()
    assert found.drawn.tolist() == drawn.tolist()
    assert found.spent.tolist() == totals.sum(axis=0).tolist()
    for k in range(3):
        for b in range(3):
            places = [bin_of(int(total)) for total in totals[:, k, :, b].ravel()]
            assert np.repeat(*_entries(found.histogram[k, b])).tolist() == sorted(places)


def _entries(numbers):
    """Places above 0, and their numbers."""
    places = np.flatnonzero(numbers)
    return places, numbers[places]


def test_without_quantities_and_bins_the_draws_are_the_same():
    replays, sizes, recorded = Replays(0, 20, False), np.array([[1, 5], [2, 1]]), recorded_of(POOL, ["x", "y"])
    verdicts, amounts = some_of_all(np.random.default_rng(0), "xy")
    whole = Found(*replayed(recorded, sizes, verdicts, amounts, N_BINS, replays))
    no_bins = Found(*replayed(recorded, sizes, verdicts, amounts, 0, replays))
    draws = Found(*replayed(recorded, sizes, verdicts, amounts[:0], 0, replays))
    for name in ("right", "accepted", "drawn"):
        assert getattr(whole, name).tolist() == getattr(no_bins, name).tolist() == getattr(draws, name).tolist()
    assert no_bins.spent.tolist() == whole.spent.tolist()
    assert (no_bins.histogram.shape, draws.spent.shape) == ((3, 2, 0), (0, 3, 2))


def test_nothing_but_what_is_rejected_costs_every_draw():
    sizes, recorded = np.array([[1, 4], [0, 3]]), recorded_of(POOL, ["x", "y"])
    verdicts = np.zeros((2, 3, 6), np.uint8)
    amounts = np.full((1, 2, 3, 6), 7, np.int32)
    found = Found(*replayed(recorded, sizes, verdicts, amounts, 0, Replays(0, 3, False)))
    assert (found.right.max(), found.accepted.max()) == (0, 0)
    assert found.drawn.tolist() == [[[3, 12], [0, 9]]] * 3
    assert found.spent.tolist() == [[[21, 147]] * 3]
    found = Found(*replayed(recorded, sizes, verdicts + RIGHT, amounts, 0, Replays(0, 3, False)))
    assert found.drawn.tolist() == [[[3, 3], [0, 0]]] * 3
    assert found.right.tolist() == [[3, 3]] * 3


@pytest.mark.parametrize(
    ("total", "place"),
    [(0, 0), (4095, 4095), (4096, 4096), (4097, 4096), (8191, 6143), (8192, 6144), (2**26, 2048 * 16)],
)
def test_bins_are_totals_or_shares_of_a_power_of_two(total, place):
    assert bin_of(total) == place


def test_bins_grow_with_the_total_up_to_the_last():
    totals = [t for e in range(12, 47) for t in (2**e - 1, 2**e, 2**e + 2 ** (e - 11))]
    places = [bin_of(t) for t in totals]
    assert places == sorted(places)
    assert bin_of(2**46 - 1) < N_BINS
    for total in totals:
        e = max(total.bit_length() - 12, 0)
        assert bin_of(total) == e * 2048 + (total >> e)
