"""`mssim import`: convert files of other tools to a pool."""

from __future__ import annotations

import json as json_module
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim._validation import counted
from mssim.cli.formats import json_rows
from mssim.cli.language import as_options
from mssim.cli.options import Format, Json, ReasoningOption, WhereOption, parse_renames, parse_where, read_format
from mssim.cli.output import print_frame, printable, progress_bar
from mssim.errors import MssimError
from mssim.importers.registry import FORMATS, find, options_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mssim.importers import Diagnostics


def import_(
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FORMAT] SOURCE",
            show_default=False,
            help="Files, or folders that contain them. The format is recognised, or named as in --list.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Pool folder to write. Required.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Print formats, commands, and what votes.")] = False,
    rule: Annotated[str | None, typer.Option(help="Grade the texts; see mssim grade --help.")] = None,
    reasoning: ReasoningOption = "drop",
    where: WhereOption = None,
    model: Annotated[str | None, typer.Option(help="Name of the model, if no file names it.")] = None,
    rename: Annotated[list[str] | None, typer.Option(help="NEW=OLD: rename a model. Repeatable.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the pool, for tables and figures.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the samples.")] = None,
    texts: Annotated[bool, typer.Option("--texts/--no-texts", help="Keep the texts.")] = True,
    drop_conflicts: Annotated[
        bool,
        typer.Option(
            "--drop-conflicts", help="Leave out questions with two truths, texts, lists of choices or verdicts."
        ),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Turn warnings into errors.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing pool.")] = False,
    json: Json = False,
    format_: Format = None,
    map_: Annotated[
        str | None,
        typer.Option(
            "--map",
            help="table: COLUMN=FIELD,... FIELD is a name, a.b in objects, a+b joined, {stem}, {folder}, {record} "
            "number, or has {model} of --models.",
        ),
    ] = None,
    models: Annotated[str | None, typer.Option(help="table: names that replace {model} in --map.")] = None,
    scorer: Annotated[
        str | None, typer.Option(help="inspect: scorer of the verdicts; nemo-skills: symbolic, judge, both or any.")
    ] = None,
    transcripts: Annotated[
        bool | None,
        typer.Option("--transcripts/--no-transcripts", help="inspect: read texts. [default: up to 1 GB]"),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="lm-eval, evalscope, lighteval: metric of the verdicts.")] = None,
    filter_name: Annotated[str | None, typer.Option("--filter", help="lm-eval: filter of the answers.")] = None,
    questions: Annotated[
        Path | None, typer.Option(help="openai-batch: table with question_id, question and truth.")
    ] = None,
    id_pattern: Annotated[
        str | None, typer.Option(help="openai-batch: regex with the group question_id and, optionally, model.")
    ] = None,
    tests: Annotated[str | None, typer.Option(help="evalplus: test suite, base or plus.")] = None,
    dataset: Annotated[str | None, typer.Option(help="modelswitch: GSM8K, MATH, MathBench, ...")] = None,
    pass_mark: Annotated[
        float | None, typer.Option(help="routerbench, llmrouterbench: least verdict that is correct.")
    ] = None,
    confidence: Annotated[str | None, typer.Option(help="deepconf: mean, tail, bottom or lowest.")] = None,
    stride: Annotated[
        int | None, typer.Option(help="deepconf: tokens between the groups of group_confidence. [default: none]")
    ] = None,
) -> None:
    """Convert samples of other tools to a pool, and print warnings about them.

    Help that begins with a format is about an option of that format only.

    Example: mssim import samples_gsm8k_*.jsonl --rule number --out my-pool
    """
    form = read_format(json, format_)
    if list_:
        _show_formats(form)
        return
    from mssim.importers.pipeline import Common, import_pool
    from mssim.importers.safe_files import expand

    if given and out is None:
        raise MssimError("--out: the folder of the pool is not given. Add --out POOL.")
    format_name, paths = _chosen(given or [], mapped=map_ is not None or models is not None)
    module = find(format_name)
    of_format: dict[str, Any] = {"model": model, "dataset": dataset, "scorer": scorer, "filter_name": filter_name}
    of_format |= {"tests": tests, "id_pattern": id_pattern, "questions": questions, "names": map_}
    of_format |= {"transcripts": transcripts, "models": models, "metric": metric}
    of_format |= {"pass_mark": pass_mark, "confidence": confidence, "stride": stride}
    if "transcripts" in options_of(module) and (rule or (transcripts is None and not texts)):
        of_format["transcripts"] = rule is not None
    options = _of_format(format_name, {name: value for name, value in of_format.items() if value is not None})
    info = {name: value for name, value in {"title": title, "licence": licence}.items() if value is not None}
    with progress_bar("importing") as progress:
        found = import_pool(
            format_name,
            partial(module.read, **options),
            expand(paths, *module.PATTERNS),
            out or Path(),
            Common(
                rule,
                parse_where(where) if where else None,
                texts,
                strict,
                info,
                reasoning,
                drop_conflicts,
                parse_renames(rename),
            ),
            overwrite=overwrite,
            progress=progress,
        )
    _show(found, form)


