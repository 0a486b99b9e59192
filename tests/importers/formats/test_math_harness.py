"""math-evaluation-harness and descendants: answers as extracted, verdicts as recorded, rewards, data sets and runs."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.formats import math_harness
from mssim.importers.formats.math_harness import from_math_harness, is_own
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import or_odd, pool_or_error, right, told

FILE = "test_qwen25-math-cot_-1_seed0_t0.7_s0_e-1.jsonl"


def line(idx, preds, score, **changed):
    """One question, as Qwen2.5-Math writes it."""
    one = {
        "idx": idx,
        "question": f"{idx} x 7?",
        "gt_cot": f"That is {7 * idx}.",
        "gt": f"{7 * idx}",
        "level": "Level 1",
        "type": "Algebra",
        "code": [f"sample {i}: \\boxed{{{pred}}}" for i, pred in enumerate(preds)],
        "pred": preds,
        "report": ["Done"] * len(preds),
        "score": score,
    } | changed
    return {field: value for field, value in one.items() if value != "absent"}


def response(query, answer, correct, **changed):
    """One sample, as DART-Math writes it."""
    return {
        "dataset": "math/test", "ref_ans": "7", "ans": answer, "correct": correct, "finish_reason": "stop",
        "agent": "org/rl", "cumulative_logprob": -3.5, "query": query, "resp": f"It is {answer}",
    } | changed  # fmt: skip


def write(folder, lines, name=FILE):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def answers(pool):
    """Answers of the first model, by question."""
    frame = pool.to_frame()
    frame = frame[frame["model"] == pool.models[0]]
    given = frame["answer"].astype(object).where(frame["answer"].notna(), None)
    return {question: given[frame["question_id"] == question].tolist() for question in pool.question_ids}


def test_lines_are_questions_with_their_samples(tmp_path):
    lines = [line(1, ["7", "", "7.0"], [True, False, True]), line(0, ["1", "0", "0"], [False, True, True])]
    with told("gives no answer"):
        pool = from_math_harness(write(tmp_path / "Qwen2.5" / "math_eval" / "gsm8k", lines))
    assert pool.models == ("Qwen2.5",)
    assert answers(pool) == {"1": ["7", None, "7.0"], "0": ["1", "0", "0"]}
    assert right(pool) == {"1": [True, False, True], "0": [False, True, True]}
    assert pool.questions.iloc[0].to_dict() == {
        "question_id": "1", "question": "1 x 7?", "truth": "7", "solution": "That is 7.", "level": "Level 1",
        "type": "Algebra", "dataset": "gsm8k",
    }  # fmt: skip
    first = pool.to_frame().iloc[0]
    assert first[["text", "temperature", "prompt"]].tolist() == ["sample 0: \\boxed{7}", 0.7, "qwen25-math-cot"]


def test_accuracy_is_the_mean_of_the_recorded_scores(tmp_path):
    random = np.random.default_rng(1)
    lines = []
    for idx in range(12):
        preds = random.choice(["7", "8", "", "7/2"], 6).tolist()
        lines.append(line(idx, preds, [pred != "" and bool(random.random() < 0.4) for pred in preds]))
    with told("no answer"), told("judged differently in another sample"):
        pool = from_math_harness(write(tmp_path, lines))
    assert pool.sample_correct()[0].tolist() == [one["score"] for one in lines]
    assert pool.sample_correct().mean() == sum(sum(one["score"]) for one in lines) / 72
    with told("no answer"), told("judged differently"), told("disagree on"):
        pool = from_math_harness(tmp_path, rule="number")
    assert pool.extra["correct_in_source"].to_pylist() == [score for one in lines for score in one["score"]]


def test_rewards_are_scores_of_best_of_n(tmp_path):
    lines = [
        line(0, ["0", "1"], [True, False], pred_score=[[0.9], [0.1]]),
        line(1, ["7", "1"], [True, False], pred_score=[[0.5], [0.75]]),
    ]
    pool = from_math_harness(write(tmp_path, lines))
    assert pool.numbers["score"][0].tolist() == [[0.9, 0.1], [0.5, 0.75]]
    best = pool.numbers["score"][0].argmax(axis=1)
    assert pool.sample_correct()[0][[0, 1], best].tolist() == [True, False]
    flat = [line(0, ["0", "1"], [True, False], pred_score=[0.25, 1])]
    assert from_math_harness(write(tmp_path / "b", flat)).numbers["score"][0].tolist() == [[0.25, 1.0]]


def test_samples_that_were_not_judged_have_failed(tmp_path):
    lines = [line(0, ["0", "1", "0"], [True, None, None]), line(1, ["7", "8"], None)]
    with told("4 samples failed and are not in the pool: 4 not judged"):
        pool = from_math_harness(write(tmp_path, lines))
    assert right(pool) == {"0": [True]}


def test_without_scores_answers_are_compared_as_text_or_graded_by_a_rule(tmp_path):
    path = write(
        tmp_path / "tora" / "math", [line(1, ["7", "7.0", "8"], "absent")], "test_tora_-1_seed0_t0.0_s0_e9.jsonl"
    )
    says = "the files have no score. Without a rule, an answer is right if its text equals the truth"
    with told(says), told("1 of 2 wrong answers of 'tora' equals the truth as numbers"):
        pool = from_math_harness(path)
    assert (pool.models, right(pool)) == (("tora",), {"1": [True, False, False]})
    with told("the files have no score"):
        assert right(from_math_harness(path, rule="number")) == {"1": [True, True, False]}
    with pytest.raises(PoolError, match="line 2: only some samples have verdicts"):
        from_math_harness(write(tmp_path, [line(1, ["7"], [True]), line(2, ["7"], "absent")]))


def test_data_sets_are_told_apart(tmp_path):
    for data, shift in (("gsm8k", ""), ("math", "other: ")):
        write(tmp_path / "m" / data, [line(1, ["7"], [True], question=f"{shift}1 x 7?", gt=shift or "7")])
    pool = from_math_harness(tmp_path)
    assert (pool.models, pool.question_ids) == (("m",), ["gsm8k/1", "math/1"])
    assert pool.questions["dataset"].tolist() == ["gsm8k", "math"]
    assert "the tool reports the 2 values of dataset separately" in pool.info["import"]["remarks"][0]
    own = [line(1, ["7"], [True], data_source=data) for data in ("a", "b")]
    pool = from_math_harness(write(tmp_path / "own", own, "llama.jsonl"))
    assert (pool.models, pool.question_ids) == (("llama",), ["a/1", "b/1"])


def test_files_of_one_model_are_runs_and_copies_are_left_out(tmp_path):
    first, again = line(1, ["7"], [True]), line(1, ["8"], [False])
    for seed, lines in enumerate([[first], [again]]):
        write(tmp_path / "m" / "math", lines, f"test_cot_-1_seed{seed}_t0.7_s0_e-1.jsonl")
    pool = from_math_harness(tmp_path)
    assert (pool.models, answers(pool)) == (("m",), {"1": ["7", "8"]})
    write(tmp_path / "m" / "math", [first, line(2, ["14"], [True])], "test_cot_-1_seed0_t0.7_s0_e9_02-11_10-00.jsonl")
    with told("1 question is a copy of an earlier line of the same run, and left out"), told("range from 1 to 2"):
        pool = from_math_harness(tmp_path)
    assert answers(pool) == {"1": ["7", "8"], "2": ["14"]}
    twice = write(tmp_path / "flat", [first, first], "llama.jsonl")
    assert from_math_harness(twice).lengths.tolist() == [[2]]  # not a run of the harness


def test_models_share_questions(tmp_path):
    for model, scores in (("a", [True, False]), ("b", [False, True])):
        preds = ["7" if score else "8" for score in scores]
        write(tmp_path / "outputs" / "org" / model / "math", [line(1, preds, scores)])
    pool = from_math_harness(tmp_path)
    assert pool.models == ("a", "b")
    assert pool.sample_correct()[:, 0].tolist() == [[True, False], [False, True]]
    write(tmp_path / "outputs" / "org" / "b" / "math", [line(1, ["8"], [False], gt="9")])
    with pytest.raises(PoolError, match=r"has two truths, '7' and '9'.* Keep the folders of the data sets, DATA/FILE"):
        from_math_harness(tmp_path)


def test_samples_of_dart_math(tmp_path):
    lines = [
        response("1 x 7?", "7", True), response("2 x 7?", "", False), response("1 x 7?", "None", False),
        response("1 x 7?", "8", False, dataset="gsm8k/test", finish_reason="length"), response("2 x 7?", "7", None),
    ]  # fmt: skip
    with told("range from 1 to 2"), told("no answer"), told("cut off|length"), told("1 not judged"):
        pool = from_math_harness(write(tmp_path, lines, "gen-seed0.jsonl"))
    assert set(pool.questions["dataset"]) == {"math/test", "gsm8k/test"}
    assert pool.models == ("org/rl",)
    assert answers(pool) == {"math/test/0": ["7", None], "math/test/1": [None], "gsm8k/test/0": ["8"]}
    assert pool.extra["finish_reason"].to_pylist().count("length") == 1
    path = write(tmp_path / "gen", [response("1 x 7?", None, None, resp="It is 7")], "gen.jsonl")
    with pytest.raises(PoolError, match=r"texts but no answers\. Extract the answers with a rule"):
        from_math_harness(path)
    assert right(from_math_harness(path, rule="number", model="x")) == {"math/test/0": [True]}


def test_lines_without_idx_texts_or_lists(tmp_path):
    lines = [line("absent", ["0"], [True], code=[]), line("absent", "7", True, code="absent", question="b", gt="7")]
    lines[0] |= {"question": "a", "gt": "0", "level": ["x"], "type": None, "gt_cot": 3}
    pool = from_math_harness(write(tmp_path, lines))
    assert answers(pool) == {"0": ["0"], "1": ["7"]}
    assert pool.questions["level"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "is empty"),
        ([line(1, ["7"], [True]), [1]], "line 2: expected an object, found a list"),
        ([{"idx": 1, "gt": "1"}], "line 1: has no 'pred'. Import the files that the harness writes after"),
        ([line(1, ["7", "8"], [True])], "'pred' has 2, 'score' has 1"),
        ([line(1, ["7"], ["yes"])], "'score', item 1 is text. It must be true or false"),
        ([line(1, [["7"]], [True])], "'pred' holds lists"),
        ([line(1, ["7"], [True], pred_score=[[0.1, 0.2]])], "'pred_score' must have one number per sample"),
        ([line(1, ["7"], [True], pred_score=[None, [1]])], "'pred_score' must have one number per sample"),
        ([line(1, ["7"], [True], gt=["7"])], "'gt' is a list. It must be text"),
        ([response("q", "7", "yes")], "'correct' is text. It must be true or false"),
        ([response("q", "7", True, agent=None)], "'agent' is null"),
    ],
)
def test_files_that_are_refused(tmp_path, content, says):
    path = write(tmp_path, content)
    with pytest.raises(PoolError, match=says):
        import_pool("math-harness", math_harness.read, [path], tmp_path / "pool", Common())
    assert not (tmp_path / "pool").exists()


def test_own_files(tmp_path):
    own = [line(1, ["7"], [True], code="absent"), line(1, ["7"], "absent"), response("q", "7", True)]
    others = [{"question_id": "q", "pred": "7", "gold": "7"}, {"idx": 1, "answers": ["7"]}, {"idx": 1, "pred": ["7"]}]
    others += [{"pred": ["7"], "score": [True], "id": 1}]
    found = [is_own(Source(write(tmp_path, [one], f"{i}.jsonl"))) for i, one in enumerate([*own, *others])]
    assert found == [True] * 3 + [False] * 4
    (tmp_path / "x.jsonl").write_text("{")
    assert not is_own(Source(tmp_path / "x.jsonl"))


CHANGES = st.dictionaries(
    st.sampled_from([*line(1, [], []), "pred_score", "data_source"]), or_odd(st.just([0.5])), max_size=2
)
LINES = st.builds(
    lambda idx, preds, score, changed, dart: (
        (response("q", "7", score) if dart else line(idx, preds, [score] * len(preds))) | changed
    ),
    st.integers(0, 1),
    st.lists(st.sampled_from(["7", "8", "", "\ud800"]), max_size=3),
    or_odd(st.booleans()),
    st.integers(0, 3).flatmap(lambda n: st.just({}) if n else CHANGES),
    st.integers(0, 9).map(lambda n: n == 0),
)


@given(lines=st.lists(or_odd(LINES), min_size=1, max_size=4), name=st.sampled_from([FILE, "x.jsonl"]))
def test_any_lines_give_a_pool_or_an_error(tmp_path_factory, lines, name):
    folder = tmp_path_factory.mktemp("fuzz")
    pool_or_error(folder, "math-harness", math_harness.read, write(folder / "a" / "b", lines, name))
