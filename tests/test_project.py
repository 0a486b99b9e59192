"""The files around the package: changelog, citation, contributing guide, hooks, and the commands of the README."""

import importlib.util
import re
import shlex
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

import mssim
from mssim.pools.loading import read_pool
from mssim.tuning.options import FAMILIES
from tests.cli import test_cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINT = {re.match(r"[\w-]+", requirement)[0] for requirement in PROJECT["optional-dependencies"]["lint"]}
PAGES = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")),
]


run = test_cli.run


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def shell_blocks(name):
    """Pairs (mark, commands) of the bash blocks of a page; the mark is the comment right above a block, or None."""
    found = re.findall(r"(?:<!-- ([^>]*) -->\n)?```bash\n(.*?)```", text_of(name), re.DOTALL)
    return [(mark or None, commands_in(block)) for mark, block in found]


def commands_in(block):
    lines = (shlex.split(line, comments=True) for line in block.replace("\\\n", " ").splitlines())
    return [line for line in lines if line]


def test_the_changelog_has_a_section_for_this_version():
    sections = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - (?:unreleased|\d{4}-\d\d-\d\d)$", text_of("CHANGELOG.md"), re.MULTILINE
    )
    assert sections[0] == mssim.__version__
    assert sections == sorted(sections, key=lambda version: [*map(int, version.split("."))], reverse=True)


def test_the_citation_has_this_version_and_licence():
    fields = dict(re.findall(r"^([\w-]+): (.+)$", text_of("CITATION.cff"), re.MULTILINE))
    assert fields["version"] == mssim.__version__
    assert fields["license"] == PROJECT["license"]


def test_hooks_are_local_and_their_tools_are_in_the_lint_extra():
    text = text_of(".pre-commit-config.yaml")
    assert re.findall(r"- repo: (.+)", text) == ["local"]
    entries = re.findall(r"entry: ([\w-]+)", text)
    assert len(entries) == text.count("- id: ") == text.count("language: system") >= 4
    assert set(entries) | {"pre-commit"} <= LINT


def test_the_commands_of_the_contributing_guide_exist():
    commands = [command for _, block in shell_blocks("CONTRIBUTING.md") for command in block]
    assert len(commands) >= 10
    for program, *arguments in commands:
        if program == "python":
            assert arguments[0] == "-m"
            assert importlib.util.find_spec(arguments[1]), arguments[1]
        elif "/" in program:
            assert (ROOT / program).stat().st_mode & 0o100, program
        else:
            assert program in LINT, program
        paths = [argument for argument in arguments if argument.startswith(("tests/", "docs/", "mssim/"))]
        assert [path for path in paths if not (ROOT / path).exists()] == []
    extras = {name for command in commands for name in re.findall(r"\.\[([\w,]+)\]", " ".join(command))}
    assert {name for names in extras for name in names.split(",")} <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES)
def test_links_to_files_and_sections_exist(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" in target:
            continue
        name, _, section = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        if section:
            titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert section in [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles], target


def test_every_shell_block_of_the_readme_is_run():
    """By .ci/run, by tests/cli/test_long.py, or below."""
    marks = [mark for mark, _ in shell_blocks("README.md")]
    names = ("main command", "test command", "first commands", "cost commands", "tuning command", "plan command")
    assert tuple(marks) == (*names, "long commands")


def save_small_pools(folder):
    """Save a tenth of the questions of the pools that ship, which is enough to run long commands."""
    for path in (ROOT / "recorded").glob("*/pool.json"):
        pool = read_pool(path.parent)
        part = pool.select(questions=pool.question_ids[::10])
        stated = replace(part, info=part.info | {"known_warnings": part.warnings()})
        stated.save(folder / path.parent.name)


@pytest.mark.parametrize("mark", ["first commands", "cost commands", "tuning command", "plan command"])
def test_commands_of_the_readme(run, tmp_path, monkeypatch, mark):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    if mark == "first commands":
        (tmp_path / "recorded").symlink_to(ROOT / "recorded")
    else:
        save_small_pools(tmp_path / "recorded")
    monkeypatch.chdir(tmp_path)
    for program, *arguments in dict(shell_blocks("README.md"))[mark]:
        assert program == "mssim"
        few = ["--n-replays", "20"] if arguments[0] in ("evaluate", "tune", "plan", "theory", "report") else []
        code, out, err = run(*arguments, *few)
        assert (code, err) == (0, "")
        assert out


def test_commands_of_the_guide_to_budgets(run, tmp_path, monkeypatch):
    save_small_pools(tmp_path / "recorded")
    monkeypatch.chdir(tmp_path)
    guide = text_of("docs/how-to/budgets.md")
    (tmp_path / "prices.toml").write_text(re.search(r"<!-- prices.toml -->\n```toml\n(.*?)```", guide, re.DOTALL)[1])
    commands = [command for _, block in shell_blocks("docs/how-to/budgets.md") for command in block]
    assert len(commands) >= 8
    for program, *arguments in commands:
        assert program == "mssim"
        code, out, err = run(*arguments)
        assert (code, err) == (0, ""), arguments
        assert out
    assert (tmp_path / "spent.png").exists()


def test_the_guide_to_tuning(run, tmp_path, monkeypatch):
    """Its table is that of the families, and its commands run."""
    save_small_pools(tmp_path / "recorded")
    monkeypatch.chdir(tmp_path)
    guide = "docs/how-to/tune.md"
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text_of(guide), re.MULTILINE)) == dict(FAMILIES)
    commands = [command for _, block in shell_blocks(guide) for command in block]
    assert len(commands) == 3
    for program, *arguments in commands:
        assert program == "mssim"
        code, out, err = run(*arguments)
        assert (code, err) == (0, ""), arguments
        assert out


def test_the_guide_to_output_formats_shows_what_is_printed(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    guide = text_of("docs/how-to/output-formats.md")
    (tmp_path / "answers.csv").write_text(re.search(r"<!-- answers.csv -->\n```csv\n(.*?)```", guide, re.DOTALL)[1])
    shown = re.findall(r"```bash\nmssim ([^\n]*)\n```\n\n```(?:csv|text)\n(.*?)```", guide, re.DOTALL)
    assert [command.split()[-1] for command, _ in shown] == ["csv", "md", "latex"]
    for command, output in shown:
        assert run(*command.split()) == (0, output, "")


def test_the_tree_in_the_readme_is_complete():
    tree = re.search(r"```text\n(.*?)```", text_of("README.md"), re.DOTALL)[1]
    named = set(re.findall(r"^  (\w+)/", tree, re.MULTILINE))
    assert named == {path.parent.name for path in (ROOT / "mssim").glob("*/__init__.py")}
    folders = set(re.findall(r"^(\w+)/", tree, re.MULTILINE))
    assert [name for name in sorted(folders) if not (ROOT / name).is_dir()] == []
