"""Bodies of requests and responses of /v1/chat/completions, /v1/completions and /v1/responses."""

from __future__ import annotations

from typing import Any

from mssim.importers.fields import Fields, as_text

__all__ = ["choices", "failure", "settings", "shared"]


def failure(line: Fields, response: Fields, body: Fields) -> str | None:
    """Return the reason why a line of a batch has no sample, or None if it has one."""
    status = response.count("status_code") or 200
    error = line.value.get("error") or body.value.get("error")
    if error or status >= 400:
        return (f"HTTP {status}" if status >= 400 else "error") + _code(error)
    if not response.value:
        return "no response"
    return None if body.value.get("choices") or body.value.get("output") else "no choice"


def _code(error: Any) -> str:
    """Return the code or type of an error, which unlike its message has few values."""
    while isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    kinds = [error.get("code"), error.get("type")] if isinstance(error, dict) else []
    kind = next((" ".join(as_text(kind, "").split())[:60] for kind in kinds if isinstance(kind, str) and kind), "")
    return f" ({kind})" if kind else ""


def choices(body: Fields) -> list[dict[str, Any]]:
    """Return the samples of a response."""
    if body.value.get("choices"):
        return [_choice(choice) for choice in body.parts("choices")]
    messages = [item for item in body.parts("output") if item.value.get("type") == "message"]
    content = [part for message in messages for part in message.parts("content")]
    text = "".join(part.text("text") or "" for part in content)
    finish = body.part("incomplete_details").text("reason") or body.text("status")
    return [_sample(text, finish, [token.number("logprob") for part in content for token in part.parts("logprobs")])]


def _choice(choice: Fields) -> dict[str, Any]:
    logprobs = choice.part("logprobs")
    if "message" in choice:
        text = _content(choice.part("message"))
        tokens = [token.number("logprob") for token in logprobs.parts("content")]
    else:
        text = choice.text("text", required=True) or ""
        tokens = logprobs.numbers("token_logprobs")
    return _sample(text, choice.text("finish_reason"), tokens)


def _sample(text: str, finish_reason: str | None, logprobs: list[float | None]) -> dict[str, Any]:
    known = [value for value in logprobs if value is not None]
    confidence = sum(known) / len(known) if known and len(known) == len(logprobs) else None
    tokens = len(logprobs) or None
    return {"text": text, "finish_reason": finish_reason, "confidence": confidence, "output_tokens": tokens}


def _content(message: Fields) -> str:
    """Return the text of a message, empty if the model refused or only reasoned."""
    if isinstance(message.value.get("content"), list):
        return "".join(part.text("text") or "" for part in message.parts("content"))
    return message.text("content") or ""


def shared(response: Fields, body: Fields, n: int) -> dict[str, Any]:
    """Return the columns that all choices of a response share. Tokens are reported per response."""
    usage = body.part("usage")
    of_request = "" if n == 1 else "request_"
    shared: dict[str, Any] = {"served_model": body.text("model"), "fingerprint": body.text("system_fingerprint")}
    shared["request_id"] = response.text("request_id") or body.text("id")
    shared[f"{of_request}input_tokens"] = usage.count("prompt_tokens" if "prompt_tokens" in usage else "input_tokens")
    output = usage.count("completion_tokens" if "completion_tokens" in usage else "output_tokens")
    return {**shared, f"{of_request}output_tokens": output, **({"request_samples": n} if of_request else {})}


def settings(body: Fields) -> dict[str, Any]:
    """Return the settings of a request as columns of its samples."""
    lengths = (body.count(name) for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"))
    messages = body.parts("messages") or (body.parts("input") if isinstance(body.value.get("input"), list) else [])
    system = [_content(message) for message in messages if message.value.get("role") in ("system", "developer")]
    top_k = body.number("top_k")
    return {
        "temperature": body.number("temperature"),
        "top_p": body.number("top_p"),
        "top_k": int(top_k) if top_k is not None and 0 < top_k < 2**53 else None,  # -1 means no limit
        "max_tokens": next((length for length in lengths if length is not None), None),
        "reasoning_effort": body.text("reasoning_effort") or body.part("reasoning").text("effort"),
        "system_prompt": "\n".join(system) or body.text("instructions"),
    }
