"""`mssim merge`: combine the shards of an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mssim.cli.options import (
    Band,
    Clusters,
    Confidence,
    CostExceeds,
    Format,
    Json,
    LatencyExceeds,
    PerOfMerge,
    Quantiles,
    TokensExceed,
    check_band,
    check_output,
    check_per,
    read_format,
    spread_options,
)
from mssim.cli.output import show_evaluation
from mssim.errors import MssimError


def merge(
    parts: Annotated[list[Path], typer.Argument(help="Files written by `mssim evaluate --shard ... --checkpoint`.")],
    out: Annotated[Path | None, typer.Option(help="Write the results to this Parquet file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a plot of the curves: .png, .svg or .pdf.")] = None,
    per: PerOfMerge = None,
    confidence_level: Confidence = 0.95,
    clusters: Clusters = None,
    band: Band = "pointwise",
    quantiles: Quantiles = None,
    tokens_exceed: TokensExceed = None,
    cost_exceeds: CostExceeds = None,
    latency_exceeds: LatencyExceeds = None,
    json: Json = False,
    format_: Format = None,
) -> None:
    """Combine the shards of an evaluation and print the results table. The pool is not needed.

    Example: mssim merge part1.ckpt part2.ckpt --out results.parquet
    """
    form = read_format(json, format_)
    for part in parts:
        if (part / "pool.json").is_file():
            raise MssimError(f"{part} is a pool, not a file of results. Join pools with `mssim import table`.")
    for path, option in ((out, "--out"), (plot, "--plot")):
        if path is not None:
            check_output(path, option, figure=option == "--plot")
    axes = check_per(per, plotted=plot is not None)
    check_band(band)
    columns = spread_options(quantiles, tokens_exceed, cost_exceeds, latency_exceeds)

    from mssim.engine.merge import merge as run

    statistics: dict[str, Any] = {"confidence_level": confidence_level, "clusters": clusters, "band": band}
    show_evaluation(run(parts), statistics, columns, out=out, plot=plot, per=axes, form=form)
