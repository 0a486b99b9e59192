"""MathArena: problems with their runs, and tables with one run per row; costs, competitions, and what has no answer."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError, load_pool
from mssim.importers.formats import matharena
from mssim.importers.formats.matharena import from_matharena, is_own
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import or_odd, pool_or_error, right, told


def conversation(answer):
    return [
        {"role": "user", "content": "Solve."},
        {"role": "assistant", "type": "cot", "content": "hm"},
        {"role": "assistant", "type": "response", "content": f"It is \\boxed{{{answer}}}"},
    ]


def costs(cost, tokens, **more):
    return {"cost": cost, "input_tokens": 10, "output_tokens": tokens, **more}


def problem(answers, correct, *, idx=1, **changed):
    """The runs of one model on one problem; the truth is 7."""
    size = len(answers)
    one = {
        "idx": idx, "problem": f"problem {idx}?", "gold_answer": "7", "source": "None", "types": ["Algebra"],
        "N": size, "cost": costs(0.5, 100, time=1), "pass_at_1": 0.5, "answers": answers, "correct": correct,
        "warnings": [0] * size, "manual_overwrite": [False] * size, "llm_annotation": [None] * size,
        "messages": [conversation(answer) for answer in answers], "judgment": [None] * size, "history": [None] * size,
        "detailed_costs": [costs(i / 8, 20 + i, time=i + 0.5) for i in range(size)],
    } | changed  # fmt: skip
    return {field: value for field, value in one.items() if value != "absent"}


def write(folder, content, name="1.json"):
    """Write a file, which is compressed if its name says so."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    text = json.dumps(content, indent=4).encode()
    path.write_bytes(pa.compress(text, "zstd", asbytes=True) if name.endswith(".zst") else text)
    return path


def row(model, index, answer, correct, **changed):
    """One run, as in the datasets MathArena/*_outputs."""
    one = {
        "problem_idx": "1", "problem": "problem 1?", "model_name": model, "model_config": f"org/{model}",
        "idx_answer": index, "user_message": "Solve.", "answer": f"It is {answer}", "input_tokens": 10,
        "output_tokens": 20, "cost": 0.25, "gold_answer": "7", "parsed_answer": answer, "correct": correct,
    } | changed  # fmt: skip
    return {field: value for field, value in one.items() if value != "absent"}


def table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(rows)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return path


def answers(pool):
    frame = pool.to_frame()
    given = frame["answer"].astype(object).where(frame["answer"].notna(), None)
    return {question: given[frame["question_id"] == question].tolist() for question in pool.question_ids}


# Files of problems ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["3.json", "3.json.zst"])
def test_runs_of_a_problem(tmp_path, name):
    path = write(
        tmp_path / "aime" / "aime_2025" / "openai" / "o3", problem(["7", "None", "8"], [True, False, False]), name
    )
    with told("no answer"):
        pool = from_matharena(tmp_path / "aime")
    assert pool.models == ("openai/o3",)
    assert answers(pool) == {"3": ["7", None, "8"]}  # idx is off by one in some files; their names are right
    assert right(pool) == {"3": [True, False, False]}
    assert pool.questions.iloc[0].to_dict() == {
        "question_id": "3", "question": "problem 1?", "competition": "aime_2025", "truth": "7"
    }  # fmt: skip
    assert pool.numbers["cost"][0, 0].tolist() == [0, 0.125, 0.25]
    assert pool.numbers["output_tokens"][0, 0].tolist() == [20, 21, 22]
    assert pool.numbers["latency"][0, 0].tolist() == [0.5, 1.5, 2.5]
    assert pool.extra["text"].to_pylist()[0] == "It is \\boxed{7}"
    assert pool.extra["reasoning"].to_pylist() == ["hm"] * 3
    with told("no answer"):
        assert from_matharena(path, model="x", rule="number").models == ("x",)


def test_accuracy_is_the_mean_of_the_recorded_verdicts(tmp_path):
    random = np.random.default_rng(3)
    verdicts = {}
    for model in ("a", "b"):
        for idx in range(1, 8):
            given = random.choice(["7", "8", "None", "\\frac{1}{2}"], 4).tolist()
            correct = (random.random(4) < 0.5).tolist()
            verdicts[model, idx] = correct
            write(tmp_path / "comp" / "org" / model, problem(given, correct, idx=idx), f"{idx}.json.zst")
    with told("judged right without an extracted answer"), told("judged differently"), told("gives no answer"):
        pool = from_matharena(tmp_path)
    assert pool.models == ("org/a", "org/b")
    assert pool.sample_correct().mean() == sum(map(sum, verdicts.values())) / (2 * 7 * 4)
    counts = [[sum(verdicts[model, int(name)]) for name in pool.question_ids] for model in "ab"]
    assert pool.sample_correct().sum(axis=2).tolist() == counts


