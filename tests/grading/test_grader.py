"""Grading files and pool folders: what is written, what is refused, and that an old grade outlives a failure."""

import hashlib
import json
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError, PoolError, PoolWarning, __version__, load_pool
from mssim.grading import grade, grade_file, parse_rule
from mssim.grading.report import shown
from mssim.pools.folder import folder_update, read_info, write_info

TEXTS = {
    ("q1", "a"): ["It is 7.0", "so 7", "7.00, I think", "seven"],
    ("q1", "b"): ["7", "8", "10-5", "x=-5"],
    ("q2", "a"): ["9", "9", "none", "12"],
    ("q2", "b"): ["4", "4", "4", "3/4"],
}
TRUTHS = {"q1": "7", "q2": "3/4"}


def samples_table(texts=TEXTS, **columns):
    rows = [
        {"question_id": question, "model": model, "sample_index": i, "text": text}
        for (question, model), given_ in texts.items()
        for i, text in enumerate(given_)
    ]
    return pa.Table.from_pandas(pd.DataFrame(rows).assign(finish_reason="stop", **columns), preserve_index=False)


def questions_table(truths=TRUTHS, **columns):
    return pa.table(
        {"question_id": list(truths), "question": ["?"] * len(truths), "truth": list(truths.values()), **columns}
    )


@pytest.fixture
def graded(tmp_path):
    """Grade a table: (Grading, graded table)."""

    def graded(rule, samples=None, questions=None, **options):
        pq.write_table(samples_table() if samples is None else samples, tmp_path / "in.parquet")
        found = grade_file(
            tmp_path / "in.parquet",
            tmp_path / "out.parquet",
            questions_table() if questions is None else questions,
            parse_rule(rule) if isinstance(rule, str) else rule,
            **options,
        )
        return found, pq.read_table(tmp_path / "out.parquet")

    return graded


def test_answers_classes_and_what_is_right(graded):
    found, table = graded("number")
    assert table.column_names == [
        "question_id", "model", "sample_index", "text", "finish_reason", "answer", "correct", "extracted",
    ]  # fmt: skip
    # Of 7.0, 7 and 7.00 the class has the name 7: two samples spell it so.
    assert table["answer"].to_pylist() == ["7", "7", "7", None, "7", "8", "5", "-5", "9", "9", None, "12", *"4444"]
    assert table["extracted"].to_pylist()[:4] == ["7.0", "7", "7.00", None]
    assert table["correct"].to_pylist() == [True, True, True, False, True] + [False] * 11
    expected = samples_table()
    assert table.select(expected.column_names).equals(expected.replace_schema_metadata(None))
    frame = found.to_frame().set_index("model")
    assert frame.loc["a"].to_dict() == {
        "questions": 2, "samples": 8, "no_answer": 0.25, "accuracy": 0.375,
        "classes_min": 1, "classes_median": 1.5, "classes_max": 2,
    }  # fmt: skip
    assert frame.loc["b", ["no_answer", "accuracy", "classes_max"]].tolist() == [0, 0.125, 4]
    assert found.classes_per_question() == {"classes_min": 3, "classes_median": 3.5, "classes_max": 4}
    assert repr(found) == "Grading('number', 2 models, 16 samples)"


def test_truths_that_cannot_be_met_are_counted(graded):
    found, _ = graded("number")
    assert found.cannot_match == {"q2": "3/4"}
    assert found.warnings() == [
        "1 of 2 truths are not one number (for others, see rule boxed), such as '3/4'. "
        "The rule number cannot match them. Choose another rule, or correct the truths."
    ]
    found, _ = graded("exact", questions=questions_table({"q1": None, "q2": "3/4"}))
    assert found.warnings() == [
        "1 of 2 truths are not text, such as a missing truth. The rule exact cannot match them. Choose another rule, "
        "or correct the truths."
    ]


def test_no_column_extracted_where_every_answer_is_spelled_like_its_class(graded):
    samples = samples_table().append_column("extracted", pa.array(["old"] * 16))
    _, table = graded("exact", samples.append_column("answer", pa.array(["old"] * 16)))
    assert table.column_names == [
        "question_id", "model", "sample_index", "text", "finish_reason", "answer", "correct",
    ]  # fmt: skip
    assert table["answer"].to_pylist() == table["text"].to_pylist()
    assert sum(table["correct"].to_pylist()) == 2


def test_the_first_seen_spelling_names_a_class_where_several_are_as_frequent(graded):
    _, table = graded("number", samples_table({("q1", "a"): ["07", "7.0", "7.0", "07", "7"]}))
    assert table["answer"].to_pylist() == ["07"] * 5


def test_a_missing_text_is_what_was_extracted_or_answered_before(graded):
    samples = samples_table({("q1", "a"): [None, None, None, "text 7"]})
    samples = samples.append_column("answer", pa.array(["8", "x=7.0", None, "9"]))
    samples = samples.append_column("extracted", pa.array([None, "7.0", None, None], pa.string()))
    _, table = graded("number", samples)
    assert table["answer"].to_pylist() == ["8", "7.0", None, "7.0"]
    assert table["text"].to_pylist() == ["8", "7.0", None, "text 7"]  # nothing is lost


