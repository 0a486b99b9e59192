"""Long tables with columns of any names: what load_pool reads is imported to the same pool."""

import gzip
import json
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from mssim import MssimError, PoolError, PoolWarning, load_pool
from mssim.importers.formats import table
from mssim.importers.formats.table import from_table
from mssim.importers.pipeline import Common, import_pool
from mssim.pools.arrow import table_from_frame
from tests.cli import test_cli
from tests.conftest import examples, long_frame

run, bad = test_cli.run, test_cli.bad

TENSOR = pa.fixed_shape_tensor(pa.int32(), [1])
ANSWERS = {("x", "q1"): ["a", "b", None], ("x", "q2"): ["c", "a", "a"], ("y", "q1"): ["b"] * 3, ("y", "q2"): ["a"] * 3}


def write(frame, path):
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        pa.parquet.write_table(table_from_frame(frame), path)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def same(pool, other):
    assert pool.models == other.models
    assert pool.question_ids == other.question_ids
    np.testing.assert_array_equal(pool.lengths, other.lengths)
    np.testing.assert_array_equal(pool.codes[pool.recorded], other.codes[other.recorded])
    np.testing.assert_array_equal(pool.class_correct, other.class_correct)
    assert pool.class_labels.to_pylist() == other.class_labels.to_pylist()
    assert pool.fingerprint == other.fingerprint


def told(says):
    return pytest.warns(PoolWarning, match=says)


SILENT = pytest.mark.filterwarnings("ignore::mssim.PoolWarning")


# What load_pool reads -------------------------------------------------------------------------------------------------


@SILENT
@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_table_that_load_pool_reads(tmp_path, ending):
    frame = long_frame(ANSWERS, topic="Math", text="x" * 50, score=0.5, chars=range(12))
    path = write(frame, tmp_path / f"table.{ending}")
    pool = from_table(path)
    same(pool, load_pool(path))
    assert pool.questions.to_dict("list") == {"question_id": ["q1", "q2"], "truth": ["a", "a"], "topic": ["Math"] * 2}
    assert set(pool.extra.column_names) == {"text", "chars"}
    assert pool.extra["text"].to_pylist() == ["x" * 50] * 12
    assert pool.info["import"]["format"] == "table"
    assert pool.info["import"]["identical_texts"] == 8  # 12 samples of 4 pairs of model and question
    assert "text" not in from_table(path, texts=False).extra.column_names


@pytest.mark.slow
@SILENT
def test_two_models_of_others(shared_pools):
    path = shared_pools / "exams-two-models" / "samples.parquet"
    with pytest.raises(
        PoolError, match=r"4 rows hold the same sample, .* Column 'prompt' distinguishes them: select one"
    ):
        from_table(path)
    where = [("prompt", "==", "chain_of_thought"), ("dataset", "!=", "comprehensive-100")]
    pool = from_table(path, where=where)
    same(pool, load_pool(path, where=where))
    assert pool.lengths.tolist() == [[10] * 1000] * 2


@SILENT
def test_nine_models_of_others(shared_pools):
    path = shared_pools / "exam-nine-models" / "samples.parquet"
    with pytest.raises(
        PoolError, match=r"11 rows hold the same sample, .* Column 'temperature' distinguishes them: select one"
    ):
        from_table(path)
    same(from_table(path, where={"temperature": 1.0}), load_pool(path, where={"temperature": 1.0}))


@pytest.mark.parametrize("column", ["prompt", "temperature"])
def test_duplicates_are_refused_naming_the_column_that_separates_them(tmp_path, column):
    values = {"prompt": ["long", "short"], "temperature": [0.5, 1.0]}[column]
    frame = pd.concat([long_frame(ANSWERS, **{column: value, "chars": range(12)}) for value in values])
    path = write(frame, tmp_path / "table.parquet")
    with pytest.raises(
        PoolError, match=rf"2 rows hold the same sample, .*\. Column '{column}' distinguishes them: .*where="
    ):
        from_table(path)
    with told("gives no answer"):
        pool = from_table(path, where={column: values[1]})
    with told("gives no answer"):
        same(pool, load_pool(path, where={column: values[1]}))
    assert pool.extra[column].to_pylist() == [values[1]] * 12


@SILENT
def test_a_truth_that_differs_between_rows_is_refused_unless_one_is_selected(tmp_path):
    frame = long_frame({("x", "q"): ["a", "b", "c", None]}).assign(truth=["a", "b", "d", "d"], part=[1, 2, 3, 3])
    path = write(frame, tmp_path / "table.parquet")
    with pytest.raises(PoolError, match="question 'q' has two truths, 'a' and 'b'"):
        from_table(path)
    pool = from_table(path, where={"part": 2})
    assert (pool.questions["truth"].tolist(), pool.sample_correct().tolist()) == (["b"], [[[True]]])


