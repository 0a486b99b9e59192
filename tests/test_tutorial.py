"""The first tutorial, as a new user follows it: what is refused, proposed, warned of and answered is what it shows."""

import re
from pathlib import Path

import pytest

from tests.cli import test_cli
from tests.test_docs import blocks_of

TEXT = (Path(__file__).parents[1] / "docs/tutorial/first-curve.md").read_text(encoding="utf-8")

run = test_cli.run


def words(text):
    return " ".join(text.split())


@pytest.mark.slow
def test_the_first_curve(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made, refused, message, imported, warnings, reported, answer, *_ = blocks_of(TEXT)
    exec(compile(made.text, "make.py", "exec"), {})
    ((_, *command),) = refused.commands()
    code, _, err = run(*command)
    assert (code, words(err)) == (2, words(message.text))
    ((_, *command),) = imported.commands()
    assert re.search(r"--map (\S+)", message.text)[1] in command
    code, out, err = run(*command)
    assert code == 0
    assert words(warnings.text) in words(err)
    ((_, *command),) = reported.commands()
    code, out, err = run(*command)
    assert code == 0
    assert words(answer.text) in words(out)
