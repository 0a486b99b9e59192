"""DeepConf offline, on draws that one can check by hand and against the authors' package."""

import math

import pytest

from mssim import Mixture, SelfConsistency, StrategyError, Vote, evaluate, parse_strategy
from mssim.pools.pool import Pool
from tests.rules.votes.by_hand import decisions, elected, recorded, sequences, wins

# Winners of the functions filter_top_confidence and weighted_majority_vote of deepconf 0.1.0 on `sequences(300)`.
TOP_TENTH = (
    "cdadaaabaabbaca-dbadbcbabbcbcaacbdccaaaaaacdaccdaaabbbbabc-abdddaad-baaabdbbabbbccacaabdbbadadcacdca"
    "cabcaacaaa-aadabddccadbdaadadacaadcaaabdaaaaaaaabbcaababaddbaabaaaddcaabcbabadabbcaacbaababaabaacaab"
    "adbdbdaadcbbbbccdabbaaabddbaacbdabbbdababbcbabadbaabbbadababdbbbbcbacbddaabaabdbdaca--bbdbbacbabcaab"
)
TOP_NINE_TENTHS = (
    "cbadaaabaaabaca-bbaaacababbdcaacbadcaaaaaabbacadaaabaaaabc-adaddaaa-baaabdbbababaaaaaabdbaadadcacdcb"
    "caaaabcaab-aadabadcdaaadaabbabbaaadaabcdaaaadcaabbaaacadaadaaabaaabdaaabcaabbdaaacaabbaabaaaabaacaab"
    "aaaabdaadcabbbccdabbaaabadbaaabaabbbbaaabbcbabaacaaabbaaababdbaabcaaabcdadbaabbbaaca--abdbbadbabcaab"
)
EXAMPLE = [("a", 9), ("a", 8), ("b", 5), ("b", 5), ("b", 5.5)]


@pytest.mark.parametrize(("keep", "winners"), [(0.1, TOP_TENTH), (0.9, TOP_NINE_TENTHS)])
def test_winners_are_those_of_the_package(keep, winners):
    assert "".join(elected(Vote.deepconf(keep), draws) for draws in sequences(300)) == winners


def test_decisions_are_those_of_scorio_where_it_keeps_as_many():
    """It keeps ceil(keep n) draws: as many as 1 + floor(keep (n - 1)) for 9 and 10 draws and a half."""
    scorio = pytest.importorskip("scorio.aggregate")
    compared = 0
    for answers, numbers, right in decisions(Vote.deepconf(0.5)):
        if math.ceil(0.5 * len(answers)) == 1 + math.floor(0.5 * (len(answers) - 1)):
            assert (scorio.filtered_vote(answers, numbers, keep=0.5) == "a") == right
            compared += 1
    assert compared == 40 * 12


@pytest.mark.parametrize(("keep", "winner"), [(0.2, "a"), (0.6, "a"), (0.8, "a"), (1.0, "a")])
def test_confident_draws_outvote_a_majority(keep, winner):
    """Of all draws, a has 17 and b 15.5; with 0.6 a and b have 17 and 5.5."""
    assert wins(Vote.deepconf(keep), winner, x=EXAMPLE) == 1


def test_a_share_of_the_draws_with_an_answer_is_kept():
    """Of twelve draws 1 + floor(0.9 x 11) = 10 are kept: b has five votes of 1, a five of 1.1; not its two of 0.5."""
    draws = [*[("a", 1.1)] * 5, *[("b", 1.2)] * 5, ("a", 0.5), ("a", 0.4)]
    assert wins(Vote.deepconf(0.9), "b", x=draws) == 1
    assert wins(Vote.deepconf(1.0), "a", x=draws) == 1
    without = [(None, 9)] * 12
    assert wins(Vote.deepconf(0.9), "b", x=draws + without) == 1


def test_draws_as_confident_as_the_last_kept_one_are_kept():
    assert wins(Vote.deepconf(0.1), "b", x=[("a", 5), ("b", 5), ("b", 5), ("c", 1)]) == 1


def test_of_tied_answers_the_one_seen_first_among_kept_draws_wins():
    draws = [("a", 1), ("b", 9), ("a", 9)]
    assert elected(Vote.deepconf(0.5), draws) == "b"
    assert elected(Vote.deepconf(0.5, ties="wrong"), [("a", 1), ("a", 9)]) == "a"
    assert elected(Vote.deepconf(1.0), [("c", 0), ("b", 0)]) == "c"


def test_the_filter_is_over_all_models_and_prior_weights_multiply_what_is_left():
    models = {"x": [("a", 8), ("a", 7)], "y": [("b", 9), ("c", 1)]}
    assert wins(Vote.deepconf(0.4), "a", **models) == 0  # 9 against 8
    assert wins(Vote.deepconf(0.4, prior=(2, 1)), "a", **models) == 1
    assert wins(Vote.deepconf(0.1, prior=(2, 1)), "b", **models) == 1  # the only one kept


def test_negative_confidences_are_refused_with_a_remedy():
    pool = recorded("a", x=[("a", -0.5), ("b", -0.1), (None, -9)])
    says = r"votes weigh their confidence, which must not be negative, but the lowest is -0\.5\. Record e\.g\. exp\("
    with pytest.raises(StrategyError, match=says):
        evaluate(pool, "sc:x,vote=deepconf", 2)
    frame = pool.to_frame()
    sure = Pool.from_frame(frame.assign(probability=[0.6, 0.9, 0.1]))
    assert evaluate(sure, "sc:x,vote=deepconf,column=probability", 3).accuracy.item() == 0
    assert evaluate(pool, Mixture(["x"], Vote.borda()), 3).accuracy.item() == 0


def test_it_is_written_with_the_share_that_is_kept():
    assert str(SelfConsistency("x", Vote.deepconf())) == "sc:x,vote=deepconf"
    assert str(parse_strategy("sc:x,vote=deepconf,keep=0.9,column=p")) == "sc:x,vote=deepconf,column=p,keep=0.9"
    for keep in (0, 1.1, "most", math.nan):
        with pytest.raises(StrategyError, match=r"vote: keep=.* is not a share above 0, up to 1\. Use e\.g\. 0\.1\."):
            Vote.deepconf(keep)
