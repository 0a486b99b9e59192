"""`mssim evaluate`: evaluate strategies on a pool."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim._validation import choose_from, shown
from mssim.cli.compiling import compiling_notice
from mssim.cli.language import keep_names
from mssim.cli.loading import load, models_of
from mssim.cli.options import (
    Clusters,
    CostExceeds,
    Format,
    Json,
    LatencyExceeds,
    MaxTokens,
    Parallel,
    Per,
    PricePerSample,
    PriceTable,
    Quantiles,
    SharesDraws,
    Tokens,
    TokensExceed,
    WhereOption,
    check_band,
    check_output,
    check_per,
    parse_budgets,
    parse_groups,
    parse_max_tokens,
    parse_where,
    prices_of,
    read_format,
    spread_options,
)
from mssim.cli.output import print_frame, progress_bar, show_evaluation
from mssim.errors import MssimError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mssim.pools.pool import Pool
    from mssim.results.evaluation import Evaluation

_MOST_SHARDS = 10**6
_SCOPES = ("questions", "these")
_OF_SPREAD = ("quantiles", "tokens_exceed", "cost_exceeds", "latency_exceeds")
_PASSED_ON = ("method", "n_replays", "mc_error", "seed", "replacement", "prices", "tokens", "parallel", "shares_draws")

# Keys of an experiment file and their TOML types. The library function evaluate() validates the values.
_KEYS: dict[str, tuple[type, ...]] = {
    "pool": (str,),
    "where": (str, list, dict),
    "min_samples": (int,),
    "strategies": (str, list, dict),
    "budgets": (int, list, str),
    "method": (str,),
    "n_replays": (int,),
    "mc_error": (int, float),
    "seed": (int,),
    "replacement": (bool,),
    "prices": (dict, str),
    "tokens": (str,),
    "parallel": (int,),
    "max_tokens": (int, list),
    "shares_draws": (list,),
    "clusters": (str,),
    "confidence_level": (float,),
    "band": (str,),
    "scope": (str,),
    "quantiles": (int, float, list),
    "tokens_exceed": (int, float),
    "cost_exceeds": (int, float),
    "latency_exceeds": (int, float),
    "out": (str,),
    "plot": (str,),
    "per": (str, list),
    "x": (str,),  # of version 0.1, now `per`
}
_TOML_NAMES = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def _print_rules(form: str) -> None:
    """Print the catalogue."""
    import pandas as pd

    from mssim.rules import catalogue

    print_frame(pd.DataFrame(catalogue()), form, title="M is a model")


def evaluate(
    pool: Annotated[str | None, typer.Argument(help="Pool folder, or a .parquet, .csv or .jsonl table.")] = None,
    where: WhereOption = None,
    min_samples: Annotated[
        int | None,
        typer.Option(help="Keep questions with at least this many samples of every model of the strategies."),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND:MODEL+MODEL,OPTION=VALUE, e.g. ms:strong+weak,agreement=0.8 or sc:strong,stop=beta. Budgets of "
            "its own come last: sc:strong@1-16, or the largest within a limit per question: sc:strong@tokens=2000, "
            "@cost=0.05, @latency=10 (seconds). --rules lists all rules. Repeatable."
        ),
    ] = None,
    budgets: Annotated[
        str | None,
        typer.Option(help="Samples allowed per question: 2,4,8 or 1-16, for strategies without budgets of their own."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="auto, exact (closed forms only) or monte_carlo. [default: auto]")
    ] = None,
    n_replays: Annotated[
        int | None,
        typer.Option(help="Number of Monte Carlo replays of every question; with --mc-error, the most on average."),
    ] = None,
    mc_error: Annotated[
        float | None,
        typer.Option(
            help="Monte Carlo error of accuracies at which there are enough replays: 1e-4 is 0.01 points. [default: "
            "1e-4 with at most 10000 replays, unless --n-replays is given]"
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the replays. [default: 0]")] = None,
    replacement: Annotated[
        bool | None,
        typer.Option(
            "--replacement/--no-replacement",
            help="Draw samples with replacement. This is biased if few were recorded (a vote of 8 by about -4 points "
            "with 8 samples, -0.6 with 64); a warning names a large bias. [default: off]",
        ),
    ] = None,
    correct_bias: Annotated[
        bool, typer.Option("--correct-bias", help="Add the columns bias and corrected to the table of --replacement.")
    ] = False,
    price: PricePerSample = None,
    prices: PriceTable = None,
    tokens: Tokens = None,
    parallel: Parallel = None,
    max_tokens: MaxTokens = None,
    shares_draws: SharesDraws = None,
    clusters: Clusters = None,
    confidence_level: Annotated[float | None, typer.Option(help="Level of the intervals. [default: 0.95]")] = None,
    band: Annotated[
        str | None,
        typer.Option(
            help="pointwise: each interval covers on its own; simultaneous: all budgets of a strategy together. "
            "[default: pointwise]"
        ),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(
            help="What low and high are about: questions (all of this kind, of which these are a sample) or these "
            "(exactly these, with infinitely many samples; adds the column jackknife_error and takes longer). "
            "[default: questions]"
        ),
    ] = None,
    quantiles: Quantiles = None,
    tokens_exceed: TokensExceed = None,
    cost_exceeds: CostExceeds = None,
    latency_exceeds: LatencyExceeds = None,
    experiment: Annotated[
        Path | None, typer.Option(help="TOML file with settings. Command-line options take precedence.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the results to this Parquet file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a plot of the curves: .png, .svg or .pdf.")] = None,
    per: Per = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Save finished blocks of work to this file. Rerun the same command to resume."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(help="Evaluate only part I of N (I/N) and write it to --checkpoint. Combine with `mssim merge`."),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="Run on a Dask cluster: tcp://HOST:8786, or a scheduler file (.json).")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="List all rules and exit.")] = False,
    json: Json = False,
    format_: Format = None,
) -> None:
    """Estimate accuracy and cost of strategies at every budget.

    Example: mssim evaluate recorded/llm-products --strategy sc:gemma --strategy ms:gemma+smol --budgets 2,4,8
    --plot curves.png

    Example with a checkpoint on a cluster: mssim evaluate recorded/llm-products --strategy ms:gemma+smol --budgets 1-64
    --n-replays 100000 --checkpoint run.ckpt --dask tcp://localhost:8786

    replay_sd is the standard deviation of the accuracy of a single run that draws from the recorded samples. It is not
    an error: it becomes 0 where every run draws all of them. jackknife_error (--scope these) is the standard error of
    accuracy that is due to the number of recorded samples.
    """
    form = read_format(json, format_)
    if rules:
        _print_rules(form)
        return
    if shard is not None and (out or plot or form != "table"):
        raise MssimError(
            "--shard: one part of an evaluation has no results to write. Drop --out, --plot, --json and --format here "
            "and pass them to `mssim merge`."
        )
    way = _Way(checkpoint, _read_shard(shard), dask)
    if way.shard and checkpoint is None:
        raise MssimError(f"--shard: {shard} needs a file to write to. Add --checkpoint FILE, a different one per part.")
    given = {
        "pool": pool,
        "where": where,
        "min_samples": min_samples,
        "strategies": strategy,
        "budgets": budgets,
        "method": method,
        "n_replays": n_replays,
        "mc_error": mc_error,
        "seed": seed,
        "replacement": replacement,
        "prices": prices_of(price, prices),
        "tokens": tokens,
        "parallel": parallel,
        "max_tokens": None if max_tokens is None else parse_max_tokens(max_tokens),
        "shares_draws": parse_groups(shares_draws),
        "clusters": clusters,
        "confidence_level": confidence_level,
        "band": band,
        "scope": scope,
        "quantiles": quantiles,
        "tokens_exceed": tokens_exceed,
        "cost_exceeds": cost_exceeds,
        "latency_exceeds": latency_exceeds,
        "out": out,
        "plot": plot,
        "per": per,
    }
    settings = _experiment(experiment) if experiment else {}
    keep_names([name for name in settings if given.get(name) is None])
    settings |= {name: value for name, value in given.items() if value is not None}
    _run(settings, way, form=form, correct_bias=correct_bias)


@dataclass(frozen=True)
class _Way:
    """How the work is run; these settings do not affect the results."""

    checkpoint: Path | None
    shard: tuple[int, int] | None
    dask: str | None

    def executor(self) -> AbstractContextManager[Executor | None]:
        if self.dask is None:
            return nullcontext()
        from mssim.engine.dask_cluster import dask_executor

        return dask_executor(self.dask)


def _run(settings: dict[str, Any], way: _Way, *, form: str, correct_bias: bool) -> None:
    for name, option in (
        ("pool", "a pool, e.g. recorded/llm-products,"),
        ("strategies", "--strategy, e.g. --strategy sc:MODEL,"),
        ("budgets", "--budgets, e.g. --budgets 2,4,8,"),
    ):
        if not settings.get(name) and not (name == "budgets" and _may_have_budgets(settings["strategies"])):
            raise MssimError(f"{name}: missing. Add {option} to the command line, or {name} to the --experiment file.")
    outputs: dict[str, Path] = {name: Path(settings[name]) for name in ("out", "plot") if name in settings}
    for name, path in outputs.items():
        check_output(path, f"--{name}", figure=name == "plot")
    per = check_per(settings.get("per"), plotted="plot" in settings, limited="max_tokens" in settings)
    check_band(settings.get("band", "pointwise"))
    if correct_bias and not settings.get("replacement"):
        raise MssimError("--correct-bias: draws without replacement have no bias. Add --replacement, or drop it.")
    _check_scope(settings.get("scope", "questions"), way)
    columns = spread_options(*(settings.get(name) for name in _OF_SPREAD))
    if way.checkpoint is not None:
        check_output(way.checkpoint, "--checkpoint")
    pool = _read_pool(settings)
    limited = _at_limits(pool, settings)
    evaluation = _do(pool, settings, way, outputs)
    if evaluation is not None:
        statistics: dict[str, Any] = {
            name: settings[name] for name in ("confidence_level", "clusters", "band", "scope") if name in settings
        }
        columns |= {"correct_bias": correct_bias}
        out, plot = outputs.get("out"), outputs.get("plot")
        curve = _curve(pool, evaluation, limited, statistics) if per == ["max_tokens"] else None
        show_evaluation(evaluation, statistics, columns, out=out, plot=plot, per=per, form=form, draw=curve)


def _at_limits(pool: Pool, settings: dict[str, Any]) -> dict[str, Any]:
    """Put every strategy at every limit of --max-tokens into the settings, and return them by name."""
    if "max_tokens" not in settings:
        return {}
    from mssim.theory.length_limits import at_limits, strategies_of

    limited = at_limits(settings["strategies"], settings["max_tokens"], pool)
    settings["strategies"] = strategies_of(limited)
    return dict(limited)


def _curve(pool: Pool, evaluation: Evaluation, limited: dict[str, Any], statistics: dict[str, Any]) -> Any:
    """Return a function that draws accuracy over the limits."""
    from mssim.theory.length_limits import limit_table

    table = limit_table(pool, evaluation, limited, **statistics)
    return lambda plots: plots.plot_length_limits(table, pool)


def _may_have_budgets(strategies: Any) -> bool:
    """Return whether a strategy may have budgets of its own; names of models may contain "@" too."""
    if isinstance(strategies, dict):
        return "budgets" in strategies or any(map(_may_have_budgets, strategies.values()))
    return "@" in strategies if isinstance(strategies, str) else any(map(_may_have_budgets, strategies))


def _check_scope(scope: str, way: _Way) -> None:
    """Raise if a scope does not exist or cannot be computed."""
    if scope not in _SCOPES:
        raise MssimError(f"--scope: {scope!r} is not valid. {choose_from(scope, _SCOPES)}.")
    if scope == "these" and way.shard:
        raise MssimError(
            "--scope: these needs the whole evaluation, but --shard computes a part. Drop --shard, or use --scope "
            "questions."
        )


def _read_pool(settings: dict[str, Any]) -> Pool:
    return load(
        settings["pool"],
        _where(settings.get("where", [])),
        min_samples=settings.get("min_samples", 0),
        models=models_of(settings["strategies"]),
    )


def _do(pool: Pool, settings: dict[str, Any], way: _Way, outputs: dict[str, Path]) -> Evaluation | None:
    """Return the evaluation, or run one shard, print how to merge it and return None."""
    from mssim.engine.evaluate import evaluate as run

    budgets = settings.get("budgets")
    asked = (pool, settings["strategies"], parse_budgets(budgets) if isinstance(budgets, str) else budgets)
    options: dict[str, Any] = {name: settings[name] for name in _PASSED_ON if name in settings}
    if settings.get("scope") == "these":
        options["jackknife"] = True
    if any(name in settings for name in _OF_SPREAD):
        options["quantiles"] = True
    what = "shard {}/{}".format(*way.shard) if way.shard else "evaluating"
    with way.executor() as executor, _going_on(way.checkpoint), compiling_notice(), progress_bar(what) as progress:
        options |= {"executor": executor, "progress": progress}
        if way.shard is None or way.checkpoint is None:
            return run(*asked, checkpoint=way.checkpoint, **options)
        from mssim.engine.shards import evaluate_shard

        blocks = evaluate_shard(*asked, shard=way.shard, checkpoint=way.checkpoint, **options)
    wanted = "".join(f" --{name} {path}" for name, path in outputs.items())
    print(f"{what}: {blocks} blocks written to {way.checkpoint}. Combine all shards with: mssim merge FILE...{wanted}")
    return None


@contextmanager
def _going_on(checkpoint: Path | None) -> Iterator[None]:
    """Print how to resume after an interrupt."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is not None:
            print(f"mssim: finished blocks are in {checkpoint}. Rerun the same command to resume.", file=sys.stderr)
        raise


