"""From spellings to classes: counted by hand, named by the most frequent spelling."""

from collections import Counter

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import __version__
from mssim.grading import grade_file, parse_rule
from tests.grading.tables import questions_table, samples_table


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


def test_the_first_seen_spelling_names_a_class_where_several_are_as_frequent(graded):
    _, table = graded("number", samples_table({("q1", "a"): ["07", "7.0", "7.0", "07", "7"]}))
    assert table["answer"].to_pylist() == ["07"] * 5


spelled = st.sampled_from(["1", "1.0", "01", "2", "2.00", "-3", "x", ""])


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_class_that_the_truth_joins_is_right_as_a_whole(graded, tmp_path):
    pytest.importorskip("math_verify")
    answers = [r"\frac{6}{8}", "0.75", "x=3/4", "0.7", "75\\%", r"\dfrac{6}{8}", "no"]
    texts = {("q2", "a"): [rf"\boxed{{{a}}}" for a in answers], ("q1", "a"): ["none", r"\boxed{7"]}
    questions = questions_table({"q1": "7", "q2": "3/4"})
    found, table = graded("boxed", samples_table(texts), questions, cache=tmp_path / "e.sqlite")
    assert table["correct"].to_pylist() == [True, True, True, False, True, True, False, False, False]
    assert table["answer"].to_pylist() == [answers[0]] * 3 + ["0.7"] + [answers[0]] * 2 + ["no", None, None]
    assert found.describe() == {"rule": "boxed", "mssim": __version__, **found.versions, "cannot_match": 0}
    assert (tmp_path / "e.sqlite").is_file()
    assert graded("boxed", table, questions, cache=tmp_path / "e.sqlite")[1].equals(table)
