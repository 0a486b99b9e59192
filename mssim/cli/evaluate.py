"""`mssim evaluate`: evaluate strategies over a pool."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim._validation import choose_from
from mssim.cli.options import (
    Clusters,
    Json,
    WhereOption,
    check_output,
    check_x,
    parse_budgets,
    parse_prices,
    parse_where,
)
from mssim.cli.output import pool_warnings, progress_bar, show_evaluation
from mssim.errors import MssimError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mssim.pools.pool import Pool
    from mssim.results.evaluation import Evaluation

_PASSED_ON = ("method", "n_replays", "seed", "replacement", "prices")

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
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Keep finished blocks of work in this file; after an end of any kind the same command goes on."
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(help="Do part I of N only, into the --checkpoint: I/N. `mssim merge` puts the parts together."),
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="Work on a Dask cluster: tcp://HOST:8786, or a scheduler file (.json).")
    ] = None,
    json: Json = False,
) -> None:
    """Evaluate strategies over a pool and print accuracy, intervals, samples used and cost.

    Example: mssim evaluate recorded/tiny-arithmetic --strategy sc:tf-plus --strategy ms:tf-plus+lstm-times
    --budgets 2,4,8 --plot curves.png

    Example of long work: mssim evaluate recorded/tiny-arithmetic --strategy ms:tf-plus+lstm-times --budgets 1-64
    --n-replays 100000 --checkpoint run.ckpt --dask tcp://localhost:8786
    """
    if shard is not None and (out or plot or json):
        raise MssimError("--shard does a part, which has no result yet; give --out, --plot and --json to mssim merge")
    way = _Way(checkpoint, _read_shard(shard), dask)
    if way.shard and checkpoint is None:
        raise MssimError(f"--shard {shard} needs --checkpoint FILE for what it does, another one for each part")
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
    _run(settings, way, as_json=json)


@dataclass(frozen=True)
class _Way:
    """How the work is done, which changes no number."""

    checkpoint: Path | None
    shard: tuple[int, int] | None
    dask: str | None

    def executor(self) -> AbstractContextManager[Executor | None]:
        if self.dask is None:
            return nullcontext()
        from mssim.engine.dask_cluster import dask_executor

        return dask_executor(self.dask)


def _run(settings: dict[str, Any], way: _Way, *, as_json: bool) -> None:
    for name, example in (
        ("pool", "recorded/tiny-arithmetic"),
        ("strategies", "--strategy sc:MODEL"),
        ("budgets", "--budgets 2,4,8"),
    ):
        if not settings.get(name):
            raise MssimError(f"no {name} given; e.g. {example}, or put it in the --experiment file")
    outputs: dict[str, Path] = {name: Path(settings[name]) for name in ("out", "plot") if name in settings}
    for name, path in outputs.items():
        check_output(path, f"--{name}", figure=name == "plot")
    x = check_x(settings.get("x", "samples_used"))
    if way.checkpoint is not None:
        check_output(way.checkpoint, "--checkpoint")
    evaluation = _do(_read_pool(settings), settings, way, outputs)
    if evaluation is not None:
        statistics: dict[str, Any] = {
            name: settings[name] for name in ("confidence_level", "clusters") if name in settings
        }
        out, plot = outputs.get("out"), outputs.get("plot")
        show_evaluation(evaluation, statistics, out=out, plot=plot, x=x, as_json=as_json)


def _read_pool(settings: dict[str, Any]) -> Pool:
    from mssim.pools.loading import load_pool

    with pool_warnings():
        pool = load_pool(settings["pool"], where=_where(settings.get("where", [])))
    return pool.select(min_samples=settings["min_samples"]) if "min_samples" in settings else pool


def _do(pool: Pool, settings: dict[str, Any], way: _Way, outputs: dict[str, Path]) -> Evaluation | None:
    """Evaluate; of a shard, which has no result, say what is next."""
    from mssim.engine.evaluate import evaluate as run

    budgets = settings["budgets"]
    asked = (pool, settings["strategies"], parse_budgets(budgets) if isinstance(budgets, str) else budgets)
    options: dict[str, Any] = {name: settings[name] for name in _PASSED_ON if name in settings}
    what = "shard {}/{}".format(*way.shard) if way.shard else "evaluating"
    with way.executor() as executor, _going_on(way.checkpoint), progress_bar(what) as progress:
        options |= {"executor": executor, "progress": progress}
        if way.shard is None or way.checkpoint is None:
            return run(*asked, checkpoint=way.checkpoint, **options)
        from mssim.engine.shards import evaluate_shard

        blocks = evaluate_shard(*asked, shard=way.shard, checkpoint=way.checkpoint, **options)
    wanted = "".join(f" --{name} {path}" for name, path in outputs.items())
    print(f"{what}: all its {blocks} blocks are in {way.checkpoint}; when all are done: mssim merge FILE...{wanted}")
    return None


@contextmanager
def _going_on(checkpoint: Path | None) -> Iterator[None]:
    """Say after an interrupt how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is not None:
            print(f"mssim: what is done is in {checkpoint}; the same command goes on from there", file=sys.stderr)
        raise


def _read_shard(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    i, slash, n = given.partition("/")
    if not (slash and i.isdecimal() and n.isdecimal() and 1 <= int(i) <= int(n)):
        raise MssimError(f"--shard {given!r}; write which one of how many, from 1: 1/8")
    return int(i), int(n)


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
