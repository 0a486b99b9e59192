"""Chat completions as servers send them: choices, failed choices, numbers of tokens, and what else arrives instead."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mssim.pools.endings import has_failed
from mssim.recorder.sampler import Choice, Reply, Request

__all__ = ["UnreadableError", "parse_body", "read_reply", "tokens_of"]

_SHOWN = 120  # characters of a reply in a reason
_KNOWN_AS_EMPTY = {
    "length",
    "content_filter",
    "tool_calls",
    "function_call",
}  # finish reasons that explain an empty text
_REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_details")  # of a message, in this order
_INSIDE = ("thinking", "reasoning", "text", "summary", "value")  # keys of a part that hold its text
_MOST_TOKENS = 2**40  # of a request; sums of millions of larger numbers do not fit into the journal
# Servers mark an unknown log-probability by -9999 or another number that no token has.
_LEAST_LOGPROB, _MOST_LOGPROB = -1000.0, 1e-5
_TOKENS = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))


class UnreadableError(ValueError):
    """A body that is not a chat completion. `repeatable` is whether the same request may get another one."""

    def __init__(self, reason: str, *, repeatable: bool = False) -> None:
        super().__init__(reason)
        self.repeatable = repeatable


def parse_body(content: bytes, content_type: str) -> Any:
    """Parse JSON. The message of an `UnreadableError` has the content type and the first characters of the body."""
    kind = content_type.split(";")[0].strip().lower() or "no content type"
    text = content.decode("utf-8", "replace")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        began = text[:_SHOWN].strip()
        if not began:
            raise UnreadableError("an empty body", repeatable=True) from None
        if "json" in kind:  # it may have been cut off
            raise UnreadableError(f"invalid JSON ({error or type(error).__name__}): {began}", repeatable=True) from None
        raise UnreadableError(f"{kind}, not JSON: {began}") from None


def tokens_of(content: bytes) -> tuple[int | None, int | None]:
    """Return the numbers of input and output tokens in a body of any kind, such as events, None if unknown."""
    if b'"usage"' not in content:
        return None, None
    found: tuple[int | None, int | None] = (None, None)
    text = content.decode("utf-8", "replace")
    for line in (text, *text.splitlines()):
        try:
            body = json.loads(line.removeprefix("data:"))
        except (ValueError, RecursionError):
            continue
        for one in body if isinstance(body, list) else [body]:
            if isinstance(one, dict) and isinstance(one.get("usage"), dict):
                found = _usage(one)
        if line is text:
            break
    return found


def read_reply(
    body: Any, request: Request, request_id: str | None = None, clean: Callable[[str], str] = lambda text: text
) -> Reply:
    """Parse a chat completion. Raise `UnreadableError` for any other JSON. `clean` is applied to all names."""
    if not isinstance(body, dict) or not isinstance(choices := body.get("choices"), list | None):
        shown = json.dumps(body)[:_SHOWN]
        raise UnreadableError(f"not a chat completion, since it has no list of choices: {shown}")
    error = body.get("error")
    if not choices and error:
        raise UnreadableError(f"it has an error instead of choices: {_message(error)}", repeatable=True)
    tokens = _usage(body)
    if error:
        return Reply((), *tokens, error=clean(f"the generation failed: {_message(error)}"))
    read = [_choice(choice, tokens[1], clean) for choice in (choices or [])[: request.n]]
    failed = [one for one in read if isinstance(one, str)]

    def name(value: Any) -> str | None:
        return clean(value) if isinstance(value, str) else None

    return Reply(
        choices=tuple(one for one in read if isinstance(one, Choice)),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        served_model=name(body.get("model")),
        fingerprint=name(body.get("system_fingerprint")),
        request_id=name(request_id or body.get("id")),
        error=clean(failed[0]) if failed else None,
    )


def _usage(body: Mapping[str, Any]) -> tuple[int | None, int | None]:
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    inputs, outputs = (
        next((n for name in names if (n := _count(usage.get(name))) is not None), None) for names in _TOKENS
    )
    total = _count(usage.get("total_tokens"))
    if outputs is None and total is not None and inputs is not None and total >= inputs:
        outputs = total - inputs
    return inputs, outputs


def _choice(choice: Any, reported: int | None, clean: Callable[[str], str]) -> Choice | str:
    """Return a sample, or the reason why the generation failed."""
    if not isinstance(choice, dict):
        raise UnreadableError(f"a choice is not an object: {json.dumps(choice)[:_SHOWN]}")
    ended = choice.get("finish_reason")
    ended = clean(ended) if isinstance(ended, str) else None
    message = choice.get("message")
    if error := choice.get("error") or (message.get("error") if isinstance(message, dict) else None):
        return f"the generation failed: {_message(error)}"
    if has_failed(ended):
        return f"the generation failed (finish_reason {ended})"
    if not isinstance(message, dict):
        raise UnreadableError(f"a choice has no message: {json.dumps(choice)[:_SHOWN]}")
    content = message.get("content")
    text, thought, refused = _parts(content)
    beside = (_strings(message.get(name)) for name in _REASONING)
    reasoning = _joined([*thought, *next((texts for texts in beside if texts), ())])
    refusal = _joined([*refused, *_strings(message.get("refusal"))])
    tools = message.get("tool_calls") or message.get("function_call")
    empty = not (text or reasoning or refusal or tools)
    if empty and not reported and (content is None or (reported is None and ended not in _KNOWN_AS_EMPTY)):
        return f"the response has no content and no number of tokens (finish_reason {ended or 'missing'})"
    logprobs = _logprobs(choice.get("logprobs"))
    known = None not in logprobs
    return Choice(
        text=text,
        finish_reason=ended,
        confidence=sum(logprobs) / len(logprobs) if logprobs and known else None,  # type: ignore[arg-type]
        output_tokens=len(logprobs) or None,
        reasoning=reasoning,
        refusal=refusal,
        tool_calls=json.dumps(tools, ensure_ascii=False) if tools else None,
    )


def _parts(content: Any) -> tuple[str, list[str], list[str]]:
    """Return the text of a content, its thinking parts and its refusals."""
    if content is None or isinstance(content, str):
        return content or "", [], []
    content = [content] if isinstance(content, dict) else content
    if not isinstance(content, list):
        raise UnreadableError(f"a choice has no message with text: {json.dumps(content)[:_SHOWN]}")
    texts: list[str] = []
    thought: list[str] = []
    refused: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            raise UnreadableError(f"a part of a message has no type: {json.dumps(part)[:_SHOWN]}")
        if kind in ("thinking", "reasoning"):
            thought += _strings(part)
        elif kind == "refusal":
            refused += _strings(part.get("refusal"))
        elif kind in ("text", "output_text"):
            texts += _strings(part.get("text"))
    return "".join(texts), thought, refused


def _strings(value: Any) -> list[str]:
    """Return the texts in a text, a part or a list of parts."""
    if isinstance(value, list):
        return [text for one in value for text in _strings(one)]
    if isinstance(value, dict):
        return next((texts for texts in (_strings(value.get(name)) for name in _INSIDE) if texts), [])
    return [value] if isinstance(value, str) and value else []


def _joined(texts: Iterable[str]) -> str | None:
    return "".join(texts) or None


def _message(error: Any) -> str:
    said = error.get("message") if isinstance(error, dict) else error
    return said if said and isinstance(said, str) else str(error)


def _logprobs(given: Any) -> list[float | None]:
    """Return the log-probability of each token, None if it is unknown."""
    tokens = given.get("content") if isinstance(given, dict) else None
    if not isinstance(tokens, list):
        return []
    values = [token.get("logprob") if isinstance(token, dict) else None for token in tokens]
    return [_known(value) for value in values]


def _known(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number and _LEAST_LOGPROB < value <= _MOST_LOGPROB else None


def _count(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS else None
