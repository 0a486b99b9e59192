"""Waits between attempts."""

from mssim.recorder import Retry


def test_waits_double_up_to_the_most():
    retry = Retry(first=1.0, most=5.0)
    waits = [[retry.wait(attempt) for _ in range(200)] for attempt in (1, 2, 3, 4, 5)]
    assert [max(w) <= top and min(w) >= top / 2 for w, top in zip(waits, [1, 2, 4, 5, 5], strict=True)] == [True] * 5


def test_waits_after_very_many_attempts_are_finite():
    assert 2.5 <= Retry(first=1.0, most=5.0).wait(10_000) <= 5