def test_grading_twice_is_grading_once(graded, tmp_path):
    first, table = graded("number")
    written = (tmp_path / "out.parquet").read_bytes()
    second, again = graded("number", table)
    assert again.equals(table)
    assert (tmp_path / "out.parquet").read_bytes() == written
    pd.testing.assert_frame_equal(first.to_frame(), second.to_frame())
    pd.testing.assert_frame_equal(first.examples(), second.examples())
    assert graded("mathbench", graded("exact", table)[1])[1].equals(graded("mathbench")[1])


spelled = st.sampled_from(["1", "1.0", "01", "2", "2.00", "-3", "x", ""])


@given(st.lists(st.tuples(st.sampled_from(["q1", "q2"]), spelled), min_size=1, max_size=30), st.randoms())
def test_classes_against_counting_and_whatever_the_order(tmp_path_factory, drawn, random):
    folder = tmp_path_factory.mktemp("order")

    def run(rows):
        table = pa.table(
            {
                "question_id": [q for _, (q, _) in rows],
                "model": ["m"] * len(rows),
                "sample_index": [i for i, _ in rows],
                "text": [text for _, (_, text) in rows],
            }
        )
        pq.write_table(table, folder / "in.parquet")
        grade_file(
            folder / "in.parquet", folder / "out.parquet", questions_table({"q1": "1", "q2": "2"}), parse_rule("number")
        )
        return pq.read_table(folder / "out.parquet").to_pandas().set_index("sample_index").sort_index()

    rows = list(enumerate(drawn))
    found = run(rows)
    for i, (question, text) in rows:
        same = [
            t
            for q, t in drawn
            if q == question and t not in ("x", "") and text not in ("x", "") and float(t) == float(text)
        ]
        assert (
            found.loc[i, "answer"] == (Counter(same).most_common(1)[0][0]) if same else pd.isna(found.loc[i, "answer"])
        )
        assert found.loc[i, "correct"] == (bool(same) and float(text) == {"q1": 1, "q2": 2}[question])
    random.shuffle(rows)
    other = run(rows)
    assert other["correct"].equals(found["correct"])
    for q in ("q1", "q2"):
        both = pd.concat([found, other], axis=1, keys=["a", "b"])[found["question_id"] == q].dropna()
        assert (
            both["a", "answer"].nunique()
            == both["b", "answer"].nunique()
            == len(both.drop_duplicates([("a", "answer"), ("b", "answer")]))
        )


def test_choices_of_questions_decide(graded):
    choices = [["yes", "no"], ["3", "4", "3/4"]]
    texts = {("q1", "a"): ["yes", "B", "C"], ("q2", "a"): ["The answer is (c).", "3/4", "D"]}
    truths = {"q1": "yes", "q2": "3/4"}
    for given_ in (pa.array(choices), pa.array([json.dumps(c) for c in choices])):
        _, table = graded("choice", samples_table(texts), questions_table(truths, choices=given_))
        assert table["answer"].to_pylist() == ["A", "B", None, "C", "C", None]
        assert table["correct"].to_pylist() == [True, False, False, True, True, False]
    with pytest.raises(PoolError, match=r"question 'q1': choices='yes' is not a list of text"):
        graded("choice", samples_table(texts), questions_table(truths, choices=["yes", "[]"]))


def test_a_class_that_the_truth_joins_is_right_as_a_whole(graded, tmp_path):
    pytest.importorskip("math_verify")
    answers = [r"\frac{6}{8}", "0.75", "x=3/4", "0.7", "75\\%", r"\dfrac{6}{8}", "no"]
    texts = {("q2", "a"): [rf"\boxed{{{a}}}" for a in answers], ("q1", "a"): ["none", r"\boxed{7"]}
    found, table = graded("boxed", samples_table(texts), cache=tmp_path / "e.sqlite")
    assert table["correct"].to_pylist() == [True, True, True, False, True, True, False, False, False]
    assert table["answer"].to_pylist() == [answers[0]] * 3 + ["0.7"] + [answers[0]] * 2 + ["no", None, None]
    assert found.describe() == {"rule": "boxed", "mssim": __version__, **found.versions, "cannot_match": 0}
    assert (tmp_path / "e.sqlite").is_file()
    assert graded("boxed", table, cache=tmp_path / "e.sqlite")[1].equals(table)


def test_verdicts_that_were_not_found_are_reported(graded):
    pytest.importorskip("math_verify")
    texts = {("q1", "a"): [r"\boxed{9^{9^{9^9}}}", r"\boxed{7}"]}
    found, table = graded("boxed", samples_table(texts))
    assert table["correct"].to_pylist() == [False, True]
    assert "math-verify exceeded its time limit for" in found.warnings()[0]


# Input of all kinds ---------------------------------------------------------------------------------------------------


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


