"""Values of numbers, against exact arithmetic."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from mssim.grading.number_values import exact_value

decimal_texts = st.from_regex(
    r"-?(\d{1,12}(\.\d{1,9})?|\.\d{1,6})([eE][-+]?\d{1,2})?", fullmatch=True, alphabet="-.eE+0123456789"
)
texts = st.one_of(decimal_texts, st.fractions(max_denominator=10**6).map(str))


@given(texts, texts)
def test_values_are_equal_if_and_only_if_the_numbers_are(a, b):
    assert (exact_value(a) == exact_value(b)) == (Fraction(a) == Fraction(b))
    assert Fraction(exact_value(a)) == Fraction(a)


@given(st.sampled_from(["7", "-0.5", "120", "0"]), st.integers(0, 5), st.integers(0, 5))
def test_zeros_do_not_change_a_value(number, before, after):
    sign, size = ("-", number[1:]) if number[0] == "-" else ("", number)
    padded = sign + "0" * before + size + ("" if "." in size else ".0") + "0" * after
    assert exact_value(padded) == exact_value(number)


def test_a_value_is_exact_and_never_expanded():
    assert exact_value("0.1") != exact_value("0.1000000000000000055511151231257827")
    assert exact_value("1e999999999") == "1e999999999"
    assert exact_value("-0.00") == exact_value("0") == "0"
    assert exact_value("1/8") == exact_value("0.125") != exact_value("1/3")
