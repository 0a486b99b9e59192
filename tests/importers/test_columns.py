"""Records as columns: the same samples as one row per sample, by a naive reading."""

import json
import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers import columns
from mssim.importers.columns import Reading, joined
from mssim.importers.safe_files import Source
from tests.conftest import examples
from tests.importers.readers import written


def table(tmp_path, records, names, models=()):
    source = Source(written(tmp_path, "".join(f"{json.dumps(record)}\n" for record in records), "a.jsonl"))
    reading = Reading(source, names, models)
    parts = list(reading.tables(source.records()))
    return joined(parts, reading.left_out), reading


def test_lists_are_samples_and_other_fields_are_repeated(tmp_path):
    records = [
        {"id": 1, "pred": ["7", None], "seed": "s", "notes": ["x", "y"], "choices": ["7", "8"], "log": {"a": 1}},
        {"id": 2, "pred": [], "seed": None, "notes": [], "choices": ["9"], "extra": 5},
        {"id": 3, "pred": "8", "seed": "t", "notes": "z", "choices": None, "log": {"a": 2}},
    ]
    found, reading = table(tmp_path, records, {"question_id": "id", "answer": "pred"})
    assert found.to_pydict() == {
        "question_id": [1, 1, 3],
        "answer": ["7", None, "8"],
        "seed": ["s", "s", "t"],
        "notes": ["x", "y", "z"],
        "choices": ['["7", "8"]'] * 2 + [None],
        "extra": [None, None, None],
    }
    assert list(reading.left_out) == ["log"]
    assert pa.types.is_dictionary(found["seed"].type)  # repeated texts are stored once


def test_records_without_any_list_are_empty_if_all_others_have_lists(tmp_path):
    records = [{"id": 1, "pred": None}, {"id": 2, "pred": ["7", "8"], "note": "x"}, {"id": 3}]
    found, reading = table(tmp_path, records, {"question_id": "id", "answer": "pred"})
    assert found.to_pydict() == {"question_id": [2, 2], "answer": ["7", "8"], "note": ["x", "x"]}
    (note,) = reading.lists.notes("a.jsonl", numbered=False)
    assert re.search("2 records hold no samples, such as .*line 1", note)
    found, reading = table(tmp_path, [*records, {"id": 4, "pred": "7"}], {"question_id": "id", "answer": "pred"})
    assert found["answer"].to_pylist() == [None, "7", "8", None, "7"]
    assert reading.lists.notes("a.jsonl", numbered=False) == []


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"pred": ["7"], "ok": [True]}, "line 2: question_id is None. Every sample needs one"),
        ({"id": 2, "pred": ["7", "8"], "ok": [True, "perhaps"]}, "line 2: correct is 'perhaps'. It must be true or"),
        ({"id": 2, "pred": ["7"], "ok": 0.5}, "line 2: correct is '0.5'. It must be true or false, yes or no, or 1"),
    ],
)
def test_the_line_of_a_sample_that_does_not_fit_is_named(tmp_path, record, says):
    records = [{"id": 1, "pred": ["7", "8"], "ok": [True, False]}, record]
    with pytest.raises(PoolError, match=says):
        table(tmp_path, records, {"question_id": "id", "answer": "pred", "correct": "ok"})


def test_messages_of_a_chat_are_not_samples(tmp_path):
    records = [{"id": 1, "prompt": [{"role": "user", "content": "3 + 4?"}], "pred": ["7", "8"]}]
    found, reading = table(tmp_path, records, {"question_id": "id", "answer": "pred"})
    assert found.to_pydict() == {"question_id": [1, 1], "answer": ["7", "8"]}
    assert list(reading.left_out) == ["prompt"]
    with pytest.raises(PoolError, match=r"Read one of them with names=\{'text': 'prompt.content'\}"):
        table(tmp_path, records, {"question_id": "id", "text": "prompt"})
    records[0]["score"] = [1, 2, 3]
    says = r"'pred' has 2, 'score' has 3\. .* if 'score' is not .* with names=\{'score_before': 'score'\}"
    with pytest.raises(PoolError, match=says):
        table(tmp_path, records, {"question_id": "id", "answer": "pred"})
    names = {"question_id": "id", "answer": "pred", "score_before": "score"}
    assert table(tmp_path, records, names)[0].column_names == ["question_id", "answer"]


def test_a_misspelled_part_of_a_dotted_name_is_refused(tmp_path):
    records = [{"id": 1, "runs": [{"text": "7", "cost": None}], "log": None}, {"id": 2, "runs": [], "log": {"x": 1}}]
    with pytest.raises(PoolError, match=r"has no column 'runs.txt' to rename to 'answer'. Did you mean 'runs.text'"):
        table(tmp_path, records, {"question_id": "id", "answer": "runs.txt"})
    found, _ = table(
        tmp_path, records, {"question_id": "id", "answer": "runs.text", "cost": "runs.cost", "score": "log.y"}
    )
    assert found.to_pydict() == {"question_id": [1], "answer": ["7"], "cost": [None], "score": [None]}


