"""ReASC: draws that one can check by hand, the rule of unit weights, and what it refuses."""

import math
import random

import numpy as np
import pytest
from scipy import special

from mssim import BetaStop, PoolError, ReASCStop, SelfConsistency, StrategyError, evaluate, parse_strategy
from mssim.kernels.number_stops import STEPS
from tests.conftest import make_pool
from tests.naive_stops import ahead
from tests.rules.stops.ends import all_agree, decisions, sequences


@pytest.mark.parametrize(
    ("rule", "answers", "confidence", "end"),
    [
        (ReASCStop(), "aaa", [1, 0.5, -1], 2),  # weights 2.014 + 1.419: 1 - 2^-4.433 = 0.9537
        (ReASCStop(), "aab", [1, 0.4, -1], 2),  # 1 - 2^-4.337 = 0.9505
        (ReASCStop(), "aab", [1, 0.35, -1], None),  # 1 - 2^-4.291 = 0.9489
        (ReASCStop(), "a", [1.7151], 1),
        (ReASCStop(), "a", [1.715], None),
        (ReASCStop(), "aaaa", [-9, -9, -9, -9], 4),
        (ReASCStop(0.75), "a", [-1], 1),  # a certainty of exactly 3/4
        (ReASCStop(centre=10, scale=2), "a", [13.4302], 1),
        (ReASCStop(gate=0.5), "ab", [0.5, 9], 1),
        (ReASCStop(gate=0.5), "ab", [0.4, 0.9], None),  # the gate is for the first draw
        (ReASCStop(gate=0.5), [None, "a"], [0.9, 0.9], None),
        (ReASCStop(0.51), [None, None], [math.nan, math.nan], None),
        (ReASCStop(), [None, "a", None, "a"], [math.nan, 1, math.nan, 0.5], 4),
    ],
)
def test_when_it_stops(rule, answers, confidence, end):
    assert all_agree(rule, answers, confidence) == end


def test_the_runner_up_is_weighted_too():
    """A confident other answer delays the stop."""
    assert all_agree(ReASCStop(), "abaaa", [1, 1, 0.5, 0, 0]) is None
    assert all_agree(ReASCStop(), "abaaa", [1, -1, 0.5, 0, 0]) == 5


@pytest.mark.slow
@pytest.mark.kernels
def test_kernel_plain_statement_and_oracle_agree():
    rng = random.Random(3)
    for answers in sequences(40, seed=8):
        given = [answer if rng.random() < 0.9 else None for answer in answers]
        confidence = [rng.gauss(0, 1) for _ in given]
        options = rng.choice([0.6, 0.9, 0.99]), rng.choice([0, 0.3, 2]), rng.gauss(0, 0.3), rng.choice([0.5, 2])
        all_agree(ReASCStop(*options, gate=rng.choice([None, 1.5])), given, confidence)


def test_without_a_rate_it_is_the_beta_rule():
    for threshold in (0.75, 0.9, 0.95):
        for answers in sequences(20, seed=1):
            found = decisions(ReASCStop(threshold, rate=0), answers, [5.0] * len(answers))
            assert found == decisions(BetaStop(threshold), answers)


def test_the_table_holds_the_least_weights_that_are_enough():
    table = ReASCStop().table(8)
    second = np.arange(table.enough.size) / STEPS
    assert special.betaincc(table.enough + 1, second + 1, 0.5) == pytest.approx(0.95, abs=1e-10)
    assert table.enough[0] == pytest.approx(math.log2(20) - 1)
    assert (np.diff(table.enough) > 0).all()


@pytest.mark.parametrize(("first", "second"), [(0.0, 0.0), (2.5, 0.0), (4.43, 1.0), (7.7, 6.1), (60.5, 41.25)])
def test_the_oracle_integrates_the_posterior(first, second):
    assert ahead(first, second) == pytest.approx(special.betaincc(first + 1, second + 1, 0.5), abs=1e-9)


def test_confidences_that_are_not_scaled_are_refused():
    pool = make_pool({("x", "q"): ["a", "b", None]}, confidence=[0.3, 30.0, 900.0])
    with pytest.raises(PoolError) as error:
        evaluate(pool, SelfConsistency("x", stop=ReASCStop()), 2)
    assert str(error.value) == (
        "sc:x,stop=reasc:0.95: sample 1 of model 'x' for question 'q': confidence=30 is not below 19.7364. One such "
        "draw weighs more than 1e+06 votes. Set centre and scale so that (confidence - centre) / scale is about 0 to "
        "1, e.g. stop=reasc:0.95/0.7/<mean>/<standard deviation>."
    )
    evaluate(pool, SelfConsistency("x", stop=ReASCStop(centre=10, scale=10)), 2, n_replays=2)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ReASCStop(1.0), "ReASCStop: threshold=1.0 is out of range. Use a certainty"),
        (lambda: ReASCStop(rate=-1), "rate=-1 is out of range. Use a number from 0, e.g. 0.7"),
        (lambda: ReASCStop(scale=0), "scale=0 is out of range. Use a positive number, e.g. 1"),
        (lambda: ReASCStop(centre=math.inf), "centre=inf is out of range"),
        (lambda: ReASCStop(centre=10**400), "is out of range. Use a finite number"),
        (lambda: ReASCStop(rate=False), "rate=False is out of range"),
        (lambda: ReASCStop(gate=math.nan), "gate=nan is out of range. Use a confidence, or remove it"),
        (lambda: ReASCStop(column="a/b"), "column='a/b' cannot be written as text, where / separates options. Rename"),
        (lambda: ReASCStop(column=""), "column='' is not a name. Use the name of a recorded number"),
        (lambda: ReASCStop(gate="high"), "gate='high' is out of range. Use a confidence, or remove it"),
        (
            lambda: parse_strategy("sc:a,stop=reasc:x"),
            "cannot be read. Example: stop=reasc:0.95/0.7/0.0/1.0/confidence.",
        ),
    ],
)
def test_options_that_are_out_of_range_are_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    for rule in (ReASCStop(), ReASCStop(0.9, 0), ReASCStop(0.9, 0.5, -0.2, 0.1, "p", 0.7)):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
    assert str(ReASCStop(centre=-0.5, gate=0.0)) == "reasc:0.95/0.7/-0.5/1/confidence/0"
