"""Serve one model file with llama.cpp on one thread, with an OpenAI-compatible API on loopback.

`python -m recorded.llm.server FILE --port PORT` needs only the package xllamacpp. The name of the model is that of the
file, without its suffix. The process runs until it is stopped.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["SLOTS", "free_port", "running", "serve"]

SLOTS = 8  # samples that are generated at once; 16 were only 4 % faster on one core
_TOKENS = 512  # of a prompt with its answer
# The prompt is sent unchanged. A chat template would add markers, with which few-shot prompts do not work.
_PLAIN = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
_WAIT = 120.0  # seconds until a model is loaded


def serve(file: Path, port: int, *, attached: bool = False) -> None:
    """Serve a model until the process is stopped or, if attached, until its standard input ends."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {file.stem}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.chat_template = _PLAIN
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * _TOKENS
    params.cache_ram_mib = 0  # all prompts share their beginning, which the slots keep
    # Two threads wait for each other whenever anything else runs.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.ui = False
    server = xllamacpp.Server(params)
    print(f"{file.stem} at {server.listening_address}", flush=True)
    if attached:  # it ends with the process that started it, however that ends
        sys.stdin.read()
        os._exit(0)
    threading.Event().wait()


@contextmanager
def running(file: Path, port: int, log: Path, command: tuple[str, ...] = ()) -> Iterator[str]:
    """Serve a model in a process of its own while the block runs.

    Parameters
    ----------
    file : Path
        File of the model.
    port : int
        Port of the server.
    log : Path
        File for what the server writes.
    command : tuple of str, optional
        Beginning of the command that serves a file, by default that of this module.

    Yields
    ------
    str
        Base URL of the server, which is ready.

    Raises
    ------
    SystemExit
        If the port is in use, or if the server ends or is not ready within two minutes.
    """
    if not _is_free(port):
        raise SystemExit(f"Port {port} is in use. Stop the process that uses it.")
    command = command or (sys.executable, "-m", "recorded.llm.server", "--attached")
    with log.open("ab") as written:
        process = subprocess.Popen(
            [*command, str(file), "--port", str(port)], stdout=written, stderr=written, stdin=subprocess.PIPE
        )
    try:
        _await(process, port, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()  # it has nothing to save
        process.communicate()


def free_port() -> int:
    """Return a port that no process uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + _WAIT
    while process.poll() is None and time.monotonic() < end:
        try:
            with direct.open(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (OSError, urllib.error.URLError):  # not yet listening, or 503 while the model is loaded
            time.sleep(0.1)
    raise SystemExit(f"The server did not start. {log} has its messages.")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--attached", action="store_true", help="end when standard input ends")
    given = options.parse_args()
    serve(given.file, given.port, attached=given.attached)
