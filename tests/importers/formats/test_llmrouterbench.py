"""LLMRouterBench: verdicts of a folder of results, predictions that are answers or not, and which files count."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.formats import llmrouterbench
from mssim.importers.formats.llmrouterbench import from_llmrouterbench, is_own
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import or_odd, pool_or_error, told
from tests.importers.readers import written


def record(number, prediction, score, truth="4", **changed):
    """One question, as LLMRouterBench writes it."""
    one = {
        "index": number,
        "origin_query": f"{number} x 7?",
        "prompt": f"Q: {number} x 7?",
        "prompt_tokens": 10 + number,
    }
    one |= {"completion_tokens": 5, "cost": 0.001 * number, "score": score, "prediction": prediction}
    one |= {"ground_truth": truth, "raw_output": f"It is {prediction}.", "extra_fields": {"difficulty": 1}}
    return {name: value for name, value in (one | changed).items() if value != "absent"}


FAILED = record(
    9, "", None, "", raw_output="Processing failed: timeout", prompt_tokens=0, completion_tokens=0, cost=0.0
)


def write(folder, records, model="llama", dataset="aime", split="test", stamp="20250101_120000", **changed):
    scores = [one["score"] for one in records if one.get("score") is not None]
    result = {"performance": float(np.mean(scores)) if scores else 0.0, "time_taken": 2.5, "cost": 0.1}
    result |= {"counts": len(records), "model_name": model, "dataset_name": dataset, "split": split, "demo": False}
    result |= {"extra_metrics": {"a": 1}, "data_fingerprint": "f", "records": records} | changed
    result = {name: value for name, value in result.items() if value != "absent"}
    path = folder / dataset / split / model / f"{dataset}-{split}-{model}-{stamp}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2))
    return path


def accuracies(pool):
    return [mask[:, 0][n > 0].mean() for mask, n in zip(pool.sample_correct(), pool.lengths, strict=True)]


def test_the_accuracy_of_a_model_is_the_performance_of_its_files(tmp_path):
    llama = [record(1, "4", 1.0), record(2, "5", 0.0), record(3, "", 0.0)]
    gpt = [record(1, "4", 1.0), record(2, "4", 1.0), record(3, "7", 0.0)]
    write(tmp_path, llama)
    write(tmp_path, gpt, "gpt")
    other = [record(1, "B", 1.0, "B"), record(2, "C", 0.0, "A")]
    write(tmp_path, other, dataset="mmlu")
    write(tmp_path, other[::-1], "gpt", "mmlu")
    with told("no answer"):
        pool = from_llmrouterbench(tmp_path)
    assert dict(zip(pool.models, accuracies(pool), strict=True)) == {"gpt": 3 / 5, "llama": 2 / 5}
    assert pool.question_ids == [*(f"aime/test/{i}" for i in (1, 2, 3)), *(f"mmlu/test/{i}" for i in (2, 1))]
    assert pool.questions.iloc[0].to_dict() == {
        "question_id": "aime/test/1", "question": "1 x 7?", "truth": "4", "dataset": "aime", "split": "test"
    }  # fmt: skip
    np.testing.assert_allclose(pool.numbers["cost"][0, :3, 0], [0.001, 0.002, 0.003])
    assert pool.numbers["input_tokens"][0, :3, 0].tolist() == [11, 12, 13]
    assert pool.numbers["output_tokens"][0, 0, 0] == 5
    assert pool.class_labels.to_pylist() == ["4", "4", "5", "7", "C", "B"]
    assert any("values of dataset separately" in remark for remark in pool.info["import"]["remarks"])


def test_samples_that_were_not_judged_failed(tmp_path):
    path = write(tmp_path, [record(1, "4", 1.0), record(2, "3", 0.0), FAILED, record(3, "x", None)])
    with told("2 samples failed .*1 processing failed, 1 no score"):
        pool = from_llmrouterbench(path)
    assert accuracies(pool) == [json.loads(path.read_text())["performance"]] == [0.5]
    assert pool.question_ids == ["aime/test/1", "aime/test/2"]


def test_a_data_set_with_fractions_is_left_out_or_judged_by_the_pass_mark(tmp_path):
    messages = [{"role": "assistant", "content": "Hi."}]
    write(tmp_path, [record(1, messages, 0.5, None), record(2, messages, 1.0, None)], dataset="arenahard")
    write(tmp_path, [record(1, "4", 1.0)])
    with told("2 samples are left out, because verdicts of arenahard"), told("2 verdict between 0 and 1"):
        pool = from_llmrouterbench(tmp_path)
    assert pool.question_ids == ["aime/test/1"]
    with told("2 samples of arenahard have no prediction that is an answer"):
        pool = from_llmrouterbench(tmp_path, pass_mark=0.75)
    assert accuracies(pool) == [2 / 3]
    assert pool.class_labels.to_pylist() == ["4", "wrong answer of llama", "correct answer of llama"]


def test_grades_of_a_judge_are_not_answers(tmp_path):
    """Votes on grades would know what is correct."""
    for name in ("SimpleQA", "facts"):
        folder = tmp_path / name
        for model in ("llama", "gpt"):
            records = [record(i, "A", 1.0, f"truth {i}") for i in (1, 2, 3)] + [record(4, "B", 0.0, "truth 4")]
            write(folder, records[: 2 if name == "SimpleQA" else 4], model, name)
        with told("have no prediction that is an answer"):
            pool = from_llmrouterbench(folder)
        assert pool.info["votes"] is False
        assert pool.codes[0, 0, 0] != pool.codes[1, 0, 0]
        assert accuracies(pool) == ([1.0, 1.0] if name == "SimpleQA" else [0.75, 0.75])
    equal = [record(i, "4", 1.0, f"{4 * i}/{i}") for i in (1, 2)]  # the answers to two questions may be equal
    assert "votes" not in from_llmrouterbench(write(tmp_path / "few", equal)).info


def test_an_answer_that_is_judged_both_ways_keeps_its_verdicts(tmp_path):
    write(tmp_path, [record(1, "about 4", 1.0), record(2, "x", 0.0)], "a")
    write(tmp_path, [record(1, "about 4", 0.0), record(2, "", 1.0)], "b")
    with told("1 sample has an answer that is judged differently"), told("1 sample is judged right without"):
        pool = from_llmrouterbench(tmp_path)
    assert accuracies(pool) == [0.5, 0.5]
    assert pool.class_labels.to_pylist() == ["about 4", "about 4 (judged wrong)", "4", "x"]


def test_the_latest_result_counts_and_demos_do_not(tmp_path):
    write(tmp_path, [record(1, "5", 0.0)], stamp="20250101_120000")
    write(tmp_path, [record(1, "4", 1.0)], stamp="20250301_080000")
    write(tmp_path, [record(1, "6", 0.0)], stamp="20250401_080000", demo=True)
    with told("1 file with a demo result is skipped"), told("1 file is skipped, because a later file has a result"):
        pool = from_llmrouterbench(tmp_path)
    assert (pool.lengths.tolist(), accuracies(pool)) == ([[1]], [1.0])


def test_the_folders_name_what_old_files_do_not(tmp_path):
    path = write(tmp_path, [record(1, "4", 1.0)])
    result = json.loads(path.read_text())
    for name, id_ in (("split", "aime/1"), ("model_name", "aime/test/1"), ("dataset_name", "aime/test/1")):
        del result[name]
        path.write_text(json.dumps(result))
        pool = from_llmrouterbench(path)
        assert (pool.models, pool.question_ids) == (("llama",), [id_])
    plain = path.rename(path.with_name("result.json"))
    assert from_llmrouterbench(plain).models == ("llama",)
    with pytest.raises(PoolError, match="has no 'dataset_name' or no 'model_name', and is not in folders DATASET"):
        from_llmrouterbench(plain.rename(tmp_path / "x.json"))


def test_a_performance_that_the_scores_do_not_have_is_reported(tmp_path):
    with told("llama-20250101_120000.json reports a performance of 0.9, but the mean of its scores is 0.5"):
        from_llmrouterbench(write(tmp_path, [record(1, "4", 1.0), record(2, "5", 0.0)], performance=0.9))


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([record(1, "4", 1.0), record(1, "5", 0.0)], "record 2: index 1 appears twice"),
        ([record(1, "4", 2.0)], "record 1: 'score' is 2"),
        ([record(1, "4", 1.0, index="absent")], "has no 'index'"),
        ([record(1, "4", 1.0, cost="free")], "'cost' is text. It must be a number"),
        ([record(1, "4", None)], "no samples .1 failed: no score"),
    ],
)
def test_faults(tmp_path, records, says):
    with pytest.raises(PoolError, match=says):
        import_pool("llmrouterbench", llmrouterbench.read, [write(tmp_path, records)], tmp_path / "pool", Common())


def test_two_results_of_one_time_are_refused(tmp_path):
    paths = [write(tmp_path / name, [record(1, name, 0.0)]) for name in "ab"]
    with pytest.raises(PoolError, match="are both results of 'llama' on 'aime', split 'test', and neither is later"):
        from_llmrouterbench(paths)


def test_files_of_its_own(tmp_path):
    assert is_own(Source(write(tmp_path, [record(1, "4", 1.0)])))
    assert not is_own(Source(written(tmp_path, json.dumps({"records": [{"index": 1, "score": 1}]}))))


RECORDS = st.fixed_dictionaries(
    {
        "index": or_odd(st.integers(1, 50)),
        "prediction": or_odd(st.sampled_from(["4", "5", ""])),
        "ground_truth": or_odd(st.just("4")),
        "score": or_odd(st.sampled_from([1.0, 0.0, 0.5, None])),
        "raw_output": or_odd(st.just("It is 4.")),
    },
    optional={"cost": or_odd(st.just(0.1)), "prompt_tokens": or_odd(st.just(3))},
)
OUTER = st.fixed_dictionaries(
    {name: or_odd(st.just("a")) for name in ("model_name", "dataset_name", "split")},
    optional={"demo": or_odd(st.booleans()), "performance": or_odd(st.just(0.5))},
)


@given(records=or_odd(st.lists(or_odd(RECORDS), min_size=1, max_size=2)), outer=OUTER)
def test_any_results_give_a_pool_or_an_error(tmp_path_factory, records, outer):
    folder = tmp_path_factory.mktemp("fuzz")
    path = written(folder, json.dumps({**outer, "records": records}))
    is_own(Source(path))
    pool_or_error(folder, "llmrouterbench", llmrouterbench.read, path)
