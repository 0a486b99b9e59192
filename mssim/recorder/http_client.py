"""HTTP client of the recorder: without cookies and redirects, and with a limit of the size of a reply."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mssim.errors import RecordError

__all__ = [
    "MOST_BYTES",
    "HttpError",
    "ReplyTooLarge",
    "is_openai",
    "most_bytes",
    "open_client",
    "origin",
    "read_bounded",
]

MOST_BYTES = 64 * 2**20  # of a reply, after decompression
_FRAME, _PER_TOKEN = 2**20, 2**12  # generous bounds of a reply without its tokens, and of a token with its JSON
_MOST_OF_AN_ERROR = 2**16
_CONNECT = 20.0  # seconds to wait for a connection
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_HEADERS = ("OPENAI_CUSTOM_HEADERS", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")


class HttpError(Exception):
    """A response with a status other than success."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes, phrase: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers
        self.content = content
        self.phrase = phrase


class ReplyTooLarge(Exception):  # noqa: N818 - it becomes a RequestFailed
    """A response with more bytes than allowed."""


def open_client(openai: Any, base_url: str, key: str | None, timeout: float) -> Any:
    """Return a client of the package `openai`. Raise a `RecordError` if the environment does not allow it.

    The package sends headers of the environment to any server. Servers other than openai.com do not get them.
    """
    _check_certificates()
    _check_headers()
    limits = openai.Timeout(timeout, connect=min(timeout, _CONNECT))
    try:
        hooks = {"response": [_raise_for_status], "request": [] if is_openai(base_url) else [_without_headers(key)]}
        http = openai.DefaultAsyncHttpxClient(
            # Cookies of a server could relate samples to each other.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            timeout=limits,
            event_hooks=hooks,
        )
        return openai.AsyncOpenAI(
            base_url=base_url, api_key=key or "none", timeout=limits, max_retries=0, http_client=http
        )
    except Exception as error:  # the HTTP client has exceptions of its own for proxies and URLs
        raise RecordError(_why_not(base_url, error)) from error


def is_openai(base_url: str) -> bool:
    """Return whether a server belongs to openai.com."""
    return f".{urlsplit(base_url).hostname}".endswith(".openai.com")


def _without_headers(key: str | None) -> Callable[[Any], Awaitable[None]]:
    """Return a hook that removes the headers of OPENAI_CUSTOM_HEADERS, OPENAI_ORG_ID and OPENAI_PROJECT_ID."""
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
    custom = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    of_openai = {
        "OpenAI-Organization": os.environ.get("OPENAI_ORG_ID"),
        "OpenAI-Project": os.environ.get("OPENAI_PROJECT_ID"),
    }

    async def remove(request: Any) -> None:
        for name, value in {**custom, **of_openai}.items():
            if name and value and request.headers.get(name) == value:
                del request.headers[name]
        request.headers["Authorization"] = f"Bearer {key or 'none'}"

    return remove


def _check_certificates() -> None:
    for name in _CERTIFICATES:
        path = os.environ.get(name)
        if path and not Path(path).exists():
            raise RecordError(
                f"{name}: the file {path!r} with certificates does not exist. Correct the environment variable {name}, "
                f"or run `unset {name}`."
            )


def _check_headers() -> None:
    for name in _HEADERS:
        if not os.environ.get(name, "").isascii():  # the package openai reads them, whether they are sent or not
            raise RecordError(
                f"{name}: the headers (not shown) have characters that are not ASCII. Correct the environment variable "
                f"{name}, or run `unset {name}`."
            )


def _why_not(base_url: str, error: Exception) -> str:
    proxies = {name: os.environ[name] for upper in _PROXIES for name in (upper, upper.lower()) if os.environ.get(name)}
    socks = [name for name, url in proxies.items() if url.lower().startswith("socks")]
    if isinstance(error, ImportError) and socks:
        return (
            f"{' and '.join(socks)}: a SOCKS proxy needs the package socksio. Run `python -m pip install socksio`, or "
            f"`unset {' '.join(socks)}`."
        )
    reason = " ".join(str(error).split()) or type(error).__name__
    certificates = next((name for name in _CERTIFICATES if os.environ.get(name)), None)
    if isinstance(error, OSError) and certificates:
        return f"{certificates}: the certificates cannot be read ({reason}). Correct the environment variable."
    if proxies and "URL" not in type(error).__name__:
        # The value is not shown, since it may contain a password.
        return f"{' and '.join(proxies)}: the proxy cannot be used. Use a URL such as http://127.0.0.1:3128."
    return f"base_url: {base_url} cannot be used ({reason}). Correct the URL."


async def _raise_for_status(response: Any) -> None:
    """Raise for all statuses but success, with the first bytes of the body."""
    if response.is_success:
        return
    content = b""
    async with aclosing(response.aiter_bytes()) as parts:
        async for part in parts:
            content += part[: _MOST_OF_AN_ERROR - len(content)]
            if len(content) >= _MOST_OF_AN_ERROR:
                break
    raise HttpError(response.status_code, response.headers, content, response.reason_phrase)


def most_bytes(n: int, settings: Mapping[str, Any]) -> int:
    """Return the largest number of bytes of a reply with `n` choices."""
    tokens = [settings[name] for name in ("max_tokens", "max_completion_tokens") if name in settings]
    return min(MOST_BYTES, _FRAME + n * max(tokens) * _PER_TOKEN) if tokens else MOST_BYTES


async def read_bounded(response: Any, most: int) -> bytes:
    """Read a response. Raise as soon as it has more than `most` bytes after decompression."""
    parts: list[bytes] = []
    size = 0
    async with aclosing(response.iter_bytes()) as read:
        async for part in read:
            size += len(part)
            if size > most:
                raise ReplyTooLarge(f"the reply has more than {most / 2**20:.3g} MB")
            parts.append(part)
    return b"".join(parts)


def origin(location: str) -> str:
    """Return scheme and host of a URL, without what may be a credential."""
    try:
        parts = urlsplit(location)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "a path of the same host"
    except ValueError:
        return "an invalid URL"