@SILENT
def test_a_constant_column_can_be_asked_for(tmp_path):
    frame = long_frame(ANSWERS).assign(topic=lambda f: f["question_id"].map({"q1": "Law", "q2": "Art"}), level=3)
    path = write(frame, tmp_path / "table.csv")
    pool = from_table(path, where={"topic": "Art", "level": 3})
    assert pool.question_ids == ["q2"]
    assert pool.questions.loc[0].to_dict() == {"question_id": "q2", "truth": "a", "topic": "Art", "level": 3}


# Names ----------------------------------------------------------------------------------------------------------------

FOREIGN = pd.DataFrame(
    {
        "doc_id": ["007", "007", "8", "8"],
        "pred": ["1.10", "1.1", "2", None],
        "gold": ["1.10", "1.10", "2", "2"],
        "answer": ["said: 1.10", "said: 1.1", "said: 2", ""],
    }
)
NAMES = "question_id=doc_id, answer=pred,truth=gold,whole=answer"


@SILENT
@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("as_text", [True, False])
def test_columns_of_other_names(tmp_path, ending, as_text):
    path = write(FOREIGN, tmp_path / f"table.{ending}")
    names = NAMES if as_text else dict(pair.strip().split("=") for pair in NAMES.split(","))
    pool = from_table(path, names=names, model="m")
    assert pool.question_ids == ["007", "8"]  # as written, in CSV too
    assert pool.class_labels.to_pylist() == ["1.1", "1.10", "2"]
    assert pool.class_correct.tolist() == [False, True, True]
    assert pool.codes[0].tolist() == [[1, 0], [0, -1]]
    assert pool.extra["whole"].to_pylist()[:3] == ["said: 1.10", "said: 1.1", "said: 2"]
    assert pool.models == ("m",)


def test_names_can_be_swapped(tmp_path):
    frame = long_frame({("x", "q"): ["a", "a"]}, truth="b")
    path = write(frame, tmp_path / "table.parquet")
    with told("no answer of x is right, e.g. question q: answer 'b', truth 'a'"):
        pool = from_table(path, names="truth=answer,answer=truth")
    assert pool.class_labels.to_pylist() == ["b"]
    assert pool.questions["truth"].tolist() == ["a"]
    assert not pool.class_correct.any()


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("question_id=docid", "has no column 'docid' to rename to 'question_id'. Did you mean 'doc_id'"),
        (
            "question_id=doc_id,answer=pred",
            "already has a column 'answer'. Rename that column too, .* answer_before=answer",
        ),
        ("question_id", "not of the form NEW=OLD, such as question_id=doc_id,answer=pred"),
        ("question_id=,answer=pred", "not of the form NEW=OLD"),
        ("", "not of the form NEW=OLD"),
        ({"question_id": 7}, "not of the form NEW=OLD"),
        (["question_id=doc_id"], "not of the form NEW=OLD"),
        (
            "answer=pred,answer=gold",
            "'answer' appears twice. Give it one column. To read one column per model, use models=...",
        ),
        ("answer=pred,truth=pred", "row 1: already has a column 'answer'. Rename that column too"),
        (
            None,
            r"'question_id'\. Map the column that holds it with names={'question_id': 'COLUMN'}\. Choose from",
        ),
        (
            "question_id=doc_id",
            r"no column 'model'\. Map the column that holds it with names={.*}, or set model=\.\.\.",
        ),
        (
            "question_id=doc_id,model=gold,said=answer",
            "no column 'answer' or 'text' or 'correct'. .* names={'answer': 'COLUMN'}",
        ),
        ("question_id=doc_id,model=gold", "no column 'correct' or 'truth'. .* names={'correct': 'COLUMN'}"),
    ],
)
def test_names_that_do_not_fit(tmp_path, names, says):
    path = write(FOREIGN, tmp_path / "table.parquet")
    with pytest.raises(MssimError, match=says):
        from_table(path, names=names)


def test_an_answer_that_is_the_truth(tmp_path):
    path = write_json([{"question_id": 1, "answer": "A", "pred": "B"}], tmp_path / "a.jsonl")
    with pytest.raises(PoolError, match=r"If 'answer' is the truth, use names='answer=pred,truth=answer'\. Else map"):
        from_table(path, model="m")
    assert from_table(path, model="m", names="answer=pred,truth=answer").class_labels.to_pylist() == ["B"]


