"""Numbers in words: signs, digits and units."""

import pytest

from mssim.report.wording import percent, points, probability, quantity_of, with_interval


@pytest.mark.parametrize(
    ("largest", "value", "text"),
    [
        (12.5, 3, "3 USD per question"),
        (0.01, 0.00999, "0.00999 USD per question"),
        (0.0099, 0.0012, "1.2 USD per 1,000 questions"),
        (0.000002, 0.0000016, "1.6 USD per million questions"),
        (1e-12, 1e-12, "1e-06 USD per million questions"),
    ],
)
def test_small_amounts_of_money_are_for_many_questions(largest, value, text):
    assert quantity_of("cost", largest, "USD").amount(value) == text


def test_money_without_a_currency_has_no_invented_one():
    assert quantity_of("cost", 2).amount(1) == "1 units of cost per question"
    assert quantity_of("cost", 2).axis == "money per question (mean, units of cost)"


@pytest.mark.parametrize(("value", "text"), [(1, "1 token"), (1.5, "1.5 tokens"), (12345.6, "12,346 tokens")])
def test_units_are_plural_where_english_says_so(value, text):
    assert quantity_of("tokens", 10).amount(value) == f"{text} per question"


def test_axes_say_what_is_used():
    assert quantity_of("samples_used", 8).axis == "samples used per question (mean)"
    assert quantity_of("latency", 8).axis == "seconds per question (mean)"


def test_nothing_has_no_sign():
    assert [points(x) for x in (0.0004, -0.0004, 0.0, 0.012, -0.012)] == ["0.0", "0.0", "0.0", "+1.2", "-1.2"]


def test_unknown_limits_are_left_out():
    nan = float("nan")
    assert with_interval(0.5, nan, nan) == percent(0.5) == "50.0%"
    assert with_interval(0.5, nan, nan, difference=True) == "+50.0 points"


def test_a_probability_is_never_zero():
    assert probability(0.0) == "p < 0.0001"
    assert probability(1.0) == "p = 1"
