r"""A chat-completions server on loopback that responds like OpenAI's server and can produce faults.

It uses asyncio streams directly, so that it can violate the protocol. FAULTS lists all faults that a recorder must
survive. The server always runs in a separate process, so that it survives when a test kills the recorder. This command
prints its base URL, and ends when its stdin closes or on SIGTERM:

    python -m tests.chat_server --port 8000 '{"faults": {"reset": 0.1, "server_error": 0.2}, "log": "log.jsonl"}'

In a test:

    with serving(faults={"reset": 0.1}) as server:
        record(server.base_url)
        served = server.log("sent")

Choice j of request r (both from 0, in the order of arrival) has the text `sample_text(r, j, last message)`, so every
text is distinct. The log has one JSON object per line:

    received  number, time, in_flight (including this request), method, path, model, last (text of the last message),
              n, seed, keys (of the body), headers (names), authorization (value or null)
    sent      number, time, kind ("ok", a fault or a refusal), status, texts (those that the client can read)
    lost      number, time: the client disconnected before the whole response was sent

`sent` is written just before the response is sent, so the log has every response that a client has received.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import math
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any, NamedTuple

from mssim._validation import choose_from, is_number
from mssim.errors import MssimError

STATUS_OF = {  # faults with an error status; a client may retry after all but the last three
    "rate_limit": 429,  # without Retry-After
    "rate_limit_after": 429,  # Retry-After in seconds
    "rate_limit_date": 429,  # Retry-After as a date
    "server_error": 500,
    "overloaded": 503,
    "timeout_408": 408,
    "conflict_409": 409,
    "forbidden_403": 403,
    "not_found_404": 404,
    "teapot_418": 418,
}
BROKEN = (  # faults without a readable answer
    "reset",  # the connection is reset before any byte
    "half_body",  # all headers and half of the body, then the connection is closed
    "invalid_json",  # status 200, like all that follow
    "html",
    "empty_choices",
    "no_choices",
    "null_choices",
    "null_content",
    "wrong_types",
)
FAULTS = (*STATUS_OF, *BROKEN, "late", "fewer")  # late: after `late` seconds; fewer: half of the requested choices


@dataclass(frozen=True)
class Options:
    """Options of the server. All can be written as JSON."""

    log: str | None = None  # file to which the log is appended
    texts: Sequence[str] = ()  # texts of the choices, in turn; `sample_text` if empty
    say: Mapping[str, str] = field(default_factory=dict)  # model -> text of all its choices
    seeded: bool = False  # texts depend on model, question and seed, and choice j has that of seed + j
    honours_n: bool | str = True  # True, "one" (one choice for any n) or "refuse" (status 400 if n > 1)
    delay: float = 0.0  # seconds before every response
    auth: str | None = None  # required key
    context_limit: float = math.inf  # largest number of words of a prompt
    faults: Mapping[str, float] = field(default_factory=dict)  # fault -> probability; at most one per request
    fault_seed: int = 0
    first: Sequence[str] = ()  # faults of the first requests, in order; "ok" for none
    retry_after: float = 0.0  # seconds
    late: float = 1.0  # seconds

    def __post_init__(self) -> None:
        for name in [*self.faults, *(name for name in self.first if name != "ok")]:
            if name not in FAULTS:
                raise MssimError(f"unknown fault {name!r}. {choose_from(name, FAULTS)}.")
        shares = list(self.faults.values())
        if not all(is_number(share) and 0 <= share <= 1 for share in shares) or sum(shares) > 1 + 1e-9:
            raise MssimError(f"faults={dict(self.faults)!r} is not valid. Use probabilities that sum to at most 1.")
        if self.honours_n not in (True, "one", "refuse"):
            raise MssimError(f"honours_n={self.honours_n!r} is not valid. Use True, 'one' or 'refuse'.")
        for name in ("delay", "retry_after", "late", "context_limit"):
            if not is_number(value := getattr(self, name)) or not value >= 0:
                raise MssimError(f"{name}={value!r} is not valid. Use a number of at least 0.")
        if isinstance(self.texts, str) or not all(isinstance(text, str) for text in self.texts):
            raise MssimError("texts: not a list of texts. Use e.g. ['a', 'b'].")


# Responses ------------------------------------------------------------------------------------------------------------


def sample_text(number: int, choice: int, last: str) -> str:
    """Return the text of a choice. The answers are digits, so that a question has several answer classes."""
    digest = hashlib.sha256(last.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"sample {number}.{choice} of {digest}: the answer is \\boxed{{{(number + choice) % 10}}}"


def seeded_text(model: str, last: str, seed: int) -> str:
    """Return the text of a seed, with one of four answers or, one time in ten, none."""
    number = int.from_bytes(hashlib.sha256(f"{model} {last} {seed}".encode()).digest()[:4], "big")
    answer = "I do not know" if number % 10 == 9 else f"the answer is \\boxed{{{number % 7 // 2}}}"
    return f"sample {seed} of {model}: {answer}"


def word_logprob(position: int) -> float:
    """Return the log-probability of the word at a position (from 0): -1/8, -2/8, -3/8, -4/8, -1/8, ..."""
    return -(position % 4 + 1) / 8


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    asked: dict[str, Any]  # the body; empty if it is not a JSON object
    prompt: list[str]  # text of each message


class Reply(NamedTuple):
    kind: str
    body: bytes = b""
    status: int = 200
    headers: str = ""  # additional headers, each with its end of line
    texts: Sequence[str] = ()
    content_type: str = "application/json"


def words(texts: Sequence[str]) -> int:
    return sum(len(text.split()) for text in texts)


def to_json(value: Any) -> bytes:
    """Encode JSON as UTF-8, as most servers do. Use escapes if a lone surrogate has no UTF-8."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def refused(kind: str, status: int, message: str, *, code: str | None = None, headers: str = "") -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Reply(kind, to_json({"error": error}), status, headers)


