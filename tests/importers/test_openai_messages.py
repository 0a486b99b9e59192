"""Messages: text parts are joined, and thoughts, refusals and calls are kept apart."""

import json

import pytest

from mssim.importers.fields import Fields
from mssim.importers.openai_messages import read_message, read_output, thoughts


def message(**given):
    return read_message(Fields({"role": "assistant", **given}, "here"))


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("4", "4", None),
        (None, "", None),
        ([], "", None),
        (["It is ", {"type": "text", "text": "4"}], "It is 4", None),
        ([{"type": "text", "text": "It is "}, {"text": "4"}, {"type": "image_url", "image_url": {}}], "It is 4", None),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "4"}],
            "4",
            "hm",
        ),
        ([{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "4"}], "4", "hm"),
        ([{"type": "reasoning", "text": "so 5"}, {"type": "text", "text": "4"}], "4", "so 5"),
        ([{"type": "text", "text": "\ud8004"}], "\ufffd4", None),
    ],
)
def test_parts_of_a_content(content, text, reasoning):
    found = message(content=content)
    assert (found["text"], found["reasoning"]) == (text, reasoning)
    assert (found["refusal"], found["tool_calls"]) == (None, None)


@pytest.mark.parametrize(
    ("given", "reasoning"),
    [
        ({"reasoning_content": "hm"}, "hm"),
        ({"reasoning": "hm"}, "hm"),
        ({"reasoning_content": "hm", "reasoning": "hm"}, "hm"),
        ({"reasoning_content": None, "reasoning": "hm"}, "hm"),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "h"}, {"summary": "m"}]}, "hm"),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "?"}]}, None),
        ({"reasoning_content": ""}, None),
        ({"reasoning_content": 7}, None),
        ({"reasoning_content": "a\udfff"}, "a\ufffd"),
    ],
)  # fmt: skip
def test_reasoning_beside_the_content(given, reasoning):
    assert message(content="4", **given)["reasoning"] == reasoning


def test_refusals_and_calls():
    calls = [{"id": "1", "function": {"name": "f", "arguments": "\ud800"}}]
    found = message(content=None, refusal="I can not.", tool_calls=calls)
    assert (found["text"], found["refusal"]) == ("", "I can not.")
    assert json.loads(found["tool_calls"]) == [{"id": "1", "function": {"name": "f", "arguments": "\ufffd"}}]
    assert json.loads(message(function_call={"name": "f"})["tool_calls"]) == {"name": "f"}
    assert message(content=[{"type": "refusal", "refusal": "No."}])["refusal"] == "No."
    assert message(refusal=False, tool_calls=[])["refusal"] is None


def test_output_of_the_responses_api():
    said = {"type": "output_text", "text": "4", "logprobs": [{"logprob": -1}, {"logprob": None}]}
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "so"}]},
        {"type": "message", "content": [{"type": "refusal", "refusal": "No."}, said]},
        {"type": "function_call", "name": "f", "arguments": "{}"},
    ]
    found, logprobs = read_output(Fields({"output": output}, "here"))
    assert (found["text"], found["reasoning"], found["refusal"], logprobs) == ("4", "hm\nso", "No.", [-1, None])
    assert [call["name"] for call in json.loads(found["tool_calls"])] == ["f"]


def test_thoughts_of_anything_are_text_or_nothing():
    assert [thoughts(value) for value in (7, None, {}, [], [{"x": 1}], True)] == [None] * 6
