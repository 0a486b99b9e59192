"""Requests and responses of the OpenAI API: texts, tokens, settings and failures."""

import re

import numpy as np
import pytest

from tests.importers.formats import test_openai_batch
from tests.importers.formats.test_openai_batch import chat, failed, refused, texts, written

imported, questions = test_openai_batch.imported, test_openai_batch.questions


def test_choices_of_one_request_share_its_tokens(imported):
    lines = [chat(f"q{q}-{s}", "4", "5", "6", usage=(20, 60)) for s in (1, 0) for q in (1, 2)]
    frame = imported(*lines).to_frame()
    assert frame["request_id"].tolist()[:6] == ["r-q1-0"] * 3 + ["r-q1-1"] * 3
    assert frame["text"].tolist() == ["4", "5", "6"] * 4
    assert set(frame["request_input_tokens"]) == {20}
    assert set(frame["request_output_tokens"]) == {60}
    assert set(frame["request_samples"]) == {3}
    assert not {"input_tokens", "output_tokens"} & set(frame)


def test_confidence_is_the_mean_log_probability_of_the_tokens(imported):
    def line(custom_id, *values):
        given = chat(custom_id, "4", "5")
        for choice in given["response"]["body"]["choices"]:
            choice["logprobs"] = {"content": [{"token": "a", "logprob": v} for v in values], "refusal": None}
        return given

    pool = imported(line("q1", -1.0, -2.0), line("q2", -0.5, -0.5, 0.0, -3))
    np.testing.assert_allclose(pool.numbers["confidence"], [[[-1.5, -1.5], [-1.0, -1.0]]])
    assert pool.numbers["output_tokens"].tolist() == [[[2.0, 2.0], [4.0, 4.0]]]
    pool = imported(line("q1", -1.0, -2.0), line("q2", -1.0, None), warns="have no confidence, which votes need")
    np.testing.assert_allclose(pool.number("confidence"), [[[-1.5, -1.5], [np.nan, np.nan]]])


def test_a_response_without_text_is_a_sample_without_an_answer(imported):
    no_answer = chat("q1-1", None, system_fingerprint="fp")
    no_answer["response"]["body"]["choices"][0]["message"] |= {"refusal": "I can not give 4.", "reasoning": "It is 4"}
    parts = chat("q2-1", [{"type": "thinking", "thinking": []}, {"type": "text", "text": "It is "}, {"text": "9"}])
    pool = imported(chat("q1-0", "4"), no_answer, chat("q2-0", "9"), parts, warns="no answer in 25.0%")
    assert texts(pool) == ["4", "", "9", "It is 9"]
    assert pool.codes.tolist() == [[[0, -1], [0, 0]]]
    assert pool.to_frame()["fingerprint"].tolist()[1] == "fp"


def test_completions_and_responses_are_read_too(imported):
    completion = chat("q1-0")
    logprobs = {"tokens": ["4", "."], "token_logprobs": [-0.5, -1.5]}
    completion["response"]["body"]["choices"] = [{"text": "4.", "finish_reason": "length", "logprobs": logprobs}]
    responses = {
        "id": "resp_1", "object": "response", "status": "incomplete", "model": "gpt", "error": None,
        "incomplete_details": {"reason": "max_output_tokens"}, "usage": {"input_tokens": 8, "output_tokens": 9},
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [
                {"type": "output_text", "text": "It is", "logprobs": [{"token": "It", "logprob": -3}]},
                {"type": "output_text", "text": " 9", "logprobs": [{"token": "9", "logprob": -1}]},
            ]},
        ],
    }  # fmt: skip
    done = {**responses, "id": "resp_2", "status": "completed", "incomplete_details": None, "output": [{"type": "x"}]}
    lines = [{"custom_id": f"q2-{i}", "response": {"body": body}} for i, body in enumerate([responses, done])]
    warns = ["range from 1 to 2", "no answer in 33"]
    frame = imported(completion, *lines, warns=warns).to_frame()
    assert frame["text"].tolist() == ["4.", "It is 9", ""]
    assert frame["finish_reason"].tolist() == ["length", "max_output_tokens", "completed"]
    assert frame["confidence"].tolist()[:2] == [-1.0, -2.0]
    assert frame["input_tokens"].tolist() == [10, 8, 8]
    assert frame["output_tokens"].tolist() == [5, 9, 9]
    assert frame["request_id"].tolist() == ["r-q1-0", "resp_1", "resp_2"]


