"""HumanEval and EvalPlus: samples that tests found right or wrong, without answers to vote on."""

import json
from math import comb

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import mssim
from mssim import MssimError, PoolError, PoolWarning, SelfConsistency, Vote, load_pool
from mssim.importers.formats import evalplus, human_eval
from mssim.importers.formats.evalplus import from_evalplus, named
from mssim.importers.formats.human_eval import from_human_eval
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.cli import test_cli
from tests.conftest import replay

run, bad = test_cli.run, test_cli.bad


def line(task, result, **more):
    return {"task_id": task, "completion": "    return 1\n", "result": result, "passed": result == "passed"} | more


def write_lines(folder, lines, name="codegen.jsonl_results.jsonl"):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def sample(base, plus=None, **more):
    return {"solution": "def f(): ...", "base_status": base, "plus_status": plus} | more


def write_results(folder, tasks, name="m_temp_0.8_eval_results.json", **more):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(json.dumps({"date": "2024-01-01 10:00", "hash": "abc", "eval": tasks} | more))
    return path


def right(pool):
    """Whether each sample of each question is right, of the one model that there is."""
    return {
        question: mask[:length].tolist()
        for question, mask, length in zip(pool.question_ids, pool.sample_correct()[0], pool.lengths[0], strict=True)
    }


def told(says):
    return pytest.warns(PoolWarning, match=says)


# HumanEval ------------------------------------------------------------------------------------------------------------


def test_lines_are_samples(tmp_path):
    lines = [
        line("HumanEval/0", "passed", score=0.5, completion_id=0),
        line("HumanEval/1", "failed: name 'x' is not defined", score=0.25),
        line("HumanEval/0", "timed out", score=1, completion_id=1),
        line("HumanEval/1", "passed", score=-2),
    ]
    pool = from_human_eval(write_lines(tmp_path, lines))
    assert pool.models == ("codegen",)
    assert right(pool) == {"HumanEval/0": [True, False], "HumanEval/1": [False, True]}
    assert pool.numbers["score"][0].tolist() == [[0.5, 1.0], [0.25, -2.0]]
    assert pool.extra["text"].to_pylist() == ["    return 1\n"] * 4
    assert pool.info["votes"] is False


def test_pass_at_k_is_as_by_hand_and_loading_says_that_votes_say_nothing(tmp_path):
    correct = {"HumanEval/0": 3, "HumanEval/1": 0, "HumanEval/2": 6}
    lines = [line(task, "passed" if i < c else "timed out") for i in range(6) for task, c in correct.items()]
    out = tmp_path / "pool"
    found = import_pool("human-eval", human_eval.read, [write_lines(tmp_path, lines)], out, Common())
    assert (found.warnings, len(found.remarks)) == ((), 1)
    with told("recorded as right or wrong, without answers.*use pass_at_k or best-of-N instead"):
        pool = load_pool(out)
    assert len(np.unique(pool.codes[0, 0])) == 6  # each sample is an answer of its own
    ks = [1, 2, 3, 6]
    by_hand = [[1 - comb(6 - c, k) / comb(6, k) for k in ks] for c in correct.values()]
    assert by_hand[0] == [0.5, 0.8, 0.95, 1.0]
    counts = pool.sample_correct()[0].sum(axis=1)
    np.testing.assert_allclose(mssim.pass_at_k(pool.lengths[0], counts, ks), by_hand, rtol=1e-14)


def test_best_of_n_takes_the_sample_with_the_best_score(tmp_path):
    scores = [0.1, 0.7, 0.3, 0.2]
    lines = [line("q0", "passed" if i == 1 else "timed out", score=score) for i, score in enumerate(scores)]
    lines += [line("q1", "passed" if i == 0 else "timed out", score=score) for i, score in enumerate(scores)]
    pool = from_human_eval(write_lines(tmp_path, lines))
    best = SelfConsistency("codegen", vote=Vote.best_of_n())
    assert replay(pool, best, [4], n_replays=3).to_frame()["accuracy"].tolist() == [0.5]  # q0 alone


def test_what_passed_is_in_the_result_too(tmp_path):
    lines = [{"task_id": "q", "solution": "x", "result": result} for result in ("passed", "failed: passed")]
    lines.append({"task_id": "q", "passed": 1})
    pool = from_human_eval(write_lines(tmp_path, lines))
    assert right(pool) == {"q": [True, False, True]}
    assert pool.extra["text"].to_pylist() == ["x", "x", None]


def test_files_of_several_models(tmp_path):
    for name in ("a", "b"):
        write_lines(tmp_path, [line("q", "passed")] * (1 + (name == "b")), f"{name}_temp_0.2.jsonl_results.jsonl")
    with told("range from 1 to 2"):
        pool = from_human_eval(tmp_path)
    assert pool.models == ("a", "b")
    assert pool.extra["temperature"].to_pylist() == [0.2, 0.2, 0.2]


