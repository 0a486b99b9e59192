"""`mssim grade`: extract answers from recorded texts and grade them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim.cli.formats import json_rows
from mssim.cli.language import as_options
from mssim.cli.options import Format, Json, ReasoningOption, read_format
from mssim.cli.output import data_title, print_frame, printable, progress_bar
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mssim.grading import Grading


def grade(
    pool: Annotated[str, typer.Argument(help="Pool folder; its samples.parquet has a column `text`.")],
    rule: Annotated[
        str,
        typer.Option(
            help="number, first-number, boxed, choice, date, exact, regex=PATTERN, python=module:function, or a rule "
            "of the ModelSwitch paper: gsm8k, mgsm, mathbench, math, mmlu-pro, aime24. regex and python may end in "
            ",equal=math."
        ),
    ],
    reasoning: ReasoningOption = "drop",
    json: Json = False,
    format_: Format = None,
) -> None:
    """Extract the answer from every recorded text, merge equal answers into classes and compare with the truth.

    The previous grading stays in place until the new one is complete. For a recording in progress, all samples
    recorded so far are graded. The rules `boxed` and `math` need the extra mssim[grade].

    Example: mssim grade my-pool --rule number
    """
    form = read_format(json, format_)

    from mssim.pools.folder import read_info

    with progress_bar("grading") as progress:
        grading = _grade(Path(pool), rule, reasoning, progress)
    for warning in grading.warnings():
        print(f"mssim: warning: {printable(as_options(warning))}", file=sys.stderr)
    if form == "json":
        _print_json(grading)
        return
    title = data_title(read_info(Path(pool)))
    frame = grading.to_frame()
    if form != "table":
        print_frame(frame, form, title=title)
        return
    print(f"rule {_safe(rule)}")
    print_frame(frame.assign(model=[_safe(model) for model in frame["model"]]), title=title)
    spread = grading.classes_per_question()
    print(
        f"answer classes per question, all models: {spread['classes_min']} to {spread['classes_max']}, "
        f"median {spread['classes_median']:g}\n"
    )
    print("examples")
    for row in grading.examples().to_dict("records"):
        print(_example(row))


def _grade(pool: Path, rule: str, reasoning: str, progress: Callable[[int, int], None] | None) -> Grading:
    from mssim.grading import grade as grade_files
    from mssim.recorder import export
    from mssim.recorder.findings import protocol_of
    from mssim.recorder.journal import NAME, Journal

    recorded = (pool / NAME).is_file()
    if recorded:
        with Journal(pool) as journal:
            recorded = protocol_of(journal) is None  # runs of a protocol are in the files of the pool
    if not recorded:
        return grade_files(pool, rule, reasoning=reasoning, progress=progress)
    grading = export(
        pool, rule=rule, reasoning=reasoning, progress=progress
    )  # includes samples recorded since the last export
    if grading is None:
        raise MssimError(f"{pool}: no samples were recorded yet. Run `mssim record` first.")
    return grading


def _example(row: Mapping[Any, Any]) -> str:
    """Format a sample in two lines: its outcome and answer, and the end of its text."""
    sample = f"{row['outcome']:<9}  {row['question_id']}, {row['model']}, sample {row['sample_index']}"
    spelled = f" (spelled {row['extracted']})" if row["outcome"] == "merged" else ""
    answer = f"answer {row['answer']}{spelled}" if row["answer"] else "no answer"
    return f"{sample}: {answer}, truth {row['truth']}\n           {row['text']}"


def _safe(text: str) -> str:
    from mssim.grading.report import shown

    return shown(text)


def _print_json(grading: Grading) -> None:
    import json

    report = {
        "rule": grading.rule,
        "versions": dict(grading.versions),
        "models": json_rows(grading.to_frame()),
        "classes_per_question": grading.classes_per_question(),
        "cannot_match": dict(grading.cannot_match),
        "undecided": grading.undecided,
        "warnings": [as_options(warning) for warning in grading.warnings()],
        "examples": json_rows(grading.examples()),
    }
    print(json.dumps(report, indent=1))
