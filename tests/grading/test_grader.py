"""Grading files and pool folders: what is written, what is refused, and that an old grade outlives a failure."""

import hashlib
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mssim import MssimError, PoolError, PoolWarning, __version__, load_pool
from mssim.grading import Rule, grade, parse_rule
from mssim.pools.folder import folder_update, read_info, write_info
from tests.grading.tables import questions_table, samples_table


def test_no_column_extracted_where_every_answer_is_spelled_like_its_class(graded):
    samples = samples_table().append_column("extracted", pa.array(["old"] * 16))
    _, table = graded("exact", samples.append_column("answer", pa.array(["old"] * 16)))
    assert table.column_names == [
        "question_id", "model", "sample_index", "text", "finish_reason", "answer", "correct",
    ]  # fmt: skip
    assert table["answer"].to_pylist() == table["text"].to_pylist()
    assert sum(table["correct"].to_pylist()) == 1


def test_grading_twice_is_grading_once(graded, tmp_path):
    first, table = graded("number")
    written = (tmp_path / "out.parquet").read_bytes()
    second, again = graded("number", table)
    assert again.equals(table)
    assert (tmp_path / "out.parquet").read_bytes() == written
    pd.testing.assert_frame_equal(first.to_frame(), second.to_frame())
    pd.testing.assert_frame_equal(first.examples(), second.examples())
    assert graded("mathbench", graded("exact", table)[1])[1].equals(graded("mathbench")[1])


def test_progress_counts_to_the_end(graded):
    seen = []
    graded("number", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (48, 48)
    assert seen == sorted(seen)


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
    with pytest.raises(PoolError, match=r"mssim.grading.grade"):
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
    (tmp_path / "failing_rule.py").write_text("def f(text):\n    return text if text != 'so x/4' else 1 / 0\n")
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


# Reasoning ------------------------------------------------------------------------------------------------------------

THOUGHTS = ["<think>It may be 8.</think>It is 7.", "<think>It is 7, but", "It may be 8.</think>7", "7, but", "7"]


def reasoning_table():
    return samples_table({("q1", "a"): THOUGHTS, ("q2", "b"): ["7"]}).append_column(
        "reasoning", pa.array([None, None, None, None, "Or 9?", None])
    )


def test_reasoning_is_no_answer_unless_it_is_kept(graded):
    found, table = graded("number", reasoning_table())
    assert table["answer"].to_pylist() == ["7", None, "7", "7", "7", "7"]
    assert table["text"].to_pylist()[:5] == THOUGHTS
    assert (found.dropped.tolist(), found.unclosed.tolist()) == ([2, 0], [1, 0])
    says = [
        "The reasoning of 1 of 5 samples of a does not end. They have no answer. Raise max_tokens, or grade the "
        "reasoning too (reasoning='keep').",
        "Reasoning was dropped from 2 of 5 samples of a.",
    ]
    assert [one for one in found.warnings() if one in says] == says
    found, table = graded(parse_rule("first-number", reasoning="keep"), reasoning_table())
    assert table["answer"].to_pylist() == ["8", "7", "8", "7", "9", "7"]
    assert found.describe()["reasoning"] == "keep"


def test_a_text_that_was_cut_off_in_reasoning_that_the_prompt_began_has_no_answer(graded):
    table = reasoning_table()
    place = table.schema.get_field_index("finish_reason")
    table = table.set_column(place, "finish_reason", pa.array(["stop", "stop", "stop", "length", "stop", "length"]))
    found, graded_table = graded("number", table)
    # No text of b ends reasoning, so its text that was cut off is an answer.
    assert graded_table["answer"].to_pylist() == ["7", None, "7", None, "7", "7"]
    assert found.unclosed.tolist() == [2, 0]


def test_a_folder_keeps_how_its_reasoning_was_graded(folder):
    assert "reasoning" not in grade(folder, "number").describe()
    grade(folder, "number", reasoning="keep")
    assert read_info(folder)["grader"]["reasoning"] == "keep"


def test_normal_form_and_white_space_do_not_distinguish_answers(graded):
    texts = {("q1", "a"): ["caf\u00e9", " cafe\u0301\n"], ("q2", "b"): ["tea"]}
    _, table = graded("exact", samples_table(texts), questions_table({"q1": "cafe\u0301 ", "q2": "tea"}))
    assert table["answer"].to_pylist()[:2] == ["caf\u00e9"] * 2
    assert table["correct"].to_pylist() == [True] * 3


def test_half_a_surrogate_pair_that_a_function_returns_is_replaced(graded):
    _, table = graded(
        Rule("own", lambda text: f"\ud800{text}"), samples_table({("q1", "a"): ["7"], ("q2", "a"): ["8"]})
    )
    assert table["answer"].to_pylist() == ["\ufffd7", "\ufffd8"]
