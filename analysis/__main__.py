"""Command line `python -m analysis NAME`: run one analysis, print its table and write it as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analysis.options import MinSamples, Models, Pools, chosen_sources, make_folder, plain_errors
from mssim.cli.options import Json, WhereOption
from mssim.cli.output import print_frame, progress_bar

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def analyse(
    name: Annotated[
        str,
        typer.Argument(
            help="Analysis to run: by_cost, scaling, equal_budget, protocols, live, number_and_order, weights, "
            "reward, consistency, theory, savings, extrapolation, predictions or claims."
        ),
    ],
    pool: Pools = None,
    models: Models = None,
    where: WhereOption = None,
    min_samples: MinSamples = 2,
    out: Annotated[Path, typer.Option(help="Folder for the table, NAME.csv.")] = Path("out/tables"),
    json: Json = False,
) -> None:
    """Run one analysis over pools, print its table and write OUT/NAME.csv.

    Without --pool, the analysis uses the pools in recorded/ and pools simulated from the paper's published numbers.

    Example: python -m analysis savings --pool recorded/llm-products
    """
    from analysis.running import find, run
    from mssim._files import whole_file

    analysis = find(name)
    sources = chosen_sources(pool, models, where, min_samples)
    target = make_folder(out) / f"{name}.csv"
    with progress_bar(name) as progress:
        frame = run(name, sources, progress=progress)
    with whole_file(target) as part:
        frame.to_csv(part, index=False, float_format="%.6g")
    shown = frame if json else frame[[column for column in frame.columns if column not in analysis.IN_FILE]]
    print_frame(shown, "json" if json else "table", title=analysis.__doc__.splitlines()[0])
    if not json:
        print(f"All columns: {target}")


if __name__ == "__main__":
    plain_errors(app, "analysis")