def test_two_files_of_one_name(tmp_path):
    paths = [write_lines(tmp_path / name, [line("q", "passed")] * n, "samples.jsonl_results.jsonl")
             for n, name in enumerate("ab", 1)]  # fmt: skip
    with pytest.raises(PoolError, match=r"a/samples.* and .*b/samples.* both imply the model name 'samples'"):
        from_human_eval(paths)
    assert from_human_eval(paths, model="m").lengths.tolist() == [[3]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([line("q", "passed", task_id=None)], "line 1: 'task_id' is null"),
        ([line("q", "passed"), line(" ", "passed")], "line 2: 'task_id' is blank"),
        ([{"task_id": "q", "completion": "x"}], "line 1: has neither 'passed' nor 'result'"),
        ([line("q", "passed", passed="yes")], "line 1: 'passed' is text. It must be true or false"),
        ([line("q", "passed", score="high")], "line 1: 'score' is text. It must be a number"),
        ([line("q", "passed", completion_id=0)] * 2, "line 2: completion_id 0 of task 'q' appears twice"),
        ([line("q", "passed", completion=["x"])], "line 1: 'completion' is a list. It must be text"),
        ([[1]], "line 1: expected an object, found a list"),
        ([], "is empty"),
    ],
)
def test_human_eval_faults(tmp_path, content, says):
    path = write_lines(tmp_path, content)
    with pytest.raises(PoolError, match=says):
        import_pool("human-eval", human_eval.read, [path], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


def test_files_that_are_cut_off_or_compressed(tmp_path):
    path = write_lines(tmp_path, [line("q", "passed")] * 2)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(PoolError, match="line 2: is not valid JSON, or truncated"):
        from_human_eval(path)
    path.write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(PoolError, match=r"compressed\. Decompress it with gunzip"):
        from_human_eval(path)


# EvalPlus -------------------------------------------------------------------------------------------------------------

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
    with told("1 samples were run with the base tests only, 1 with the plus tests too. .* tests='base'"):
        from_evalplus(tmp_path)
    assert from_evalplus(tmp_path, tests="base").sample_correct().tolist() == [[[True]], [[True]]]


def test_tasks_without_samples_are_told(tmp_path):
    path = write_results(tmp_path, {"q": [sample("pass")], "r": [], "s": []})
    with told("2 tasks have no samples"):
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
        ({"q": [sample("passed")]}, "status 'passed' is not known; did you mean 'pass'"),
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
    with pytest.raises(MssimError, match="tests='all' is not known; choose from 'base', 'plus'"):
        from_evalplus(write_results(tmp_path, TASKS), tests="all")


def test_the_command_line(run, tmp_path):
    path, out = write_results(tmp_path, TASKS), tmp_path / "pool"
    code, text, _ = run("import", "evalplus", path, "--tests", "base", "--model", "x", "--out", out, "--json")
    assert code == 0
    said = json.loads(text)
    assert [said["models"][0][name] for name in ("model", "samples_max", "accuracy")] == ["x", 3, pytest.approx(2 / 3)]
    assert "without answers" in said["remarks"][0]
    bad(run("import", "evalplus", path, "--tests", "all", "--out", tmp_path / "other"), "choose from 'base', 'plus'")
    lines = write_lines(tmp_path, [line("q", "passed")])
    bad(
        run("import", "human-eval", lines, "--tests", "base", "--out", tmp_path / "other"),
        "--tests: not an option of format human-eval, only of evalplus",
    )
    assert run("import", "human-eval", lines, "--out", tmp_path / "other")[0] == 0
    with told("without answers"):
        assert right(load_pool(tmp_path / "other")) == {"q": [True]}


# Fuzz -----------------------------------------------------------------------------------------------------------------

ODD = st.sampled_from(
    [None, True, 0, -1, 2.5, 10**400, "", " ", "7", "\ud800", {}, {"a": 1}, [], [[]], [[[]]], [None], ["pass"], [{}]]
)


def or_odd(usual):
    """Usually what belongs there."""
    return st.integers(0, 15).flatmap(lambda n: usual if n else ODD)


TASK_IDS = st.sampled_from(["HumanEval/0", "HumanEval/1", "\udfff"])
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
LINES = st.fixed_dictionaries(
    {"task_id": or_odd(TASK_IDS), "result": or_odd(st.sampled_from(["passed", "timed out"]))},
    optional={
        "passed": or_odd(st.booleans()),
        "completion": or_odd(st.just("x")),
        "completion_id": or_odd(st.integers(0, 9)),
        "score": or_odd(st.floats(-1, 1)),
    },
)


def pool_or_error(folder, name, read, path):
    said = ""
    try:
        import_pool(name, read, [path], folder / "pool", Common())
    except MssimError as error:
        said = str(error)
    event("refused" if said else "a pool")
    assert "\n" not in said
    assert (folder / "pool").exists() == (not said)


@given(tasks=or_odd(st.dictionaries(TASK_IDS, or_odd(st.one_of(NEW, OLD)), max_size=3)))
def test_any_results_of_evalplus_give_a_pool_or_an_error(tmp_path_factory, tasks):
    folder = tmp_path_factory.mktemp("fuzz")
    pool_or_error(folder, "evalplus", evalplus.read, write_results(folder, tasks))


@given(lines=st.lists(or_odd(LINES), min_size=1, max_size=4))
def test_any_lines_of_human_eval_give_a_pool_or_an_error(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("fuzz")
    pool_or_error(folder, "human-eval", human_eval.read, write_lines(folder, lines))
