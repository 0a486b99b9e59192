"""The beginning of a file: the record that all of the file would give, without reading all of it."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mssim.importers import glance
from mssim.importers.glance import Glance, beginning
from mssim.importers.safe_files import Source
from tests.importers.readers import written

RECORD = {"id": 1, "answers": ["7", "8"], "meta": {"a": [1]}}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab é", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "records", "data"]), VALUES, max_size=4)


@given(
    content=st.lists(OBJECTS, max_size=3) | OBJECTS | st.dictionaries(st.sampled_from("ab"), OBJECTS, max_size=2),
    lines=st.booleans(),
    name=st.sampled_from(["a.json", "a.jsonl", "a.txt"]),
)
@example(content={"a": [], "b": {"c": 1}}, lines=False, name="a.json")
@example(content={"a": [{"c": 1}], "b": {"c": 2}}, lines=False, name="a.json")
def test_the_first_record_is_that_of_the_whole_file(tmp_path_factory, content, lines, name):
    rows = content if lines and isinstance(content, list) else [content]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path = written(tmp_path_factory.mktemp("glance"), text or " ", name)
    whole, seen = Source(path), Glance(path)
    if whole.first:
        assert seen.first == whole.first
        assert (seen.outer, seen.is_keyed) == (whole.outer, whole.is_keyed)


def in_list(rows):
    return json.dumps(rows)


def in_lines(rows):
    return "\n".join(map(json.dumps, rows))


def inside(rows):
    return json.dumps({"model": "m", "records": rows, "z": 1})


def keyed(rows):
    return json.dumps({f"q{i}": row for i, row in enumerate(rows)})


def keyed_inside(rows):
    return json.dumps({"model": "m", "samples": {f"q{i}": row for i, row in enumerate(rows)}, "z": 1})


@pytest.mark.parametrize("shape", [in_list, in_lines, inside, keyed, keyed_inside])
def test_only_the_beginning_of_a_large_file_is_read(tmp_path, shape):
    text = shape([RECORD | {"text": "x" * 1000}] * 1000)
    half = text[: len(text) // 2]  # damaged behind the first records
    path = written(tmp_path, half, "a.json")
    seen = Glance(path)
    found = dict(seen.first)
    if shape in (keyed, keyed_inside):
        assert found.pop("question_id") == "q0"
    assert found == RECORD | {"text": "x" * 1000}
    assert seen.outer == ({"model": "m"} if shape in (inside, keyed_inside) else {})
    packed = written(tmp_path, gzip.compress(text.encode()), "a.json.gz")
    assert Glance(packed).first == seen.first


def test_a_first_record_is_read_whatever_its_size(tmp_path):
    record = {"question": "q", "samples": ["x" * 1000] * 1000, "is_corrects": [True] * 1000}
    for text in (json.dumps([record, record]), in_lines([record, record]), json.dumps(record)):
        for name in ("a.json", "a.jsonl"):
            assert list(Glance(written(tmp_path, text, name)).first) == list(record)


def test_one_long_text_and_many_numbers_end_the_beginning(tmp_path, monkeypatch):
    monkeypatch.setattr(glance, "_MOST", 2**20)
    monkeypatch.setattr(glance, "_MOST_EVENTS", 2**10)
    text = '{"a": 1, "b": "' + "x" * 2**20
    assert Glance(written(tmp_path, text + 'y", "c": 2}')).first == {"a": 1}
    numbers = Glance(written(tmp_path, '{"a": [' + "1," * 2**11 + "1]}")).first["a"]
    assert 2**9 < len(numbers) < 2**10


def test_values_before_a_fault_are_seen(tmp_path):
    assert beginning(Source(written(tmp_path, '{"version": 2, "score": NaN, "z": 1}'))) == {"version": 2}
    assert beginning(Source(written(tmp_path, b'\xef\xbb\xbf{"version": 2'))) == {"version": 2}
    assert Glance(written(tmp_path, '{"a": {"b": 1}, "c": [')).part("a").value == {"b": 1}
    assert beginning(Glance(written(tmp_path, "[" * 1000))) is not None
    for text in ("x", "\x00", '"', "nul"):
        assert Glance(written(tmp_path, text)).first == {}


def test_what_cannot_be_read_has_no_first_bytes(tmp_path):
    assert Glance(written(tmp_path, " {")).starts_with(b"{")
    assert not Glance(written(tmp_path, b"\x1f\x8b\x08", "a.json.gz")).starts_with(b"")
    assert not Glance(tmp_path).starts_with(b"")


def test_tables(tmp_path):
    pa.parquet.write_table(pa.table({"a": ["x", "y"], "b": [1.5, None]}), tmp_path / "a.parquet")
    assert Glance(tmp_path / "a.parquet").first == {"a": "x", "b": 1.5}
    assert beginning(Glance(tmp_path / "a.parquet")) is None
    pa.parquet.write_table(pa.table({"a": pa.array([], pa.string())}), tmp_path / "a.parquet")
    assert Glance(tmp_path / "a.parquet").first == {}
    assert Glance(written(tmp_path, "a,b\nx,\n", "a.csv")).first == {"a": "x", "b": None}
    assert Glance(written(tmp_path, "PAR1", "a.parquet")).first == {}
