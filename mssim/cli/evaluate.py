"""`mssim evaluate`: evaluate strategies over a pool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mssim.cli.common import (
    Clusters,
    Json,
    WhereOption,
    check_output,
    data_title,
    parse_budgets,
    parse_prices,
    parse_where,
    pool_warnings,
    print_frame,
    progress_bar,
    save_figure,
)
from mssim.errors import MssimError, choose_from

_PASSED_ON = ("method", "n_replays", "seed", "replacement", "prices")
_X = ("samples_used", "budget", "cost")

# Keys of an experiment file, and what TOML may give; what evaluate() checks itself is left to it.
_KEYS: dict[str, tuple[type, ...]] = {
    "pool": (str,),
    "where": (str, list, dict),
    "min_samples": (int,),
    "strategies": (str, list, dict),
    "budgets": (int, list, str),
    "method": (str,),
    "n_replays": (int,),
    "seed": (int,),
    "replacement": (bool,),
    "prices": (dict,),
    "clusters": (str,),
    "confidence_level": (float,),
    "out": (str,),
    "plot": (str,),
    "x": (str,),
}
_TOML_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def evaluate(
    pool: Annotated[str | None, typer.Argument(help="Pool folder, or a .parquet, .csv or .jsonl table.")] = None,
    where: WhereOption = None,
    min_samples: Annotated[
        int | None, typer.Option(help="Keep questions with at least this many samples of every model.")
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            help="sc, ms, cascade, mix, random, oracle, alloc or cov:MODEL+MODEL,option=value, e.g. "
            "ms:strong+weak,agreement=0.8 or sc:strong,stop=beta; repeat it."
        ),
    ] = None,
    budgets: Annotated[str | None, typer.Option(help="Samples per question: 2,4,8 or 1-16.")] = None,
    method: Annotated[
        str | None, typer.Option(help="auto, exact (closed forms or an error) or monte_carlo [default: auto]")
    ] = None,
    n_replays: Annotated[
        int | None, typer.Option(help="Replays where there is no closed form [default: 10000]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same bits [default: 0]")] = None,
    replacement: Annotated[
        bool | None, typer.Option("--replacement/--no-replacement", help="Draw as from an infinite pool.")
    ] = None,
    price: Annotated[list[str] | None, typer.Option(help="MODEL=PRICE of one sample; repeat it.")] = None,
    clusters: Clusters = None,
    confidence_level: Annotated[float | None, typer.Option(help="Of the intervals [default: 0.95]")] = None,
    experiment: Annotated[
        Path | None, typer.Option(help="TOML file with these settings; options given here replace it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the results to this Parquet file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the curves: .png, .svg or .pdf.")] = None,
    x: Annotated[str | None, typer.Option(help="Of the plot: samples_used, budget or cost.")] = None,
    json: Json = False,
) -> None:
    """Evaluate strategies over a pool and print accuracy, intervals, samples used and cost.

    Example: mssim evaluate recorded/tiny-arithmetic --strategy sc:tf-plus --strategy ms:tf-plus+lstm-times
    --budgets 2,4,8 --plot curves.png
    """
    given = {
        "pool": pool,
        "where": where,
        "min_samples": min_samples,
        "strategies": strategy,
        "budgets": budgets,
        "method": method,
        "n_replays": n_replays,
        "seed": seed,
        "replacement": replacement,
        "prices": parse_prices(price),
        "clusters": clusters,
        "confidence_level": confidence_level,
        "out": out,
        "plot": plot,
        "x": x,
    }
    settings = _experiment(experiment) if experiment else {}
    settings |= {name: value for name, value in given.items() if value is not None}
    _run(settings, as_json=json)


def _run(settings: dict[str, Any], *, as_json: bool) -> None:
    for name, example in (
        ("pool", "recorded/tiny-arithmetic"),
        ("strategies", "--strategy sc:MODEL"),
        ("budgets", "--budgets 2,4,8"),
    ):
        if not settings.get(name):
            raise MssimError(f"no {name} given; e.g. {example}, or put it in the --experiment file")
    outputs = {name: Path(settings[name]) for name in ("out", "plot") if name in settings}
    for name, path in outputs.items():
        check_output(path, f"--{name}", figure=name == "plot")
    budgets, x = settings["budgets"], settings.get("x", "samples_used")
    if x not in _X:
        raise MssimError(f"x={x!r}; {choose_from(str(x), _X)}")

    from mssim.evaluator import evaluate as run
    from mssim.pool import load_pool

    with pool_warnings():
        loaded = load_pool(settings["pool"], where=_where(settings.get("where", [])))
    if "min_samples" in settings:
        loaded = loaded.select(min_samples=settings["min_samples"])
    with progress_bar("evaluating") as progress:
        evaluation = run(
            loaded,
            settings["strategies"],
            parse_budgets(budgets) if isinstance(budgets, str) else budgets,
            **{name: settings[name] for name in _PASSED_ON if name in settings},
            progress=progress,
        )
    statistics: dict[str, Any] = {name: settings[name] for name in ("confidence_level", "clusters") if name in settings}
    frame = evaluation.to_frame(**statistics)
    if "out" in outputs:
        evaluation.save(outputs["out"])
    if "plot" in outputs:
        save_figure(outputs["plot"], lambda plots: plots.plot_curves(evaluation, x, **statistics))
    print_frame(frame, as_json=as_json, title=data_title(loaded.info))


def _where(given: str | list[str] | dict[str, Any]) -> Any:
    """Read conditions as the command line writes them, or a TOML table of column = value."""
    if isinstance(given, dict):
        return given
    return parse_where([given] if isinstance(given, str) else [str(condition) for condition in given])


def _experiment(path: Path) -> dict[str, Any]:
    """Read a TOML file; its pool is looked for beside it."""
    import tomllib

    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MssimError(f"--experiment {path}: cannot be read ({error})") from None
    for name, value in settings.items():
        if name not in _KEYS:
            raise MssimError(f"--experiment {path}: unknown key {name!r}; {choose_from(name, _KEYS)}")
        if type(value) not in _KEYS[name]:
            allowed = " or ".join(_TOML_NAMES[kind] for kind in _KEYS[name])
            raise MssimError(f"--experiment {path}: {name} = {value!r}; give {allowed}")
    for name in ("pool", "out", "plot"):
        if name in settings:
            settings[name] = str(path.parent / settings[name])
    return settings
