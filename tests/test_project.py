"""The files around the package: changelog, citation, contributing guide, hooks, and links of the documentation."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import mssim
from mssim.tuning.options import FAMILIES
from tests.test_docs import blocks_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINT, DOCS = (
    {re.match(r"[\w-]+", requirement)[0] for requirement in PROJECT["optional-dependencies"][extra]}
    for extra in ("lint", "docs")
)
PAGES = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")),
]


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


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
    commands = [command for block in blocks_of(text_of("CONTRIBUTING.md")) for command in block.commands()]
    assert len(commands) >= 10
    for program, *arguments in commands:
        if program == "python":
            assert arguments[0] == "-m"
            assert importlib.util.find_spec(arguments[1]), arguments[1]
        elif "/" in program:
            assert (ROOT / program).stat().st_mode & 0o100, program
        else:
            assert program in LINT | DOCS, program
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


def test_the_start_page_names_every_extra():
    table = text_of("docs/index.md").split("| extra | for |")[1].split("\n\n")[0]
    named = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(PROJECT["optional-dependencies"])


def test_the_table_of_the_guide_to_tuning_is_that_of_the_families():
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", text_of("docs/how-to/tune.md"), re.MULTILINE)
    assert dict(rows) == dict(FAMILIES)
