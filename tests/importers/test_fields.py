"""Values of JSON objects: checked as they are asked for, with their place."""

import pytest

from mssim import PoolError
from mssim.importers.fields import Fields

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
        (lambda f: f.required("txt"), r"here: no 'txt'; did you mean 'text'"),
        (lambda f: f.name("none"), r"here: no 'none'"),
        (lambda f: f.text("list"), r"here: 'list' is a list; text belongs there"),
        (lambda f: f.number("text"), r"here: 'text' is text; a number belongs there"),
        (lambda f: f.number("yes"), r"here: 'yes' is true or false; a number belongs there"),
        (lambda f: f.count("x"), r"here: 'x' is 0.5; a whole number from 0 belongs there"),
        (lambda f: f.flag("n"), r"here: 'n' is a number; true or false belongs there"),
        (lambda f: f.values("part"), r"here: 'part' is an object; a list belongs there"),
        (lambda f: f.part("list"), r"here, 'list': a list where an object belongs"),
        (lambda f: f.parts("list"), r"here, 'list', item 1: a number where an object belongs"),
        (lambda f: f.numbers("list"), r"here: 'list', item 3 is text; a number belongs there"),
        (lambda f: f.flags("list"), r"here: 'list', item 3 is text; true or false belongs there"),
        (lambda _: Fields.of({"a": 10**5000}, "here").text("a"), r"here: 'a' is a number too long to be written"),
        (lambda _: Fields.of({"a": 10**400}, "here").number("a"), r"here: 'a' is too large or not a number"),
        (lambda _: Fields.of({"a": float("nan")}, "here").number("a"), r"too large or not a number"),
        (lambda _: Fields.of({"a": " "}, "here").name("a"), r"here: 'a' is blank"),
    ],
)
def test_a_field_of_another_kind_is_refused(ask, message):
    with pytest.raises(PoolError, match=message):
        ask(Fields.of(VALUE, "here"))
