"""The one reader of numbers: by hand, by many ways of writing a number, and against exact arithmetic."""

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mssim.grading import numbers as reader
from mssim.grading.latex import normal_form
from mssim.grading.numbers import exact_value, first_number, fraction, last_number, number_in, read_number, whole_number
from tests.grading.number_writers import DASHES, WITH_UNIT, WITHOUT_UNIT

# Many ways of writing -------------------------------------------------------------------------------------------------

wholes = st.integers(0, 10**30).map(str)
afters = st.from_regex(r"\d{0,12}", fullmatch=True, alphabet="0123456789")
tiny = st.tuples(st.just("0"), st.builds(lambda zeros, n: "0" * zeros + str(n), st.integers(0, 28), st.integers(1, 99)))
numbers = st.one_of(st.tuples(wholes, afters), tiny)


def value(sign, whole, after):
    return Fraction(f"{'-' if sign else ''}{whole}.{after or 0}")


def is_one_number(whole, after, name):
    """The comma is a decimal mark in some writers, so that three decimals are a group."""
    return name != "no-break space and comma" or len(whole) > 3 or not after


@pytest.mark.parametrize("name", [*WITHOUT_UNIT, *WITH_UNIT])
@given(number=numbers, sign=st.sampled_from(["", *DASHES]))
def test_a_number_is_read_back_from_all_ways_to_write_it(name, number, sign):
    assume(is_one_number(*number, name))
    written, meant = {**WITHOUT_UNIT, **WITH_UNIT}[name](sign, *number), value(sign, *number)
    assert Fraction(exact_value(read_number(written))) == meant
    for before in ("The answer is ", "so x=", "答案是", "정답은 "):
        if not (written.startswith(("x", "$")) and before[-1] == "="):
            assert Fraction(exact_value(last_number(f"In 7 steps, {before}{written}."))) == meant
            assert Fraction(exact_value(first_number(f"{before}{written}\n\nQ: 12 more"))) == meant


@pytest.mark.parametrize("name", WITHOUT_UNIT)
@given(number=numbers, sign=st.sampled_from(["", *DASHES]))
def test_an_answer_of_mathematics_is_the_exact_number(name, number, sign):
    assume(is_one_number(*number, name))
    assert normal_form(WITHOUT_UNIT[name](sign, *number)) == value(sign, *number)


@given(numbers, numbers, st.sampled_from([*WITHOUT_UNIT]), st.sampled_from([*WITHOUT_UNIT]))
def test_two_numbers_are_one_class_if_and_only_if_they_are_equal(a, b, one, other):
    assume(is_one_number(*a, one) and is_one_number(*b, other))
    first, second = WITHOUT_UNIT[one]("", *a), WITHOUT_UNIT[other]("", *b)
    same = value("", *a) == value("", *b)
    assert (exact_value(read_number(first)) == exact_value(read_number(second))) == same
    assert (normal_form(first) == normal_form(second)) == same


@given(st.integers(-999, 999), st.fractions(0, 1, max_denominator=99).filter(lambda f: 0 < f < 1))
def test_mixed_numbers_add_their_parts(whole, part):
    sign, size = "-" if whole < 0 else "", abs(whole)
    meant = -(size + part) if sign else size + part
    over, under = part.numerator, part.denominator
    for written in (
        f"{sign}{size} {over}/{under}",
        rf"{sign}{size}\frac{{{over}}}{{{under}}}",
        rf"{sign}{size} \tfrac{{{over}}}{{{under}}}",
    ):
        assert fraction(written) == Fraction(exact_value(last_number(f"it is {written} hours"))) == meant


