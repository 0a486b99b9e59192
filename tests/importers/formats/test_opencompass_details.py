"""Details of evaluations of OpenCompass in their four shapes."""

import json

import pytest

from mssim import PoolError
from mssim.importers.formats.opencompass_details import Detail, read_details
from mssim.importers.safe_files import Source


def details(folder, content):
    path = folder / "sums.json"
    path.write_text(json.dumps({"accuracy": 50.0, "details": content}))
    return read_details(Source(path))


def numbered(values):
    return {str(i): value for i, value in enumerate(values)}


ONE = [Detail(("7",), (True,), "7"), Detail(("8",), (False,), "7")]


@pytest.mark.parametrize(
    "content",
    [
        [{"pred": "7", "answer": "7", "correct": True}, {"pred": 8, "answer": ["7"], "correct": False}],
        {"0": {"pred": "x", "parsed": "7", "refr": "7", "correct": 1.0}, "1": {"pred": "8", "ref": 7, "correct": 0}},
        {
            "type": "GEN",
            "0": {
                "prompt": "?",
                "origin_prediction": "It is 7",
                "predictions": "7",
                "references": "7",
                "correct": True,
            },
            "1": {
                "prompt": "?",
                "origin_prediction": "It is 8",
                "predictions": "8",
                "references": "7",
                "correct": False,
            },
        },
        [
            {"example_abbr": "sums_0", "pred": ["7"], "answer": ["7"], "correct": [True]},
            {"example_abbr": "sums_1", "pred": ["8"], "answers": [["7", "7"]], "is_correct": [False]},
        ],
    ],
)
def test_all_shapes_have_the_same_details(tmp_path, content):
    assert details(tmp_path, content) == ONE


def test_repeats_are_lists(tmp_path):
    content = [{"example_abbr": "a_0", "pred": ["7", None, ["A", "B"]], "answer": ["7"] * 3, "correct": [1, 0, None]}]
    assert details(tmp_path, content) == [Detail(("7", None, "A, B"), (True, False, None), "7")]
    cascade = [{"example_abbr": "a_0", "rule_evaluation": [{"correct": False}], "cascade_correct": [True]}]
    assert details(tmp_path, cascade) == [Detail((None,), (True,), None)]


def test_a_truth_with_several_values_is_left_out(tmp_path):
    assert details(tmp_path, [{"pred": "7", "answer": ["7", "seven"], "correct": True}])[0].truth is None


@pytest.mark.parametrize(
    "content",
    [[], {}, None, [{"pred": "7"}], {"0": {"prediction": "A", "gold": "7"}}, [{"correct": None}], {"a": 1}, "x"],
)
def test_details_without_verdicts(tmp_path, content):
    assert details(tmp_path, content) is None


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [(100 / 3, [True, False, False]), (33.33, [True, False, False]), (66.67, None), (None, None), ("33.33", None)],
)
def test_predictions_are_compared_with_references_if_that_is_the_accuracy(tmp_path, accuracy, expected):
    said = numbered({"prompt": "?", "predictions": text, "references": "A"} for text in "ABC")
    path = tmp_path / "sums.json"
    path.write_text(json.dumps({"accuracy": accuracy, "details": {"type": "GEN", **said}}))
    found = read_details(Source(path))
    assert (None if found is None else [one.correct[0] for one in found]) == expected
    path.write_text(json.dumps({"accuracy": 0.0, "details": said | {"3": {"predictions": "A"}}}))
    assert read_details(Source(path)) is None


@pytest.mark.parametrize(
    ("name", "accuracy", "used"),
    [
        ("accuracy (2 runs average)", 50.0, True),
        ("accuracy", 50, True),
        ("accuracy", 75.0, False),
        ("score", 50.0, False),
    ],
)
def test_replies_of_a_judge_are_verdicts_if_they_are_the_accuracy(tmp_path, name, accuracy, used):
    replies = [["A", "B: INCORRECT"], ["I cannot say", "Verdict: A"]]  # the first A or B
    content = [{"example_abbr": f"q_{i}", "prediction": two, "gold": ["7", "7"]} for i, two in enumerate(replies)]
    path = tmp_path / "sums.json"
    path.write_text(json.dumps({name: accuracy, "details": content}))
    found = read_details(Source(path))
    expected = [Detail((None, None), (True, False), None), Detail((None, None), (False, True), None)]
    assert found == (expected if used else None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([{"pred": "7", "correct": [True, True]}], "'pred' must be a list of 2 items, one for each repeat"),
        ([{"pred": ["7"], "correct": [True, True]}], "'pred' must be a list of 2 items"),
        (
            [{"correct": [True, True]}, {"correct": [True]}],
            "the questions in details have different numbers of repeats",
        ),
        ([{"correct": "yes"}], "'correct' is text. It must be true or false"),
        ([{"pred": {"a": 1}, "correct": True}], "is an object. It must be text"),
        ([1], "record 1: expected an object"),
    ],
)
def test_details_that_are_refused(tmp_path, content, says):
    with pytest.raises(PoolError, match=says):
        details(tmp_path, content)
