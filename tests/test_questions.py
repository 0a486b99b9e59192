"""Questions files and templates: what is read, what is asked, and what is refused."""

import csv
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError
from mssim.questions import check_questions, read_questions
from mssim.recorder.prompts import render

ROWS = [
    {"question_id": "q1", "question": "Is 007 a number?", "truth": "007", "choices": ["yes", "no"], "cluster": 3},
    {
        "question_id": "q2",
        "question": 'A "b", c\n{{truth}} é',
        "truth": "1.50",
        "choices": ["x, y", 'z"'],
        "cluster": 4,
    },
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def jsonl(folder, rows):
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_csv(folder, rows):
    path = folder / "questions.csv"
    written = [{k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(written)
    return path


def parquet(folder, rows):
    path = folder / "questions.parquet"
    pa.parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def refused(path, says):
    with pytest.raises(MssimError) as error:
        read_questions(path)
    assert str(path) in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def changed(**values):
    return [ROWS[0], {**ROWS[1], **values}]


def without(name):
    return [{key: value for key, value in row.items() if key != name} for row in ROWS]


# Reading --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [jsonl, as_csv, parquet])
def test_the_three_formats_read_alike(tmp_path, write):
    table = read_questions(write(tmp_path, ROWS))
    assert table.to_pylist() == ROWS
    assert [str(kind) for kind in table.schema.types[:3]] == ["string"] * 3
    assert table.schema.field("choices").type == pa.list_(pa.string())


@given(st.lists(st.tuples(TEXT, TEXT, TEXT, st.lists(TEXT, min_size=1)), min_size=1, unique_by=lambda row: row[0]))
def test_any_text_comes_back_unchanged(tmp_path_factory, rows):
    rows = [dict(zip(("question_id", "question", "truth", "choices"), row, strict=True)) for row in rows]
    assert read_questions(jsonl(tmp_path_factory.mktemp("any"), rows)).to_pylist() == rows


def test_text_of_a_megabyte_and_nul_bytes_come_back_unchanged(tmp_path):
    rows = changed(question="\0" + "é😀" * 500_000)
    for write in (jsonl, parquet):
        assert read_questions(write(tmp_path, rows)).to_pylist() == rows


def test_numbers_become_text_as_written(tmp_path):
    rows = [
        {"question_id": 1, "question": 2, "truth": 7, "choices": [1, 2]},
        {"question_id": 2, "question": 3, "truth": 0.5, "choices": [3]},
    ]
    assert read_questions(jsonl(tmp_path, rows)).to_pylist() == [
        {"question_id": "1", "question": "2", "truth": "7", "choices": ["1", "2"]},
        {"question_id": "2", "question": "3", "truth": "0.5", "choices": ["3"]},
    ]


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (2**70, str(2**70)), (7.0, "7"), (-0.25, "-0.25")])
def test_a_truth_that_is_no_text_is_written_as_in_json(tmp_path, value, text):
    table = read_questions(jsonl(tmp_path, [{"question_id": "a", "question": "b", "truth": value}]))
    assert table["truth"].to_pylist() == [text]


def test_cells_of_a_csv_file_are_taken_as_written(tmp_path):
    hints = [
        "12",
        "007",
        "7.50",
        "7.0",
        "-3",
        "1e3",
        "01:30",
        "True",
        "false",
        "2026-01-05",
        "NaN",
        "nan",
        "inf",
        "null",
        " a ",
    ]
    rows = [{"question_id": "01", "question": "010", "truth": "1.50", "hint": hint} for hint in hints]
    for row in rows:  # alone, so that each column has the type of its cell
        (read,) = read_questions(as_csv(tmp_path, [row])).to_pylist()
        assert {name: read[name] for name in ("question_id", "question", "truth")} | {"hint": row["hint"]} == row
        assert render("{{hint}}", read) == row["hint"]


def test_numbers_in_a_csv_file_may_stay_numbers(tmp_path):
    table = read_questions(as_csv(tmp_path, ROWS))
    assert table["cluster"].to_pylist() == [3, 4]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    for path in (jsonl(tmp_path, ROWS), as_csv(tmp_path, ROWS)):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert read_questions(path).to_pylist() == ROWS


def test_pandas_categories_and_bytes_in_parquet_are_text(tmp_path):
    frame = pd.DataFrame(
        {"question_id": pd.Categorical(["a", "b"]), "question": [b"x", "é".encode()], "truth": ["1", "2"]}
    )
    frame.to_parquet(tmp_path / "q.parquet")
    assert read_questions(str(tmp_path / "q.parquet")).to_pylist() == [
        {"question_id": "a", "question": "x", "truth": "1"},
        {"question_id": "b", "question": "é", "truth": "2"},
    ]


def test_a_table_is_checked_and_read_as_a_file_is():
    rows = [{"question_id": 1, "question": "Q?", "truth": 7, "choices": '["a", "b"]'}]
    assert check_questions(pa.Table.from_pylist(rows)).to_pylist() == [
        {"question_id": "1", "question": "Q?", "truth": "7", "choices": ["a", "b"]}
    ]
    with pytest.raises(MssimError, match=r"^row 2: question_id '1' also appears in row 1"):
        check_questions(pa.Table.from_pylist(rows * 2))


@pytest.mark.parametrize("name", ["question_id", "question", "truth"])
def test_a_missing_column_is_named(tmp_path, name):
    refused(jsonl(tmp_path, without(name)), f"column {name!r} is missing. Rename one of the columns to {name!r}. ")


@pytest.mark.parametrize("name", ["question_id", "question", "truth"])
@pytest.mark.parametrize("value", [None, "", " \n"])
def test_an_empty_value_is_named(tmp_path, name, value):
    refused(jsonl(tmp_path, changed(**{name: value})), f"row 2: {name} is empty. Every question needs one")


def test_nan_is_no_json(tmp_path):
    refused(jsonl(tmp_path, changed(truth=float("nan"))), "line 2: not valid JSON (NaN is not valid JSON, use null)")


def test_an_empty_cell_is_named(tmp_path):
    refused(as_csv(tmp_path, changed(truth=None)), "row 2: truth is empty")


def test_a_repeated_question_id_names_both_rows(tmp_path):
    rows = [*ROWS, {**ROWS[1], "question_id": "q1"}]
    refused(jsonl(tmp_path, rows), "row 3: question_id 'q1' also appears in row 1. Give each question its own")


@pytest.mark.parametrize("choices", [None, [], "yes or no", "{}", "[]", '"a"', "[" * 100_000, {"A": "yes"}, 5])
def test_choices_that_are_no_list_are_refused(tmp_path, choices):
    rows = [{**row, "choices": choices} for row in ROWS]
    refused(jsonl(tmp_path, rows), 'is not a list of text, such as ["yes", "no"]')


def test_a_row_without_choices_among_others_is_named(tmp_path):
    refused(jsonl(tmp_path, changed(choices=None)), "row 2: choices=None is not a list of text")
    refused(as_csv(tmp_path, changed(choices="")), "row 2: choices=None is not a list of text")


@pytest.mark.parametrize("choices", [["a", ""], ["a", None], ["a", " "]])
def test_an_empty_choice_is_named(tmp_path, choices):
    for write in (jsonl, as_csv, parquet):
        refused(write(tmp_path, changed(choices=choices)), "row 2: choice 2 is empty. Add its text, or remove it")


def test_lists_in_choices_are_refused(tmp_path):
    refused(as_csv(tmp_path, changed(choices=[["a"]])), "row 2: choices='[[\"a\"]]' is not a list of text")


def test_a_list_as_the_question_is_refused(tmp_path):
    refused(parquet(tmp_path, [{**ROWS[0], "question": ["a"]}]), "column 'question' has type list<")


@pytest.mark.parametrize("name", ["answer", "model", "text", "correct", "cost", "time", "served_model"])
def test_columns_that_describe_samples_are_refused(tmp_path, name):
    refused(jsonl(tmp_path, changed(**{name: "a"})), f"column {name!r} is reserved for samples. Rename")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("question_id", "\ud800"),
        ("question", "x\udfff"),
        ("choices", ["a", "\ud83d"]),
        ("hint", "\ud800"),
        ("hint", ["\ud800"]),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_with_its_line(tmp_path, name, value):
    path = jsonl(tmp_path, changed(**{name: value}))
    path.write_text("\n" + path.read_text())
    refused(path, "line 3: contains a lone surrogate")


def test_half_of_a_surrogate_pair_in_a_name_or_a_json_list_is_refused(tmp_path):
    refused(jsonl(tmp_path, changed(**{"\ud800": 1})), "line 2: contains a lone surrogate")
    refused(as_csv(tmp_path, changed(choices=["\ud800"])), "row 2: choices='[\"\\\\ud800\"]' contains a lone surrogate")


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_bytes_that_are_not_utf_8_are_refused(tmp_path, place):
    cells = [b"q1", b"what?", b"7", b"hint"]
    cells[place] = b"\xff\xfe"
    path = tmp_path / "q.csv"
    path.write_bytes(b"question_id,question,truth,hint\n" + b",".join(cells) + b"\n")
    refused(path, "cannot be read")
    path = tmp_path / "q.jsonl"
    path.write_bytes(b'{"question_id": "%b", "question": "%b", "truth": "%b", "hint": "%b"}\n' % tuple(cells))
    refused(path, "cannot be read")


def test_bytes_that_are_not_utf_8_are_refused_in_parquet(tmp_path):
    for name in ("question", "truth"):
        table = pa.table({"question_id": ["a"], "question": ["b"], "truth": ["c"]})
        bad = pa.array([b"\xff"])
        pa.parquet.write_table(table.set_column(table.column_names.index(name), name, bad), tmp_path / "q.parquet")
        refused(tmp_path / "q.parquet", f"column {name!r} contains bytes that are not UTF-8")


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_files_without_questions_are_refused(tmp_path, ending):
    path = tmp_path / f"q{ending}"
    path.write_text("question_id,question,truth\n" if ending == ".csv" else "\n")
    refused(path, "the table is empty. Add one question per row")


def test_a_damaged_file_is_refused(tmp_path):
    path = parquet(tmp_path, ROWS)
    path.write_bytes(path.read_bytes()[:-20])
    refused(path, "Check whether the file is damaged or truncated.")


def test_what_is_no_file_of_questions_is_refused(tmp_path):
    refused(tmp_path / "no.jsonl", "is not a file. Name a JSONL, CSV or Parquet file with question_id, question, truth")
    refused(tmp_path, "is not a file. Name")
    (tmp_path / "q.txt").write_text("x")
    refused(tmp_path / "q.txt", "the suffix '.txt' is not supported. Use .jsonl, .csv or .parquet")


def table(**columns):
    return pa.table({"question_id": ["a", "b"], "question": ["x", "y"], "truth": ["1", "2"], **columns})


def test_truths_may_be_missing_where_none_is_needed():
    table = pa.table({"question_id": ["a", "b", "c"], "question": ["x", "y", "z"], "truth": ["7", None, " "]})
    assert check_questions(table, truths=False)["truth"].to_pylist() == ["7", None, None]
    without = check_questions(table.drop_columns("truth"), truths=False)
    assert without["truth"].to_pylist() == [None] * 3
    with pytest.raises(MssimError, match="row 2: truth is empty"):
        check_questions(table)
    with pytest.raises(MssimError, match="row 1: question is empty"):
        check_questions(pa.table({"question_id": ["a"], "question": [""]}), truths=False)