def test_one_column_per_model(tmp_path):
    records = [{"id": 1, "a": True, "a|text": "x", "b": False, "more": 5}, {"id": 2, "a": False, "b": None, "more": 6}]
    names = {"question_id": "id", "correct": "{model}", "text": "{model}|text"}
    with pytest.raises(PoolError, match=r"has no column 'b\|text' to rename to 'text'. Did you mean 'a\|text'"):
        table(tmp_path, records, names, ["a", "b"])
    found, _ = table(tmp_path, [{**records[0], "b|text": "y"}, records[1]], names, ["a", "b"])
    assert found.to_pydict() == {
        "question_id": [1, 1, 2, 2],
        "correct": [True, False, False, None],
        "text": ["x", "y", None, None],
        "model": ["a", "b", "a", "b"],
        "more": [5, 5, 6, 6],
    }


def test_nested_fields_are_kept_only_if_a_record_is_a_sample(tmp_path):
    records = [{"id": 1, "answer": "7", "log": {"a": 1}}, {"id": 2, "answer": "8", "log": {"a": 2}}]
    found, reading = table(tmp_path, records, {"question_id": "id"})
    assert found["log"].to_pylist() == [{"a": 1}, {"a": 2}]
    assert not reading.left_out
    mixed = [{**records[0], "log": "text"}, records[1]]
    found, reading = table(tmp_path, mixed, {"question_id": "id"})
    assert "log" not in found.column_names  # never written as text
    assert list(reading.left_out) == ["log"]


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (
            {"answer": {"text": "7"}},
            r"holds objects with the fields 'answer.text'\. Read one of them with names=",
        ),
        (
            {"answer": [["7", 1]]},
            r"'answer' holds lists\. Read the first item of each with names={'answer': 'answer\.0'}",
        ),
        ({"answer": ["7", {"x": 1}]}, "'answer' holds objects"),
        ({"truth": ["7", "8"]}, r"'truth' holds a list. .* Read its first item with names={'truth': 'truth\.0'}"),
        ({"question": [{"role": "user", "content": "?"}]}, r"'question\.content'"),
        ({"model": {"name": "m"}}, "'model.name'"),
        ({"answer": ["7"], "correct": [True, False]}, "equally long, but 'answer' has 1, 'correct' has 2"),
        ({"answer": "7", "log": json.loads("[" * 60 + "]" * 60)}, "nested more than 50 levels deep"),
        ({"pred": "7", "answer": "8"}, "already has a column 'answer'. Rename that column too"),
    ],
)
def test_what_a_pool_cannot_read_is_refused(tmp_path, record, says):
    names = {"answer": "pred"} if "pred" in record else {}
    with pytest.raises(PoolError, match=says):
        table(tmp_path, [record], names)


def test_parts_of_different_types_become_text():
    parts = [pa.table({"a": [1, 2], "b": [None, None]}), pa.table({"a": ["x"], "c": [0.5]}), pa.table({"a": [1.5]})]
    assert joined(parts).to_pydict() == {
        "a": ["1", "2", "x", "1.5"], "b": [None] * 4, "c": [None, None, 0.5, None]
    }  # fmt: skip
    assert joined([pa.table({"a": [1]}), pa.table({"a": [0.5]})])["a"].to_pylist() == [1.0, 0.5]
    coded = pa.table({"a": pa.array(["x", "x"]).dictionary_encode()})
    assert joined([coded, pa.table({"a": pa.nulls(1)}), pa.table({"a": ["y"]})])["a"].to_pylist() == [
        "x",
        "x",
        None,
        "y",
    ]


RECORDS = st.lists(
    st.integers(0, 3).flatmap(
        lambda n: st.fixed_dictionaries(
            {"id": st.integers(0, 5), "pred": st.lists(st.sampled_from(["7", 8, 0.5, None]), min_size=n, max_size=n)},
            optional={"score": st.lists(st.booleans(), min_size=n, max_size=n), "tag": st.sampled_from(["x", 1, None])},
        )
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(40))
@given(records=RECORDS, rows=st.integers(1, 4))
def test_blocks_do_not_matter(tmp_path_factory, records, rows):
    """Any division into blocks gives the samples that a loop over records and lists gives."""
    folder = tmp_path_factory.mktemp("blocks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_ROWS", rows)
        found, _ = table(
            folder,
            records,
            {"question_id": "id", "answer": "pred", "correct": "score"}
            if any("score" in r for r in records)
            else {"question_id": "id", "answer": "pred"},
        )
    naive = [
        (record["id"], as_said(answer), record.get("score", [None] * 9)[i])
        for record in records
        for i, answer in enumerate(record["pred"])
    ]
    verdicts = found["correct"].to_pylist() if "correct" in found.column_names else [None] * found.num_rows
    answers = [as_said(answer) for answer in found["answer"].to_pylist()]
    assert list(zip(found["question_id"].to_pylist(), answers, verdicts, strict=True)) == naive


def as_said(answer):
    return None if answer is None else str(answer).removesuffix(".0")