def test_records_that_only_their_numbers_tell_apart(tmp_path):
    records = [{"question": "even?", "answer": truth, "results": ["yes", "no"]} for truth in ("yes", "yes", "no")]
    names = "question_id=question,truth=answer,answer=results"
    path, same = write_json(records, tmp_path / "a.jsonl"), write_json(records[:2], tmp_path / "b.jsonl")
    with pytest.raises(PoolError, match=r"'yes' and 'no'.* Number the records with names='question_id={record}', or"):
        from_table(path, names=names, model="m")
    with pytest.raises(PoolError, match=r"'yes' and 'no'.* Import them separately, or leave out"):
        from_table([path, same], names=names, model="m")
    with told("b.jsonl: 1 question has several records, such as 'even"):
        assert from_table(same, names=names, model="m").lengths.tolist() == [[4]]
    pool = from_table(path, names=names.replace("=question", "={stem}+{record}"), model="m")
    assert pool.question_ids == ["a/1", "a/2", "a/3"]
    assert pool.sample_correct().tolist() == [[[True, False], [True, False], [False, True]]]
    with pytest.raises(PoolError, match=r"no column 'x' to .* Choose from 'question', 'answer', 'results'\."):
        from_table(path, names="question_id={record},text=x", model="m")
    frame = pd.DataFrame({"pred": [1, 2, 2], "gold": [1, 1, 2]})
    pool = from_table(write(frame, tmp_path / "c.csv"), names="question_id={record},answer=pred,truth=gold", model="m")
    assert (pool.question_ids, pool.lengths.tolist()) == (["1", "2", "3"], [[1, 1, 1]])


@pytest.mark.parametrize("called", ["LLM", "System"])
def test_one_name_for_a_column_of_models_is_doubted(tmp_path, called):
    frame = long_frame(ANSWERS).drop(columns="sample_index").rename(columns={"model": called})
    path = write(frame, tmp_path / "a.csv")
    with pytest.warns(PoolWarning) as caught:
        from_table(path, model="both")
    said = f"a.csv: column {called!r} has several values and may name the models, but all samples are those of 'both'"
    assert sum(said in str(warning.message) for warning in caught) == 1
    with pytest.warns(PoolWarning) as caught:  # of missing answers
        assert from_table(path, names={"model": called}).models == ("x", "y")
    assert not [warning for warning in caught if called in str(warning.message)]


def test_a_model_that_the_table_names_already(tmp_path):
    path = write(long_frame(ANSWERS), tmp_path / "table.csv")
    with pytest.raises(PoolError, match=r"already has a column 'model'\. Omit model=\.\.\."):
        from_table(path, model="m")
    with told("gives no answer"):
        assert from_table(path, model="m", names="run=model,sample=sample_index").lengths.tolist() == [[6, 6]]


# Samples --------------------------------------------------------------------------------------------------------------


def test_samples_without_a_number_are_numbered_in_the_order_of_the_files(tmp_path):
    frame = long_frame({("x", "q1"): ["a", "b"], ("x", "q2"): ["c"]}).drop(columns="sample_index")
    paths = [write(frame.iloc[[2, 0, 1]], tmp_path / "b.csv"), write(frame.iloc[[1]], tmp_path / "a.parquet")]
    with told("range from 1 to 3"):
        pool = from_table(paths)
    given = pool.to_frame()[["question_id", "sample_index", "answer"]]
    assert given.to_numpy().tolist() == [["q2", 0, "c"], ["q1", 0, "a"], ["q1", 1, "b"], ["q1", 2, "b"]]


def test_several_files_are_one_table(tmp_path):
    first, second = (long_frame({(model, "q"): ["a", "b"]}, topic="t", lang=model) for model in "xy")
    write(first, tmp_path / "pool" / "1.parquet")
    write(second.assign(chars=[3, 4]), tmp_path / "pool" / "2.jsonl")
    pool = from_table(tmp_path / "pool")
    assert pool.models == ("x", "y")
    assert list(pool.questions.columns) == ["question_id", "truth", "topic"]  # lang is not the same in both
    assert pool.extra["lang"].to_pylist() == ["x", "x", "y", "y"]
    assert pool.extra["chars"].to_pylist() == [None, None, 3, 4]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"truth": "b"}, "question 'q' has two truths, 'a' and 'b'. .* Import them separately"),
        (
            {"sample_index": None},
            r"1.parquet has a column 'sample_index', but .*2.parquet does not. Import the files separately",
        ),
        ({"answer": None, "text": "a"}, "1.parquet has a column 'answer', but"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path, change, says):
    frame = long_frame({("x", "q"): ["a", "b"]}, topic="t")
    other = frame.assign(model="y", **change)
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    write(frame, paths[0])
    write(other.drop(columns=[name for name, value in change.items() if value is None]), paths[1])
    with pytest.raises(PoolError, match=says):
        from_table(paths)


def test_samples_that_are_right_or_wrong_without_answers(tmp_path):
    frame = long_frame({("x", "q"): [None] * 3}).drop(columns=["answer", "truth"]).assign(correct=[1, 0, 1])
    pool = from_table(write(frame, tmp_path / "table.csv"))
    assert pool.info["votes"] is False
    assert pool.sample_correct().tolist() == [[[True, False, True]]]


