"""BEACON: draws that one can check by hand, the oracle's integrals, and what it refuses."""

import itertools
import random

import numpy as np
import pytest

from mssim import BEACONStop, StrategyError, parse_strategy
from tests.rules.stops.ends import all_agree, decisions, in_python


@pytest.mark.parametrize(
    ("rule", "answers", "scores", "end"),
    [
        (BEACONStop(0.457, 4), "aaaa", [1, 2, 3, 2.5], 4),  # the gain after three is 0.457427
        (BEACONStop(0.458, 4), "aaaa", [1, 2, 3, 2.5], 3),
        (BEACONStop(0.458, 4), "abca", [1, 2, 3, 2.5], 3),  # answers do not matter
        (BEACONStop(0.458, 4), [None, "a", "b", None, "c"], [9, 1, 2, np.nan, 3], 5),
        (BEACONStop(1e-9), "aaa", [2, 2, 2], 3),  # no variance
        (BEACONStop(1e-9), "aaa", [0.1, 0.1, 0.1], 3),
        (BEACONStop(1e9), "aa", [0, 1], None),
        (BEACONStop(1e9, 5), "aaa", [0, 1, 2], 3),
        (BEACONStop(1e-9, horizon=3), "aaaa", [0, 1, 2, 3], 3),
        (BEACONStop(1e-9, horizon=4), "aaaaa", [0, 1, 2, 3, 9], 4),
    ],
)
def test_when_it_stops(rule, answers, scores, end):
    assert all_agree(rule, answers, scores) == end


def test_a_longer_horizon_draws_more():
    """At a price between the one-step gain of three draws, 0.457, and that of two more draws."""
    price, scores = 0.5, [1, 2, 3]
    assert all_agree(BEACONStop(price, 4), "aaa", scores) == 3
    assert all_agree(BEACONStop(price, 5), "aaa", scores) is None


@pytest.mark.slow
def test_kernel_plain_statement_and_oracle_agree():
    rng = random.Random(4)
    for _ in range(150):
        answers = [rng.choice([*"aab", None]) for _ in range(8)]
        scores = [rng.gauss(3, 2) for _ in answers]
        all_agree(BEACONStop(rng.choice([0.05, 0.3, 1.0]), 5), answers, scores)


@pytest.mark.kernels
def test_the_kernel_looks_the_index_up_as_the_plain_statement_does():
    rng = random.Random(5)
    stopped = set()
    for horizon, price in itertools.product((4, 8, 16), (0.01, 0.1, 0.5)):
        rule = BEACONStop(price, horizon)
        for _ in range(12):
            scores = [
                rng.choice([rng.gauss(0, 1), 0.5, 1e6]) if rng.random() < 0.3 else rng.random() for _ in range(20)
            ]
            expected = in_python(rule, ["a"] * 20, scores)
            assert decisions(rule, ["a"] * 20, scores) == expected
            stopped.add(expected)
    assert len(stopped) > 4


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: BEACONStop(0), "BEACONStop: price=0 is out of range. Use a positive number in units of the score"),
        (lambda: BEACONStop(horizon=2), "horizon=2 is out of range. Use an integer from 3 to 64."),
        (lambda: BEACONStop(horizon=65), "horizon=65 is out of range. Use an integer from 3 to 64."),
        (lambda: BEACONStop(column=""), "column='' is not a name"),
        (lambda: parse_strategy("sc:a,stop=beacon:x"), "cannot be read. Example: stop=beacon:0.05/16/score."),
    ],
)
def test_options_that_are_out_of_range_are_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    for rule in (BEACONStop(), BEACONStop(0.01), BEACONStop(0.01, 32, "reward")):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
