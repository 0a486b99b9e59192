"""Verdicts are those of the files, or else of equal answers, or else of the truth."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.verdicts import equal_as_numbers, judge, mixed, rounded_off

QUESTIONS = pa.table({"question_id": ["q", "r"], "truth": ["1", None]})
ROWS = st.lists(
    st.tuples(st.sampled_from("qr"), st.sampled_from(["1", " 1", "2", "", None]), st.sampled_from([True, False, None])),
    min_size=1,
    max_size=12,
)


def columns(rows, *names):
    return {
        name: pa.chunked_array([pa.array(list(values))])
        for name, values in zip(names, zip(*rows, strict=True), strict=True)
    }


def naive(rows):
    found = []
    for question, answer, correct in rows:
        said = (answer or "").strip()
        equal = [c for q, a, c in rows if q == question and (a or "").strip() == said and c is not None]
        if correct is not None:
            found.append(int(correct))
        elif not said:
            found.append(0)
        elif equal:
            found.append(int(any(equal)))
        else:
            found.append(int(said == "1") if question == "q" else -1)
    return found


@given(ROWS)
def test_missing_verdicts_are_those_of_equal_answers_or_of_the_truth(rows):
    given = columns(rows, "question_id", "answer", "correct")
    given["answer"], given["correct"] = given["answer"].cast(pa.string()), given["correct"].cast(pa.bool_())
    judged = judge(given, QUESTIONS)
    assert judged.verdicts.tolist() == naive(rows)
    lacking = [(answer or "").strip() and correct is None for _, answer, correct in rows]
    compared = sum(bool(one) and verdict >= 0 for one, verdict in zip(lacking, naive(rows), strict=True))
    assert judged.compared == (compared if any(correct is not None for *_, correct in rows) else 0)


def test_without_answers_only_the_files_judge():
    given = columns([("q", True), ("q", None), ("r", False)], "question_id", "correct")
    assert judge(given, QUESTIONS).verdicts.tolist() == [1, -1, 0]


def test_without_verdicts_every_answer_needs_a_truth():
    given = columns([("q", "1"), ("q", "2"), ("r", None)], "question_id", "answer")
    assert judge(given, QUESTIONS).verdicts.tolist() == [1, 0, 0]
    with pytest.raises(PoolError, match="question 'r' has neither a truth nor verdicts"):
        judge(columns([("q", "1"), ("r", "2")], "question_id", "answer"), QUESTIONS)
    with pytest.raises(PoolError, match="neither verdicts nor truths"):
        judge(given, pa.table({"question_id": ["q", "r"]}))


# Answers with two verdicts --------------------------------------------------------------------------------------------


def found_in(*rows):
    return mixed(columns(rows, "question_id", "model", "answer", "correct"))


def test_answers_that_are_right_for_one_model_and_wrong_for_another_come_from_two_truths():
    rows = [(f"q{i}", model, "A", model == "a") for model in "ab" for i in range(5)]
    found = found_in(*rows, ("q9", "a", "A", True), ("q0", "a", "B", False), ("q0", "a", None, False))
    assert (found.question_ids, found.within) == ([f"q{i}" for i in range(5)], False)
    assert found.message("R") == (
        "answer: 5 questions have an answer that is both right and wrong: 'A' to question 'q0' is right for 'a' and "
        "wrong for 'b'; 'A' to question 'q1' is right for 'a' and wrong for 'b'; 'A' to question 'q2' is right for 'a' "
        "and wrong for 'b'; and 2 more. Within each model every answer has one verdict, so the truths differ between "
        "the files of the models. Import them separately, or leave out these questions with drop_conflicts=True."
    )


def test_answers_that_are_right_and_wrong_for_one_model_need_another_judge():
    found = found_in(("q", "a", "A", True), ("q", "a", " A ", False), ("r", "b", "A", True), ("r", "b", "B", False))
    assert (found.question_ids, found.within) == (["q"], True)
    assert found.message("Choose another scorer") == (
        "answer: 'A' to question 'q' is right and wrong for 'a'. The verdicts depend on more than the answers. "
        "Choose another scorer, or leave out this question with drop_conflicts=True."
    )


@given(
    st.lists(
        st.tuples(st.sampled_from("qr"), st.sampled_from("ab"), st.sampled_from(["1", "2", None]), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_every_question_with_two_verdicts_on_an_answer_is_found(rows):
    given = columns(rows, "question_id", "model", "answer", "correct")
    given["answer"] = given["answer"].cast(pa.string())
    found = mixed(given)
    pairs = {(q, a): {c for p, _, b, c in rows if (p, b) == (q, a)} for q, _, a, _ in rows if a is not None}
    expected = list(dict.fromkeys(q for q, _, a, _ in rows if len(pairs.get((q, a), ())) == 2))
    assert found.question_ids == expected
    assert len(found.told) == len(expected)
    own = {(q, m, a): {c for p, n, b, c in rows if (p, n, b) == (q, m, a)} for q, m, a, _ in rows if a is not None}
    assert found.within == any(len(verdicts) == 2 for verdicts in own.values())


# Numbers --------------------------------------------------------------------------------------------------------------


def test_answers_that_equal_truths_only_as_numbers_are_told():
    rows = [
        ("q", "m", "18.0"), ("q", "m", "17.0"), ("r", "m", "3.0"), ("q", "m", None),
        ("q", "text", "18"), ("r", "text", "3.0"),
        ("q", "wrong", "17"), ("r", "wrong", "4"),
        ("q", "once", "18.0"),
    ]  # fmt: skip
    given, questions = (
        columns(rows, "question_id", "model", "answer"),
        pa.table({"question_id": ["q", "r"], "truth": ["18", "3"]}),
    )
    right = judge(given, questions).verdicts == 1
    assert right.tolist() == [model == "text" and answer == "18" for _, model, answer in rows]
    told, of_some = equal_as_numbers(given, questions, right, has_texts=True)
    assert of_some.startswith("1 of 1 wrong answer of 'text' equals the truth as numbers, e.g. '3.0' and '3'")
    assert told == (
        "no answer of 'm' equals a truth as text, but 2 of 3 do as numbers, e.g. '18.0' and '18' of question "
        "'q'. Grade with rule='number'."
    )
    many = {name: pa.chunked_array([*column.chunks] * 400) for name, column in given.items()}
    told, *_ = equal_as_numbers(many, questions, np.tile(right, 400), has_texts=True)
    assert "but 667 of the first 1000 do as numbers" in told
    told, _ = equal_as_numbers(given, questions, right, has_texts=False, field="runs.pred")
    assert told.endswith(
        "Read the answers as texts with names={'text': 'runs.pred'} instead, and grade with rule='number'."
    )
    told, _ = equal_as_numbers(given, questions, right, has_texts=False)
    assert told.endswith("Import files with texts, and grade with rule='number'.")


def test_some_answers_that_equal_the_truth_only_as_numbers_are_said():
    rows = [("q", "m", "1,234"), ("q", "m", "1234"), ("q", "m", "1234 km"), ("r", "m", "7"), ("s", "m", "A")]
    given = columns(rows, "question_id", "model", "answer")
    questions = pa.table({"question_id": ["q", "r", "s"], "truth": ["1234", "8", "B"]})
    (told,) = equal_as_numbers(given, questions, judge(given, questions).verdicts == 1, has_texts=True)
    assert told == (
        "1 of 4 wrong answers of 'm' equals the truth as numbers, e.g. '1,234' and '1234' of question 'q'. Grade with "
        "rule='number'."
    )
    others = columns([("q", "m", "1234"), ("s", "m", "A")], "question_id", "model", "answer")
    assert equal_as_numbers(others, questions, judge(others, questions).verdicts == 1, has_texts=True) == []


def test_answers_that_differ_from_truths_by_rounding_are_told():
    rows = [
        ("q", "m", "109.00000000000001"), ("q", "m", "108.99999999999999"), ("q", "m", "109.0001"),
        ("q", "m", "109.0"), ("q", "m", None), ("q", "m", "x."), ("t", "m", "inf"),
        ("r", "m", "1000000000000001"), ("r", "m", "1000000000000000.0"),
    ]  # fmt: skip
    given = columns(rows, "question_id", "model", "answer")
    questions = pa.table({"question_id": [*"qrt"], "truth": ["109", "1000000000000000", "inf"]})
    (told,) = rounded_off(given, questions, judge(given, questions).verdicts == 1)
    assert told == (
        "2 wrong answers differ from their truths by rounding only, e.g. '109.00000000000001' and '109' of question "
        "'q'. Round the answers."
    )
    right = np.arange(len(rows)) < 2
    assert rounded_off(given, questions, right) == []
