"""Sampler for servers with an OpenAI-compatible API, based on the package `openai`."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from mssim.errors import RecordError
from mssim.recorder.sampler import Choice, Reply, Request, RequestFailed

_TRANSIENT = {408, 409, 425, 429}  # and all of 5xx
_EVERYWHERE = {401, 402}  # faults of the key or account, which affect all requests
_LONGEST_REASON = 300
_LARGEST = 1e300  # such numbers can be summed


class OpenAISampler:
    """Client of a server with an OpenAI-compatible API.

    Retries of `openai.AsyncOpenAI` are disabled, since the recorder counts and repeats requests itself.

    Parameters
    ----------
    base_url : str
        Address of the server, such as "http://127.0.0.1:8000/v1".
    key : str, optional
        API key, sent as the bearer token. It is removed from all messages.
    timeout : float, default 600
        Maximum duration of a request in seconds.

    Raises
    ------
    RecordError
        If the package `openai` is not installed.

    Examples
    --------
    >>> import asyncio
    >>> from mssim.recorder import OpenAISampler
    >>> sampler = OpenAISampler("http://127.0.0.1:8000/v1", timeout=60)
    >>> asyncio.run(sampler.close())
    """

    def __init__(self, base_url: str, *, key: str | None = None, timeout: float = 600.0) -> None:
        try:
            import openai
        except ImportError:
            raise RecordError(
                'The package openai is not installed. Run `python -m pip install "mssim[record]"`.'
            ) from None
        self._openai = openai
        # A server that echoes the request as JSON may escape characters of the key.
        self._key = re.compile(r"\\*".join(map(re.escape, key))) if key else None
        self._timeout = timeout
        self._client = openai.AsyncOpenAI(base_url=base_url, api_key=key or "none", timeout=timeout, max_retries=0)

    async def sample(self, request: Request) -> Reply:
        """Send one request, see `Sampler.sample`."""
        extra = dict(request.settings)
        if request.n > 1:
            extra["n"] = request.n
        if request.logprobs:
            extra["logprobs"] = True
        if request.seed is not None:
            extra["seed"] = request.seed
        create = self._client.chat.completions.with_raw_response.create
        messages: Any = list(request.messages)
        try:
            async with asyncio.timeout(self._timeout):  # the limit of the client restarts with every byte
                raw = await create(model=request.model_id, messages=messages, extra_body=extra)
        except (self._openai.APITimeoutError, TimeoutError):
            raise RequestFailed(f"no answer within {self._timeout:g} s") from None
        except self._openai.APIStatusError as error:
            raise self._refused(error) from None
        except self._openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise RequestFailed(self._one_line(f"connection failed: {type(cause).__name__} {cause}")) from None
        try:
            return read_reply(json.loads(raw.content), request, raw.headers.get("x-request-id"))
        except (ValueError, RecursionError) as error:
            raise RequestFailed(self._one_line(f"unreadable response: {error}")) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _refused(self, error: Any) -> RequestFailed:
        status = int(error.status_code)
        no_credit = error.code == "insufficient_quota"
        return RequestFailed(
            self._one_line(f"HTTP {status}: {_server_says(error)}"),
            transient=(status in _TRANSIENT or status >= 500) and not no_credit,
            everywhere=status in _EVERYWHERE or no_credit,
            retry_after=_seconds(error.response.headers.get("retry-after")),
        )

    def _one_line(self, text: str) -> str:
        if self._key:
            text = self._key.sub("[key]", text)
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "..."


def _server_says(error: Any) -> str:
    body = error.body
    said = body.get("message") if isinstance(body, Mapping) else body
    return str(said or error.response.text or error.response.reason_phrase)


def _seconds(retry_after: str | None) -> float | None:
    """Parse a Retry-After header, which is a number of seconds or a date."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except ValueError:
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def read_reply(body: Any, request: Request, request_id: str | None = None) -> Reply:
    """Parse a chat completion. Raise a ValueError for any other JSON."""
    if not isinstance(body, dict) or not isinstance(choices := body.get("choices"), list | None):
        raise ValueError("not a chat completion, since it has no list of choices")
    if not choices and (error := body.get("error")):
        raise ValueError(f"it has an error instead of choices: {error}")
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    read = tuple(_choice(choice) for choice in (choices or [])[: request.n])
    return Reply(
        choices=read,
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        served_model=_text(body.get("model")),
        fingerprint=_text(body.get("system_fingerprint")),
        request_id=request_id or _text(body.get("id")),
    )


def _choice(choice: Any) -> Choice:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict) or not isinstance(text := message.get("content"), str | None):
        raise ValueError("a choice has no message with text")
    logprobs = _logprobs(choice.get("logprobs"))
    return Choice(
        text=text or "",
        finish_reason=_text(choice.get("finish_reason")),
        confidence=sum(logprobs) / len(logprobs) if logprobs else None,
        output_tokens=len(logprobs) or None,
    )


def _logprobs(given: Any) -> list[float]:
    """Return the log-probabilities of all tokens, or an empty list if one is unknown."""
    tokens = given.get("content") if isinstance(given, dict) else None
    values: list[Any] = (
        [t.get("logprob") if isinstance(t, dict) else None for t in tokens] if isinstance(tokens, list) else []
    )
    return values if all(isinstance(v, int | float) and abs(v) < _LARGEST for v in values) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
