"""Command line `python -m figures`: draw the figures of the paper from simulated, shipped or given pools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analysis.options import MinSamples, Models, Pools, chosen_sources, plain_errors
from mssim.cli.options import WhereOption
from mssim.cli.output import print_frame, progress_bar, quiet_matplotlib

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def figures(
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="curves, gain, protocols, fig1, fig3, fig4, fig5, fig6, fig7 or theory. Repeatable. [default: all]"
        ),
    ] = None,
    pool: Pools = None,
    models: Models = None,
    where: WhereOption = None,
    min_samples: MinSamples = 2,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("out"),
) -> None:
    """Draw the figures as PNG and SVG, with a contact sheet and a gallery, OUT/README.md.

    Without --pool, the figures show the pools in recorded/ and pools simulated from the paper's published numbers. A
    summary of the distances between simulated and published numbers is printed. Tables are cached in OUT/cache, so
    that a second run only draws.

    Example: python -m figures --only fig4 --pool recorded/llm-products --out out
    """
    sources = chosen_sources(pool, models, where, min_samples)
    with quiet_matplotlib(), progress_bar("drawing figures") as progress:
        from figures.drawing import draw_all, sheets

        files = draw_all(sheets(only, sources), out, progress=progress)
    if sources is None and not only:
        _say_how_near(out)
    print(f"Drew {len(files) - 1} figures. Overview: {files[-1]}")


def _say_how_near(out: Path) -> None:
    """Write predictions.csv and print a summary of the distances of simulated pools from published numbers."""
    from analysis import predictions
    from analysis.running import Tables
    from mssim._files import whole_file

    with progress_bar("comparing with published numbers"):
        frame = Tables(out / "cache")(predictions.run)
    with whole_file(out / "predictions.csv") as part:
        frame.to_csv(part, index=False, float_format="%.6g")
    title = "Difference, ours - published, in percentage points or samples (details in predictions.csv)"
    print_frame(predictions.summary(frame), title=title)


if __name__ == "__main__":
    plain_errors(app, "figures")
