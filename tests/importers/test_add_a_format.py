"""The guide that adds a format (docs/how-to/add-a-format.md), followed to the letter."""

import ast
import doctest
import importlib
import re
import sys
from pathlib import Path

import pytest

from mssim import PoolError, PoolWarning
from mssim.importers import formats, recognise, registry
from mssim.importers.safe_files import Source
from tests.cli import test_cli
from tests.importers import test_recognition
from tests.importers.minimal import MINIMAL, write_minimal

run = test_cli.run
GUIDE = (Path(__file__).parents[2] / "docs" / "how-to" / "add-a-format.md").read_text(encoding="utf-8")


def block(mark):
    """The block of code after a mark."""
    return re.search(rf"<!-- {mark} -->\n```\w+\n(.*?)```", GUIDE, re.DOTALL)[1]


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The format of the guide and its files, in the current folder; gone after the test."""
    (tmp_path / "votebox.py").write_text(block("file: votebox.py"), encoding="utf-8")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "llama.votes.jsonl").write_text(block("runs/llama.votes.jsonl"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    for files, mark in ((registry.FORMATS, "line"), (MINIMAL, "small file")):
        for name, value in ast.literal_eval("{" + block(mark) + "}").items():
            monkeypatch.setitem(files, name, value)
    yield importlib.import_module("mssim.importers.formats.votebox")
    del sys.modules["mssim.importers.formats.votebox"], formats.votebox


@pytest.mark.usefixtures("added")
def test_the_guide_adds_a_format_by_one_file_and_one_line():
    test = doctest.DocTestParser().get_doctest(block("use"), {}, "use", None, 0)
    with pytest.warns(PoolWarning, match="1 sample failed and is not in the pool: 1 timeout"):
        results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert (results.failed, results.attempted) == (0, 5)


def test_the_command_counts_what_failed(run, added):
    code, out, err = run(*block("command").split()[1:])
    assert code == 0
    assert "2 questions, 1 model, 4 samples" in out
    assert "timeout" in out + err
    code, out, _ = run("import", "--list", "--json")
    assert added.EXAMPLE in out


def test_the_tests_of_all_formats_find_it(tmp_path, added):
    test_recognition.test_every_format_has_a_small_file()
    test_recognition.test_exactly_one_format_claims_a_file(tmp_path / "small", "votebox")
    for name in MINIMAL:
        assert added.is_own(Source(write_minimal(tmp_path / "all", name))) == (name == "votebox")


def test_a_damaged_line_is_named(tmp_path, added):
    path = tmp_path / "runs" / "llama.votes.jsonl"
    path.write_text(path.read_text().replace('"tokens": 1', '"tokens": -1'))
    assert recognise(path) == "votebox"
    with pytest.raises(PoolError, match=r"llama\.votes\.jsonl.*line 2"):
        added.from_votebox(path)
