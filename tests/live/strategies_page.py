"""The table of rules in the guide to live runs, from the registry. `python -m tests.live.strategies_page` writes it."""

import re
from pathlib import Path

from mssim import StrategyError, catalogue
from mssim.live.strategies import columns_needed, plans_at, refuse, turns
from tests.rules.test_catalogue import example

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "run-live.md"
HEAD = "| rule | first request at budget 16, or why it cannot run live | reads |\n| --- | --- | --- |\n"


def table():
    """The table as Markdown."""
    return HEAD + "".join(f"| `{row.rule}` | {' | '.join(described(row.rule))} |\n" for row in catalogue())


def described(rule):
    """What a rule asks for first, and what it reads of each sample."""
    strategy = example(rule)
    try:
        refuse(strategy)
    except StrategyError as error:
        return str(error).split(" cannot run live: ")[1].split(". ")[0], ""
    if any(plan.cap for plan in plans_at(strategy, 16)):
        first = "1 sample of each question"
    else:
        n = next(turns(strategy, 16, "q")).n
        first = f"{n} sample{'s' * (n > 1)}"
    return first, ", ".join(f"`{column}`" for column in columns_needed(strategy))


def main():
    page = PAGE.read_text(encoding="utf-8")
    new, places = re.subn(re.escape(HEAD) + r"(\|.*\n)*", lambda _: table(), page)
    assert places == 1, f"{PAGE} must have the head of the table once"
    PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