# By hand --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10-5", "5"),
        ("x=-5", "-5"),
        ("10 - 5", "5"),
        ("(-5)", "-5"),
        ("(3)-5", "5"),
        ("y = - 5", "-5"),
        ("_-5_", "-5"),
        ("-$5.50", "-5.50"),
        (r"-\$5", "-5"),
        ("$-5", "-5"),
        ("from 5%-10%", "10"),
        ("从5元-7元", "7"),
        ("5℃-7℃", "7"),
        ("第3-5页", "5"),
        ("温度は-5度", "-5"),
        ("x1为-3，x2为-5", "-5"),
        ("从5到-7", "-7"),
        ("x2는-5", "-5"),
        ("气温是零下5度", "-5"),
        ("영하 5도", "-5"),
        ("答案是**42**。", "42"),
        ("答案是**-42**。", "-42"),
        ("It is**42**", "42"),
        ("__42__", "42"),
        ("答案是3，4", "4"),
        ("共有12，345人", "12345"),
        ("영하 아니라 값은-5", "-5"),
        ("GPT\u20115", "5"),
        ("2020-01-05", "05"),
        ("it is negative 5", "-5"),
        ("a non-negative 5", "5"),
        ("the result is minus 5", "-5"),
        ("Negative 5", "-5"),
        ("negative $5", "-5"),
        ("it equals minus 5", "-5"),
        ("La réponse est moins 5", "-5"),
        (r"$-\textbf{5}$", "-5"),
        (r"$3-\textbf{5}$", "5"),
        ("10 minus 5", "5"),
        ("结果为负5", "-5"),
        ("正负5", "5"),
        ("$1,234.50.", "1234.50"),
        ("it has 12,500 people, 3 of them old", "3"),
        ("1, 250", "250"),
        ("12,34,567", "1234567"),
        ("1,2,3", "3"),
        ("(3,5)", "5"),
        ("Es sind 3,5", "3.5"),
        ("0,125", "0.125"),
        ("3{,}5", "3.5"),
        ("1.234,5", "1234.5"),
        ("1 234,567", "1234.567"),
        ("1.000.000", "1000000"),
        ("1.000", "1.000"),
        ("10 20 300", "300"),
        ("in 2020 100 of", "100"),
        (r"3.141\,592\,65", "3.14159265"),
        ("3.", "3"),
        ("it is .5", ".5"),
        ("v1.2.3", "3"),
        ("1e5", "1e5"),
        ("2e", "2"),
        ("+7", "7"),
        ("50%", "50"),
        ("3/4", "3/4"),
        ("3 / 4 of them", "3/4"),
        ("5/0", None),
        ("on 10/12/2020", "2020"),
        ("2½", "5/2"),
        ("³⁄₄", "3/4"),
        ("2 and 1/2", "5/2"),
        ("007", "007"),
        ("an area of 12 cm^2", "12"),
        ("an area of 12 m²", "12"),
        ("9.8 m/s^2", "9.8"),
        ("9.8 m/s2", "9.8"),
        ("12 cm2", "12"),
        ("12 cm**2", "12"),
        ("12 cm$^2$", "12"),
        ("12 m<sup>2</sup>", "12"),
        ("5 g of CO2", "5"),
        ("room A2", "2"),
        (r"6.02 \times 10^{23}$ mol$^{-1}$", "602000000000000000000000"),
        ("$1010_2$", None),
        (r"1\thinspace 000", "1000"),
        (r"10\quad 200", "200"),
        ("5th", "5"),
        (r"$5^{\text{th}}$", "5"),
        ("x_1", None),
        ("a_{10} = 7", "7"),
        ("2^10", "1024"),
        ("2**10", "1024"),
        ("2 ** 10", "1024"),
        ("**Day 5** 12", "12"),
        ("Day 5 **12**", "12"),
        ("10^2", "100"),
        ("10⁻³", "1e-3"),
        ("2^{1.5}", None),
        ("99^999999999", None),
        (r"\sqrt{2}", None),
        ("√2", None),
        (r"2\pi", None),
        ("2 pi", None),
        ("2*pi", None),
        (r"2\cdot\sqrt{3}", None),
        ("2·π", None),
        ("sqrt(2)", None),
        (r"\frac{\sqrt{3}}{2}", None),
        (r"\frac{5}{\sqrt{x}}", None),
        (r"\frac{2^{10}}{3}", None),
        ("(1+√5)/2", None),
        (r"\pi/2", None),
        ("(-2)^3", None),
        (r"3\sqrt 7", None),
        (r"it is 1,000 \pi", None),
        ("it is 2 pi.", None),
        ("it is 2 pieces", "2"),
        ("it costs -1,234.50.", "-1234.50"),
        ("#### 12,345,678", "12345678"),
        ("it is 0,123", "0.123"),
        ("90°", "90"),
        ("none", None),
        ("", None),
    ],
)
def test_the_last_number_of_a_text(text, number):
    assert last_number(text) == number


words = st.text(
    st.characters(categories=["L", "P", "S", "Z"], exclude_characters="-$\\.,{})]'_^√π×·≈=\u2212\uff0d\u2019\u2018")
)