def test_verdicts_that_are_missing_and_points(tmp_path):
    with told("2 samples failed and are not in the pool: 2 not judged"):
        pool = from_matharena(write(tmp_path, problem(["7", "8", "7"], [True, "TODO Grading", None])))
    assert right(pool) == {"1": [True]}
    with pytest.raises(
        PoolError, match=r"'correct' is 0\.43. Points of proofs are not verdicts and cannot be imported"
    ):
        from_matharena(write(tmp_path, problem(["None"], [0.43])))
    assert right(from_matharena(write(tmp_path, problem(["7", "8"], [1.0, 0.0])))) == {"1": [True, False]}


def test_lean_proofs_have_no_answers(tmp_path):
    lean = problem(["None"] * 3, [True, False, True], gold_answer="theorem t : True := by sorry")
    pool = from_matharena(write(tmp_path, lean))
    assert (pool.info["votes"], sorted(right(pool)["1"])) == (False, [False, True, True])


@pytest.mark.parametrize(
    ("changed", "cost", "tokens", "shared"),
    [
        ({"detailed_costs": "absent"}, [0.5 / 3] * 3, [34, 33, 33], True),
        ({"detailed_costs": [costs(0.5, 100), costs(0, 0, input_tokens=0), costs(0, 0, input_tokens=0)]},
         [0.5 / 3] * 3, [34, 33, 33], True),
        ({"detailed_costs": "absent", "cost": {"cost": 0.75}}, [0.25] * 3, None, True),
        ({"detailed_costs": [costs(0, 5, time=9), *[costs(0, 5, time=0)] * 2]}, [0.0] * 3, [5] * 3, False),
    ],
)  # fmt: skip
def test_costs_of_all_runs(tmp_path, changed, cost, tokens, shared):
    path = write(tmp_path, problem(["7", "8", "7"], [True, False, True], **changed))
    found = import_pool("matharena", matharena.read, [path], tmp_path / "pool", Common())
    says = "the costs of 1 problem are recorded as totals. Each run has an equal share."
    assert (says in found.remarks) == shared
    pool = load_pool(tmp_path / "pool")
    assert pool.numbers["cost"][0, 0].tolist() == cost
    assert (pool.numbers["output_tokens"][0, 0].tolist() if "output_tokens" in pool.numbers else None) == tokens
    assert "latency" not in pool.numbers


def test_no_costs_texts_or_hashes(tmp_path):
    plain = problem(["7"], [True], cost="absent", detailed_costs="absent", messages="absent", gold_answer="hash:1f")
    pool = from_matharena(write(tmp_path, plain | {"source": "shortlist"}))
    assert set(pool.questions) == {"question_id", "question", "competition", "source"}
    assert not {"cost", "text"} & set(pool.to_frame())
    parts = [[{"role": "user", "content": "?"}, {"role": "assistant", "content": [{"type": "text", "text": "a"}, {}]}]]
    assert from_matharena(write(tmp_path, problem(["7"], [True], messages=parts))).extra["text"].to_pylist() == ["a"]


def test_competitions_and_models(tmp_path):
    for competition, model in (("aime_2024", "o3"), ("aime_2025", "o3"), ("aime_2025", "o1")):
        one = problem(["7"], [True], problem=f"{competition}?", cost=costs(len(model), len(competition + model)))
        write(tmp_path / "aime" / competition / "openai" / model, one | {"idx": 0, "source": model})
    with told("model 'openai/o1' has no samples for 1 of 2"):
        pool = from_matharena(tmp_path)
    assert sorted(pool.models) == ["openai/o1", "openai/o3"]
    assert sorted(pool.question_ids) == ["aime_2024/1", "aime_2025/1"]
    assert any("the 2 values of competition separately" in told for told in pool.info["import"]["remarks"])
    named = write(tmp_path / "x", problem(["7"], [True], idx=12), "problem.json")
    assert from_matharena(named).question_ids == ["12"]


@pytest.mark.parametrize("shape", ["list", "lines", "members"])
def test_several_problems_in_a_file(tmp_path, shape):
    problems = [problem(["7", "8"], [True, False], idx=idx) for idx in (1, 2)]
    keyed = {str(one["idx"]): one | {"idx": None} for one in problems}
    path = tmp_path / "aime" / f"gpt-4.1.json{'l' * (shape == 'lines')}"
    path.parent.mkdir()
    lines = "\n".join(map(json.dumps, problems))
    path.write_text({"list": json.dumps(problems), "lines": lines, "members": json.dumps(keyed)}[shape])
    pool = from_matharena(path)
    assert (pool.models, pool.question_ids) == (("gpt-4.1",), ["1", "2"])
    assert set(pool.questions["competition"]) == {"aime"}


# Tables ---------------------------------------------------------------------------------------------------------------

ROWS = [row("A", 1, "8", False), row("A", 0, "7", True), row("B", 0, "None", False), row("B", 1, "7", True)]


