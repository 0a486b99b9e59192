"""Sampler for servers with an OpenAI-compatible API, based on the package `openai`."""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from mssim.errors import RecordError
from mssim.recorder.http_client import HttpError, ReplyTooLarge, most_bytes, open_client, origin, read_bounded
from mssim.recorder.replies import UnreadableError, parse_body, read_reply, tokens_of
from mssim.recorder.sampler import Reply, Request, RequestFailed

_TRANSIENT = {408, 409, 425, 429}  # and all of 5xx
_EVERYWHERE = {401, 402}  # faults of the key or account, which affect all requests
_OF_UNREADABLE = 2  # attempts; a page or a list does not become a chat completion
_LONGEST_REASON = 300
_LONGEST_WAIT = 3600.0  # seconds of Retry-After from which a model is stopped
_SHORTEST_KEY = 8  # characters; a placeholder such as "none" may be part of a name
_BREAKS = r"[\\\s\u00ad\u200b-\u200f\u2060\ufeff]*"  # a server may escape, wrap or hyphenate an echoed key
# Messages of servers that serve fewer choices than requested, though more than one.
_SLOTS = re.compile(r"\bslots?\b", re.IGNORECASE)
_NAMES_N = re.compile(
    r"\bn(_\w+)?\b|num_return_sequences|\bbest_of\b|candidate_?count|number of (choices|completions|candidates)",
    re.IGNORECASE,
)
_ONLY_ONE = re.compile(r"\bn\W*(>|must be|has to be|should be|=+)\W*1\b(?!\d)|\bonly (one|1)\b|support", re.IGNORECASE)


class OpenAISampler:
    """Client of a server with an OpenAI-compatible API.

    Retries of `openai.AsyncOpenAI` are disabled, since the recorder counts and repeats requests itself. Cookies are not
    kept, redirects are not followed, and a reply of more than 64 MB after decompression is a failed request.

    Parameters
    ----------
    base_url : str
        Address of the server, such as "http://127.0.0.1:8000/v1".
    key : str, optional
        API key, sent as the bearer token. It is removed from all messages and from the names of a reply.
    timeout : float, default 600
        Maximum duration of a request in seconds, until the whole reply was read.

    Raises
    ------
    RecordError
        If the package `openai` is not installed, or if a proxy or a certificate of the environment cannot be used.

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
        self._base_url = base_url
        self._key = _key_pattern(key) if key else None
        self._in_names = key is not None and len(key) >= _SHORTEST_KEY
        self._timeout = timeout
        self._client = open_client(openai, base_url, key, timeout)

    async def sample(self, request: Request) -> Reply:
        """Send one request, see `Sampler.sample`."""
        try:
            async with asyncio.timeout(self._timeout):  # the limit of the client restarts with every byte
                content, headers = await self._send(request)
        except (self._openai.APITimeoutError, TimeoutError) as error:
            raise self._timed_out(error) from None
        except HttpError as error:
            raise self._refused(error) from None
        except ReplyTooLarge as error:
            raise RequestFailed(str(error), attempts=_OF_UNREADABLE) from None
        except self._openai.APIConnectionError as error:
            raise self._failed(error.__cause__ or error) from None
        except (OSError, self._openai.OpenAIError) as error:
            raise self._failed(error) from None
        except Exception as error:  # while the body is read, errors of the HTTP client are not wrapped
            if not type(error).__module__.startswith(("httpx", "httpcore", "anyio")):
                raise
            timed_out = "Timeout" in type(error).__name__
            raise (self._timed_out(error) if timed_out else self._failed(error)) from None
        try:
            body = parse_body(content, headers.get("content-type", ""))
            return read_reply(body, request, headers.get("x-request-id"), self._name)
        except (ValueError, RecursionError) as error:
            again = isinstance(error, UnreadableError) and error.repeatable
            raise RequestFailed(
                self._one_line(f"unreadable response: {error}"),
                attempts=None if again else _OF_UNREADABLE,
                tokens=tokens_of(content),
            ) from None

    async def _send(self, request: Request) -> tuple[bytes, Mapping[str, str]]:
        extra = dict(request.settings)
        if request.n > 1:
            extra["n"] = request.n
        if request.logprobs:
            extra["logprobs"] = True
        if request.seed is not None:
            extra["seed"] = request.seed
        create = self._client.chat.completions.with_streaming_response.create
        messages: Any = list(request.messages)
        # Some gateways stream unless the request says that they should not.
        sent = create(model=request.model_id, messages=messages, stream=False, extra_body=extra)
        async with sent as response:
            return await read_bounded(response, most_bytes(request.n, request.settings)), response.headers

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _timed_out(self, error: BaseException) -> RequestFailed:
        if type(error.__cause__ or error).__name__ == "ConnectTimeout":
            return self._failed(error.__cause__ or error)
        return RequestFailed(f"no answer within {self._timeout:g} s")

    def _failed(self, cause: BaseException) -> RequestFailed:
        if isinstance(cause, HttpError):  # older versions of openai wrap it
            return self._refused(cause)
        said = f"{type(cause).__name__} {cause}"
        if "CERTIFICATE_VERIFY_FAILED" in said:  # the certificate of a server does not change
            return RequestFailed(self._one_line(f"connection failed: {said}"), transient=False, everywhere=True)
        if type(cause).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError") and "SSL" not in said:
            return RequestFailed(self._one_line(f"nothing answers at {self._base_url} ({said})"), unreachable=True)
        return RequestFailed(self._one_line(f"connection failed: {said}"))

    def _refused(self, error: HttpError) -> RequestFailed:
        status, tokens = error.status, tokens_of(error.content)
        if 300 <= status < 400:
            reason = (
                f"HTTP {status}: the server redirects to {origin(error.headers.get('location', ''))}, which is not "
            )
            return RequestFailed(
                self._one_line(f"{reason}followed. Use the final address as base URL."),
                transient=False,
                everywhere=True,
            )
        said, code = _server_says(error)
        no_credit = code == "insufficient_quota"
        wait = _seconds(error.headers.get("retry-after"))
        reason = self._one_line(f"HTTP {status}: {said}")
        if wait is not None and wait >= _LONGEST_WAIT:
            reason = f"the server accepts no requests until {_clock(wait)} (Retry-After). {reason}"
            return RequestFailed(reason, everywhere=True, retry_after=wait, tokens=tokens)
        return RequestFailed(
            reason,
            transient=(status in _TRANSIENT or status >= 500) and not no_credit,
            everywhere=status in _EVERYWHERE or no_credit,
            retry_after=wait,
            fewer=status in (400, 422) and _limits_n(said),
            tokens=tokens,
        )

    def _name(self, text: str) -> str:
        return _line(self._key.sub("[key]", text) if self._key and self._in_names else text)

    def _one_line(self, text: str) -> str:
        return _line(self._key.sub("[key]", text) if self._key else text)


def _line(text: str) -> str:
    """Return a text in one line without control characters and with a limited length."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "..."


