"""Windows whose draws all agree: when they end, and how many draws they may have."""

import numpy as np
import pytest

from mssim import StrategyError, WindowStop, parse_strategy
from tests.rules.stops.ends import all_agree


@pytest.mark.parametrize(
    ("rule", "answers", "end"),
    [
        (WindowStop(2), "abbbaa", 4),
        (WindowStop(2), ["a", None, None, None, "b", "b"], 6),
        (WindowStop(1), [None, "a"], 2),
        (WindowStop(3), "aabbbb", 6),  # not after five: the window ends after six
        (WindowStop(3), "aabbb", None),  # what remains after the last whole window stops nothing
        (WindowStop(9), "aaaa", None),
    ],
)
def test_when_it_stops(rule, answers, end):
    assert all_agree(rule, answers) == end


def test_windows_are_whole_numbers():
    assert WindowStop(np.int32(4)) == WindowStop(4)
    for window in (0, 2.0, True, "5", None, 2**15):
        with pytest.raises(StrategyError, match="Use an integer from 1"):
            WindowStop(window)
    assert WindowStop(2**15 - 1).window == 2**15 - 1


def test_its_answer_is_adopted_and_its_text_read_back():
    assert WindowStop.adopts
    assert parse_strategy(f"sc:a,stop={WindowStop(7)}").stop == WindowStop(7)
