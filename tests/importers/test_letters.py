"""Letters of choices, and texts that are not letters."""

import pytest

from mssim.importers.letters import named


@pytest.mark.parametrize(
    ("text", "number", "positions"),
    [
        ("B", 4, (1,)),
        (" b. ", 4, (1,)),
        ("(C)", 4, (2,)),
        ("D)", 4, (3,)),
        ("C, A", 4, (0, 2)),
        ("AC", 4, (0, 2)),
        ("A and C", 4, (0, 2)),
        ("B | D", 4, (1, 3)),
        ("A, B, and C", 4, (0, 1, 2)),
        ("(A, C)", 4, (0, 2)),
        ("ANSWER: B", 4, (1,)),
        ("The final answer is **B**.", 4, (1,)),
        (r"$\boxed{\text{B}}$", 4, (1,)),
        ("answerB", 4, None),
        ("the answer", 4, None),
        ("ac", 4, None),  # a word
        ("AA", 4, None),
        ("A, A", 4, None),
        ("E", 4, None),
        ("1", 4, None),
        ("1", 27, (26,)),
        ("0", 27, None),
        ("A, 2", 28, (0, 27)),
        ("Paris", 26, None),
        ("", 4, None),
        (",", 4, None),
        ("A " * 500, 26, None),
        ("1" * 5000, 26, None),
    ],
)
def test_letters_of_choices(text, number, positions):
    assert named(text, number) == positions
