"""Strategies by name: which run live, what they read, and their random numbers."""

import pytest

from mssim import StrategyError
from mssim.live.strategies import refuse, turns


def test_what_does_not_choose_an_answer_is_refused():
    with pytest.raises(StrategyError, match=r"^cov:x cannot run live: it asks whether any draw is correct"):
        refuse("cov:x")
    with pytest.raises(StrategyError, match=r"^cov:x cannot run live"):
        turns("cov:x", 4, "q")
