"""RouterBench: a wide table in three containers, verdicts that are fractions, and rows that repeat."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.formats import routerbench
from mssim.importers.formats.routerbench import from_routerbench, is_own
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import or_odd, pool_or_error, told
from tests.importers.readers import written

MODELS = ("gpt-4", "meta/llama")


def row(task, number, *verdicts, **changed):
    """A row as RouterBench writes it, with one verdict per model."""
    one = {"sample_id": f"{task}.val.{number}", "prompt": f"['{number} x 7?']", "eval_name": task}
    one |= dict(zip(MODELS, verdicts, strict=True))
    one |= {f"{model}|model_response": f"['{model} says {number}']" for model in MODELS}
    one |= {f"{model}|total_cost": 0.001 * (number + i + 1) for i, model in enumerate(MODELS)}
    one["oracle_model_to_route_to"] = MODELS[0] if verdicts[0] else "no_model_correct"
    return {name: value for name, value in (one | changed).items() if value != "absent"}


ROWS = [row("mmlu-law", i, float(i % 2), float(i % 3 == 0)) for i in range(5)]
ROWS += [row("winogrande", i, 1.0, 0.0) for i in range(3)]
FRACTIONS = [row("grade-school-math", 0, 1.0, 0.75), row("grade-school-math", 1, 0.0, 1.0)]


def write(folder, rows, name="routerbench.jsonl"):
    folder.mkdir(exist_ok=True)
    path, table = folder / name, pd.DataFrame(rows)
    if name.endswith("parquet"):
        table.to_parquet(path)
    elif name.endswith("csv"):
        table.to_csv(path, index=False)
    else:
        path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def accuracies(pool):
    return [mask[:, 0].mean() for mask in pool.sample_correct()]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl"])
def test_the_accuracy_of_a_model_is_the_mean_of_its_column(tmp_path, name):
    pool = from_routerbench(write(tmp_path, ROWS, name))
    assert pool.models == MODELS
    assert accuracies(pool) == [pd.DataFrame(ROWS)[model].mean() for model in MODELS]
    np.testing.assert_array_equal(
        pool.numbers["cost"][:, :, 0], [[one[f"{model}|total_cost"] for one in ROWS] for model in MODELS]
    )
    assert pool.question_ids[:2] == ["mmlu-law.val.0", "mmlu-law.val.1"]
    assert pool.questions.iloc[0].to_dict() == {
        "question_id": "mmlu-law.val.0",
        "question": "['0 x 7?']",
        "eval_name": "mmlu-law",
        "oracle_model_to_route_to": "no_model_correct",
    }
    assert pool.extra["text"].to_pylist()[0] == "['gpt-4 says 0']"
    assert pool.info["votes"] is False
    assert any("values of eval_name separately" in remark for remark in pool.info["import"]["remarks"])


def test_an_evaluation_with_a_fraction_is_left_out_and_counted(tmp_path):
    path = write(tmp_path, ROWS + FRACTIONS)
    with told("verdicts of grade-school-math are fractions"), told("4 samples failed .*4 verdict between 0 and 1"):
        pool = from_routerbench(path)
    assert accuracies(pool) == [pd.DataFrame(ROWS)[model].mean() for model in MODELS]
    assert len(pool.questions) == len(ROWS)
    with pytest.raises(PoolError, match=r"no samples that are right or wrong: 4 samples .*pass_mark=NUMBER"):
        from_routerbench(write(tmp_path, FRACTIONS))


@pytest.mark.parametrize("mark", [0.5, 1])
def test_a_pass_mark_keeps_all_evaluations(tmp_path, mark):
    pool = from_routerbench(write(tmp_path, ROWS + FRACTIONS), pass_mark=mark)
    table = pd.DataFrame(ROWS + FRACTIONS)
    assert accuracies(pool) == [(table[model] >= mark).mean() for model in MODELS]
    assert any("grade-school-math" in remark for remark in pool.info["import"]["remarks"])


def test_an_id_is_distinct_between_evaluations(tmp_path):
    rows = [row("arc", 0, 1, 0, sample_id=7), row("mmlu", 0, 0, 0, sample_id=7), row("arc", 1, 1, 1)]
    pool = from_routerbench(write(tmp_path, rows))
    assert pool.question_ids == ["arc/7", "mmlu/7", "arc.val.1"]
    assert accuracies(pool) == [2 / 3, 1 / 3]


def test_rows_that_repeat_count_once(tmp_path):
    rows = [*ROWS, row("mmlu-law", 0, 1.0, 1.0)]
    paths = [write(tmp_path, rows), write(tmp_path, ROWS, "again.parquet")]
    with told("18 samples repeat the question and the model of an earlier row"):
        pool = from_routerbench(paths)
    assert pool.lengths.max() == 1
    assert accuracies(pool) == [pd.DataFrame(ROWS)[model].mean() for model in MODELS]


def test_one_id_with_two_prompts_is_refused_or_dropped(tmp_path):
    path = write(tmp_path, [*ROWS, row("mmlu-law", 0, 1.0, 1.0, prompt="other")])
    with pytest.raises(PoolError, match=r"two texts, .*such as 0-shot and 5-shot, separately"):
        from_routerbench(path)
    with told("1 question has two texts"), told("2 samples repeat"):
        pool = from_routerbench(path, drop_conflicts=True)
    assert accuracies(pool) == [pd.DataFrame(ROWS[1:])[model].mean() for model in MODELS]


def test_samples_without_a_verdict_failed(tmp_path):
    rows = [row("arc", 0, True, None), row("arc", 1, False, True, **{"gpt-4|total_cost": None})]
    with told("1 no verdict"), told("no samples for 1 of 2 questions"):
        pool = from_routerbench(write(tmp_path, rows, "a.csv"))
    assert pool.lengths.tolist() == [[1, 1], [0, 1]]
    assert pool.sample_correct()[:, :, 0].tolist() == [[True, False], [False, True]]
    assert np.isnan(pool.numbers["cost"][0]).ravel().tolist() == [False, True]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row("arc", 0, 1, 2)], "line 1: 'meta/llama' is 2. A verdict is between 0 .wrong. and 1"),
        ([row("arc", 0, 1, 0, **{"gpt-4": "absent"})], "has no column 'gpt-4' with verdicts beside its responses"),
        ([{"sample_id": "a", "eval_name": "a", "gpt": 1}], "has no column MODEL|model_response or MODEL|total_cost"),
        ([row("arc", 0, 1, 0, eval_name="absent")], "line 1: has no 'eval_name'"),
        ([row("arc", 0, 1, 0, **{"gpt-4|model_response": ["4"]})], "is a list. It must be text"),
    ],
)
def test_faults(tmp_path, rows, says):
    with pytest.raises(PoolError, match=says.replace("|", "[|]")):
        import_pool("routerbench", routerbench.read, [write(tmp_path, rows)], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


def test_files_of_its_own(tmp_path):
    for name in ("a.parquet", "a.csv", "a.jsonl"):
        assert is_own(Source(write(tmp_path, ROWS, name)))
    assert is_own(Source(written(tmp_path, b"\x80\x04", "routerbench_5shot.pkl")))
    assert not is_own(Source(written(tmp_path, b"\x80\x04", "deepconf_simple_qid0.pkl")))
    assert not is_own(Source(written(tmp_path, json.dumps([{"sample_id": 1, "eval_name": "x"}]))))


NAMES = ("sample_id", "prompt", "eval_name", *MODELS, *(f"{model}|total_cost" for model in MODELS))
USUAL = {**row("arc", 0, 1.0, 0.0), "gpt-4": st.sampled_from([0.0, 1.0, 0.5])}
LINES = st.fixed_dictionaries(
    {name: or_odd(value if isinstance(value, st.SearchStrategy) else st.just(value)) for name, value in USUAL.items()}
)


@given(lines=st.lists(or_odd(LINES), min_size=1, max_size=4))
def test_any_rows_give_a_pool_or_an_error(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    is_own(Source(path))
    pool_or_error(folder, "routerbench", routerbench.read, path)