def test_failures_are_counted_by_kind(imported):
    nothing = chat("q1-7")
    empty = {"custom_id": "q1-8", "response": {"status_code": 200, "body": None}, "error": None}
    vllm_error = {"error": {"message": "too long", "type": "BadRequestError", "code": 400}}
    vllm = {"custom_id": "q1-1", "response": {"status_code": 400, "body": None}, "error": vllm_error}
    wrapped = {"custom_id": "q1-9", "response": {"status_code": 200, "body": {"error": "overloaded"}}}
    lines = [
        refused("q1-2"), refused("q1-3"), refused("q1-4", 429, None), nothing, empty, vllm, wrapped,
        {"custom_id": "q1-5", "response": None, "error": {"code": "batch_expired", "message": "This request ..."}},
        {"custom_id": "q1-6", "error": "no worker"},
        {"custom_id": "q2-6", "response": None, "error": None},
    ]  # fmt: skip
    pool = imported(chat("q1-0", "4"), chat("q2-0", "9"), *lines, warns="10 samples failed and are not in the pool")
    assert failed(pool) == {
        "HTTP 400 (context_length_exceeded)": 2, "HTTP 429 (invalid_request_error)": 1, "no choice": 2,
        "HTTP 400 (BadRequestError)": 1, "error (batch_expired)": 1, "error: no worker": 1, "error: overloaded": 1,
        "no response": 1,
    }  # fmt: skip


def of_vllm(custom_id, text, number, *, old=False):
    """A line of `vllm run-batch`, in whose first versions the response was the body."""
    body = {
        "id": f"cmpl-{custom_id}-{number}", "object": "chat.completion", "created": 1715633336, "model": "org/m",
        "choices": [{
            "index": 0, "message": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": "stop",
            "stop_reason": None,
        }],
        "usage": {"prompt_tokens": 25, "total_tokens": 56, "completion_tokens": 31},
    }  # fmt: skip
    nested = {"status_code": 200, "request_id": f"vllm-batch-{number}", "body": body}
    return {"id": f"vllm-{number}", "custom_id": custom_id, "response": body if old else nested, "error": None}


def test_vllm_run_batch_of_old_and_new_versions(imported):
    lines = [
        of_vllm(f"q{q}", text, f"{old:d}{q}", old=old) for q, text in ((1, "4"), (2, "8")) for old in (True, False)
    ]
    pool = imported(*lines, warns="2 responses have a custom_id that was answered before")
    frame = pool.to_frame()
    assert pool.models == ("org/m",)
    assert pool.sample_correct().tolist() == [[[True, True], [False, False]]]
    assert frame["request_id"].tolist() == ["cmpl-q1-11", "vllm-batch-01", "cmpl-q2-12", "vllm-batch-02"]
    assert set(zip(frame["input_tokens"], frame["output_tokens"], frame["finish_reason"], strict=True)) == {
        (25, 31, "stop")
    }


def test_failures_of_vllm_run_batch(imported):
    given = {"object": "error", "message": "too long", "type": "BadRequestError", "param": None, "code": 400}
    http = {"status_code": 400, "request_id": "vllm-batch-1", "body": None}
    scored = {"id": "score-1", "object": "list", "model": "m", "data": [{"index": 0, "object": "score", "score": 0.1}]}
    lines = [
        {"custom_id": "q1-1", "response": None, "error": given},
        {"custom_id": "q1-2", "response": http, "error": given},
        {"custom_id": "q1-3", "response": http, "error": {"error": given}},
        {"custom_id": "q1-4", "response": http, "error": "Request must not be sent in stream mode"},
        {"custom_id": "q1-5", "response": {**http, "status_code": 200, "body": scored}, "error": None},
        {"custom_id": "q1-6", "response": {**http, "status_code": 200, "body": {"results": []}}, "error": None},
        {"custom_id": "q1-7", "response": {**http, "status_code": 500}, "error": None},
    ]
    pool = imported(chat("q1-0", "4"), chat("q2-0", "9"), *lines, warns="7 samples failed")
    assert failed(pool) == {
        "HTTP 400 (BadRequestError)": 3, "HTTP 400: Request must not be sent in stream mode": 1,
        "embeddings or scores, not texts": 2, "HTTP 500": 1,
    }  # fmt: skip


