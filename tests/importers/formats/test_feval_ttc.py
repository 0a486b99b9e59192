"""FEval-TTC: questions and responses in files of their own, costs that add up, and runs that failed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.formats import feval_ttc
from mssim.importers.formats.feval_ttc import from_feval_ttc, is_own
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import or_odd, pool_or_error, told
from tests.importers.readers import written


def cot(answer, cost=2e-6, tokens=7.0, reason="stop"):
    metadata = {"dollar_cost": cost, "token_cost": tokens, "finish_reason": reason}
    return {"raw_text": f"So it is {answer}.", "answer": answer, "metadata": metadata}


def response(*cots, cost=1e-5, tokens=100.0):
    return {"cots": list(cots), "request": {"raw_text": "Q: ...", "dollar_cost": cost, "token_cost": tokens}}


def write_questions(folder, answers, dataset="SVAMP"):
    data = [{"question": f"{dataset} {i}?", "answer": answer} for i, answer in enumerate(answers)]
    whole = {"data": data, "datatype": dataset, "system_prompt": None}
    written(folder, json.dumps({"llms": ["gpt-4o-mini"]}), f"dataset_{dataset}_models.txt")
    return written(folder, json.dumps(whole), f"dataset_{dataset}.txt")


def write_responses(folder, responses, model="Qwen/Qwen2.5-72B-Instruct", dataset="SVAMP"):
    whole = {"config": {"name": model, "temperature": 0.7, "max_tokens": 2048}, "responses": responses}
    path = folder / f"LLM_{model}_dataset_{dataset}.txt"  # a name with a slash is a folder of the archive
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(whole))
    return path


def test_an_unpacked_archive(tmp_path):
    write_questions(tmp_path, ["4", "5"])
    write_questions(tmp_path, ["A"], "AQuA")
    qwen = [response(cot("4"), cot("7"), cot(None)), response(cot("5"), cot("5"), cot("3"))]
    write_responses(tmp_path, qwen)
    gpt = [response(cot("4"), cot("4"), cot("1")), response(cot("6"), cot("6"), cot("5"))]
    write_responses(tmp_path, gpt, "gpt-4o-mini")
    for model, answer in (("gpt-4o-mini", "A"), ("Qwen/Qwen2.5-72B-Instruct", "B")):
        write_responses(tmp_path, [response(*[cot(answer)] * 3)], model, "AQuA")
    with told("no answer"):
        pool = from_feval_ttc(tmp_path)
    assert sorted(pool.models) == ["Qwen/Qwen2.5-72B-Instruct", "gpt-4o-mini"]
    assert set(pool.question_ids) == {"SVAMP/0", "SVAMP/1", "AQuA/0"}
    naive = {"gpt-4o-mini": (2 + 1 + 3) / 9, "Qwen/Qwen2.5-72B-Instruct": (1 + 2 + 0) / 9}
    assert dict(zip(pool.models, pool.sample_correct().mean(axis=(1, 2)), strict=True)) == naive
    first = pool.questions.set_index("question_id").loc["SVAMP/0"]
    assert first.to_dict() == {"question": "SVAMP 0?", "truth": "4", "dataset": "SVAMP"}
    assert set(pool.extra["temperature"].to_pylist()) == {0.7}
    assert any("values of dataset separately" in remark for remark in pool.info["import"]["remarks"])
    assert sorted(file["name"] for file in pool.info["question_files"]) == ["dataset_AQuA.txt", "dataset_SVAMP.txt"]


def test_costs_add_up_to_what_was_paid(tmp_path):
    (tmp_path / "q").mkdir()
    write_questions(tmp_path / "q", ["4", "5"])
    responses = [response(cot("4", 2e-6), cot("7", 3e-6), cost=1e-5), response(cot("5", 5e-6), cost=4e-5)]
    with told("range from 1 to 2"):
        pool = from_feval_ttc([*(tmp_path / "q").glob("dataset*"), write_responses(tmp_path, responses)])
    assert np.nansum(pool.numbers["cost"]) == pytest.approx(2e-6 + 3e-6 + 1e-5 + 5e-6 + 4e-5)
    np.testing.assert_allclose(pool.numbers["cost"][0, 0], [2e-6 + 5e-6, 3e-6 + 5e-6])
    assert pool.numbers["output_tokens"][0, 0].tolist() == [7, 7]
    assert pool.extra["request_input_tokens"].to_pylist() == [100, 100, None]
    assert np.isnan(pool.numbers["input_tokens"][0, 0]).all()
    assert pool.numbers["input_tokens"][0, 1, 0] == 100


def test_responses_without_chains_or_costs_of_the_request(tmp_path):
    write_questions(tmp_path, ["4", "5"])
    write_responses(tmp_path, [{"cots": [cot("4", 2e-6)]}, response()])
    says = "1 question without samples is not in the pool"
    with told(says), told("Qwen/Qwen2.5-72B-Instruct has samples for 1 of the 2 questions of data set SVAMP"):
        pool = from_feval_ttc(tmp_path)
    assert pool.lengths.tolist() == [[1]]
    assert pool.numbers["cost"][0, 0].tolist() == [2e-6]


def test_runs_that_failed_are_not_samples(tmp_path):
    write_questions(tmp_path, ["4"])
    cots = [cot("4"), cot(None, reason="run_failed"), cot(None, reason="run_expired"), cot("5", reason="max_tokens")]
    write_responses(tmp_path, [response(*cots)])
    with told("2 samples failed .*1 run failed, 1 run expired"), told("1 of 2 samples .*cut off"):
        pool = from_feval_ttc(tmp_path)
    assert pool.sample_correct()[0, 0].tolist() == [True, False]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("dataset_AQuA.txt", {"data": []}, "the questions of its data set are missing. Put dataset_SVAMP.txt into"),
        ("dataset_SVAMP.txt", {"data": []}, "has more responses than data set SVAMP has questions, 0"),
        ("dataset_SVAMP.txt", {"data": [{"question": "?"}]}, "record 1: has no 'answer'"),
        ("dataset_SVAMP.txt", [], "is not a JSON object with 'data'"),
        ("responses.json", {}, "is not named dataset_NAME.txt or LLM_MODEL_dataset_NAME.txt"),
        ("api_responses.zip", b"PK\x03\x04", "is a zip archive. Unpack it"),
        ("LLM_x_dataset_SVAMP.txt", {"responses": []}, "'config': has no 'name'"),
        ("LLM_x_dataset_SVAMP.txt", {"config": {"name": "x"}, "responses": [{}]}, "record 1: has no 'cots'"),
    ],
)
def test_faults(tmp_path, name, content, says):
    paths = [write_responses(tmp_path, [response(cot("4"))], "m")]
    if not name.startswith("dataset"):
        paths.append(write_questions(tmp_path, ["4"]))
    paths.append(written(tmp_path, content if isinstance(content, bytes) else json.dumps(content), name))
    with pytest.raises(PoolError, match=says):
        import_pool("feval-ttc", feval_ttc.read, paths, tmp_path / "pool", Common())


def test_files_of_its_own(tmp_path):
    own = [write_questions(tmp_path, ["4"]), write_responses(tmp_path, [response(cot("4"))], "m")]
    assert all(map(is_own, map(Source, [*own, tmp_path / "dataset_SVAMP_models.txt"])))
    assert not is_own(Source(written(tmp_path, json.dumps([{"question": "?", "answer": "4"}]), "gsm8k.json")))
    assert not is_own(Source(written(tmp_path, json.dumps([{"id": 1}]), "dataset_x.json")))


COTS = st.fixed_dictionaries(
    {
        "raw_text": or_odd(st.just("x")),
        "answer": or_odd(st.sampled_from(["4", "5", None])),
        "metadata": or_odd(
            st.fixed_dictionaries(
                {
                    "dollar_cost": or_odd(st.floats(0, 1)),
                    "token_cost": or_odd(st.integers(0, 9)),
                    "finish_reason": or_odd(st.sampled_from(["stop", "run_failed"])),
                }
            )
        ),
    }
)
RESPONSES = st.fixed_dictionaries(
    {
        "cots": or_odd(st.lists(COTS, min_size=1, max_size=2)),
        "request": or_odd(
            st.fixed_dictionaries({"dollar_cost": or_odd(st.just(0.1)), "token_cost": or_odd(st.just(1))})
        ),
    }
)
ENTRIES = st.fixed_dictionaries({"question": or_odd(st.just("?")), "answer": or_odd(st.just("4"))})


@given(
    data=or_odd(st.lists(ENTRIES, min_size=1, max_size=2)),
    responses=or_odd(st.lists(or_odd(RESPONSES), min_size=1, max_size=1)),
    name=or_odd(st.just("m")),
)
def test_any_files_give_a_pool_or_an_error(tmp_path_factory, data, responses, name):
    folder = tmp_path_factory.mktemp("fuzz")
    whole = {"config": {"name": name, "temperature": 0.7}, "responses": responses}
    written(folder, json.dumps({"data": data}), "dataset_a.txt")
    path = written(folder, json.dumps(whole), "LLM_m_dataset_a.txt")
    assert is_own(Source(path)) in (True, False)
    pool_or_error(folder, "feval-ttc", feval_ttc.read, path)
