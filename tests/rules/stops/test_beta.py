"""Adaptive-Consistency's rule: the authors' decisions, rational arithmetic, and what it does not promise."""

import math
from fractions import Fraction

import numpy as np
import pytest
from adaptive_consistency import AC, BetaStoppingCriteria
from scipy import integrate, special

from mssim import BetaStop, SelfConsistency, StrategyError, evaluate, parse_strategy
from mssim.rules.stops.beta import chance_to_lead
from tests import naive
from tests.conftest import make_pool
from tests.rules.stops.ends import all_agree, same_decisions


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95, 0.99])
def test_the_decisions_of_the_package_of_adaptive_consistency(threshold):
    """Version 1.0.0 of the authors' package, on random sequences of one to six answers."""
    same_decisions(BetaStop(threshold), AC(stop_criteria=BetaStoppingCriteria(threshold)))


def test_the_default_is_that_of_the_package():
    assert BetaStop().threshold == BetaStoppingCriteria().conf_thresh


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (4, 0), (3, 2), (9, 4), (20, 19), (40, 11)])
def test_one_minus_the_incomplete_beta_function_is_the_ratio_of_its_integrals(first, second):
    mode = first / (first + second) if first else 0.5

    def posterior(x):  # over its maximum, for the sake of the integrals' precision
        return (x / mode) ** first * ((1 - x) / max(1 - mode, 0.5)) ** second

    upper, whole = integrate.quad(posterior, 0.5, 1)[0], integrate.quad(posterior, 0, 1)[0]
    closed = 1 - special.betainc(first + 1, second + 1, 0.5)
    assert closed == pytest.approx(upper / whole, rel=1e-8)
    assert closed == pytest.approx(float(naive.leads(first, second)), rel=1e-12)
    assert chance_to_lead(np.array(first), np.array(second)) == pytest.approx(closed, rel=1e-12)


@pytest.mark.parametrize("threshold", [0.51, 0.75, 0.9, 0.95, 0.96875, 0.999])
def test_the_table_is_exact(threshold):
    """Against rational arithmetic, at thresholds that a certainty hits exactly (3/4, 31/32) too."""
    table = BetaStop(threshold).table(60).by_second
    for second, need in enumerate(table):
        assert need == next((v for v in range(61) if naive.leads(v, second) >= Fraction(threshold)), 61)


@pytest.mark.slow
def test_tables_of_thousands_of_draws_are_made_at_once():
    table = BetaStop().table(30_000).by_second
    assert table.size == 15_001
    lead = table - np.arange(table.size)
    assert (np.diff(lead) >= 0).all()
    # With many votes theta is nearly normal, and the leader needs 1.645 standard deviations.
    assert lead[10_000] == pytest.approx(1.645 * math.sqrt(2 * 10_000), rel=0.02)


@pytest.mark.compiled
def test_it_makes_no_promise_of_an_error_rate():
    """Looking after every draw, a posterior of 0.95 is reached far more often than in one of twenty fair coins."""
    pool = make_pool({("x", f"q{q}"): ["a", "b"] for q in range(20)}, truth="b")
    result = evaluate(pool, SelfConsistency("x", stop=BetaStop()), 100, n_replays=500, replacement=True)
    assert result.agreed.mean() > 0.5


@pytest.mark.parametrize(
    ("rule", "answers", "end"),
    [
        (BetaStop(), "aaaa", 4),
        (BetaStop(), "aaabaaa", 7),
        (BetaStop(), "abababab", None),
        (BetaStop(0.75), "a", 1),  # a certainty of exactly 3/4
        (BetaStop(0.75), [None, "a"], 2),
        (BetaStop(0.51), [None, None, None], None),
    ],
)
def test_when_it_stops(rule, answers, end):
    assert all_agree(rule, answers) == end


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: BetaStop(0.5),
            "BetaStop: threshold=0.5 is out of range. Use a certainty between 0.5 and 1, e.g. 0.95",
        ),
        (lambda: BetaStop(1.0), "threshold=1.0 is out of range. Use"),
        (lambda: BetaStop("0.9"), "threshold='0.9' is out of range. Use"),
        (lambda: parse_strategy("sc:a,stop=beta:2"), "threshold=2.0 is out of range. Use a certainty"),
    ],
)
def test_thresholds_that_are_no_certainty_are_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    for rule in (BetaStop(), BetaStop(0.9)):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
    assert parse_strategy("sc:a,stop=beta").stop == BetaStop()