def status_fault(fault: str, seconds: float) -> Reply:
    after = {"rate_limit_after": f"{seconds:g}", "rate_limit_date": formatdate(time.time() + seconds, usegmt=True)}
    headers = f"Retry-After: {after[fault]}\r\n" if fault in after else ""
    return refused(fault, STATUS_OF[fault], f"told to fail: {fault}", code=fault, headers=headers)


def choice_of(index: int, text: str, logprobs: bool) -> dict[str, Any]:
    tokens = [
        {"token": word, "logprob": word_logprob(position), "bytes": None, "top_logprobs": []}
        for position, word in enumerate(text.split() if logprobs else [])
    ]
    return {
        "index": index,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "logprobs": {"content": tokens, "refusal": None} if logprobs else None,
        "finish_reason": "stop",
    }


def completion(number: int, request: Request, texts: Sequence[str]) -> dict[str, Any]:
    words_in, words_out = words(request.prompt), words(texts)
    logprobs = request.asked.get("logprobs") is True
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": f"{request.asked['model']}-2026",
        "system_fingerprint": "fp_test",
        "choices": [choice_of(index, text, logprobs) for index, text in enumerate(texts)],
        "usage": {"prompt_tokens": words_in, "completion_tokens": words_out, "total_tokens": words_in + words_out},
    }


def broken(fault: str, whole: dict[str, Any]) -> Reply:
    """Return a whole answer with a fault of BROKEN. The faults reset and half_body are left to `send`."""
    match fault:
        case "html":
            return Reply(fault, b"<!doctype html><title>Sign in</title>", content_type="text/html")
        case "invalid_json":
            return Reply(fault, to_json(whole)[:-1])
        case "empty_choices":
            whole["choices"] = []
        case "no_choices":
            del whole["choices"]
        case "null_choices":
            whole["choices"] = None
        case "null_content":
            for choice in whole["choices"]:
                choice["message"]["content"] = None
        case "wrong_types":
            whole |= {"choices": "abc", "usage": []}
    return Reply(fault, to_json(whole))


# The server -----------------------------------------------------------------------------------------------------------


