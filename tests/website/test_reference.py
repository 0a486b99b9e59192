"""The reference names every public function and class, and every command with its options."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer

from mssim.cli import app
from website.commands import commands_page

ROOT = Path(__file__).parents[2]
PATHS = [
    path
    for page in sorted((ROOT / "docs" / "reference" / "api").glob("*.md"))
    for path in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
]
PUBLIC = ["mssim", "mssim.plots"] + [
    f"mssim.{path.parent.name}"
    for path in sorted((ROOT / "mssim").glob("*/__init__.py"))
    if path.parent.name not in ("cli", "kernels", "rules") and "__all__ = [" in path.read_text(encoding="utf-8")
]
COMMANDS = typer.main.get_command(app).commands


def shown(path):
    """Objects that `::: path` shows: of a module all public names but those of its modules, which hide functions."""
    if path not in PUBLIC:
        home, _, name = path.rpartition(".")
        return [getattr(importlib.import_module(home), name)]
    module = importlib.import_module(path)
    hidden = set() if path == "mssim.plots" else {file.stem for file in Path(module.__file__).parent.glob("*.py")}
    return [getattr(module, name) for name in module.__all__ if name not in hidden]


@pytest.mark.slow
@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_is_in_the_reference(package):
    assert len(PATHS) == len(set(PATHS)) > 60
    found = {id(thing) for path in PATHS for thing in shown(path)}
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if id(getattr(module, name)) not in found] == []


def test_every_package_with_public_names_is_meant():
    assert {f"mssim.{name}" for name in ("theory", "tuning", "simulate", "recorder", "live", "importers")} < set(PUBLIC)


def test_every_command_has_a_section_with_its_options():
    sections = dict(re.findall(r"^## mssim (\S+)\n(.*?)(?=^## |\Z)", commands_page(), re.MULTILINE | re.DOTALL))
    assert list(sections) == list(COMMANDS)
    for name, command in COMMANDS.items():
        options = [param.opts[0] for param in command.params if param.param_type_name == "option" and not param.hidden]
        assert [option for option in options if f"<code>{option}" not in sections[name]] == []


def test_examples_of_the_help_are_blocks_of_code():
    blocks = re.findall(r"```bash\n(.*?)```", commands_page(), re.DOTALL)
    helps = " ".join(word for command in COMMANDS.values() for word in command.help.split())
    assert len(blocks) == helps.count(": mssim ") > 15
    for block in blocks:
        assert " ".join(shlex.split(block.replace("\\\n", " "))) in helps
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 100


def test_signs_of_a_help_text_stand_for_themselves():
    text = commands_page()
    assert "COLUMN=VALUE, !=, &lt;, &lt;=" in text
    assert "| <code>--replacement / --no-replacement</code> |" in text
    assert re.search(r"[^\\`]\blist\[str\]", text) is None
