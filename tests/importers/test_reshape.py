"""Dotted names and parallel lists."""

import pytest

from mssim import PoolError
from mssim.importers.fields import Fields
from mssim.importers.reshape import is_absent, samples_of, value_at

RECORD = {
    "a": {"b": {"c": 1}, "b.c": 2, "list": [{"x": "1"}, {"x": "2"}, {}]},
    "a.d": 3,
    "pairs": [["7", 10], ["8", 12], ["9"]],
    "texts": ["s", "t"],
    "deep": [{"runs": [1, 2]}, {"runs": [3]}],
    "chat": [{"message": {"content": "hi"}}],
    "never": [],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.d", 3),
        ("a.b.c", 2),  # the longest name first
        ("a.list.x", ["1", "2", None]),
        ("pairs.0", ["7", "8", "9"]),
        ("pairs.1", [10, 12, None]),
        ("texts.1", "t"),
        ("texts.7", None),
        ("chat.0.message.content", "hi"),
        ("chat.message.content", ["hi"]),
        ("deep.runs", [[1, 2], [3]]),
        ("texts", ["s", "t"]),
        ("a.b.c.d", None),
        ("texts.x", None),
        ("nothing", None),
        ("a.", None),
        ("", None),
        ("pairs.99999999999", [None] * 3),
        ("never.x", []),
    ],
)
def test_a_dotted_path(path, expected):
    assert value_at(RECORD, path) == expected
    assert expected is None or not is_absent(RECORD, path)


@pytest.mark.parametrize(
    ("path", "absent"),
    [
        ("a.b.x", True),
        ("a.b.c.d", True),
        ("a.list.y", True),
        ("a.list.x.y", True),
        ("texts.x", True),
        ("pairs.x", True),
        ("chat.message.x", True),
        ("texts.7", False),  # lists can be longer in other records
        ("empty.x", False),
        ("none.x", False),
        ("a.none", False),
        ("nulls.x", False),
    ],
)
def test_a_path_is_absent_only_where_the_record_shows_it(path, absent):
    record = RECORD | {"empty": {}, "none": None, "a": RECORD["a"] | {"none": None}, "nulls": [None]}
    assert is_absent(record, path) == absent


def samples(record, **names):
    return samples_of(Fields(record, "line 1"), names)


def test_parallel_lists_are_samples():
    record = {"pred": ["7", None], "ok": [1, 0], "n": [3, 4], "seed": "x", "runs": [{"s": 0.5}, {"s": 1}]}
    assert samples(
        record, answer="pred", correct="ok", output_tokens="n", score="runs.s", prompt="seed", cost="no"
    ) == [
        {"answer": "7", "correct": True, "output_tokens": 3, "score": 0.5, "prompt": "x"},
        {"answer": None, "correct": False, "output_tokens": 4, "score": 1, "prompt": "x"},
    ]
    assert samples(record, answer="seed") == [{"answer": "x"}]
    assert samples({"pred": []}, answer="pred") == []


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"a": ["7", "8"], "b": [True]}, "lists of samples must be equally long, but 'a' has 2, 'b' has 1"),
        ({"a": [["7", 1], ["8", 2]]}, "line 1: 'a' holds lists"),
        ({"a": [{"text": "7", "n": 1}]}, "'a' holds objects with the fields 'a.text', 'a.n'"),
        ({"a": {"text": "7"}}, "'a' holds objects with the fields 'a.text'"),
        ({"a": {}}, "'a' holds an empty object. It must be a single value"),
        ({"a": ["7"], "b": ["yes"]}, "line 1: 'b', item 1 is text. It must be true or false"),
        ({"a": ["7"], "b": 2}, "'b' is a number. It must be true or false"),
        ({"c": 1}, "line 1: has none of 'a', 'b'. Choose from 'c'"),
    ],
)
def test_records_that_do_not_fit(record, says):
    with pytest.raises(PoolError, match=says):
        samples(record, answer="a", correct="b")
