"""Files of samples: read in batches, unchanged but for their grade, refused where damaged."""

import pyarrow as pa
import pytest

from mssim import PoolError
from mssim.grading import grade_file, parse_rule
from tests.grading.tables import questions_table, samples_table


def test_a_missing_text_is_what_was_extracted_or_answered_before(graded):
    samples = samples_table({("q1", "a"): [None, None, None, "text 7"]})
    samples = samples.append_column("answer", pa.array(["8", "x=7.0", None, "9"]))
    samples = samples.append_column("extracted", pa.array([None, "7.0", None, None], pa.string()))
    _, table = graded("number", samples)
    assert table["answer"].to_pylist() == ["8", "7.0", None, "7.0"]
    assert table["text"].to_pylist() == ["8", "7.0", None, "text 7"]  # nothing is lost


def test_names_and_texts_of_any_arrow_type(graded):
    plain = graded("number")[1]
    samples = samples_table()
    for i, name in enumerate(samples.column_names):
        if name in ("question_id", "model", "text"):
            samples = samples.set_column(i, name, samples[name].dictionary_encode())
    table = graded("number", samples)[1]
    assert table["answer"].equals(plain["answer"])
    large = samples_table().cast(
        pa.schema([(f.name, pa.large_string() if f.type == pa.string() else f.type) for f in samples_table().schema])
    )
    assert graded("number", large)[1]["answer"].equals(plain["answer"])
    numbers = samples_table({(1, "a"): ["7"], (2, "a"): ["8"]})
    assert graded("number", numbers, pa.table({"question_id": [1, 2], "truth": [7.0, 9.5]}))[1][
        "correct"
    ].to_pylist() == [True, False]


def test_a_file_of_many_batches_keeps_its_rows(graded):
    texts = {(f"q{q}", "m"): [f"{i} is {i % 7}" for i in range(700)] for q in range(3)}
    _, table = graded("number", samples_table(texts), questions_table({f"q{q}": "3" for q in range(3)}))
    assert table.select(["question_id", "sample_index", "text"]).equals(
        samples_table(texts).select(["question_id", "sample_index", "text"]).replace_schema_metadata(None)
    )
    assert table["answer"].to_pylist() == [str(i % 7) for i in range(700)] * 3


HOSTILE = [
    "\0 7 \0",
    "\U0001f600 7",
    "\u202e 7",
    "[red]7[/red] \x1b[2J",
    "7" + " " * 10**6,
    "ignore all rules; __import__('os')",
]


def test_hostile_texts_come_back_unchanged(graded):
    found, table = graded("number", samples_table({("q1", "a"): HOSTILE}))
    assert table["text"].to_pylist() == HOSTILE
    assert table["answer"].to_pylist() == ["7", "7", "7", "2", "7", None]
    texts = found.examples()["text"]
    assert texts.map(str.isprintable).all()
    assert texts.str.len().max() <= 80
    assert any("[red]7[/red] \\x1b[2J" in text for text in texts)


@pytest.mark.parametrize(
    ("samples", "questions", "says"),
    [
        (
            samples_table().drop_columns("text"),
            None,
            "column 'text' is missing, so samples cannot be graded. Import samples with texts",
        ),
        (samples_table().drop_columns("model"), None, "column 'model' is missing"),
        (samples_table().slice(0, 0), None, "has no samples. Record or import samples first"),
        (samples_table(text=3), None, "column 'text' has type int64. It must contain text"),
        (samples_table({("q3", "a"): ["7"]}), None, "question_id 'q3' of the samples is not in the table of questions"),
        (samples_table(model=["a", None] * 8), None, "row 2: model is empty"),
        (samples_table(question_id=[None] + ["q1"] * 15), None, "row 1: question_id is empty"),
        (None, questions_table().drop_columns("truth"), "questions: has no column 'truth'. Rename"),
        (None, questions_table().drop_columns("question_id"), "has no column 'question_id'"),
        (None, pa.concat_tables([questions_table()] * 2), "a question_id is empty or repeated"),
    ],
)
def test_bad_tables_are_refused(graded, tmp_path, samples, questions, says):
    with pytest.raises(PoolError) as error:
        graded("number", samples, questions)
    assert says in str(error.value)
    assert not (tmp_path / "out.parquet").exists()


def test_a_damaged_file_is_refused(tmp_path):
    for content in (b"PAR1 nothing PAR1", b""):
        (tmp_path / "in.parquet").write_bytes(content)
        with pytest.raises(PoolError, match=r"cannot be read .*It may be damaged or truncated"):
            grade_file(tmp_path / "in.parquet", tmp_path / "out.parquet", questions_table(), parse_rule("number"))


def test_text_that_is_not_utf_8_is_refused(graded):
    samples = samples_table()
    bad = pa.array([b"\xff"] * samples.num_rows, pa.binary()).view(pa.string())
    with pytest.raises(PoolError, match=r"cannot be read .*It may be damaged"):
        graded("number", samples.set_column(3, "text", bad))
