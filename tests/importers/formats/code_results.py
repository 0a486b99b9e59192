"""Files of samples that tests found right or wrong; shared by the tests of two formats."""

import json

import pytest
from hypothesis import event
from hypothesis import strategies as st

from mssim import MssimError, PoolWarning
from mssim.importers.pipeline import Common, import_pool


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


ODD = st.sampled_from(
    [None, True, 0, -1, 2.5, 10**400, "", " ", "7", "\ud800", {}, {"a": 1}, [], [[]], [[[]]], [None], ["pass"], [{}]]
)


def or_odd(usual):
    """Usually what belongs there."""
    return st.integers(0, 15).flatmap(lambda n: usual if n else ODD)


TASK_IDS = st.sampled_from(["HumanEval/0", "HumanEval/1", "\udfff"])


def pool_or_error(folder, name, read, *paths, rule=None):
    said = ""
    try:
        import_pool(name, read, paths, folder / "pool", Common(rule=rule))
    except MssimError as error:
        said = str(error)
    event("refused" if said else "a pool")
    assert "\n" not in said
    assert (folder / "pool").exists() == (not said)
