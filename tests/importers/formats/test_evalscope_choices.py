"""Prompts of EvalScope with choices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.importers.formats.evalscope_choices import parse_choices

TEXT = "Answer.\n\nWhich planet?\n\nA) Mars\nB) Venus, or\nA moon\nC) C) it is"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (TEXT, ("Answer.\n\nWhich planet?", ["Mars", "Venus, or\nA moon", "C) it is"])),
        ("Q: x\nA) 1\nB) 2\n\nQ: y\nA) 3\nB) 4\n", ("Q: x\nA) 1\nB) 2\n\nQ: y", ["3", "4"])),  # few-shot
        ("Why?\nA) same\nB) same", ("Why?", ["same", "same"])),
        ("Why?\nA) only one", None),
        ("Why?\nA) 1\nC) 2", None),
        ("Why?\nB) 1\nC) 2", None),
        ("Why? A) 1 B) 2", None),
        ("", None),
    ],
)
def test_choices_are_at_the_end_of_a_prompt(prompt, expected):
    assert parse_choices(prompt) == expected


@given(texts=st.permutations(["Mars", "Venus", "a moon\nof Mars", "A", "B) Mars"]))
def test_choices_have_the_order_of_their_letters(texts):
    prompt = "Why?\n" + "\n".join(map("{}) {}".format, "ABCDE", texts))
    assert parse_choices(prompt) == ("Why?", texts)
