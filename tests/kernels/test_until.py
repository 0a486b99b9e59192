"""Draws until one is accepted: as the oracle draws them, one replay after the other, with what the samples spend."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.kernels.spending import Amounts, bin_of, spending_of
from mssim.kernels.tally import Replays
from mssim.kernels.until import REJECTED, RIGHT, SPARE, WRONG, replayed
from tests import naive
from tests.conftest import examples
from tests.kernels.pools import ragged_pool, recorded_of

pytestmark = pytest.mark.kernels
POOL = ragged_pool()


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
                        if verdict in (REJECTED, SPARE):
                            verdict = verdicts[i, q, place]
                            drawn[q, i, b] += 1
                            totals[r, :, q, b] += amounts[:, i, q, place]
                            accepted[q, i, b] += verdict in (WRONG, RIGHT)
                right[q, b] += verdict in (RIGHT, SPARE)
    return right, accepted, drawn, totals


def spending(values, sizes, *, bins=False):
    """Spending of draws that follow one another."""
    n_quantities, n_stages = values.shape[:2]
    starts = np.ones((n_quantities, n_stages, sizes.max()), bool)
    return spending_of(Amounts(values, starts, np.zeros((n_quantities, *sizes.shape), bool)), sizes, bins=bins)


def some_of_all(rng, models):
    """Verdicts of all kinds, and amounts of three quantities, the last of them large."""
    shape = (len(models), len(POOL.question_ids), POOL.codes.shape[2])
    verdicts = rng.choice([REJECTED, REJECTED, SPARE, WRONG, RIGHT], shape).astype(np.uint8)
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
    counted = spending(amounts, sizes, bins=True)
    found = replayed(recorded_of(POOL, list(models), seed), sizes, verdicts, replays, counted)
    *expected, totals = by_the_oracle(seed, models, sizes, verdicts, amounts, replays)
    assert all(one.tolist() == other.tolist() for one, other in zip(found, expected, strict=True))
    assert counted.spent.totals.tolist() == totals.sum(axis=0).tolist()
    histogram = counted.spent.histogram.reshape(3, 3, -1)
    for k in range(3):
        for b in range(3):
            bins = np.flatnonzero(histogram[k, b])
            numbers = histogram[k, b, bins]
            places = sorted(bin_of(int(total)) for total in totals[:, k, :, b].ravel())
            assert np.repeat(bins + counted.spent.lowest[k], numbers).tolist() == places


def test_without_quantities_and_bins_the_draws_are_the_same():
    replays, sizes, recorded = Replays(0, 20, False), np.array([[1, 5], [2, 1]]), recorded_of(POOL, ["x", "y"])
    verdicts, amounts = some_of_all(np.random.default_rng(0), "xy")
    with_bins, no_bins = spending(amounts, sizes, bins=True), spending(amounts, sizes)
    found = [replayed(recorded, sizes, verdicts, replays, counted) for counted in (with_bins, no_bins)]
    found.append(replayed(recorded, sizes, verdicts, replays))
    for arrays in zip(*found, strict=True):
        assert arrays[0].tolist() == arrays[1].tolist() == arrays[2].tolist()
    assert no_bins.spent.totals.tolist() == with_bins.spent.totals.tolist()
    assert no_bins.spent.histogram.size == 0


def test_nothing_but_what_is_rejected_costs_every_draw():
    sizes, recorded, replays = np.array([[1, 4], [0, 3]]), recorded_of(POOL, ["x", "y"]), Replays(0, 3, False)
    verdicts = np.zeros((2, 3, 6), np.uint8)
    counted = spending(np.full((1, 2, 3, 6), 7, np.int32), sizes)
    right, accepted, drawn = replayed(recorded, sizes, verdicts, replays, counted)
    assert (right.max(), accepted.max()) == (0, 0)
    assert drawn.tolist() == [[[3, 12], [0, 9]]] * 3
    assert counted.spent.totals.tolist() == [[[21, 147]] * 3]
    right, _, drawn = replayed(recorded, sizes, verdicts + RIGHT, replays)
    assert drawn.tolist() == [[[3, 3], [0, 0]]] * 3
    assert right.tolist() == [[3, 3]] * 3
