"""Characters that stand for those of ASCII."""

import pytest

from mssim.grading.characters import plain


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("abc 1-2", "abc 1-2"),
        ("−５．２", "-5.2"),
        ("˗5", "-5"),
        ("١٬٢٣٤٫٥", "1'234.5"),
        ("２½", "2 1/2"),
        ("½", "1/2"),
        ("³⁄₄", "3/4"),
        ("10⁻⁵", "10^{-5}"),
        ("x₁₂", "x_{12}"),
        ("1\u202f000", "1\u00a0000"),
        ("\u200f-\u20665\ufeff", "-5"),
        ("（Ａ）", "(A)"),
        ("é漢", "é漢"),
    ],
)
def test_plain_characters(text, same):
    assert plain(text) == same
