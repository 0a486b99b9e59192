"""What changes an answer: equal hashes for equal settings, and what differs line by line."""

import copy
import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.recorder.settings_hash import differences, settings_hash

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


SETTINGS = st.dictionaries(st.text().filter(str.isprintable), JSON, max_size=4)


@given(st.dictionaries(st.text(), JSON), st.lists(st.dictionaries(st.text(), st.text())))
def test_the_hash_is_that_of_sorted_json(identity, messages):
    def floats_as_whole_numbers(value):
        if isinstance(value, dict):
            return {key: floats_as_whole_numbers(one) for key, one in value.items()}
        if isinstance(value, list):
            return [floats_as_whole_numbers(one) for one in value]
        whole = type(value) is float and value == math.floor(value) and -(2**53) < value < 2**53
        return int(value) if whole else value

    text = json.dumps([floats_as_whole_numbers(identity), messages], sort_keys=True, separators=(",", ":"))
    expected = hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
    assert settings_hash(identity, messages) == expected
    assert settings_hash(dict(reversed(identity.items())), messages) == expected


def test_a_hash_survives_half_of_a_surrogate_pair_and_tells_texts_apart():
    texts = ["", "\ud800", "\\ud800", "\udfff", "a", "A", "\0"]
    hashes = {settings_hash({}, [{"role": "user", "content": text}]) for text in texts}
    assert len(hashes) == len(texts)
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in hashes)


def test_true_and_1_differ_but_1_and_one_point_zero_do_not():
    hashes = [settings_hash({"settings": {"x": value}}, []) for value in (True, 1, 1.0, "1", [1], None)]
    assert hashes[1] == hashes[2]
    assert len(set(hashes)) == 5
    assert differences({"settings": {"x": 1}}, {"settings": {"x": 1.0}}) == []
    assert differences({"settings": {"x": 1}}, {"settings": {"x": True}}) == ["x 1 -> true"]


@given(SETTINGS, SETTINGS)
def test_there_is_a_difference_if_and_only_if_the_hashes_differ(old, new):
    old, new = ({key: value for key, value in given_.items() if value is not None} for given_ in (old, new))
    old, new = {"settings": old}, {"settings": new}
    assert bool(differences(old, new)) == (settings_hash(old, []) != settings_hash(new, []))
    assert all("\n" not in line for line in differences(old, new))
    assert differences(old, copy.deepcopy(old)) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ({"settings": {"temperature": 1.0}}, {"settings": {"temperature": 0.7}}, "temperature 1.0 -> 0.7"),
        ({"settings": {}}, {"settings": {"top_p": 0.9}}, "top_p (not set) -> 0.9"),
        ({"settings": {"stop": ["a"]}}, {}, 'stop ["a"] -> (not set)'),
        ({"model_id": "a"}, {"model_id": "b"}, "model_id 'a' -> 'b'"),
        ({"seed": None}, {"seed": 7}, "seed (not set) -> 7"),
        ({"system": None}, {"system": "Be brief.\n"}, r"system (not set) -> 'Be brief.\n'"),
        (
            {"template": "a\nb\nfoo"},
            {"template": "a\nb\nbar"},
            "template changed (first difference in line 3: 'foo' -> 'bar')",
        ),
        ({"template": "a"}, {"template": "a\n"}, "template changed (first difference in line 2: (no line) -> '')"),
        ({"system": "a\r\nb"}, {"system": "a\nb"}, r"system changed (first difference in line 1: 'a\r' -> 'a')"),
        ({"model_id": "x" * 200}, {"model_id": "b"}, f"model_id '{'x' * 76}... -> 'b'"),
        (
            {"template": "x" * 90 + "foo"},
            {"template": "x" * 90 + "bar"},
            f"template changed (first difference in line 1: '...{'x' * 20}foo' -> '...{'x' * 20}bar')",
        ),
    ],
)
def test_differences_say_what_changed(old, new, line):
    assert differences(old, new) == [line]
