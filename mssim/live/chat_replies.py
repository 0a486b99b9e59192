"""Replies to requests for chat completions, in the form of OpenAI's API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mssim.live.answered import Answered
from mssim.live.chat_requests import ChatRequest, RefusedError

__all__ = ["completion", "error_body", "events", "model_list", "to_json"]


def completion(request: ChatRequest, answers: Sequence[Answered], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chat completion.

    Parameters
    ----------
    request : ChatRequest
        The request.
    answers : sequence of Answered
        One answer for each choice.
    about : mapping
        What the field mssim says of the strategy.

    Returns
    -------
    dict
        The JSON of the reply. Its usage is the sum over all calls, and None if a server did not report tokens.

    Examples
    --------
    >>> from mssim.live.answered import Answered
    >>> from mssim.live.chat_replies import completion
    >>> from mssim.live.chat_requests import ChatRequest
    >>> request = ChatRequest("mssim", ({"role": "user", "content": "1 + 1 = ?"},))
    >>> answered = Answered("q", "It is 2.", "2", "budget", {"2": 3, "3": 1}, {"small": 4}, 4, 36, 20)
    >>> completion(request, [answered], {"strategy": "sc:small"})["usage"]
    {'prompt_tokens': 36, 'completion_tokens': 20, 'total_tokens': 56}
    """
    return {
        **_head(request, answers, "chat.completion"),
        "choices": [
            {
                "index": place,
                "message": {"role": "assistant", "content": one.text, "refusal": None},
                "logprobs": None,
                "finish_reason": one.finish_reason or "stop",
                "mssim": _details(one),
            }
            for place, one in enumerate(answers)
        ],
        "usage": _usage(answers),
        "mssim": _about(request, answers, about),
    }


def events(request: ChatRequest, answers: Sequence[Answered], about: Mapping[str, Any]) -> Iterator[bytes]:
    r"""Return the events of a stream: the whole text of each choice, its end, the numbers of tokens and [DONE].

    Examples
    --------
    >>> from mssim.live.answered import Answered
    >>> from mssim.live.chat_replies import events
    >>> from mssim.live.chat_requests import ChatRequest
    >>> request = ChatRequest("mssim", ({"role": "user", "content": "1 + 1 = ?"},), stream=True)
    >>> answered = Answered("q", "It is 2.", "2", "budget", {"2": 3, "3": 1}, {"small": 4}, 4, 36, 20)
    >>> list(events(request, [answered], {}))[-1]
    b'data: [DONE]\n\n'
    """
    head = _head(request, answers, "chat.completion.chunk")
    usage = {"usage": None} if request.include_usage else {}
    for place, one in enumerate(answers):
        delta = {"role": "assistant", "content": one.text}
        yield _event(head | {"choices": [_piece(place, delta)]} | usage)
        ended = _piece(place, {}) | {"finish_reason": one.finish_reason or "stop", "mssim": _details(one)}
        last = {"mssim": _about(request, answers, about)} if place == len(answers) - 1 else {}
        yield _event(head | {"choices": [ended]} | usage | last)
    if request.include_usage:
        yield _event(head | {"choices": [], "usage": _usage(answers)})
    yield b"data: [DONE]\n\n"


def error_body(refused: RefusedError) -> dict[str, Any]:
    """Return the JSON of an error.

    Examples
    --------
    >>> from mssim.live.chat_replies import error_body
    >>> from mssim.live.chat_requests import RefusedError
    >>> error_body(RefusedError("n=0 is not allowed.", param="n"))["error"]["param"]
    'n'
    """
    return {
        "error": {"message": refused.message, "type": refused.kind, "param": refused.param, "code": refused.code},
    }


def model_list(names: Sequence[str], created: int) -> dict[str, Any]:
    """Return the JSON of a list of models.

    Examples
    --------
    >>> from mssim.live.chat_replies import model_list
    >>> model_list(["mssim"], 0)["data"]
    [{'id': 'mssim', 'object': 'model', 'created': 0, 'owned_by': 'mssim'}]
    """
    data = [{"id": name, "object": "model", "created": created, "owned_by": "mssim"} for name in names]
    return {"object": "list", "data": data}


def to_json(value: Any) -> bytes:
    r"""Encode JSON in ASCII, since texts of models may have lone surrogates, which UTF-8 cannot encode.

    Examples
    --------
    >>> from mssim.live.chat_replies import to_json
    >>> to_json({"text": "é"})
    b'{"text": "\\u00e9"}'
    """
    return json.dumps(value, allow_nan=False).encode("ascii")


def _head(request: ChatRequest, answers: Sequence[Answered], kind: str) -> dict[str, Any]:
    name = f"chatcmpl-{answers[0].question_id}"
    return {"id": name, "object": kind, "created": int(time.time()), "model": request.model}


def _piece(index: int, delta: Mapping[str, str]) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}


def _details(one: Answered) -> dict[str, Any]:
    return {
        "question_id": one.question_id,
        "answer": one.answer,
        "votes": dict(one.votes),
        "samples_used": one.samples_used,
        "models": dict(one.models),
        "stopped": one.stopped,
        "cost": one.cost,
    }


def _about(request: ChatRequest, answers: Sequence[Answered], about: Mapping[str, Any]) -> dict[str, Any]:
    used = sum(one.samples_used for one in answers)
    return {**about, "samples_used": used, "ignored": dict(request.ignored)}


def _usage(answers: Sequence[Answered]) -> dict[str, int] | None:
    inputs, outputs = (_sum([getattr(one, name) for one in answers]) for name in ("input_tokens", "output_tokens"))
    if inputs is None or outputs is None:
        return None
    return {"prompt_tokens": inputs, "completion_tokens": outputs, "total_tokens": inputs + outputs}


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _event(value: Any) -> bytes:
    return b"data: " + to_json(value) + b"\n\n"
