"""HumanEval: samples that tests found right or wrong, without answers to vote on."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mssim
from mssim import PoolError, SelfConsistency, Vote, load_pool
from mssim.importers.formats import human_eval
from mssim.importers.formats.human_eval import from_human_eval
from mssim.importers.pipeline import Common, import_pool
from tests.conftest import replay
from tests.importers.formats.code_results import TASK_IDS, line, or_odd, pool_or_error, right, told, write_lines


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
    with told("recorded as right or wrong, without answers.*Use pass@k .* or best-of-N instead"):
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


def test_samples_that_were_not_tested_have_failed(tmp_path):
    lines = [line("q", "passed"), line("q", None, passed=None), line("q", "failed", passed=None)]
    with told("1 sample failed and is not in the pool: 1 not judged"):
        pool = from_human_eval(write_lines(tmp_path, lines), model="m")
    assert right(pool) == {"q": [True, False]}


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
    with pytest.raises(PoolError, match=r"Compressed file ended .* is damaged or truncated"):
        from_human_eval(path)


LINES = st.fixed_dictionaries(
    {"task_id": or_odd(TASK_IDS), "result": or_odd(st.sampled_from(["passed", "timed out"]))},
    optional={
        "passed": or_odd(st.booleans()),
        "completion": or_odd(st.just("x")),
        "completion_id": or_odd(st.integers(0, 9)),
        "score": or_odd(st.floats(-1, 1)),
    },
)


@given(lines=st.lists(or_odd(LINES), min_size=1, max_size=4))
def test_any_lines_of_human_eval_give_a_pool_or_an_error(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("fuzz")
    pool_or_error(folder, "human-eval", human_eval.read, write_lines(folder, lines))
