"""Request outputs in the shape of vLLM's, made up here."""

from array import array
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mssim import MssimError, PoolError, PoolWarning, load_pool
from mssim.importers.formats.vllm import from_vllm

QUESTIONS = [{"question": "2 + 2?", "truth": "4"}, {"question": "3 * 3?", "truth": "9"}]


def completion(text, index=0, logprob=None, tokens=2, finish="stop"):
    return SimpleNamespace(
        index=index, text=text, token_ids=[7] * tokens, cumulative_logprob=logprob, logprobs=None, finish_reason=finish
    )


def output(*completions, prompt=3, number=0):
    made = [one if isinstance(one, SimpleNamespace) else completion(one, i) for i, one in enumerate(completions)]
    return SimpleNamespace(
        request_id=str(number), prompt="?", prompt_token_ids=[1] * prompt, outputs=made, finished=True
    )


def imported(outputs, questions=QUESTIONS, **options):
    return from_vllm(outputs, questions, **{"model": "llama", "rule": "number", **options})


# Samples --------------------------------------------------------------------------------------------------------------


def test_the_nth_output_answers_the_nth_question():
    pool = imported([output("It is 4.", "5"), output("9", "So 9", number=1)])
    assert pool.models == ("llama",)
    assert pool.sample_correct().tolist() == [[[True, False], [True, True]]]
    assert pool.questions.to_dict("list") == {
        "question": ["2 + 2?", "3 * 3?"], "truth": ["4", "9"], "question_id": ["0", "1"]
    }  # fmt: skip
    frame = pool.to_frame()
    assert frame["text"].tolist() == ["It is 4.", "5", "9", "So 9"]
    assert frame["output_tokens"].tolist() == [2] * 4
    assert frame["request_input_tokens"].tolist() == [3] * 4
    assert frame["request_output_tokens"].tolist() == [4] * 4
    assert frame["request_samples"].tolist() == [2] * 4
    assert frame["request_id"].tolist() == ["0", "0", "1", "1"]
    assert "input_tokens" not in frame
    assert pool.info["import"]["format"] == "vllm"
    assert pool.info["import"]["files"] == []


def test_tokens_of_a_single_sample_are_its_own():
    pool = imported(iter([output("4", prompt=5), output(completion("9", tokens=8))]))
    assert pool.numbers["input_tokens"].tolist() == [[[5.0], [3.0]]]
    assert pool.numbers["output_tokens"].tolist() == [[[2.0], [8.0]]]


def test_questions_may_repeat_and_are_a_frame_too():
    questions = pd.DataFrame(QUESTIONS * 3).assign(question_id=[5, 6] * 3, topic=["sum", None] * 3)
    pool = imported([output(text) for text in "494888"], questions)
    assert pool.question_ids == ["5", "6"]
    assert pool.sample_correct().tolist() == [[[True, True, False], [True, False, False]]]
    assert pool.to_frame()["text"].tolist() == ["4", "4", "8", "9", "8", "8"]
    assert pool.questions["topic"].tolist()[0] == "sum"


def test_choices_are_graded_by():
    questions = [{"question_id": "a", "question": "?", "truth": "yes", "choices": ["no", "yes"]}]
    pool = imported([output("(B)", "A")], questions, rule="choice")
    assert pool.sample_correct().tolist() == [[[True, False]]]


def test_confidence_is_the_mean_log_probability_of_a_token():
    outputs = [
        output(completion("4", logprob=-3.0, tokens=4)),
        output(completion("9", logprob=np.float32(-1), tokens=2)),
    ]
    np.testing.assert_allclose(imported(outputs).numbers["confidence"], [[[-0.75], [-0.5]]])
    outputs[1].outputs[0].cumulative_logprob = None
    with pytest.warns(PoolWarning, match="have no confidence, which votes need of all"):
        pool = imported(outputs)
    np.testing.assert_allclose(pool.number("confidence"), [[[-0.75], [np.nan]]])


