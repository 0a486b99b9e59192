"""Patterns of numbers: what is one number, and which mark separates groups."""

import re

import pytest

from mssim.grading.number_grammar import FRACTION, NUMBER, SIZE, TEX_COMMA, spelled

S = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (r"10\,000", f"10{S}000"),
        (r"10\;000", f"10{S}000"),
        (r"10{\,}000", f"10{S}000"),
        ("10~000", f"10{S}000"),
        ("10{,}000", f"10{TEX_COMMA}000"),
        (r"10,\!000", f"10{TEX_COMMA}000"),
        (r"\left(5\right)", "(5)"),
        ("{-}5", "-5"),
        ("0{.}5", "0.5"),
        (r"10\mathord{,}000", f"10{TEX_COMMA}000"),
        (r"{1 \over 2}", r"\frac{1 }{ 2}"),
        (r"1\quad 200", "1   200"),
        (r"\color{red}{5}", "{5}"),
        ("1，000", "1,000"),
        ("3，4", "3, 4"),
        ("about~ten", "about~ten"),
    ],
)
def test_marks_of_groups_are_one_character(text, same):
    assert spelled(text) == same


@pytest.mark.parametrize("text", ["1,234", "12,34,567", "1 234", "1'234", "1_234", "1.234,5", "1.234.567", "3,5", ".5"])
def test_digits_with_marks_are_one_size(text):
    assert re.fullmatch(SIZE, text)


@pytest.mark.parametrize("text", ["1,23,4", "1234,567", "1 23", "0 123", "1'23", "12.34.56", "1, 234", "1,2,3"])
def test_other_marks_separate(text):
    assert not re.fullmatch(SIZE, text)


def test_kinds_of_numbers():
    kinds = {"2 1/2": "mixed", r"\frac12": "frac", "3/4": "slash", "2^{10}": "power", r"1.5 \times 10^{-3}": "scale"}
    for text, kind in kinds.items():
        found = re.fullmatch(NUMBER, text)
        assert found
        assert found[kind] is not None
    assert re.fullmatch(FRACTION, r"\dfrac{1}{2}")
    assert re.fullmatch(FRACTION, r"\nicefrac{1}{2}")
    assert not re.fullmatch(NUMBER, "1/2/2020")
