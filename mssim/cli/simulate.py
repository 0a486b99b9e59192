"""`mssim simulate`: fit an answer model to a pool and draw simulated pools from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mssim._validation import choose_from
from mssim.cli.loading import load
from mssim.cli.options import Clusters, Format, Json, WhereOption, check_output, parse_models, parse_where, read_format
from mssim.cli.output import data_title, print_frame
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from mssim.pools.pool import Pool
    from mssim.simulate import AnswerModel, FitReport

_TABLES = ("model", "parameters", "misfit")
_NOTES = """\
sure        share of questions the model always answers correctly; elsewhere its accuracy is Beta(a, b) distributed
spread      two wrong answers agree with probability 1 / (1 + spread)
no_answer   share of samples without an answer
accuracy    accuracy of one sample
correlation correlation of question difficulty between two models
shared_distractors: share of questions on which the models share their wrong answers"""
_NOTES_MISFIT = """\
pool, fitted   value of the pool, with its standard error, and expected value under the answer model
noise          standard error of the difference, fitted - pool
beyond_noise   whether the p-value of the difference is below 0.05 after Holm's correction for all rows"""


def simulate(
    pool: Annotated[str | None, typer.Argument(help="Pool folder, or a .parquet, .csv or .jsonl table.")] = None,
    where: WhereOption = None,
    min_samples: Annotated[
        int | None, typer.Option(help="Keep questions with at least this many samples of every model that is used.")
    ] = None,
    models: Annotated[str | None, typer.Option(help="Models to use: A+B. [default: all]")] = None,
    model: Annotated[
        Path | None, typer.Option(help="Load the answer model from a file written by --save-model.")
    ] = None,
    save_model: Annotated[Path | None, typer.Option(help="Write the fitted answer model to this .json file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Draw a pool and save it to this new folder.")] = None,
    questions: Annotated[int, typer.Option(help="Number of questions to draw.")] = 1000,
    samples: Annotated[int, typer.Option(help="Number of samples per model and question.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the drawn pool.")] = 0,
    table: Annotated[
        str,
        typer.Option(
            help="Table to print: model, parameters (with errors and intervals) or misfit (pool against answer model)."
        ),
    ] = "model",
    clusters: Clusters = None,
    json: Json = False,
    format_: Format = None,
) -> None:
    """Fit an answer model to a pool, print its parameters and draw a simulated pool of any size.

    Example: mssim simulate recorded/llm-products --models gemma+smol --questions 5000 --samples 128 --out simulated

    The last line names the largest difference of the answer model from the pool. --table misfit prints all differences.
    """
    form = read_format(json, format_)
    if (pool is None) == (model is None):
        raise MssimError(
            "POOL, --model: exactly one is required. Add a pool to fit an answer model, or --model FILE to load one."
        )
    if model is not None and (where or models or min_samples is not None):
        raise MssimError(
            "--where, --min-samples, --models: these select data from a pool and cannot be combined with --model. "
            "Remove them."
        )
    if table not in _TABLES:
        raise MssimError(f"--table: {table!r} is not valid. {choose_from(table, _TABLES)}.")
    if model is not None and (table != "model" or clusters is not None):
        raise MssimError("--table, --clusters: errors and misfits need the pool that was fitted. Add it as POOL.")
    if out is not None and out.exists():
        raise MssimError(f"--out: {out} already exists. Use the name of a new folder.")
    if save_model is not None:
        check_output(save_model, "--save-model")

    from mssim.simulate import AnswerModel, fit_pool, fit_report

    report = None
    if model is None:
        assert pool is not None
        conditions, least = parse_where(where or []), min_samples or 0
        loaded = load(pool, conditions, min_samples=least, models=lambda pool: _named(models, pool))
        names, title = list(_named(models, loaded)), data_title(loaded.info)
        if form != "table" and table == "model":  # nothing to print about errors
            answer_model = fit_pool(loaded, names)
        else:
            report = fit_report(loaded, names, clusters=clusters)
            answer_model = report.answer_model
    else:
        answer_model, title = AnswerModel.load(model), None
    drawn = (
        None if out is None else answer_model.draw(questions, samples, seed=seed, title=f"pool, like {pool or model}")
    )
    if save_model is not None:
        answer_model.save(save_model)
    if out is not None and drawn is not None:
        drawn.save(out)
    print_frame(_table(table, answer_model, report), form, title=title)
    if form == "table":
        print(_NOTES_MISFIT if table == "misfit" else _NOTES)
        if report is not None:
            print(report)
        if drawn is not None:
            print(f"{out}: {drawn!r}, simulated; no language model was queried")


def _table(name: str, answer_model: AnswerModel, report: FitReport | None) -> pd.DataFrame:
    if report is None or name == "model":
        return answer_model.to_frame()
    return report.parameters() if name == "parameters" else report.misfit()


def _named(models: str | None, pool: Pool) -> Sequence[str]:
    return parse_models(models, pool.models, "+,") if models else pool.models
