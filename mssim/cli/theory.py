"""`mssim theory`: theoretical limits, costs and stopping quality on a pool."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated, Any

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
    parse_budgets,
    parse_models,
    parse_where,
    prices_of,
)
from mssim.cli.output import data_title, json_rows, print_frame, printable, progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from mssim.pools.pool import Pool
    from mssim.rules.strategies import ModelSwitch

_MOST_MODELS = 3
_QUANTITIES = ("tokens", "cost", "latency")
_NOTES = {
    "limits": "accuracy of votes as the number of draws grows. For a single model, wins_alone and loses_alone count\n"
    "questions above or below every other model; for a vote of several, above or below the best single model",
    "ceiling": "upper bound for every strategy that returns a recorded answer; failed: share of questions without a\n"
    "correct sample of any model",
    "cost": "expected samples used by {switch}; independent: from mean agreement alone; bound: budget / (n c);\n"
    "lossless: whether the answer always equals that of a vote over the whole budget",
    "stop_quality": "share of replays of {switch} that end at each stage, and their accuracy there",
    "per_sample": "what one sample of a model spends; p50, p95: quantiles over questions and samples; ratio: to the "
    "lowest\nmean of the models",
    "spending": "accuracy beside what was spent per question, as means: {quantities}",
    "extrapolation": "pass@k (any of k samples correct) and maj@k (their plurality correct) of each model; rows\n"
    "beyond the recorded samples are extrapolated, and their intervals hold if the fitted law does",
    "consistency": "correlation of entropy and accuracy over questions. Same half minus split half is the mechanical "
    "part:\nboth are functions of the same samples",
}
_HIDDEN = {  # columns omitted from printed tables so that they fit a terminal
    "limits": ["n_questions"],
    "ceiling": ["failed_low", "failed_high"],
    "cost": ["strategy", "n_questions", "saving_independent"],
    "stop_quality": ["strategy", "stage", "contribution"],
    "spending": ["replay_sd", "mc_error", "agreed", "method", "n_questions"],
    "extrapolation": ["n_questions"],
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
    json: Annotated[bool, typer.Option("--json", help="Print only a JSON object of tables.")] = False,
) -> None:
    """Print theoretical results for a pool: limits, ceiling, cost and stop quality of ModelSwitch, consistency.

    If tokens, costs or latencies are known, two tables have what a sample spends, and accuracy beside what strategies
    spend per question. --extrapolate adds pass@k and maj@k of each model beyond the recorded samples.

    Example: mssim theory recorded/llm-products --models gemma+smol --budgets 4,8,16
    """
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
        tables = _tables(loaded, switch, spent, statistics, options, resamples)
        if len(each):
            spending = _spending(loaded, switch, spent, statistics, {"method": "auto", **options, **what})
            tables |= {"per_sample": each, "spending": spending}
    if further is not None:
        tables["extrapolation"] = _extrapolation(loaded, further, statistics, resamples, seed)
    if json:
        print(json_module.dumps({name: json_rows(frame) for name, frame in tables.items()}, indent=1))
        return
    how = "as given" if models else "strongest first, by accuracy of a single sample on these questions"
    shown = printable(switch)
    print(f"{loaded!r}\n{shown}: models {how}; agreement 1, entropy weights")
    known = [name for name in _QUANTITIES if name in tables.get("spending", ())]
    quantities = ", ".join(["samples_used", *known])
    for name, frame in tables.items():
        print(f"\n{name}: {_NOTES[name].format(switch=shown, quantities=quantities)}")
        readable = _short(frame) if name == "per_sample" else frame.drop(columns=_HIDDEN.get(name, []))
        print_frame(readable, as_json=False, title=data_title(loaded.info))


def _strongest(pool: Pool) -> list[str]:
    """Return up to three models, the strongest first, as the ModelSwitch paper recommends."""
    described = pool.describe().sort_values("accuracy", ascending=False, kind="stable")
    return described["model"].tolist()[:_MOST_MODELS]


def _default_budgets(pool: Pool, replacement: bool) -> list[int]:
    """Return the budgets with 1, 2, 4 and 8 draws per model, as far as recorded."""
    most = max(int(pool.lengths.min()), 1)
    return [len(pool.models) * draws for draws in (1, 2, 4, 8) if replacement or draws <= most]


def _tables(
    pool: Pool,
    switch: ModelSwitch,
    budgets: Sequence[int],
    statistics: dict[str, Any],
    options: dict[str, Any],
    resamples: int,
) -> dict[str, pd.DataFrame]:
    """Return all tables by name; consistency needs at least two samples per question."""
    from mssim import theory

    cost = theory.cost(pool, switch, budgets, replacement=options["replacement"])
    tables = {
        "limits": theory.limits(pool).summary(**statistics),
        "ceiling": theory.ceiling(pool, **statistics).to_frame(),
        "cost": cost.assign(lossless=[theory.lossless(switch, budget).holds for budget in cost["budget"]]),
        "stop_quality": theory.stop_quality(pool, switch, budgets, **options, **statistics),
    }
    if pool.lengths.min() > 1:
        found = theory.consistency(pool, n_resamples=resamples, seed=options["seed"], **statistics)
        tables["consistency"] = found.to_frame()
    return tables


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
