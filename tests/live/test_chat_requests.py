"""What is read of a request for a chat completion, what is ignored and what is refused."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim.live.chat_requests import ChatRequest, RefusedError, read_request
from tests.conftest import examples

USER = {"role": "user", "content": "What is 6 x 7?"}


def read(plan=None, **fields):
    return read_request(json.dumps({"model": "mssim", "messages": [USER], **fields}).encode(), plan or {})


def refusal(plan=None, **fields):
    with pytest.raises(RefusedError) as caught:
        read(plan, **fields)
    assert (caught.value.status, caught.value.kind) == (400, "invalid_request_error")
    return caught.value


def test_a_plain_request_has_the_defaults():
    assert read() == ChatRequest("mssim", (USER,), 1, None, False, False, {})


def test_what_a_strategy_can_do_is_read():
    asked = read(n=3, seed=-7, stream=True, stream_options={"include_usage": True})
    assert (asked.n, asked.seed, asked.stream, asked.include_usage) == (3, -7, True, True)


def test_null_is_as_good_as_absent():
    fields = ("n", "seed", "stream", "stream_options", "temperature", "stop", "tools", "logprobs", "whatever")
    assert read(**dict.fromkeys(fields)) == read()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a\nb", "a\nb"),
        ("", ""),
        ([{"type": "text", "text": "a"}], "a"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
    ],
)
def test_text_of_messages(content, text):
    given = [{"role": "system", "content": "Be brief."}, {"role": "user", "name": "ann", "content": content}]
    assert read(messages=given).messages == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "name": "ann", "content": text},
    )


def test_empty_fields_of_earlier_replies_are_dropped():
    reply = {"role": "assistant", "content": "42", "refusal": None, "tool_calls": [], "annotations": []}
    assert read(messages=[USER, reply]).messages == (USER, {"role": "assistant", "content": "42"})


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ("What is 6 x 7?", "messages"),
        ({"role": "user"}, "messages"),
        (["What?"], "messages[0]"),
        ([USER, {"content": "a"}], "messages[1].role"),
        ([{"role": "judge", "content": "a"}], "messages[0].role"),
        ([{"role": "tool", "content": "a", "tool_call_id": "1"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": None}], "messages[0].content"),
        ([{"role": "user", "content": 42}], "messages[0].content"),
        ([{"role": "user", "content": []}], "messages[0].content"),
        ([{"role": "user", "content": "a\ud800"}], "messages[0].content"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "text", "text": ["a"]}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "messages[0].content[0]"),
        ([{"role": "user", "content": ["a"]}], "messages[0].content[0]"),
        ([{"role": "user", "content": "a", "name": 1}], "messages[0].name"),
        ([{"role": "assistant", "content": "a", "tool_calls": [{}]}], "messages[0].tool_calls"),
    ],
)
def test_messages_that_are_refused(messages, param):
    refused = refusal(messages=messages)
    assert refused.param == param
    assert refused.message.startswith(param)


def test_images_are_refused_by_name():
    content = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:..."}}]
    assert refusal(messages=[{"role": "user", "content": content}]).message == (
        "messages[0].content[1]: type 'image_url' is not supported. Send parts of type 'text' only, without images "
        "and files."
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", None),
        ("model", ""),
        ("model", 3),
        ("n", 0),
        ("n", 129),
        ("n", True),
        ("n", 1.0),
        ("n", "2"),
        ("seed", 1.5),
        ("seed", True),
        ("seed", 2**63),
        ("stream", 1),
        ("stream", "true"),
        ("temperature", "hot"),
        ("temperature", False),
        ("top_p", []),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("max_completion_tokens", "8"),
        ("stop", 3),
        ("stop", ["a", 3]),
    ],
)
def test_wrong_types_and_values(field, value):
    refused = refusal(**{field: value})
    assert refused.param == field
    assert refused.message.startswith(f"{field} is missing" if value is None else f"{field}={value!r} is not allowed")


def test_a_number_that_no_float_can_hold_is_refused():
    assert refusal(temperature=10**400).param == "temperature"


def test_options_of_a_stream():
    assert refusal(stream=True, stream_options=[]).param == "stream_options"
    assert refusal(stream=True, stream_options={"include_usage": 1}).param == "stream_options.include_usage"
    assert refusal(stream_options={"include_usage": True}).param == "stream_options"
    assert read(stream=True, stream_options={}).include_usage is False


# Settings of the models -----------------------------------------------------------------------------------------------


def test_what_tools_send_with_every_request_is_ignored_and_listed():
    sent = {"temperature": 0, "top_p": 0.9, "max_tokens": 64, "stop": ["\n"], "presence_penalty": 0}
    assert read(**sent).ignored == sent


def test_what_repeats_the_plan_is_not_ignored():
    plan = {"temperature": 1.0, "max_tokens": 64, "stop": ["\n"], "top_k": 0}
    assert read(plan, temperature=1, max_tokens=64, stop=["\n"], top_k=0).ignored == {}
    assert read(plan, temperature=0.7, max_tokens=64).ignored == {"temperature": 0.7}
    assert refusal(plan, top_k=40).param == "top_k"
    assert refusal(plan, top_k=False).param == "top_k"  # which Python takes for 0


def test_labels_are_neither_used_nor_listed():
    labels = {"user": "ann", "metadata": {"run": "1"}, "store": False, "parallel_tool_calls": True}
    assert read(**labels).ignored == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [], "tool_choice": "auto", "functions": [], "function_call": "none"},
        {"response_format": {"type": "text"}, "modalities": ["text"], "logit_bias": {}},
        {"logprobs": False, "top_logprobs": 0},
    ],
)
def test_fields_that_ask_for_nothing(fields):
    assert read(**fields) == read()


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("tools", [{"type": "function"}], "a strategy calls no tools"),
        ("tool_choice", "required", "the settings of the models"),
        ("response_format", {"type": "json_object"}, "whose form is not enforced"),
        ("logprobs", True, "has no log-probabilities"),
        ("top_logprobs", 5, "has no log-probabilities"),
        ("logit_bias", {"50256": -100}, "the settings of the models"),
        ("modalities", ["text", "audio"], "the settings of the models"),
        ("reasoning_effort", "high", "the settings of the models"),
        ("top_q", 0, "the settings of the models"),
    ],
)
def test_anything_else_is_refused(field, value, why):
    refused = refusal(**{field: value})
    assert (refused.param, refused.code) == (field, "unsupported_value")
    assert why in refused.message


def test_long_values_are_cut_in_messages():
    assert len(refusal(tools=["x" * 10_000]).message) < 200


# Bodies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"model": NaN}',
        b"[" * 100_000,
        b'{"n": ' + b"1" * 5000 + b"}",
        b"[]",
        b'"text"',
        b"null",
    ],
    ids=str,
)
def test_bodies_that_are_no_json_object(body):
    with pytest.raises(RefusedError, match="The body of the request is not") as caught:
        read_request(body, {})
    assert caught.value.status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["model", "messages", "n", "seed", "stream", "stream_options", "temperature", "stop", "tools", "max_tokens"]
)


@pytest.mark.slow
@settings(max_examples=examples(100))
@given(st.dictionaries(FIELDS, JSON), JSON)
def test_any_json_is_read_or_refused(fields, content):
    body = {"model": "mssim", "messages": [{"role": "user", "content": content}], **fields}
    with suppress(RefusedError):
        asked = read_request(json.dumps(body).encode(), {})
        json.dumps(asked.ignored, allow_nan=False)
        "".join(message["content"] for message in asked.messages).encode()


def test_largest_values():
    asked = read(n=128, seed=2**63 - 1)
    assert (asked.n, asked.seed) == (128, 2**63 - 1)
    assert read(seed=-(2**63)).seed == -(2**63)
    assert ChatRequest("mssim", (USER,)).n == 1


def test_roles_are_named():
    refused = refusal(messages=[{"role": "judge", "content": "a"}])
    assert refused.message.endswith("is not allowed. It must be system, developer, user or assistant.")
