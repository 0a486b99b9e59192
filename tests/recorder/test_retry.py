"""Waits between attempts."""

from mssim.recorder import Retry


def test_waits_double_up_to_the_most():
    retry = Retry(first=1.0, most=5.0)
    waits = [[retry.wait(attempt) for _ in range(200)] for attempt in (1, 2, 3, 4, 5)]
    assert [max(w) <= top and min(w) >= top / 2 for w, top in zip(waits, [1, 2, 4, 5, 5], strict=True)] == [True] * 5


def test_thousands_of_attempts_wait_no_longer_than_the_most():
    assert 30 <= Retry().wait(5000) <= 60
