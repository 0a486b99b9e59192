"""Stopping on the leader's share: the authors' decisions, and draws without an answer."""

import pytest
from adaptive_consistency import AC, MajorityStoppingCriteria

from mssim import MajorityStop, StrategyError, parse_strategy
from tests.rules.stops.ends import all_agree, same_decisions


@pytest.mark.parametrize("share", [0.8, 0.9, 0.95, 0.99])
def test_the_decisions_of_the_package_of_adaptive_consistency(share):
    """Version 1.0.0 of the authors' package, on random sequences of one to six answers."""
    same_decisions(MajorityStop(share), AC(stop_criteria=MajorityStoppingCriteria(share)))


def test_the_default_is_that_of_the_package():
    assert MajorityStop().share == MajorityStoppingCriteria().conf_thresh


@pytest.mark.parametrize(
    ("rule", "answers", "end"),
    [
        (MajorityStop(0.8), "abaaa", 5),  # a share of exactly 4/5
        (MajorityStop(0.81), "abaaa", None),
        (MajorityStop(0.8), "aa", 2),
        (MajorityStop(0.8), [None, "a", "a", "a", "a"], 5),  # no answer is a draw, and no vote
        (MajorityStop(0.5), [None, None, None], None),
        (MajorityStop(0.8, min_samples=1), "a", 1),
        (MajorityStop(0.8, min_samples=4), "aaaa", 4),
        (MajorityStop(1.0), "abbbbb", None),
    ],
)
def test_when_it_stops(rule, answers, end):
    assert all_agree(rule, answers) == end


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MajorityStop(0), "MajorityStop: share=0 is out of range. Use a share from above 0 to 1"),
        (lambda: MajorityStop(1.1), "share=1.1"),
        (lambda: MajorityStop(0.8, min_samples=0), "min_samples=0 is out of range. Use an integer from 1 to 32767"),
        (lambda: parse_strategy("sc:a,stop=majority:0.8/2/3"), "cannot be read. Example: stop=majority:0.8/2."),
    ],
)
def test_what_is_no_share_or_number_of_samples_is_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    for rule in (MajorityStop(), MajorityStop(0.75, 5)):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
