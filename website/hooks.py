"""Hooks of MkDocs: pages from outside docs/, links to files of the repository, and the reference of the commands."""

import logging
import os.path
import re
import sys
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # `mkdocs` runs without the checkout on its path

from website.commands import commands_page  # noqa: E402

log = logging.getLogger("mkdocs.hooks.website")

# Markdown outside docs/ that belongs to the site, and its pictures. They keep their paths below project/.
OUTSIDE = (
    *("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/RESULTS.md", "figures/README.md", "recorded/**/README.md"),
    *("figures/*.png", "recorded/*/*.png"),
)
COMMANDS = "reference/cli.md"
_CODE_OR_LINK = re.compile(
    r"^[ \t]*```.*?^[ \t]*```[^\n]*$|`[^`\n]+`"
    r"|(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^)\s]+)\)",
    re.DOTALL | re.MULTILINE,
)
_DOCTEST = re.compile(r"^( *```)python(\n *>>>)", re.MULTILINE)


def on_files(files, config):
    """Add the pages and pictures from outside docs/."""
    from mkdocs.structure.files import File

    for path in sorted(path for pattern in OUTSIDE for path in ROOT.glob(pattern)):
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, f"project/{name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, files, **_):
    """Write links as links between pages of the site, and add what is generated."""
    source = page.file.src_uri
    page.meta["repository"] = markdown
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]  # which has this page only
    shown = _CODE_OR_LINK.sub(lambda found: _site_link(found, source, files) if found["target"] else found[0], markdown)
    shown = _DOCTEST.sub(r"\1pycon\2", shown)  # so that prompts and output are coloured as such
    return shown + (commands_page() if source == COMMANDS else "")


def _site_link(link, source, files):
    """Write a link of the repository as a link of the site, or name its file if the site has no page of it."""
    name, mark, section = link["target"].partition("#")
    here = source.removeprefix("project/") if source.startswith("project/") else f"docs/{source}"
    path = os.path.normpath(PurePosixPath(here).parent / name)
    if not name or ":" in name or not (ROOT / path).exists():  # the validation of links reports what does not exist
        return link[0]
    if (ROOT / path / "README.md").is_file():
        path += "/README.md"
    target = "index.md" if path in ("README.md", "./README.md") else path.removeprefix("docs/")
    if target == path:
        target = f"project/{path}"
        if files.get_file_from_path(target) is None:
            return link["text"] if path in link["text"] else f"{link['text']} (`{path}`)"
    target = os.path.relpath(target, PurePosixPath(source).parent)
    return f"{link['image']}[{link['text']}]({target}{mark}{section})"


def on_page_content(html, page, **_):
    """Warn if lists, tables or blocks of code differ from those that a reader of the repository sees."""
    markdown = page.meta.pop("repository")
    if page.file.src_uri == COMMANDS or re.search(r"^::: ", markdown, re.MULTILINE):
        return
    seen = _counts(MarkdownIt("commonmark").enable("table").render(markdown))
    if (shown := _counts(html)) != seen:
        log.warning("%s: the site shows %s, the repository %s. Indent by four.", page.file.src_uri, shown, seen)


def on_post_page(output, page, **_):
    """Warn if a page loads anything from another machine."""
    for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*>", output):
        log.warning("%s loads from another machine: %s", page.file.src_uri, tag)


class _Counter(HTMLParser):
    def __init__(self):
        super().__init__()
        self.counts = dict.fromkeys(("ol", "ul", "li", "table", "pre"), 0)

    def handle_starttag(self, tag, _):
        """Count a tag."""
        if tag in self.counts:
            self.counts[tag] += 1


def _counts(html):
    counter = _Counter()
    counter.feed(html)
    return counter.counts