def test_texts_are_graded(tmp_path):
    frame = long_frame({("x", "q"): [None] * 2}, truth=7).drop(columns="answer")
    path = write(frame.assign(text=["It is 7.0.", "or 8"], correct=[True, True]), tmp_path / "table.jsonl")
    with told("disagree on 1 of 2 samples"):
        pool = from_table(path, rule="number")
    assert pool.class_labels.to_pylist() == ["7.0", "8"]
    assert pool.sample_correct().tolist() == [[[True, False]]]
    assert pool.extra["correct_in_source"].to_pylist() == [True, True]


# Types ----------------------------------------------------------------------------------------------------------------


@SILENT
def test_known_columns_get_their_types(tmp_path):
    given = {
        "score": ["0.5", "1"], "input_tokens": [10.0, 11.0], "output_tokens": [2.5, 3.0], "finish_reason": [1, 2],
        "temperature": ["default", "1.0"], "top_p": ["0.5", "0.9"], "correct": ["TRUE", " 0"],
        "sample_index": ["0", "1"], "text": [1.0, "b"], "detail": [{}, {}], "tags": [["a"], []],
    }  # fmt: skip
    path = write(long_frame({("x", "q"): ["7", 7.5]}).assign(**given), tmp_path / "table.jsonl")
    pool = from_table(path)
    assert {name: values[0, 0].tolist() for name, values in pool.numbers.items()} == {
        "score": [0.5, 1.0], "input_tokens": [10.0, 11.0], "output_tokens": [2.5, 3.0]
    }  # fmt: skip
    extra = {name: pool.extra[name].to_pylist() for name in pool.extra.column_names}
    assert extra == {
        "finish_reason": ["1", "2"], "temperature": ["default", "1.0"], "top_p": [0.5, 0.9], "text": ["1", "b"],
        "tags": [["a"], []],
    }  # fmt: skip
    assert list(pool.questions.columns) == ["question_id", "truth"]  # detail has no fields and is left out
    assert pool.info["import"]["remarks"] == [
        "table.jsonl: the nested fields 'detail' are left out. To keep a part of one, map it."
    ]
    (tmp_path / "other.jsonl").write_text(path.read_text().replace('"x"', '"y"'))
    assert from_table(tmp_path).info["import"]["remarks"] == [
        "other.jsonl and 1 other file: the nested fields 'detail' are left out. To keep a part of one, map it."
    ]
    assert pool.sample_correct().tolist() == [[[True, False]]]


@SILENT
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["a", "b"], pa.string_view()), ["a", "b"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.ExtensionArray.from_storage(TENSOR, pa.array([[1], [2]], TENSOR.storage_type)), [[1], [2]]),
        (pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())), [[("a", 1)], []]),
    ],
    ids=lambda values: str(values.type) if isinstance(values, pa.Array) else "",
)
def test_columns_of_other_kinds_are_kept(tmp_path, values, expected):
    given = table_from_frame(long_frame({("x", "q"): ["a", "b"]})).append_column("more", values)
    pa.parquet.write_table(given, tmp_path / "table.parquet")
    assert from_table(tmp_path / "table.parquet").extra["more"].to_pylist() == expected


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"question_id": ["q", " "]}, "row 2: question_id is ' '. Every sample needs one"),
        ({"model": [None, "m"]}, "row 1: model is None. Every sample needs one"),
        (
            {"answer": [{"x": "a"}] * 2},
            "'answer' holds objects with the fields 'answer.x'. Read one of them with names={'answer': 'answer.x'}",
        ),
        ({"answer": [b"\xff", b"a"]}, "column 'answer' has type binary, not string"),
        ({"correct": [True, "maybe"]}, "row 2: correct is 'maybe'. It must be true or false"),
        ({"sample_index": [0, None]}, "row 2: sample_index is None. It must be an integer of at least 0"),
        ({"sample_index": [-1, 0]}, "row 1: sample_index is -1. It must be an integer of at least 0"),
        ({"sample_index": [0.5, 1]}, "column 'sample_index' has type double, not int64"),
        ({"sample_index": ["first", "second"]}, "column 'sample_index' has type (large_)?string, not int64"),
        ({"score": ["high", "low"]}, "column 'score' has type (large_)?string, not double"),
        (
            {"cost": [[["x"]], [[]]]},
            "'cost' holds lists. Read the first item of each with names={'cost': 'cost.0'}",
        ),
        ({"text": [b"\xff", b"a"]}, "column 'text' has type binary, not string"),
        ({"day": pa.array([2**31 - 1, 0], pa.date32())}, r"column 'day' has type date32\[day\], not a supported type"),
        (
            {"days": pa.array([[2**62]] * 2, pa.list_(pa.duration("s")))},
            "column 'days' has type list<.*>, not a supported type",
        ),
    ],
)
def test_values_that_do_not_fit(tmp_path, change, says):
    given = table_from_frame(long_frame({("x", "q"): ["a", "b"]}).drop(columns=list(change), errors="ignore"))
    for name, values in change.items():
        given = given.append_column(
            name, values if isinstance(values, pa.Array) else table_from_frame(pd.DataFrame({name: values}))[name]
        )
    path = tmp_path / "table.parquet"
    pa.parquet.write_table(given, path)
    with pytest.raises(PoolError, match=says):
        import_pool("table", table.read, [path], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.parquet", b"PAR1 and no more", "Check whether the file is damaged or truncated"),
        ("a.csv", b"question_id,model\na,b,c\n", "Check whether the file is damaged or truncated"),
        ("a.csv", b"question_id,model,truth,answer\n", "The files contain no samples"),
        ("a.csv", b"doc,model,doc\n", "column 'doc': the name appears 2 times"),
        ("a.jsonl", b'{"question_id": "a"}\n{"question', "line 2: is not valid JSON, or truncated"),
        ("a.jsonl", b"[1]\n", "record 1: expected an object, found a number"),
        ("a.jsonl", b"\n", "holds no records. Export it again, or omit it"),
        ("a.txt", b"a", "unknown file format '.txt'. A table is a .parquet, .csv, .tsv, .json or .jsonl file"),
        ("a.csv", b"", "is empty"),
    ],
)
def test_damaged_files(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PoolError, match=says):
        from_table(tmp_path / name)