class ChatServer:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.numbers = itertools.count()
        self.in_flight = 0
        self.texts = itertools.cycle(options.texts)
        self.first = iter(options.first)
        self.random = random.Random(options.fault_seed)
        self.kinds = [*options.faults, "ok"]
        self.weights = [*options.faults.values(), max(0.0, 1 - sum(options.faults.values()))]
        flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY
        self.log = None if options.log is None else os.open(options.log, flags, 0o600)

    def note(self, event: str, number: int, **what: Any) -> None:
        """Append a line to the log, in a single write."""
        if self.log is not None:
            line = json.dumps({"event": event, "number": number, "time": time.time(), **what}) + "\n"
            os.write(self.log, line.encode())

    def note_received(self, number: int, request: Request) -> None:
        method, path, headers, asked, prompt = request
        what = {name: asked.get(name) for name in ("model", "n", "seed")}
        what |= {"last": prompt[-1] if prompt else None, "keys": sorted(asked), "headers": sorted(headers)}
        what |= {"authorization": headers.get("authorization"), "in_flight": self.in_flight}
        self.note("received", number, method=method, path=path, **what)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the requests of a connection, one after the other."""
        writer.transport.set_write_buffer_limits(0)  # drain() now waits until the kernel has all bytes
        try:
            while await self.respond(await read_request(reader), reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client disconnected
        finally:
            writer.close()

    async def respond(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Respond to a request. Return whether another one may follow."""
        number = next(self.numbers)
        self.in_flight += 1
        self.note_received(number, request)
        try:
            reply = await self.reply(number, request)
            if reader.at_eof() or writer.is_closing():
                raise ConnectionError("the client disconnected")
            self.note("sent", number, kind=reply.kind, status=reply.status, texts=reply.texts)
            await send(writer, number, reply)
        except ConnectionError:
            self.note("lost", number)
            raise
        finally:
            self.in_flight -= 1
        return reply.kind not in ("reset", "half_body") and request.headers.get("connection", "").lower() != "close"

    async def reply(self, number: int, request: Request) -> Reply:
        options = self.options
        given = request.headers.get("authorization", "")
        if options.auth is not None and given != f"Bearer {options.auth}":
            message = f"Incorrect API key provided: {given.removeprefix('Bearer ')}."
            return refused("unauthorised", 401, message, code="invalid_api_key")
        if (request.method, request.path) == ("GET", "/v1/models"):
            models = [{"id": name, "object": "model"} for name in options.say or ["any"]]
            return Reply("ok", to_json({"object": "list", "data": models}))
        if (request.method, request.path) != ("POST", "/v1/chat/completions"):
            return refused("unknown_url", 404, f"Invalid URL ({request.method} {request.path})")
        if refusal := self.refusal(request):
            return refusal
        fault = next(self.first, None) or self.random.choices(self.kinds, self.weights)[0]
        await asyncio.sleep(options.delay + (options.late if fault == "late" else 0))
        return self.complete(number, request, fault)

    def refusal(self, request: Request) -> Reply | None:
        """Return an error response if the request is invalid, else None."""
        n, limit = request.asked.get("n", 1), self.options.context_limit
        if not (request.prompt and isinstance(request.asked.get("model"), str) and type(n) is int and n > 0):
            message = (
                "the request is not valid. Send a JSON object with model, messages and an integer n of at least 1."
            )
            return refused("bad_request", 400, message)
        if n > 1 and self.options.honours_n == "refuse":
            return refused("n_refused", 400, "n > 1 is not supported", code="unsupported_value")
        if words(request.prompt) > limit:
            return refused("too_long", 400, f"this prompt exceeds {limit} tokens", code="context_length_exceeded")
        return None

    def complete(self, number: int, request: Request, fault: str) -> Reply:
        if fault in STATUS_OF:
            return status_fault(fault, self.options.retry_after)
        n = 1 if self.options.honours_n == "one" else request.asked.get("n", 1)
        if fault == "fewer":
            n, fault = (n // 2, "fewer") if n > 1 else (1, "ok")
        texts = [self.text(number, choice, request) for choice in range(n)]
        whole = completion(number, request, texts)
        return broken(fault, whole) if fault in BROKEN else Reply(fault, to_json(whole), texts=texts)

    def text(self, number: int, choice: int, request: Request) -> str:
        if (said := self.options.say.get(request.asked["model"])) is not None:
            return said
        if self.options.seeded:
            return seeded_text(request.asked["model"], request.prompt[-1], request.asked["seed"] + choice)
        return next(self.texts) if self.options.texts else sample_text(number, choice, request.prompt[-1])


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    try:
        asked = json.loads(body) if body else {}
        prompt = [
            text if isinstance(text := message["content"], str) else json.dumps(text)
            for message in asked.get("messages", [])
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        asked, prompt = {}, []  # `refusal` describes the problem
    return Request(method, path, headers, asked, prompt)


async def send(writer: asyncio.StreamWriter, number: int, reply: Reply) -> None:
    if reply.kind == "reset":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return
    head = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\nContent-Type: {reply.content_type}\r\n"
        f"Content-Length: {len(reply.body)}\r\nx-request-id: req-{number}\r\n{reply.headers}\r\n"
    )
    body = reply.body[: len(reply.body) // 2] if reply.kind == "half_body" else reply.body
    writer.write(head.encode() + body)
    await writer.drain()


# The process ----------------------------------------------------------------------------------------------------------


async def run(options: Options, port: int) -> None:
    """Serve until stdin closes or a signal arrives."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (SIGTERM, SIGINT):
        loop.add_signal_handler(number, stop.set)
    listening = await asyncio.start_server(ChatServer(options).serve, "127.0.0.1", port, backlog=1024)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", flush=True)
    loop.add_reader(0, lambda: os.read(0, 4096) or stop.set())
    await stop.wait()
    listening.close()
    loop.set_exception_handler(lambda *_: None)  # Python 3.11 reports connections that are closed here


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chat_server", description="A chat server that can produce faults."
    )
    parser.add_argument("--port", type=int, default=0, help="Port, or 0 for any free port.")
    parser.add_argument("options", nargs="?", default="{}", help="JSON object, or - to read it from a line of stdin.")
    given = parser.parse_args()
    try:
        options = Options(**json.loads(sys.stdin.readline() if given.options == "-" else given.options))
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    asyncio.run(run(options, given.port))


@dataclass(frozen=True)
class Served:
    """A running server."""

    base_url: str
    process: subprocess.Popen[str]
    log_path: str | None

    def log(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return the entries of the log so far, in order: all, or those of one event."""
        if self.log_path is None:
            raise MssimError("log=None: this server has no log. Start it with a log.")
        text = Path(self.log_path).read_text(encoding="ascii")
        entries = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [entry for entry in entries if event in (None, entry["event"])]

    def close(self) -> None:
        """End the server. Further calls do nothing."""
        with self.process:  # closes its pipes and waits
            self.process.kill()  # works in every state, so that no test hangs


@contextmanager
def serving(*, port: int = 0, **options: Any) -> Iterator[Served]:
    """Start a server with the given `Options`. By default, the log is a temporary file."""
    with tempfile.TemporaryDirectory() as folder:
        log = options.pop("log", f"{folder}/log.jsonl")
        chosen = Options(log=None if log is None else str(Path(log).absolute()), **options)
        command = [sys.executable, "-m", "tests.chat_server", "--port", str(port), "-"]
        root = Path(__file__).parents[1]
        with subprocess.Popen(command, cwd=root, stdin=-1, stdout=-1, text=True) as process:
            process.stdin.write(json.dumps(asdict(chosen)) + "\n")  # an argument cannot have a megabyte
            process.stdin.flush()
            base_url = process.stdout.readline().strip()
            if not base_url:
                raise RuntimeError("the chat server did not start. See its stderr.")
            server = Served(base_url, process, chosen.log)
            try:
                yield server
            finally:
                server.close()


if __name__ == "__main__":
    main()
