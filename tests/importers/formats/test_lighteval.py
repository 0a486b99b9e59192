"""LightEval: details of both versions, metrics of one and of several samples, and names of models and tasks."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.formats import lighteval
from mssim.importers.formats.lighteval import from_lighteval
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import ODD, pool_or_error, right, told

DATE = "2025-09-01T10-20-30.123456"
NAME = f"details_lighteval|gsm8k|5_{DATE}.parquet"


def detail(number, *texts, metric=None, gold="7", **more):
    """A row with doc, model_response and metric."""
    doc = {"query": f"{number}: 3 + 4?", "choices": ["5", gold], "gold_index": [1], "id": str(number), "specific": None}
    response = {"text": list(texts), "output_tokens": [[1, 2, 3]] * len(texts), "input_tokens": [1], "reasonings": []}
    return {"doc": doc, "model_response": response, "metric": {"em": 1.0} if metric is None else metric} | more


def flat(number, *predictions, metrics=None, **more):
    """A row of an earlier version."""
    row = {"example": f"{number}: 3 + 4?", "full_prompt": "...", "predictions": list(predictions), "gold": ["7"]}
    row |= {"choices": [], "gold_index": [], "cont_tokens": [[1, 2]] * len(predictions), "truncated": [0]}
    return row | {"metrics": {"em": 1.0} if metrics is None else metrics} | more


def write(folder, rows, name=NAME, model="org/llama"):
    path = folder / "details" / model / DATE / name
    path.parent.mkdir(exist_ok=True, parents=True)
    pa.parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


# One sample per question ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [detail, flat])
def test_one_sample_has_the_verdict_of_the_metric(tmp_path, make):
    values = [1.0, 0.0, 1.0, 0.0, 0.0]
    name = "metric" if make is detail else "metrics"
    path = write(tmp_path, [make(i, f"It is {i}", **{name: {"em": value}}) for i, value in enumerate(values)])
    pool = from_lighteval(path)
    assert pool.models == ("org/llama",)
    assert right(pool) == {f"lighteval|gsm8k|5/{i}": [bool(value)] for i, value in enumerate(values)}
    assert pool.sample_correct().mean() == np.mean(values)
    assert pool.info["votes"] is False
    assert pool.questions["truth"].tolist() == ["7"] * 5
    assert pool.questions["question"].tolist()[0] == "0: 3 + 4?"
    assert pool.questions["task"].tolist() == ["lighteval|gsm8k|5"] * 5
    assert pool.numbers["output_tokens"][0, :, 0].tolist() == [3 if make is detail else 2] * 5


def test_verdicts_are_kept_beside_the_grades_of_a_rule(tmp_path):
    rows = [detail(0, "It is 7", gold="So 3 + 4 = 7\n#### 7"), detail(1, "It is 8", gold=r"Hence \boxed{8}.")]
    pool = from_lighteval(write(tmp_path, rows), rule="number")
    assert right(pool) == {"lighteval|gsm8k|5/0": [True], "lighteval|gsm8k|5/1": [True]}
    assert pool.questions["truth"].tolist() == ["7", "8"]
    assert pool.questions["solution"].tolist()[0] == "So 3 + 4 = 7\n#### 7"
    assert pool.extra["correct_in_source"].to_pylist() == [True, True]


def test_choices_that_were_rated_have_a_verdict_but_no_text(tmp_path):
    new = [detail(i, metric={"acc": i % 2}) for i in range(4)]
    rated = {"gold": [], "choices": ["7", "8"], "gold_index": [0]}
    old = [flat(i, [-1.5, 0.0], [-2.5, 1.0], metrics={"acc": i % 2}, **rated) for i in range(4)]
    for number, rows in enumerate((new, old)):
        pool = from_lighteval(write(tmp_path / str(number), rows, "details_arc_0.parquet"))
        assert right(pool) == {f"arc_0/{i}": [i % 2 == 1] for i in range(4)}
        assert "text" not in pool.extra.column_names
        assert pool.questions["truth"].tolist() == ["7"] * 4


@pytest.mark.parametrize(("place", "truth"), [(0, "5"), ([1, 0], "7"), (-1, None), (2, None), (None, None), ([], None)])
def test_the_truth_is_the_first_gold(tmp_path, place, truth):
    row = detail(0, "7")
    row["doc"]["gold_index"] = place
    pool = from_lighteval(write(tmp_path, [row]))
    assert ("truth" in pool.questions) == (truth is not None)
    assert truth is None or pool.questions["truth"].tolist() == [truth]


def test_one_of_several_metrics_is_chosen(tmp_path):
    rows = [detail(i, "7", metric={"em": 1.0, "acc": float(i == 0), "f1": 0.5}) for i in range(2)]
    path = write(tmp_path, rows)
    with pytest.raises(
        PoolError, match=r"row 1, 'metrics': there are several metrics: em, acc, f1\. Choose one with metric"
    ):
        from_lighteval(path)
    assert right(from_lighteval(path, metric="acc")) == {"lighteval|gsm8k|5/0": [True], "lighteval|gsm8k|5/1": [False]}
    with pytest.raises(PoolError, match=r"'f1' is 0\.5\. A verdict must be 0 or 1"):
        from_lighteval(path, metric="f1")
    with pytest.raises(PoolError, match=r"metric: .* has no 'exact'\. Choose from 'em', 'acc', 'f1'"):
        from_lighteval(path, metric="exact")


def test_samples_without_a_value_are_failed(tmp_path):
    rows = [detail(0, "7"), detail(1, "7", metric={"em": None}), detail(2, "7", metric={"em": float("nan")})]
    with told("2 samples failed and are not in the pool: 2 without the metric"):
        pool = from_lighteval(write(tmp_path, rows))
    assert right(pool) == {"lighteval|gsm8k|5/0": [True]}


# Several samples ------------------------------------------------------------------------------------------------------


def test_several_samples_are_graded_by_a_rule(tmp_path):
    rows = [detail(i, "It is 7", f"It is {i}", "7", metric={"avg@n": 0.5, "maj@n": 1.0}) for i in range(2)]
    path = write(tmp_path, rows)
    with pytest.raises(PoolError, match=r"texts but no answers\. Extract the answers with a rule"):
        from_lighteval(path)
    found = import_pool("lighteval", lighteval.read, [path], tmp_path / "pool", Common(rule="number"))
    assert any("one metric together. The metrics are not used" in remark for remark in found.remarks)
    pool = from_lighteval(path, rule="number")
    assert right(pool) == {f"lighteval|gsm8k|5/{i}": [True, False, True] for i in range(2)}
    assert "correct_in_source" not in pool.extra.column_names


def test_choices_that_were_rated_do_not_join_several_samples(tmp_path):
    write(tmp_path, [detail(0, "7", "8")])
    write(tmp_path, [detail(0, metric={"acc": 1})], "details_arc.parquet")
    with pytest.raises(PoolError, match="has no text to grade, but other files have several samples"):
        from_lighteval(tmp_path, rule="number")


def test_reasoning_is_kept_apart(tmp_path):
    rows = [detail(0, "7", "8")]
    rows[0]["model_response"]["reasonings"] = ["Hm", None]
    pool = from_lighteval(write(tmp_path, rows), rule="number")
    assert pool.extra["reasoning"].to_pylist() == ["Hm", None]


# Files ----------------------------------------------------------------------------------------------------------------


def test_models_runs_and_tasks_of_a_folder(tmp_path):
    write(tmp_path, [detail(0, "7")], model="a")
    write(tmp_path / "later", [detail(0, "8", metric={"em": 0})], model="a")
    write(tmp_path, [detail(0, "9", metric={"em": 0})], model="org/b")
    write(tmp_path, [detail(0, "9", metric={"em": 1})], "details_math|0.parquet", model="org/b")
    with told("'a' has no samples for 1 of 2 questions"), told("range from"):
        pool = from_lighteval(tmp_path)
    assert pool.models == ("a", "org/b")
    assert pool.question_ids == ["lighteval|gsm8k|5/0", "math|0/0"]


@pytest.mark.parametrize(
    ("folders", "model"),
    [
        (f"details/org/llama/{DATE}", "org/llama"),
        (f"details_org__a__b_private/{DATE}", "org/a__b"),
        ("details/llama", "llama"),
        ("details", None),
        ("other", None),
    ],
)
def test_the_model_is_in_the_folders(tmp_path, folders, model):
    path = tmp_path / folders / "details_x.parquet"
    path.parent.mkdir(parents=True)
    write(tmp_path / "made", [detail(0, "7")]).rename(path)
    if model is None:
        with pytest.raises(PoolError, match=r"does not name its model\. Pass model"):
            from_lighteval(path)
    assert from_lighteval(path, model=None if model else "m").models == (model or "m",)


def test_columns_with_underscores(tmp_path):
    rows = [{f"__{name}__": value for name, value in detail(0, "7").items()}]
    path = write(tmp_path, rows)
    assert right(from_lighteval(path)) == {"lighteval|gsm8k|5/0": [True]}
    assert lighteval.is_own(Source(path))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"x": 1}], "has neither the column model_response nor predictions"),
        ([detail(0, "7"), detail(1, "7", "8")], "row 2: has 2 samples, but the first row has one"),
        ([detail(0, "7"), detail(0, "8", gold="8")], "question 'lighteval.gsm8k.5/0' has two truths"),
        ([detail(0, "7", metric={"em": "good"})], "'em' is text. It must be a number"),
    ],
)
def test_files_that_are_refused(tmp_path, rows, says):
    with pytest.raises(PoolError, match=says):
        from_lighteval(write(tmp_path, rows))


def test_files_are_recognised_by_their_columns(tmp_path):
    rows = [detail(0, "7"), flat(0, "7"), {"predictions": ["7"], "metrics": {"em": 1}}, {"doc": {"id": 1}, "resps": []}]
    for i, row in enumerate(rows):
        assert lighteval.is_own(Source(write(tmp_path, [row], f"{i}.parquet"))) == (i < 2)
    (tmp_path / "x.json").write_text('{"predictions": ["7"], "metrics": {"em": 1}, "example": "?"}')
    assert not lighteval.is_own(Source(tmp_path / "x.json"))


ROWS = st.builds(
    lambda make, texts, changed: {**make(0, *texts), **changed},
    st.sampled_from([detail, flat]),
    st.lists(st.sampled_from(["7", "", None]), max_size=2),
    st.dictionaries(
        st.sampled_from(["doc", "model_response", "metric", "predictions", "metrics", "gold", "example", "choices"]),
        ODD.filter(lambda value: value not in (10**400, "\ud800")),
        max_size=1,
    ),
)


@given(row=ROWS, times=st.integers(1, 2))
def test_any_rows_give_a_pool_or_an_error(tmp_path_factory, row, times):
    folder = tmp_path_factory.mktemp("fuzz")
    try:
        path = write(folder, [row] * times)
    except (pa.ArrowException, OverflowError):  # not a Parquet file
        return
    assert lighteval.is_own(Source(path)) in (True, False)
    pool_or_error(folder, "lighteval", lighteval.read, path)


def test_a_file_that_is_not_parquet(tmp_path):
    path = write(tmp_path, [detail(0, "7")])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(PoolError, match="cannot be read"):
        from_lighteval(path)
    assert not lighteval.is_own(Source(path))
