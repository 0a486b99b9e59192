"""The optimal Bayesian rule: the authors' decisions, enumeration of all assignments, and what it learns from a pool."""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from mssim import (
    OptimalStop,
    PoolError,
    SelfConsistency,
    StrategyError,
    evaluate,
    evaluate_shard,
    merge,
    parse_strategy,
)
from mssim.engine.requirements import enough_recorded
from mssim.errors import BudgetError
from mssim.rules.stops import optimal
from tests import naive, naive_stops
from tests.conftest import make_pool, replay
from tests.rules.stops.ends import all_agree, decisions, sequences

THREE = ((0.6, 0.3, 0.1), (0.9, 0.1), (0.3, 0.2, 0.2, 0.1, 0.1, 0.1))
SURE = ((1.0,), (0.5, 0.3, 0.2), (0.4, 0.2, 0.2, 0.1, 0.1))
SIX = ((0.5, 0.2, 0.1, 0.1, 0.05, 0.05),)
# Draws after which stop_L3_tilde_uncertain of the authors (github.com/jh9959-afk/Paper, commit
# 4bb951c8e9086cc5cda4eafd4aee5ee5b4ee9bac, LLM_uncertain_prior_final.ipynb) stops on 40 random sequences of 40 answers;
# 0: never. Its L3_posterior_tilde with the only prior SIX has the same decisions at 0.9.
AUTHORS = {
    (0.95, THREE): "3 3 8 3 3 0 12 12 3 10 0 0 0 8 3 29 8 3 35 39 3 6 3 0 3 23 8 19 3 3 0 3 15 3 37 3 3 8 13 8",
    (0.8, THREE): "2 2 4 2 2 4 4 10 2 2 4 4 2 2 2 4 4 2 28 2 2 2 2 2 2 2 4 13 2 2 2 2 11 2 2 2 2 4 2 4",
    (0.99, SURE): "5 5 13 5 5 0 0 0 5 24 0 0 0 0 32 24 15 5 0 35 5 0 5 0 23 33 0 35 23 5 0 5 27 5 0 5 15 13 27 17",
    (0.9, SIX): "3 3 5 3 3 5 11 11 3 5 5 5 9 7 3 5 5 3 28 7 3 5 3 30 3 5 5 13 3 3 6 3 11 3 35 3 3 7 9 7",
    (0.7, SIX): "2 2 4 2 2 4 4 5 2 2 4 4 2 2 2 4 4 2 5 2 2 2 2 2 2 2 4 5 2 2 2 2 6 2 2 2 2 4 2 4",
}


def posterior(priors, answers):
    """The posterior that the library computes for the leader of these answers."""
    first, second = naive_stops.leaders(answers)
    n = len(answers)
    ahead, every = optimal._likelihoods(OptimalStop(0.9, priors)._given(), n, second)
    return ahead[0, first, n - first] / every[0, first, n - first]


def enumerated(prior, votes):
    """P[the leader has the largest share], given only how many votes the leading two and all others have.

    Sums over all votes that answers with these shares can have. A tied leader is each of the tied ones equally often.
    """
    n, (first, second) = sum(votes), sorted([*votes, 0], reverse=True)[:2]
    ahead = every = Fraction(0)
    for counts in itertools.product(range(n + 1), repeat=len(prior)):
        if sum(counts) == n and sorted([*counts, 0], reverse=True)[:2] == [first, second]:
            ways = math.factorial(n) // math.prod(map(math.factorial, counts))
            chance = ways * math.prod(Fraction(str(p)) ** c for p, c in zip(prior, counts, strict=True))
            every += chance
            ahead += chance / counts.count(first) if counts[0] == first else 0
    return ahead / every


@pytest.mark.parametrize(("threshold", "priors"), AUTHORS, ids=str)
def test_the_decisions_of_the_authors(threshold, priors):
    rule = OptimalStop(threshold, priors)
    ends = [decisions(rule, answers) or 0 for answers in sequences(40, seed=2602)]
    assert ends == [int(end) for end in AUTHORS[threshold, priors].split()]


@pytest.mark.parametrize("votes", [(1,), (3,), (2, 1), (2, 1, 1), (3, 1, 1), (4, 2, 2), (3, 2, 1, 1), (4, 1, 1, 1)])
def test_posteriors_are_sums_over_all_assignments_of_shares_to_answers(votes):
    answers = [name for name, n in zip("abcd", votes, strict=False) for _ in range(n)]
    for prior in [(0.6, 0.3, 0.1), (0.4, 0.3, 0.2, 0.1), (0.4, 0.4, 0.1, 0.1)]:
        if len(votes) <= len(prior):
            expected = enumerated(prior, votes)
            assert posterior([prior], answers) == pytest.approx(float(expected), rel=1e-12)
            assert naive_stops.posterior((prior,), len(answers), *naive_stops.leaders(answers)) == expected


