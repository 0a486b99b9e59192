"""Formats by name, each with a reader, a public function, and what users read about it."""

import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.core import ParameterSource

import mssim.importers
from mssim import MssimError
from mssim.cli import _command
from mssim.importers.registry import FORMATS, find, listed, options_of
from tests.cli import test_cli
from tests.importers import formats_page

run = test_cli.run


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_reader_and_a_function(name):
    module = find(name)
    function = getattr(mssim.importers, f"from_{name.replace('-', '_')}")
    assert name in FORMATS
    assert module.PATTERNS
    assert set(options_of(module)) <= set(__import__("inspect").signature(function).parameters)
    assert function.__name__ in mssim.importers.__all__


def test_options_are_what_a_reader_can_be_told_by_name():
    def read(sources, sink, *, scorer=None, rule=None):
        return sources, sink, scorer, rule

    assert options_of(SimpleNamespace(read=read)) == ["scorer", "rule"]


def test_an_unknown_format_is_named_with_its_neighbours():
    with pytest.raises(
        MssimError, match=r"'lm_eval' is not known\. Did you mean 'lm-eval'.* mssim import --list prints"
    ):
        find("lm_eval")


@pytest.mark.parametrize("row", listed(), ids=list(FORMATS))
def test_what_is_listed_is_short_and_the_command_works(row):
    assert all(0 < len(text) <= 100 and "|" not in text and not text.endswith(".") for text in row.values())
    program, command, *arguments = shlex.split(row["command"])
    assert (program, command, arguments[0]) == ("mssim", "import", row["format"])
    context = _command().get_command(None, command).make_context(command, list(arguments))  # raises for other options
    given = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    assert context.params["given"][1:]
    assert context.params["out"] == Path("my-pool")
    own = {{"map_": "names"}.get(name, name) for name in given - {"given", "out", "rule"}}
    assert own <= set(options_of(find(row["format"])))


def test_the_list_is_printed(run):
    code, text, err = run("import", "--list", "--json")
    assert (code, err, json.loads(text)) == (0, "", listed())
    code, text, _ = run("import", "--list")
    assert code == 0
    assert all(word in text for row in listed() for word in row["files"].split())


def test_the_help_is_short_and_says_which_formats_have_an_option(run):
    _, text, _ = run("import", "--help")
    assert len(text.splitlines()) <= 57
    for option in _command().get_command(None, "import").params:
        name = {"map_": "names"}.get(option.name, option.name)
        having = [known for known in FORMATS if name in options_of(find(known))]
        heads = re.findall(r"(?:^|; )([\w-]+(?:, [\w-]+)*): ", option.help or "")
        assert name == "model" or not having or ", ".join(heads).split(", ") == having


def test_the_page_of_the_documentation_has_the_same_table():
    page = formats_page.PAGE.read_text(encoding="utf-8")
    assert formats_page.table() in page, "run python -m tests.importers.formats_page"