@given(words, st.decimals(allow_nan=False, allow_infinity=False, places=3), words)
def test_any_number_comes_back_from_the_words_around_it(before, number, after):
    for written in (f"{number:f}", f"{number:,f}", f"${number:,f}", f"{number:f}.".replace("-", "\N{MINUS SIGN}")):
        assert Decimal(last_number(f"{before}: {written} {after}")) == number


PARTS = [
    "x",
    "is",
    "=",
    "#",
    "costs",
    "negative",
    "minus",
    "and",
    " ",
    "\\pi",
    "pi",
    "sqrt",
    "1,234",
    "12",
    "3.5",
    "$7",
]
PARTS += ["-8", "1,2", "0,123", "1,234,567.89", "12,34", "(3,400)", "x_2", "5%", ".", "2 1/2", "3/4", "**9,000**", "°"]
PARTS += ["#### 1,000", "-2,000", "- 2,000", "km^2", "!", "\n"]


@given(st.lists(st.sampled_from(PARTS), min_size=2, max_size=7), st.sampled_from([" ", " ", ""]))
def test_the_short_way_to_a_number_between_words_is_no_other(parts, between):
    text = between.join(parts)
    found = last_number(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "_ALONE", re.compile("(?!)"))
        assert last_number(text) == found


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (" 18 apples.\n\nQ: There are 15", "18"),
        ("-3\nQ: 5", "-3"),
        ("x_1 is 1,250", "1250"),
        ("v1.2.3", "1.2"),
        ("none", None),
    ],
)
def test_the_first_number_of_a_text(text, number):
    assert first_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4 apples", "4"),
        ("", None),
        ("none", None),
        ("$1,234.50", "1234.50"),
        (r"\$5", "5"),
        ("18.", "18"),
        (" - 3 ", "-3"),
        ("{-}3", "-3"),
        ("+7", "7"),
        ("1.2.3", None),
        ("10-5", None),
        ("3+4=7", "7"),
        ("x = 1, x = 250", None),
        ("x > 5", None),
        (r"x \neq 5", None),
        (r"\approx 5", "5"),
        ("1, 250", None),
        ("3 or 4", None),
        (r"5 \text{ or } 6", None),
        ("5x", None),
        ("2xy", None),
        ("5 km/h", "5"),
        (r"10\text{ m/s}^2", "10"),
        (r"12 \text{ m}^2", "12"),
        ("1000 cm^3", "1000"),
        (r"\frac{-3}{4}", "-3/4"),
        (r"\frac{1{,}000}{3}", "1000/3"),
        (r"\frac{1.5}{2}", "3/4"),
        (r"\frac{x}{2}", None),
        (r"\sfrac{1}{2}", "1/2"),
        (r"{1 \over 2}", "1/2"),
        (r"\textcolor{red}{5}", "5"),
        (r"\large 5", "5"),
        (r"\quad 5", "5"),
        (r"5^{\text{th}}", "5"),
        (r"0.\overline{3}", "1/3"),
        (r"1.2\bar{45}", "137/110"),
        (r"0.\dot 9", "1"),
        ("(-5)", "-5"),
        ("{1,2}", None),
        ("5!", None),
        ("2 pi", None),
        ("£-5", "-5"),
        (r"2\sqrt{2}", None),
        (r"3\pi", None),
        ("(3, 4)", None),
        ("5:30", None),
        ("5 (hours)", "5"),
        (r"\text{13 apples}", "13"),
    ],
)
def test_a_text_that_is_one_number(text, number):
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The answer is 18", "18"),
        ("It is negative 5", "-5"),
        ("Option 3", "3"),
        ("5 apples and 3 pears", None),
        ("f(3)", "3"),
        (r"\sqrt{2}", None),
        ("2x", None),
        ("3+4", None),
        ("5!", None),
        ("±5", None),
        (r"10_{\text{two}}", None),
    ],
)
def test_the_only_number_among_words(text, number):
    assert number_in(text) == number


def test_a_unit_or_an_ambiguous_comma_is_no_exact_value():
    assert [fraction(text) for text in ("5 km", "3,5", "0,125", "1, 250", "9e9999")] == [None] * 5
    assert (fraction("1,250"), whole_number("5 km"), whole_number("1e400")) == (1250, None, "1e400")
