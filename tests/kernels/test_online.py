"""Samples that end at their first group below a bar: as the oracle draws them, with what the samples spend."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.kernels.online import NO_GROUP, Bar, Traces, lows_of, replayed
from mssim.kernels.spending import Amounts, bin_of, spending_of
from mssim.kernels.tally import FIRST, RANDOM, WRONG, Replays
from tests import naive
from tests.conftest import examples
from tests.kernels.pools import ragged_pool, recorded_of

pytestmark = pytest.mark.kernels
POOL = ragged_pool()
SHAPE = POOL.codes.shape[1:]


def test_the_lows_of_a_sample_are_lower_than_all_groups_before():
    values, offsets = np.array([3.0, 3, 1, 2, 1, 0.5, 7]), np.array([0, 6, 6, 7])
    begins, lows, numbers = lows_of(values, offsets)
    assert begins.tolist() == [0, 3, 4, 5]
    assert lows.tolist() == [3, 1, 0.5, 0, 7]
    assert numbers.tolist() == [0, 2, 5, NO_GROUP, 0]


def some_groups(rng):
    """Up to 9 groups per sample with ties, half of them falling: {(question, sample): groups}."""
    found = {}
    for place in np.ndindex(SHAPE):
        groups = rng.choice([0.0, 1.0, 2.0, 2.5, 4.0, 5.0], rng.integers(0, 10)).tolist()
        found[place] = sorted(groups, reverse=True) if rng.random() < 0.5 else groups
    return found


def traces_of(groups, spent):
    """Traces, and the place of the low that is group i of a sample, {(question, sample, i): place}."""
    offsets = np.cumsum([0, *map(len, groups.values())])
    begins, lows, numbers = lows_of(np.concatenate([*groups.values()]).astype(float), offsets)
    first, last = begins[:-1].reshape(SHAPE), begins[1:].reshape(SHAPE) - 1
    owner = np.repeat(np.arange(first.size), np.diff(begins))
    places = zip(owner.tolist(), numbers.tolist(), strict=True)
    known = {(*divmod(s, SHAPE[1]), i): place for place, (s, i) in enumerate(places)}
    return Traces(lows[last], first.copy(), last.copy(), lows, spent[:, : lows.size].copy()), known


def by_the_oracle(seed, sizes, groups, known, spent, rule, amounts, starts, replays):
    """Right answers, ends by consensus, draws and totals of every replay, draw by draw."""
    keep, warmup, consensus, ties = rule
    right, agreed, drawn = np.zeros((3, SHAPE[0], sizes.size), int)
    totals = np.zeros((replays.n, len(amounts), SHAPE[0], sizes.size), int)
    for q, question in enumerate(POOL.question_ids):
        labels = POOL.class_correct[POOL.class_offsets[q] : POOL.class_offsets[q + 1]]
        for r in range(replays.n):
            number, n = replays.first + r, int(POOL.lengths[0, q])
            for b, size in enumerate(sizes.tolist()):
                places = naive.positions(seed, "x", question, number, n, size, replays.replacement)
                lows = [min(groups[q, s], default=0.0) for s in places]
                bar, scores, ended, batch = (
                    np.percentile(lows[:warmup], 100 - 100 * keep),
                    {},
                    False,
                    [0] * len(amounts),
                )
                for j, (s, low) in enumerate(zip(places, lows, strict=True)):
                    ends = [i for i, c in enumerate(groups[q, s]) if c < bar]
                    early = j >= warmup and low < bar
                    at = known[q, s, ends[0] if ends else NO_GROUP] if early else None
                    for k in range(len(amounts)):
                        amount = int(amounts[k, q, s] if at is None else spent[k, at])
                        batch[k] = 0 if starts[k, j] else batch[k]
                        totals[r, k, q, b] += max(amount - batch[k], 0)
                        batch[k] = max(batch[k], amount)
                    drawn[q, b] += 1
                    if low >= bar and POOL.codes[0, q, s] >= 0:
                        c = int(POOL.codes[0, q, s])
                        scores[c] = scores.get(c, 0.0) + low
                    total = sum(scores.values())
                    if j + 1 >= warmup and total > 0 and max(scores.values()) >= consensus * total:
                        ended = True
                        break
                agreed[q, b] += ended
                chosen = {c for c in range(labels.size) if labels[c]}
                rank = {c: naive.tie_rank(seed, question, number, c) for c in scores}
                right[q, b] += naive.is_right(scores, chosen, ties, rank.get)
    return right, agreed, drawn, totals


@settings(max_examples=examples(60))
@given(
    st.integers(0, 2**64 - 1), st.integers(0, 30), st.integers(1, 7), st.booleans(),
    st.sampled_from([0.1, 0.5, 0.9, 1]), st.integers(1, 7), st.sampled_from([0.5, 0.8, 1.0, 2.0]),
    st.sampled_from(["first", "random", "wrong"]),
    st.sampled_from([[1, 2, 3, 4, 5, 6], [4], [2, 6]]), st.booleans(),
)  # fmt: skip
def test_every_replay_is_that_of_the_oracle(seed, first, n, replacement, keep, warmup, consensus, ties, sizes, bins):
    rng, budgets = np.random.default_rng(seed), np.array(sizes)
    replays, groups = Replays(first, n, replacement), some_groups(rng)
    amounts = np.stack([rng.integers(0, most, SHAPE) for most in (3, 5000)]).astype(np.int32)
    spent, starts = rng.integers(0, 5000, (2, 200)).astype(np.int32), np.ones((2, budgets.max()), bool)
    starts[1, 1:] = rng.random(budgets.max() - 1) < 0.5
    traces, known = traces_of(groups, spent)
    spent[:, : traces.lows.size] = np.minimum(spent[:, : traces.lows.size], amounts.max(axis=(1, 2))[:, None])
    traces = traces._replace(spent=spent[:, : traces.lows.size].copy())
    places = np.arange(-1, min(warmup, budgets.max())).clip(0) * (round(100 - 100 * keep) / 100)
    below = np.floor(places).astype(np.int64)
    codes = {"first": FIRST, "random": RANDOM, "wrong": WRONG}
    bar = Bar(below, places - below, warmup, consensus, codes[ties])
    given = Amounts(amounts[:, None], starts[:, None], np.zeros((2, 1, budgets.size), bool))
    counted = spending_of(given, budgets[None], bins=bins)
    found = replayed(recorded_of(POOL, ["x"], seed), budgets[None], traces, bar, replays, counted)
    rule = keep, warmup, consensus, ties
    *expected, totals = by_the_oracle(seed, budgets, groups, known, spent, rule, amounts, starts, replays)
    assert [one.tolist() for one in found] == [other.tolist() for other in expected]
    assert counted.spent.totals.tolist() == totals.sum(axis=0).tolist()
    if bins:
        histogram = counted.spent.histogram
        for k in range(2):
            for b in range(budgets.size):
                numbers = np.flatnonzero(histogram[k, b])
                shown = np.repeat(numbers + counted.spent.lowest[k], histogram[k, b, numbers])
                assert shown.tolist() == sorted(bin_of(int(total)) for total in totals[:, k, :, b].ravel())
    without = replayed(recorded_of(POOL, ["x"], seed), budgets[None], traces._replace(spent=spent[:0]), bar, replays)
    assert [one.tolist() for one in without] == [other.tolist() for other in expected]
