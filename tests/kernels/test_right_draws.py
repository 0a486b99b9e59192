"""Whether enough draws are right: against all draws, SciPy's laws, and replays as the oracle draws and counts them."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mssim.kernels.right_draws import enough_right, replayed
from mssim.kernels.tally import Replays
from tests import naive
from tests.conftest import examples
from tests.kernels.pools import ragged_pool, recorded_of

pytestmark = pytest.mark.kernels
POOL = ragged_pool()


def chance(total, right, k, least, *, raised=False, replacement=False):
    given = (np.array([number]) for number in (total, right, k, least))
    return enough_right(*given, raised, replacement).item()


def enough(n_right, k, least, raised):
    """The share of the numbers t of which half, rounded down, still leaves enough."""
    return Fraction(sum(n_right >= least + t // 2 for t in range(k)), k) if raised else Fraction(n_right >= least)


@pytest.mark.parametrize("raised", [False, True])
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("total", range(1, 6))
def test_it_is_the_mean_over_all_draws(total, replacement, raised):
    for right, k in itertools.product(range(total + 1), range(1, min(total, 4) + 1)):
        samples = [s < right for s in range(total)]
        orders = itertools.product(samples, repeat=k) if replacement else itertools.permutations(samples, k)
        counts = [sum(order) for order in orders]
        for least in range(k + 2):
            mean = sum(enough(n, k, least, raised) for n in counts) / len(counts)
            found = chance(total, right, k, least, raised=raised, replacement=replacement)
            assert found == pytest.approx(float(mean), rel=1e-14, abs=0)


@given(st.integers(1, 10**12), st.data())
def test_it_is_the_tail_of_known_laws(total, data):
    right, k = data.draw(st.integers(0, total)), data.draw(st.integers(1, min(total, 40)))
    least = data.draw(st.integers(0, k + 1))
    if total < 10**6:  # SciPy's logarithms of factorials are too coarse for more
        law = stats.hypergeom(total, right, k)
        assert chance(total, right, k, least) == pytest.approx(law.sf(least - 1), rel=1e-8, abs=1e-300)
    law = stats.binom(k, right / total)
    found = chance(total, right, k, least, replacement=True)
    assert found == pytest.approx(law.sf(least - 1), rel=1e-9, abs=1e-300)


def test_what_is_certain_is_exactly_so():
    for replacement in (False, True):
        for k in (1, 7, 64):
            assert [chance(64, 64, k, least, replacement=replacement) for least in (0, 1, k)] == [1, 1, 1]
            assert [chance(64, 0, k, least, replacement=replacement) for least in (0, 1, k)] == [1, 0, 0]
            assert chance(64, 5, k, k + 1, replacement=replacement) == 0
    assert chance(64, 60, 10, 6) == 1  # at most four are wrong
    assert chance(64, 4, 10, 5) == 0
    assert chance(64, 64, 10, 6, raised=True) == 1


def test_more_draws_than_samples_have_no_chance_without_replacement():
    total, right, draws = np.array([0, 2, 3]), np.array([0, 1, 3]), np.array([1, 3])
    found = enough_right(total, right, draws, np.array([1, 1]), False, False)
    assert np.isnan(found).tolist() == [[True, True], [False, True], [False, False]]
    found = enough_right(total, right, draws, np.array([1, 1]), False, True)
    assert np.isnan(found).tolist() == [[True, True], [False, False], [False, False]]


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("k", [5, 16383, 32765])
def test_most_of_an_odd_number_of_draws_from_halves_are_right_half_of_the_time(k, replacement):
    """Weights that are not relative to the most likely number would overflow."""
    found = chance(32766, 16383, k, (k + 1) // 2, replacement=replacement)
    assert found == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("replacement", [False, True])
def test_far_tails_keep_their_digits(replacement):
    """Thousands of digits of a number that is about 1e-280, from the least likely end of the law."""
    for total, right, k, least in ((2000, 60, 900, 60), (2000, 300, 640, 290), (1000, 999, 600, 600), (900, 899, 2, 1)):
        if replacement:
            ways = [math.comb(k, j) * right**j * (total - right) ** (k - j) for j in range(k + 1)]
        else:
            ways = [math.comb(right, j) * math.comb(total - right, k - j) for j in range(k + 1)]
        exact = sum(ways[least:]) / sum(ways)
        assert exact > 1e-290
        assert chance(total, right, k, least, replacement=replacement) == pytest.approx(exact, rel=1e-12, abs=0)


@settings(max_examples=examples(30))
@given(
    st.integers(0, 2**64 - 1), st.integers(0, 30), st.integers(1, 9), st.booleans(), st.booleans(),
    st.permutations(range(1, 7)), st.lists(st.integers(0, 7), min_size=6, max_size=6),
)  # fmt: skip
def test_every_replay_counts_the_right_draws_of_the_oracle(seed, first, n, replacement, raised, sizes, least):
    sizes, least = np.array(sizes), np.array(least)
    found = replayed(recorded_of(POOL, ["x"], seed), sizes, least, raised, Replays(first, n, replacement))
    for q, question in enumerate(POOL.question_ids):
        expected = np.zeros(sizes.size, int)
        for r in range(first, first + n):
            places = naive.positions(seed, "x", question, r, 6, 6, replacement)
            right = (POOL.codes[0, q, places] == 0).tolist()
            lot = Fraction(naive.word(naive.stream_key(seed, "", question), r) >> 32, 2**32)
            for b, (k, need) in enumerate(zip(sizes.tolist(), least.tolist(), strict=True)):
                expected[b] += sum(right[:k]) >= need + (math.floor(lot * k) // 2 if raised else 0)
        assert found[q].tolist() == expected.tolist()
