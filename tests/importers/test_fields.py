"""Values of JSON objects: checked as they are asked for, with their place."""

import pytest

from mssim import PoolError
from mssim.importers.fields import Fields, mean_logprob

VALUE = {
    "text": "é",
    "n": 3,
    "x": 0.5,
    "yes": True,
    "none": None,
    "list": [1, None, "b"],
    "part": {"a": 1},
    "half": "\ud83d",
}


def test_fields_are_checked_as_they_are_asked_for():
    fields = Fields.of(VALUE, "here")
    assert (fields.text("text"), fields.text("n"), fields.text("x"), fields.text("none")) == ("é", "3", "0.5", None)
    assert fields.text("half") == "?" or fields.text("half") == "\ufffd" or "\ufffd" in fields.text("half")
    assert (fields.number("n"), fields.number("none"), fields.count("n"), fields.flag("yes")) == (3.0, None, 3, True)
    assert fields.texts("list") == ["1", None, "b"]
    assert (fields.values("none"), fields.part("none").value, fields.part("part").number("a")) == ([], {}, 1.0)
    assert ("none" in fields, "n" in fields) == (False, True)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda f: f.required("txt"), r"here: has no 'txt'. Did you mean 'text'"),
        (lambda f: f.name("none"), r"here: 'none' is null"),
        (lambda f: f.text("list"), r"here: 'list' is a list. It must be text"),
        (lambda f: f.number("text"), r"here: 'text' is text. It must be a number"),
        (lambda f: f.number("yes"), r"here: 'yes' is a Boolean. It must be a number"),
        (lambda f: f.count("x"), r"here: 'x' is 0.5. It must be a non-negative integer"),
        (lambda f: f.flag("n"), r"here: 'n' is a number. It must be true or false"),
        (lambda f: f.values("part"), r"here: 'part' is an object. It must be a list"),
        (lambda f: f.part("list"), r"here, 'list': expected an object, found a list"),
        (lambda f: f.parts("list"), r"here, 'list', item 1: expected an object, found a number"),
        (lambda f: f.numbers("list"), r"here: 'list', item 3 is text. It must be a number"),
        (lambda f: f.flags("list"), r"here: 'list', item 3 is text. It must be true or false"),
        (lambda _: Fields.of({"a": 10**5000}, "here").text("a"), r"here: 'a' is a number with too many digits"),
        (lambda _: Fields.of({"a": 10**400}, "here").number("a"), r"here: 'a' is NaN, infinite or too large"),
        (lambda _: Fields.of({"a": float("nan")}, "here").number("a"), r"is NaN, infinite or too large"),
        (lambda _: Fields.of({"a": " "}, "here").name("a"), r"here: 'a' is blank"),
    ],
)
def test_a_field_of_another_kind_is_refused(ask, message):
    with pytest.raises(PoolError, match=message):
        ask(Fields.of(VALUE, "here"))


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([-1.0, -2], -1.5),
        ([0], 0),
        ([], None),
        ([-1.0, None], None),
        ([-1.0, -9999.0], None),
        ([-1.0, -9999], None),
        ([-1.0, -9998.5], -4999.75),
        ([-1.0, 1e-9], None),
        ([-1.0, float("nan")], None),
        ([-1.0, float("-inf")], None),
        ([-1.0, "-2"], None),
        ([-1.0, True], None),
    ],
)
def test_a_mean_needs_all_log_probabilities(values, mean):
    assert mean_logprob(values) == mean
