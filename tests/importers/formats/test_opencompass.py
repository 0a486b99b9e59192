"""OpenCompass: predictions with and without details, repeats, and data sets in several files."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.formats import opencompass
from mssim.importers.formats.opencompass import from_opencompass
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import ODD, or_odd, pool_or_error, right, told


def prediction(number, text, *, gold="7", chat=True, **more):
    asked = f"{number}: 3 + 4?"
    turns = [{"role": "HUMAN", "prompt": "1 + 1?"}, {"role": "BOT", "prompt": "2"}, {"role": "HUMAN", "prompt": asked}]
    return {"origin_prompt": turns if chat else f"<s>{asked}", "prediction": text, "gold": gold} | more


def write(folder, content, kind="predictions", name="sums", model="llama", time="20250101_120000"):
    path = folder / time / kind / model / f"{name}.json"
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(json.dumps(content))
    return path


def numbered(values):
    return {str(i): value for i, value in enumerate(values)}


# Details --------------------------------------------------------------------------------------------------------------


def test_details_have_the_answers_and_verdicts(tmp_path):
    said = ["7", "8", "7", ""]
    write(tmp_path, numbered(prediction(i, f"It is {text}", res_length=3) for i, text in enumerate(said)))
    found = [{"pred": text, "answer": "7", "correct": text == "7"} for text in said]
    write(tmp_path, {"accuracy": 50.0, "details": found}, "results")
    with told("gives no answer in 25.0%"):
        pool = from_opencompass(tmp_path)
    assert pool.models == ("llama",)
    assert right(pool) == {f"sums/{i}": [text == "7"] for i, text in enumerate(said)}
    assert pool.sample_correct().mean() * 100 == 50.0  # the accuracy that the file has
    assert pool.questions["question"].tolist()[0] == "0: 3 + 4?"
    assert pool.questions["dataset"].tolist() == ["sums"] * 4
    assert pool.extra["text"].to_pylist()[0] == "It is 7"
    assert pool.numbers["output_tokens"][0, :, 0].tolist() == [3] * 4


@pytest.mark.parametrize("with_predictions", [True, False])
def test_repeats_are_samples_of_a_question(tmp_path, with_predictions):
    answers = [["7", "8", "7"], ["8", "8", "8"]]  # by question; predictions are by repeat
    correct = [[text == "7" for text in row] for row in answers]
    if with_predictions:
        write(tmp_path, numbered(prediction(q, f"It is {answers[q][r]}") for r in range(3) for q in range(2)))
    found = [
        {"example_abbr": f"sums_{q}", "pred": answers[q], "answer": ["7"] * 3, "correct": correct[q]} for q in range(2)
    ]
    write(tmp_path, {"accuracy (3 runs average)": 33.3, "details": found}, "results")
    pool = from_opencompass(tmp_path)
    assert right(pool) == {f"sums/{q}": correct[q] for q in range(2)}
    assert Fraction(int(pool.sample_correct().sum()), 6) == Fraction(sum(map(sum, correct)), 6) == Fraction(1, 3)
    assert pool.codes[0].tolist() == [[0, 1, 0], [0, 0, 0]]
    if with_predictions:
        assert pool.extra["text"].to_pylist() == [f"It is {text}" for row in answers for text in row]


def test_answers_without_a_name_are_the_texts(tmp_path):
    write(tmp_path, numbered(prediction(i, f"def f{i}()") for i in range(2)))
    write(tmp_path, {"details": numbered({"is_correct": i == 0, "programs": "..."} for i in range(2))}, "results")
    pool = from_opencompass(tmp_path)
    assert right(pool) == {"sums/0": [True], "sums/1": [False]}
    assert sorted(pool.class_labels.to_pylist()) == ["def f0()", "def f1()"]


def test_right_answers_that_are_blank_or_absent(tmp_path):
    found = [{"pred": " ", "answer": "none", "correct": i < 2} for i in range(4)]
    with told("gives no answer in 50.0%"):
        pool = from_opencompass(write(tmp_path, {"details": found}, "results"))
    assert pool.sample_correct()[0, :, 0].tolist() == [True, True, False, False]
    pool = from_opencompass(write(tmp_path / "x", {"details": [{"correct": i < 2} for i in range(4)]}, "results"))
    assert pool.sample_correct()[0, :, 0].tolist() == [True, True, False, False]
    assert pool.info["votes"] is False


def test_replies_of_a_judge_are_verdicts_on_the_texts(tmp_path):
    write(tmp_path, numbered(prediction(i, f"So it is {i}") for i in range(2)))
    judged = [{"example_abbr": f"q_{i}", "prediction": ["AB"[i]], "gold": ["1"]} for i in range(2)]
    write(tmp_path, {"accuracy": 50.0, "details": judged}, "results")
    pool = from_opencompass(tmp_path)
    assert right(pool) == {"sums/0": [True], "sums/1": [False]}
    assert pool.class_labels.to_pylist() == ["So it is 0", "So it is 1"]
    assert pool.questions["truth"].tolist() == ["7", "7"]


def test_questions_without_a_verdict_are_failed(tmp_path):
    found = [{"pred": "7", "answer": "7", "correct": True}, {"pred": "7", "answer": "7"}]
    with told("1 sample failed and is not in the pool: 1 without a verdict"):
        pool = from_opencompass(write(tmp_path, {"details": found}, "results"))
    assert right(pool) == {"sums/0": [True]}


# Predictions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chat", [True, False])
def test_predictions_alone_are_graded_by_a_rule(tmp_path, chat):
    said = ["7", "8", "It is 7", "9"]
    path = write(
        tmp_path, numbered(prediction(i, text, gold="3 + 4\n#### 7", chat=chat) for i, text in enumerate(said))
    )
    write(tmp_path, {"accuracy": 50.0}, "results")
    pool = from_opencompass(tmp_path, rule="number")
    assert right(pool) == {f"sums/{i}": ["7" in text] for i, text in enumerate(said)}
    assert pool.questions["truth"].tolist() == ["7"] * 4
    assert pool.questions["question"].tolist()[3] == ("3: 3 + 4?" if chat else "<s>3: 3 + 4?")
    with pytest.raises(PoolError, match=r"texts but no answers\. Extract the answers with a rule"):
        from_opencompass(path)
    out = tmp_path / "pool"
    read = import_pool("opencompass", opencompass.read, sorted(tmp_path.rglob("*.json")), out, Common(rule="number"))
    assert any("the results have no verdicts of single samples" in remark for remark in read.remarks)


def test_predictions_in_other_folders_with_other_names_of_the_truth(tmp_path):
    for i, name in enumerate(("refr", "reference")):
        one = prediction(0, "It is 7", gold=None, **{name: "7"})
        pool = from_opencompass(write(tmp_path, {"0": one}, kind=f"zero_shot{i}"), rule="number")
        assert (pool.models, right(pool)) == (("llama",), {"sums/0": [True]})


def test_prompts_that_recur_are_repeats(tmp_path):
    pool = from_opencompass(
        write(tmp_path, numbered(prediction(i % 3, str(7 + i // 3)) for i in range(6))), rule="number"
    )
    assert right(pool) == {f"sums/{i}": [True, False] for i in range(3)}


def test_prompts_that_recur_in_another_order_are_questions(tmp_path):
    path = write(tmp_path, numbered(prediction(i, "7") for i in (0, 1, 1, 0)))
    assert from_opencompass(path, rule="number").lengths.tolist() == [[1, 1, 1, 1]]
    path = write(tmp_path, numbered({"prediction": "7", "gold": "7"} for _ in range(3)))
    assert from_opencompass(path, rule="number").lengths.tolist() == [[1, 1, 1]]


def test_lists_of_sequences_are_samples(tmp_path):
    write(tmp_path, numbered(prediction(i, ["7", "8"], res_length=[3, 4]) for i in range(2)))
    write(tmp_path, {"details": [{"pred": "7", "answer": "7", "correct": True}] * 2}, "results")
    pool = from_opencompass(tmp_path, rule="number")
    assert right(pool) == {"sums/0": [True, False], "sums/1": [True, False]}
    assert pool.numbers["output_tokens"][0].tolist() == [[3, 4], [3, 4]]


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("detailed", [True, False])
def test_parts_of_a_data_set_follow_each_other(tmp_path, detailed):
    for part in range(11):  # as many as numbers and names sort differently
        write(tmp_path, numbered(prediction(2 * part + i, str(2 * part + i)) for i in range(2)), name=f"sums_{part}")
    if detailed:
        found = [{"pred": str(i), "answer": "7", "correct": i == 7} for i in range(22)]
        write(tmp_path, {"details": found}, "results")
    pool = from_opencompass(tmp_path, rule=None if detailed else "number")
    assert right(pool) == {f"sums/{i}": [i == 7] for i in range(22)}


def test_names_that_end_in_a_number_are_not_parts(tmp_path):
    for name in ("aime_2024", "gsm_0", "other", "other_0"):
        write(tmp_path, numbered([prediction(name, "7")]), name=name)
    pool = from_opencompass(tmp_path, rule="number")
    assert pool.question_ids == ["aime_2024/0", "gsm_0/0", "other/0", "other_0/0"]


def test_models_and_runs_of_a_folder(tmp_path):
    write(tmp_path, numbered([prediction(0, "7")]), model="a")
    write(tmp_path, numbered([prediction(0, "It is 7", gold=["7", "seven"])]), model="a", time="20250102_120000")
    write(tmp_path, numbered([prediction(0, "8", chat=False)]), model="b")
    write(tmp_path, numbered([prediction(0, "A")]), model="a_judged-by--gpt")
    write(tmp_path, {"x": 1}, kind="configs")
    with told("range from 1 to 2"):
        pool = from_opencompass(tmp_path, rule="number")
    assert pool.models == ("a", "b")
    assert pool.lengths.tolist() == [[2], [1]]
    assert pool.questions["truth"].tolist() == ["7"]  # a list of several is not a truth


@pytest.mark.parametrize(
    ("predictions", "results", "says"),
    [
        ({"a": prediction(0, "7")}, None, "predictions must be named by different numbers from 0"),
        ({"1": prediction(0, "7")}, None, "some of the numbers of predictions from 0 are missing"),
        (numbered([prediction(0, [])]), None, "'prediction' is an empty list"),
        (numbered([prediction(0, [["7"]])]), None, "'prediction' holds lists"),
        (numbered([prediction(0, ["7"], origin_prompt=[[], []])]), None, "replies to several rounds of a conversation"),
        (
            numbered([prediction(0, {"a": 1})] * 3),
            [{"correct": True}] * 2,
            "has 3 predictions, but .* details of 2 questions",
        ),
        (numbered([prediction(0, "7")]), [{"correct": [1, 0]}], "has 1 prediction, but .* 1 question with 2 repeats"),
        ([prediction(0, "7")], None, "predictions must be named by different numbers"),
    ],
)
def test_files_that_are_refused(tmp_path, predictions, results, says):
    write(tmp_path, predictions)
    if results is not None:
        write(tmp_path, {"details": results}, "results")
    with pytest.raises(PoolError, match=says):
        from_opencompass(tmp_path)


def test_folders_that_are_refused(tmp_path):
    write(tmp_path, {"details": [{"correct": True, "pred": "7"}]}, "results")
    write(tmp_path, numbered([prediction(0, "7")]), name="other")
    with pytest.raises(PoolError, match=r"other\.json: 1 data set of 2 have no verdicts"):
        from_opencompass(tmp_path)
    write(tmp_path / "x", numbered([prediction(0, "7")]), name="sums_0")
    write(tmp_path / "x", numbered([prediction(1, "7")]), name="sums_1")
    write(tmp_path / "x", numbered([prediction(1, "7")]), name="sums_3")
    with pytest.raises(PoolError, match="parts of sums are missing"):
        from_opencompass(tmp_path / "x")
    with pytest.raises(PoolError, match=r"is not a file predictions/MODEL/DATASET\.json or results/"):
        from_opencompass(write(tmp_path / "y", {"x": 1}, kind="configs"))


def test_files_are_recognised_by_their_members(tmp_path):
    detail = {"pred": "7", "answer": "7", "correct": True}
    own = [("predictions", numbered([prediction(0, "7")])), ("results", {"accuracy": 1, "details": [detail]})]
    own.append(("results", {"accuracy": 1, "details": {"0": detail}}))
    others = [("results", {"accuracy": 1}), ("other", [detail]), ("predictions", {"0": {"prediction": "7"}})]
    for i, (kind, content) in enumerate([*own, *others]):
        assert opencompass.is_own(Source(write(tmp_path, content, kind, name=str(i)))) == (i < len(own))


PREDICTIONS = st.builds(
    lambda number, text, changed: {**prediction(number, text), **changed},
    st.integers(0, 1),
    or_odd(st.sampled_from(["7", "8"])),
    st.dictionaries(st.sampled_from(["origin_prompt", "gold", "res_length"]), or_odd(st.just("7")), max_size=1),
)
DETAILS = st.fixed_dictionaries(
    {"pred": or_odd(st.just("7")), "correct": or_odd(st.booleans())}, optional={"answer": ODD, "example_abbr": ODD}
)


@given(
    predictions=st.lists(or_odd(PREDICTIONS), max_size=3),
    details=st.none() | st.lists(or_odd(DETAILS), max_size=3),
    rule=st.sampled_from([None, "number"]),
)
def test_any_members_give_a_pool_or_an_error(tmp_path_factory, predictions, details, rule):
    folder = tmp_path_factory.mktemp("fuzz")
    paths = [write(folder, numbered(predictions))]
    if details is not None:
        paths.append(write(folder, {"details": details}, "results"))
    assert opencompass.is_own(Source(paths[0])) in (True, False)
    pool_or_error(folder, "opencompass", opencompass.read, *paths, rule=rule)
