"""EvalPlus: samples by the base tests or the plus tests, without answers to vote on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import MssimError, PoolError, load_pool
from mssim.importers.formats import evalplus
from mssim.importers.formats.evalplus import from_evalplus, named
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.cli import test_cli
from tests.importers.formats.code_results import (
    TASK_IDS,
    line,
    or_odd,
    pool_or_error,
    right,
    sample,
    told,
    write_lines,
    write_results,
)

run, bad = test_cli.run, test_cli.bad


TASKS = {
    "HumanEval/0": [sample("pass", "pass"), sample("pass", "fail"), sample("fail", "pass")],
    "HumanEval/1": [sample("timeout", "timeout"), sample("pass", "timeout"), sample("pass", "pass")],
}


OLD_TASKS = {
    "HumanEval/0": {
        "nfiles": 3,
        "base": [["success", [True]], ["success", []], ["failed", [False]]],
        "plus": [["success", None], ["failed"], ["success", []]],
    },
    "HumanEval/1": {
        "files": ["0.py", "1.py", "2.py"],
        "base": [["timed out", []], ["success", []], ["success", []]],
        "plus": [["timed out", []], ["timed out", []], ["success", []]],
    },
}


@pytest.mark.parametrize("tasks", [TASKS, OLD_TASKS], ids=["list", "object"])
def test_a_sample_is_right_if_it_passes_the_tests(tmp_path, tasks):
    path = write_results(tmp_path, tasks, pass_at_k={"base": {"pass@1": 0.5}})
    plus = from_evalplus(path)
    assert right(plus) == {"HumanEval/0": [True, False, False], "HumanEval/1": [False, False, True]}
    assert plus.info["settings"] == {"tests": "plus"}
    base = from_evalplus(path, tests="base")
    assert right(base) == {"HumanEval/0": [True, True, False], "HumanEval/1": [False, True, True]}
    assert base.info["settings"] == {"tests": "base"}
    assert base.models == ("m",)
    assert base.extra["temperature"].to_pylist() == [0.8] * 6
    texts = base.extra["text"].to_pylist() if "text" in base.extra.column_names else None
    assert texts == (["def f(): ..."] * 6 if tasks is TASKS else None)


@pytest.mark.parametrize(
    "tasks",
    [{"q": [sample("pass"), sample("fail")]}, {"q": {"base": [["success", []], ["failed", []]], "plus": []}}],
    ids=["list", "object"],
)
def test_without_plus_tests(tmp_path, tasks):
    path = write_results(tmp_path, tasks)
    pool = from_evalplus(path)
    assert right(pool) == {"q": [True, False]}
    assert pool.info["settings"] == {"tests": "base"}
    with pytest.raises(PoolError, match=r"no status of the plus tests\. Run evalplus"):
        from_evalplus(path, tests="plus")


def test_different_tests_in_one_pool_are_told(tmp_path):
    write_results(tmp_path, {"q": [sample("pass", "fail")]}, "a_temp_0.0.eval_results.json")
    write_results(tmp_path, {"q": [sample("pass")]}, "b_temp_0.0.eval_results.json")
    with told("1 sample was run with the base tests only, 1 with the plus tests too. .* tests='base'"):
        from_evalplus(tmp_path)
    assert from_evalplus(tmp_path, tests="base").sample_correct().tolist() == [[[True]], [[True]]]


def test_tasks_without_samples_are_told(tmp_path):
    path = write_results(tmp_path, {"q": [sample("pass")], "r": [], "s": []})
    with told("2 questions without samples are not in the pool"):
        assert from_evalplus(path).question_ids == ["q"]


@pytest.mark.parametrize(
    ("name", "model", "temperature"),
    [
        ("org--Model-7B_vllm_temp_0.8.eval_results.json", "org/Model-7B", 0.8),
        ("org--Model-7B_vllm_temp_0.0-perf-instruct.eval_results.json", "org/Model-7B-perf-instruct", 0.0),
        ("gpt-4_hf_gaudi_temp_1_eval_results.json", "gpt-4", 1.0),
        ("code_llama_temp_0.2-sanitized_eval_results.json", "code_llama-sanitized", 0.2),
        ("eval_results.json", "folder_model", 0.4),
        ("mine_eval_results.json", "mine", None),
        ("a--b.json", "a--b", None),
    ],
)
def test_the_name_of_a_file_says_model_and_temperature(tmp_path, name, model, temperature):
    path = write_results(tmp_path / "folder_model_temp_0.4", {"q": [sample("pass")]}, name)
    assert named(Source(path), "eval_results.json", ".json") == (model, temperature)
    pool = from_evalplus(path)
    assert pool.models == (model,)
    assert ("temperature" in pool.extra.column_names) == (temperature is not None)
    assert from_evalplus(path, model="given").models == ("given",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"q": [sample("passed")]}, "status 'passed' is not known. Did you mean 'pass'"),
        ({"q": [sample(["pass"])]}, "the status of a sample is a list. It must be text"),
        ({"q": [sample(None, "pass")]}, "item 1: has no status of the base tests"),
        ({"q": [{}]}, "item 1: has no status of the base tests"),
        ({"q": ["pass"]}, "item 1: expected an object, found text"),
        ({"q": "pass"}, "'q': expected an object, found text"),
        ({"q": {"base": ["success"]}}, r"a sample is not a list \[status, details\]"),
        ({"q": {"base": [["success"], ["failed"]], "plus": [["success"]]}}, "2 results of base and 1 of plus"),
        (
            {"q": {"nfiles": 3, "base": [["success"]]}},
            "3 samples, 1 results of base and 0 of plus. Each sample needs a result of base",
        ),
        ({"q": {}}, "0 results of base and 0 of plus"),
        ({"q": []}, "The files contain no samples"),
        ({}, "has no 'eval' with tasks"),
        ([], "expected an object, found a list"),
    ],
)
def test_evalplus_faults(tmp_path, content, says):
    path = write_results(tmp_path, content)
    with pytest.raises(PoolError, match=says):
        import_pool("evalplus", evalplus.read, [path], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


def test_a_file_that_is_no_result(tmp_path):
    path = write_lines(tmp_path, [line("q", "passed")])
    with pytest.raises(PoolError, match=r"has no 'eval' with tasks\. Pass a file that"):
        from_evalplus(path)
    path.write_text(json.dumps([1]))
    with pytest.raises(PoolError, match="expected an object, found a list"):
        from_evalplus(path)
    path.write_text('{"eval": {"q": [')
    with pytest.raises(PoolError, match="not valid JSON, or truncated"):
        from_evalplus(path)


def test_tests_that_do_not_exist(tmp_path):
    with pytest.raises(MssimError, match=r"tests='all' is not known\. Choose from 'base', 'plus'"):
        from_evalplus(write_results(tmp_path, TASKS), tests="all")


def test_the_command_line(run, tmp_path):
    path, out = write_results(tmp_path, TASKS), tmp_path / "pool"
    code, text, _ = run("import", "evalplus", path, "--tests", "base", "--model", "x", "--out", out, "--json")
    assert code == 0
    said = json.loads(text)
    assert [said["models"][0][name] for name in ("model", "samples_max", "accuracy")] == ["x", 3, pytest.approx(2 / 3)]
    assert "without answers" in said["remarks"][0]
    bad(run("import", "evalplus", path, "--tests", "all", "--out", tmp_path / "other"), "Choose from 'base', 'plus'")
    lines = write_lines(tmp_path, [line("q", "passed")])
    bad(
        run("import", "human-eval", lines, "--tests", "base", "--out", tmp_path / "other"),
        "--tests: not an option of format human-eval, only of evalplus",
    )
    assert run("import", "human-eval", lines, "--out", tmp_path / "other")[0] == 0
    with told("without answers"):
        assert right(load_pool(tmp_path / "other")) == {"q": [True]}


STATUS = st.sampled_from(["pass", "fail", "timeout"])


OLD_STATUS = st.tuples(st.sampled_from(["success", "failed", "timed out"]), or_odd(st.just([True])))


NEW = st.lists(
    or_odd(
        st.fixed_dictionaries(
            {"base_status": or_odd(STATUS)}, optional={"plus_status": or_odd(STATUS), "solution": or_odd(st.just("x"))}
        )
    ),
    max_size=3,
)


OLD = st.integers(0, 3).flatmap(
    lambda n: st.fixed_dictionaries(
        {"base": or_odd(st.lists(or_odd(OLD_STATUS), min_size=n, max_size=n))},
        optional={"plus": or_odd(st.lists(OLD_STATUS, min_size=n, max_size=n)), "nfiles": or_odd(st.just(n))},
    )
)


@given(tasks=or_odd(st.dictionaries(TASK_IDS, or_odd(st.one_of(NEW, OLD)), max_size=3)))
def test_any_results_of_evalplus_give_a_pool_or_an_error(tmp_path_factory, tasks):
    folder = tmp_path_factory.mktemp("fuzz")
    pool_or_error(folder, "evalplus", evalplus.read, write_results(folder, tasks))