@pytest.mark.parametrize("value", ["NaN", "-Infinity", '{"a":' * 60 + "1" + "}" * 60, "[" * 900 + "]" * 900])
def test_lines_that_are_no_table_are_refused(tmp_path, value):
    path = tmp_path / "table.jsonl"
    path.write_text(f'{{"question_id": "q", "model": "m", "answer": "1", "truth": "1", "x": {value}}}')
    with pytest.raises(
        PoolError, match=r"line 1: (is not valid JSON.* write null|'x' is nested more than 50 levels deep)"
    ):
        from_table(path)


@pytest.mark.parametrize("content", [b"doc,model,model\n", b"doc,model\na,b,c\n"])
def test_damaged_csv_files_with_other_names(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(PoolError, match=r"(column 'model': the name appears 2 times|is damaged or truncated)"):
        from_table(tmp_path / "a.csv", names="question_id=doc")


def test_the_command_line(run, tmp_path):
    path, out = write(FOREIGN, tmp_path / "table.csv"), tmp_path / "pool"
    code, _, err = run("import", "table", path, "--map", NAMES, "--model", "m", "--out", out)
    assert code == 0
    assert "model 'm' gives no answer in 25.0% of its samples" in err
    with told("gives no answer"):
        pool = load_pool(out)
    with told("gives no answer"), told("1 of 1 wrong answer of 'm' equals .* texts with names={'text': 'pred'}"):
        same(pool, from_table(path, names=NAMES, model="m"))
    bad(run("import", "table", path, "--map", "truth=said", "--out", tmp_path / "other"), "no column 'said'")
    duplicates = write(pd.concat([long_frame(ANSWERS, prompt=prompt) for prompt in "ab"]), tmp_path / "two.parquet")
    bad(run("import", "table", duplicates, "--out", tmp_path / "other"), "Column 'prompt' distinguishes them")
    assert run("import", "table", duplicates, "--where", "prompt=a", "--out", tmp_path / "other")[0] == 0


# Nested logs ----------------------------------------------------------------------------------------------------------

LISTS = [
    {"id": 0, "gold": "7", "pred": ["7", "8", "7"], "ok": [True, False, True], "n": [3, 4, 5], "code": ["a", "b", "c"]},
    {
        "id": 1,
        "gold": "5",
        "pred": ["4", "5", "4"],
        "ok": [False, True, False],
        "n": [6, 7, 8],
        "code": ["d", "e", "f"],
    },
]
OF_LISTS = "question_id=id,truth=gold,answer=pred,correct=ok,output_tokens=n,text=code"


def write_json(records, path):
    lines = "".join(f"{json.dumps(record)}\n" for record in records)
    content = json.dumps(records) if ".json" in path.suffixes and path.suffix != ".jsonl" else lines
    if path.suffix == ".zst":
        with pa.output_stream(str(path), compression="zstd") as file:
            file.write(json.dumps({"dataset": "sums", "outputs": records}).encode())
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines.encode()))
    elif path.suffix == ".parquet":
        pa.parquet.write_table(pa.Table.from_pylist(records), path)
    else:
        path.write_text(content)
    return path


@pytest.mark.parametrize("ending", ["jsonl", "json", "jsonl.gz", "json.zst", "parquet"])
def test_parallel_lists_are_samples(tmp_path, ending):
    pool = from_table(write_json(LISTS, tmp_path / f"a.{ending}"), names=OF_LISTS, model="m")
    assert pool.lengths.tolist() == [[3, 3]]
    assert pool.sample_correct().tolist() == [[[True, False, True], [False, True, False]]]
    assert pool.numbers["output_tokens"][0].tolist() == [[3, 4, 5], [6, 7, 8]]
    assert pool.extra["text"].to_pylist() == list("abcdef")
    assert pool.questions.to_dict("list") == {"question_id": ["0", "1"], "truth": ["7", "5"]}


