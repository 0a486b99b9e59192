"""Votes by rank, on draws that one can check by hand and against the authors' code."""

import numpy as np
import pytest

from mssim import Pool, SelfConsistency, StrategyError, Vote, parse_strategy
from tests.conftest import replay
from tests.rules.votes.by_hand import A_LEADS, decisions, elected, recorded, sequences, wins

# Winners of src/voting_from_list.py of github.com/backprop07/Self-Certainty, commit b17d021, on `sequences(300)`.
SQUARE_ROOT = (
    "cbbdaaabaabbaca-bbaaabababbdcaacbadcaaaababbacaaaaabbaaabc-aaaddaaa-baaabdcbababaaaaaabdbaadbdcacdcb"
    "caaaabcaab-aaaabadcdaaaaaabbabbaaadbabcdaaaadcaabbaaacadaabaaabaaabdaaaccaabbdaaacaaabaabaaaaaaacaab"
    "aaaabdaadcababbaabbbaaabacbaaabaabbbbaaabbcbabadcababbaaababdbaabcaaabcbadbaabbbaaca--abdbbaddabaaab"
)
SQUARE = (
    "cbadaaabaaabaca-bbaaacaaabbbcaacbadcaaaaaacdaccdaaabbaaabc-aadddaaa-baaabdbbababacaaaabdbaadadcacdcb"
    "caaaabcaab-aadabacccaabdaabaaacaaddaabcdaaaaaaaabbcaacabaddbaabaaabdaaabcbabcdaabcaabbaabaaaabaacbab"
    "aaaabdaadcdbbbccdabbaaabddbcacaaabbbbababbcbabadcaaabbadababdbaabcbacbcdaabaabdbaaca--abdbbadbabcaab"
)
RANKED = [("a", 9), ("b", 8), ("b", 7), ("c", 6), ("c", 5)]


@pytest.mark.parametrize(("power", "winners"), [(0.5, SQUARE_ROOT), (2, SQUARE)])
def test_winners_are_those_of_the_authors(power, winners):
    assert "".join(elected(Vote.borda(power), draws) for draws in sequences(300)) == winners


@pytest.mark.parametrize("power", [0.3, 1.2])
def test_decisions_are_those_of_scorio_where_all_draws_have_an_answer(power):
    scorio = pytest.importorskip("scorio.aggregate")
    for answers, numbers, right in decisions(Vote.borda(power)):
        assert (scorio.rank_weighted_vote(answers, numbers, p=power) == "a") == right


@pytest.mark.parametrize(("power", "winner"), [(0.5, "b"), (1, "b"), (3, "a"), (30, "a")])
def test_weights_are_powers_of_the_rank_from_below(power, winner):
    """With power 1 the weights are 5, 4, 3, 2, 1, so b has 7; with 3 a has 125, b 64 + 27."""
    assert wins(Vote.borda(power), winner, x=RANKED) == 1


def test_power_0_is_the_plurality():
    assert wins(Vote.borda(0), "a", x=A_LEADS) == 1


def test_equal_scores_tie():
    """With power 2 a has 25, and so has b: 16 + 9."""
    assert elected(Vote.borda(2), RANKED) == "a"
    assert elected(Vote.borda(2), RANKED[::-1]) == "b"
    assert wins(Vote.borda(2, ties="wrong"), "a", x=RANKED) == 0


def test_a_draw_without_an_answer_keeps_its_rank():
    """Ranks a, b, b, none: with power 1.5 a has 8 and b 8.02. Without the last rank, a has 5.2 and b 3.8."""
    draws = [("a", 9), ("b", 8), ("b", 7)]
    assert wins(Vote.borda(1.5), "b", x=[*draws, (None, 1)]) == 1
    assert wins(Vote.borda(1.5), "a", x=draws) == 1
    assert wins(Vote.borda(1.5), "a", x=[(None, 99), *draws]) == 1


@pytest.mark.compiled
def test_a_draw_without_a_number_is_last():
    frame = recorded("b", x=[("a", 9), ("b", 8), ("b", 7), (None, 99)]).to_frame()
    pool = Pool.from_frame(frame.assign(confidence=[9, 8, 7, np.nan]))
    assert replay(pool, {"": SelfConsistency("x", Vote.borda(1.5))}, 4, n_replays=50).accuracy.item() == 1


def test_equal_numbers_are_ranked_in_the_order_of_the_draws():
    draws = [("a", 5), ("b", 5), ("b", 1), ("a", 0)]  # 4 + 1 against 3 + 2
    assert elected(Vote.borda(2), draws) == "a"  # 16 + 1 against 9 + 4
    assert elected(Vote.borda(2), [draws[1], draws[0], *draws[2:]]) == "b"


def test_it_is_written_with_its_power():
    assert str(SelfConsistency("x", Vote.borda(2, column="p"))) == "sc:x,vote=borda,column=p,power=2"
    assert parse_strategy("sc:x,vote=borda").vote == Vote.borda(0.5)
    for power in (-1, 31, "high"):
        with pytest.raises(StrategyError, match=r"vote: power=.* is not a number from 0 to 30\. Use e\.g\. 0\.5, or"):
            Vote.borda(power)
