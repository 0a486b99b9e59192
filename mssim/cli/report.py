"""`mssim report`: a page that answers what to do with a budget."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mssim.cli.compiling import compiling_notice
from mssim.cli.loading import load
from mssim.cli.options import (
    Clusters,
    Confidence,
    PricePerSample,
    PriceTable,
    Tokens,
    WhereOption,
    check_output,
    check_texts,
    parse_budgets,
    parse_models,
    parse_numbers,
    parse_where,
    prices_of,
)
from mssim.cli.output import printable, progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mssim.pools.pool import Pool


def report(
    pool: Annotated[str, typer.Argument(help="Pool folder, or a .parquet, .csv or .jsonl table.")],
    where: WhereOption = None,
    out: Annotated[Path, typer.Option(help="File of the page.")] = Path("report.html"),
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    models: Annotated[
        str | None,
        typer.Option(
            help="Models that take part and are combined: A,B,C. [default: all take part, the three strongest are "
            "combined]"
        ),
    ] = None,
    min_samples: Annotated[
        int, typer.Option(help="Keep questions with at least this many samples of every model that is used.")
    ] = 0,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            help="Strategy to try beside every single model, e.g. ms:MODEL+MODEL. Repeatable. [default: ModelSwitch "
            "and mixtures of pairs]"
        ),
    ] = None,
    family: Annotated[
        str | None, typer.Option(help="Families of rules to try, as in `mssim tune`: stops,votes.")
    ] = None,
    budgets: Annotated[
        str | None,
        typer.Option(
            help="Samples allowed per question: 2,4,8 or 1-16. [default: increasing steps up to the recorded number of "
            "samples, at most 128]"
        ),
    ] = None,
    limits: Annotated[
        str | None,
        typer.Option(help="Limits of the mean number of samples per question: 4,8,16. [default: powers of two]"),
    ] = None,
    n_replays: Annotated[
        int | None,
        typer.Option(help="Number of Monte Carlo replays of every question; with --mc-error, the most on average."),
    ] = None,
    mc_error: Annotated[
        float | None,
        typer.Option(
            help="Monte Carlo error of accuracies at which there are enough replays: 1e-4 is 0.01 points. [default: "
            "2e-4 with at most 2000 replays, unless --n-replays is given]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of replays, folds and bootstrap.")] = 0,
    price: PricePerSample = None,
    prices: PriceTable = None,
    tokens: Tokens = None,
    clusters: Clusters = None,
    confidence_level: Confidence = 0.95,
    title: Annotated[str | None, typer.Option(help="Title of the page. [default: title of the pool]")] = None,
) -> None:
    """Write a page that answers what to do with a budget, how sure that is, and why, and print its answer.

    The page is one HTML file that opens without a network. It has the best strategy within every limit of samples,
    tokens and money, scored on held-out questions; curves, the frontier, every question with all answers, stop quality,
    and the methods. It needs the extra mssim[report].

    Example: mssim report recorded/llm-products --out report.html

    Example with prices: mssim report recorded/llm-products --prices prices.toml --out report.html --open
    """
    check_output(out, "--out")
    asked = None if budgets is None else parse_budgets(budgets)
    within = None if limits is None else parse_numbers(limits, "--limits", "4,8,16")
    check_texts(strategy or [])
    families = None if family is None else [name.strip() for name in family.split(",")]
    paid = prices_of(price, prices)

    from mssim.report import make_report
    from mssim.report.page import check_installed

    check_installed()  # before the pool is read

    def named(pool: Pool) -> Sequence[str]:
        return parse_models(models, pool.models) if models else pool.models

    loaded = load(pool, parse_where(where or []), min_samples=min_samples, models=named)
    with compiling_notice(), progress_bar("making the report") as progress:
        made = make_report(
            loaded,
            models=list(named(loaded)) if models else None,
            strategies=strategy or None,
            families=families,
            budgets=asked,
            limits=within,
            prices=paid,
            tokens=tokens or "all",
            clusters=clusters,
            confidence_level=confidence_level,
            n_replays=n_replays,
            mc_error=mc_error,
            seed=seed,
            title=title or str(loaded.info.get("title") or Path(pool).resolve().name),
            command=shlex.join(["mssim", *sys.argv[1:]]),
            progress=progress,
        )
        made.save(out)
    print(printable(made.title))
    for sentence in made.answer:
        print(printable(sentence))
    print(f"written to {out}")
    if open_:
        import webbrowser

        if not webbrowser.open(out.absolute().as_uri()):
            print(f"mssim: no browser was found; open {out} yourself", file=sys.stderr)
