"""Models without a right answer, grades that contradict recorded verdicts, and answers that are whole texts."""

import pyarrow as pa
import pytest

from mssim import Pool
from mssim.pools.verdicts import as_verdicts, none_right, oracle_scores, whole_texts
from tests.conftest import long_frame, make_pool


def warnings_of(pool, says):
    return [warning for warning in pool.warnings() if says in warning]


def test_models_without_a_right_answer_are_told_once_with_an_example():
    answers = {("x", "q"): ["b", "b"], ("x", "r"): ["c", "b"], ("y", "q"): ["a", "b"], ("y", "r"): ["b", "b"]}
    answers |= {("z", "q"): [None, "b"], ("z", "r"): ["b", None]}
    assert warnings_of(make_pool(answers), "is right") == [
        "no answer of x, z is right, e.g. question q: answer 'b', truth 'a'. Check the grading rule and the truths."
    ]


@pytest.mark.parametrize("answers", [[None, None], ["b", None], ["a", "b"]])
def test_no_answer_one_answer_and_a_right_one_are_not(answers):
    assert warnings_of(make_pool({("x", "q"): answers}), "is right") == []


def test_right_answers_are_looked_for_in_all_questions(monkeypatch):
    monkeypatch.setattr("mssim.pools.reading.BLOCK_ROWS", 2)
    answers = {("x", f"q{i}"): ["b", "b"] for i in range(4)}
    assert len(warnings_of(make_pool(answers), "is right")) == 1
    assert warnings_of(make_pool(answers | {("x", "q3"): ["b", "a"]}), "is right") == []


def test_samples_without_votes_have_no_answer_to_show():
    frame = long_frame({("x", "q"): ["0 wrong", "1 wrong"]})
    pool = Pool.from_frame(frame, info={"votes": False})
    assert warnings_of(pool, "is right")[0].startswith("no answer of x is right, e.g. question q: truth 'a'. Check")


def test_many_models_are_not_all_named():
    (warning,) = none_right({f"m{i}": ("q", None, None) for i in range(6)})
    assert warning == "no answer of m0, m1, m2, m3 and 2 more is right. Check the grading rule and the truths."


def test_disagreement_names_number_and_sample():
    answers = {("x", "q"): ["a", "b", None], ("y", "q"): ["b", "a", "b"]}
    frame = long_frame(answers).assign(correct_in_source=[True, True, None, False, "0", "no verdict"])
    pool = Pool.from_frame(frame, info={"grader": {"rule": "exact"}})
    assert warnings_of(pool, "disagree") == [
        "the rule exact and the verdicts of the file disagree on 2 of 4 samples, e.g. question q: answer 'b', truth "
        "'a', wrong by the rule and right in the file. The verdicts of the file are in the column correct_in_source."
    ]
    frame["correct_in_source"] = [True, False, True, False, True, False]
    (warning,) = warnings_of(Pool.from_frame(frame), "disagree")
    assert "the grades and the verdicts of the file disagree on 1 of 6 samples, e.g. question q: no answer," in warning


def test_verdicts_are_read_in_any_type():
    assert as_verdicts(pa.chunked_array([[True, None, False]])).tolist() == [1, -1, 0]
    assert as_verdicts(pa.chunked_array([["TRUE", " 0 ", "maybe", "1.0"]])).tolist() == [1, 0, -1, 1]
    assert as_verdicts(pa.chunked_array([[1.0, 0.0, 0.5]])).tolist() == [1, 0, -1]


