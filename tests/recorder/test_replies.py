"""What is read of a chat completion, and what of anything else that a server sends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.recorder import Request
from mssim.recorder.replies import UnreadableError, parse_body, read_reply, tokens_of

ASKED = Request("m", [{"role": "user", "content": "What is 6 x 7?"}], n=2)
USAGE = {"prompt_tokens": 9, "completion_tokens": 4}


def read(message, usage=USAGE, **choice):
    body = {"choices": [{"message": message, **choice}], "usage": usage}
    return read_reply(json.loads(json.dumps(body)), ASKED)


def only(message, **more):
    (choice,) = read(message, **more).choices
    return choice


@pytest.mark.parametrize(
    ("content", "text", "reasoning", "refusal"),
    [
        ([{"type": "text", "text": "It is "}, {"type": "text", "text": "42"}], "It is 42", None, None),
        ([{"type": "output_text", "text": "42"}, "!"], "42!", None, None),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "6 x 7"}]}, {"type": "text", "text": "42"}],
            *("42", "6 x 7", None),
        ),
        ([{"type": "reasoning", "reasoning": "6 x 7"}, {"type": "text", "text": "42"}], "42", "6 x 7", None),
        ([{"type": "thinking", "thinking": "6 x 7"}], "", "6 x 7", None),
        ([{"type": "refusal", "refusal": "No."}], "", None, "No."),
        ([{"type": "image_url", "image_url": {}}, {"type": "text", "text": "42"}], "42", None, None),
        ({"type": "text", "text": "42"}, "42", None, None),
        ([], "", None, None),
    ],
)
def test_text_parts_are_joined_and_other_parts_kept_apart(content, text, reasoning, refusal):
    choice = only({"content": content})
    assert (choice.text, choice.reasoning, choice.refusal) == (text, reasoning, refusal)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ({"content": "42", "reasoning_content": "6 x 7"}, ("42", "6 x 7", None, None)),
        ({"content": "42", "reasoning": "6 x 7"}, ("42", "6 x 7", None, None)),
        ({"content": "42", "thinking": "6 x 7"}, ("42", "6 x 7", None, None)),
        (
            {"content": "", "reasoning_details": [{"type": "reasoning.summary", "summary": "6 x 7"}, {"data": "?"}]},
            ("", "6 x 7", None, None),
        ),
        (
            {"content": "42", "reasoning": "6 x 7", "reasoning_details": [{"text": "6 x 7"}]},
            ("42", "6 x 7", None, None),
        ),
        ({"content": None, "refusal": "No."}, ("", None, "No.", None)),
        ({"content": None, "tool_calls": [{"id": "é"}]}, ("", None, None, '[{"id": "é"}]')),
        ({"function_call": {"name": "f"}}, ("", None, None, '{"name": "f"}')),
        ({"content": "42", "tool_calls": [], "refusal": "", "reasoning": None}, ("42", None, None, None)),
    ],
)
def test_what_a_message_has_besides_its_text_is_kept(message, kept):
    choice = only(message, usage=None)
    assert (choice.text, choice.reasoning, choice.refusal, choice.tool_calls) == kept


@pytest.mark.parametrize(
    ("message", "choice", "reason"),
    [
        ({"content": ""}, {"finish_reason": "error", "error": {"code": 500, "message": "GPU lost"}}, "GPU lost"),
        ({"content": "It is"}, {"finish_reason": "stop", "error": {"message": "GPU lost"}}, "GPU lost"),
        ({"content": "It is"}, {"finish_reason": "content_filter", "error": "blocked"}, "blocked"),
        ({"content": "It is"}, {"error": {"code": 502}}, "{'code': 502}"),
        ({"content": "It is"}, {"finish_reason": "error"}, "(finish_reason error)"),
        ({"content": "It is"}, {"finish_reason": "network_error"}, "(finish_reason network_error)"),
        ({"content": "It is"}, {"finish_reason": "abort"}, "(finish_reason abort)"),
        (None, {"error": {"message": "GPU lost"}}, "GPU lost"),
    ],
)
def test_a_choice_with_an_error_is_no_sample(message, choice, reason):
    reply = read(message, **choice)
    assert reply.choices == ()
    assert reply.error.startswith("the generation failed")
    assert reply.error.endswith(reason)
    assert (reply.input_tokens, reply.output_tokens) == (9, 4)


@pytest.mark.parametrize(
    ("content", "usage", "ended", "kept"),
    [
        (None, None, "stop", False),
        (None, {"completion_tokens": 0}, "stop", False),
        (None, {"completion_tokens": 3}, "stop", True),
        ("", None, "stop", False),
        ("", None, "length", True),
        ("", {"completion_tokens": 0}, "stop", True),
    ],
)
def test_a_choice_without_content_and_tokens_is_no_sample(content, usage, ended, kept):
    reply = read({"content": content}, usage=usage, finish_reason=ended)
    assert bool(reply.choices) == kept
    assert (reply.error is None) == kept


def test_an_error_beside_the_choices_is_one_of_all_of_them():
    reply = read_reply(
        {"choices": [{"message": {"content": "It"}}], "usage": USAGE, "error": {"message": "cut"}}, ASKED
    )
    assert (reply.choices, reply.error, reply.output_tokens) == ((), "the generation failed: cut", 4)


def test_choices_that_did_not_fail_are_kept():
    choices = [{"error": {"message": "GPU lost"}}, {"message": {"content": "42"}}]
    reply = read_reply({"choices": choices, "usage": USAGE}, ASKED)
    assert [choice.text for choice in reply.choices] == ["42"]
    assert reply.error == "the generation failed: GPU lost"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 9, "output_tokens": 4}, (9, 4)),
        ({"prompt_tokens": 9, "total_tokens": 13}, (9, 4)),
        ({"prompt_tokens": 9.0, "completion_tokens": 4.5}, (9, None)),
        ({"prompt_tokens": -1, "completion_tokens": True}, (None, None)),
        ({"prompt_tokens": 2**40, "completion_tokens": 2.0**40}, (None, None)),
    ],
)
def test_names_of_usage(usage, expected):
    reply = read({"content": "42"}, usage=usage)
    assert (reply.input_tokens, reply.output_tokens) == expected


@pytest.mark.parametrize(
    ("content", "kind", "says", "again"),
    [
        (b'data: {"x": 1}\n\n', "text/event-stream; q=1", 'text/event-stream, not JSON: data: {"x": 1}', False),
        (b"<html>Log in", "text/html", "text/html, not JSON: <html>Log in", False),
        (b"Busy", "", "no content type, not JSON: Busy", False),
        (b" ", "text/html", "an empty body", True),
        (b'{"choices": [', "application/json", "invalid JSON (Expecting value", True),
        (b"[" * 10**5, "application/json", "invalid JSON (", True),
    ],
)  # fmt: skip
def test_a_body_that_is_not_json_is_named_by_its_type_and_beginning(content, kind, says, again):
    with pytest.raises(UnreadableError) as failure:
        parse_body(content, kind)
    assert str(failure.value).startswith(says)
    assert len(str(failure.value)) < 300
    assert failure.value.repeatable == again


@pytest.mark.parametrize("body", [[], {}, {"choices": "x"}, {"choices": ["x"]}, {"choices": [{"message": "x"}]}])
def test_a_body_of_another_shape_shows_its_beginning(body):
    if body == {}:
        assert read_reply(body, ASKED).choices == ()
        return
    with pytest.raises(UnreadableError) as failure:
        read_reply(body, ASKED)
    assert not failure.value.repeatable
    assert "x" in str(failure.value) or body == []


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"usage": USAGE}).encode(),
        json.dumps([{"usage": USAGE}]).encode(),
        b'data: {"a": 1}\n\ndata: ' + json.dumps({"usage": USAGE}).encode() + b"\n\ndata: [DONE]\n",
        json.dumps({"usage": USAGE}).encode() + b"\n\ndata: [DONE]\n",
    ],
)
def test_tokens_are_found_in_bodies_of_any_shape(content):
    assert tokens_of(content) == (9, 4)


@pytest.mark.parametrize("content", [b"", b'{"usage": ', b'{"usage": 3}', b'"usage"', b"\xff"])
def test_bodies_without_tokens(content):
    assert tokens_of(content) == (None, None)


KEYS = ["message", "content", "logprobs", "logprob", "finish_reason", "usage", "error", "type", "text", "thinking"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)
PART = st.fixed_dictionaries({"type": st.sampled_from(["text", "thinking", "refusal", "x"])}, optional={"text": JSON})
CHOICE = st.fixed_dictionaries(
    {"message": st.fixed_dictionaries({"content": st.text() | st.lists(PART) | JSON}, optional={"reasoning": JSON})},
    optional={"logprobs": st.fixed_dictionaries({"content": JSON}), "finish_reason": JSON, "error": JSON},
)
COMPLETION = st.fixed_dictionaries({"choices": st.lists(CHOICE, max_size=3)}, optional={"usage": JSON, "model": JSON})


@pytest.mark.slow
@given(COMPLETION | JSON)
def test_any_json_is_a_reply_or_unreadable(body):
    try:
        reply = read_reply(body, ASKED)
    except UnreadableError:
        return
    for choice in reply.choices:
        assert isinstance(choice.text, str)
        assert choice.confidence is None or -1000 < choice.confidence <= 1e-5
