"""Stopping on little scatter: the authors' decisions, thresholds that an entropy hits, draws without an answer."""

import math

import pytest
from adaptive_consistency import AC, EntropyStoppingCriteria

from mssim import EntropyStop, StrategyError, parse_strategy
from tests.rules.stops.ends import all_agree, decisions, in_python, same_decisions


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95, 0.99])
def test_the_decisions_of_the_package_of_adaptive_consistency(threshold):
    """Version 1.0.0 of the authors' package, on random sequences of one to six answers."""
    same_decisions(EntropyStop(threshold), AC(stop_criteria=EntropyStoppingCriteria(threshold)))


def test_the_default_is_that_of_the_package():
    assert EntropyStop().threshold == EntropyStoppingCriteria().conf_thresh


@pytest.mark.parametrize(
    ("rule", "answers", "end"),
    [
        (EntropyStop(), "aaaa", 4),
        (EntropyStop(0.75), [None, "a", "a", "a", "a"], 5),  # no answer is an answer that nobody shares
        (EntropyStop(1.0), [None, None], None),
        (EntropyStop(1.0), "ab", 2),
        (EntropyStop(1.0, min_samples=1), "a", 1),
        (EntropyStop(1.0, min_samples=4), "abcdef", 4),
    ],
)
def test_when_it_stops(rule, answers, end):
    assert all_agree(rule, answers) == end


def entropy_ratio(*votes):
    """Entropy over its maximum, summed in an order and by a logarithm that neither implementation uses."""
    n = sum(votes)
    return math.fsum(v / n * math.log(n / v) for v in sorted(votes)) / math.log(len(votes))


@pytest.mark.parametrize("votes", [(1, 4), (2, 3), (1, 2, 3), (1, 1, 5), (1, 2, 4, 7), (3, 3, 5), (1, 9), (2, 2, 9)])
@pytest.mark.parametrize("stops", [decisions, in_python])
def test_an_entropy_that_equals_the_threshold_stops_whatever_its_rounding(stops, votes):
    """Nine digits below the entropy of all draws, the threshold is another one."""
    answers = [c for c, n in zip("abcd", votes, strict=False) for _ in range(n)]
    ratio = entropy_ratio(*votes)
    last = {"min_samples": sum(votes)}
    assert stops(EntropyStop(ratio, **last), answers) == sum(votes)
    assert stops(EntropyStop(math.nextafter(ratio, 0), **last), answers) == sum(votes)
    assert stops(EntropyStop(ratio - 3e-10, **last), answers) == sum(votes)
    assert stops(EntropyStop(ratio - 3e-9, **last), answers) is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: EntropyStop(math.nan), "EntropyStop: threshold=nan is out of range. Use a number from above 0 to 1"),
        (lambda: EntropyStop(0), "EntropyStop: threshold=0 is out of range"),
        (lambda: EntropyStop(1.01), "EntropyStop: threshold=1.01 is out of range"),
        (lambda: EntropyStop(0.5, 0), "min_samples=0 is out of range. Use an integer from 1 to 32767"),
    ],
)
def test_what_is_no_threshold_or_number_of_samples_is_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    for rule in (EntropyStop(), EntropyStop(0.5, 1)):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
