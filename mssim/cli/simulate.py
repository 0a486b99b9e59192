"""`mssim simulate`: fit an answer model to a pool and draw simulated pools from it."""

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
sure        share of questions the model always answers correctly; elsewhere its accuracy is Beta(a, b) distributed
spread      two wrong answers agree with probability 1 / (1 + spread)
no_answer   share of samples without an answer
accuracy    accuracy of one sample
correlation correlation of question difficulty between two models
shared_distractors: share of questions on which the models share their wrong answers"""


def simulate(
    pool: Annotated[str | None, typer.Argument(help="Pool folder, or a .parquet, .csv or .jsonl table.")] = None,
    where: WhereOption = None,
    models: Annotated[str | None, typer.Option(help="Models to use: A+B. [default: all]")] = None,
    model: Annotated[
        Path | None, typer.Option(help="Load the answer model from a file written by --save-model.")
    ] = None,
    save_model: Annotated[Path | None, typer.Option(help="Write the fitted answer model to this .json file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Draw a pool and save it to this new folder.")] = None,
    questions: Annotated[int, typer.Option(help="Number of questions to draw.")] = 1000,
    samples: Annotated[int, typer.Option(help="Number of samples per model and question.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the drawn pool.")] = 0,
    json: Json = False,
) -> None:
    """Fit an answer model to a pool, print its parameters and draw a simulated pool of any size.

    Example: mssim simulate recorded/tiny-arithmetic --models tf-plus+lstm-times --questions 5000
    --samples 128 --out simulated
    """
    if (pool is None) == (model is None):
        raise MssimError(
            "POOL, --model: exactly one is required. Add a pool to fit an answer model, or --model FILE to load one."
        )
    if model is not None and (where or models):
        raise MssimError(
            "--where, --models: these select data from a pool and cannot be combined with --model. Remove them."
        )
    if out is not None and out.exists():
        raise MssimError(f"--out: {out} already exists. Use the name of a new folder.")
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
            print(f"{out}: {drawn!r}, simulated; no language model was queried")


def _fitted(pool: str, where: list[str] | None, models: str | None) -> tuple[AnswerModel, str | None]:
    from mssim.pools.loading import load_pool
    from mssim.simulate import fit_pool

    with pool_warnings():
        loaded = load_pool(pool, where=parse_where(where or []))
    names = [name.strip() for name in models.replace("+", ",").split(",")] if models else None
    return fit_pool(loaded, names), data_title(loaded.info)