def test_requests_of_other_endpoints(imported, tmp_path):
    body = {"model": "gpt", "instructions": "Think.", "input": "2 + 2?", "reasoning": {"effort": "high"}}
    lines = [{"custom_id": "q1", "body": {**body, "max_output_tokens": 50}}]
    system = [{"role": "developer", "content": [{"type": "input_text", "text": "Think."}]}]
    lines += [{"custom_id": "q2", "body": {"input": system, "reasoning_effort": "high", "max_tokens": 50}}]
    frame = imported(
        chat("q1", "4"), chat("q2", "9"), more=[written(tmp_path, *lines, name="requests.jsonl")]
    ).to_frame()
    assert frame["system_prompt"].tolist() == ["Think."] * 2
    assert frame["reasoning_effort"].tolist() == ["high"] * 2
    assert frame["max_tokens"].tolist() == [50] * 2


def failing(custom_id, *choices, **body):
    """A line whose choices are given as they are."""
    line = chat(custom_id, usage=None, **body)
    line["response"]["body"]["choices"] = list(choices)
    return line


def choice(text=None, finish="stop", message=None, **more):
    return {"message": {"role": "assistant", "content": text, **(message or {})}, "finish_reason": finish, **more}


@pytest.mark.parametrize(
    ("failed_choice", "reason"),
    [
        (
            choice("", "error", error={"code": 502, "message": "Upstream\nprovider died"}),
            "error: Upstream provider died",
        ),
        (choice("It is 4, s", "error", error={"message": "died"}), "error: died"),
        (choice("It is 4", "stop", error={"message": "died"}), "error: died"),
        (choice("It is 4", error="overloaded"), "error: overloaded"),
        (choice("4", "error", error={"code": 502}), "error: 502"),
        (choice("4", "ERROR"), "finish_reason ERROR"),
        (choice("4", None, error={}) | {"finish_reason": "abort"}, "finish_reason abort"),
        (choice("4", "network_error"), "finish_reason network_error"),
        (choice("4", message={"error": {"message": "died"}}), "error: died"),
        (choice("4", error=True), "error without a message"),
        (choice("4", error=["?"]), "error without a message"),
        ({"message": None, "finish_reason": None}, "no message"),
        (choice(None), "no content and no usage (finish_reason stop)"),
        (choice("", None), "no content and no usage"),
        ({"text": "4", "finish_reason": "error"}, "finish_reason error"),
        ({"text": "", "finish_reason": None}, "no content and no usage"),
        ({"text": None, "finish_reason": None}, "no content and no usage"),
        (choice("4", error={"message": "half \ud800"}), "error: half \ufffd"),
    ],
)
def test_a_choice_that_failed_is_no_sample(imported, failed_choice, reason):
    good = [chat("q1-0", "4"), chat("q2-0", "9")]
    warns = f"1 sample failed and is not in the pool: 1 {re.escape(reason)}"
    pool = imported(*good, failing("q1-1", failed_choice), warns=warns)
    assert pool.lengths.tolist() == [[1, 1]]
    assert failed(pool) == {reason: 1}


def test_choices_beside_one_that_failed_are_samples(imported):
    died = choice("It is 4 or", "error", error={"message": "died"})
    lines = [failing("q1-0", choice("4"), died, choice("5"), id="x"), failing("q2-0", *[choice("9")] * 3)]
    pool = imported(*lines, warns=["1 sample failed", "range from 2 to 3"])
    assert texts(pool, question_id="q1") == ["4", "5"]
    assert pool.to_frame()["sample_index"].tolist()[:2] == [0, 2]
    assert failed(pool) == {"error: died": 1}


