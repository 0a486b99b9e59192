"""ConSol's mixture SPRT: the authors' decisions, 50 digits, and what its defaults mean."""

import math

import numpy as np
import pytest

from mssim import MixtureSPRTStop, StrategyError, parse_strategy
from tests import naive_stops
from tests.rules.stops.ends import all_agree, decisions, sequences

CLOSE = MixtureSPRTStop(256, 256, beta=0.9446)  # a setting of the authors in which ties stop
# Draws after which MsprtConfidenceModel of ConSol (github.com/LiuzLab/consol, commit
# 20f69173a09373a4347bf44f460b73a42228161c, consol/confidence_models.py) stops on 40 random sequences of 40 answers. Its
# SprtConfidenceModel with its defaults has the decisions of the first line.
CONSOL = {
    MixtureSPRTStop(): "9 9 9 3 3 6 19 5 11 3 7 19 5 12 9 3 22 9 3 9 3 9 17 3 3 3 3 3 3 3 5 3 6 5 15 15 3 3 3 29",
    CLOSE: "6 10 6 3 3 6 8 5 7 3 10 7 5 13 10 3 8 12 3 6 3 6 8 3 3 3 3 3 3 3 5 3 6 5 6 25 3 3 3 8",
    MixtureSPRTStop(20, 5, 0.1, 0.6): (
        "2 2 2 3 3 2 2 2 2 3 2 2 2 4 2 3 5 2 3 4 3 2 2 3 3 3 3 3 3 3 2 3 13 7 4 2 3 3 3 2"
    ),
}


@pytest.mark.parametrize("rule", CONSOL, ids=str)
def test_the_decisions_of_consol(rule):
    ends = [decisions(rule, answers) or 0 for answers in sequences(40, seed=2503)]
    assert ends == [int(end) for end in CONSOL[rule].split()]


def test_the_defaults_are_those_of_consol():
    rule = MixtureSPRTStop()
    assert (rule.a, rule.b, rule.alpha, rule.beta) == (1e6, 1e6, 0.05, 1 - 0.05 - 0.00006)


def test_the_defaults_stop_at_a_lead_of_three():
    table = MixtureSPRTStop().table(256)
    second = np.arange(126)  # up to 254 draws
    assert np.array_equal(table.by_second[:126], second + 3)
    assert np.array_equal(np.flatnonzero(table.give_up >= np.arange(129)), [127, 128])  # ties of so many votes
    # The plain SPRT with p1 = 0.5001: a lead counts 0.0002 a vote, and a tie does nearly nothing.
    high, low, beta = math.log(0.050024 / 0.05), math.log(0.949976 / 0.95), 0.5001
    ratio = second * math.log(2 - 2 * beta)
    assert [math.ceil((high - r) / math.log(2 * beta)) for r in ratio] == table.by_second[:126].tolist()
    assert 128 * math.log(4 * beta * (1 - beta)) > low


@pytest.mark.parametrize(("a", "b"), [(1e6, 1e6), (256, 256), (1, 1), (20, 5), (3, 8)])
def test_log_ratios_have_twelve_digits(a, b):
    first, second = np.array([1, 2, 3, 50, 127, 127, 200]), np.array([0, 0, 1, 47, 127, 100, 0])
    expected = [float(naive_stops.log_ratio(a, b, *pair)) for pair in zip(first.tolist(), second.tolist(), strict=True)]
    found = MixtureSPRTStop(a, b).log_ratio(first, second)
    assert found == pytest.approx(expected, rel=1e-11, abs=1e-14)


def test_a_uniform_prior_gives_the_e_value():
    """With theta uniform above 1/2, LR is the mean of (2 theta)^v1 (2 - 2 theta)^v2: 6.2 for four votes."""
    assert MixtureSPRTStop(1, 1).log_ratio(np.array([1, 4]), np.array([0, 0])) == pytest.approx(np.log([1.5, 6.2]))


@pytest.mark.parametrize(
    ("rule", "answers", "end"),
    [
        (MixtureSPRTStop(), "aaa", 3),
        (MixtureSPRTStop(), "abaaba", None),
        (MixtureSPRTStop(), "abaaa", 5),
        (CLOSE, "abbaab", 6),  # three votes each: the two do not differ
        (CLOSE, "acbbaab", 7),
        (CLOSE, "ab", None),
        (MixtureSPRTStop(1, 1, 0.05, 0.5), "ababab", 6),
        (MixtureSPRTStop(), [None, None, None, "a", "a", "a"], 6),
        (MixtureSPRTStop(), [None, None, None], None),
    ],
)
def test_when_it_stops(rule, answers, end):
    assert all_agree(rule, answers) == end


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"a": 0}, "a=0 is out of range. Use a number from above 0 to 1e9, e.g. 1e6"),
        ({"b": 2e9}, "b=2000000000.0 is out of range"),
        ({"alpha": 1}, "alpha=1 is out of range. Use a number between 0 and 1"),
        ({"alpha": 0.1}, "alpha=0.1 and beta=0.94994 leave no space between the two bounds. Use numbers with a sum"),
        ({"a": 1, "b": 10_000}, "a=1.0 and b=10000.0 favour the next answer so much that the leader has no chance"),
    ],
)
def test_options_that_make_no_test_are_refused(options, says):
    with pytest.raises(StrategyError) as error:
        MixtureSPRTStop(**options)
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    for rule in (MixtureSPRTStop(), CLOSE, MixtureSPRTStop(2, 3)):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
    assert parse_strategy("sc:a,stop=msprt:256/256/0.05/0.9446").stop == CLOSE