def test_a_boolean_score_is_the_verdict(tmp_path):
    records = [{**record, "score": record["ok"]} for record in LISTS]
    path = write_json(records, tmp_path / "a.jsonl")
    pool = from_table(path, names="question_id=id,truth=gold,answer=pred", model="m")
    assert pool.sample_correct().tolist() == [[[True, False, True], [False, True, False]]]
    assert "score" not in pool.numbers
    assert "score is true or false, so it is read as correct" in pool.info["import"]["remarks"][-1]


def test_joined_ids_and_names_of_files(tmp_path):
    paths = [tmp_path / model / f"run-{i}.jsonl" for model in ("llama", "qwen") for i in (3, 4)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        truths = [("sums", "7"), ("dates", "May")]
        write_json([{"set": name, "idx": 0, "pred": t, "gold": t, "run": str(path)} for name, t in truths], path)
    names = "question_id=set+idx,answer=pred,truth=gold,model={folder},sample_index={stem}"
    pool = from_table(tmp_path, names=names)
    assert pool.question_ids == ["sums/0", "dates/0"]
    assert pool.models == ("llama", "qwen")
    assert pool.questions["set"].tolist() == ["sums", "dates"]
    assert from_table(paths[0], names=names).to_frame()["sample_index"].tolist() == [3, 3]
    with pytest.raises(PoolError, match="question '0' has two truths"):
        from_table(paths[0], names="question_id=idx,answer=pred,truth=gold", model="m")


def test_ids_that_are_equal_only_when_they_are_joined(tmp_path):
    rows = [{"set": one, "id": other, "pred": "7", "gold": "7"} for one, other in (("a/b", "c"), ("a", "b/c"))]
    paths = [write_json([row], tmp_path / f"{i}.jsonl") for i, row in enumerate(rows)]
    names = "question_id=set+id,answer=pred,truth=gold"
    assert from_table(paths[1], names=names, model="m").question_ids == ["a/b/c"]
    with pytest.raises(PoolError, match=r"1\.jsonl: 'set\+id' is 'a/b/c' for both \['a/b', 'c'\] and \['a', 'b/c'\]"):
        from_table(paths, names=names, model="m")


def test_maps_of_parquet_are_objects(tmp_path):
    answers = pa.array([[("a", ["7", "8"]), ("b", ["7", "7"])]], pa.map_(pa.string(), pa.list_(pa.string())))
    pa.parquet.write_table(pa.table({"id": [0], "gold": ["7"], "said": answers}), tmp_path / "maps.parquet")
    names = {"question_id": "id", "truth": "gold", "answer": "said.{model}"}
    pool = from_table(tmp_path / "maps.parquet", names=names, models="a,b")
    assert pool.sample_correct().tolist() == [[[True, False]], [[True, True]]]
    with pytest.raises(PoolError, match=r"row 1: 'said' holds objects with the fields 'said\.a', 'said\.b'"):
        from_table(tmp_path / "maps.parquet", names={**names, "answer": "said"}, model="a")


@SILENT
def test_a_model_beside_the_records(tmp_path):
    rows = [{"question_id": 0, "answer": "7", "truth": "7"}]
    path = write_json({"model": "llama", "records": rows}, tmp_path / "run.json")
    assert from_table(path).models == ("llama",)
    assert from_table(path, model="qwen").models == ("qwen",)
    rows[0]["model"] = "own"
    assert from_table(write_json({"model": "llama", "records": rows}, path)).models == ("own",)


@SILENT
def test_a_table_with_one_column_per_model(run, tmp_path):
    frame = pd.DataFrame({"prompt": ["Q1", "Q2"], "a": [True, True], "b|x": [False, True], "a_text": ["7", "4"]})
    path = write(frame.assign(**{"b|x_text": ["8", "Four"]}), tmp_path / "wide.csv")
    names = {"question_id": "prompt", "correct": "{model}", "text": "{model}_text"}
    pool = from_table(path, names=names, models=["a", "b|x"])
    assert pool.sample_correct().tolist() == [[[True], [True]], [[False], [True]]]
    assert pool.extra.column_names == ["text"]
    out = tmp_path / "pool"
    options = [path, "--models", "a,b|x", "--map", ",".join(f"{new}={old}" for new, old in names.items()), "--out", out]
    assert run("import", "table", *options)[0] == 0
    assert load_pool(out).fingerprint == pool.fingerprint
    with pytest.raises(MssimError, match=r"'correct' appears twice.* To read one column per model, use models=..."):
        from_table(path, names="question_id=prompt,correct=a,correct=b|x")


@SILENT
def test_models_that_only_the_names_of_files_tell_apart(tmp_path):
    frame = pd.DataFrame({"question_id": ["q"], "answer": ["7"], "truth": ["7"]})
    paths = [write(frame, tmp_path / f"{model}.csv") for model in ("llama", "qwen")]
    pool = from_table([paths[0], write(frame.assign(answer="8"), paths[1])])
    assert pool.models == ("llama", "qwen")
    says = "no column names the model, so the files or their folders do: 'llama', 'qwen'."
    assert says in pool.info["import"]["remarks"]
    folders = [write(frame.assign(answer=model), tmp_path / model / "out.csv") for model in ("a", "b")]
    assert from_table(folders).models == ("a", "b")
    assert from_table(folders, model="m").lengths.tolist() == [[2]]


def test_lists_of_choices(tmp_path):
    records = [{"question_id": "q", "model": "m", "answer": ["A", "B"], "truth": "A", "choices": ["x", "y"]}]
    pool = from_table(write_json(records, tmp_path / "a.jsonl"))
    assert pool.questions["choices"].item().tolist() == ["x", "y"]


def test_shuffled_choices_are_translated_to_their_texts(tmp_path):
    records = [
        {"question_id": "q", "model": model, "answer": answer, "truth": truth, "choices": choices}
        for model, answer, truth, choices in [
            ("a", "A", "B", ["cow", "crow"]),
            ("a", "B", "B", ["cow", "crow"]),
            ("b", "A", "A", ["crow", "cow"]),
            ("b", "none", "A", ["crow", "cow"]),
        ]
    ]
    for ending in ("jsonl", "parquet"):
        pool = from_table(write_json(records, tmp_path / f"a.{ending}"))
        assert pool.to_frame()["answer"].tolist() == ["cow", "crow", "crow", "none"]
        assert pool.questions["truth"].item() == "crow"
        assert pool.sample_correct().tolist() == [[[False, True]], [[True, False]]]
    for record in records:
        record["truth"] = "A"
    with pytest.raises(PoolError, match="question 'q' has two truths, 'cow' and 'crow'"):
        from_table(write_json(records, tmp_path / "b.jsonl"))


def test_what_looks_like_lost_samples_is_said(tmp_path):
    path = write_json([*LISTS, {**LISTS[0], "id": 2, "pred": [], "ok": [], "n": [], "code": []}], tmp_path / "a.jsonl")
    with told("1 record holds no samples, such as .*line 3. Their questions may be missing"):
        assert from_table(path, names=OF_LISTS, model="m").question_ids == ["0", "1"]
    frame = pd.DataFrame({"question_id": [1, 2], "answer": [["7", "8"], ["4", "4"]], "truth": ["7", "4"]})
    frame.to_csv(tmp_path / "lists.csv", index=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from_table(tmp_path / "lists.csv", model="m")
    assert any("every answer is a list written as text, such as \"['7', '8']\"" in str(w.message) for w in caught)
    frame = frame.rename(columns={"answer": "text"}).assign(text=["['It is 7', 'or 8']", "['4', '4']"])
    frame.to_csv(tmp_path / "texts.csv", index=False)
    with told("every text is a list written as text"):
        from_table(tmp_path / "texts.csv", model="m", rule="number")


def test_verdicts_and_data_sets_that_no_name_reads_are_said(tmp_path):
    rows = [{"id": i, "set": "ab"[i > 1], "pred": "7", "gold": "8", "passed": i == 0} for i in range(3)]
    path = write_json(rows, tmp_path / "a.jsonl")
    names = {"question_id": "id", "answer": "pred", "truth": "gold"}
    with told("no answer of m is right"), told("column 'passed' is not read .* map it: names={'correct': 'passed'}"):
        from_table(path, names=names, model="m")
    graded = {"question_id": "id", "text": "pred", "truth": "gold"}
    with told("no answer of m is right"), told("disagree on 1 of 3 samples, e.g. question 0"):
        pool = from_table(path, names=graded, model="m", rule="number")
    assert pool.extra["correct_in_source"].to_pylist() == [True, False, False]
    sets = write_json([{"id": 0, "subset": name, "ok": True} for name in "ab"], tmp_path / "b.jsonl")
    with told("the column 'subset' has several values in 1 question"):
        from_table(sets, names={"question_id": "id", "correct": "ok"}, model="m")
    joined = from_table(sets, names={"question_id": "subset+id", "correct": "ok"}, model="m")
    assert joined.question_ids == ["a/0", "b/0"]


# Fuzz -----------------------------------------------------------------------------------------------------------------

ENDINGS = st.sampled_from(["parquet", "csv", "jsonl"])
TEXTS = st.sampled_from(["a", "b", " b", "7", 7, 7.0, 7.5, None, "", " ", "007", True, "x" * 60])


@st.composite
def frames(draw):
    """Frames that load_pool mostly accepts."""
    n = draw(st.integers(1, 12))
    ids = st.sampled_from(draw(st.sampled_from([["q1", "q2", "q3"], [1, 2], [1.5, 2.0], ["1", 1, 1.0]])))
    frame = pd.DataFrame({"question_id": draw(st.lists(ids, min_size=n, max_size=n))}, dtype=object)
    frame["model"] = draw(st.lists(st.sampled_from(["m", "n"]), min_size=n, max_size=n))
    frame["sample_index"] = frame.astype(str).groupby(["question_id", "model"]).cumcount()
    frame["answer"] = pd.Series(draw(st.lists(TEXTS, min_size=n, max_size=n)), dtype=object)
    truth = draw(st.sampled_from(["a", 7, "7", 7.0]))
    is_right = frame["answer"].map(lambda answer: str(answer).removesuffix(".0") == str(truth).removesuffix(".0"))
    if draw(st.booleans()):
        frame["truth"] = truth
    if "truth" not in frame or draw(st.booleans()):
        frame["correct"] = draw(st.sampled_from([is_right, is_right.astype(int), is_right.astype(str)]))
    columns = {
        "topic": frame["question_id"].astype(str), "lang": "en", "chars": range(n), "score": np.arange(n) / 2,
        "temperature": 1, "output_tokens": np.arange(n) + 0.5, "text": "some text",
    }  # fmt: skip
    return frame.assign(**{name: columns[name] for name in draw(st.sets(st.sampled_from(sorted(columns)), max_size=3))})


@st.composite
def shuffled(draw):
    frame = draw(frames())
    return frame.sample(frac=1, random_state=draw(st.integers(0, 9))) if draw(st.booleans()) else frame


@pytest.mark.slow
@SILENT
@settings(max_examples=examples(30))
@given(frame=shuffled(), ending=ENDINGS)
def test_what_load_pool_accepts_is_imported_to_an_equal_pool(tmp_path_factory, frame, ending):
    path = write(frame, tmp_path_factory.mktemp("fuzz") / f"table.{ending}")
    try:
        pool = load_pool(path)
    except PoolError:
        event("refused")
        with pytest.raises(PoolError):
            from_table(path)
        return
    event("a pool")
    same(from_table(path), pool)


ODD = st.sampled_from(
    [
        None,
        True,
        -1,
        1.5,
        float("nan"),
        2**70,
        10**400,
        "",
        " ",
        "\ud800",
        {},
        {"a": 1},
        {"a": {}},
        [],
        [[]],
        ["a"],
        [{}],
    ]
)
USUAL = {
    "question_id": st.sampled_from(["q", "r"]), "model": st.just("m"), "sample_index": st.integers(0, 9),
    "answer": st.sampled_from(["a", "b", 7]), "truth": st.just("a"), "correct": st.booleans(), "score": st.floats(0, 1),
    "text": st.just("text"), "temperature": st.just(1.0), "top_k": st.just(5), "detail": st.just({"a": [1]}),
}  # fmt: skip


def or_odd(usual):
    return st.integers(0, 40).flatmap(lambda n: usual if n else ODD)


ROWS = st.sets(st.sampled_from(sorted({*USUAL} - {"question_id", "model"}))).flatmap(
    lambda names: st.lists(
        st.fixed_dictionaries({name: or_odd(USUAL[name]) for name in sorted({*names, "question_id", "model"})}),
        min_size=1,
        max_size=4,
    )
)


@given(rows=ROWS, rule=st.sampled_from([None, None, None, "number"]))
def test_any_rows_give_a_pool_or_an_error(tmp_path_factory, rows, rule):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = ""
    try:
        import_pool("table", table.read, [folder / "table.jsonl"], folder / "pool", Common(rule=rule))
    except MssimError as error:
        said = str(error)
    event("refused" if said else "a pool")
    assert "\n" not in said
    assert (folder / "pool").exists() == (not said)


def test_half_a_surrogate_pair_becomes_a_mark(tmp_path):
    rows = [{"question_id": "q\ud800", "model": "m", "answer": "4", "truth": "4", "te\udfffxt": "x\ud800"}] * 2
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pool = from_table(path)
    assert pool.question_ids == ["q\ufffd"]
    assert pool.questions["te\ufffdxt"].tolist() == ["x\ufffd"]


def test_what_a_sample_said_is_of_the_sample(tmp_path):
    said = {"reasoning": [{"text": "hm"}], "tool_calls": [{"name": "f"}], "refusal": "No.", "served_model": "v1"}
    rows = [{"question_id": f"q{i}", "model": "m", "answer": "4", "truth": "4", **said} for i in (1, 2)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pool = from_table(path)
    assert {name: pool.extra[name].to_pylist() for name in said} == {
        "reasoning": ["hm"] * 2, "tool_calls": ['[{"name": "f"}]'] * 2, "refusal": ["No."] * 2,
        "served_model": ["v1"] * 2,
    }  # fmt: skip