LONG = "Attempt {}: adding the numbers step by step gives {}."


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([LONG.format(i, i) for i in range(4)], True),
        ([LONG.format(i, i) for i in range(3)] + [LONG.format(0, 0)], False),  # a vote has a winner
        ([LONG.format(i // 2 * 2 if i < 2 else i, 1) for i in range(10)], True),  # one of ten repeats another
        (["4", "5", "6", "7"], False),  # short
        ([LONG.format(0, 0)], False),  # nothing to vote on
    ],
)
def test_whole_texts_as_answers_are_told(answers, says):
    pool = make_pool({("x", "q"): answers})
    assert "text" not in pool.extra.column_names
    assert bool(whole_texts(pool)) == says
    assert not says or whole_texts(pool)[0].startswith("answers of x are whole texts, and hardly any two of a question")
    assert whole_texts(Pool.from_frame(pool.to_frame(), info={"votes": False})) == []


def test_models_with_one_sample_per_question_are_compared_with_each_other():
    """Alone, a model with one sample says nothing of votes."""
    answers = {(m, f"q{q}"): [LONG.format(m, q)] for m in "xy" for q in range(3)}
    assert whole_texts(make_pool(answers))[0].startswith("answers of x, y are whole texts")
    assert whole_texts(make_pool({key: value for key, value in answers.items() if key[0] == "x"})) == []
    equal = {("z", f"q{q}"): [LONG.format("x", q)] for q in range(3)}
    assert whole_texts(make_pool(answers | equal))[0].startswith("answers of y are whole texts")
    elsewhere = {("x", "q0"): [LONG.format("x", 0)], ("y", "q1"): [LONG.format("y", 1)]}
    assert whole_texts(make_pool(elsewhere)) == []


def test_texts_of_choices_are_no_whole_texts():
    answers = [LONG.format(i, i) for i in range(2)]
    frame = long_frame({("x", "q"): answers, ("x", "r"): answers[:1]})
    frame["choices"] = [answers, answers, None]
    assert whole_texts(Pool.from_frame(frame)) == []
    frame["choices"] = [["a", "b"], ["a", "b"], None]
    assert len(whole_texts(Pool.from_frame(frame))) == 1


def test_scorers_of_whole_responses_are_named():
    """If the importer knows that answers are responses, shorter ones are told too, but not numbers."""
    pool = make_pool({("x", "q"): [f"So it is {i}, I think." for i in range(4)]})
    info = {"scorer": "model_graded_qa", "answers": "whole responses"}
    assert whole_texts(pool) == whole_texts(Pool.from_frame(pool.to_frame(), info=info | {"grader": {}})) == []
    (warning,) = whole_texts(Pool.from_frame(pool.to_frame(), info=info))
    assert warning == (
        "answers of x by the scorer model_graded_qa are whole texts, and hardly any two of a question are equal, so "
        "votes are meaningless. Grade the texts with a rule (rule=...), or choose a scorer that extracts answers."
    )
    numbers = make_pool({("x", "q"): ["17", "18", "-3.25", "1,000,000"]})
    assert whole_texts(Pool.from_frame(numbers.to_frame(), info=info)) == []


def test_many_models_of_whole_texts_are_not_all_named():
    pool = make_pool({(f"m{m}", "q"): [LONG.format(m, i) for i in range(2)] for m in range(6)})
    graded = Pool.from_frame(pool.to_frame(), info={"grader": {"rule": "exact"}, "scorer": "match"})
    assert whole_texts(graded)[0].startswith("answers of m0, m1, m2, m3 and 2 more are whole texts, and")
    assert "Grade the texts with another rule (rule=...)" in whole_texts(graded)[0]


def test_scores_that_are_the_verdicts_are_told():
    frame = long_frame({("x", "q"): ["a", "b", None], ("y", "q"): ["a", "a", "b"], ("z", "q"): ["b", "b", "b"]})
    right = (frame["answer"] == frame["truth"]).astype(float)
    assert oracle_scores(Pool.from_frame(frame)) == []
    given = oracle_scores(Pool.from_frame(frame.assign(score=right)))
    assert given == [
        "score of x, y is 1 for every right sample and 0 for every wrong one. It is the verdict, which no reward model "
        "knows, so best-of-N by score is pass@k."
    ]
    other = right.where(frame["model"] != "x", 0.5)
    assert oracle_scores(Pool.from_frame(frame.assign(score=other)))[0].startswith("score of y is 1")
