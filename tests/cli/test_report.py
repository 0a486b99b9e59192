"""`mssim report`: the page and the answer that it prints."""

import os
import webbrowser

import pytest

from tests.cli.test_cli import bad, pool_path, run  # noqa: F401

FAST = ("--where", "prompt=long", "--budgets", "1,2,4", "--limits", "2,4", "--n-replays", "40")


@pytest.mark.slow
def test_the_page_is_written_and_the_answer_printed(run, pool_path, tmp_path, monkeypatch):  # noqa: F811
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)  # returns nothing, as without a browser
    out = tmp_path / "a page.html"
    code, text, err = run(
        "report", pool_path, *FAST, "--strategy", "ms:x+y", "--out", out, "--title", "A <title>", "--open"
    )
    assert code == 0, err
    lines = text.splitlines()
    assert lines[0] == "A <title>"
    assert lines[1].startswith("Within 4 samples per question on average, use ")
    assert lines[-1] == f"written to {out}"
    page = out.read_text(encoding="utf-8")
    assert "A &lt;title&gt;" in page
    assert "mssim report" in page
    assert "--strategy ms:x+y" in page
    assert opened == [out.as_uri()]
    assert f"no browser was found; open {out} yourself" in err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--out", "none/x.html"), "--out: the folder"),
        (("--out", "pipe"), "--out: pipe is a device or a pipe"),
        (("--limits", "a"), "--limits: 'a' is not"),
        (("--limits", "0.1"), "--limits: in at least one fold"),
        (("--family", "stop"), "--family: 'stop' is not valid. Did you mean 'stops'?"),
        (("--strategy", "ms:x+w"), "no model 'w'"),
        (("--models", "x,w"), "'w'"),
    ],
)
def test_bad_input(run, pool_path, tmp_path, monkeypatch, given, says):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    bad(run("report", pool_path, *FAST[:6], *given), says)
    assert not (tmp_path / "report.html").exists()
