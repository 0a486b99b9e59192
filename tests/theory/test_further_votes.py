"""Votes to come: draws against enumeration in fractions, likelihoods by SciPy and by enumeration."""

import itertools
from collections import Counter
from fractions import Fraction
from math import factorial, prod

import numpy as np
import pytest
from scipy import stats

from mssim.theory import further_votes as module
from mssim.theory.further_votes import Answers, answers_of, further_votes
from tests.conftest import make_pool


def answers(votes, right=None, none=None):
    votes = np.array(votes)
    first = np.zeros(votes.shape, bool)
    first[:, 0] = True
    right = first if right is None else np.array(right, bool)
    return Answers(votes, right, np.zeros(len(votes), int) if none is None else np.array(none))


def won(votes, right):
    """The share of the most frequent answers that is correct."""
    top = max(votes)
    tied = [i for i, v in enumerate(votes) if v == top > 0]
    return Fraction(sum(right[i] for i in tied), len(tied)) if tied else Fraction(0)


def expected(votes, none, law, more):
    """P(plurality correct) after more draws: the urn of the posterior, draw by draw, in fractions."""
    a, b, alpha, width = law
    n_wrong = len(votes) - 1
    total = Fraction(0)
    # Outcomes: the correct answer, each wrong answer, a wrong answer not seen, no answer.
    for draws in itertools.product(range(n_wrong + 3), repeat=more):
        counts = [Fraction(v) for v in votes]
        unseen = (width - sum(v > 0 for v in votes[1:])) * alpha
        empty, chance = Fraction(none), Fraction(1)
        for outcome in draws:
            valid = sum(counts) + (unseen - (width - sum(v > 0 for v in votes[1:])) * alpha)
            answered = valid / (valid + empty)
            right = (a + counts[0]) / (a + b + valid)
            pool = sum(x + alpha for x, v in zip(counts[1:], votes[1:], strict=True) if v) + unseen
            if outcome == n_wrong + 2:
                chance *= 1 - answered
                empty += 1
            elif outcome == 0:
                chance *= answered * right
                counts[0] += 1
            elif outcome == n_wrong + 1:
                chance *= answered * (1 - right) * unseen / pool
                unseen += 1
            else:
                weight = counts[outcome] + alpha if votes[outcome] else 0
                chance *= answered * (1 - right) * weight / pool
                counts[outcome] += weight > 0
        total += chance * won(counts, [True] + [False] * n_wrong)
    return total


@pytest.mark.parametrize(
    ("votes", "none", "law"),
    [
        ([3, 3], 0, (2, 1, Fraction(1, 2), 1)),
        ([2, 3], 0, (1, 1, Fraction(1, 2), 4)),
        ([2, 2, 1], 2, (Fraction(1, 2), 2, Fraction(1, 4), 3)),
        ([0, 2, 2], 1, (3, 1, 1, 2)),
        ([1, 2], 0, (2, 1, Fraction(1, 2), 2)),
    ],
)
def test_draws_agree_with_the_urn(votes, none, law, monkeypatch):
    n_draws = 40_000
    values = [np.full(n_draws, float(x)) for x in law]
    monkeypatch.setattr(module, "_fit", lambda *_: module._Law(*values))
    n = sum(votes) + none
    found = further_votes(answers([votes], none=[none]), [n + 1, n + 3], np.ones((n_draws, 1)), seed=5)
    for i, more in enumerate((1, 3)):
        exact = float(expected(votes, none, law, more))
        # Outcomes are in [0, 1]: by Hoeffding's bound, fewer than one in a million of these ten means is further away.
        assert found[i].mean() == pytest.approx(exact, abs=np.sqrt(np.log(2 / 6e-8) / (2 * n_draws)))


def test_recorded_votes_are_kept():
    given = answers([[90, 2], [1, 95], [5, 5]])
    found = further_votes(given, [97, 200], np.ones((50, 3)), seed=1)
    assert (found[:, :, 0] == 1).all()
    assert (found[:, :, 1] == 0).all()
    assert set(np.unique(found[0, :, 2])) <= {0, 0.5, 1}
    short = further_votes(given, [2], np.ones((5, 3)), seed=1)
    assert short[0].tolist() == [[1, 0, 0.5]] * 5


def test_several_correct_answers_and_none():
    votes = answers([[6, 6, 1], [0, 0, 0]], right=[[1, 1, 0], [0, 0, 0]], none=[0, 13])
    found = further_votes(votes, [60], np.ones((200, 2)), seed=2)
    assert found[0, :, 0].mean() > 0.95
    assert (found[0, :, 1] == 0).all()


def test_seed_and_blocks(monkeypatch):
    given = answers([[6, 5, 1], [2, 4, 3]])
    one, same, other = (further_votes(given, [40], np.ones((30, 2)), seed=seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    monkeypatch.setattr(module, "_CELLS", 7)
    assert further_votes(given, [40], np.ones((30, 2)), seed=1).shape == (1, 30, 2)


def test_shares_of_correct_answers_are_fitted_by_likelihood():
    rng = np.random.default_rng(2)
    c = rng.binomial(20, rng.beta(2, 3, 80))
    votes = answers(np.c_[c, 20 - c])
    weights = np.stack([np.ones(80), rng.integers(0, 3, 80)]).astype(float)
    law = module._fit(votes, weights)
    for i, row in enumerate(weights):
        found = row @ stats.betabinom.logpmf(c, 20, law.a[i], law.b[i])
        for mean, size in itertools.product(module._MEANS[::4], module._SIZES[::3]):
            assert row @ stats.betabinom.logpmf(c, 20, mean * size, (1 - mean) * size) <= found + 1e-9


@pytest.mark.parametrize(("total", "width", "alpha"), [(4, 3, 0.5), (5, 5, 2.0), (3, 8, 0.1)])
def test_chances_of_unnamed_counts_add_up_to_one(total, width, alpha):
    chance = 0.0
    for counts in itertools.combinations_with_replacement(range(total + 1), width):
        if sum(counts) == total:
            seen = np.array([[x for x in counts if x] + [0] * counts.count(0)])
            likelihood = np.exp(
                module._partitions(seen, (seen > 0).sum(axis=1), np.array([float(width)]), np.array([alpha]))
            ).item()
            orders = factorial(total) / prod(map(factorial, counts))
            equal = prod(factorial(times) for x, times in Counter(counts).items() if x)
            chance += likelihood * orders / equal
    assert chance == pytest.approx(1)


def test_answers_of_one_model():
    pool = make_pool({("x", "q1"): ["a", "b", None, "b"], ("y", "q1"): ["c"] * 4, ("x", "q2"): ["a"] * 4})
    found = answers_of(pool, "x")
    assert found.none.tolist() == [1, 0]
    assert sorted(found.votes[0].tolist()) == [1, 2]
    assert found.votes[1].tolist() == [4, 0]
    assert (found.votes * found.right).sum(axis=1).tolist() == [1, 4]
