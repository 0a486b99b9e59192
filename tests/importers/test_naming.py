"""The grammar of names: fields, dotted paths, names of files, joined ids, and columns per model."""

import pytest

from mssim import MssimError, PoolError
from mssim.importers.naming import (
    fields_used,
    file_names,
    is_plain,
    number_in,
    of_model,
    parse_models,
    parse_names,
    reader,
)
from mssim.importers.safe_files import Source
from tests.importers.readers import written


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "runs" / "llama"
    folder.mkdir(parents=True)
    return Source(written(folder, '{"dataset": "gsm8k", "records": [{"idx": 7}]}', "output-rs3.jsonl.json.gz"))


def test_names_are_text_or_a_mapping():
    expected = {"question_id": "dataset+idx", "answer": "cot.answer"}
    assert parse_names("question_id=dataset+idx, answer = cot.answer") == expected
    assert parse_names(expected) == expected
    assert parse_names("a=b=c") == {"a": "b=c"}
    assert parse_names(None) == {}


def test_models_with_columns_of_their_own():
    names = {"question_id": "id", "correct": "{model}", "text": "{model}|answer"}
    assert parse_models("a, b", names) == ["a", "b"]
    assert parse_models(["x,y"], names) == ["x,y"]
    assert parse_models(None, {"correct": "ok"}) == []
    assert of_model(names, "a+b") == {"question_id": "id", "correct": "a+b", "text": "a+b|answer"}


@pytest.mark.parametrize(
    ("models", "names", "says"),
    [
        (None, {"correct": "{model}"}, "names: correct={model} stands for several models"),
        ("a,b", {"correct": "ok"}, r"no name contains \{model\}, so it is not known which columns"),
        ("a,b", {"correct": "{model}", "model": "llm"}, "the model is already read from 'llm'"),
        ("a,a", {"correct": "{model}"}, "is not a list of different names. Use e.g. models='llama,qwen'"),
        ("a,", {"correct": "{model}"}, "is not a list of different names"),
        ([7], {"correct": "{model}"}, "is not a list of different names"),
    ],
)
def test_models_that_do_not_fit(models, names, says):
    with pytest.raises(MssimError, match=says):
        parse_models(models, names)


def test_what_a_file_is_called(source):
    assert file_names(source) == {"{folder}": "llama", "{parent}": "runs", "{stem}": "output-rs3"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("idx", 7),
        ("score.value", 0.5),
        ("a+b", "exact"),  # a field of that very name comes first
        ("split+idx", "test/7"),
        ("dataset+idx", "gsm8k/7"),  # beside the list of records
        ("{folder}", "llama"),
        ("{parent}/{stem}", "runs/output-rs3"),
        ("{stem}+idx", "output-rs3/7"),
        ("split+nothing", None),
        ("nothing", None),
    ],
)
def test_what_a_name_reads(source, text, expected):
    record = {"idx": 7, "split": "test", "score": {"value": 0.5}, "a+b": "exact"}
    assert reader(text, source)(record) == expected


def test_nested_values_are_not_joined(source):
    with pytest.raises(PoolError, match=r"'idx\+runs' joins a nested value"):
        reader("idx+runs", source)({"idx": 1, "runs": [1]})


def test_fields_that_names_read_alone():
    assert fields_used({"a": "x.y.z", "b": "v", "c": "d+e"}) == {"x.y.z", "x.y", "x", "v", "d+e"}
    assert is_plain({"a": "x"}, ["x", "y"])
    assert not is_plain({"a": "x", "b": "x"}, ["x"])
    assert not is_plain({"a": "x.y"}, ["x"])


def test_numbers_of_files():
    assert number_in("2026-output-rs3") == 3
    with pytest.raises(PoolError, match="sample_index: 'run' has no number"):
        number_in("run")
