"""Serve one model file with llama.cpp on one thread, with an OpenAI-compatible API on loopback.

`python -m recorded.llm.server FILE --port PORT` needs only the package xllamacpp. The name of the model is that of the
file, without its suffix. The process runs until it is stopped.
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

__all__ = ["SLOTS", "serve"]

SLOTS = 8  # samples that are generated at once; 16 were only 4 % faster on one core
_TOKENS = 512  # of a prompt with its answer
# The prompt is sent unchanged. A chat template would add markers, with which few-shot prompts do not work.
_PLAIN = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def serve(file: Path, port: int) -> None:
    """Serve a model until the process is stopped."""
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
    threading.Event().wait()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--port", type=int, required=True)
    given = options.parse_args()
    serve(given.file, given.port)
