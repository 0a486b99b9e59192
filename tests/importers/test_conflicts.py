"""Two values under one id are told from two spellings of one value."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.importers.conflicts import Conflicts

CUT = "x" * 1024 + "...\n(content truncated)"


def differ(column, known, given):
    found = Conflicts()
    found.compare("q", column, known, given)
    return "q" in found


@pytest.mark.parametrize(
    ("column", "known", "given"),
    [
        ("question", "What is 3 + 4?", " What\u00a0is\n3+4?"),
        ("question", "caf\u00e9", "cafe\u0301"),
        ("question", CUT, "x" * 5000),
        ("question", "x" * 5000, CUT),
        ("choices", ["a b", "c"], ("a  b ", "c")),
        ("choices", ["a", "b"], np.array(["a", "b"])),
        ("truth", 7, "7"),
        ("truth", 7.0, " 7 "),
        ("truth", True, "true"),
    ],
)
def test_spellings_of_one_value_are_equal(column, known, given):
    assert not differ(column, known, given)


@pytest.mark.parametrize(
    ("column", "known", "given", "told"),
    [
        ("truth", "7", "Paris", "two truths, '7' and 'Paris'"),
        ("truth", "1 2", "12", "two truths, '1 2' and '12'"),
        ("truth", "a", "A", "two truths, 'a' and 'A'"),
        ("question", "3 + 4?", "3 - 4?", "two texts, '3 + 4?' and '3 - 4?'"),
        ("question", "x" * 99 + "one", "x" * 99 + "two", f"two texts, '...{'x' * 40}one' and '...{'x' * 40}two'"),
        ("question", "x" * 1000 + "y" * 99, CUT, f"two texts, '...{'x' * 40}{'y' * 40}' and '...{'x' * 64}... ("),
        ("choices", ["a", "b"], ["a", "c"], 'two lists of choices, \'["a", "b"]\' and \'["a", "c"]\''),
        ("choices", ["a", "b"], ["b", "a"], "two orders of choices, "),
        ("choices", ["a b"], ["a", "b"], "two lists of choices, "),
        ("choices", ["a", "b"], "a", "two lists of choices, "),
        ("doc_hash", "e3", "5f", "two values of doc_hash, 'e3' and '5f'"),
    ],
)
def test_two_values_are_described_where_they_differ(column, known, given, told):
    found = Conflicts()
    found.compare("q", column, known, given)
    message = found.message(["q"], "Import them separately")
    assert message.startswith(f"question_id: question 'q' has {told}")
    assert message.endswith(". Import them separately, or leave out this question with drop_conflicts=True.")


@given(st.text(max_size=6), st.text(max_size=6))
def test_texts_are_one_exactly_if_they_agree_without_white_space(one, other):
    """A longer way: character by character, after composition."""
    plain = [unicodedata.normalize("NFC", "".join(c for c in text if not c.isspace())) for text in (one, other)]
    assert differ("question", one, other) == (plain[0] != plain[1])


def test_the_first_conflict_of_each_question_is_kept_and_three_are_described():
    found = Conflicts()
    for i in range(5):
        found.compare(f"q{i}", "truth" if i % 2 else "question", "a", "b")
        found.compare(f"q{i}", "choices", ["a"], ["b"])
    asked = [f"q{i}" for i in range(9)]
    assert found.of(asked) == [f"q{i}" for i in range(5)]
    assert found.of(asked[4:]) == ["q4"]
    assert found.counts(asked) == {"question": 3, "truth": 2}
    assert found.message(asked, "R") == (
        "question_id: 5 questions have two values under one id: question 'q0' has two texts, 'a' and 'b'; question "
        "'q1' has two truths, 'a' and 'b'; question 'q2' has two texts, 'a' and 'b'; and 2 more. The files contain "
        "different questions under the same ids. R, or leave out these questions with drop_conflicts=True."
    )
    assert found.note(asked) == (
        "5 questions have two texts or truths under one id and are left out: 'q0', 'q1', 'q2' and 2 more."
    )
    assert found.note(["q1"]) == "1 question has two truths under one id and is left out: 'q1'."
    assert Conflicts().of(asked) == []