def _key_pattern(key: str) -> re.Pattern[str]:
    """Match a key as it is, in Base64 and URL-encoded, in any case and with breaks in it."""
    encoded = base64.b64encode(key.encode()).decode().rstrip("=")
    forms = dict.fromkeys((key, quote(key, safe=""), encoded))
    return re.compile("|".join(_BREAKS.join(map(re.escape, form)) for form in forms), re.IGNORECASE)


def _server_says(error: HttpError) -> tuple[str, Any]:
    """Return message and code of an error."""
    text = error.content.decode("utf-8", "replace").strip()
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    body = body.get("error", body) if isinstance(body, dict) else body
    said = body.get("message") if isinstance(body, dict) else body
    code = body.get("code") if isinstance(body, dict) else None
    return str(said or text or error.phrase), code


def _limits_n(said: str) -> bool:
    """Return whether a server says that it can return several samples per request, but not so many."""
    return bool(_SLOTS.search(said) or (_NAMES_N.search(said) and not _ONLY_ONE.search(said)))


def _clock(seconds: float) -> str:
    until = datetime.datetime.fromtimestamp(time.time() + seconds, datetime.UTC)
    return until.strftime("%Y-%m-%d %H:%M UTC")


def _seconds(retry_after: str | None) -> float | None:
    """Parse a Retry-After header, which is a number of seconds or a date. Return None for anything else."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
        if seconds < 0:
            return None
    except ValueError:
        try:
            seconds = max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
        except (ValueError, TypeError, OverflowError, OSError, IndexError):
            return None
    try:
        _clock(seconds)
    except (ValueError, OverflowError, OSError):  # not finite, or after the year 9999
        return None
    return seconds
