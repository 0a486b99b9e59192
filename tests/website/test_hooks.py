"""Links of the repository on the site, and pages that its two renderers show differently."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from website import hooks


@pytest.fixture(autouse=True)
def heard(monkeypatch):
    """Turn the logger on: import-linter, which another test runs, turns off those that exist."""
    monkeypatch.setattr(hooks.log, "disabled", False)


class Files:
    def get_file_from_path(self, path):
        known = {"project/CHANGELOG.md", "project/recorded/README.md", "project/recorded/llm-sums/curves.png"}
        return path if path in known else None


def page(source):
    return SimpleNamespace(file=SimpleNamespace(src_uri=source), meta={}, is_homepage=source == "index.md")


def as_shown(text, source="how-to/record.md"):
    return hooks.on_page_markdown(text, page(source), Files(), config=None)


@pytest.mark.parametrize(
    ("source", "text", "shown"),
    [
        ("how-to/record.md", "[a](tune.md#b)", "[a](tune.md#b)"),
        ("how-to/record.md", "[a](#b) [c](https://d.e/f.md)", "[a](#b) [c](https://d.e/f.md)"),
        ("how-to/record.md", "[a](../../recorded/README.md#b)", "[a](../project/recorded/README.md#b)"),
        ("how-to/record.md", "[`a`](../../CHANGELOG.md)", "[`a`](../project/CHANGELOG.md)"),
        ("how-to/record.md", "[a](../../README.md)", "[a](../index.md)"),
        ("how-to/record.md", "[the `a` b](../../README.md) `c`", "[the `a` b](../index.md) `c`"),
        ("how-to/record.md", "[mssim/prices.py](../../mssim/prices.py)", "mssim/prices.py"),
        ("how-to/record.md", "[recorded/](../../recorded/)", "[recorded/](../project/recorded/README.md)"),
        ("how-to/record.md", "[a](../../)", "[a](../index.md)"),
        ("how-to/record.md", "[prices](../../mssim/prices.py)", "prices (`mssim/prices.py`)"),
        ("how-to/record.md", "[a](../../no-such.md)", "[a](../../no-such.md)"),
        ("how-to/record.md", "`[a](../../README.md)`", "`[a](../../README.md)`"),
        ("how-to/record.md", "```text\n[a](../../README.md)\n```", "```text\n[a](../../README.md)\n```"),
        ("project/CHANGELOG.md", "[a](docs/how-to/tune.md)", "[a](../how-to/tune.md)"),
        ("project/recorded/README.md", "[a](../docs/how-to/tune.md#b)", "[a](../../how-to/tune.md#b)"),
        ("project/recorded/README.md", "![a](llm-sums/curves.png)", "![a](llm-sums/curves.png)"),
    ],
)
def test_links(source, text, shown):
    assert as_shown(text, source) == shown


def test_doctests_are_coloured_as_such():
    text = "```python\n>>> 1\n1\n```\n```python\n1 >>> 1\n```\n"
    assert as_shown(text) == text.replace("python", "pycon", 1)


def test_the_page_of_commands_has_them():
    assert "\n## mssim evaluate\n" in as_shown("# Commands\n\n", "reference/cli.md")


@pytest.mark.parametrize(("html", "warned"), [("<ul><li>a</li></ul>", False), ("<p>- a</p>", True)])
def test_a_page_that_the_site_shows_differently_is_named(caplog, html, warned):
    shown = page("how-to/record.md")
    hooks.on_page_markdown("- a\n", shown, Files())
    with caplog.at_level(logging.WARNING):
        hooks.on_page_content(html, shown)
    assert ("how-to/record.md: the site shows" in caplog.text) == warned
    assert "repository" not in shown.meta


@pytest.mark.parametrize(
    ("html", "warned"),
    [
        ('<a href="https://arxiv.org">', False),
        ('<script src="../a.js"></script><img src="data:x">', False),
        ('<script src="https://a.b/c.js"></script>', True),
        ('<link rel="stylesheet" href=//fonts.a.b>', True),
    ],
)
def test_a_page_that_loads_from_another_machine_is_named(caplog, html, warned):
    with caplog.at_level(logging.WARNING):
        hooks.on_post_page(html, page("index.md"))
    assert ("index.md loads from another machine" in caplog.text) == warned


def test_pages_from_outside_are_there():
    assert all(any(hooks.ROOT.glob(pattern)) for pattern in hooks.OUTSIDE)
    assert Path(hooks.ROOT, "mkdocs.yml").is_file()
