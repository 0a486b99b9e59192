"""strategic-ttc: parallel lists, answers of the verifiers, numbers of tokens in two shapes, and records that repeat."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers.formats import strategic_ttc
from mssim.importers.formats.strategic_ttc import from_strategic_ttc, is_own
from mssim.importers.pipeline import Common, import_pool
from mssim.importers.safe_files import Source
from tests.importers.formats.code_results import or_odd, pool_or_error, told, write_lines
from tests.importers.readers import written

NAME = "Llama-3-8B--temp-0.6--samples-3--max-512.jsonl"


def explained(answer, truth):
    """What a verifier of strategic-ttc writes."""
    if answer is None:
        return f"no numeric content found; truth='{truth}'"
    return f"boxed='{answer}'; numeric compare: pred={answer} truth={truth} tol=1e-05; truth='{truth}'"


def record(name, extracted, truth="4", **changed):
    """One question, as strategic-ttc writes it."""
    one = {"qid": name, "prompt": f"{name}?", "answers": [f"So {name} is \\boxed{{{answer}}}" for answer in extracted]}
    one |= {"correct": [answer == truth for answer in extracted]}
    one |= {"num_tokens": [100 + i for i in range(len(extracted))]}
    one |= {"rewards": [0.125 * i for i in range(len(extracted))], "ground_truths": [truth]}
    one |= {"explanations": [explained(answer, truth) for answer in extracted], "question_meta": {"final": truth}}
    one |= {"model_name": "hf_chat:meta-llama/Meta-Llama-3-8B-Instruct", "reward_model_name": "armo_rm:RLHFlow"}
    return {field: value for field, value in (one | changed).items() if value != "absent"}


RECORDS = [record("gsm8k-1", ["4", "5", "4.0"], correct=[True, False, True]), record("gsm8k-2", ["1", "2", "1"])]


def test_the_samples_of_a_question_are_parallel_lists(tmp_path):
    pool = from_strategic_ttc(write_lines(tmp_path, RECORDS, NAME))
    assert pool.models == ("meta-llama/Meta-Llama-3-8B-Instruct",)
    assert pool.sample_correct().mean() == np.mean([flag for one in RECORDS for flag in one["correct"]]) == 2 / 6
    assert pool.numbers["output_tokens"][0].tolist() == [[100, 101, 102]] * 2
    assert pool.numbers["score"][0].tolist() == [[0, 0.125, 0.25]] * 2
    assert set(pool.extra["temperature"].to_pylist()) == {0.6}
    assert set(pool.extra["max_tokens"].to_pylist()) == {512}
    assert pool.questions.to_dict("list") == {
        "question_id": ["gsm8k-1", "gsm8k-2"], "question": ["gsm8k-1?", "gsm8k-2?"], "truth": ["4", "4"]
    }  # fmt: skip
    assert pool.extra["text"].to_pylist()[0] == "So gsm8k-1 is \\boxed{4}"


def test_the_text_of_a_question_is_without_instructions_if_it_is_known(tmp_path):
    for i, model in enumerate(["a", "b"]):
        meta = {"question": "2 + 2?", "final": "4"}
        one = record("q", ["4"], question_meta=meta, model_name=model, prompt=f"2 + 2?\nInstruction {i}")
        write_lines(tmp_path, [one], f"{model}.jsonl")
    assert from_strategic_ttc(tmp_path).questions["question"].tolist() == ["2 + 2?"]


def test_answers_are_what_the_verifiers_extracted(tmp_path):
    pool = from_strategic_ttc(write_lines(tmp_path, RECORDS, NAME))
    codes = pool.codes[0].tolist()
    assert codes[0][0] == codes[0][2] != codes[0][1]  # 4 and 4.0
    assert codes[1][0] == codes[1][2] != codes[1][1]
    choices = ["parsed='B'; truth='A'", "pred=A; truth=A; boxed='(A)'", "boxed='it; is' -> could not parse; truth=A"]
    one = record("gpqa-1", ["B", "A", "C"], "A", explanations=choices, correct=[False, True, False])
    with told("no answer"):
        pool = from_strategic_ttc(write_lines(tmp_path, [one], "m.jsonl"))
    labels = pool.class_labels.to_pylist()
    assert [labels[code] if code >= 0 else None for code in pool.codes[0, 0].tolist()] == ["B", "A", None]


def test_a_rule_grades_the_responses(tmp_path):
    pool = from_strategic_ttc(write_lines(tmp_path, RECORDS, NAME), rule="number")
    assert pool.sample_correct()[0].tolist() == [[True, False, True], [False, False, False]]
    assert pool.extra["correct_in_source"].to_pylist() == [True, False, True, False, False, False]


def test_without_explanations_only_verdicts_count(tmp_path):
    left_out = {"model_name": "absent", "explanations": "absent"}
    records = [record("a", ["4", "5"], **left_out), record("b", ["4"], **left_out | {"explanations": []})]
    with told("range from 1 to 2"):
        pool = from_strategic_ttc(write_lines(tmp_path, records, NAME))
    assert (pool.models, pool.info["votes"]) == (("Llama-3-8B",), False)
    assert pool.sample_correct()[0, 0].tolist() == [True, False]


def test_tokens_of_reasoning_models_include_their_thinking(tmp_path):
    one = record("a", ["4", "5"], num_tokens=[[30, 50], [10, 20]], rewards=[None, None], ground_truths=["4", "four"])
    pool = from_strategic_ttc(write_lines(tmp_path, [one], NAME), model="r1")
    assert pool.numbers["output_tokens"][0, 0].tolist() == [50, 20]
    assert "score" not in pool.numbers
    assert (pool.models, pool.questions["truth"].tolist()) == (("r1",), ["4"])


def test_samples_without_a_verdict_failed_and_records_that_repeat_count_once(tmp_path):
    records = [record("a", ["4", "5", "6"], correct=[True, None, False]), record("a", ["9", "9", "9"])]
    with told("1 record repeats the qid of an earlier"), told("1 not judged"):
        pool = from_strategic_ttc(write_lines(tmp_path, records, NAME))
    assert pool.sample_correct().tolist() == [[[True, False]]]
    labels = pool.class_labels.to_pylist()
    assert [labels[code] for code in pool.codes[0, 0].tolist()] == ["4", "6"]


def test_a_record_without_samples_is_reported(tmp_path):
    empty = record("b", [])
    with told("1 question without samples is not in the pool"):
        pool = from_strategic_ttc(write_lines(tmp_path, [RECORDS[0], empty], NAME))
    assert pool.question_ids == ["gsm8k-1"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"correct": [True]}, "lists of samples must be equally long, but 'answers' has 2, 'correct' has 1"),
        ({"explanations": ["x"]}, "'explanations' has 1 items, but 'answers' has 2"),
        ({"qid": "absent"}, "line 1: has no 'qid'"),
        ({"answers": "absent"}, "has no 'answers'"),
        ({"correct": "absent"}, "has no 'correct'"),
        ({"answers": [["4", "wait 5"], ["4"]]}, "'answers' holds lists"),
        ({"correct": [0.5, 1]}, "'correct', item 1 is a number. It must be true or false"),
    ],
)
def test_faults(tmp_path, changed, says):
    path = write_lines(tmp_path, [record("a", ["4", "5"], **changed)], NAME)
    with pytest.raises(PoolError, match=says):
        import_pool("strategic-ttc", strategic_ttc.read, [path], tmp_path / "pool", Common())


def test_explanations_are_of_all_records_or_of_none(tmp_path):
    path = write_lines(tmp_path, [RECORDS[0], record("b", ["4"], explanations="absent")], NAME)
    with pytest.raises(PoolError, match="line 2: only some samples have answers"):
        from_strategic_ttc(path)


def test_files_of_its_own(tmp_path):
    assert is_own(Source(write_lines(tmp_path, RECORDS, NAME)))
    assert is_own(
        Source(written(tmp_path, json.dumps(dict.fromkeys(("qid", "answers", "correct", "num_tokens"), "1"))))
    )
    other = {"idx": 1, "answers": ["4"], "correct": [True], "gold_answer": "4"}
    assert not is_own(Source(written(tmp_path, json.dumps([other]))))


LINES = st.fixed_dictionaries(
    {
        "qid": or_odd(st.sampled_from(["a", "b"])),
        "prompt": or_odd(st.just("?")),
        "answers": or_odd(st.just(["x", "y"])),
        "correct": or_odd(st.lists(or_odd(st.booleans()), min_size=2, max_size=2)),
        "num_tokens": or_odd(st.sampled_from([[1, 2], [[0, 1], [0, 2]]])),
        "ground_truths": or_odd(st.just(["4"])),
    },
    optional={
        "rewards": or_odd(st.lists(or_odd(st.floats(-1, 1)), min_size=2, max_size=2)),
        "explanations": or_odd(st.lists(or_odd(st.just("boxed='4'; x")), min_size=2, max_size=2)),
        "model_name": or_odd(st.just("hf_chat:m")),
    },
)


@given(lines=st.lists(or_odd(LINES), min_size=1, max_size=3))
def test_any_lines_give_a_pool_or_an_error(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("fuzz")
    path = write_lines(folder, lines, "m.jsonl")
    assert is_own(Source(path)) in (True, False)
    pool_or_error(folder, "strategic-ttc", strategic_ttc.read, path)
