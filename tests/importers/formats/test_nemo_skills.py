"""NeMo-Skills: one file per run, verdicts of a comparison and of a judge, benchmarks and their subsets."""

import json

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mssim import MssimError, PoolError, load_pool
from mssim.importers.formats import nemo_skills
from mssim.importers.formats.nemo_skills import from_nemo_skills, is_own
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.cli import test_cli
from tests.importers.formats.code_results import or_odd, right, told

run = test_cli.run

FIGURES = {"num_generated_tokens": 30, "num_input_tokens": 12, "generation_time": 1.5, "finish_reason": "stop"}


def line(problem, answer, correct, **changed):
    """One generation; the truth is 7."""
    one = {
        "generation": f"So it is \\boxed{{{answer}}}", "problem": problem, "expected_answer": "7",
        "predicted_answer": answer, "symbolic_correct": correct, **FIGURES,
    } | changed  # fmt: skip
    return {field: value for field, value in one.items() if value != "absent"}


def write(folder, lines, name="output-rs0.jsonl"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def judged(problem, answer, correct, said, **changed):
    return line(problem, answer, correct, judgement=f"Reasoning: so.\nJudgement: {said}", **changed)


def answers(pool):
    frame = pool.to_frame()
    given = frame["answer"].astype(object).where(frame["answer"].notna(), None)
    return {question: given[frame["question_id"] == question].tolist() for question in pool.question_ids}


def test_files_are_runs(tmp_path):
    folder = tmp_path / "llama" / "eval-results" / "aime24"
    for seed, answer in ((11, "8"), (2, "7"), (0, None)):
        lines = [line("a", answer, answer == "7", reward_model_score=seed / 4), line("b", "7", True)]
        write(folder, lines[:1] if seed == 11 else lines[::-1], f"output-rs{seed}.jsonl")
    with told("no answer"), told("have no score, which votes need"), told("range from 2 to 3"):
        pool = from_nemo_skills(tmp_path / "llama")
    assert pool.models == ("llama",)
    assert answers(pool) == {"0": ["7", "7"], "1": [None, "7", "8"]}
    frame = pool.to_frame()
    assert frame["sample_index"].tolist() == [0, 2, 0, 2, 11]
    assert pool.questions.iloc[1].to_dict() == {
        "question_id": "1", "question": "a", "truth": "7", "benchmark": "aime24"
    }  # fmt: skip
    row = frame.iloc[0]
    assert row[["output_tokens", "input_tokens", "latency", "finish_reason"]].tolist() == [30, 12, 1.5, "stop"]


def test_accuracy_is_the_mean_of_the_recorded_verdicts(tmp_path):
    random = np.random.default_rng(2)
    runs = [
        [
            line(f"p{i}", str(random.integers(6, 9)), bool(random.random() < i / 9), reward_model_score=0.5)
            for i in range(9)
        ]
        for _ in range(5)
    ]
    for seed, lines in enumerate(runs):
        write(tmp_path, lines, f"output-rs{seed}.jsonl")
    with told("an answer that is judged differently in another sample"):
        pool = from_nemo_skills(tmp_path)
    expected = [[lines[i]["symbolic_correct"] for lines in runs] for i in range(9)]
    assert pool.sample_correct()[0].tolist() == expected
    assert pool.sample_correct().mean() == sum(map(sum, expected)) / 45
    assert pool.numbers["score"].shape == (1, 9, 5)
    assert pool.models == (tmp_path.name,)


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        ("symbolic", [True, True, False, False]),
        ("judge", [True, False, True, False]),
        ("both", [True, False, False, False]),
        ("any", [True, True, True, False]),
    ],
)
def test_verdicts_of_two_kinds(tmp_path, scorer, expected):
    lines = [
        judged("a", "7", True, "Yes"), judged("b", "7.0", True, "no"), judged("c", "8", False, "yes."),
        judged("d", "9", False, "No"),
    ]  # fmt: skip
    path = write(tmp_path, lines)
    assert right(from_nemo_skills(path, scorer=scorer)) == {str(i): [verdict] for i, verdict in enumerate(expected)}


def test_a_scorer_is_chosen(tmp_path):
    path = write(tmp_path, [judged("a", "7", True, "Yes")])
    with pytest.raises(PoolError, match=r"line 1: has verdicts of a symbolic comparison and of a judge\. Choose with"):
        from_nemo_skills(path)
    with pytest.raises(PoolError, match=r"line 1: has no 'judgement', which scorer 'any' needs\. Choose another"):
        from_nemo_skills(write(tmp_path, [line("a", "7", True)], "output-rs1.jsonl"), scorer="any")
    with pytest.raises(MssimError, match=r"scorer: 'symbol' is not known\. Did you mean 'symbolic'"):
        from_nemo_skills(path, scorer="symbol")