@pytest.mark.parametrize("votes", [(1, 1), (2, 2), (2, 2, 1), (1, 1, 1), (2, 2, 2)])
def test_a_tied_leader_has_a_posterior_of_at_most_a_half(votes):
    for prior in [(0.9, 0.08, 0.02), (0.5, 0.25, 0.25)]:
        assert enumerated(prior, votes) <= Fraction(1, len([n for n in votes if n == votes[0]]))
    assert all_agree(OptimalStop(0.51, [(0.9, 0.08, 0.02)]), ["a", "b"]) == 1  # not the tie that follows


@pytest.mark.parametrize(
    ("answers", "expected"),
    [("a", 0.65), ("aa", 0.836207), ("aab", 0.567308), ("aabc", 0.4)],
)
def test_a_mixture_of_priors(answers, expected):
    assert posterior([(0.9, 0.1), (0.4, 0.3, 0.3)], answers) == pytest.approx(expected, abs=1e-6)


def test_many_votes_of_many_answers_keep_their_digits():
    prior = tuple(0.7**i for i in range(7))
    for first, second in [(60, 20), (40, 30), (128, 0), (125, 1)]:
        n = 128
        ahead, every = optimal._likelihoods(OptimalStop(0.9, [prior])._given(), n, second)
        expected = naive_stops.posterior((prior,), n, first, second)
        found = ahead[0, first, n - first] / every[0, first, n - first] if expected else every[0, first, n - first]
        assert found == pytest.approx(float(expected), rel=1e-10)


def test_rare_answers_keep_their_digits():
    prior = (0.9998, 0.0001, 0.0001)
    ahead, every = optimal._likelihoods(OptimalStop(0.9, [prior])._given(), 128, 60)
    for first in (61, 68):
        expected = naive_stops.posterior((prior,), 128, first, 60)
        assert ahead[0, first, 128 - first] / every[0, first, 128 - first] == pytest.approx(float(expected), rel=1e-10)


@pytest.mark.parametrize(
    ("rule", "answers", "end"),
    [
        (OptimalStop(0.95, [(0.6, 0.3, 0.1)]), "aaaaaa", 5),
        (OptimalStop(0.6, [(0.6, 0.3, 0.1)]), "a", 1),  # a posterior of exactly the threshold
        (OptimalStop(0.6, [(3, 6, 1)]), "a", 1),  # in any order and unit
        (OptimalStop(0.8, [(0.6, 0.3, 0.1)]), [None, "a", None, "a", "a"], 5),  # no answer is not a vote
        (OptimalStop(0.8, [(0.6, 0.3, 0.1)]), [None, None, None], None),
        (OptimalStop(0.95, [(0.9, 0.1)]), "bcaaaaaaaaaa", None),  # three answers, where all priors have two
        (OptimalStop(0.7, [(1,), (0.5, 0.5)]), "a", 1),
    ],
)
def test_when_it_stops(rule, answers, end):
    assert all_agree(rule, answers) == end


def test_a_shorter_table_is_the_beginning_of_a_longer_one():
    rule = OptimalStop(0.8, THREE)
    long, short = rule.table(20).by_votes, rule.table(9).by_votes
    assert np.array_equal(long[:, :10, :5, :10], short)
    assert short.any()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: OptimalStop(priors=[(10**400, 1)]), "is not a prior. Use the shares of 1 to 32 answers"),
        (lambda: OptimalStop(0.5), "threshold=0.5 is out of range. Use a probability between 0.5 and 1, e.g. 0.95"),
        (lambda: OptimalStop(0.9, [()]), "() is not a prior. Use the shares of 1 to 32 answers, each at least 0.0001"),
        (lambda: OptimalStop(0.9, (0.6, 0.4)), "() is not a prior"),
        (lambda: OptimalStop(0.9, 0.6), "() is not a prior"),
        (lambda: OptimalStop(0.9, "0.6+0.4"), "('0',) is not a prior"),
        (lambda: OptimalStop(0.9, [(0.6, 0)]), "(0.6, 0) is not a prior"),
        (lambda: OptimalStop(0.9, [(1, math.inf)]), "(1, inf) is not a prior"),
        (lambda: OptimalStop(0.9, [(1, 0.00009)]), "(1, 9e-05) is not a prior"),
        (lambda: OptimalStop(0.9, [range(1, 34)]), "is not a prior"),
        (lambda: OptimalStop(0.9, [(1,)] * 321), "321 priors are too many. Use at most 320"),
        (lambda: parse_strategy("sc:a,stop=optimal:0.9/x"), "cannot be read. Example: stop=optimal:0.95/0.6+0.3+0.1"),
        (
            lambda: OptimalStop().stops(np.zeros(3, np.int64), np.empty((0, 3))),
            "OptimalStop: its priors are learnt from a pool, so it cannot decide alone. Give priors, e.g.",
        ),
    ],
)
def test_what_is_no_rule_is_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    for rule in (OptimalStop(), OptimalStop(0.9, THREE), OptimalStop(0.9, [(12, 3)])):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
    assert parse_strategy("sc:a,stop=optimal:0.9/0.6+0.3+0.1/0.9+0.1").stop == OptimalStop(0.9, THREE[:2])


# Learning -------------------------------------------------------------------------------------------------------------