def _read_shard(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    i, slash, n = given.partition("/")
    short = max(len(i), len(n)) <= len(str(_MOST_SHARDS))
    if not (slash and short and i.isdecimal() and n.isdecimal() and 1 <= int(i) <= int(n) <= _MOST_SHARDS):
        raise MssimError(
            f"--shard: {shown(given)} is not I/N with 1 <= I <= N <= {_MOST_SHARDS}. Use e.g. --shard 1/8."
        )
    return int(i), int(n)


def _where(given: str | list[str] | dict[str, Any]) -> Any:
    """Parse conditions written as on the command line; pass on a TOML table of column = value."""
    if isinstance(given, dict):
        return given
    return parse_where([given] if isinstance(given, str) else [str(condition) for condition in given])


def _experiment(path: Path) -> dict[str, Any]:
    """Read an experiment file; its paths are relative to its folder."""
    import tomllib

    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MssimError(
            f"--experiment {path}: cannot be read ({error.strerror}). Use the path of a TOML file."
        ) from None
    except (ValueError, RecursionError) as error:  # also integers of thousands of digits
        raise MssimError(f"--experiment {path}: cannot be read ({error!s:.200}). Write valid TOML.") from None
    _refuse_large(path, settings)
    for name, value in settings.items():
        if name not in _KEYS:
            raise MssimError(f"--experiment {path}: unknown key {name!r}. {choose_from(name, _KEYS)}.")
        if type(value) not in _KEYS[name]:
            allowed = " or ".join(_TOML_NAMES[kind] for kind in _KEYS[name])
            raise MssimError(f"--experiment {path}: {name} = {shown(value)} has the wrong type. It must be {allowed}.")
    for name in ("pool", "out", "plot", "prices"):
        if isinstance(settings.get(name), str):
            settings[name] = str(path.parent / settings[name])
    if "x" in settings:
        settings.setdefault("per", settings.pop("x"))
    return settings


def _refuse_large(path: Path, value: Any) -> None:
    """Raise if a setting is an integer of more than 64 bits, which TOML does not have and no setting allows."""
    if isinstance(value, int) and value.bit_length() > 64:
        raise MssimError(f"--experiment {path}: {shown(value, 60)} exceeds 64 bits. Use a smaller integer.")
    if isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            _refuse_large(path, one)
