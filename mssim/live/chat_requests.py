"""Requests for chat completions, as clients of OpenAI's API send them, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mssim._validation import is_number, printable, shown
from mssim.errors import MssimError

__all__ = ["ChatRequest", "RefusedError", "read_request"]

_MOST_N = 128
_MOST_SHOWN = 60  # characters of a value in a message
_ROLES = ("system", "developer", "user", "assistant")


class RefusedError(MssimError):
    """A request that is answered by an error.

    Parameters
    ----------
    message : str
        What is wrong, in one line without secrets.
    status : int, default 400
        Status of the response.
    kind : str, default "invalid_request_error"
        The field type of the error.
    param : str, optional
        Field of the request that is wrong.
    code : str, optional
        Short name of the error.
    headers : mapping, optional
        Further headers of the response.

    Examples
    --------
    >>> from mssim.live.chat_requests import RefusedError
    >>> RefusedError("n=0: use a number of at least 1.", param="n").status
    400
    """

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class ChatRequest:
    """A valid request.

    Attributes
    ----------
    model : str
        Name of the model that the client asks for.
    messages : tuple of mapping
        Messages with the keys role and content, which are text, and possibly name.
    n : int, default 1
        Number of choices. Each is a separate run.
    seed : int, optional
        Name of a run that the client wants again.
    stream : bool, default False
        Whether the reply is a stream of events.
    include_usage : bool, default False
        Whether the stream ends with the numbers of tokens.
    ignored : mapping
        Fields and values that have no effect, since the settings of the models are those of the plan.

    Examples
    --------
    >>> from mssim.live.chat_requests import ChatRequest
    >>> ChatRequest("mssim", ({"role": "user", "content": "1 + 1 = ?"},)).n
    1
    """

    model: str
    messages: tuple[Mapping[str, str], ...]
    n: int = 1
    seed: int | None = None
    stream: bool = False
    include_usage: bool = False
    ignored: Mapping[str, Any] = field(default_factory=dict)


def read_request(body: bytes, settings: Mapping[str, Any]) -> ChatRequest:
    """Read the body of a request for a chat completion.

    Parameters
    ----------
    body : bytes
        JSON of the request.
    settings : mapping
        Settings that all models of the plan have. A request may repeat them.

    Returns
    -------
    ChatRequest
        The request.

    Raises
    ------
    RefusedError
        If the body is not JSON, a field has the wrong type, or a field asks for something that a strategy cannot do.

    Notes
    -----
    Fields that evaluation tools send with every request, such as temperature and max_tokens, are ignored and listed in
    `ignored` if they differ from the plan. All other fields must repeat the plan, or ask for nothing.

    Examples
    --------
    >>> from mssim.live.chat_requests import read_request
    >>> message = b'[{"role": "user", "content": "1 + 1 = ?"}]'
    >>> body = b'{"model": "mssim", "temperature": 0, "max_tokens": 64, "messages": ' + message + b'}'
    >>> read_request(body, {"max_tokens": 64}).ignored
    {'temperature': 0}
    """
    given = _object(body)
    model = given.get("model")
    if not isinstance(model, str) or not model:
        raise _wrong("model", model, "the name of a model")
    n = _default(given.get("n"), 1)
    if type(n) is not int or not 1 <= n <= _MOST_N:
        raise _wrong("n", n, f"an integer from 1 to {_MOST_N}")
    seed = given.get("seed")
    if not (seed is None or (type(seed) is int and -(2**63) <= seed < 2**63)):
        raise _wrong("seed", seed, "an integer of 64 bits")
    stream = _default(given.get("stream"), False)
    if not isinstance(stream, bool):
        raise _wrong("stream", stream, "true or false")
    return ChatRequest(
        model=model,
        messages=_messages(given.get("messages")),
        n=n,
        seed=seed,
        stream=stream,
        include_usage=_include_usage(given.get("stream_options"), stream),
        ignored=_ignored(given, settings),
    )


# Messages -------------------------------------------------------------------------------------------------------------


def _messages(given: Any) -> tuple[dict[str, str], ...]:
    if not isinstance(given, list) or not given:
        raise _wrong("messages", given, "a list of at least one message")
    return tuple(_message(f"messages[{place}]", one) for place, one in enumerate(given))


def _message(where: str, given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise _wrong(where, given, "an object with role and content")
    role, name = given.get("role"), given.get("name")
    if role in ("tool", "function"):
        raise _refused(f"{where}.role", f"{role!r}: a strategy calls no tools. Send messages of text only.")
    if role not in _ROLES:
        raise _wrong(f"{where}.role", role, ", ".join(_ROLES[:-1]) + f" or {_ROLES[-1]}")
    for key, value in given.items():
        if key not in ("role", "content", "name") and value not in (None, [], {}, ""):
            raise _refused(f"{where}.{key}", "messages have the keys role, content and name only. Remove it.")
    message = {"role": str(role), "content": _text(f"{where}.content", given.get("content"))}
    if name is not None:
        message["name"] = _text(f"{where}.name", name)
    return message


def _text(where: str, given: Any) -> str:
    """Return the text of a content, which is text or a list of parts of text."""
    if isinstance(given, list) and given:
        return "\n".join(_part(f"{where}[{place}]", part) for place, part in enumerate(given))
    if not isinstance(given, str):
        raise _wrong(where, given, "text")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise _refused(where, "the text has a lone surrogate, which is not a character. Remove it.") from None
    return given


def _part(where: str, given: Any) -> str:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind != "text":
        said = f"type {shown(kind, _MOST_SHOWN)}" if isinstance(given, dict) else shown(given, _MOST_SHOWN)
        raise _refused(where, f"{said} is not supported. Send parts of type 'text' only, without images and files.")
    if not isinstance(given.get("text"), str):
        raise _wrong(f"{where}.text", given.get("text"), "text")
    return _text(f"{where}.text", given["text"])


# Other fields ---------------------------------------------------------------------------------------------------------


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_stop(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _is_finite(value: Any) -> bool:
    return is_number(value) and abs(value) <= sys.float_info.max  # an int may be too large for a float


_READ = ("model", "messages", "n", "seed", "stream", "stream_options")
# Labels, which change no answer of any model.
_LABELS = {"user", "metadata", "store", "service_tier", "safety_identifier", "parallel_tool_calls"}
_LABELS |= {"prompt_cache_key", "prompt_cache_retention"}
# Fields that tools send with every request, whether they matter or not, and their types.
_LENIENT: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty"), (_is_finite, "a number")),
    **dict.fromkeys(("max_tokens", "max_completion_tokens"), (_is_count, "an integer of at least 1")),
    "stop": (_is_stop, "text or a list of texts"),
}
_NEUTRAL: dict[str, Sequence[Any]] = {  # values that ask for nothing
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
}
_WHY = {
    "tools": "a strategy calls no tools",
    "functions": "a strategy calls no functions",
    "response_format": "the reply is the text of a sample, whose form is not enforced",
    "logprobs": "the reply is the result of several samples and has no log-probabilities",
    "top_logprobs": "the reply is the result of several samples and has no log-probabilities",
}


def _ignored(given: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without effect. Raise if a field has the wrong type, or cannot be ignored."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in _READ or name in _LABELS or value is None or (name in settings and _same(value, settings[name])):
            continue
        if name in _LENIENT:
            is_right, kind = _LENIENT[name]
            if not is_right(value):
                raise _wrong(name, value, kind)
            found[name] = value
        elif not any(_same(value, neutral) for neutral in _NEUTRAL.get(name, ())):
            why = _WHY.get(name, "the settings of the models are those of the plan")
            problem = f"{shown(value, _MOST_SHOWN)} is not supported, since {why}. Remove it."
            raise _refused(printable(name[:_MOST_SHOWN]), problem)
    return found


def _same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _include_usage(given: Any, stream: bool) -> bool:
    if given is None:
        return False
    if not isinstance(given, dict):
        raise _wrong("stream_options", given, "an object")
    if not stream:
        raise _refused("stream_options", "it is allowed only with stream=true. Remove it.")
    value = _default(given.get("include_usage"), False)
    if not isinstance(value, bool):
        raise _wrong("stream_options.include_usage", value, "true or false")
    return value


# JSON -----------------------------------------------------------------------------------------------------------------


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body, parse_constant=_not_json)
    except (ValueError, RecursionError):
        raise RefusedError(
            "The body of the request is not valid JSON. Send a JSON object with model and messages.",
            code="invalid_json",
        ) from None
    if not isinstance(given, dict):
        raise RefusedError("The body of the request is not a JSON object. Send an object with model and messages.")
    return given


def _not_json(name: str) -> Any:
    raise ValueError(name)


def _default(value: Any, default: Any) -> Any:
    return default if value is None else value


def _wrong(param: str, value: Any, allowed: str) -> RefusedError:
    said = "is missing" if value is None else f"={shown(value, _MOST_SHOWN)} is not allowed"
    return RefusedError(f"{param}{'' if value is not None else ' '}{said}. It must be {allowed}.", param=param)


def _refused(param: str, problem: str) -> RefusedError:
    return RefusedError(f"{param}: {problem}", param=param, code="unsupported_value")
