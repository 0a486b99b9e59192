"""Replies in the form of OpenAI's API."""

import json

import pytest

from mssim.live.answered import Answered
from mssim.live.chat_replies import completion, error_body, events, model_list, to_json
from mssim.live.chat_requests import ChatRequest, RefusedError

USER = {"role": "user", "content": "What is 6 x 7?"}
FIRST = Answered("q-1", "It is 42.", "42", "agreement", {"42": 2}, {"a": 2}, 2, 20, 8, 0.5, "stop")
SECOND = Answered("q-2", "It is", None, "budget", {}, {"a": 2, "b": 2}, 4, 40, 16, None, "length")


def asked(**fields):
    return ChatRequest("mssim", (USER,), **fields)


def sent(request, answers):
    """The events of a stream; the last is [DONE]."""
    lines = b"".join(events(request, answers, {"strategy": "sc:a"})).decode("ascii").split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def test_a_completion_has_a_choice_for_each_run_and_the_sum_of_all_tokens():
    found = completion(asked(n=2, ignored={"temperature": 0}), [FIRST, SECOND], {"strategy": "sc:a"})
    assert (found["object"], found["model"], found["id"]) == ("chat.completion", "mssim", "chatcmpl-q-1")
    assert found["usage"] == {"prompt_tokens": 60, "completion_tokens": 24, "total_tokens": 84}
    assert found["mssim"] == {"strategy": "sc:a", "samples_used": 6, "ignored": {"temperature": 0}}
    first, second = found["choices"]
    assert first["message"] == {"role": "assistant", "content": "It is 42.", "refusal": None}
    assert (first["index"], first["finish_reason"], second["index"], second["finish_reason"]) == (
        0,
        "stop",
        1,
        "length",
    )
    assert first["mssim"] == {
        "question_id": "q-1",
        "answer": "42",
        "votes": {"42": 2},
        "samples_used": 2,
        "models": {"a": 2},
        "stopped": "agreement",
        "cost": 0.5,
    }
    assert second["mssim"]["answer"] is None


@pytest.mark.parametrize("lacking", ["input_tokens", "output_tokens"])
def test_usage_is_unknown_if_the_tokens_of_one_call_are(lacking):
    unknown = Answered(
        "q", "", None, "budget", {}, {"a": 1}, 1, **{"input_tokens": 1, "output_tokens": 1, lacking: None}
    )
    assert completion(asked(n=2), [FIRST, unknown], {})["usage"] is None


def test_a_finish_reason_that_is_unknown_is_stop():
    one = Answered("q", "", None, "budget", {}, {"a": 1}, 1)
    assert completion(asked(), [one], {})["choices"][0]["finish_reason"] == "stop"
    assert sent(asked(stream=True), [one])[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_stream_has_each_text_in_one_piece_and_ends_with_the_usage():
    pieces = sent(asked(n=2, stream=True, include_usage=True), [FIRST, SECOND])
    whole = completion(asked(n=2), [FIRST, SECOND], {"strategy": "sc:a"})
    assert [piece["object"] for piece in pieces] == ["chat.completion.chunk"] * 5
    assert pieces[-1]["choices"] == []
    assert pieces[-1]["usage"] == whole["usage"]
    assert [piece["usage"] for piece in pieces[:-1]] == [None] * 4
    assert pieces[3]["mssim"] == whole["mssim"]
    for place, one in enumerate(whole["choices"]):
        text, end = (piece["choices"][0] for piece in pieces[2 * place : 2 * place + 2])
        assert text["delta"] == {"role": "assistant", "content": one["message"]["content"]}
        assert (text["index"], text["finish_reason"], end["delta"]) == (place, None, {})
        assert (end["finish_reason"], end["mssim"]) == (one["finish_reason"], one["mssim"])


def test_a_stream_without_usage_does_not_mention_it():
    assert all("usage" not in piece for piece in sent(asked(stream=True), [FIRST]))


def test_errors_have_the_four_fields_of_openai():
    refused = RefusedError("Wait.", 503, kind="server_error", param="n", code="upstream_failed")
    assert error_body(refused) == {
        "error": {"message": "Wait.", "type": "server_error", "param": "n", "code": "upstream_failed"}
    }


def test_models():
    found = model_list(["a", "b"], 7)
    assert found["object"] == "list"
    assert [(one["id"], one["created"]) for one in found["data"]] == [("a", 7), ("b", 7)]


def test_texts_that_have_no_utf_8_are_sent_as_escapes():
    assert json.loads(to_json({"text": "\ud800é"})) == {"text": "\ud800é"}
    with pytest.raises(ValueError, match="JSON"):
        to_json({"cost": float("nan")})
