"""Command line `python -m benchmarks`: measure everything and print a report in Markdown.

    python -m benchmarks                                                    # all sections, more than half an hour
    python -m benchmarks --skip large_pool coverage                         # without the longest ones
    python -m benchmarks --smoke                                            # small sizes, as a test
    python -m benchmarks --only engines threads                             # some sections
    python -m benchmarks --out benchmarks/RESULTS.md --figure docs/images/speed.png    # write report and figure
    python -m benchmarks --check                                            # two minutes: ratios and their limits
    python -m benchmarks --check --against HEAD~1                           # and ratios to a commit

The exit code is 1 if engines disagree or, without --smoke, if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.sections import NAMES, known, measured


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="use small sizes")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=NAMES,
        default=NAMES,
        metavar="NAME",
        help="sections to measure: " + ", ".join(NAMES),
    )
    parser.add_argument("--skip", nargs="+", choices=NAMES, default=[], metavar="NAME", help="sections to skip")
    parser.add_argument("--out", type=Path, help="file for the report [default: print it]")
    parser.add_argument("--check", action="store_true", help="only compare ratios of times with their limits")
    parser.add_argument("--against", metavar="COMMIT", help="with --check: also compare with a commit")
    parser.add_argument("--figure", type=Path, help="file for the figure of the sections engines and growth")
    given = parser.parse_args()
    if given.against is not None and not given.check:
        parser.error("--against: requires --check. Include it.")
    if given.check:
        from benchmarks.guard import check

        return check(given.smoke, given.against)
    wanted = [name for name in known() if name in given.only and name not in given.skip]
    if not wanted:
        parser.error("--only, --skip: no sections remain. Skip fewer sections.")
    if given.figure and not {"engines", "growth"} <= set(wanted):
        parser.error("--figure: requires the sections engines and growth. Include both.")

    sections = []
    for name in wanted:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        sections.append(measured(name, given.smoke))
    from benchmarks.report import report  # imported late, because processes inherit the memory of this one

    text = report(sections, given.smoke)
    if given.out:
        given.out.write_text(text)
    else:
        print(text, end="")
    failures = [line for section in sections for line in section.failures]
    tables = {section.name: section.tables for section in sections}
    if given.figure and tables["engines"] and tables["growth"]:
        from benchmarks.figure import draw

        draw(tables["engines"], tables["growth"], given.figure, given.smoke)
    for line in failures:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
