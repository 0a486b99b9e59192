"""`mssim theory`: theoretical limits, costs and stopping quality on a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim.cli.compiling import compiling_notice
from mssim.cli.loading import load
from mssim.cli.options import (
    Clusters,
    Confidence,
    Format,
    Json,
    PricePerSample,
    PriceTable,
    Tokens,
    WhereOption,
    check_table,
    parse_budgets,
    parse_models,
    parse_where,
    prices_of,
    read_format,
)
from mssim.cli.output import data_title, print_frame, print_tables, printable, progress_bar
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from mssim.pools.pool import Pool
    from mssim.rules.strategies import ModelSwitch

_MOST_MODELS = 3
_QUANTITIES = ("tokens", "cost", "latency")
_NOTES = {  # in the order of printing
    "limits": "accuracy of votes as the number of draws grows. For a single model, wins_alone and loses_alone count\n"
    "questions above or below every other model; for a vote of several, above or below the best single model",
    "ceiling": "upper bound for every strategy that returns a recorded answer; failed: share of questions without a\n"
    "correct sample of any model",
    "cost": "expected samples used by {switch}; independent: from mean agreement alone; bound: budget / (n c);\n"
    "lossless: whether the answer always equals that of a vote over the whole budget",
    "stop_quality": "share of replays of {switch} that end at each stage, and their accuracy there",
    "consistency": "correlation of entropy and accuracy over questions. Same half minus split half is the mechanical "
    "part:\nboth are functions of the same samples",
    "per_sample": "what one sample of a model spends; p50, p95: quantiles over questions and samples; ratio: to the "
    "lowest\nmean of the models",
    "spending": "accuracy beside what was spent per question, as means: {quantities}",
    "extrapolation": "pass@k (any of k samples correct) and maj@k (their plurality correct) of each model; rows\n"
    "beyond the recorded samples are extrapolated, and their intervals hold if the fitted law does",
}
_HIDDEN = {  # columns omitted from printed tables so that they fit a terminal
    "limits": ["n_questions"],
    "ceiling": ["failed_low", "failed_high"],
    "cost": ["strategy", "n_questions", "saving_independent"],
    "stop_quality": ["strategy", "stage", "contribution"],
    "spending": ["replay_sd", "mc_error", "agreed", "method", "n_questions"],
    "extrapolation": ["n_questions"],
}
_LACKS = {  # why a table may not exist
    "consistency": "needs at least two samples of every question. Use --min-samples 2, or another table",
    "per_sample": "needs tokens, costs or latencies, and the pool has none. Add --price MODEL=PRICE",
    "spending": "needs tokens, costs or latencies, and the pool has none. Add --price MODEL=PRICE",
    "extrapolation": "needs numbers of samples. Add e.g. --extrapolate 1024",
}


def theory(
    pool: Annotated[str, typer.Argument(help="Pool folder, or a .parquet, .csv or .jsonl table.")],
    where: WhereOption = None,
    min_samples: Annotated[
        int, typer.Option(help="Keep questions with at least this many samples of every model that is used.")
    ] = 0,
    models: Annotated[
        str | None,
        typer.Option(help="MODEL+MODEL in the order of the stages. [default: the strongest, up to three]"),
    ] = None,
    budgets: Annotated[
        str | None, typer.Option(help="Samples allowed per question: 2,4,8. [default: 1, 2, 4 and 8 per model]")
    ] = None,
    extrapolate: Annotated[
        str | None, typer.Option(help="Numbers of samples, also more than recorded, for pass@k and maj@k: 1024,4096.")
    ] = None,
    n_replays: Annotated[int, typer.Option(help="Monte Carlo replays of votes without a closed form.")] = 2000,
    resamples: Annotated[
        int, typer.Option(help="Bootstrap resamples of the correlations and the extrapolation.")
    ] = 999,
    seed: Annotated[int, typer.Option(help="Seed of replays, bootstrap and split halves.")] = 0,
    replacement: Annotated[
        bool,
        typer.Option(
            "--replacement/--no-replacement",
            help="Draw samples with replacement, which is biased if few were recorded.",
        ),
    ] = False,
    price: PricePerSample = None,
    prices: PriceTable = None,
    tokens: Tokens = None,
    clusters: Clusters = None,
    confidence_level: Confidence = 0.95,
    table: Annotated[
        str | None, typer.Option(help=f"Print only one table: {', '.join(_NOTES)}. [default: all]")
    ] = None,
    json: Json = False,
    format_: Format = None,
) -> None:
    """Print theoretical results for a pool: limits, ceiling, cost and stop quality of ModelSwitch, consistency.

    If tokens, costs or latencies are known, two tables have what a sample spends, and accuracy beside what strategies
    spend per question. --extrapolate adds pass@k and maj@k of each model beyond the recorded samples.

    Example: mssim theory recorded/llm-products --models gemma+smol --budgets 4,8,16
    """
    form = read_format(json, format_)
    check_table(table, form, _NOTES)
    asked = None if budgets is None else parse_budgets(budgets)
    further = None if extrapolate is None else parse_budgets(extrapolate, "--extrapolate")

    from mssim.rules.strategies import ModelSwitch

    names: list[str] = []

    def named(pool: Pool) -> list[str]:
        names.extend(parse_models(models, pool.models, "+,") if models else _strongest(pool))
        return names

    loaded = load(pool, parse_where(where or []), min_samples=min_samples, models=named).select(models=names)
    switch = ModelSwitch(names)
    statistics = {"confidence_level": confidence_level, "clusters": clusters}
    spent = _default_budgets(loaded, replacement) if asked is None else asked
    what = {"prices": prices_of(price, prices), "tokens": tokens or "all"}
    each = _each(loaded, what)  # invalid prices raise before the long computation
    with compiling_notice(), progress_bar("replaying the final vote") as progress:
        options = {"n_replays": n_replays, "seed": seed, "replacement": replacement, "progress": progress}
        makers = _makers(loaded, switch, spent, statistics, options, resamples)
        if len(each):
            settings = {"method": "auto", **options, **what}
            makers["per_sample"] = lambda: each
            makers["spending"] = lambda: _spending(loaded, switch, spent, statistics, settings)
        if further is not None:
            makers["extrapolation"] = lambda: _extrapolation(loaded, further, statistics, resamples, seed)
        tables = {name: makers[name]() for name in _asked_of(makers, table)}
    title = data_title(loaded.info)
    if form != "table":
        rounded = {name: _short(frame) if name == "per_sample" else frame for name, frame in tables.items()}
        print_tables(rounded if form in ("md", "latex") else tables, form, name=table, title=title)
        return
    how = "as given" if models else "strongest first, by accuracy of a single sample on these questions"
    print(f"{loaded!r}\n{printable(switch)}: models {how}; agreement 1, entropy weights")
    _show(tables, printable(switch), title)


def _show(tables: dict[str, pd.DataFrame], switch: str, title: str | None) -> None:
    """Print tables that fit a terminal, each below a note."""
    known = [name for name in _QUANTITIES if name in tables.get("spending", ())]
    quantities = ", ".join(["samples_used", *known])
    for name, frame in tables.items():
        print(f"\n{name}: {_NOTES[name].format(switch=switch, quantities=quantities)}")
        readable = _short(frame) if name == "per_sample" else frame.drop(columns=_HIDDEN.get(name, []))
        print_frame(readable, title=title)


def _strongest(pool: Pool) -> list[str]:
    """Return up to three models, the strongest first, as the ModelSwitch paper recommends."""
    described = pool.describe().sort_values("accuracy", ascending=False, kind="stable")
    return described["model"].tolist()[:_MOST_MODELS]


def _default_budgets(pool: Pool, replacement: bool) -> list[int]:
    """Return the budgets with 1, 2, 4 and 8 draws per model, as far as recorded."""
    most = max(int(pool.lengths.min()), 1)
    return [len(pool.models) * draws for draws in (1, 2, 4, 8) if replacement or draws <= most]


def _asked_of(makers: Mapping[str, Any], table: str | None) -> list[str]:
    """Return the names of the tables to print; raise if the one that is asked for does not exist."""
    if table is not None and table not in makers:
        raise MssimError(f"--table: {table} {_LACKS[table]}.")
    return list(makers) if table is None else [table]


def _makers(
    pool: Pool,
    switch: ModelSwitch,
    budgets: Sequence[int],
    statistics: dict[str, Any],
    options: dict[str, Any],
    resamples: int,
) -> dict[str, Callable[[], pd.DataFrame]]:
    """Return functions that compute the tables, by name; consistency needs at least two samples per question."""
    from mssim import theory

    def cost() -> pd.DataFrame:
        frame = theory.cost(pool, switch, budgets, replacement=options["replacement"])
        return frame.assign(lossless=[theory.lossless(switch, budget).holds for budget in frame["budget"]])

    def consistency() -> pd.DataFrame:
        return theory.consistency(pool, n_resamples=resamples, seed=options["seed"], **statistics).to_frame()

    makers: dict[str, Callable[[], pd.DataFrame]] = {
        "limits": lambda: theory.limits(pool).summary(**statistics),
        "ceiling": lambda: theory.ceiling(pool, **statistics).to_frame(),
        "cost": cost,
        "stop_quality": lambda: theory.stop_quality(pool, switch, budgets, **options, **statistics),
    }
    return makers | {"consistency": consistency} if pool.lengths.min() > 1 else makers


def _each(pool: Pool, what: dict[str, Any]) -> pd.DataFrame:
    from mssim import theory

    return theory.per_sample(pool, **what)


def _spending(
    pool: Pool, switch: ModelSwitch, budgets: Sequence[int], statistics: dict[str, Any], settings: dict[str, Any]
) -> pd.DataFrame:
    """Return accuracy of each model and of the switch, beside all quantities that are known."""
    import pandas as pd

    from mssim.engine.evaluate import evaluate_quietly

    draws = sorted({max(budget // len(pool.models), 1) for budget in budgets})
    asked: list[tuple[Any, Sequence[int]]] = [([f"sc:{name}" for name in pool.models], draws), (switch, budgets)]
    frames = [evaluate_quietly(pool, one, steps, **settings).to_frame(**statistics) for one, steps in asked]
    unknown = [name for name in _QUANTITIES if all(frame[name].isna().all() for frame in frames)]
    return pd.concat(frames, ignore_index=True).drop(columns=unknown)


def _extrapolation(
    pool: Pool, budgets: Sequence[int], statistics: dict[str, Any], resamples: int, seed: int
) -> pd.DataFrame:
    """Return pass@k and maj@k of every model."""
    import pandas as pd

    from mssim import theory

    options = {"n_resamples": resamples, "seed": seed, **statistics}
    frames = [
        theory.extrapolate(pool, model, budgets, quantity=quantity, **options)
        for model in pool.models
        for quantity in ("pass", "maj")
    ]
    return pd.concat(frames, ignore_index=True)


def _short(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with numbers in four significant digits, because rows have different units."""
    numbers = frame.select_dtypes("float").columns
    return frame.assign(
        **{name: ["" if value != value else f"{value:.4g}" for value in frame[name]] for name in numbers}
    )
