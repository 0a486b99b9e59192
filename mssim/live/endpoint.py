"""An endpoint like OpenAI's: one chat completion in, the answer of a strategy out."""

from __future__ import annotations

import asyncio
import hmac
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mssim._validation import printable, shown
from mssim.live.answered import Answered, UnansweredError
from mssim.live.chat_replies import completion, error_body, events, model_list, to_json
from mssim.live.chat_requests import ChatRequest, RefusedError, read_request
from mssim.live.numbered_runs import Messages, Runs

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["LOOPBACK", "Endpoint"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOST_BYTES = 2**22  # of a request
_SLOWEST = 60.0  # seconds in which a request must have arrived


class Endpoint:
    """The ASGI application.

    Parameters
    ----------
    answer : callable (question, messages)
        Answers one question as `Session.answer_messages` does, or raises `UnansweredError`.
    name : str
        Name of the model for clients.
    about : mapping
        What each reply says of the strategy.
    settings : mapping
        Settings that all models have.
    key : str, optional
        Key that clients must send.
    hosts : collection of str, optional
        Names by which clients may address the server. Others are refused, since a page in a browser could reach a
        server on loopback under a name of its own. None: any name.
    log : callable (line), default print
        Called with lines for the operator.

    Examples
    --------
    >>> from mssim.live.endpoint import Endpoint
    >>> async def answer(question, messages):
    ...     return Answered(question["question_id"], "It is 2.", "2", "budget", {"2": 1}, {"small": 1}, 1)
    >>> app = Endpoint(answer, name="mssim", about={"strategy": "sc:small"}, settings={})
    """

    def __init__(
        self,
        answer: Callable[[Mapping[str, Any], Messages], Awaitable[Answered]],
        *,
        name: str,
        about: Mapping[str, Any],
        settings: Mapping[str, Any],
        key: str | None = None,
        hosts: Collection[str] | None = LOOPBACK,
        log: Callable[[str], None] = print,
    ) -> None:
        self._runs = Runs(answer)
        self._name = name
        self._about = about
        self._settings = settings
        self._key = None if key is None else key.encode()
        self._hosts = hosts
        self._print = log
        self._started = int(time.time())
        self._told: set[str] = set()
        self._routes = self._application()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer a request of ASGI."""
        from starlette.requests import Request

        request = Request(scope, receive)
        try:
            self._check_origin(request)
            self._check_key(request)
        except RefusedError as refused:
            await _refusal(refused)(scope, receive, send)
            return
        try:
            await self._routes(scope, receive, send)
        except Exception:  # it was answered with status 500 and logged
            return

    def _log(self, line: str) -> None:
        self._print(printable(line))

    async def close(self, *, at_once: bool = False) -> None:
        """Await the runs that no client waits for, or cancel all."""
        await self._runs.close(at_once=at_once)

    def _application(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.routing import Route

        routes = [
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/models/{name:path}", self._model, methods=["GET"]),
            Route("/health", self._health, methods=["GET"]),
        ]
        handlers: dict[Any, Any] = {
            RefusedError: self._refused,
            HTTPException: self._no_route,
            Exception: self._failed,
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        return app

    # Who may ask.

    def _check_origin(self, request: Request) -> None:
        """Raise if a page in a browser sent the request, or if it names another server."""
        host = request.headers.get("host", "")
        if self._hosts is not None and _host_name(host) not in self._hosts:
            names = " or ".join(self._hosts)
            raise RefusedError(
                f"Host: {shown(host)} is not this server. Address it as {names}.", 403, code="host_not_allowed"
            )
        origin = request.headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise RefusedError(
                "Origin: pages of other servers may not send requests. Call the endpoint from a program instead.",
                403,
                code="origin_not_allowed",
            )

    def _check_key(self, request: Request) -> None:
        if self._key is None or request.url.path == "/health":
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._key):
            raise RefusedError(
                "The API key is missing or incorrect. Send it as `Authorization: Bearer KEY`.",
                401,
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )

    # Routes.

    async def _health(self, _: Request) -> Response:
        return _response(to_json({"status": "ok"}))

    async def _models(self, _: Request) -> Response:
        return _response(to_json(model_list([self._name], self._started)))

    async def _model(self, request: Request) -> Response:
        self._check_model(request.path_params["name"])
        return _response(to_json(model_list([self._name], self._started)["data"][0]))

    def _check_model(self, name: str) -> None:
        if name != self._name:
            message = f"model: {shown(name)} does not exist. Use {self._name!r}."
            raise RefusedError(message, 404, param="model", code="model_not_found")

    async def _chat(self, request: Request) -> Response:
        asked = read_request(await _body(request), self._settings)
        self._check_model(asked.model)
        self._tell_ignored(asked)
        ids = self._runs.take(asked)
        started = time.monotonic()
        try:
            answers = await _unless_gone(request, self._runs.answers(asked, ids))
        except BaseException as error:
            self._runs.release(asked, ids)
            if isinstance(error, UnansweredError):
                self._log(f"{', '.join(ids)}: {error}")
                raise _not_answered(error) from None
            raise
        for one in answers:
            self._log(_line(one, time.monotonic() - started))
        if asked.stream:
            return _response(b"".join(events(asked, answers, self._about)), media_type="text/event-stream")
        return _response(to_json(completion(asked, answers, self._about)))

    def _tell_ignored(self, asked: ChatRequest) -> None:
        for name, value in asked.ignored.items():
            if name not in self._told:
                self._told.add(name)
                self._log(
                    f"{name}={shown(value, 60)} of a request is ignored: the plan sets the settings of the models"
                )

    # Errors.

    async def _refused(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return _refusal(error)

    async def _no_route(self, request: Request, error: Exception) -> Response:
        status: int = getattr(error, "status_code", 500)
        where = f"{request.method} {shown(request.url.path)}"
        if status == 404:
            text, code = f"{where}: there is no such path. Use POST /v1/chat/completions.", "unknown_url"
        elif status == 405:
            text, code = f"{where}: this path has other methods.", "method_not_allowed"
        else:
            text, code = f"{where}: the request is not valid.", "bad_request"
        return _refusal(RefusedError(text, status, code=code, headers=getattr(error, "headers", None)))

    async def _failed(self, _: Request, error: Exception) -> Response:
        if not isinstance(error, _Gone):
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._log(f"error: {type(error).__name__}: {error} ({place.filename}:{place.lineno})")
        message = "The server failed. Its log has the reason."
        return _refusal(RefusedError(message, 500, kind="server_error", code="internal_error"))


class _Gone(Exception):  # noqa: N818 - nobody reads it
    """The client has disconnected."""


async def _unless_gone(request: Request, answers: Any) -> list[Answered]:
    """Await answers until the client disconnects."""
    working = asyncio.ensure_future(answers)
    working.add_done_callback(lambda task: task.cancelled() or task.exception())  # read it, also if nobody waits then
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _Gone
        if working.cancelled():
            raise UnansweredError("The endpoint was stopped.")
        return list(working.result())
    finally:
        for task in (working, gone):
            task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request) -> bytes:
    """Read the body of a request. Raise if it is too large or too slow."""
    from starlette.requests import ClientDisconnect

    declared = request.headers.get("content-length", "0")
    body = b""
    try:
        async with asyncio.timeout(_SLOWEST):
            if not declared.isdecimal() or int(declared) > _MOST_BYTES:
                raise _too_large()
            async for part in request.stream():
                body += part
                if len(body) > _MOST_BYTES:
                    raise _too_large()
    except TimeoutError:
        message = f"The request did not arrive within {_SLOWEST:g} s. Send it again."
        raise RefusedError(message, 408, code="request_timeout") from None
    except ClientDisconnect:
        raise _Gone from None
    return body


def _too_large() -> RefusedError:
    message = f"The request has more than {_MOST_BYTES >> 20} MB. Send shorter messages."
    return RefusedError(message, 413, code="request_too_large")


def _not_answered(error: UnansweredError) -> RefusedError:
    """Return the error of a limit, which clients should not repeat, or of a server that failed."""
    wait = {} if error.retry_after is None else {"Retry-After": f"{max(1, round(error.retry_after))}"}
    if error.limit:
        headers = {"x-should-retry": "false", **wait}
        return RefusedError(str(error), 429, kind="insufficient_quota", code="insufficient_quota", headers=headers)
    return RefusedError(str(error), 503, kind="server_error", code="upstream_failed", headers=wait)


def _host_name(host: str) -> str:
    """Return the name in a header Host, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _response(body: bytes, status: int = 200, **more: Any) -> Response:
    from starlette.responses import Response

    return Response(body, status, **{"media_type": "application/json", **more})


def _refusal(refused: RefusedError) -> Response:
    return _response(to_json(error_body(refused)), refused.status, headers=refused.headers)


def _line(one: Answered, seconds: float) -> str:
    answer = "no answer" if one.answer is None else f"answer {shown(one.answer, 60)}"
    used = f"{one.samples_used} samples, {one.stopped}"
    return f"{one.question_id}: {answer}, {used}, {seconds:.1f} s"
