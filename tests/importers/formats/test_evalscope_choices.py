"""Prompts with choices, and letters as the texts of the choices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.importers.formats.evalscope_choices import parse_choices, spelled

TEXT = "Answer.\n\nWhich planet?\n\nA) Mars\nB) Venus, or\nA moon\nC) C) it is"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (TEXT, ("Answer.\n\nWhich planet?", {"A": "Mars", "B": "Venus, or\nA moon", "C": "C) it is"})),
        ("Q: x\nA) 1\nB) 2\n\nQ: y\nA) 3\nB) 4\n", ("Q: x\nA) 1\nB) 2\n\nQ: y", {"A": "3", "B": "4"})),  # few-shot
        ("Why?\nA) only one", None),
        ("Why?\nA) same\nB) same", None),
        ("Why?\nA) 1\nC) 2", None),
        ("Why?\nB) 1\nC) 2", None),
        ("Why? A) 1 B) 2", None),
        ("", None),
    ],
)
def test_choices_are_at_the_end_of_a_prompt(prompt, expected):
    assert parse_choices(prompt) == expected


@pytest.mark.parametrize(
    ("letters", "expected"),
    [("A", "Mars"), ("CA", "C) it is | Mars"), ("D", "D"), ("", ""), (None, None), ("Mars", "Mars")],
)
def test_letters_are_spelled(letters, expected):
    assert spelled(letters, {"A": "Mars", "B": "Venus", "C": "C) it is"}) == expected


@given(order=st.permutations(["Mars", "Venus", "a moon\nof Mars", "A", "B) Mars"]))
def test_the_order_of_choices_changes_neither_question_nor_answer(order):
    texts, letters = sorted(order), "ABCDE"
    split = [parse_choices("Why?\n" + "\n".join(map("{}) {}".format, letters, given))) for given in (texts, order)]
    assert split[0][0] == split[1][0] == "Why?"
    for text in texts:
        letter = [letters[given.index(text)] for given in (texts, order)]
        assert [spelled(one, choices) for one, (_, choices) in zip(letter, split, strict=True)] == [text, text]
