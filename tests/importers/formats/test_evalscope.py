"""EvalScope: reviews of both versions, metrics, repeats of questions and shuffled choices."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.formats import evalscope
from mssim.importers.formats.evalscope import from_evalscope
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import or_odd, pool_or_error, right, told


def review(index, answer, acc, *, target="7", group=None, prompt=None, value=None, **score):
    """A line since version 1.0."""
    prompt = f"{index if group is None else group}: 3 + 4?" if prompt is None else prompt
    said = {"role": "assistant", "content": f"It is {answer}", "model": "served"}
    said["perf_metrics"] = {"latency": 1.5, "input_tokens": 20, "output_tokens": 5}
    found = {"value": {"acc": acc} if value is None else value, "extracted_prediction": answer}
    found |= {"prediction": f"It is {answer}", "main_score_name": None} | score
    scored = {"score": found, "sample_id": index, "group_id": group, "sample_metadata": {}}
    return {"index": index, "target": target, "messages": [{"role": "user", "content": prompt}, said]} | {
        "sample_score": scored
    }


def reviewed(index, *results, gold="7", **more):
    """A line of an earlier version."""
    choices = [
        {"index": i, "message": {"role": "assistant", "content": f"It is {pred}"}, "finish_reason": "stop"}
        | {"review": {"gold": gold, "pred": pred, "result": result}}
        for i, (pred, result) in enumerate(results)
    ]
    line = {"index": index, "choices": choices, "model": "old", "raw_input": {"question": f"{index}: 3 + 4?"}}
    return line | {"usage": {"completion_tokens": 5, "prompt_tokens": 20}, "reviewed": True, "review_id": "r"} | more


def write(folder, lines, name="gsm8k_main.jsonl", model="llama", kind="reviews"):
    path = folder / kind / model / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


# Since version 1.0 ----------------------------------------------------------------------------------------------------


def test_reviews_are_samples_and_repeats_share_a_question(tmp_path):
    said = [("7", 1.0), ("8", 0.0), ("7", True), ("", 0), ("seven", 1.0), (" ", 1)]
    lines = [review(i, answer, acc, group=i // 3) for i, (answer, acc) in enumerate(said)]
    write(tmp_path, lines)
    write(tmp_path, [{"index": 0, "model_output": {}}], kind="predictions")
    with told("gives no answer in 16.7%"):
        pool = from_evalscope(tmp_path)
    assert pool.models == ("llama",)
    assert right(pool) == {"gsm8k_main/0": [True, False, True], "gsm8k_main/1": [False, True, True]}
    assert pool.sample_correct()[0].mean() == np.mean([float(acc) for _, acc in said])
    assert pool.codes[0, 1].tolist()[0] == -1
    assert pool.questions.iloc[0].to_dict() == {
        "question_id": "gsm8k_main/0",
        "question": "0: 3 + 4?",
        "truth": "7",
        "dataset": "gsm8k_main",
    }
    assert pool.extra["text"].to_pylist()[:2] == ["It is 7", "It is 8"]
    assert pool.numbers["output_tokens"][0, 0].tolist() == [5, 5, 5]
    assert pool.numbers["latency"][0, 0].tolist() == [1.5, 1.5, 1.5]


def test_models_runs_and_datasets_of_a_folder(tmp_path):
    write(tmp_path / "run1", [review(0, "7", 1.0)], model="a")
    write(tmp_path / "run2", [review(0, "8", 0.0)], model="a")
    write(tmp_path / "run1", [review(0, "9", 0.0)], model="b")
    write(tmp_path / "run1", [review(0, "B", 1.0, target="B")], "mmlu_law.jsonl", model="a")
    out = tmp_path / "pool"
    files = sorted(tmp_path.rglob("*.jsonl"))
    found = import_pool("evalscope", evalscope.read, files, out, Common())
    assert found.models == ("a", "b")
    assert found.samples == 4
    assert any("reports the 2 values of dataset separately" in remark for remark in found.remarks)
    assert from_evalscope(tmp_path / "run2" / "reviews" / "a" / "gsm8k_main.jsonl", model="x").models == ("x",)


def test_a_folder_per_dataset_inside_the_model(tmp_path):
    pool = from_evalscope(write(tmp_path, [review(0, "7", 1.0)], "law/mmlu/all.jsonl"))
    assert (pool.models, pool.question_ids) == (("llama",), ["law/mmlu/all/0"])


def test_the_model_is_named_by_the_file_outside_of_reviews(tmp_path):
    assert from_evalscope(write(tmp_path, [review(0, "7", 1.0)], kind="other")).models == ("served",)
    line = review(0, "7", 1.0)
    line["messages"] = []
    with pytest.raises(PoolError, match=r"does not name its model\. Pass model"):
        from_evalscope(write(tmp_path, [line], kind="other"))


def test_the_main_metric_is_used_or_another(tmp_path):
    value = {"strict": 1.0, "loose": 0.0, "share": 0.5}
    last = review(1, "b", 0, value=value | {"loose": 1}, main_score_name="strict")
    path = write(tmp_path, [review(0, "a", 0, value=value), last])
    found = import_pool("evalscope", evalscope.read, [path], tmp_path / "pool", Common())
    assert found.to_frame()["accuracy"].tolist() == [1.0]
    said = "the verdicts of gsm8k_main are of the metric strict. Choose others with metric=NAME: loose, share."
    assert said in found.remarks
    assert right(from_evalscope(path, metric="loose")) == {"gsm8k_main/0": [False], "gsm8k_main/1": [True]}
    with pytest.raises(
        PoolError, match=r"'share' is 0\.5\. A verdict must be 0 or 1\. Choose another with metric=NAME: strict"
    ):
        from_evalscope(path, metric="share")
    with pytest.raises(PoolError, match=r"metric: .*line 1.* has no 'acc'\. Choose from 'strict', 'loose', 'share'"):
        from_evalscope(path, metric="acc")


def test_samples_without_the_metric_are_failed(tmp_path):
    lines = [review(0, "7", 1.0), review(1, "7", 0, value={}, status="parse_error"), review(2, "7", 0, value={"f": 1})]
    with told("2 samples failed and are not in the pool: 1 with the status parse_error, 1 without the metric"):
        pool = from_evalscope(write(tmp_path, lines))
    assert right(pool) == {"gsm8k_main/0": [True]}


def test_prompts_and_replies_of_several_parts(tmp_path):
    line = review(0, None, 1.0, target="", prediction=None)
    line["messages"][0]["content"] = [{"type": "text", "text": "Look:"}, {"type": "image", "image": "x"}]
    line["messages"][1]["content"] = [{"type": "reasoning", "reasoning": "Hm"}, {"type": "text", "text": "Seven"}]
    old = review(1, "7", 0.0)
    del old["messages"]
    pool = from_evalscope(write(tmp_path, [line, old | {"input": "3 + 4?"}]))
    assert pool.questions["question"].tolist() == ["Look:", "3 + 4?"]
    assert pool.questions["truth"].isna().tolist() == [True, False]
    assert pool.extra["text"].to_pylist() == ["Seven", "It is 7"]
    assert pool.extra["reasoning"].to_pylist() == ["Hm", None]


# Shuffled choices -----------------------------------------------------------------------------------------------------

ORDERS = ["Mars Venus Earth", "Earth Mars Venus", "Venus Earth Mars", "Mars Venus Earth"]


def shuffled(said, orders=ORDERS):
    """Answers to one question, each with its choices in an order of its own."""
    for i, (text, order) in enumerate(zip(said, orders, strict=True)):
        texts = order.split()
        prompt = "Which?\n\n" + "\n".join(map("{}) {}".format, "ABC", texts))
        letter, target = ("ABC"[texts.index(name)] for name in (text, "Venus"))
        yield review(i, letter, float(text == "Venus"), target=target, group=0, prompt=prompt)


def test_letters_are_translated_if_choices_are_shuffled(tmp_path):
    said = ["Venus", "Venus", "Mars", "Venus"]
    pool = from_evalscope(write(tmp_path, shuffled(said), "gpqa_main.jsonl"))
    assert pool.questions["truth"].tolist() == ["Venus"]
    assert pool.questions["question"].tolist() == ["Which?"]
    assert [pool.class_labels.to_pylist()[code] for code in pool.codes[0, 0]] == said
    assert right(pool) == {"gpqa_main/0": [True, True, False, True]}
    with pytest.raises(PoolError, match="rule: the choices of 1 question were shuffled"):
        from_evalscope(tmp_path, rule="choice")


def test_letters_are_kept_if_choices_are_not_shuffled(tmp_path):
    pool = from_evalscope(write(tmp_path, shuffled(["Venus", "Mars"], ORDERS[:1] * 2), "gpqa_main.jsonl"))
    assert pool.questions["truth"].tolist() == ["B"]
    assert sorted(pool.class_labels.to_pylist()) == ["A", "B"]


def test_models_with_other_orders_of_choices_share_questions(tmp_path):
    write(tmp_path, shuffled(["Venus"], ORDERS[:1]), "gpqa_main.jsonl", model="a")
    write(tmp_path, shuffled(["Mars"], ORDERS[1:2]), "gpqa_main.jsonl", model="b")
    pool = from_evalscope(tmp_path)
    assert pool.question_ids == ["gpqa_main/0"]
    assert sorted(pool.class_labels.to_pylist()) == ["Mars", "Venus"]


# Earlier versions -----------------------------------------------------------------------------------------------------


def test_choices_of_earlier_versions_are_samples(tmp_path):
    lines = [reviewed(0, ("7", True), ("8", False)), reviewed(1, ("8", 0.0), gold="*Same as Input*")]
    lines += [reviewed(2, ("7", {"em": 1, "f1": 0.5})), reviewed(3), reviewed(4, ("7", True), reviewed=False)]
    files = [write(tmp_path, [line], f"d_{i}.jsonl") for i, line in enumerate(lines)]
    with told("2 samples failed.*: 1 without a choice, 1 without a review"), told("range from 1 to 2"):
        pool = from_evalscope(files)
    assert right(pool) == {"d_0/0": [True, False], "d_1/1": [False], "d_2/2": [True]}
    assert pool.questions["truth"].isna().tolist() == [False, True, False]
    assert pool.questions["question"].tolist() == ["0: 3 + 4?", "1: 3 + 4?", "2: 3 + 4?"]
    assert [None if np.isnan(n) else n for n in pool.numbers["output_tokens"][0, :2, 0]] == [None, 5]


def test_lines_without_an_index_are_told_by_their_input(tmp_path):
    lines = [reviewed(i, ("7", True)) for i in (3, 1)]
    for line in lines:
        del line["index"]
        line["raw_input"]["level"] = 1
    write(tmp_path, lines, model="a")
    for line in lines:
        line["raw_input"] = dict(reversed(line["raw_input"].items()))
    write(tmp_path, lines[::-1], model="b")
    pool = from_evalscope(tmp_path)
    assert len(pool.question_ids) == 2
    assert pool.lengths.tolist() == [[1, 1], [1, 1]]


# Faults ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([review(0, "7", 1.0)] * 2, "line 2: index 0 appears twice"),
        ([{"index": 0, "model_output": {}}], "has neither 'sample_score' nor 'choices'"),
        ([review(0, "7", "good")], "'acc' is text. It must be a number"),
        ([review(0, "7", 0.5)], "'acc' is 0.5. A verdict must be 0 or 1. Omit this file"),
        ([review(0, ["7"], 1.0)], "'extracted_prediction' is a list. It must be text"),
        ([review(0, "7", 1.0, group={})], "'group_id' is an object. It must be text"),
        (
            [review(0, "7", 1.0, group=0), review(1, "8", 1.0, target="8", group=0)],
            "question 'gsm8k_main/0' has two truths",
        ),
        ([{"choices": [], "reviewed": True}], "has neither 'index' nor 'raw_input'"),
    ],
)
def test_files_that_are_refused(tmp_path, lines, says):
    with pytest.raises(PoolError, match=says):
        from_evalscope(write(tmp_path, lines))


def test_predictions_alone_are_refused(tmp_path):
    with pytest.raises(PoolError, match=r"is a file of predictions, which have no verdicts\. Pass the folder reviews"):
        from_evalscope(write(tmp_path, [{"index": 0}], kind="predictions"))


def test_files_are_recognised_by_their_records(tmp_path):
    own = [review(0, "7", 1.0), reviewed(0, ("7", True))]
    others = [{"index": 0, "model_output": {}}, {"index": 0, "choices": []}, {"index": 0, "choices": [{"text": "7"}]}]
    for i, line in enumerate([*own, *others]):
        assert evalscope.is_own(Source(write(tmp_path, [line], f"{i}.jsonl"))) == (i < len(own))


SCORED = st.builds(
    lambda index, answer, acc, group, changed: {**review(index, answer, acc, group=group), **changed},
    or_odd(st.integers(0, 3)),
    or_odd(st.sampled_from(["7", "A", ""])),
    or_odd(st.sampled_from([0.0, 1.0])),
    or_odd(st.integers(0, 1)),
    st.dictionaries(st.sampled_from(["messages", "sample_score", "target"]), or_odd(st.just("A")), max_size=1),
)
OLD = st.builds(
    lambda index, pred, result, changed: {**reviewed(index, (pred, result)), **changed},
    or_odd(st.integers(0, 3)),
    or_odd(st.just("7")),
    or_odd(st.booleans()),
    st.dictionaries(
        st.sampled_from(["choices", "usage", "reviewed", "raw_input", "index"]), or_odd(st.none()), max_size=1
    ),
)


@given(lines=st.lists(or_odd(SCORED | OLD), min_size=1, max_size=4))
def test_any_lines_give_a_pool_or_an_error(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("fuzz")
    path = write(folder, lines)
    assert evalscope.is_own(Source(path)) in (True, False)
    pool_or_error(folder, "evalscope", evalscope.read, path)
