"""Files that may be hostile: one error for every fault, and each file once."""

import json
import os

import pytest

from mssim import PoolError
from mssim.importers import Common
from mssim.importers.fields import Fields
from mssim.importers.pipeline import as_paths, import_pool
from mssim.importers.safe_files import Source, expand
from tests.importers.readers import rows, written

DEEP = "[" * 100_000 + "]" * 100_000


FAULTS = {
    "empty": ("", "is empty"),
    "white space": (" \n ", "not (valid|a) JSON"),
    "cut off": ('[{"a": 1}, {"a"', "not valid JSON, or truncated"),
    "not JSON": ("hello", "not (valid|a) JSON"),
    "UTF-16": ('[{"a": "é"}]'.encode("utf-16"), "not (valid|a) JSON|not UTF-8"),
    "mixed encodings": (
        b'[{"a": 1, "b": "\xc3\xa9"}, {"a": 2, "b": "\xe9"}]',
        "not valid JSON, or truncated|not UTF-8",
    ),
    "bare NaN": ('[{"a": NaN}]', "not valid JSON, or truncated"),
    "bare Infinity": ('[{"a": -Infinity}]', "not valid JSON, or truncated"),
    "deep lists": (f'[{{"a": {DEEP}}}]', "not valid JSON, or truncated .*(nested|recursion)"),
    "deep objects": ('[{"a": ' * 50_000, "not valid JSON, or truncated"),
    "huge integer": ('[{"a": 1' + "0" * 5000 + "}]", "not valid JSON, or truncated"),
    "large integer": ('[{"a": 1' + "0" * 400 + "}]", "not valid JSON, or truncated|too large"),
    "NUL": ("\0" * 100, "not (valid|a) JSON"),
    "numbers": ("[1, 2]", "expected an object, found a (number|list)"),
    "a list of a list": ("[[]]", "expected an object, found a list"),
}


def asked(records):
    """Ask every record for a number; readers ask for what they need."""
    return [record.number("a") for record in records]


def of_document(source):
    found = source.document()
    return [Fields.of(value, "here") for value in (found if isinstance(found, list) else [found])]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("read", [Source.items, Source.lines, of_document])
def test_a_fault_is_one_error(tmp_path, fault, read):
    content, message = FAULTS[fault]
    if read is Source.lines and isinstance(content, str):
        content = content.removeprefix("[").removesuffix("]").replace("}, {", "}\n{")
        if fault == "white space":
            assert asked(Source(written(tmp_path, content)).lines()) == []  # blank lines are no fault
            return
        message = f"{message}|found a number|Extra data"
    with pytest.raises(PoolError, match=message) as error:
        asked(read(Source(written(tmp_path, content))))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_a_list_inside_an_object_is_streamed(tmp_path):
    record = {"z": [[1]], "list": [{"a": 1}, {"a": 2}], "k": {"list": [{"a": 3}]}}
    assert asked(Source(written(tmp_path, json.dumps(record))).items("list")) == [1, 2]
    assert asked(Source(written(tmp_path, json.dumps({"list": {"a": [1]}}))).items("list")) == []
    with pytest.raises(PoolError, match="not a JSON object with 'list'"):
        asked(Source(written(tmp_path, "[]")).items("list"))


def test_lines_and_items_and_byte_order_marks(tmp_path):
    mark = b"\xef\xbb\xbf"
    lines = Source(written(tmp_path, mark + b'{"a": 1}\r\n\r\n  \n{"a": 2.5}', "a.jsonl")).lines()
    assert [(record.number("a"), record.place[-7:]) for record in lines] == [(1, " line 1"), (2.5, " line 4")]
    items = Source(written(tmp_path, mark + b' [ {"a": 1}, {"a": 2.5} ]', "b.json")).items()
    assert [(record.number("a"), record.place[-9:]) for record in items] == [(1, " record 1"), (2.5, " record 2")]
    assert Source(written(tmp_path, mark + b'{"a": 1}', "c.json")).document() == {"a": 1}


def test_progress_is_told_in_bytes(tmp_path):
    told = []
    path = written(tmp_path, '{"a": 1}\n{"a": 2}\n')
    assert len(list(Source(path, told.append).lines())) == 2
    assert told == [9, 18, 18]


def test_folders_are_searched_by_pattern(tmp_path):
    for name in ("b/x.json", "a/x.json", "a/y.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("[]")
    assert expand([tmp_path], "*.json") == [tmp_path / "a/x.json", tmp_path / "b/x.json"]
    assert expand([tmp_path / "a/y.txt"], "*.json") == [tmp_path / "a/y.txt"]  # what is named is read
    for hidden in (tmp_path / ".cache/x.json", tmp_path / "a/._x.json"):
        hidden.parent.mkdir(exist_ok=True)
        hidden.write_text("[]")
        assert expand([hidden], "*.json") == [hidden]
    (tmp_path / "a/folder.json").mkdir()
    assert expand([tmp_path], "*.json") == [tmp_path / "a/x.json", tmp_path / "b/x.json"]
    (tmp_path / "a/link.json").symlink_to("nothing.json")
    with pytest.raises(PoolError, match=r"link\.json does not exist\. It is a link to 'nothing\.json'\. Restore"):
        [Source(path) for path in expand([tmp_path], "*.json")]
    with pytest.raises(PoolError, match=r"this folder has no file \*.eval or \*.log"):
        expand([tmp_path], "*.eval", "*.log")
    with pytest.raises(PoolError, match="nowhere does not exist"):
        as_paths("nowhere")
    with pytest.raises(PoolError, match="paths: no file was given"):
        as_paths([])


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(PoolError, match="is neither a file nor a folder"):
        as_paths(tmp_path / "pipe.json")  # reading it would wait for ever
    with pytest.raises(PoolError, match="cannot be read or written"):
        as_paths("x" * 5000)
    with pytest.raises(PoolError, match="cannot be read or written"):
        import_pool("made up", rows({"answer": "1"}), [], tmp_path / ("x" * 300), Common())


@pytest.mark.parametrize("same", ["path", "content"])
def test_a_file_given_twice_would_count_twice(tmp_path, same):
    first = written(tmp_path, "x")
    second = first if same == "path" else written(tmp_path, "x", "b.json")
    with pytest.raises(PoolError, match=r"is given twice|has the same content as an earlier file"):
        import_pool("made up", rows({"answer": "1"}), [first, second], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


def test_a_hundred_levels_of_nesting_are_streamed_and_no_more(tmp_path):
    def nested(n):
        return Source(written(tmp_path, '[{"a": 1, "z": ' + "[" * n + "]" * n + "}]"))

    assert asked(nested(95).items()) == [1]
    with pytest.raises(PoolError, match=r"is not valid JSON, or truncated \(nested more than 100 levels deep\)"):
        asked(nested(101).items())
