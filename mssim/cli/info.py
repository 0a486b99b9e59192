"""`mssim info`: summary of a pool."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from mssim.cli.language import as_options
from mssim.cli.loading import load
from mssim.cli.options import Format, Json, WhereOption, parse_where, read_format
from mssim.cli.output import data_title, print_frame, printable


def info(
    pool: Annotated[str, typer.Argument(help="Pool folder, or a .parquet, .csv or .jsonl table.")],
    where: WhereOption = None,
    json: Json = False,
    format_: Format = None,
) -> None:
    """Print the models of a pool, the number of samples and warnings about them.

    Warnings name what limits the samples, such as texts that were cut off. Notes below the table name rare cases,
    recorded reasoning, and what the publisher of the pool has stated.

    Example: mssim info recorded/llm-products
    """
    form = read_format(json, format_)

    from mssim.pools.loading import known_warnings
    from mssim.pools.quality import pool_remarks

    loaded = load(pool, parse_where(where or []))
    if form == "table":
        for name in ("title", "source", "licence"):
            if name in loaded.info:
                print(f"{name}: {printable(str(loaded.info[name]))}")
        grader = loaded.info.get("grader")
        if isinstance(grader, Mapping) and "rule" in grader:
            kept = " --reasoning keep" if grader.get("reasoning") == "keep" else ""
            print(f"graded with: --rule {printable(shlex.quote(str(grader['rule'])))}{kept}")
        columns = {"question columns": [*loaded.questions.columns], "recorded numbers": [*loaded.numbers]}
        print(printable(repr(loaded)))
        for name, names in columns.items():
            print(f"{name}: {printable(', '.join(names)) or 'none'}")
    print_frame(loaded.describe(), form, title=data_title(loaded.info))
    stated = known_warnings(loaded)
    known = [text for text in loaded.warnings() if text in stated] if stated else []
    for remark in [*known, *pool_remarks(loaded)]:
        print(f"mssim: note: {printable(as_options(remark))}", file=sys.stdout if form == "table" else sys.stderr)