@pytest.mark.parametrize("name", ["aime_outputs/data/train-00000-of-00001.parquet", "aime_outputs.csv"])
def test_rows_are_runs(tmp_path, name):
    with told("no answer"):
        pool = from_matharena(table(tmp_path / name, ROWS))
    assert pool.models == ("A", "B")
    frame = pool.to_frame()
    assert frame["sample_index"].tolist() == [0, 1, 0, 1]
    assert frame["correct"].tolist() == [True, False, False, True]
    assert answers(pool) == {"1": ["7", "8", None, "7"]}
    assert frame[["text", "cost", "output_tokens"]].iloc[0].tolist() == ["It is 7", 0.25, 20]
    assert pool.questions.iloc[0].to_dict() == {
        "question_id": "1", "question": "problem 1?", "competition": "aime", "truth": "7"
    }  # fmt: skip


def test_rows_as_lines_several_tables_and_one_model(tmp_path):
    lines = tmp_path / "local.json"
    lines.write_text("\n".join(map(json.dumps, ROWS[:2])))
    other = table(tmp_path / "hmmt_outputs.csv", [row("A", 0, "7", True, problem="another?")])
    with told("range from 1 to 2"):
        pool = from_matharena([lines, other], model="m")
    assert (pool.models, pool.question_ids) == (("m",), ["local/1", "hmmt/1"])


def test_rows_without_answers_or_verdicts(tmp_path):
    lean = [row("A", i, i, i == 1, parsed_answer="absent", formal_statement="theorem") for i in range(3)]
    pool = from_matharena(table(tmp_path / "lean.parquet", lean))
    assert (pool.info["votes"], right(pool)) == (False, {"1": [False, True, False]})
    rows = [row("A", 0, None, True), row("A", 1, "7", True), row("A", 2, "8", None), row("A", 3, "7", "TODO Grading")]
    lines = tmp_path / "x.jsonl"
    lines.write_text("\n".join(map(json.dumps, rows)))
    with told("1 sample is judged right without an extracted answer"), told("2 not judged"):
        assert answers(from_matharena(lines)) == {"1": ["7", "7"]}


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1], "record 1: expected an object, found a number"),
        ({}, "has no 'answers'. It is an empty object"),
        (problem([], []), "The files contain no samples"),
        (problem(["7"], "absent"), "has no 'correct'"),
        (problem(["7", "8"], [True]), "'answers' has 2, 'correct' has 1"),
        (problem(["7"], ["yes"]), "'correct' is text. It must be true or false"),
        (problem([["7"]], [True]), "'answers' holds lists"),
        (problem(["7"], [True], messages=["hi"]), "'messages' must hold one list of messages per run"),
        (problem(["7"], [True], messages=[["hi"]]), "'messages': expected an object, found text"),
        (problem(["7"], [True], detailed_costs=[1]), "'detailed_costs', item 1: expected an object, found a number"),
        (problem(["7"], [True], detailed_costs=[{"cost": "1"}]), "'cost' is text. It must be a number"),
        ([row("A", 0, "7", "absent")], "has no 'correct'. Points of proofs are not verdicts"),
        ([row("A", 0, ["7", "8"], True)], "has lists of runs. A row of a table of MathArena has one run"),
        ([row("A", 0, "7", True), row("A", 0, "8", False)], "2 rows hold the same sample"),
        ([row(None, 0, "7", True)], "'model_name' is null"),
    ],
)  # fmt: skip
def test_files_that_are_refused(tmp_path, content, says):
    path = write(tmp_path, content)
    with pytest.raises(PoolError, match=says):
        import_pool("matharena", matharena.read, [path], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


def test_own_files(tmp_path):
    own = [problem(["7"], [True]), problem(["7"], [True], detailed_costs="absent"), ROWS, problem(["None"], [0.5])]
    others = [{"idx": 1, "gt": "7", "pred": ["7"]}, {"qid": 1, "answers": ["7"], "correct": [True]}, [1], {}]
    found = [is_own(Source(write(tmp_path, one, f"{i}.json"))) for i, one in enumerate([*own, *others])]
    assert found == [True] * 4 + [False] * 4
    (tmp_path / "x.json").write_text('{"idx": [{}], "a": [{}]')
    assert not is_own(Source(tmp_path / "x.json"))
    assert is_own(Source(table(tmp_path / "x.parquet", ROWS)))


PROBLEMS = st.builds(
    lambda size, correct, changed: problem(["7", "None", "8"][:size], [correct, True, False][:size]) | changed,
    st.integers(0, 3),
    or_odd(st.booleans()),
    st.integers(0, 3).flatmap(
        lambda n: (
            st.just({})
            if n
            else st.dictionaries(st.sampled_from(list(problem([], []))), or_odd(st.just([{"cost": 1}])), max_size=2)
        )
    ),
)
TABLES = st.lists(
    or_odd(
        st.builds(
            lambda index, answer, changed: row("A", index, answer, True) | changed,
            st.integers(0, 9),
            or_odd(st.just("7")),
            st.dictionaries(st.sampled_from(list(row("A", 0, "7", True))), or_odd(st.just("x")), max_size=1),
        )
    ),
    max_size=3,
)


@given(content=st.one_of(or_odd(PROBLEMS), TABLES))
def test_any_content_gives_a_pool_or_an_error(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("fuzz")
    pool_or_error(folder, "matharena", matharena.read, write(folder / "a" / "b", content))
