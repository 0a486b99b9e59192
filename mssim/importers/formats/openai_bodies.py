"""Bodies of requests and responses of /v1/chat/completions, /v1/completions and /v1/responses."""

from __future__ import annotations

from typing import Any

from mssim.importers.fields import Fields, as_text, mean_logprob
from mssim.importers.openai_messages import read_message, read_output
from mssim.pools.endings import has_failed

__all__ = ["body_of", "failure", "outcomes", "settings", "shared"]

_ENDED = ("completed", "incomplete")  # states of responses with output
_LONGEST = 100  # characters of a reason
_SAYING = ("message", "detail", "error", "code", "type")  # keys of an error
_SYSTEM = ("system", "developer")


def body_of(response: Fields) -> Fields:
    """Return the body of a response. vLLM before 0.5.1 wrote the body itself as the response."""
    direct = "body" not in response and ("choices" in response or "output" in response)
    return response if direct else response.part("body")


def failure(line: Fields, response: Fields, body: Fields) -> str | None:
    """Return the reason why a line of a batch has no sample, or None if it has one."""
    error = line.value.get("error") or body.value.get("error")
    status = response.count("status_code") or _status(error)
    if status >= 400:
        said = _code(error) or _message(error)
        return f"HTTP {status}{said if said.startswith(' (') else said and f': {said}'}"
    if error:
        return _reason(error)
    if not response.value:
        return "no response"
    if not body.value.get("choices") and isinstance(state := body.value.get("status"), str) and state not in _ENDED:
        return f"status {as_text(state, '')[:40]}"
    if body.value.get("choices") or body.value.get("output") or _cut(body):
        return None
    listed = isinstance(body.value.get("data"), list) or isinstance(body.value.get("results"), list)
    return "embeddings or scores, not texts" if listed else "no choice"


def _cut(body: Fields) -> bool:
    """Return whether a response without output was cut off in mid-reasoning, which is paid for."""
    return body.value.get("status") == "incomplete" and _is_used(body)


def _reason(error: Any) -> str:
    """Return a short reason with the code or type of an error, or else with its message."""
    code = _code(error)
    message = "" if code else _message(error)
    return f"error: {message}" if message else f"error{code}"


def _inner(error: Any) -> Any:
    while isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    return error


def _status(error: Any) -> int:
    """Return the HTTP status that an error has as its code, or 200."""
    error = _inner(error)
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 200


def _code(error: Any) -> str:
    """Return the code or type of an error, which unlike its message has few values."""
    error = _inner(error)
    kinds = [error.get("code"), error.get("type")] if isinstance(error, dict) else []
    kind = next((_line(kind, 60) for kind in kinds if isinstance(kind, str) and kind), "")
    return f" ({kind})" if kind else ""


def _message(error: Any) -> str:
    """Return the message of an error, or else its code."""
    error = _inner(error)
    given = [error.get(name) for name in _SAYING] if isinstance(error, dict) else [error]
    texts = (str(value) for value in given if isinstance(value, str | int) and not isinstance(value, bool))
    return next((_line(text, _LONGEST) for text in texts if text.strip()), "")


def _line(text: str, most: int) -> str:
    return " ".join(as_text(text, "").split())[:most].strip()


def outcomes(body: Fields) -> list[dict[str, Any] | str]:
    """Return for each choice of a response its sample, or the reason why its generation failed."""
    used = _is_used(body)
    if body.value.get("choices"):
        return [_choice(choice, used=used) for choice in body.parts("choices")]
    said, logprobs = read_output(body)
    finish = body.part("incomplete_details").text("reason") or body.text("status")
    return [_sample(said, finish, logprobs, used=used)]


def _choice(choice: Fields, *, used: bool) -> dict[str, Any] | str:
    finish, message = choice.text("finish_reason"), choice.value.get("message")
    error = choice.value.get("error") or (message.get("error") if isinstance(message, dict) else None)
    failed = has_failed(finish)
    if error or failed:
        said = _message(error)
        without = f"finish_reason {_line(finish or '', 60)}" if failed else "error without a message"
        return f"error: {said}" if said else without
    if "message" not in choice and "message" in choice.value:
        return "no message"
    logprobs = choice.part("logprobs")
    if "message" in choice:
        tokens = [token.value.get("logprob") for token in logprobs.parts("content")]
        return _sample(read_message(choice.part("message")), finish, tokens, used=used)
    text = choice.text("text", required=used and "text" not in choice.value) or ""
    return _sample({"text": text}, finish, logprobs.values("token_logprobs"), used=used)


def _sample(said: dict[str, Any], finish: str | None, logprobs: list[Any], *, used: bool) -> dict[str, Any] | str:
    if not used and not logprobs and not any(said.values()):
        return "no content and no usage" + (f" (finish_reason {_line(finish, 60)})" if finish else "")
    counts = {"confidence": mean_logprob(logprobs), "output_tokens": len(logprobs) or None}
    return {**said, "finish_reason": finish, **counts}


def _is_used(body: Fields) -> bool:
    """Return whether a response reports that tokens were used."""
    usage = body.value.get("usage")
    return isinstance(usage, dict) and any(isinstance(n, int | float) and n > 0 for n in usage.values())


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
    system = [read_message(message)["text"] for message in messages if message.value.get("role") in _SYSTEM]
    top_k = body.number("top_k")
    return {
        "temperature": body.number("temperature"),
        "top_p": body.number("top_p"),
        "top_k": int(top_k) if top_k is not None and 0 < top_k < 2**53 else None,  # -1 means no limit
        "max_tokens": next((length for length in lengths if length is not None), None),
        "reasoning_effort": body.text("reasoning_effort") or body.part("reasoning").text("effort"),
        "system_prompt": "\n".join(system) or body.text("instructions"),
    }
