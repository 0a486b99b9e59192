"""Votes by the class that wins, on draws that one can check by hand; test_interpreter has all votes."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from mssim import StrategyError, Vote
from mssim.live import Draw
from mssim.live.votes import elect, plurality


def winner(vote, *stages, rank=float):
    """The class that wins; draws are classes, or classes with a number."""
    column = vote.column or "confidence"
    drawn = [[Draw(d) if isinstance(d, int) else Draw(d[0], {column: d[1]}) for d in draws] for draws in stages]
    return elect(vote, drawn, rank)


def test_the_most_votes_win():
    assert winner(Vote.plurality(), [2, 0, -1, -1, -1, 0]) == 0
    assert winner(Vote.plurality(), [0, 0], [1, 1, 1]) == 1
    assert winner(Vote.plurality(prior=(2, 1)), [0, 0], [1, 1, 1]) == 0
    assert winner(Vote.plurality(), [-1, -1], []) == -1
    assert winner(Vote.plurality(), [], []) == -1


def test_ties_are_first_random_or_no_answer():
    assert winner(Vote.plurality(), [2, 0, 0, 2]) == 2
    assert winner(Vote.plurality(), [2], [0, 1], [1, 0]) == 0
    assert winner(Vote.plurality(ties="random"), [2, 0, 0, 2], rank=lambda c: -c) == 0
    assert winner(Vote.plurality(ties="random"), [2, 0, 0, 2], rank=float) == 2
    assert winner(Vote.plurality(ties="random"), [2, 0, 1, 0], rank=float) == 0
    assert winner(Vote.plurality(ties="wrong"), [2, 0, 0, 2]) == -1
    assert winner(Vote.plurality(ties="wrong"), [2, 0, 0, 0]) == 0
    assert plurality([], "first", float) == plurality([Draw(-1)], "wrong", float) == (-1, 0)
    assert plurality([Draw(1), Draw(0)], "wrong", float) == (-1, 1)


def test_sums_in_different_orders_are_equal():
    a, b, c = 0.1, 0.2, 0.3
    assert (a + b) + c != a + (b + c)
    tied = [(0, a), (0, b), (0, c), (1, c), (1, b), (1, a)]
    assert winner(Vote.score_sum(ties="wrong"), tied) == -1
    assert winner(Vote.plurality(prior=(0.1, 0.2, 0.3), ties="wrong"), [0], [0], [1]) == -1
    assert winner(Vote.score_sum(ties="wrong"), [(0, 1.0), (1, 1.0 + 2e-9)]) == 1
    assert winner(Vote.score_sum(ties="wrong"), [(0, 1.0), (1, 1.0 + 0.5e-9)]) == -1


def test_sums_that_cancel_tie_by_the_size_of_the_numbers():
    cancelled = [(0, 0.1), (0, 0.2), (0, -0.3), (1, 0.0)]
    assert sum(number for c, number in cancelled if c == 0) > 0
    assert winner(Vote.score_sum(ties="wrong"), cancelled) == -1
    assert winner(Vote.score_sum(), [(1, 0.0), (0, 0.1), (0, -0.1 + 1e-10)]) == 0
    assert winner(Vote.score_sum(), [(1, -2.0), (0, -1.0), (-1, 5.0)]) == 0
    large = [(0, 100000.1), (0, 200000.2), (0, -300000.3), (1, 0.0)]
    assert sum(number for _, number in large) > 1e-11
    assert winner(Vote.score_sum(ties="wrong"), large) == -1
    assert winner(Vote.score_sum(ties="wrong"), [(0, 1e-6), (1, 2e-6), (-1, 1e9)]) == 1  # which does not vote


def test_numbers_weigh_votes_or_the_highest_wins():
    draws = [(0, 1.0), (0, 1.0), (0, 1.0), (1, 2.0), (1, 1.5), (2, 3.4)]
    assert winner(Vote.score_sum(), draws) == 1
    assert winner(Vote.best_of_n(), draws) == 2
    assert winner(Vote.best_of_n(), draws, [(3, 3.5)]) == 3
    assert winner(Vote.best_of_n(prior=(1, 0.5)), draws, [(3, 3.5)]) == 2
    assert winner(Vote.confidence(100), draws) == 0
    assert winner(Vote.confidence(0.1), draws) == 2
    assert winner(Vote.confidence(0.001), [(0, 1.0), (-1, 1e6)]) == 0
    assert winner(Vote.confidence(0.001), [(0, -5000.0), (1, -4000.0)]) == 1  # exp of either is 0


def test_the_shortest_draws_of_each_model_vote():
    assert winner(Vote.shortest(3), [(0, 9), (0, 8), (0, 7), (1, 1), (1, 3), (2, 2)]) == 1
    assert winner(Vote.shortest(2), [(0, 5), (1, 4), (0, 5)]) == 1  # the shorter comes first
    assert winner(Vote.shortest(1), [(0, 2), (-1, 1)]) == -1
    assert winner(Vote.shortest(1), [(0, 2), (-1, math.nan)]) == 0
    assert winner(Vote.shortest(1), [(0, 2), (1, 2)]) == 0
    # The two shortest of the first model differ and weigh 1/2 each, its third draw does not count.
    weighed = replace(Vote.shortest(2), within="entropy")
    assert winner(weighed, [(0, 1), (1, 2), (0, 3)], [(2, 1)]) == 2


def test_the_likeliest_best_of_m():
    draws = [(0, 0.3), (0, 0.2), (0, 0.1), (1, 0.4)]
    # (3/4)^m against 1 - (3/4)^m
    assert winner(Vote.majority_of_bests(2), draws) == 0
    assert winner(Vote.majority_of_bests(3), draws) == 1
    # Draws with one number share their chance, also over models: 1/2 each.
    assert winner(Vote.majority_of_bests(9, ties="wrong"), [(0, 0.3)], [(1, 0.3)]) == -1
    assert winner(Vote.majority_of_bests(9, prior=(1, 1.1)), [(0, 0.3)], [(1, 0.3)]) == 1
    assert winner(Vote.majority_of_bests(1), [(2, 0.3), (0, 0.4), (1, 0.4)]) == 2  # 1/3 each
    assert winner(Vote.majority_of_bests(30000), [(0, 0.3), (1, 0.4), (-1, 0.5)]) == 1
    assert winner(Vote.majority_of_bests(2), [-1], []) == -1


def test_weights_within_a_model():
    # Shares 2/3 and 1; entropies of 2 votes against 1, and of 2 against 2.
    assert winner(Vote(within="share"), [0, 0, 1], [2]) == 2
    assert winner(Vote(within="share"), [0, -1, -1], [2, 1]) == 2
    # 3 (1/4 + 3/4 (1 - H(3/4))) = 1.17 against 1
    assert winner(Vote.entropy(), [0, 0, 0, 1], [2]) == 0
    # 2 (1/3 + 2/3 (1 - H(2/3))) = 0.78 by distinct answers, and 1.23 by samples: H is divided by log2 3
    assert winner(Vote.entropy(), [0, 0, 1], [2]) == 2
    assert winner(Vote.entropy(normaliser="samples"), [0, 0, 1], [2]) == 0
    # Their score is 0.7756.
    assert winner(Vote.entropy(prior=(1, 0.775)), [0, 0, 1], [2]) == 0
    assert winner(Vote.entropy(prior=(1, 0.776)), [0, 0, 1], [2]) == 2
    # Without an answer, a draw does not weigh: 1 against 0.78
    assert winner(Vote.entropy(), [0, 0, 1], [2, -1, -1, -1]) == 2


def test_the_model_that_agrees_most_answers():
    assert winner(Vote.max_consistency(), [0, 0, 1], [1, 1, 1]) == 1
    assert winner(Vote.max_consistency(), [0, 0, 1], [1, 1, 2]) == 0
    assert winner(Vote.max_consistency(), [2, 2, 1], [0, 0, 1], [0, 0]) == 0
    # Under "random" the answers that lead a model with the highest share are tied; under "wrong" none of them wins.
    assert winner(Vote.max_consistency(ties="random"), [0, 1], [2, 3], [4, 5, 6], rank=float) == 3
    assert winner(Vote.max_consistency(ties="wrong"), [0, 0, 1], [1, 1, 2]) == -1
    assert winner(Vote.max_consistency(ties="wrong"), [0, 0, 1], [0, 0, 2], [-1]) == 0
    assert winner(Vote.max_consistency(), [-1], []) == -1


def scored(*scores, ties="first"):
    """Winner of three classes, seen as 2, 0, 1, by a function that returns these scores."""
    return winner(Vote.own(lambda *_: np.array(scores), ties=ties), [2, 0, 1])


def test_scores_of_a_function():
    assert scored(1, 2, 3) == 2
    assert scored(1, 3, 3) == 2
    assert scored(3, 1, 2.5) == 0
    assert scored(1, 3, 3, ties="wrong") == -1
    assert scored(1, 3 + 1e-10, 3, ties="wrong") == -1
    assert scored(1, -math.inf, math.nan) == 0
    assert scored(math.inf, 3, math.inf) == 2
    assert scored(-math.inf, -math.inf, -math.inf) == 2
    assert scored(math.nan, math.nan, math.nan) == -1


def test_the_most_confident_share_votes_with_its_confidence():
    draws = [(0, 9), (0, 8), (1, 5), (-1, 99), (1, 5), (1, 5.5)]
    assert winner(Vote.deepconf(0.6), draws) == 0
    assert winner(Vote.deepconf(0.9, prior=(1, 3)), [(1, 5)], [(0, 2)]) == 1  # the second is not kept
    assert winner(Vote.deepconf(1.0, prior=(1, 3)), [(1, 5)], [(0, 2)]) == 0
    assert winner(Vote.deepconf(0.9, ties="wrong"), [(1, 2)], [(0, 2)]) == -1
    assert winner(Vote.deepconf(), [-1]) == -1
    with pytest.raises(StrategyError, match=r"votes weigh their confidence, which must not be negative, but a sample"):
        winner(Vote.deepconf(), [(0, -0.1)])


def test_votes_weigh_by_rank():
    ranked = [(0, 9), (1, 8), (1, 7), (2, 6), (2, 5)]
    assert winner(Vote.borda(1), ranked) == 1
    assert winner(Vote.borda(3), ranked) == 0
    assert winner(Vote.borda(2, ties="wrong"), ranked) == -1
    assert winner(Vote.borda(1.5), [(0, 9), (1, 8), (1, 7)], [-1]) == 1  # as many ranks as draws
    assert winner(Vote.borda(1.5), [(0, 9), (1, 8), (1, 7)]) == 0


def test_the_best_mean_of_the_frequent_answers_wins():
    draws = [(0, 0.3), (0, 0.4), (0, 0.5), (0, 0.4), (1, 0.6), (1, 0.5), (1, 0.7), (2, 0.95)]
    for alpha, expected in ((0, 2), (0.2, 1), (0.5, 0), (0.6, 0)):
        assert winner(Vote.best_of_majority(alpha, column="confidence"), draws) == expected
    assert winner(Vote.best_of_majority(0.125, column="confidence"), [*draws, -1]) == 1
    assert winner(Vote.best_of_majority(column="confidence"), [-1]) == -1


def test_a_function_is_called_with_votes_by_stage_where_answers_differ():
    heard = []

    def score(counts, prior):
        heard.append((counts.tolist(), prior.tolist()))
        counts[:] = 0
        return np.array([2, 1, 0, 9])  # nobody voted for the last one but one

    vote = Vote.own(score, prior=(1, 4, 2))
    assert winner(vote, [3, 0, 3], [-1, 0], []) == 3
    assert heard == [([[1, 0, 0, 2], [1, 0, 0, 0], [0, 0, 0, 0]], [0.25, 1, 0.5])]
    assert winner(vote, [3, 3], [-1], []) == 3
    assert winner(vote, [-1], [], []) == -1
    assert len(heard) == 1


def test_a_function_may_read_the_draws_that_vote():
    def tokens(counts, prior, stages, answers, numbers):
        assert (counts.tolist(), prior.tolist()) == ([[1, 0, 0], [0, 0, 1]], [0.5, 1])
        assert (stages.tolist(), answers.tolist()) == ([0, 0, 1, 1], [0, -1, 2, -1])
        return np.array([numbers[0][answers == c].sum() for c in range(3)])

    vote = Vote.own(tokens, columns="confidence", prior=(1, 2))
    assert winner(vote, [(0, 8), -1], [(2, 7), -1]) == 0
    assert winner(vote, [(0, 6), -1], [(2, 7), -1]) == 2


def test_what_is_wrong_with_a_function_is_said():
    says = "Vote.own: the function must return one number per answer class, here 2. It returned an array of shape (1,)"
    with pytest.raises(StrategyError, match=re.escape(says)):
        winner(Vote.own(lambda *_: np.ones(1)), [0, 1])
    with pytest.raises(StrategyError, match=r"^Vote\.own: calling the function failed: .* by zero"):
        winner(Vote.own(lambda *_: 1 // 0), [0, 1])