def test_every_question_learns_from_the_other_folds():
    rng = np.random.default_rng(3)
    votes = rng.multinomial(12, rng.dirichlet(np.full(5, 0.4), size=9))
    order = rng.permutation(9)
    table = OptimalStop(0.9).learn(votes, order, 12)
    assert table.kinds.tolist() == (order % 5).tolist()
    for fold in range(5):
        others = [tuple(row[row > 0].tolist()) for row in votes[order % 5 != fold]]
        assert np.array_equal(table.by_votes[fold], OptimalStop(0.9, others).table(12).by_votes[0])
    assert len({part.tobytes() for part in table.by_votes}) > 1


def test_large_pools_are_learnt_in_part(monkeypatch):
    monkeypatch.setattr(optimal, "_MOST_QUESTIONS", 4)
    monkeypatch.setattr(optimal, "_MOST_ANSWERS", 2)
    votes = np.array([[5, 0, 0], [0, 3, 2], [4, 1, 2], [2, 2, 1], [9, 9, 9], [0, 0, 0]])
    table = OptimalStop(0.7).learn(votes, np.arange(6), 8)
    expected = OptimalStop(0.7, [(3, 2), (4, 2), (2, 2)]).table(8)
    assert np.array_equal(table.by_votes[0], expected.by_votes[0])


def test_where_nothing_is_to_be_learnt_it_does_not_stop():
    votes = np.array([[5, 1], [0, 0]])
    table = OptimalStop(0.7).learn(votes, np.array([0, 1]), 6)
    assert not table.by_votes[0].any()
    assert table.by_votes[1].any()
    assert not OptimalStop(0.7).learn(0 * votes, np.array([0, 1]), 6).by_votes.any()


def many():
    rng = np.random.default_rng(5)
    return make_pool({("x", f"q{q}"): rng.choice([*"aaaabbc"], 8).tolist() for q in range(11)}, truth="a")


@pytest.mark.parametrize("looks", [None, (2, 5)])
def test_what_is_learnt_depends_on_the_pool_alone(tmp_path, looks):
    pool, rule = many(), SelfConsistency("x", stop=OptimalStop(0.9), looks=looks)
    whole = replay(pool, rule, [4, 8], n_replays=30)
    for i in range(3):
        part = {"shard": (i + 1, 3), "checkpoint": tmp_path / f"{i}.part"}
        evaluate_shard(pool, rule, [4, 8], n_replays=30, method="monte_carlo", **part)
    merged = merge(sorted(tmp_path.glob("*.part")))
    assert np.array_equal(merged.samples_used, whole.samples_used)
    assert len(set(whole.samples_used[0, 1].round(6))) > 2


def test_samples_that_a_limit_cuts_off_teach_nothing():
    answers = {("x", "p"): list("aaaabbbb"), ("x", "q"): list("aabaabaa")}
    pool = make_pool(answers, output_tokens=[1, 1, 1, 1, 9, 9, 9, 9] + [1] * 8)
    used = []
    for limit in (None, 1):
        rule = SelfConsistency("x", stop=OptimalStop(0.8), max_tokens=limit)
        used.append(replay(pool, rule, [8], n_replays=20).samples_used[0, 0] * 20)
        assert used[-1].round().tolist() == naive.evaluate(pool, rule, 8, n_replays=20)[1]
    assert used[1][1] == 20 < used[0][1]  # of p, all answers are equal


def test_one_question_has_no_others():
    pool = make_pool({("x", "q"): ["a", "b", "a"]})
    with pytest.raises(PoolError, match=r"stop=optimal:0\.95 learns from other questions, but the pool has only one\."):
        evaluate(pool, "sc:x,stop=optimal", 2)
    assert evaluate(pool, "sc:x,stop=optimal:0.95/0.9+0.1", 2).accuracy.size == 1


def test_tables_have_a_most_number_of_draws():
    pool = make_pool({("x", q): ["a", "b"] for q in "qr"})
    message = r"budget 129 is too large\. stop=optimal:0\.95 supports at most 128 samples\. Lower the budget"
    with pytest.raises(BudgetError, match=message):
        evaluate(pool, "sc:x,stop=optimal", [4, 129, 500], replacement=True)


def test_budgets_that_are_searched_end_there():
    (plan,) = SelfConsistency("x", stop=OptimalStop()).plans(np.array([1, 128, 129, 200]))
    pool = make_pool({("x", q): ["a", "b"] for q in "qr"})
    assert enough_recorded(pool, plan, replacement=True).tolist() == [True, True, False, False]


@pytest.mark.slow
def test_tables_of_the_deepest_budget_take_seconds():
    """With 320 questions of as many answers, six seconds instead of two."""
    rng = np.random.default_rng(1)
    votes = rng.multinomial(64, rng.dirichlet(np.full(60, 1.0), size=100))
    table = OptimalStop().learn(votes, rng.permutation(100), 128)
    assert table.by_votes.any(axis=(1, 2, 3)).all()
    assert Counter(table.kinds.tolist()) == dict.fromkeys(range(5), 20)
