"""Judged samples: every verdict is kept, also where one answer has two."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError, PoolWarning, load_pool
from mssim.importers.fields import Fields
from mssim.importers.judged import Judged
from mssim.importers.sink import Sink
from tests.importers.readers import imported

RECORD = Fields({}, "file, line 3")


def reader(*records, truth="7"):
    """Add records (question, model, samples); a sample is (answer, verdict)."""

    def read(_, sink):
        judged = Judged(sink)
        for question, model, samples in records:
            rows = [{"answer": answer, "correct": correct} for answer, correct in samples]
            judged.add(RECORD, question, model, rows, question={"truth": truth})
        judged.end()

    return read


def told(tmp_path, *records, **question):
    """The samples of the pool, and the warnings of the import."""
    found = imported(tmp_path, reader(*records, **question))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        frame = load_pool(tmp_path / "pool").to_frame()
    frame["answer"] = frame["answer"].astype(object).where(frame["answer"].notna(), None)
    columns = ["question_id", "model", "sample_index", "answer", "correct"]
    return frame[columns].values.tolist(), found


def test_an_answer_with_two_verdicts_has_two_labels(tmp_path):
    first = ("q", "m", [("7", True), (" 7 ", False), ("8", False), ("7", True)])
    rows, found = told(tmp_path, first, ("q", "n", [("8", True), ("7", False)]), ("r", "m", [("7", False)] * 4))
    assert rows == [
        ["q", "m", 0, "7", True],
        ["q", "m", 1, "7 (judged wrong)", False],
        ["q", "m", 2, "8", False],
        ["q", "m", 3, "7", True],
        ["r", "m", 0, "7", False],
        ["r", "m", 1, "7", False],
        ["r", "m", 2, "7", False],
        ["r", "m", 3, "7", False],
        ["q", "n", 0, "8 (judged right)", True],
        ["q", "n", 1, "7 (judged wrong)", False],
    ]
    assert any(says.startswith("3 samples have an answer that is judged differently") for says in found.warnings)


def test_a_right_sample_without_an_answer_has_the_truth(tmp_path):
    rows, found = told(tmp_path, ("q", "m", [(None, True), ("7", True), ("", False), (" ", True)]))
    assert [row[3:] for row in rows] == [["7", True], ["7", True], [None, False], ["7", True]]
    assert "2 samples are judged right without an extracted answer. The truth is taken as the answer." in found.warnings
    rows, _ = told(tmp_path / "pool", ("q", "m", [(None, True), ("7", False)]), truth=None)
    assert [row[3:] for row in rows] == [["(no answer)", True], ["7", False]]


def test_without_any_answer_there_are_no_votes(tmp_path):
    rows, found = told(tmp_path, ("q", "m", [(None, True), ("", False), (None, True)]))
    assert [row[4] for row in rows] == [True, False, True]
    assert len({row[3] for row in rows}) == 3
    assert (len(found.warnings), len(found.remarks)) == (0, 1)


def test_what_was_not_judged_has_failed(tmp_path):
    rows, found = told(tmp_path, ("q", "m", [("7", True), ("8", None), (None, None), ("9", False)]))
    assert [row[2:4] for row in rows] == [[0, "7"], [1, "9"]]
    assert found.failed == {"not judged": 2}
    sink = Sink(tmp_path)
    sink.graded = True  # by a rule, which needs a text and no verdict
    samples = [{"answer": "8", "correct": None, "text": "It is 8."}, {"answer": None, "correct": None, "text": ""}]
    Judged(sink).add(RECORD, "q", "m", samples)
    assert ([row["text"] for row in sink._rows], sink.failed) == (["It is 8."], {"not judged": 1})


def test_indices_that_are_given_are_kept(tmp_path):
    sink = Sink(tmp_path)
    judged = Judged(sink)
    judged.add(RECORD, "q", "m", [{"answer": "1", "correct": True, "sample_index": 4}], settings={"temperature": 0.5})
    judged.add(RECORD, "q", "m", [{"answer": "", "correct": True}])
    judged.end()
    assert [row["sample_index"] for row in sink._rows] == [4, 5]
    assert sink._rows[0]["temperature"] == 0.5


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ({"answer": "1", "correct": True}, {"answer": "1"}, "line 3: only some samples have verdicts. Import those"),
        ({"correct": True}, {"answer": "1", "correct": True}, "only some samples have answers"),
    ],
)
def test_samples_of_two_kinds_are_refused(tmp_path, first, second, says):
    judged = Judged(Sink(tmp_path))
    judged.add(RECORD, "q", "m", [first])
    with pytest.raises(PoolError, match=says):
        judged.add(RECORD, "q", "m", [second])


SAMPLES = st.lists(st.tuples(st.sampled_from(["7", "8", "7 ", "", None]), st.booleans()), min_size=1, max_size=6)


@given(records=st.lists(st.tuples(st.sampled_from("qr"), st.sampled_from("mn"), SAMPLES), min_size=1, max_size=4))
def test_every_verdict_is_kept(tmp_path_factory, records):
    sink = Sink(tmp_path_factory.mktemp("any"))
    reader(*records)([], sink)
    expected = [(question, model, verdict) for question, model, samples in records for _, verdict in samples]
    assert sorted((row["question_id"], row["model"], row["correct"]) for row in sink._rows) == sorted(expected)
    answered = [row for row in sink._rows if "answer" in row]
    labels = {(row["question_id"], row["answer"]): row["correct"] for row in answered}
    assert all(labels[row["question_id"], row["answer"]] == row["correct"] for row in answered)
    assert not answered or all("answer" in row for row in sink._rows if row["correct"])
