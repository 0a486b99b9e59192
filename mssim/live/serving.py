"""Functions `serve` and `serve_protocol`: a strategy or a protocol behind an endpoint like OpenAI's."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Unpack

from mssim._validation import whole_number
from mssim.errors import MssimError
from mssim.live.endpoint import LOOPBACK, Endpoint
from mssim.live.preparing import Recording
from mssim.live.protocol_session import ProtocolSession, open_protocol_session
from mssim.live.protocols import Protocol
from mssim.live.session import Session, open_session
from mssim.recorder.plan import ModelPlan, Plan, Server, check_text
from mssim.rules.base import Strategy

__all__ = ["serve", "serve_protocol"]

_KEEP_ALIVE = 75  # seconds; longer than clients keep idle connections, so that none meets a closed one


class Serving(Recording, total=False):
    """Where an endpoint listens, under which name, and how samples are requested. Defaults are those of `serve`."""

    host: str
    port: int
    key_env: str | None
    name: str
    log: Callable[[str], None]


def serve(
    plan: Plan,
    strategy: str | Mapping[str, Any] | Strategy,
    budget: int,
    out: str | os.PathLike[str],
    *,
    rule: str,
    reasoning: str = "drop",
    seed: int = 0,
    use_recorded: bool = False,
    **options: Unpack[Serving],
) -> None:
    """Serve chat completions whose answers are those of a strategy, until SIGINT or SIGTERM.

    Every request runs the strategy with its messages as the prompt of all models, and every sample is committed to the
    journal in `out` before the strategy sees it. After an end of any kind, equal requests are answered from the journal
    first, see `mssim.live.numbered_runs.Runs`.

    Parameters
    ----------
    plan, strategy, budget, out, rule, reasoning, seed, use_recorded
        As in `mssim.live.run`. Templates of the plan are not used. A system message of the plan is used for requests
        without one. Samples that were given up are requested again when their question is asked again.
    host : str, default "127.0.0.1"
        Address to listen on. Addresses that other machines can reach require a key.
    port : int, default 8000
        Port to listen on; 0 = any free port.
    key_env : str, optional
        Name of the environment variable with the key that clients must send. By default, no key is required.
    name : str, default "mssim"
        Name of the model for clients.
    log : callable (line), default print
        Called with a line for each answer, and for what the operator should know.
    max_requests, max_tokens, max_cost, new_server, retry, sampler
        As in `mssim.recorder.record`.

    Raises
    ------
    MssimError
        As in `mssim.live.run`; if the port is in use; or if other machines could reach the endpoint without a key.

    Examples
    --------
    >>> from mssim.live import serve
    >>> from mssim.recorder import plan_from_options
    >>> plan = plan_from_options(["small"], base_url="http://127.0.0.1:8000/v1", samples=1)
    >>> serve(plan, "sc:small", 8, "served", rule="number", host="0.0.0.0")
    Traceback (most recent call last):
    ...
    mssim.errors.MssimError: host='0.0.0.0' can be reached from other machines, and requests cost money. Require a key
    with key_env=NAME, or use the host 127.0.0.1.
    """
    how: dict[str, Any] = {"rule": rule, "reasoning": reasoning, "seed": seed, "use_recorded": use_recorded}
    _serve(partial(open_session, plan, strategy, budget, out, **how), **options)


def serve_protocol(
    plan: Plan,
    protocol: str | Mapping[str, Any] | Protocol,
    out: str | os.PathLike[str],
    *,
    rule: str,
    reasoning: str = "drop",
    prompts: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    **options: Unpack[Serving],
) -> None:
    """Serve chat completions whose answers are those of a protocol of several agents, until SIGINT or SIGTERM.

    Every request is one run of the protocol. Its first proposals get the messages of the request as their prompt; where
    a template of the protocol names the question, it is the text of the last message of the user.

    Parameters
    ----------
    plan, protocol, out, rule, reasoning, prompts
        As in `mssim.live.run_protocol`. Templates of the plan are not used.
    options
        As in `serve`.

    Raises
    ------
    MssimError
        As in `mssim.live.run_protocol` and `serve`.

    Examples
    --------
    >>> from mssim.live import serve_protocol
    >>> from mssim.recorder import plan_from_options
    >>> plan = plan_from_options(["small"], base_url="http://127.0.0.1:8000/v1", samples=1)
    >>> serve_protocol(plan, "debate:small", "served", rule="number", port=-1)
    Traceback (most recent call last):
    ...
    mssim.errors.MssimError: port=-1 is out of range. Use an integer from 0 to 65535.
    """
    how: dict[str, Any] = {"rule": rule, "reasoning": reasoning, "prompts": prompts}
    _serve(partial(open_protocol_session, plan, protocol, out, **how), **options)


def _serve(
    opened: Callable[..., AbstractAsyncContextManager[Session | ProtocolSession]],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    key_env: str | None = None,
    name: str = "mssim",
    log: Callable[[str], None] = print,
    **recording: Unpack[Recording],
) -> None:
    """Check who could reach the endpoint, open the session and serve it."""
    check_text("name", name)
    port, loopback = whole_number("port", port, 0, 65535), _is_loopback(host)
    key = _key(host, key_env, loopback=loopback)
    _require_packages()

    async def whole() -> None:
        async with opened(log=log, **recording) as session:
            with _listening(host, port) as listener:
                app = Endpoint(
                    session.answer_messages,
                    name=name,
                    about=session.about,
                    settings=_shared([target.plan for target in session.targets]),
                    key=key,
                    hosts=(*LOOPBACK, host) if loopback else None,
                    log=log,
                )
                what = session.about.get("strategy") or session.about["protocol"]
                log(f"serving {what} as model {name!r} at {_url(listener)}")
                await _until_signal(app, listener, session)

    asyncio.run(whole())


async def _until_signal(app: Endpoint, listener: socket.socket, session: Session | ProtocolSession) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """End on the first signal when pending requests are complete, and on the second at once."""
            loop, handled = asyncio.get_running_loop(), []

            def interrupt() -> None:
                self.force_exit = self.should_exit
                self.should_exit = True
                session.stop("The endpoint is shutting down.")

            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, interrupt)
                    handled.append(number)
            try:
                yield
            finally:
                for number in handled:
                    loop.remove_signal_handler(number)

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
    )
    server = Server(config)
    try:
        await server.serve(sockets=[listener])
    finally:
        session.stop("The endpoint is shutting down.")
        await app.close(at_once=server.force_exit)


# Who can reach it -----------------------------------------------------------------------------------------------------


def _is_loopback(host: str) -> bool:
    check_text("host", host)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(host: str, key_env: str | None, *, loopback: bool) -> str | None:
    """Return the key of the environment. Raise if other machines could ask without one."""
    if key_env is None and not loopback:
        raise MssimError(
            f"host={host!r} can be reached from other machines, and requests cost money. Require a key with "
            "key_env=NAME, or use the host 127.0.0.1."
        )
    return None if key_env is None else Server("http://localhost", key_env=key_env).key()


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family)
    except OSError as error:
        where = f"host={host!r}, port={port}"
        raise MssimError(f"{where}: cannot listen there ({error.strerror}). Choose another port or host.") from None
    with listener:
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


# What it says ---------------------------------------------------------------------------------------------------------


def _shared(plans: list[ModelPlan]) -> dict[str, Any]:
    """Return the settings that all models have."""
    first = plans[0].settings
    return {
        name: value
        for name, value in first.items()
        if all(name in plan.settings and plan.settings[name] == value for plan in plans)
    }


def _require_packages() -> None:
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise MssimError(
            'The packages starlette and uvicorn are not installed. Run `python -m pip install "mssim[live]"`.'
        ) from None
