"""Command `python -m recorded.tiny`, which trains the models, records them and writes the pools that ship."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    work: Annotated[
        Path | None,
        typer.Option(help="Folder for weights, questions and recordings.  [default: out/tiny, out/tiny-smoke]"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the pools.  [default: WORK/pools]")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of models to train in parallel, each on one core.")] = 2,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Run all steps in seconds, with models that learn nothing.")
    ] = False,
) -> None:
    """Train the models, record them with `mssim record`, and write the pools.

    Finished models and recorded samples are kept; rerun the same command to resume. With --out recorded, the new pools
    replace those that ship.
    """
    try:
        import openai  # noqa: F401  (fail now, not when recording starts after an hour of training)

        from recorded.tiny.steps import run
    except ModuleNotFoundError as error:
        raise SystemExit(f'{error}. Run `python -m pip install ".[tiny]"` first.') from None
    if smoke and out:
        raise SystemExit("--out: not allowed with --smoke, whose pools are meaningless. Remove --out.")
    work = work or Path("out/tiny-smoke" if smoke else "out/tiny")
    run(work, out or work / "pools", jobs=jobs, smoke=smoke)


if __name__ == "__main__":
    app()
