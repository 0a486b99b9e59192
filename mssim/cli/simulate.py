"""`mssim simulate`: fit an answer model to a pool, and draw a pool of any size from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mssim.cli.options import Json, WhereOption, check_output, parse_where
from mssim.cli.output import data_title, pool_warnings, print_frame
from mssim.errors import MssimError

if TYPE_CHECKING:
    from mssim.simulate import AnswerModel

_NOTES = """\
sure        share of questions on which the model is always right; on the others its chance is Beta(a, b)
spread      two wrong answers agree with chance 1 / (1 + spread); silent: share of samples without an answer
accuracy    of one sample; correlation: of how easy the questions are for two models
shared_distractors: share of questions on which the models err alike"""


def simulate(
    pool: Annotated[str | None, typer.Argument(help="Pool folder, or a .parquet, .csv or .jsonl table.")] = None,
    where: WhereOption = None,
    models: Annotated[str | None, typer.Option(help="Models to take: A+B [default: all]")] = None,
    model: Annotated[
        Path | None, typer.Option(help="Take the answer model from this file, which --save-model wrote.")
    ] = None,
    save_model: Annotated[Path | None, typer.Option(help="Write the fitted answer model: a .json file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Draw a pool and save it here, a new folder.")] = None,
    questions: Annotated[int, typer.Option(help="Questions to draw.")] = 1000,
    samples: Annotated[int, typer.Option(help="Samples to draw of every model for each question.")] = 64,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    json: Json = False,
) -> None:
    """Fit an answer model to a pool, show its parameters, and draw a simulated pool of any size from it.

    Example: mssim simulate recorded/tiny-arithmetic --models tf-plus+lstm-times --questions 5000
    --samples 128 --out simulated
    """
    if (pool is None) == (model is None):
        raise MssimError("give a pool to fit an answer model to, or a saved one with --model FILE; one of the two")
    if model is not None and (where or models):
        raise MssimError("--where and --models choose from a pool; with --model the models are those of the file")
    if out is not None and out.exists():
        raise MssimError(f"--out {out} exists already; give the name of a new folder")
    if save_model is not None:
        check_output(save_model, "--save-model")

    from mssim.simulate import AnswerModel

    if model is None:
        assert pool is not None
        answer_model, title = _fitted(pool, where, models)
    else:
        answer_model, title = AnswerModel.load(model), None
    drawn = (
        None if out is None else answer_model.draw(questions, samples, seed=seed, title=f"pool, like {pool or model}")
    )
    if save_model is not None:
        answer_model.save(save_model)
    if out is not None and drawn is not None:
        drawn.save(out)
    print_frame(answer_model.to_frame(), as_json=json, title=title)
    if not json:
        print(_NOTES)
        if drawn is not None:
            print(f"{out}: {drawn!r}, simulated; no language model was asked")


def _fitted(pool: str, where: list[str] | None, models: str | None) -> tuple[AnswerModel, str | None]:
    from mssim.pools.loading import load_pool
    from mssim.simulate import fit_pool

    with pool_warnings():
        loaded = load_pool(pool, where=parse_where(where or []))
    names = [name.strip() for name in models.replace("+", ",").split(",")] if models else None
    return fit_pool(loaded, names), data_title(loaded.info)
