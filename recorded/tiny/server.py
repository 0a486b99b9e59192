"""A server of the trained models with the part of OpenAI's protocol that `mssim record` needs.

    python -m recorded.tiny.server WEIGHTS --port 8000

GET /v1/models lists the models. POST /v1/chat/completions samples from a model, with the options n, temperature,
max_tokens, seed and logprobs. The only message is the question. A token is a character.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
import uuid
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch

from recorded.tiny.networks import LONGEST, Recurrent, Transformer
from recorded.tiny.sampling import Sample, draw
from recorded.tiny.training import load

MOST_CHOICES = 1024
LARGEST_BODY = 1 << 20  # bytes
_KEYS = ("model", "messages", "n", "temperature", "max_tokens", "seed", "logprobs", "stream")
_PATHS = "Use GET /v1/models or POST /v1/chat/completions."


class RefusedError(Exception):
    """An error response to a client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Server(ThreadingHTTPServer):
    """Serve all models whose weights are in a folder, with one request per core at a time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, weights: Path, port: int = 0) -> None:
        torch.set_num_threads(1)
        self.models = {path.stem: _loaded(path) for path in sorted(weights.glob("*.pt"))}
        if not self.models:
            raise SystemExit(f"{weights}: contains no weights. Run `python -m recorded.tiny` first.")
        super().__init__(("127.0.0.1", port), _Handler)
        self.places = threading.Semaphore(os.cpu_count() or 1)
        self.started = int(time.time())

    @property
    def base_url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def complete(self, asked: Any) -> dict[str, Any]:
        """Return the response to the body of a request."""
        if not isinstance(asked, dict):
            raise RefusedError(400, "the body is not a JSON object. Send a JSON object.")
        unknown = sorted(set(asked).difference(_KEYS))
        if unknown:
            raise RefusedError(400, f"{', '.join(unknown)}: not supported. Use only {', '.join(_KEYS)}.")
        if asked.get("stream"):
            raise RefusedError(400, "stream: only whole answers are sent. Leave it out, or send false.")
        name = asked.get("model")
        if not isinstance(name, str) or name not in self.models:
            raise RefusedError(404, f"model {name!r} is not served. Choose from {', '.join(self.models)}.")
        messages = asked.get("messages")
        question = messages[0] if isinstance(messages, list) and len(messages) == 1 else None
        question = question.get("content") if isinstance(question, dict) else None
        if not isinstance(question, str):
            raise RefusedError(400, "messages: not a list of one message with text as content. Send one such message.")
        n = _number(asked, "n", 1, 1, MOST_CHOICES, whole=True)
        temperature = _number(asked, "temperature", 1, 0.01, 100)
        longest = _number(asked, "max_tokens", LONGEST, 1, LONGEST, whole=True)
        seed = _number(asked, "seed", int(uuid.uuid4().int % 2**63), -(2**63), 2**63 - 1, whole=True)
        generator = torch.Generator().manual_seed(int(seed))
        try:
            with self.places:
                samples = draw(self.models[name], question, int(n), float(temperature), generator, int(longest))
        except ValueError as error:
            raise RefusedError(400, str(error)) from None
        written = sum(len(sample.text) for sample in samples)
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": name,
            "choices": [_choice(i, sample, asked.get("logprobs") is True) for i, sample in enumerate(samples)],
            "usage": {
                "prompt_tokens": len(question),
                "completion_tokens": written,
                "total_tokens": len(question) + written,
            },
        }

    def listed(self) -> dict[str, Any]:
        """Return the response to GET /v1/models."""
        owned = {"object": "model", "created": self.started, "owned_by": "mssim"}
        return {"object": "list", "data": [{"id": name, **owned} for name in self.models]}


def _loaded(path: Path) -> Transformer | Recurrent:
    try:
        return load(path)
    except Exception as error:  # PyTorch raises many kinds, and one message recommends unsafe loading
        raise SystemExit(f"{path}: not weights of these models ({type(error).__name__}). Remove the file.") from None


def _number(asked: dict[str, Any], name: str, default: float, low: float, high: float, whole: bool = False) -> float:
    value = asked.get(name)
    if value is None:
        return default
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool) and low <= value <= high
    if not fits:
        kind = "an integer" if whole else "a number"
        raise RefusedError(400, f"{name}={value!r} is not valid. Use {kind} from {low} to {high}.")
    return value


def _choice(index: int, sample: Sample, logprobs: bool) -> dict[str, Any]:
    tokens = [
        {"token": character, "logprob": logprob, "bytes": None, "top_logprobs": []}
        for character, logprob in zip(sample.text, sample.logprobs, strict=True)
    ]
    return {
        "index": index,
        "message": {"role": "assistant", "content": sample.text},
        "logprobs": {"content": tokens} if logprobs else None,
        "finish_reason": "stop" if sample.finished else "length",
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep connections open
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        if self._body() is None:
            return
        if self.path == "/v1/models":
            self._send(200, self.server.listed())
        else:
            self._fail(404, f"{self.command} {self.path}: not found. {_PATHS}")

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return
        if self.path != "/v1/chat/completions":
            self._fail(404, f"{self.command} {self.path}: not found. {_PATHS}")
            return
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError) as error:
            self._fail(400, f"the body is not JSON ({error}). Send a JSON object.")
            return
        try:
            answer = self.server.complete(asked)
        except RefusedError as refusal:
            self._fail(refusal.status, str(refusal))
        else:
            self._send(200, answer)

    def _body(self) -> bytes | None:
        """Return the whole body, or None after an error response if its length is invalid."""
        length = self.headers.get("Content-Length", "0")
        if length.isascii() and length.isdigit() and int(length) <= LARGEST_BODY:
            return self.rfile.read(int(length))
        self.close_connection = True  # the rest of the body would be read as the next request
        problem = f"Content-Length: {length} is not valid"
        self._fail(413, f"{problem}. Send the length of the body, at most {LARGEST_BODY} bytes.")
        return None

    def _fail(self, status: int, message: str) -> None:
        self._send(
            status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
        )

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        with suppress(ConnectionError):  # the client closed the connection
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing for a request."""


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m recorded.tiny.server", description="Serve the trained models.")
    parser.add_argument("weights", type=Path, help="folder of weights")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    try:
        server = Server(given.weights, given.port)
    except (OSError, OverflowError) as error:
        raise SystemExit(f"--port {given.port}: {error}. Use a free port from 0 to 65535.") from None
    print(f"{', '.join(server.models)} at {server.base_url}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
