"""Best-of-Majority, on draws that one can check by hand and against the authors' code."""

from dataclasses import replace

import pytest

from mssim import SelfConsistency, StrategyError, Vote, parse_strategy
from tests.rules.votes.by_hand import decisions, elected, sequences, wins

# Winners of pessimistic_select_k in grader.py of github.com/jkx19/PassAtK, commit 2c39aff, with threshold 0.2 and
# k = 1, on the draws of `sequences(300)` that have an answer.
A_FIFTH = (
    "cdadaaabababaca-bbadbcbabbbdaaacbadabcdaaacdaccdaabbaaaacc-bdbddaca-aaaabdbbacabacacaabdbbadadcbcdcb"
    "cabcbacaaa-aadabbccdabadbadadacaaddaabcdabaaacaabbbaacbbaddbbabaaabdcaabcbabbdaabcaabbbababaabaacbab"
    "bdaabdaadcdbbbccdadbaaabddbcacaabbbcbaaabbcbabaacaaabbaaabacbbabbcbacbcdadbdabdbaaca--bbdbbadbabcaac"
)
EXAMPLE = [
    *(("a", 0.3), ("a", 0.4), ("a", 0.5), ("a", 0.4)),
    *(("b", 0.6), ("b", 0.5), ("b", 0.7), ("c", 0.95)),
]


def test_winners_are_those_of_the_authors():
    answered = [[draw for draw in draws if draw[0]] for draws in sequences(300)]
    assert "".join(elected(Vote.best_of_majority(0.2), draws) for draws in answered) == A_FIFTH


@pytest.mark.parametrize("alpha", [0, 0.25, 0.4])
def test_decisions_are_those_of_scorio_where_an_answer_has_the_share(alpha):
    """Where none has, scorio takes the best mean of all answers."""
    scorio = pytest.importorskip("scorio.aggregate")
    compared = 0
    for answers, numbers, right in decisions(Vote.best_of_majority(alpha)):
        if max(map(answers.count, answers)) >= alpha * len(answers):
            assert (scorio.best_of_majority(answers, numbers, alpha=alpha) == "a") == right
            compared += 1
    assert compared > 270


@pytest.mark.parametrize(("alpha", "winner"), [(0, "c"), (0.125, "c"), (0.2, "b"), (0.375, "b"), (0.5, "a")])
def test_the_best_mean_of_the_answers_with_enough_votes_wins(alpha, winner):
    """Of eight draws, a has 4 with the mean 0.4, b 3 with 0.6, and c 1 with 0.95."""
    assert wins(Vote.best_of_majority(alpha), winner, x=EXAMPLE) == 1


def test_without_an_answer_of_enough_votes_the_most_frequent_ones_remain():
    assert wins(Vote.best_of_majority(0.6), "a", x=EXAMPLE) == 1
    assert wins(Vote.best_of_majority(0.9), "b", x=[*EXAMPLE, ("b", 0.6)]) == 1  # four votes each


def test_the_share_is_of_all_draws():
    draws = [("a", 1), ("a", 1), ("a", 1), ("b", 9)]
    assert wins(Vote.best_of_majority(0.25), "b", x=draws) == 1
    assert wins(Vote.best_of_majority(0.25), "a", x=[*draws, (None, 0)]) == 1


@pytest.mark.parametrize(("alpha", "n"), [(0.1, 10), (0.3, 10), (0.7, 10), (0.15, 20)])
def test_a_share_that_is_a_whole_number_of_draws_is_enough(alpha, n):
    few = round(alpha * n)
    draws = [("b", 9)] * few + [("a", 1)] * (n - few)
    assert wins(Vote.best_of_majority(alpha), "b", x=draws) == 1


def test_scores_may_be_negative_and_cancel():
    assert wins(Vote.best_of_majority(0), "b", x=[("a", -1), ("b", -0.5), ("a", -3)]) == 1
    assert elected(Vote.best_of_majority(0, ties="wrong"), [("a", 2), ("a", 2)]) == "a"
    assert wins(Vote.best_of_majority(0, ties="wrong"), "b", x=[("b", 0), ("a", 0.1), ("a", 0.2), ("a", -0.3)]) == 0


def test_a_draw_counts_the_prior_weight_of_its_model():
    """b has 2 of 5 weighted draws, and the mean (2 x 3 + 0) / 3 = 2 with weights 2 and 1."""
    models = {"x": [("b", 3), ("a", 1)], "y": [("b", 0), ("c", 1.9)]}
    assert wins(Vote.best_of_majority(0.5, prior=(2, 1)), "b", **models) == 1
    assert wins(Vote.best_of_majority(0, prior=(2, 1)), "b", **models) == 1
    assert wins(Vote.best_of_majority(0), "c", **models) == 1  # b has the mean 1.5


def test_it_is_written_with_its_share():
    assert str(SelfConsistency("x", Vote.best_of_majority())) == "sc:x,vote=best_of_majority"
    assert parse_strategy("sc:x,vote=best_of_majority,alpha=0.25").vote == Vote.best_of_majority(0.25)
    with pytest.raises(StrategyError, match=r"vote: alpha=1\.5 is not a share from 0 to 1\. Use e\.g\. 0\.1\."):
        Vote.best_of_majority(1.5)
    with pytest.raises(StrategyError, match=r"ballots='frequent' supports only within='none'\. Remove within="):
        replace(Vote.best_of_majority(), within="entropy")
