"""The walk of recorded/README.md, from a file of questions to a first curve, against a server on loopback."""

import json
import re
import shlex
import shutil
import warnings
from pathlib import Path

import pytest

from mssim import PoolWarning, load_pool
from tests.chat_server import serving
from tests.cli import test_cli

run = test_cli.run
RECORDED = Path(__file__).parents[1] / "recorded"
TEXT = (RECORDED / "README.md").read_text(encoding="utf-8")


def block(mark, kind="bash"):
    """The code below a mark such as <!-- grade -->, without its indent."""
    return re.search(rf"<!-- {mark} -->\n\s*```{kind}\n(.*?)```", TEXT, re.DOTALL)[1]


def copy_plans(folder, base_url):
    """Copy the plans and their prompts, with all servers at one address."""
    for part in ("plans", "prompts"):
        shutil.copytree(RECORDED / "llm" / part, folder / "recorded" / "llm" / part)
    for plan in (folder / "recorded" / "llm" / "plans").glob("*.toml"):
        text, n = re.subn(r"http://127\.0\.0\.1:\d+/v1", base_url, plan.read_text(encoding="utf-8"))
        assert n
        plan.write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_from_questions_to_a_first_curve(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [line.strip() for line in block("questions", "json").splitlines() if line.strip()]
    (tmp_path / "questions.jsonl").write_text("\n".join(rows), encoding="utf-8")
    said = {}
    with serving() as server:
        copy_plans(tmp_path, server.base_url)
        for step in ("record", "grade", "curves"):
            commands = [shlex.split(line) for line in block(step).replace("\\\n", "").splitlines() if line.strip()]
            assert len(commands) >= 2
            for name, *arguments in commands:
                assert name == "mssim"
                code, out, err = run(*arguments)
                assert code == 0, err
                said[step] = said.get(step, "") + out
        asked = len(server.log("received"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)  # the server answers without regard to the question
        pool = load_pool(tmp_path / "my-pool")
    questions = [json.loads(row)["question"] for row in rows]
    assert pool.models == ("smol", "smol-cool", "gemma")
    assert list(pool.questions["question"]) == questions
    assert (pool.lengths == 64).all()
    assert asked == 3 * len(questions) * 64 / 8  # the dry run asked for nothing
    assert questions[0] in said["record"]
    assert "no_answer" in said["grade"]
    assert "ms:gemma+smol" in said["curves"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
