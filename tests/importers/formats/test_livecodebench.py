"""LiveCodeBench: verdicts of tests per sample, without answers to vote on."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mssim
from mssim import PoolError
from mssim.importers.formats import livecodebench
from mssim.importers.formats.livecodebench import from_livecodebench, is_own
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import or_odd, pool_or_error, right, told

NAME = "Scenario.codegeneration_3_0.2_eval_all.json"


def problem(name, graded, **changed):
    """One problem, in the shape of code generation."""
    outputs = [f"```python\nprint({name!r}, {i})\n```" for i in range(len(graded))]
    one = {
        "question_title": f"title {name}",
        "question_content": f"content {name}",
        "platform": "atcoder",
        "question_id": name,
        "contest_id": "c1",
        "contest_date": "2024-01-06T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "output_list": outputs,
        "code_list": [output[10:-4] for output in outputs],
        "graded_list": graded,
        "pass@1": 0.5,
        "metadata": ["{}"] * len(graded),
    } | changed
    return {field: value for field, value in one.items() if value != "absent"}


def write(folder, problems, name=NAME):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(problems, indent=4))
    return path


def test_samples_of_problems(tmp_path):
    lines = [problem("b", [True, False, True]), problem("a", [False] * 3, difficulty="hard")]
    pool = from_livecodebench(write(tmp_path / "llama", lines))
    assert (pool.models, pool.info["votes"]) == (("llama",), False)
    assert right(pool) == {"b": [True, False, True], "a": [False] * 3}
    assert pool.questions.to_dict("list") == {
        "question_id": ["b", "a"],
        "question": ["content b", "content a"],
        "difficulty": ["easy", "hard"],
        "platform": ["atcoder"] * 2,
        "contest_date": ["2024-01-06T00:00:00"] * 2,
    }
    assert "the tool reports the 2 values of difficulty separately" in pool.info["import"]["remarks"][0]
    assert pool.extra["text"].to_pylist()[1] == "```python\nprint('b', 1)\n```"
    assert set(pool.extra["temperature"].to_pylist()) == {0.2}


def test_accuracy_is_the_share_of_right_samples_and_pass_at_1(tmp_path):
    random = np.random.default_rng(0)
    graded = {f"q{i}": (random.random(8) < i / 9).tolist() for i in range(10)}
    pool = from_livecodebench(write(tmp_path / "m", [problem(name, verdicts) for name, verdicts in graded.items()]))
    assert pool.sample_correct()[0].mean() == sum(map(sum, graded.values())) / 80
    counts = pool.sample_correct()[0].sum(axis=1)
    assert counts.tolist() == [sum(verdicts) for verdicts in graded.values()]
    np.testing.assert_allclose(mssim.pass_at_k(8, counts, [1])[:, 0], [sum(v) / 8 for v in graded.values()])


@pytest.mark.parametrize(
    ("graded", "expected"),
    [
        ([[True, True], [True, False], [1, 1], [1, -1], [-2], [0]], [True, False, True, False, False, False]),
        ([1, 0, True], [True, False, True]),
        ([[True, -3], True], [False, True]),
    ],
)
def test_verdicts_of_each_test(tmp_path, graded, expected):
    assert right(from_livecodebench(write(tmp_path / "m", [problem("q", graded)]))) == {"q": expected}


def test_what_was_not_judged_has_failed(tmp_path):
    with told("3 samples failed and are not in the pool: 3 not judged"):
        pool = from_livecodebench(write(tmp_path / "m", [problem("q", [True, None, False, []]), problem("r", [None])]))
    assert right(pool) == {"q": [True, False]}
    assert pool.extra["text"].to_pylist() == ["```python\nprint('q', 0)\n```", "```python\nprint('q', 2)\n```"]


def test_programs_alone_and_verdicts_alone(tmp_path):
    pool = from_livecodebench(write(tmp_path / "m", [problem("q", [True, False], output_list=[])]))
    assert pool.extra["text"].to_pylist() == ["print('q', 0)", "print('q', 1)"]
    pool = from_livecodebench(write(tmp_path / "n", [problem("q", [True], output_list="absent", code_list="absent")]))
    assert (right(pool), pool.extra.column_names) == ({"q": [True]}, ["temperature"])


def test_names_of_models(tmp_path):
    first = write(tmp_path / "a", [problem("q", [True, True])])
    write(tmp_path / "b", [problem("q", [False, True])])
    assert from_livecodebench(tmp_path).models == ("a", "b")
    write(tmp_path / "a", [problem("q", [False])], "Scenario.codegeneration_1_0.8_eval_all.json")
    with told("mixed settings: column 'temperature' varies"):
        pool = from_livecodebench(tmp_path / "a")
    assert (pool.models, pool.lengths.tolist()) == (("a",), [[3]])
    assert from_livecodebench(first, model="mine").models == ("mine",)
    other = tmp_path / "o1_eval_all.json.gz"
    other.write_bytes(gzip.compress(first.read_bytes()))
    assert from_livecodebench(other).models == ("o1",)


def test_scenarios_are_not_mixed(tmp_path):
    write(tmp_path / "m", [problem("q", [True])])
    write(tmp_path / "m", [problem("q", [False])], "Scenario.selfrepair_1_0.2_eval_all.json")
    with pytest.raises(PoolError, match=r"from the scenarios codegeneration and selfrepair\..* one scenario at a time"):
        from_livecodebench(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "The files contain no samples"),
        ([problem("q", [])], "The files contain no samples"),
        ([[1]], "record 1: expected an object, found a list"),
        (
            [problem("q", [True], graded_list="absent")],
            "record 1: has no 'graded_list'. Run lcb_runner with --evaluate",
        ),
        (
            [problem("q", [True], pred_list=["1"])],
            "has predictions, not programs. .* format table: names='answer=pred_",
        ),
        ([problem("q", [True], graded_list="yes")], "'graded_list' is text. It must be a list"),
        ([problem("q", ["yes"])], "'graded_list' is text. It must be true or false"),
        ([problem("q", [["yes"]])], "'graded_list' is text. It must be a number"),
        ([problem("q", [True], output_list=["a", "b"])], "'graded_list' has 1, 'output_list' has 2"),
        ([problem(" ", [True])], "'question_id' is blank"),
        ([problem("q", [True], output_list=[["a"]])], "'output_list' holds lists"),
    ],
)
def test_files_that_are_refused(tmp_path, content, says):
    path = write(tmp_path / "m", content)
    with pytest.raises(PoolError, match=says):
        import_pool("livecodebench", livecodebench.read, [path], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


def test_own_files(tmp_path):
    assert is_own(Source(write(tmp_path / "m", [problem("q", [True])])))
    assert is_own(Source(write(tmp_path / "m", [problem("q", [True], output_list="absent")], "results.json")))
    lines = [
        {"question_id": "q", "graded_list": [True], "generation": "one of NeMo-Skills"},
        {"task_id": "q", "passed": True},
        {},
    ]
    for number, line in enumerate(lines):
        assert not is_own(Source(write(tmp_path / "others", [line], f"{number}.json")))
    (tmp_path / "x.json").write_text("[{")
    assert not is_own(Source(tmp_path / "x.json"))


PROBLEMS = st.builds(
    lambda name, graded, changed: problem(name, graded) | changed,
    st.sampled_from(["q", "r", "\udfff"]),
    st.lists(or_odd(st.booleans()), max_size=3),
    st.integers(0, 3).flatmap(
        lambda n: (
            st.just({})
            if n
            else st.dictionaries(st.sampled_from([*problem("q", []), "pred_list"]), or_odd(st.just(["a"])), max_size=2)
        )
    ),
)


@given(problems=st.lists(or_odd(PROBLEMS), min_size=1, max_size=4))
def test_any_problems_give_a_pool_or_an_error(tmp_path_factory, problems):
    folder = tmp_path_factory.mktemp("fuzz")
    pool_or_error(folder, "livecodebench", livecodebench.read, write(folder / "m", problems))