def test_judgements_alone(tmp_path):
    said = ["Yes", "No", "maybe"]
    lines = [judged(str(i), "7", "absent", one) for i, one in enumerate(said)]
    lines += [line("3", "7", "absent", judgement="I do not know"), line("4", "7", "absent", judgement=None)]
    with told("2 judgements have neither yes nor no. NeMo-Skills counts the sample as wrong"), told("1 not judged"):
        pool = from_nemo_skills(write(tmp_path, lines))
    assert right(pool) == {"0": [True], "1": [False], "2": [False], "3": [False]}


def test_samples_without_verdicts(tmp_path):
    with told("2 samples failed and are not in the pool: 2 not judged"):
        path = write(tmp_path, [line("a", "7", True), line("b", "7", None), line("c", "7", "absent")])
        assert right(from_nemo_skills(path)) == {"0": [True]}
    path = write(tmp_path / "b", [line("a", "7.0", "absent"), line("b", "7", "absent")])
    says = "the files have no verdicts. Without a rule, an answer is right if its text equals the truth"
    with told(says), told("1 of 1 wrong answer of 'b' equals the truth as numbers"):
        assert right(from_nemo_skills(path)) == {"0": [False], "1": [True]}
    path = write(tmp_path / "c", [line("a", "7.0", "absent", predicted_answer="absent")])
    with pytest.raises(PoolError, match=r"texts but no answers\. Extract the answers with a rule"):
        from_nemo_skills(path)
    assert right(from_nemo_skills(path, rule="number")) == {"0": [True]}


def test_verdicts_under_their_older_name(tmp_path):
    lines = [line("a", "7.0", "absent", is_correct=True), line("b", "7", "absent", is_correct=False)]
    assert right(from_nemo_skills(write(tmp_path, lines))) == {"0": [True], "1": [False]}
    with pytest.raises(PoolError, match="has verdicts of a symbolic comparison and of a judge"):
        from_nemo_skills(write(tmp_path, [judged("a", "7", "absent", "Yes", is_correct=True)]))


def test_a_judge_can_accept_a_sample_without_an_answer(tmp_path):
    lines = [judged("a", None, "absent", "Yes"), judged("b", "7", "absent", "yes")]
    with told("1 sample is judged right without an extracted answer"):
        assert answers(from_nemo_skills(write(tmp_path, lines))) == {"1": ["7"], "0": ["7"]}


def test_errors_and_reasoning(tmp_path):
    lines = [
        line("a", None, False, generation="", error="context_window_exceeded", num_generated_tokens=0),
        line("b", "7", True, reasoning_content="hm"),
        line("c", "7", True, _full_generation="hm</think>So it is \\boxed{7}"),
        line("d", None, False, generation="", _full_generation="hm hm"),
    ]
    with told("1 generation failed with an error"), told("no answer"), told("2 of 4 texts"):
        pool = from_nemo_skills(write(tmp_path, lines))
    assert pool.extra["reasoning"].to_pylist() == [None, "hm", "hm</think>", "hm hm"]
    assert right(pool) == {"0": [False], "1": [True], "2": [True], "3": [False]}


def test_benchmarks_prompts_and_models(tmp_path):
    results = tmp_path / "m" / "eval-results"
    write(results / "gsm8k", [line("a", "7", True, id="x"), line("b", "7", True, id=" ", subset_for_metrics="hard")])
    write(results / "aime24" / "prompt1", [line("a", "7", True, id="x")])
    write(results / "aime24" / "prompt2", [line("a", "8", False, id="x")])
    with told("mixed settings: column 'prompt'"), told("range from 1 to 2"):
        pool = from_nemo_skills(tmp_path)
    assert answers(pool) == {"aime24/x": ["7", "8"], "gsm8k/x": ["7"], "gsm8k/0": ["7"]}
    assert pool.models == ("m",)
    assert "the tool reports the 2 values of benchmark separately" in pool.info["import"]["remarks"][0]
    assert pool.questions["subset_for_metrics"].fillna("").tolist() == ["", "", "hard"]
    write(tmp_path / "n" / "eval-results-judged" / "gsm8k", [line("a", "7.0", True, id="x")])
    with told("model 'n' has no samples for 1 of 2"):
        both = from_nemo_skills([results / "gsm8k", tmp_path / "n"])
    assert (both.models, both.question_ids) == (("m", "n"), ["x", "0"])


def test_runs_of_two_folders_under_one_name(tmp_path):
    for folder, answer in (("a", "7"), ("b", "8"), ("c", "9")):
        write(tmp_path / folder, [line("a", answer, answer == "7")])
    assert answers(from_nemo_skills(tmp_path, model="m")) == {"0": ["7", "8", "9"]}
    named = write(tmp_path / "a", [line("a", "8", False)], "gpt-4.1.jsonl")
    assert from_nemo_skills([tmp_path / "a" / "output-rs0.jsonl", named]).models == ("a", "gpt-4.1")


