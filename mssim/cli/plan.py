"""`mssim plan`: numbers of questions and runs of a measurement, before it is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim._validation import counted
from mssim.cli.compiling import compiling_notice
from mssim.cli.loading import load, models_of
from mssim.cli.options import (
    Clusters,
    Format,
    Json,
    WhereOption,
    check_output,
    parse_budgets,
    parse_numbers,
    parse_pair,
    parse_prices,
    parse_where,
    read_format,
)
from mssim.cli.output import data_title, print_frame, save_figure
from mssim.errors import BudgetError, MssimError

if TYPE_CHECKING:
    import pandas as pd

    from mssim.pools.pool import Pool
    from mssim.results.planning import PairedQuestions, Plan, Prices, Variances
    from mssim.theory import Pilot

# Options of one source that the other does not have.
_STATED = ("--between", "--within", "--cluster-size", "--cluster-correlation")
_FROM_POOL = ("--a", "--b", "--budget", "--where", "--min-samples", "--clusters", "--price", "--n-replays", "--seed")
_TESTS = {
    "gaffke": "whether Gaffke's interval of the paired differences excludes zero, as in mssim compare",
    "t": "Student's t with one degree of freedom less than questions or clusters",
    "normal": "normal, without the correction that the intervals of mssim need (Miller 2024)",
}


def plan(
    difference: Annotated[str, typer.Option(help="True difference of accuracies to detect: 0.03 or 0.02,0.05.")],
    pool: Annotated[str | None, typer.Option(help="Pilot: pool folder, or a .parquet, .csv or .jsonl table.")] = None,
    where: WhereOption = None,
    min_samples: Annotated[
        int | None,
        typer.Option(help="Keep questions with at least this many samples of every model of both, with --pool."),
    ] = None,
    a: Annotated[str | None, typer.Option("--a", help="First strategy of the comparison, with --pool.")] = None,
    b: Annotated[str | None, typer.Option("--b", help="Second strategy of the comparison, with --pool.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Budget of one run of both strategies (8), or of a and b (8,16), with --pool.")
    ] = None,
    between: Annotated[
        float | None,
        typer.Option(help="Without a pilot: variance over questions of the difference of the true accuracies."),
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(help="Without a pilot: mean variance of one run, p (1 - p), of both (0.15) or a and b (0.1,0.2)."),
    ] = None,
    cluster_size: Annotated[
        float | None, typer.Option(help="Without a pilot: number of dependent questions per cluster. [default: 1]")
    ] = None,
    cluster_correlation: Annotated[
        float | None,
        typer.Option(help="Without a pilot: correlation of the true differences in a cluster. [default: 0]"),
    ] = None,
    power: Annotated[float, typer.Option(help="Probability that the difference is found significant.")] = 0.8,
    confidence_level: Annotated[
        float, typer.Option(help="1 minus the size of the two-sided test; also the level of intervals of the plan.")
    ] = 0.95,
    test: Annotated[
        str,
        typer.Option(
            help="Planned test, as in mssim compare: gaffke, t, auto (t with clusters, else gaffke) or normal."
        ),
    ] = "auto",
    runs: Annotated[
        str, typer.Option(help="Independent runs of each strategy per question: 1,2,4 or 1-8.")
    ] = "1,2,4,8,16",
    price: Annotated[
        list[str] | None, typer.Option(help="Price of one sample, with --pool: MODEL=PRICE. Repeatable.")
    ] = None,
    price_per_sample: Annotated[float | None, typer.Option(help="Price of one sample of any model.")] = None,
    price_per_question: Annotated[
        float | None, typer.Option(help="Price of writing and grading one question. [default: 0]")
    ] = None,
    money: Annotated[
        float | None, typer.Option(help="Add the best split of this money between questions and runs.")
    ] = None,
    most_questions: Annotated[
        int | None, typer.Option(help="Number of questions that exist, for the best split. [default: no limit]")
    ] = None,
    most_runs: Annotated[
        int | None, typer.Option(help="Most runs per question, for the best split. [default: 64]")
    ] = None,
    clusters: Clusters = None,
    n_replays: Annotated[
        int | None, typer.Option(help="Number of Monte Carlo replays, with --pool. [default: 2000]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the replays and of halves of the pilot, with --pool. [default: 0]")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a plot of the plan: .png, .svg or .pdf.")] = None,
    json: Json = False,
    format_: Format = None,
) -> None:
    """Plan a comparison of two strategies: questions needed per number of runs, cost, and the best split of money.

    Example: mssim plan --pool recorded/llm-products --a ms:gemma+smol --b sc:gemma --budget 8 --difference 0.03
    --price-per-sample 0.001 --price-per-question 0.5 --money 500 --plot plan.png

    Example without a pilot: mssim plan --difference 0.03 --between 0.11 --within 0.17
    """
    form = read_format(json, format_)
    _check_source(
        pool is not None,
        dict(zip(_STATED, (between, within, cluster_size, cluster_correlation), strict=True)),
        dict(zip(_FROM_POOL, (a, b, budget, where, min_samples, clusters, price, n_replays, seed), strict=True)),
    )
    if cluster_correlation and cluster_size is None:
        raise MssimError("--cluster-correlation: without effect on single questions. Add --cluster-size, or remove it.")
    if plot is not None:
        check_output(plot, "--plot", figure=True)
    differences, counts = parse_numbers(difference, "--difference", "0.03 or 0.02,0.05"), _runs(runs)

    from mssim.results.planning import plan as make

    source: Variances | PairedQuestions
    found, title = None, None
    limits = {"most_questions": most_questions, "most_runs": most_runs}
    extra: dict[str, Any] = {name: limit for name, limit in limits.items() if limit is not None}
    if extra and money is None:
        raise MssimError(
            f"--{next(iter(extra)).replace('_', '-')}: a limit of the best split. Add --money, or remove it."
        )
    if pool is None:
        source = _stated(between, within, cluster_size, cluster_correlation)
        prices = _prices(price_per_question, price_per_sample)
    else:
        loaded = load(pool, parse_where(where or []), min_samples=min_samples or 0, models=models_of(a, b))
        with compiling_notice():
            found = _pilot(
                *(loaded, a, b, budget),
                clusters=clusters,
                prices=_per_model(loaded, price, price_per_sample),
                n_replays=2000 if n_replays is None else n_replays,
                seed=0 if seed is None else seed,
            )
        source, title = found.questions, data_title(loaded.info)
        extra["samples_per_run"] = found.samples_used
        prices = found.prices(price_per_question)
    if money is not None and prices is None:
        raise MssimError("--money: no price is known. Add --price-per-question or --price-per-sample.")
    made = make(
        source,
        differences,
        runs=counts,
        power=power,
        confidence_level=confidence_level,
        test=test,
        prices=prices,
        money=money,
        **extra,
    )
    if plot is not None:
        save_figure(plot, lambda plots: plots.plot_plan(made, title=title))
    if form != "table":
        print_frame(made.to_frame(), form, title=title)
    else:
        _show(made, found, title)


# Input ----------------------------------------------------------------------------------------------------------------


def _check_source(from_pool: bool, stated: dict[str, Any], pilot: dict[str, Any]) -> None:
    """Raise unless the options of exactly one source are given, with all that it needs."""
    needed = ("--a", "--b", "--budget") if from_pool else ("--between", "--within")
    own, other = (pilot, stated) if from_pool else (stated, pilot)
    if (
        not from_pool
        and all(value is None for value in stated.values())
        and all(value in (None, []) for value in pilot.values())
    ):
        raise MssimError(
            "--pool, --between: a pilot or variances are required. Add --pool PILOT --a STRATEGY --b STRATEGY --budget "
            "B, or --between and --within."
        )
    wrong = [name for name, value in other.items() if value not in (None, [])]
    if wrong:
        remedy = "Remove it, or remove --pool." if from_pool else "Add --pool, or remove it."
        raise MssimError(f"{wrong[0]}: not usable {'with' if from_pool else 'without'} --pool. {remedy}")
    lacking = [name for name in needed if own[name] is None]
    if lacking:
        source = "A pilot needs" if from_pool else "Stated variances need"
        raise MssimError(f"{lacking[0]}: missing. {source} {', '.join(needed)}.")


def _runs(given: str) -> list[int]:
    try:
        return sorted(set(parse_budgets(given, "--runs")))
    except BudgetError as error:
        raise BudgetError(str(error).replace("budgets", "numbers of runs")) from None


def _stated(between: float | None, within: str | None, size: float | None, correlation: float | None) -> Variances:
    from mssim.results.planning import Variances

    parts = parse_numbers(str(within), "--within", "0.15 or 0.1,0.2")
    if len(parts) > 2:
        raise MssimError(f"--within: {within!r} has more than two numbers. Use 0.15 for both strategies, or 0.1,0.2.")
    return Variances(
        between=0.0 if between is None else between,
        within_a=parts[0],
        within_b=parts[-1],
        cluster_size=1.0 if size is None else size,
        cluster_correlation=0.0 if correlation is None else correlation,
    )


def _prices(per_question: float | None, per_sample: float | None) -> Prices | None:
    from mssim.results.planning import Prices

    if per_question is None and per_sample is None:
        return None
    return Prices(per_question or 0.0, per_sample or 0.0, per_sample or 0.0)


def _per_model(pool: Pool, price: list[str] | None, per_sample: float | None) -> dict[str, float] | None:
    if price and per_sample is not None:
        raise MssimError("--price, --price-per-sample: only one is usable. Remove one of them.")
    return parse_prices(price) if per_sample is None else dict.fromkeys(pool.models, per_sample)


def _pilot(pool: Pool, a: str | None, b: str | None, budget: str | None, **options: Any) -> Pilot:
    from mssim.theory import pilot

    assert a is not None
    assert b is not None
    assert budget is not None
    return pilot(pool, a, b, parse_pair(budget), **options)


# Output ---------------------------------------------------------------------------------------------------------------


def _show(plan: Plan, pilot: Pilot | None, title: str | None) -> None:
    if pilot is not None:
        print_frame(pilot.to_frame().drop(columns="n_questions"), title=title)
    print(_summary(plan, pilot))
    print_frame(_readable(plan), title=title)
    print("\n".join(_notes(plan, pilot)))


def _summary(plan: Plan, pilot: Pilot | None) -> str:
    v = plan.variances
    source = "stated" if pilot is None else f"pilot of {counted(pilot.questions.difference.size, 'question')}"
    clusters = (
        "" if v.cluster_size == 1 else f"; clusters of {v.cluster_size:.3g}, correlation {v.cluster_correlation:.3g}"
    )
    return (
        f"variances ({source}): between questions {v.between:.4g}, within {v.within_a:.4g} and {v.within_b:.4g}"
        f"{clusters}; power {plan.power:g}"
    )


def _readable(plan: Plan) -> pd.DataFrame:
    """Return the rows in the form shown: whole numbers, the interval in one column, the best split marked."""
    frame = plan.to_frame()
    shown = frame[["difference", "runs", "questions"]].assign(difference=_short(frame["difference"]))
    if frame["questions_low"].notna().any():
        rows = frame[["questions_low", "questions_high", "best"]].itertuples(index=False)
        name = f"{plan.confidence_level:.0%} interval"
        shown[name] = ["" if best else f"{low} to {high}" for low, high, best in rows]
    if frame["clusters"].notna().any():
        shown["clusters"] = frame["clusters"]
    shown["samples"] = frame["samples"].round().astype("int64")
    if frame["cost"].notna().any():
        shown["cost"] = _short(frame["cost"])
    if plan.best is not None:
        shown[""] = ["best split" if best else "" for best in frame["best"]]
    return shown


def _notes(plan: Plan, pilot: Pilot | None) -> list[str]:
    """Return the explanations of the columns and the warnings of the plan."""
    notes = [
        "difference true difference of the accuracies that is found significant with the planned power",
        "runs       independent runs of each strategy per question; with a budget of one sample, samples",
        "questions  number needed; samples, cost: expected totals of both strategies, which may stop early",
        f"test: {_TESTS[plan.test]}, two-sided at {1 - plan.confidence_level:.4g}",
    ]
    if plan.best is not None:
        notes.append(f"best split: the smallest difference that {plan.money:g} detects")
    if pilot is None:
        return notes
    notes.append("interval: the pilot's variances are estimates; with fewer questions it is wider")
    if not pilot.halves:
        notes.append(
            "The pilot has fewer than twice the samples of a run, so the variance between questions contains noise: "
            "plans with several runs have too many questions."
        )
    if pilot.questions.truncated:
        notes.append("The estimated variance between questions is negative and was replaced by 0.")
    return notes


def _short(values: pd.Series[float]) -> list[str]:
    return [f"{value:.4g}" for value in values]
