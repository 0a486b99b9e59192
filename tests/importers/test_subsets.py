"""Subsets that a tool reports separately are named in a remark, with a way to select one."""

import pyarrow as pa
import pytest

from mssim.importers import Common
from mssim.importers.pipeline import to_pool
from mssim.importers.subsets import reported_apart
from tests.importers.readers import both, imported, rows


def apart(*columns):
    return lambda _, sink: [sink.apart(column) for column in columns]


def of_tasks(*tasks):
    return [rows({"answer": "1"}, question_id=f"q{i}", truth="1", task=task) for i, task in enumerate(tasks)]


def test_tasks_are_named_and_one_can_be_selected(tmp_path):
    read = both(apart("task", "task", "absent"), *of_tasks("sums", "dates", "sums"))
    assert imported(tmp_path, read).remarks == (
        "the tool reports the 2 values of task separately: 'sums' (2 questions), 'dates' (1 question). The pool joins "
        "them. Select one with where={'task': 'sums'}.",
    )
    selected = to_pool("made up", read, [], Common(where={"task": "sums"}))
    assert (selected.question_ids, selected.info["import"].get("remarks")) == (["q0", "q2"], None)


@pytest.mark.parametrize(
    "read", [both(*of_tasks("sums", "dates")), both(apart("task"), *of_tasks("sums", None, "sums"))]
)
def test_one_task_and_unasked_columns_get_no_remark(tmp_path, read):
    assert imported(tmp_path, read).remarks == ()


def test_of_many_values_four_are_named():
    questions = pa.table({"year": [2000 + year for year in range(6) for _ in range(year + 1)]})
    (remark,) = reported_apart(questions, ["year"])
    assert "the 6 values of year separately: '2005' (6 questions), '2004' (5 questions), " in remark
    assert "'2002' (3 questions) and 2 more. " in remark
    assert remark.endswith("where={'year': '2005'}.")
