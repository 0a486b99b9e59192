"""Requests and responses of the OpenAI API: texts, tokens, settings and failures."""

import numpy as np

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
        given = chat(custom_id, "4", "4")
        for choice in given["response"]["body"]["choices"]:
            choice["logprobs"] = {"content": [{"token": "a", "logprob": v} for v in values], "refusal": None}
        return given

    pool = imported(line("q1", -1.0, -2.0), line("q2", -0.5, -0.5, 0.0, -3))
    np.testing.assert_allclose(pool.numbers["confidence"], [[[-1.5, -1.5], [-1.0, -1.0]]])
    assert pool.numbers["output_tokens"].tolist() == [[[2.0, 2.0], [4.0, 4.0]]]
    pool = imported(line("q1", -1.0, -2.0), line("q2", -1.0, None), warns="have no confidence, which votes need")
    assert "confidence" not in pool.numbers
    np.testing.assert_allclose(pool.number("confidence_of_some"), [[[-1.5, -1.5], [np.nan, np.nan]]])


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
        "HTTP 400 (BadRequestError)": 1, "error (batch_expired)": 1, "error": 2, "no response": 1,
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