def test_what_vllm_does_not_say_may_be_missing():
    outputs = [SimpleNamespace(outputs=(SimpleNamespace(text=text),)) for text in "49"]
    frame = imported(outputs).to_frame()
    assert not {"input_tokens", "output_tokens", "confidence", "finish_reason", "request_id"} & set(frame)
    outputs = [output("4", "5"), output("9", "8")]
    outputs[0].outputs[1].token_ids = array("l", [1, 2, 3])
    outputs[1].outputs[1].token_ids = None
    frame = imported(outputs).to_frame()
    assert frame["output_tokens"].fillna(-1).tolist() == [2, 3, 2, -1]
    assert frame["request_output_tokens"].fillna(-1).tolist() == [5, 5, -1, -1]


def test_half_of_a_surrogate_pair_becomes_a_mark():
    pool = imported([output("\ud8004"), output("9")])
    text = pool.to_frame()["text"].tolist()[0]
    assert set(text[:-1]) == {"\ufffd"}
    assert pool.sample_correct().all()
    asked = [{"question": "2\ud800", "truth": "4", "topic": "\udfff"}]
    questions = from_vllm([output("4")], asked, model="llama", rule="number").questions
    assert questions[["question", "topic"]].values.tolist() == [["2\ufffd", "\ufffd"]]


def test_a_positive_log_probability_is_unknown():
    pool = imported([output(completion(text, logprob=0.5)) for text in "49"])
    assert "confidence" not in pool.numbers


def test_unfinished_samples_are_counted_and_left_out():
    outputs = [output("4", completion("", finish="abort")), output(), output("4", "9")]
    with pytest.warns(PoolWarning, match="2 samples failed .*: 1 finish_reason abort, 1 no completion"):
        pool = imported(outputs, [*QUESTIONS, QUESTIONS[0] | {"question": "2+2"}], where={"question_id": "0"})
    assert dict(pool.info["import"]["failed"]) == {"finish_reason abort": 1, "no completion": 1}
    assert pool.lengths.tolist() == [[1]]


def test_options_are_those_of_all_imports(tmp_path):
    pool = imported([output("4"), output("9")], texts=False, info={"title": "sums"})
    assert "text" not in pool.extra.column_names
    assert pool.info["title"] == "sums"
    pool.save(tmp_path / "pool")
    assert load_pool(tmp_path / "pool").fingerprint == pool.fingerprint
    with pytest.raises(
        PoolError, match=r"strict: the import has .* errors\. samples per question and model range from 1 to 2"
    ):
        imported([output("4"), output("9", "9")], strict=True)


# Bad input ------------------------------------------------------------------------------------------------------------


def test_the_numbers_of_outputs_and_questions_must_agree():
    with pytest.raises(PoolError, match=r"1 outputs, but 2 rows of questions\. Pass one row per output"):
        imported([output("4")])
    with pytest.raises(PoolError, match=r"more outputs than rows of questions \(2\). Pass one row per output"):
        imported([output("4")] * 3)


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        (None, "outputs: NoneType is not iterable. Pass the list that LLM.generate"),
        (output("4"), "outputs: SimpleNamespace is not iterable. Pass the list"),
        (["4", "9"], "output 1: outputs is NoneType. It must be a list, as LLM.generate and LLM.chat return"),
        ([output("4"), SimpleNamespace(outputs=SimpleNamespace(data=[1]))], "output 2: outputs is SimpleNamespace"),
        ([output(completion(None))], "output 1, completion 1: text is NoneType. It must be text"),
        ([output("4", completion(b"4"))], "output 1, completion 2: text is bytes"),
        ([output(completion("4", finish=3))], "finish_reason is int. It must be text or None"),
        (
            [output(completion("4", logprob=float("nan")))],
            "cumulative_logprob is nan. It must be a finite number or None",
        ),
        ([output(completion("4", logprob="-1"))], "cumulative_logprob is str"),
        ([output(completion("4", logprob=-(10**400)))], "cumulative_logprob is int"),
        (
            [SimpleNamespace(outputs=[completion("4")], prompt_token_ids=3)],
            "output 1: prompt_token_ids is int. It must",
        ),
        ([SimpleNamespace(outputs=[SimpleNamespace(text="4", token_ids="4")])], "token_ids is str. It must be a list"),
        ([], "0 outputs, but 2 rows"),
        ([output(), output()], "The files contain no samples .2 failed: no completion"),
    ],
)
def test_outputs_of_another_kind_are_refused(outputs, says):
    with pytest.raises(PoolError, match=says):
        imported(outputs)


