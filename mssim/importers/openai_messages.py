"""Messages of models in the protocols of OpenAI: text, and apart from it reasoning, refusal and tool calls."""

from __future__ import annotations

import json
from typing import Any

from mssim.importers.fields import Fields, as_text

__all__ = ["as_json", "read_message", "read_output", "thoughts"]

_TEXTS = (None, "text", "output_text", "input_text")  # types of parts of a content that are text
_THINKING = ("thinking", "reasoning", "reasoning_text", "summary_text", "reasoning.text", "reasoning.summary")
_REASONING = ("reasoning_content", "reasoning", "reasoning_text", "reasoning_details", "thinking")  # of a message
_INSIDE = ("thinking", "reasoning", "text", "summary", "content")  # keys of a part that hold its text


def read_message(message: Fields) -> dict[str, Any]:
    """Return the columns text, reasoning, refusal and tool_calls of a message; None for those that it lacks.

    Text parts of a content are joined. The text is empty if the model refused, only reasoned or only called tools.
    """
    content = message.value.get("content")
    parts = []
    if isinstance(content, list):  # some servers write texts as parts
        listed = [{"text": part} if isinstance(part, str) else part for part in content]
        parts = Fields({"content": listed}, message.place).parts("content")
    given = (thoughts(message.value.get(name)) for name in _REASONING)
    text = _joined(parts) if isinstance(content, list) else message.text("content")
    return {
        "text": text or "",
        "reasoning": next((thought for thought in given if thought), None) or _thinking(parts),
        "refusal": _refusal([message, *parts]),
        "tool_calls": as_json(message.value.get("tool_calls") or message.value.get("function_call")),
    }


def read_output(body: Fields) -> tuple[dict[str, Any], list[Any]]:
    """Return the same of a response of /v1/responses, and the log-probabilities of its tokens."""
    items = body.parts("output")
    parts = [part for item in items if item.value.get("type") == "message" for part in item.parts("content")]
    reasoned = [item.value for item in items if item.value.get("type") == "reasoning"]
    inside = [thoughts(item.get("content")) or thoughts(item.get("summary")) for item in reasoned]
    calls = [item.value for item in items if str(item.value.get("type")).endswith("_call")]
    said = {
        "text": _joined(parts),
        "reasoning": "\n".join(filter(None, inside)) or _thinking(parts),
        "refusal": _refusal(parts),
        "tool_calls": as_json(calls),
    }
    return said, [token.value.get("logprob") for part in parts for token in part.parts("logprobs")]


def _joined(parts: list[Fields]) -> str:
    return "".join(part.text("text") or "" for part in parts if part.value.get("type") in _TEXTS)


def _thinking(parts: list[Fields]) -> str | None:
    return "".join(thoughts(part.value) or "" for part in parts if part.value.get("type") in _THINKING) or None


def _refusal(given: list[Fields]) -> str | None:
    refusals = (part.value.get("refusal") for part in given)
    return "".join(as_text(refusal, "") for refusal in refusals if isinstance(refusal, str)) or None


def thoughts(value: Any) -> str | None:
    """Return the text of recorded reasoning, which is text, a part with text, or a list of them."""
    if isinstance(value, str):
        return as_text(value, "") or None
    if isinstance(value, list):
        return "".join(filter(None, map(thoughts, value))) or None
    if isinstance(value, dict):
        return next((found for found in (thoughts(value.get(name)) for name in _INSIDE) if found), None)
    return None


def as_json(calls: Any) -> str | None:
    """Return calls of tools as JSON text, or None if there are none."""
    return as_text(json.dumps(calls, ensure_ascii=False), "") if calls else None