def test_a_request_that_failed_and_was_repeated_did_not_fail(imported):
    died = choice("", "error", error={"message": "died"})
    pool = imported(failing("q1", died, died, id="x"), chat("q1", "4", "5"), chat("q2", "9", "9"))
    assert failed(pool) == {}
    pool = imported(failing("q1", died, died), chat("q2", "9"), warns=["2 samples failed", "1 of 2 questions have no"])
    assert failed(pool) == {"error: died": 2}


@pytest.mark.parametrize("state", ["failed", "cancelled", "in_progress"])
def test_responses_that_did_not_end_are_failures(imported, state):
    body = {"id": "r", "object": "response", "status": state, "model": "gpt", "error": None}
    body |= {"output": [{"type": "message", "content": [{"type": "output_text", "text": "It is"}]}]}
    line = {"custom_id": "q1-1", "response": {"status_code": 200, "body": body}}
    pool = imported(chat("q1-0", "4"), chat("q2-0", "9"), line, warns=f"1 status {state}")
    assert failed(pool) == {f"status {state}": 1}


def test_a_response_that_was_cut_off_while_it_reasoned_is_a_sample(imported):
    body = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [], "model": "gpt"}
    lines = [{"custom_id": "q1-1", "response": {"body": body | {"usage": {"output_tokens": 99}}}}]
    warns = [
        "1 of 3 samples of gpt was cut off .finish_reason max_output_tokens",
        "1 of 3 texts of gpt is empty, cut off",
    ]
    pool = imported(chat("q1-0", "4"), chat("q2-0", "9"), *lines, warns=[*warns, "range from", "no answer"])
    assert texts(pool) == ["4", "", "9"]


def test_reasoning_refusals_and_calls_are_columns_where_a_sample_has_one(imported):
    assert not {"reasoning", "refusal", "tool_calls"} & set(imported(chat("q1", "4"), chat("q2", "9")).to_frame())
    lines = [chat("q1", "4"), chat("q2", None, None)]
    first, second = (one["message"] for one in lines[1]["response"]["body"]["choices"])
    first |= {"reasoning_content": "hm", "refusal": "No."}
    second |= {"tool_calls": [{"id": "c"}]}
    warns = ["range from 1 to 2", "no answer in 66.7%", "2 of 3 texts of gpt are empty, 1 refused, 1 with tool calls"]
    pool = imported(*lines, warns=warns)
    frame = pool.to_frame().astype(object)
    assert frame.where(frame.notna(), None)[["reasoning", "refusal", "tool_calls"]].values.tolist() == [
        [None, None, None], ["hm", "No.", None], [None, None, '[{"id": "c"}]']
    ]  # fmt: skip
    assert pool.info["import"]["remarks"] == ["1 of 3 samples of gpt has reasoning, kept in the column reasoning."]


@pytest.mark.parametrize("mark", [-9999, -9999.0, None, 0.5, "-1", True])
def test_a_log_probability_that_is_not_known_leaves_the_confidence_unknown(imported, mark):
    lines = [chat(f"q{q}-{s}", "4", logprobs=None) for q in (1, 2) for s in (0, 1)]
    for line, last in zip(lines, (mark, -2.0, 0, -1e3), strict=True):
        tokens = [{"token": "t", "logprob": value} for value in (-1.0, last)]
        line["response"]["body"]["choices"][0]["logprobs"] = {"content": tokens}
    pool = imported(*lines, warns="have no confidence, which votes need")
    np.testing.assert_allclose(pool.number("confidence"), [[[np.nan, -1.5], [-0.5, -500.5]]])


def test_an_empty_text_that_was_paid_for_is_a_sample(imported):
    line = chat("q1-1")
    line["response"]["body"]["choices"] = [{"text": None, "finish_reason": "length"}]
    warns = [
        "1 of 3 texts of gpt is empty, cut off",
        "range from 1 to 2",
        "no answer in 33.3%",
        "1 of 3 samples of gpt was",
    ]
    assert texts(imported(chat("q1-0", "4"), chat("q2-0", "9"), line, warns=warns)) == ["4", "", "9"]