@pytest.mark.parametrize(
    ("questions", "says"),
    [
        (None, "questions: not a table. Pass a DataFrame or a list of dicts"),
        ({"question": "?", "truth": "4"}, "questions: not a table. Pass a DataFrame or a list of dicts"),
        (["?"], "questions: not a table. Pass a DataFrame or a list of dicts"),
        ([], "the table is empty"),
        ([{"question": "?"}], "column 'truth' is missing"),
        ([{"question": "?", "truth": "4"}, {"question": "?", "truth": None}], "row 2: truth is empty"),
        ([{"question_id": " ", **QUESTIONS[0]}], "row 1: question_id is empty"),
        (
            [{"question_id": "a", **question} for question in QUESTIONS],
            "row 2 repeats question_id 'a' with other values",
        ),
        ([{"question": "?", "truth": 10**5000}, {"question": "?", "truth": "x"}], "more than 4300 digits"),
        ([{"question": "?", "truth": "4", "choices": "a"}], "is not a list of text"),
        ([{"question": "?", "truth": "4", "answer": "a"}], "column 'answer' is reserved for samples"),
        (
            pd.DataFrame([["?", "4", "5"]], columns=["question", "truth", "truth"]),
            "column 'truth': the name appears 2 times",
        ),
    ],
)
def test_questions_of_another_kind_are_refused(questions, says):
    with pytest.raises(PoolError, match=f"questions: .*{says}" if "questions" not in says else says):
        imported([output("4")], questions)


def test_the_model_needs_a_name():
    for name in ("", " ", None, 3):
        with pytest.raises(PoolError, match=r"model=.* is not a name. Pass the name of the model"):
            imported([], model=name)


# Fuzz -----------------------------------------------------------------------------------------------------------------

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**25), 10**25), st.floats(), st.text(max_size=5), st.binary(max_size=3),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.sampled_from(["\ud800", 10**5000, {}, [{}], object(), "abort"]),
)  # fmt: skip
COMPLETION = st.builds(
    completion, st.sampled_from("49 "), logprob=st.none() | st.floats(-9, 0), tokens=st.integers(0, 3)
)
OUTPUT = st.lists(COMPLETION, min_size=1, max_size=3).map(lambda made: output(*made))
OF_OUTPUT = st.sampled_from(["outputs", "prompt_token_ids", "request_id"])
OF_COMPLETION = st.sampled_from(["text", "token_ids", "cumulative_logprob", "finish_reason"])
OF_QUESTION = st.sampled_from(["question_id", "question", "truth", "choices", "topic", "temperature", "text"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
@given(st.lists(OUTPUT, min_size=1, max_size=4), st.data())
def test_arbitrary_values_are_a_pool_or_an_error(outputs, data):
    rows = [dict(QUESTIONS[i % 2]) for i in range(len(outputs))]
    places = [(vars(one), OF_OUTPUT) for one in outputs]
    places += [(vars(made), OF_COMPLETION) for one in outputs for made in one.outputs]
    places += [(row, OF_QUESTION) for row in rows]
    for place, names in data.draw(st.lists(st.sampled_from(places), max_size=2)):
        place[data.draw(names)] = data.draw(ANYTHING)
    try:
        pool = imported(outputs, rows)
    except MssimError:
        event("refused")
    else:
        event("pool")
        assert pool.lengths.sum() > 0