def test_progress_counts_to_the_end(graded):
    seen = []
    graded("number", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (48, 48)
    assert seen == sorted(seen)


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


# Functions of the user's ----------------------------------------------------------------------------------------------


def own(function):
    return parse_rule("exact").__class__("python=mine:f", function)


def test_an_error_of_a_function_names_the_sample(graded):
    with pytest.raises(
        PoolError, match=r"rule python=mine:f: question 'q2', model 'a', sample_index 3: KeyError: '12'"
    ):
        graded(own(lambda text: {"12": {}}.get(text, {text: text})[text]))


def test_an_answer_that_is_no_text_is_refused(graded):
    with pytest.raises(
        PoolError, match=r"sample_index 0: the function returned 9, of type int\. It must return text, or None"
    ):
        graded(own(len))


def test_white_space_is_no_answer_and_no_part_of_one(graded):
    _, table = graded(own(lambda text: " 7\n" if "7" in text else " \n"))
    assert Counter(table["answer"].to_pylist()) == {"7": 4, None: 12}


# Pool folders ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    with folder_update(tmp_path / "pool") as part:
        pq.write_table(samples_table(), part / "samples.parquet")
        pq.write_table(questions_table(), part / "questions.parquet")
        write_info(part, tmp_path / "pool", {"title": "t", "counts": {"samples": 16}})
    return tmp_path / "pool"


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_a_graded_folder_is_a_pool(folder):
    with pytest.raises(PoolError, match="mssim grade"):
        load_pool(folder)
    found = grade(folder, "number")
    with pytest.warns(PoolWarning, match="no answer in 25"):
        pool = load_pool(folder)
    assert pool.info["grader"] == {"rule": "number", "mssim": __version__, "cannot_match": 1}
    assert pool.info["title"] == "t"
    described = pool.describe().set_index("model")
    frame = found.to_frame().set_index("model")
    assert np.allclose(described[["no_answer", "accuracy"]], frame[["no_answer", "accuracy"]])


def test_grading_by_another_rule_and_back(folder):
    grade(folder, "number")
    first = digests(folder)
    grade(folder, "exact")
    assert read_info(folder)["grader"]["rule"] == "exact"
    assert digests(folder) != first
    grade(folder, "number")
    assert digests(folder) == first


def test_an_old_grade_outlives_a_failure(folder, monkeypatch, tmp_path):
    grade(folder, "number")
    before = digests(folder)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing_rule.py").write_text("def f(text):\n    return text if text != '3/4' else 1 / 0\n")
    with pytest.raises(PoolError, match="question 'q2', model 'b', sample_index 3: ZeroDivisionError"):
        grade(folder, "python=failing_rule:f")
    assert digests(folder) == before
    with monkeypatch.context() as patch:
        patch.setattr("mssim.grading.grader.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(MssimError, match="cannot be written"):
            grade(folder, "exact")
    assert digests(folder) == before


def test_boxed_keeps_its_verdicts_in_the_folder(folder):
    pytest.importorskip("math_verify")
    grade(folder, "boxed")
    assert (folder / "equivalence.sqlite").is_file()
    assert "math_verify" in read_info(folder)["grader"]


def test_what_is_no_pool_folder_is_refused(folder, tmp_path):
    with pytest.raises(PoolError, match=r"has no pool.json. Name a pool folder that `mssim record` or Pool.save wrote"):
        grade(folder / "samples.parquet", "number")
    with pytest.raises(PoolError, match=r"has no pool.json"):
        grade(tmp_path / "nothing", "number")
    (folder / "questions.parquet").unlink()
    with pytest.raises(PoolError, match=r"has no questions.parquet"):
        grade(folder, "number")


def test_a_damaged_folder_is_not_graded(folder):
    pq.write_table(samples_table({("q1", "a"): ["7"]}), folder / "samples.parquet")
    with pytest.raises(PoolError, match=r"the SHA-256 checksum differs from pool\.json"):
        grade(folder, "number")


# The report -----------------------------------------------------------------------------------------------------------


def test_examples_of_every_outcome(graded):
    examples = graded("number")[0].examples()
    assert examples.columns.tolist() == [
        "outcome", "question_id", "model", "sample_index", "text", "extracted", "answer", "truth",
    ]  # fmt: skip
    assert examples["outcome"].drop_duplicates().tolist() == ["right", "wrong", "no answer", "merged"]
    assert not examples.duplicated(["question_id", "model", "sample_index"]).any()
    merged = examples[examples["outcome"] == "merged"]
    assert merged["extracted"].tolist() == ["7.0", "7.00"]
    assert merged["answer"].tolist() == ["7", "7"]
    assert (examples["truth"] == examples["question_id"].map(TRUTHS)).all()


@given(st.text(max_size=200), st.booleans())
def test_what_is_shown_harms_no_terminal(text, end):
    found = shown(text, end=end)
    assert found.isprintable()
    assert len(found) <= 80
    if text.isprintable() and len(text) <= 80:
        assert found == text


def test_long_texts_show_their_end_or_beginning():
    assert shown("a" * 100 + "b", end=True) == "..." + "a" * 76 + "b"
    assert shown("b" + "a" * 100) == "b" + "a" * 76 + "..."
    assert shown(None) == ""
