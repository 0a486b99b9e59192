"""Large Language Monkeys: all shapes of its records, questions that files share, and memory that does not grow."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import mssim
from mssim import MssimError, PoolError, PoolWarning, load_pool
from mssim.importers.formats import monkeys
from mssim.importers.formats.monkeys import from_monkeys
from mssim.importers.pipeline import Common, import_pool
from tests.cli import test_cli

run = test_cli.run

GSM8K = "GSM8K_Llama-3-8B-Instruct.json"


def record(index, right, *, samples=None, **changed):
    """One problem, as in the files of GSM8K."""
    one = {
        "prompt": f"Question: 1+1?\nAnswer: 2\n\nQuestion: {index} x 7?\nAnswer:",
        "question": f"{index} x 7?",
        "gt_answer": f"It is <<{index}*7={7 * index}>>{7 * index}.\n#### {7 * index}",
        "samples": [f"So {index} x 7 is\n#### {7 * index if r else 5}" for r in right] if samples is None else samples,
        "is_corrects": list(right),
        "orig_dset_split": "test",
        "orig_dset_idx": index,
    } | changed
    return {name: value for name, value in one.items() if value != "absent"}


def write(path, records):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(records))
    return path


def right(pool):
    return [row[:n].tolist() for row, n in zip(pool.sample_correct()[0], pool.lengths[0], strict=True)]


def told(says):
    return pytest.warns(PoolWarning, match=says)


# Records --------------------------------------------------------------------------------------------------------------


def test_a_file_of_gsm8k(tmp_path):
    path = write(tmp_path / GSM8K, [record(12, [True, False, True]), record(3, [False] * 3)])
    pool = from_monkeys(path)
    assert pool.models == ("Llama-3-8B-Instruct",)
    assert right(pool) == [[True, False, True], [False] * 3]
    assert pool.questions.to_dict("list") == {
        "question_id": ["GSM8K/test/12", "GSM8K/test/3"],
        "question": ["12 x 7?", "3 x 7?"],
        "truth": ["84", "21"],
        "solution": ["It is <<12*7=84>>84.\n#### 84", "It is <<3*7=21>>21.\n#### 21"],
    }
    assert pool.extra["text"].to_pylist()[:2] == ["So 12 x 7 is\n#### 84", "So 12 x 7 is\n#### 5"]
    assert (pool.info["dataset"], pool.info["votes"]) == ("GSM8K", False)
    np.testing.assert_allclose(mssim.pass_at_k(3, [2, 0], [1, 2]), [[2 / 3, 1], [0, 0]])
    assert pool.sample_correct()[0].sum(axis=1).tolist() == [2, 0]


@pytest.mark.parametrize("rule", ["number", "regex=#### (-?[0-9.,]+)"])
def test_samples_are_graded_by_the_end_of_the_worked_solution(tmp_path, rule):
    pool = from_monkeys(write(tmp_path / GSM8K, [record(12, [True, False]), record(2000, [True, True])]), rule=rule)
    assert right(pool) == [[True, False], [True, True]]
    assert pool.class_labels.to_pylist() == ["5", "84", "14000"]
    assert pool.extra["correct_in_source"].to_pylist() == [True, False, True, True]
    assert "votes" not in pool.info


def test_samples_of_math_are_graded_by_the_box_of_the_solution(tmp_path):
    solution = r"We have $2x = 1$, or \boxed{5}? No: $x = \boxed{\frac{1}{2}}$."
    samples = [r"\boxed{0.5}", r"\boxed{2}", "no box", r"\boxed{\frac12} or so"]
    one = record(0, [True, False, False, False], gt_answer=solution, samples=samples)
    with told("disagree on 1 of 4 samples"), told("gives no answer in 25.0%"):
        pool = from_monkeys(write(tmp_path / "MATH_Gemma-2B.json", [one]), rule="boxed")
    assert pool.questions["truth"].tolist() == [r"\frac{1}{2}"]
    assert right(pool) == [[True, False, False, True]]
    assert pool.codes[0, 0].tolist()[0] == pool.codes[0, 0].tolist()[3]


@pytest.mark.parametrize(
    ("changed", "name", "truth"),
    [
        ({"gt_answer": "absent"}, "CodeContests/test/12", None),
        ({"gt_answer": "absent", "test_cases": {"input": ["1"], "output": ["2"]}}, "CodeContests/test/12", None),
        ({"gt_answer": None, "theorem_name": "t1", "orig_dset_idx": "absent"}, "CodeContests/test/t1", None),
        ({"orig_dset_split": "absent"}, "CodeContests/12", "84"),
        ({"orig_dset_idx": "absent", "orig_dset_split": "absent"}, "CodeContests/0", "84"),
        ({"question": "absent", "orig_dset_idx": "absent", "orig_dset_split": None}, "CodeContests/0", "84"),
        ({"gt_answer": "84"}, "CodeContests/test/12", "84"),
        ({"gt_answer": 84}, "CodeContests/test/12", "84"),
        ({"gt_answer": "#### "}, "CodeContests/test/12", "#### "),
        ({"is_corrects": "absent", "is_correct": [True, False]}, "CodeContests/test/12", "84"),
        ({"is_corrects": [1, 0]}, "CodeContests/test/12", "84"),
    ],
)
def test_records_of_other_tasks_and_versions(tmp_path, changed, name, truth):
    pool = from_monkeys(write(tmp_path / "CodeContests_Gemma-7B.json", [record(12, [True, False], **changed)]))
    assert pool.question_ids == [name]
    assert right(pool) == [[True, False]]
    assert (pool.questions["truth"].tolist() if "truth" in pool.questions else [None]) == [truth]
    expected = record(12, [])["prompt" if changed.get("question") else "question"]
    assert pool.questions["question"].tolist() == [expected]


# Files ----------------------------------------------------------------------------------------------------------------


def test_files_of_several_models_share_their_questions_and_tasks_do_not(tmp_path):
    write(tmp_path / "GSM8K_A.json", [record(1, [True]), record(2, [False])])
    write(tmp_path / "GSM8K_B_1.json", [record(2, [True]), record(1, [False])])
    write(tmp_path / "MATH_A.json", [record(1, [True], question="another", gt_answer=r"\boxed{1}")])
    with told("model 'B_1' has no samples for 1 of 3 questions"):
        pool = from_monkeys(tmp_path)
    assert pool.models == ("A", "B_1")
    assert pool.question_ids == ["GSM8K/test/1", "GSM8K/test/2", "MATH/test/1"]
    assert pool.lengths.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert pool.sample_correct()[:, :, 0].tolist() == [[True, False, True], [False, True, False]]
    assert pool.info["dataset"] == "GSM8K, MATH"


def test_questions_without_an_index_are_told_by_their_text(tmp_path):
    kept = {"orig_dset_idx": "absent", "orig_dset_split": "absent"}
    write(tmp_path / "T_A.json", [record(1, [True], **kept), record(2, [False], **kept)])
    write(tmp_path / "T_B.json", [record(2, [True], **kept), record(3, [False], **kept)])
    with told("has no samples for 1 of 3"):
        pool = from_monkeys(tmp_path)
    assert pool.question_ids == ["T/0", "T/1", "T/2"]
    assert pool.lengths.tolist() == [[1, 1, 0], [0, 1, 1]]


def test_more_samples_of_one_model(tmp_path):
    paths = [write(tmp_path / f"run{i}.json", [record(1, [True] * i)]) for i in (1, 2)]
    pool = from_monkeys(paths, model="m")
    assert pool.models == ("m",)
    assert pool.question_ids == ["test/1"]
    assert pool.lengths.tolist() == [[3]]
    assert "dataset" not in pool.info


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (
            {},
            {"question": "another"},
            "question 'test/1' has two texts, '1 x 7[?]' and 'another'.* Rename the files to TASK_MODEL.json",
        ),
        ({}, {"gt_answer": "#### 8"}, "question 'test/1' has two truths, '7' and '8'"),
        (
            {},
            {"is_corrects": "absent"},
            "only some records have is_corrects. Import the records with and without it separately",
        ),
        ({"is_corrects": "absent"}, {}, "only some records have is_corrects"),
    ],
)
def test_records_that_do_not_fit_together(tmp_path, first, second, says):
    paths = [write(tmp_path / f"{i}.json", [record(1, [True], **given)]) for i, given in enumerate((first, second))]
    with pytest.raises(PoolError, match=says):
        from_monkeys(paths)


def test_samples_without_verdicts_need_a_rule(tmp_path):
    path = write(tmp_path / GSM8K, [record(12, [True, False], is_corrects="absent")])
    with pytest.raises(PoolError, match=r"texts but no answers\. Extract the answers with a rule"):
        from_monkeys(path)
    pool = from_monkeys(path, rule="number")
    assert right(pool) == [[True, False]]
    assert "correct_in_source" not in pool.extra.column_names


def test_what_is_odd_is_told(tmp_path):
    path = write(tmp_path / GSM8K, [record(1, [True, None, None]), record(2, [])])
    with (
        told("2 samples failed and are not in the pool: 2 not judged"),
        told("1 question without samples is not in the pool"),
    ):
        pool = from_monkeys(path)
    assert pool.question_ids == ["GSM8K/test/1"]
    assert pool.codes[0, 0].tolist() == [0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        (" \n", "not a JSON list"),
        ("{}", "not a JSON list of objects"),
        ("[]", "The files contain no samples"),
        ("[1]", "record 1: expected an object, found a number"),
        (json.dumps([record(1, [True])])[:-40], "not valid JSON, or truncated"),
        (json.dumps([record(1, [True])]) + "[]", "not valid JSON, or truncated"),
        ([record(1, [True], samples="absent")], "record 1: has no 'samples'"),
        ([record(1, [True], samples="text")], "record 1: 'samples' is text. It must be a list"),
        ([record(1, [True], samples=[["a"]])], "'samples', item 1 is a list. It must be text"),
        (
            [record(1, [True]), record(2, [True, False], samples=["a"])],
            "record 2: has 1 samples, but 2 values in is_corrects",
        ),
        ([record(1, [True], is_corrects=["yes"])], "'is_corrects', item 1 is text. It must be true or false"),
        ([record(1, [True], is_corrects="absent", gt_answer="absent")], "record 1: has no 'is_corrects'"),
        ([record(1, [True], orig_dset_idx=[1])], "'orig_dset_idx' is a list. It must be text"),
    ],
)
def test_files_that_are_refused(tmp_path, content, says):
    path = tmp_path / GSM8K
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(PoolError, match=says):
        import_pool("monkeys", monkeys.read, [path], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


def test_the_command_line(run, tmp_path):
    path, out = write(tmp_path / GSM8K, [record(12, [True, False])]), tmp_path / "pool"
    code, text, err = run("import", "monkeys", path, "--rule", "number", "--model", "x", "--no-texts", "--out", out)
    assert (code, err) == (0, "")
    assert text.startswith("1 question, 1 model, 2 samples\n")
    pool = load_pool(out)
    assert (pool.models, right(pool)) == (("x",), [[True, False]])
    assert "text" not in pool.extra.column_names


# Fuzz -----------------------------------------------------------------------------------------------------------------

ODD = st.sampled_from(
    [None, True, -1, 1.5, 10**400, "", " ", "\ud800", "####", "\\boxed{", {}, {"a": 1}, [], [[]], [None], ["a"], [True]]
)
CHANGES = st.dictionaries(st.sampled_from([*record(1, []), "is_correct", "theorem_name"]), ODD, max_size=2)
RECORDS = st.builds(
    lambda index, right, changed, usual: record(index, right, **({} if usual else changed)),
    st.integers(0, 2),
    st.lists(st.booleans(), max_size=3),
    CHANGES,
    st.integers(0, 5).map(bool),
)


@given(
    records=st.lists(st.integers(0, 15).flatmap(lambda n: RECORDS if n else ODD), max_size=4),
    rule=st.sampled_from([None, "number"]),
)
def test_any_json_gives_a_pool_or_an_error(tmp_path_factory, records, rule):
    folder = tmp_path_factory.mktemp("fuzz")
    said = ""
    try:
        import_pool("monkeys", monkeys.read, [write(folder / GSM8K, records)], folder / "pool", Common(rule=rule))
    except MssimError as error:
        said = str(error)
    event("refused" if said else "a pool")
    assert "\n" not in said
    assert (folder / "pool").exists() == (not said)


# Memory ---------------------------------------------------------------------------------------------------------------


def write_large(path, megabytes):
    """Samples as long as those that were released: 700 MB are 1.3 million of them."""
    body = "so then each of them has three more than before, which makes twelve in all and half of it is six " * 6
    samples = [f"{body[:534]} {i:06}\n#### {i % 3}" for i in range(round(megabytes * 1e6 / 100 / 556))]
    verdicts = [i % 3 == 1 for i in range(len(samples))]
    with path.open("w") as file:
        for index in range(100):
            one = record(index, verdicts, samples=samples, gt_answer="#### 1")
            file.write(("," if index else "[") + json.dumps(one))
        file.write("]")
    return path.stat().st_size / 1e6


def peak(*arguments):
    """Megabytes that a process of its own needs at most."""
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", script, sys.executable, "-m", "mssim", *map(str, arguments)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux alone")
def test_a_file_of_700_mb_fits_in_1_gb(tmp_path):
    size, used = [], []
    for megabytes in (12, 100):  # far apart: peaks differ by 20 MB from run to run
        path = tmp_path / f"GSM8K_{megabytes}.json"
        size.append(write_large(path, megabytes))
        used.append(peak("import", "monkeys", path, "--rule", "number", "--out", tmp_path / f"pool{megabytes}"))
    slope = (used[1] - used[0]) / (size[1] - size[0])
    assert 99 < size[1] < 105
    assert used[1] + max(slope, 0) * (700 - size[1]) < 1000
