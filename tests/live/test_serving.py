"""The whole endpoint: a socket, the official client before it, and a scripted client of models behind it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import openai
import pandas as pd
import pytest

from mssim.errors import MssimError
from mssim.live import serve
from mssim.live.serving import _is_loopback, _shared
from mssim.recorder import Choice, Plan, Reply, plan_from_options
from tests.recording import URL, Client

ROOT = Path(__file__).parents[2]
USER = {"role": "user", "content": "What is 6 x 7?"}


def plan(*models, **options):
    return plan_from_options(list(models or "a"), **{"base_url": URL, "samples": 1, **options})


def served(out, function, *, client=None, then=(signal.SIGINT,), **options):
    """What a function of the address returns while the endpoint runs, and the lines of its log."""
    lines, results = [], []

    def visit():
        try:
            results.append(function(lines[-1].rpartition(" at ")[2]))
        except BaseException as error:
            results.append(error)
        finally:
            for number in then:
                os.kill(os.getpid(), number)

    def log(line):
        lines.append(line)
        if line.startswith("serving "):
            threading.Thread(target=visit, daemon=True).start()

    options = {"rule": "number", "port": 0, "log": log, "sampler": lambda _: client or Client(says), **options}
    serve(options.pop("asked", plan()), "sc:a", 3, out, **options)
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0], lines


def says(request):
    return Reply((Choice("It is 42.", "stop"),) * request.n, 10, 5)


def create(url, key="none", **fields):
    with openai.OpenAI(api_key=key, base_url=url, max_retries=0) as client:
        return client.chat.completions.create(**{"model": "mssim", "messages": [USER], **fields})


@pytest.mark.slow
def test_an_endpoint_answers_until_it_is_interrupted_and_leaves_a_pool(tmp_path):
    reply, lines = served(tmp_path, create)
    assert reply.choices[0].message.content == "It is 42."
    assert reply.mssim == {"strategy": "sc:a", "budget": 3, "rule": "number", "samples_used": 3, "ignored": {}}
    assert lines[0].startswith("serving sc:a as model 'mssim' at http://127.0.0.1:")
    assert ": answer '42', 3 samples, budget, " in lines[1]
    assert lines[-1] == f"the samples are in the pool {tmp_path}"
    assert list(pd.read_parquet(tmp_path / "samples.parquet")["answer"]) == ["42"] * 3


@pytest.mark.slow
def test_a_key_and_the_settings_of_the_plan_reach_the_endpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-right")

    def function(url):
        with pytest.raises(openai.AuthenticationError):
            create(url, key="sk-wrong")
        return create(url, key="sk-right", temperature=0.5, top_p=0.9).mssim["ignored"]

    settings = ["temperature=0.5"]
    ignored, _ = served(tmp_path, function, key_env="MY_KEY", asked=plan(settings=settings), host="localhost")
    assert ignored == {"top_p": 0.9}


@pytest.mark.slow
def test_an_interruption_completes_what_is_pending_and_refuses_the_rest(tmp_path):
    class Interrupts(Client):
        async def sample(self, request):
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(20):  # the signal arrives while the request is pending
                await asyncio.sleep(0)
            return says(request)

    def function(url):
        with pytest.raises(openai.InternalServerError) as caught:
            create(url)
        return caught.value.status_code, caught.value.code, caught.value.message

    error, lines = served(tmp_path, function, client=Interrupts(), asked=plan(concurrency=1), then=())
    assert error[:2] == (503, "upstream_failed")
    assert "The endpoint is shutting down." in error[2]
    assert len(pd.read_parquet(tmp_path / "samples.parquet")) == 1
    assert lines[1].endswith("-1: The endpoint is shutting down.")


def test_other_machines_need_a_key(tmp_path):
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        with pytest.raises(MssimError, match=r"Require a key with key_env=NAME, or use the host 127\.0\.0\.1"):
            serve(plan(), "sc:a", 3, tmp_path / "out", rule="number", host=host)
    with pytest.raises(MssimError, match="NOT_SET is not set"):
        serve(plan(), "sc:a", 3, tmp_path / "out", rule="number", host="0.0.0.0", key_env="NOT_SET")
    with pytest.raises(MssimError, match="not the name of an environment variable") as caught:
        serve(plan(), "sc:a", 3, tmp_path / "out", rule="number", key_env="sk-secret")
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_addresses_of_this_machine():
    assert all(map(_is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(_is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.example.org")))


def test_a_port_in_use_and_an_unknown_host_are_clear_errors(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MssimError, match=f"port={port}: cannot listen there"):
            serve(plan(), "sc:a", 3, tmp_path, rule="number", port=port)
    with pytest.raises(MssimError, match="port=70000 is out of range"):
        serve(plan(), "sc:a", 3, tmp_path, rule="number", port=70000)


def test_settings_that_all_models_have():
    first, second = plan("a", settings=["top_p=0.9", "stop=x", "max_tokens=8"]), plan("b", settings=["top_p=0.9"])
    models = Plan((*first.models, *second.models)).models
    assert _shared(list(models)) == {"temperature": 1.0, "top_p": 0.9}
    assert _shared([first.models[0]]) == {"temperature": 1.0, "top_p": 0.9, "stop": "x", "max_tokens": 8}


@pytest.mark.slow
def test_inspect_evaluates_a_strategy_as_its_model(tmp_path):
    """It repeats each question in two epochs, which are two runs, and scores the text of the answer."""
    pytest.importorskip("inspect_ai")
    command = [sys.executable, "-m", "tests.live.inspected", str(tmp_path)]
    environment = {**os.environ, "INSPECT_DISPLAY": "none"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=-1, check=True, timeout=120, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["status"] == "success"
    assert found["completions"] == ["It is 42.", "It is 7."]
    assert (found["accuracy"], found["tokens"]) == (0.5, 2 * 3 * 15)
