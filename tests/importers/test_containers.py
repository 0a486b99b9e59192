"""Records in any container: the same records whatever holds them."""

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet
import pytest

from mssim import PoolError
from mssim.importers.containers import Cells, is_lines, outline
from mssim.importers.safe_files import Source
from tests.importers.readers import written

RECORDS = [{"question_id": "q1", "answer": "7", "n": 1}, {"question_id": "q2", "answer": None, "n": 2}]
LINES = "".join(f"{json.dumps(record)}\n" for record in RECORDS)
FILES = {
    "lines.jsonl": LINES,
    "lines.json": f"\n{LINES}\n",
    "marked.jsonl": f"\ufeff{LINES}",
    "list.json": json.dumps(RECORDS),
    "pretty.json": json.dumps(RECORDS, indent=1),
    "object.json": json.dumps({"model": "m", "records": RECORDS, "scores": [1]}),
    "other name.json": json.dumps({"model": "m", "runs": RECORDS}),
    "two lists.json": json.dumps({"errors": [{"a": 1}], "outputs": RECORDS}, indent=1),
    "keyed.json": json.dumps({r["question_id"]: {"answer": r["answer"], "n": r["n"]} for r in RECORDS}),
    "keyed lists.json": json.dumps({r["question_id"]: [{"answer": r["answer"], "n": r["n"]}] for r in RECORDS}),
    "lines.jsonl.gz": gzip.compress(LINES.encode(), mtime=0),
    "list.json.gz": gzip.compress(json.dumps(RECORDS).encode(), mtime=0),
}


@pytest.mark.parametrize("name", FILES)
def test_records_are_the_same_in_every_container(tmp_path, name):
    source = Source(written(tmp_path, FILES[name], name))
    assert [record.value for record in source.records()] == RECORDS
    assert source.first == RECORDS[0]
    assert source.outer == ({"model": "m"} if name in ("object.json", "other name.json") else {})


def test_zstd_and_parquet(tmp_path):
    with pa.output_stream(str(tmp_path / "a.json.zst"), compression="zstd") as file:
        file.write(FILES["object.json"].encode())
    source = Source(tmp_path / "a.json.zst")
    assert [record.value for record in source.records()] == RECORDS
    assert source.outer == {"model": "m"}
    pa.parquet.write_table(pa.Table.from_pylist(RECORDS), tmp_path / "a.parquet")
    assert [record.value for record in Source(tmp_path / "a.parquet").records()] == RECORDS


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.tsv", "\t"), ("a.csv.gz", ",")])
def test_cells_are_texts_that_may_be_numbers(tmp_path, name, delimiter):
    text = f"id,ok,n\n007,True,2\n,0,0.5\n8,,{'9' * 400}\n".replace(",", delimiter)
    source = Source(written(tmp_path, gzip.compress(text.encode(), mtime=0) if name.endswith("gz") else text, name))
    rows = list(source.records())
    assert all(isinstance(row, Cells) for row in rows)
    assert [(row.text("id"), row.flag("ok")) for row in rows] == [("007", True), (None, False), ("8", None)]
    assert [row.number("n") for row in rows[:2]] == [2, 0.5]
    assert rows[0].count("n") == 2
    for ask, says in [
        (lambda: rows[1].count("n"), "row 2: 'n' is 0.5. It must be a non-negative integer"),
        (lambda: rows[2].number("n"), "row 3: 'n' is NaN, infinite or too large"),
        (lambda: rows[0].flag("id"), "row 1: 'id' is a number. It must be true or false"),
    ]:
        with pytest.raises(PoolError, match=says):
            ask()


def test_a_single_record(tmp_path):
    for content in (
        '{"question_id": "q", "answers": ["7"]}',
        '{\n"question_id": "q",\n"answers": ["7"]\n}',
        '{"a": []}',
    ):
        source = Source(written(tmp_path, content))
        assert [record.value for record in source.records()] == [json.loads(content)]
        assert source.outer == {}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", '{"records": [{"a": 1}], "outputs": [{"a": 2}]}', "several lists of records, 'records', 'outputs'"),
        ("a.json", '{"x": [{"a": 1}], "y": [{"a": 2}], "z": 1}', "several lists of records, 'x', 'y'"),
        (
            "a.json",
            '{"data": {"q": {}}, "z": 1, "samples": {"q": {}}}',
            "several objects of records, 'data', 'samples'",
        ),
        ("a.json", '{"q1": {"a": 1}, "q2": {"a": 1}', "not valid JSON, or truncated"),
        ("a.json", '{"q1": {"a": 1}, "q2": [{"a": 1}, 7]}', "'q2': expected an object, found a number"),
        ("a.json", '{"q1": {"a": ' + "[" * 200 + "]" * 200 + "}}", "nested more than 100 levels deep"),
        ("a.csv", "a,a\n1,2\n", "a.csv: column 'a': the name appears twice"),
        ("a.csv", "a,b\n1\n", "a.csv: cannot be read .* damaged or truncated"),
        ("a.csv", b"a,b\n1,\xff\n", "a.csv: cannot be read .* damaged or truncated"),
        ("a.parquet", "PAR1", "a.parquet: cannot be read .* damaged or truncated"),
        ("a.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-9], "damaged or truncated"),
        ("a.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:20] + b"\xff" * 30, "damaged or truncated"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd\xff\xff", "damaged or truncated"),
    ],
)
def test_damaged_files_are_one_error(tmp_path, name, content, says):
    source = Source(written(tmp_path, content, name))
    with pytest.raises(PoolError, match=says):
        list(source.records())
    assert isinstance(source.first, dict)


def test_what_the_members_of_an_object_are():
    text = b'{"a": 1, "b": {"c": [1]}, "d": [{"e": 2}, 3], "f": [], "g": [[{}]], "h": null, "i": {"x": {}, "y": {}}}'
    found = outline(io.BytesIO(text))
    assert found == ({"a": 1, "h": None}, ["b", "i"], ["d"], ["f", "g"], ["i"])
    assert found.records() == "d"
    assert not found.is_keyed()
    assert found.keyed_inside() is None
    found = outline(io.BytesIO(b'{"a": 1, "data": {"q": {"e": {}}, "r": {}}, "results": {"x": {}, "acc": 1}, "b": {}}'))
    assert (found.keyed, found.keyed_inside()) == (["data"], "data")


@pytest.mark.parametrize(
    ("text", "expected"),
    [('{"a": 1}\n{"b": 2}', True), ('{"a": 1}', False), ('{"a":\n1}', False), ('\n{"a": {}\n, "b": 1}', False)],
)
def test_one_object_per_line(text, expected):
    assert is_lines(io.BytesIO(text.encode())) is expected
