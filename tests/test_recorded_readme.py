"""The walk of recorded/README.md, from a file of questions to a first curve, against a server on loopback."""

import json
import re
import shlex
import warnings
from pathlib import Path

import pytest

from mssim import PoolWarning, load_pool
from tests.chat_server import serving
from tests.recording_http import mssim, run

TEXT = (Path(__file__).parents[1] / "recorded" / "README.md").read_text(encoding="utf-8")


def block(mark, kind="bash"):
    """The code below a mark such as <!-- grade -->, without its indent."""
    return re.search(rf"<!-- {mark} -->\n\s*```{kind}\n(.*?)```", TEXT, re.DOTALL)[1]


@pytest.mark.slow
def test_from_questions_to_a_first_curve(tmp_path):
    lines_of_questions = [line.strip() for line in block("questions", "json").splitlines() if line.strip()]
    (tmp_path / "questions.jsonl").write_text("\n".join(lines_of_questions), encoding="utf-8")
    said = {}
    with serving() as server:
        for step in ("record", "grade", "curves"):
            commands = block(step).replace("http://127.0.0.1:8000/v1", server.base_url).replace("\\\n", "")
            lines = [shlex.split(line) for line in commands.splitlines() if line.strip()]
            assert len(lines) >= 2
            for name, *arguments in lines:
                assert name == "mssim"
                code, out, err = run(mssim(*arguments), cwd=tmp_path)
                assert code == 0, err
                said[step] = said.get(step, "") + out
        asked = len(server.log("received"))
    questions = [json.loads(line) for line in lines_of_questions]
    assert asked == 2 * len(questions) * 64 / 8  # the dry run asked for nothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)  # the server answers without regard to the question
        pool = load_pool(tmp_path / "my-pool")
    assert sorted(pool.models) == ["gemma", "smol"]
    assert list(pool.questions["question"]) == [one["question"] for one in questions]
    assert (pool.lengths == 64).all()
    assert questions[0]["question"] in said["record"]
    assert "no_answer" in said["grade"]
    assert re.search(r"\bms:(smol\+gemma|gemma\+smol)\b", said["curves"])
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
