"""Separators of CSV files: what spreadsheets of many countries write."""

import gzip

import pytest

from mssim import load_pool
from mssim.importers import from_table
from mssim.pools.delimiters import delimiter_in

ROWS = [
    ("question_id", "model", "sample_index", "answer", "truth"),
    ("q1", "m", "0", "1,5", "1,5"),
    ("q1", "m", "1", "2", "1,5"),
]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"a,b;c", ","),
        (b"a;b\n1,2;3", ";"),
        (b"\xef\xbb\xbfa;b\r\n", ";"),
        (b'"a,b";"c"', ";"),
        (b"a\tb;c\n", ";"),
        (b"a\tb\n", "\t"),
        (b"alone\n", ","),
        (b"", ","),
    ],
)
def test_the_first_line_tells_the_separator(header, found):
    assert delimiter_in(header) == found


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("name", ["samples.csv", "samples.csv.gz"])
def test_files_of_other_separators_are_read(tmp_path, delimiter, name):
    text = "\n".join(delimiter.join(row) for row in ROWS).encode("utf-8-sig")
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    pool = load_pool(tmp_path / name)
    assert pool.class_labels.to_pylist() == ["1,5", "2"]
    assert pool.describe()["accuracy"].tolist() == [0.5]
    imported = from_table(tmp_path / name)
    assert imported.class_labels.to_pylist() == ["1,5", "2"]
