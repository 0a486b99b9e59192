"""Normal forms of LaTeX answers: equal for plainly equal answers, different for others."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.grading.latex import as_latex, normal_form


@pytest.mark.parametrize(
    "same",
    [
        [r"\frac{1}{2}", r"\dfrac12", r"\tfrac{2}{4}", "1/2", "0.5", ".50", "$1/2$", r"\(0.5\)", "0.5."],
        ["1234", "1,234", "1,234.0", " +1234 ", r"\[1234\]"],
        ["-3", "\N{MINUS SIGN}3", "-3.0", r"-\frac{6}{2}"],
        [r"\left( x , y \right)", "(x,y)", r"(x,\,y)"],
        [r"2 \pi  r", r"2 \pi r", r"2\pi r"],
    ],
)
def test_plainly_equal_answers_have_one_form(same):
    assert len({normal_form(text) for text in same}) == 1


@pytest.mark.parametrize(
    "texts",
    [
        ["1/0", "1", "0"],
        ["1,23", "123"],
        ["1 2", "12"],
        ["x", "y"],
        [r"\leftarrow", "arrow"],
        ["1, 250", "1,250"],
        ["9" * 501, "9" * 502],
    ],
)
def test_other_answers_keep_their_own_form(texts):
    assert len({normal_form(text) for text in texts}) == len(texts)


@given(
    st.fractions(0, max_denominator=999), st.sampled_from([r"\frac{%d}{%d}", r"\dfrac{%d}{%d}", "%d/%d", " %d / %d "])
)
def test_fractions_are_exact(value, written):
    assert normal_form(written % (value.numerator, value.denominator)) == value
    assert normal_form(f"-{value.numerator}/{value.denominator}") == -value


@given(st.decimals(0, 10**9, allow_nan=False, places=3))
def test_decimals_and_thousands_are_exact(value):
    assert normal_form(f"{value:,}") == normal_form(f"${value}$") == normal_form(f"+{value}.") == Fraction(value)


def test_numbers_of_up_to_five_hundred_characters_are_exact():
    assert normal_form("1" * 500) == int("1" * 500)
    assert normal_form("1" * 501) == "1" * 501


@pytest.mark.parametrize(
    ("answer", "latex"),
    [
        (r"10\,000", "10000"),
        ("1.50", "1.50"),
        ("2½", r"\frac{5}{2}"),
        (r"-\frac{6}{4}", r"-\frac{6}{4}"),
        (r"1.6\times 10^{-19}", r"1.6 \times 10^{-19}"),
        (r"\text{13}", "13"),
        (r"\mathbf{-13}", "-13"),
        (r"\text{13 apples}", r"13\text{ apples}"),
        ("90°", r"90^\circ"),
        ("90º", r"90^\circ"),
        ("90^o", r"90^\circ"),
        ("√3", r"\sqrt{3}"),
        ("√(x+1)", r"\sqrt{x+1}"),
        ("√{3}", r"\sqrt{3}"),
        ("2·x", r"2\cdot x"),
        ("x²", "x^{2}"),
        ("（1，2）", "(1,2)"),
        ("3、5", "3, 5"),
        ("x≤3", r"x\le 3"),
        ("5。", "5"),
        ("5元", "5"),
        ("5 平方米", "5"),
        (r"\frac{1}{\mathrm{e}}", r"\frac{1}{e}"),
        ("1, 250", "1, 250"),
        ("3,5", "3,5"),
        ("12 cm²", "12"),
        ("12 dollars", "12"),
        ("3 m/s^2", "3"),
        ("4 x^2", "4 x^2"),
        ("2 theta", "2 theta"),
        ("5 hours and 3 minutes", "5 hours and 3 minutes"),
        ("1和2", "1, 2"),
        (r"3\text{ hours }20\text{ min}", r"3, 20\text{ min}"),
        (r"3\ \text{h}\ 20", "3, 20"),
        (r"5~\text{cm}", r"5\,\text{cm}"),
        ("10~000", "10000"),
    ],
)
def test_math_verify_is_given_latex(answer, latex):
    assert as_latex(answer) == latex
