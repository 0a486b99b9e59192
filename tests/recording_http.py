"""What the tests of the recorder over HTTP share: its command as a process, and the server's log put in order."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq

from mssim.cli import main
from tests.recording import stored

WAIT = 60  # seconds after which a test has failed
ROOT = Path(__file__).parents[1]

# Processes of the command line begin with what takes it a second to import.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        *("mssim.cli", "mssim.engine.evaluate", "mssim.grading", "mssim.live", "mssim.recorder.openai_sampler"),
        *("openai.resources.chat.completions", "anyio._backends._asyncio", "pandas", "tests.live.scripted"),
    ]
)


def write_questions(folder, n=4):
    path = folder / "questions.jsonl"
    rows = [{"question_id": f"q{i}", "question": f"Ask {i}", "truth": "7"} for i in range(n)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def mssim(*arguments):
    """A command line."""
    return [sys.executable, "-m", "mssim", *map(str, arguments)]


def command(path, server, out, *options):
    """The command line that records from a server."""
    return mssim("record", path, "--model", "a", "--base-url", server.base_url, "--out", out, *options)


def environment(**more):
    """This one without keys and proxies, which some machines have."""
    kept = {name: value for name, value in os.environ.items() if not re.search("openai|proxy", name, re.IGNORECASE)}
    return kept | {"COLUMNS": "200", **more}


def run(arguments, cwd=ROOT, **more):
    """Code, stdout and stderr of a command line of mssim."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        with forked(arguments, out, err, cwd, **more) as process:
            process.join(WAIT)
            code = process.exitcode
        assert code is not None
        return code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")


@contextmanager
def forked(arguments, out=os.devnull, err=os.devnull, cwd=ROOT, **more):
    """A command line of mssim under way in a process of its own; it does not outlive a test that fails."""
    assert arguments[:3] == mssim()
    process = FORKS.Process(target=command_line, args=(arguments[3:], environment(**more), out, err, cwd))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(WAIT)


def command_line(arguments, variables, out, err, cwd):
    """What `python -m mssim` does, with files for its output."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", 1, closefd=False)  # or a terminal
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["mssim", *arguments]
    main()


class Running:
    """A command line under way, with as much of `subprocess.Popen` as tests need."""

    def __init__(self, process, out, err):
        self._process, self._files = process, (out, err)

    @property
    def returncode(self):
        return self._process.exitcode

    poll = returncode.fget

    def send_signal(self, number):
        os.kill(self._process.pid, number)

    def wait(self, timeout=WAIT):
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutError
        return self.returncode

    def communicate(self):
        """Stdout and stderr of a command when it has ended; of a terminal, nothing."""
        self.wait()
        return tuple(path.read_text(encoding="utf-8") if path.is_file() else None for path in self._files)


@contextmanager
def start(arguments, err=None, **more):
    """A command under way, with stderr into a file or a terminal; it does not outlive a test that fails."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "out"), Path(err or Path(folder, "err"))
        with forked(arguments, *files, **more) as process:
            yield Running(process, *files)


def until(condition):
    """Wait for what another process is about to do."""
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def log_lines(server):
    """How many lines the log has, without reading them."""
    return Path(server.log_path).read_bytes().count(b"\n")


def received(server):
    """All requests for samples that have reached the server; what lay in its sockets is read first."""
    with closing(HTTPConnection(urlsplit(server.base_url).netloc, timeout=WAIT)) as connection:
        connection.request("GET", "/v1/models")
        connection.getresponse().read()
    return [entry for entry in server.log("received") if entry["method"] == "POST"]


def sent_texts(server):
    """Every text that the server says it sent to a client that was there until its end."""
    lost = {entry["number"] for entry in server.log("lost")}
    return [text for entry in server.log("sent") if entry["number"] not in lost for text in entry["texts"]]


def in_parquet(out):
    """{(question, model, sample_index): text} of a pool's table; no key is there twice."""
    rows = pq.read_table(out / "samples.parquet").select(["question_id", "model", "sample_index", "text"]).to_pylist()
    texts = {tuple(row.values())[:3]: row["text"] for row in rows}
    assert len(texts) == len(rows)
    return texts


def check_whole(server, out, wanted):
    """Every sample is there once, in the journal as in the table, each text as one answer that was sent, used once."""
    texts = stored(out)
    assert set(texts) == wanted
    assert in_parquet(out) == texts
    assert not Counter(texts.values()) - Counter(sent_texts(server))
    return texts
