"""The anytime-valid rule: rational arithmetic, the martingale it rests on, and the error rate that it promises."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import EValueStop, StrategyError, parse_strategy
from mssim.rules.stops.evalue import log_e_value
from tests import naive
from tests.rules.stops.ends import all_agree, decisions, in_python


@pytest.mark.parametrize("alpha", [0.5, 0.1, 0.05, 0.001])
def test_the_table_is_exact(alpha):
    table = EValueStop(alpha).table(60).by_second
    for second, need in enumerate(table):
        assert need == next((v for v in range(61) if naive.e_value(v, second) * Fraction(alpha) >= 1), 61)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (7, 0), (10, 1), (20, 19), (60, 11)])
def test_the_logarithm_is_that_of_the_rational_e_value(first, second):
    e_value = np.exp(log_e_value(np.array(first), np.array(second)))
    assert e_value == pytest.approx(float(naive.e_value(first, second)), rel=1e-10)


@given(st.lists(st.booleans(), max_size=12))
def test_e_values_are_a_martingale_under_a_fair_coin(flips):
    first, second = sum(flips), len(flips) - sum(flips)
    after = naive.e_value(first + 1, second) + naive.e_value(first, second + 1)
    assert after / 2 == naive.e_value(first, second)


@pytest.mark.parametrize("chance", [0.5, 0.45, 0.3])
@pytest.mark.parametrize("alpha", [0.2, 0.05])
def test_an_answer_that_is_not_the_likeliest_is_hardly_ever_stopped_on(alpha, chance):
    """The chance that the rule stops on answer A within 400 draws, exactly: at most alpha where A is no likelier."""
    depth = 400
    need = EValueStop(alpha).table(depth).by_second
    going, stopped = {0: 1.0}, 0.0  # by votes for A
    for n in range(1, depth + 1):
        after = {}
        for votes, p in going.items():
            for more, q in ((1, chance), (0, 1 - chance)):
                after[votes + more] = after.get(votes + more, 0.0) + p * q
        going = {}
        for votes, p in after.items():
            first, second = max(votes, n - votes), min(votes, n - votes)
            if first < need[second]:
                going[votes] = p
            elif votes == first:
                stopped += p
    assert 0 < stopped <= alpha
    if chance == 0.5:
        assert stopped > alpha / 4  # and the promise is not empty


@pytest.mark.parametrize(
    ("rule", "answers", "end"),
    [
        (EValueStop(), "aaaaaaa", 7),
        (EValueStop(), "aaaaaa", None),
        (EValueStop(0.67), "a", 1),  # the e-value of one vote is 3/2
        (EValueStop(0.66), "a", None),
        (EValueStop(0.67), [None, "a"], 2),
        (EValueStop(0.99), [None, None, None], None),
    ],
)
def test_when_it_stops(rule, answers, end):
    assert all_agree(rule, answers) == end


def test_an_e_value_that_is_one_over_alpha_stops_whatever_its_rounding():
    for rule in (EValueStop(2 / 3), EValueStop(math.nextafter(2 / 3, 0))):
        assert decisions(rule, ["a"]) == in_python(rule, ["a"]) == 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: EValueStop(0), "EValueStop: alpha=0 is out of range. Use an error rate between 0 and 1, e.g. 0.05"),
        (lambda: EValueStop(1), "EValueStop: alpha=1 is out of range"),
        (lambda: parse_strategy("sc:a,stop=evalue:x"), "stop='evalue:x' cannot be read. Example: stop=evalue:0.05."),
    ],
)
def test_what_is_no_error_rate_is_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    assert parse_strategy(f"sc:a,stop={EValueStop(0.01)}").stop == EValueStop(0.01)
