"""What grading reports: examples of every outcome, and texts that harm no terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.grading.report import shown
from tests.grading.tables import TRUTHS, samples_table


@pytest.mark.slow
def test_verdicts_that_were_not_found_are_reported(graded):
    pytest.importorskip("math_verify")
    texts = {("q1", "a"): [r"\boxed{9^{9^{9^9}}}", r"\boxed{7}"]}
    found, table = graded("boxed", samples_table(texts))
    assert table["correct"].to_pylist() == [False, True]
    assert "math-verify exceeded its time limit for" in found.warnings()[0]


def test_examples_of_every_outcome(graded):
    examples = graded("number")[0].examples()
    assert examples.columns.tolist() == [
        "outcome", "question_id", "model", "sample_index", "text", "extracted", "answer", "truth",
    ]  # fmt: skip
    assert examples["outcome"].drop_duplicates().tolist() == ["right", "wrong", "no answer", "merged"]
    assert not examples.duplicated(["question_id", "model", "sample_index"]).any()
    merged = examples[examples["outcome"] == "merged"]
    assert merged["extracted"].tolist() == ["7.0", "7.00"]
    assert merged["answer"].tolist() == ["7", "7"]
    assert (examples["truth"] == examples["question_id"].map(TRUTHS)).all()


@given(st.text(max_size=200), st.booleans())
def test_what_is_shown_harms_no_terminal(text, end):
    found = shown(text, end=end)
    assert found.isprintable()
    assert len(found) <= 80
    if text.isprintable() and len(text) <= 80:
        assert found == text


def test_long_texts_show_their_end_or_beginning():
    assert shown("a" * 100 + "b", end=True) == "..." + "a" * 76 + "b"
    assert shown("b" + "a" * 100) == "b" + "a" * 76 + "..."
    assert shown(None) == ""
