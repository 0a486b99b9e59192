"""`python -m benchmarks`: measure everything in one run and print it as Markdown.

    python -m benchmarks                                                    # all of it, a good twenty minutes
    python -m benchmarks --skip large_pool                                  # without the section that takes ten of them
    python -m benchmarks --smoke                                            # small sizes, to see that it runs
    python -m benchmarks --only engines threads                             # some sections
    python -m benchmarks --out benchmarks/RESULTS.md --figure docs/speed.png    # keep it

It exits with 1 if engines disagree or, in full mode, anything takes more than it is allowed.
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
    parser.add_argument("--smoke", action="store_true", help="small sizes")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--skip", nargs="+", choices=NAMES, default=[], metavar="NAME", help="leave these out")
    parser.add_argument("--out", type=Path, help="write the report there [default: print it]")
    parser.add_argument("--figure", type=Path, help="draw the sections engines and growth there")
    given = parser.parse_args()
    wanted = [name for name in known() if name in given.only and name not in given.skip]
    if not wanted:
        parser.error("no section is left to measure")
    if given.figure and not {"engines", "growth"} <= set(wanted):
        parser.error("--figure draws the sections engines and growth; measure both")

    sections = []
    for name in wanted:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        sections.append(measured(name, given.smoke))
    from benchmarks.report import report  # after the measuring, whose processes begin as large as this one

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
