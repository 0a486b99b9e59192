"""One long table of what was read: chosen, graded, and each sample with an answer."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError, PoolWarning, load_pool
from mssim.importers import Common, diagnose
from mssim.importers.pipeline import to_pool
from tests.importers.readers import both, imported, rows


def test_where_takes_samples_and_their_questions(tmp_path):
    read = both(
        rows({"answer": "1", "temperature": 0.0, "text": "a"}, {"answer": "2", "temperature": 1.0, "text": "b"}),
        rows({"answer": "1", "temperature": 1.0, "text": "c"}, question_id="r", truth="1", topic="late"),
        rows({"answer": "1", "temperature": 0.0, "text": "d"}, question_id="s", truth="1", topic="late"),
    )
    imported(tmp_path, read, where={"temperature": 1.0})
    pool = load_pool(tmp_path / "pool")
    assert (pool.question_ids, pool.extra["text"].to_pylist()) == (["q", "r"], ["b", "c"])
    assert to_pool("made up", read, [], Common(where={"topic": "late", "temperature": 0.0})).question_ids == ["s"]
    with pytest.raises(PoolError, match="temperature=3 matches no rows"):
        to_pool("made up", read, [], Common(where={"temperature": 3}))
    with pytest.raises(PoolError, match="the conditions exclude all samples"):
        to_pool("made up", read, [], Common(where=[("temperature", ">", 5)]))


def test_texts_are_graded_and_what_the_files_say_stays_beside(tmp_path):
    read = rows(
        {"text": "it is 1", "correct": True},
        {"text": "it is 2", "correct": True},
        {"text": "no idea", "correct": False},
    )
    found = imported(tmp_path, read, rule="number")
    with pytest.warns(PoolWarning, match="no answer"), pytest.warns(PoolWarning, match="disagree on 1 of 3 samples"):
        pool = load_pool(tmp_path / "pool")
    assert pool.to_frame()[["answer", "correct", "correct_in_source"]].values.tolist() == [
        ["1", True, True],
        ["2", False, True],
        [np.nan, False, False],
    ]
    assert any("disagree on 1 of 3 samples" in warning for warning in found.warnings)
    assert pool.info["grader"]["rule"] == "number"


def test_questions_without_samples_are_said_unless_their_samples_failed(tmp_path):
    def failed(_, sink):
        sink.fail("error")
        sink.add("f", "m", [])

    read = both(rows({"answer": "1"}), rows(question_id="e"), failed, rows(model="n"))
    found = imported(tmp_path, read).warnings
    assert [one for one in found if "not in the pool" in one] == [
        "1 sample failed and is not in the pool: 1 error.",
        "1 question without samples is not in the pool: 'e'.",
    ]


@pytest.mark.parametrize("rule", [None, "number"])
def test_texts_can_be_left_out(tmp_path, rule):
    read = rows({"text": "it is 1" * 10, "answer": "1"}, {"text": "it is 1" * 10, "answer": "1"})
    found = imported(tmp_path, read, rule=rule, texts=False)
    pool = load_pool(tmp_path / "pool")
    assert ("text" in pool.extra.column_names, pool.to_frame()["answer"].tolist()) == (False, ["1", "1"])
    assert (found.long_texts, found.identical_texts) == (2, 1)


def test_samples_without_answers_are_answers_of_their_own(tmp_path):
    read = both(rows({"correct": True}, {"correct": False}), rows({"correct": True}, model="n", truth=None))
    found = imported(tmp_path, read)
    with pytest.warns(PoolWarning) as caught:
        pool = load_pool(tmp_path / "pool")
    assert pool.to_frame()["answer"].tolist() == ["0 right", "1 wrong", "0 right"]
    assert "votes are meaningless" in found.remarks[0]
    assert [("votes are meaningless" in str(warning.message)) for warning in caught] == [False, True]
    assert pool.info["votes"] is False


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda *_: None, "The files contain no samples"),
        (lambda _, sink: sink.fail("timeout", 3), r"The files contain no samples \(3 failed: timeout\)"),
        (rows({"text": "a"}), "texts but no answers. Extract the answers with a rule"),
        (rows({"output_tokens": 3}), "neither answers nor texts nor verdicts"),
        (rows({"answer": "1"}, topic="a"), "neither verdicts nor truths"),
        (
            both(rows({"answer": "1"}), rows({"answer": "1"}, question_id="r", topic="a")),
            "question 'r' has neither a truth nor verdicts",
        ),
        (both(rows({"answer": "1"}), rows({"answer": "1"}, truth="2")), "two truths, '1' and '2'"),
        (rows({"answer": "1", "sample_index": 3}, {"answer": "1", "sample_index": 3}), "2 rows hold the same sample"),
        (rows({"answer": "1", "correct": True}, {"answer": "1", "correct": False}), "is right and wrong for 'm'"),
        (rows({"answer": "1", "output_tokens": 2**70}), "A value of a sample does not fit the type of its column"),
    ],
)
def test_what_is_no_pool_is_refused_and_nothing_is_written(tmp_path, read, message):
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(PoolError, match=message):
        imported(tmp_path, read)
    assert sorted(path.name for path in tmp_path.iterdir()) == [*before, "source.txt"]


def test_a_rule_without_texts_is_refused(tmp_path):
    with pytest.raises(PoolError, match=r"rule: the files contain no texts to grade\. Remove the rule"):
        imported(tmp_path, rows({"answer": "1"}), rule="number")


def test_what_is_known_of_texts_is_told_with_and_without_them(tmp_path):
    read = rows(
        {"text": "", "reasoning": "hm " * 99, "finish_reason": "length"},
        {"text": "it is 1", "reasoning": "so"},
        {"text": "it is 1"},
    )
    empty = "1 of 3 texts of m is empty, cut off. 1 of them has reasoning."
    for texts in (True, False):
        folder = tmp_path / str(texts)
        folder.mkdir()
        found = imported(folder, read, rule="number", texts=texts)
        assert empty in found.warnings
        assert found.remarks == ("2 of 3 samples of m have reasoning, kept in the column reasoning.",) * texts
        with pytest.warns(PoolWarning) as caught:
            pool = load_pool(folder / "pool")
        assert (empty in [str(one.message) for one in caught]) == texts
        assert diagnose(pool).warnings == found.warnings
        assert ("reasoning" in pool.extra.column_names) == ("text" in pool.extra.column_names) == texts
    with pytest.warns(PoolWarning):
        kept = load_pool(tmp_path / "True" / "pool").extra["reasoning"].to_pylist()
    assert kept == ["hm " * 99, "so", None]


def test_requests_with_equal_texts_are_told_of_imports(tmp_path):
    read = rows(*({"text": "it is 1", "request_id": f"r{i // 2}", "request_samples": 2} for i in range(4)))
    found = imported(tmp_path, read, rule="number", texts=False)
    assert [warning[:63] for warning in found.warnings] == [
        "the texts of m are equal within every request with several samp"
    ]


# Conflicts and missing verdicts ---------------------------------------------------------------------------------------


def test_questions_with_two_meanings_are_refused_or_left_out(tmp_path):
    read = both(
        rows({"answer": "1", "correct": True}, question_id="p", truth="1"),
        *(
            rows({"answer": "1"}, model=model, question_id=f"q{i}", truth=truth)
            for model, truth in (("m", "1"), ("n", "2"))
            for i in range(4)
        ),
        rows({"answer": "1", "correct": True}, {"answer": "1", "correct": False}, question_id="r", truth="1"),
    )
    with pytest.raises(PoolError, match="4 questions have two values under one id: question 'q0' has two truths"):
        imported(tmp_path, read)
    with pytest.raises(PoolError, match="question 'q2' has two truths"):
        to_pool("made up", read, [], Common(where={"question_id": ["p", "q2"]}))
    assert to_pool("made up", read, [], Common(where={"question_id": "p"})).question_ids == ["p"]
    found = imported(tmp_path, read, drop_conflicts=True)
    assert found.warnings == (
        "4 questions have two truths under one id and are left out: 'q0', 'q1', 'q2' and 1 more.",
        "1 question has an answer that is both right and wrong and is left out: 'r'.",
    )
    pool = load_pool(tmp_path / "pool")
    assert (pool.question_ids, pool.models) == (["p"], ("m",))
    assert pool.info["import"]["dropped_conflicts"] == {"truth": 4, "answer": 1}
    with pytest.raises(PoolError, match="strict: the import has 2 warnings"):
        to_pool("made up", read, [], Common(drop_conflicts=True, strict=True))
    with pytest.raises(PoolError, match="drop_conflicts: every question has a conflict"):
        to_pool("made up", read, [], Common(drop_conflicts=True, where=[("question_id", "!=", "p")]))


def table(**columns):
    return lambda _, sink: sink.add_table(pa.table({"model": ["m"] * 4, "sample_index": [0, 1, 2, 3], **columns}))


def test_truths_beside_samples_describe_the_questions_that_are_chosen(tmp_path):
    columns = {"question_id": ["0"] * 4, "answer": ["7", "7", "Paris", "Rome"], "truth": ["7", "7", "Paris", "Paris"]}
    columns |= {"question": ["3 + 4?", "3+4?", "Capital?", "Capital?"], "dataset": ["sums"] * 2 + ["capitals"] * 2}
    read = both(lambda _, sink: setattr(sink, "renamed", {"question_id": "idx", "dataset": "set"}), table(**columns))
    with pytest.raises(PoolError, match=r"two truths, '7' and 'Paris'.* names={'question_id': 'set\+idx'}, or leave"):
        imported(tmp_path, read)
    with pytest.raises(PoolError, match=r"same ids\. Import them separately, or"):
        imported(tmp_path, table(**columns))
    for name, truth, right in (("sums", "7", [True, True]), ("capitals", "Paris", [True, False])):
        pool = to_pool("made up", read, [], Common(where={"dataset": name}))
        assert (pool.questions["truth"].tolist(), pool.to_frame()["correct"].tolist()) == ([truth], right)
        assert {"truth", "question", "choices"}.isdisjoint(pool.extra.column_names)


def test_conflicts_of_texts_stay_beside_a_rule(tmp_path):
    read = both(
        rows({"text": "it is 1"}, question_id="p", truth="1"),
        rows({"text": "it is 1"}, truth="1", question="a?"),
        rows({"text": "it is 1"}, truth="1", question="b?"),
    )
    with pytest.raises(PoolError, match=r"question 'q' has two texts, 'a\?' and 'b\?'"):
        imported(tmp_path, read, rule="number")
    imported(tmp_path, read, rule="number", drop_conflicts=True)
    pool = load_pool(tmp_path / "pool")
    assert (pool.question_ids, pool.extra["text"].to_pylist()) == (["p"], ["it is 1"])


def test_verdicts_on_one_answer_need_texts_to_be_graded(tmp_path):
    def read(**more):
        return rows({"answer": "1", "correct": True, **more}, {"answer": "1", "correct": False, **more})

    with pytest.raises(PoolError, match="Grade the texts with a rule, or leave out"):
        imported(tmp_path, read(text="so it is"))
    with pytest.raises(PoolError, match="Give answers that differ different names, or leave out"):
        imported(tmp_path, read())
    with pytest.raises(PoolError, match="Choose another judge, or leave out"):
        imported(tmp_path, both(read(), lambda _, sink: setattr(sink, "remedy_of_verdicts", "Choose another judge")))


def test_samples_that_are_not_judged_have_failed(tmp_path):
    read = both(
        rows({"text": "a", "correct": True}, {"text": "b", "correct": None}, {"text": "c", "correct": False}),
        rows({"text": "d", "correct": None}, question_id="r", truth="1"),
    )
    found = imported(tmp_path, read)
    assert (found.failed, found.warnings) == (
        {"not judged": 2},
        ("2 samples failed and are not in the pool: 2 not judged.",),
    )
    with pytest.warns(PoolWarning):
        pool = load_pool(tmp_path / "pool")
    assert (pool.question_ids, pool.extra["text"].to_pylist()) == (["q"], ["a", "c"])
    assert pool.to_frame()["answer"].tolist() == ["0 right", "2 wrong"]
    with pytest.raises(PoolError, match=r"texts but no answers\. Extract the answers with a rule"):
        to_pool("made up", read, [], Common(where={"question_id": "r"}))
    others = rows({"answer": "1", "correct": None}, {"answer": "2", "correct": None}, question_id="s", topic="a")
    with pytest.raises(PoolError, match=r"contain no samples \(2 failed: not judged\)"):
        to_pool("made up", both(read, others), [], Common(where={"question_id": "s"}))


def test_answers_without_verdict_are_compared_with_the_truth_if_there_is_one(tmp_path):
    read = both(
        rows({"answer": "1"}, {"answer": "2"}, {"answer": None, "text": "no idea"}, {"answer": "3", "correct": True}),
        rows({"answer": "1"}, {"answer": "3", "correct": False}, question_id="r", topic="a"),
    )
    found = imported(tmp_path, read)
    assert found.failed == {"not judged": 1}
    assert any(warning.startswith("2 answers have no verdict in the files.") for warning in found.warnings)
    with pytest.warns(PoolWarning):
        frame = load_pool(tmp_path / "pool").to_frame()
    assert frame[["question_id", "answer", "correct"]].values.tolist() == [
        ["q", "1", True],
        ["q", "2", False],
        ["q", np.nan, False],
        ["q", "3", True],
        ["r", "3", False],
    ]


SAMPLES = st.lists(
    st.tuples(
        st.sampled_from("pqr"),
        st.sampled_from("mn"),
        st.sampled_from(["1", "2", None]),
        st.sampled_from([True, False, None]),
        st.sampled_from(["1", " 1", "2", None]),
        st.sampled_from(["a b", "ab", "c", None]),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.slow
@given(SAMPLES, st.booleans(), st.booleans())
def test_no_question_of_a_pool_has_two_truths(samples, drop, as_table):
    """Every import with repeated ids is refused or a pool, whose questions have one truth, text and verdict."""

    def read(_, sink):
        for question_id, model, answer, correct, truth, question in samples:
            sample = {"answer": answer, "correct": correct}
            sink.add(question_id, model, [sample], question={"truth": truth, "question": question})

    def read_table(_, sink):
        names = ("question_id", "model", "answer", "correct", "truth", "question")
        kinds = [pa.bool_() if name == "correct" else pa.string() for name in names]
        columns = [pa.array(values, kind) for values, kind in zip(zip(*samples, strict=True), kinds, strict=True)]
        table = pa.table(dict(zip(names, columns, strict=True)))
        sink.add_table(table.append_column("sample_index", pa.array(range(len(samples)))))

    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore", PoolWarning)
        try:
            imported(Path(folder), read_table if as_table else read, drop_conflicts=drop)
        except PoolError:
            return
        pool = load_pool(Path(folder) / "pool")
    for question_id in pool.question_ids:
        own = [sample for sample in samples if sample[0] == question_id]
        assert len({truth.strip() for *_, truth, _ in own if truth}) <= 1
        assert len({"".join(text.split()) for *_, text in own if text}) <= 1
        verdicts = {(answer, correct) for _, _, answer, correct, _, _ in own if answer and correct is not None}
        assert len({answer for answer, _ in verdicts}) == len(verdicts)
    if not drop:
        asked = {sample[0] for sample in samples}
        assert pool.info["import"].get("failed") or asked == set(pool.question_ids)
