"""The table of formats in the documentation, from the registry. `python -m tests.importers.formats_page` writes it."""

import re
from pathlib import Path

from mssim.importers.registry import listed

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "import-logs.md"
HEAD = "| format | files | command | what votes |\n| --- | --- | --- | --- |\n"


def table():
    """The table as Markdown."""
    rows = (f"| `{row['format']}` | {row['files']} | `{row['command']}` | {row['votes']} |" for row in listed())
    return HEAD + "\n".join(rows) + "\n"


def main():
    page = PAGE.read_text(encoding="utf-8")
    new, places = re.subn(re.escape(HEAD) + r"(\|.*\n)*", lambda _: table(), page)
    assert places == 1, f"{PAGE} must have the head of the table once"
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