def test_files_that_are_no_runs(tmp_path):
    write(tmp_path, [line("a", "7", True)])
    write(tmp_path, [line("a", "7", True), line("b", "8", False)], "output-rs1_chunk_0.jsonl")
    write(tmp_path, [line("c", "8", False)], "output-rs1_chunk_1.jsonl")
    with told("range from 1 to 2"):
        assert answers(from_nemo_skills(tmp_path)) == {"0": ["7", "7"], "1": ["8"], "2": ["8"]}
    write(tmp_path, [line("a", "7.0", True), line("b", "8", False)], "output-rs1.jsonl")
    found = import_pool("x", nemo_skills.read, sorted(tmp_path.glob("*.jsonl")), tmp_path / "pool", Common())
    assert found.remarks == ("2 files with parts of whole runs left out.",)
    assert found.samples == 3
    write(tmp_path, [line("a", "7", False)], "output.jsonl")
    with pytest.raises(PoolError, match=r"has output\.jsonl and output-rs\*\.jsonl\. They were sampled with different"):
        from_nemo_skills(tmp_path)
    assert answers(from_nemo_skills(tmp_path / "output.jsonl")) == {"0": ["7"]}
    with pytest.raises(PoolError, match=r"one aggregated answer per question, not samples\. Leave it out"):
        from_nemo_skills(write(tmp_path, [line("a", "7", True)], "output-agg.jsonl"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "is empty"),
        ([{"problem": "a"}], "line 1: has neither 'generation' nor 'predicted_answer'. Pass the files output-rs"),
        ([line("a", ["7"], True)], "'predicted_answer' is a list. It must be text"),
        ([line("a", "7", "yes")], "'symbolic_correct' is text. It must be true or false"),
        ([line("a", "7", "absent", judgement=["Yes"])], "'judgement' is a list. It must be text"),
        ([line("a", "7", True, num_generated_tokens=-1)], "'num_generated_tokens' is -1. It must be a non-negative"),
        ([line("a", "7", True, reward_model_score="high")], "'reward_model_score' is text. It must be a number"),
        ([line("a", "7", True), line("b", "7", True, predicted_answer="absent")], "only some samples have answers"),
    ],
)
def test_files_that_are_refused(tmp_path, content, says):
    path = write(tmp_path, content)
    with pytest.raises(PoolError, match=says):
        import_pool("nemo-skills", nemo_skills.read, [path], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


def test_own_files(tmp_path):
    own = [line("a", "7", True), judged("a", None, "absent", "Yes"), line("a", "7", "absent", is_correct=True)]
    others = [{"generation": "x"}, {"question_id": "q", "graded_list": [True], "generation": "x"}, {"pred": ["7"]}]
    others += [{"generation": "x", "is_correct": True, "is_correct-plus": True, "expected_answer": "7"}]
    others += [{"is_correct": True, "predicted_answer": "7"}]
    found = [is_own(Source(write(tmp_path, [one], f"{i}.jsonl"))) for i, one in enumerate([*own, *others])]
    assert found == [True] * 3 + [False] * 5
    (tmp_path / "x.jsonl").write_text("{")
    assert not is_own(Source(tmp_path / "x.jsonl"))


def test_the_command_line(run, tmp_path):
    write(tmp_path / "m" / "eval-results" / "sums", [judged("a", "7", True, "No")])
    out = tmp_path / "pool"
    code, text, err = run("import", "nemo-skills", tmp_path / "m", "--scorer", "symbolic", "--out", out)
    assert (code, err) == (0, "")
    assert text.startswith("1 question, 1 model, 1 sample\n")
    assert load_pool(out).sample_correct().tolist() == [[[True]]]


CHANGES = st.dictionaries(
    st.sampled_from([*line("a", "7", True), "judgement", "id", "error", "_full_generation", "reward_model_score"]),
    or_odd(st.just("Judgement: Yes")),
    max_size=2,
)
LINES = st.builds(
    lambda *given, changed: line(*given) | changed,
    st.sampled_from("ab"),
    st.sampled_from(["7", "8", None, "\ud800"]),
    st.booleans(),
    changed=st.integers(0, 3).flatmap(lambda n: st.just({}) if n else CHANGES),
)


@given(
    files=st.lists(st.lists(or_odd(LINES), min_size=1, max_size=3), min_size=1, max_size=2),
    scorer=st.sampled_from([*[None] * 6, *nemo_skills._NEEDED]),
)
def test_any_lines_give_a_pool_or_an_error(tmp_path_factory, files, scorer):
    folder = tmp_path_factory.mktemp("fuzz")
    paths = [write(folder / "m", lines, f"output-rs{i}.jsonl") for i, lines in enumerate(files)]
    said = ""
    try:
        import_pool(
            "nemo-skills", lambda *given: nemo_skills.read(*given, scorer=scorer), paths, folder / "pool", Common()
        )
    except MssimError as error:
        said = str(error)
    event("refused" if said else "a pool")
    assert "\n" not in said
    assert (folder / "pool").exists() == (not said)