def _chosen(given: Sequence[str], *, mapped: bool) -> tuple[str, list[Path]]:
    """Return the format, which the first argument may name, and the existing files and folders to import.

    Files whose fields are `mapped` are tables.
    """
    from mssim.importers.pipeline import as_paths
    from mssim.importers.recognition import recognised

    first = given[0] if given else ""
    named = first in FORMATS and (len(given) > 1 or not Path(first).exists())
    if not given[named:]:
        after = f" after the format {first}" if named else ""
        raise MssimError(f"SOURCE: no file or folder is given{after}. Write mssim import SOURCE... --out POOL.")
    if not named and len(given) > 1 and Path(first).name == first and not (Path(first).exists() or "." in first):
        find(first)  # raises and names similar formats
    paths = as_paths(given[named:])
    if named or mapped:
        return first if named else "table", paths
    found = recognised(paths)
    print(f"mssim: {printable(found)}", file=sys.stderr)
    return found.format, list(found.paths)


def _show_formats(form: str) -> None:
    import pandas as pd

    from mssim.importers.registry import listed

    print_frame(pd.DataFrame(listed()), form)


_FLAGS = {"filter_name": "--filter", "names": "--map", "id_pattern": "--id-pattern", "pass_mark": "--pass-mark"}


def _of_format(format_name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Raise if an option does not belong to the format."""
    for name in given:
        if name not in options_of(find(format_name)):
            having = [other for other in FORMATS if name in options_of(find(other))]
            flag = _FLAGS.get(name, f"--{name}")
            other = ", or write mssim import table SOURCE... to name the fields" if having == ["table"] else ""
            raise MssimError(
                f"{flag}: not an option of format {format_name}, only of {', '.join(having)}. Remove {flag}{other}."
            )
    return given


def _show(found: Diagnostics, form: str) -> None:
    if form == "json":
        report = {
            "questions": found.questions,
            "samples": found.samples,
            "models": json_rows(found.to_frame()),
            "failed": dict(found.failed),
            "long_texts": found.long_texts,
            "identical_texts": found.identical_texts,
            "warnings": [as_options(warning) for warning in found.warnings],
            "remarks": [as_options(remark) for remark in found.remarks],
        }
        print(json_module.dumps(report, indent=1))
        return
    for warning in [*found.warnings, *found.remarks]:
        print(f"mssim: warning: {printable(as_options(warning))}", file=sys.stderr)
    if form != "table":
        print_frame(found.to_frame(), form)
        return
    texts = f"; {found.identical_texts} of {found.long_texts} long texts repeat an earlier one"
    print(
        f"{counted(found.questions, 'question')}, {counted(len(found.models), 'model')}, "
        f"{counted(found.samples, 'sample')}{f'{texts} of the same model and question' if found.long_texts else ''}"
    )
    print_frame(found.to_frame())
