"""ConSol's p-value rule: the authors' decisions, rational arithmetic, and when it stops."""

import math
from fractions import Fraction

import numpy as np
import pytest

from mssim import BetaStop, PValueStop, StrategyError, parse_strategy
from mssim.rules.stops.pvalue import evidence
from tests.rules.stops.ends import all_agree, decisions, sequences

# Draws after which PValueConfidenceModel of ConSol (github.com/LiuzLab/consol, commit
# 20f69173a09373a4347bf44f460b73a42228161c, consol/confidence_models.py) stops on 40 random sequences of 40 answers; 0:
# never.
CONSOL = {
    0.05: "22 18 0 5 11 19 0 18 25 5 0 0 8 0 0 5 29 0 0 28 5 16 0 5 5 5 5 5 5 5 8 5 15 8 0 0 5 0 5 0",
    0.01: "0 33 0 7 0 38 0 27 29 7 0 0 11 0 0 25 0 0 0 0 7 19 0 7 7 7 7 7 7 7 19 7 22 15 0 0 7 0 7 0",
}


@pytest.mark.parametrize("alpha", CONSOL)
def test_the_decisions_of_consol(alpha):
    ends = [decisions(PValueStop(alpha), answers) or 0 for answers in sequences(40, seed=2503)]
    assert ends == [int(end) for end in CONSOL[alpha].split()]


@pytest.mark.parametrize("alpha", [0.25, 0.05, 1 / 32, 0.01, 1e-14])
def test_the_table_is_exact(alpha):
    """Against rational arithmetic, at levels that a p-value hits exactly (1/4, 1/32) and below the rounding of 1."""
    table = PValueStop(alpha).table(60).by_second
    for second, need in enumerate(table):

        def p_value(first, second=second):
            n = first + second
            return Fraction(sum(math.comb(n, k) for k in range(first, n + 1)), 2**n)

        assert need == next((v for v in range(61) if p_value(v) <= alpha), 61)


def test_it_is_a_posterior_with_one_vote_less():
    """P[X >= v1] of v1 + v2 fair coins is P[theta < 1/2] for theta ~ Beta(v1, v2 + 1), the rule `beta` without +1."""
    first, second = np.array([5, 7, 9]), np.array([0, 1, 2])
    assert np.exp(-evidence(first, second)) == pytest.approx([1 / 32, 9 / 256, 67 / 2048], rel=1e-12)
    later = PValueStop(0.05).table(40).by_second - BetaStop(0.95).table(40).by_second
    assert later.tolist()[:7] == [1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("rule", "answers", "end"),
    [
        (PValueStop(), "aaaaa", 5),
        (PValueStop(), "aaabaaaa", 8),
        (PValueStop(0.25), [None, "a", "a"], 3),
        (PValueStop(0.4), "ababab", None),
        (PValueStop(0.4), [None, None, None], None),
    ],
)
def test_when_it_stops(rule, answers, end):
    assert all_agree(rule, answers) == end


@pytest.mark.parametrize("alpha", [0, 0.5, 1.0, "0.05", None])
def test_levels_that_are_none_are_refused(alpha):
    with pytest.raises(StrategyError, match=r"alpha=.* is out of range\. Use a level between 0 and 0\.5, e\.g\. 0\.05"):
        PValueStop(alpha)


def test_it_reads_back_from_its_text():
    for rule in (PValueStop(), PValueStop(0.01)):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
