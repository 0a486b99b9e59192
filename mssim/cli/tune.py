"""`mssim tune`: choose strategy and budget by cross-validation over questions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mssim._validation import choose_from, counted, level
from mssim.cli.compiling import compiling_notice
from mssim.cli.loading import load, models_of
from mssim.cli.options import (
    Clusters,
    Confidence,
    Format,
    Json,
    Parallel,
    PricePerSample,
    PriceTable,
    SharesDraws,
    Tokens,
    WhereOption,
    check_output,
    check_texts,
    parse_budgets,
    parse_groups,
    parse_models,
    parse_where,
    prices_of,
    read_format,
)
from mssim.cli.output import data_title, print_frame, printable, progress_bar, save_figure
from mssim.errors import MssimError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from mssim.pools.pool import Pool
    from mssim.tuning._tune import Tuning

_SPEND = {
    "samples_used": "samples used",
    "budget": "budget",
    "tokens": "tokens",
    "cost": "cost",
    "latency": "seconds",
}
_TABLES = ("limits", "choices", "frontier", "diversity")
_WORTH = {
    "held_out": "accuracy on questions not used for the choice, {level:.0%} interval: report this one",
    "optimism": "in_sample - held_out, the bias from choosing and scoring on the same questions",
    "control": "held-out accuracy of the best single model (last column), chosen in the same way",
    "gain": "held_out - control, with interval; p_holm: test of zero gain, adjusted for the number of limits",
}
_NOTES = {
    "limits": {
        "limit": "most {spend} per question, on average",
        "strategy": "most accurate candidate within the limit on all questions; same: folds with the same choice",
        "in_sample": "its accuracy on the questions it was chosen on, biased upwards",
        **_WORTH,
    },
    "runs": {
        "limit": "most {spend} per question, on average",
        "strategy": "most frequent choice in {runs} runs; same: share of runs and folds with this choice",
        "in_sample": "accuracy of the choice in the run and on the questions it was made on",
        "fresh": "its accuracy on the same questions with other draws",
        **_WORTH,
    },
    "choices": {
        "strategy": "choice made without the questions of the fold",
        "training": "its accuracy on the questions it was chosen on",
        "held_out": "its accuracy on the questions of the fold; spend: {spend} on those questions",
    },
    "frontier": {
        "spend": "{spend} per question, on average",
        "in_sample": "accuracy on all questions",
        "limit": "lowest limit within which the candidate is chosen: none that spends less is as accurate",
        "held_out": "accuracy on held-out questions of the choice within this limit; low, high: {level:.0%} interval",
        "folds": "number of folds (of {folds}) whose training questions also put it on the frontier",
    },
    "diversity": {
        "accuracy": "of one sample, mean over the models",
        "correlation": "of being right, mean over n_pairs pairs of models",
        "n_effective": "number of independent models that vary as much; low, high: {level:.0%} interval",
        "all_wrong": "chance that one sample of each model is wrong",
        "union": "share of questions on which some model is correct in 2 of 3 samples",
        "contradiction": "share of questions on which another model also gives the same wrong answer 3 times",
    },
}


def tune(
    pool: Annotated[str, typer.Argument(help="Pool folder, or a .parquet, .csv or .jsonl table.")],
    where: WhereOption = None,
    models: Annotated[str | None, typer.Option(help="Models to use: A,B,C. [default: all]")] = None,
    min_samples: Annotated[
        int, typer.Option(help="Keep questions with at least this many samples of every model that is used.")
    ] = 0,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="Strategy to try, e.g. sc:MODEL or ms:MODEL+MODEL. Repeatable. [default: the family switch]"),
    ] = None,
    family: Annotated[
        str | None,
        typer.Option(
            help="Families of rules to try, beside every single model: switch (ModelSwitch of pairs, and mixtures), "
            "stops, votes, weights, routers, models. Several: stops,votes. Rules that need a column which the pool "
            "lacks are left out."
        ),
    ] = None,
    budgets: Annotated[
        str | None,
        typer.Option(
            help="Samples allowed per question: 2,4,8 or 1-16. [default: increasing steps up to the recorded number of "
            "samples, at most 128]"
        ),
    ] = None,
    spend: Annotated[
        str, typer.Option(help="Limited quantity: samples_used, budget, tokens, cost or latency (seconds).")
    ] = "samples_used",
    limits: Annotated[
        str | None,
        typer.Option(
            help="Limits of the mean spend per question, in its unit: 2,4.5,8. [default: the budgets; up to eight "
            "steps of tokens, cost or latency]"
        ),
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Cross-validation folds. [default: 10]")] = None,
    runs: Annotated[
        int | None, typer.Option(help="Choose on this many single runs, and report the optimism they add.")
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
    seed: Annotated[int, typer.Option(help="Seed of replays, runs and folds.")] = 0,
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
    parallel: Parallel = None,
    shares_draws: SharesDraws = None,
    clusters: Clusters = None,
    confidence_level: Confidence = 0.95,
    table: Annotated[
        str,
        typer.Option(
            help="Table to print: limits, choices (of every fold), frontier, or diversity (of the models; nothing is "
            "tuned)."
        ),
    ] = "limits",
    plot: Annotated[Path | None, typer.Option(help="Write a plot of the frontier: .png, .svg or .pdf.")] = None,
    json: Json = False,
    format_: Format = None,
) -> None:
    """Choose the most accurate strategy and budget within every limit, and score the choice on held-out questions.

    Example: mssim tune recorded/llm-products --models gemma,smol --limits 4,8,16 --plot frontier.png

    Example with limits of tokens: mssim tune recorded/llm-products --models gemma,smol --spend tokens
    --limits 20,50,100

    Example with families of rules: mssim tune recorded/llm-products --models gemma,smol --family stops,votes
    --limits 4,8
    """
    form = read_format(json, format_)
    if table not in _TABLES:
        raise MssimError(f"--table: {table!r} is not valid. {choose_from(table, _TABLES)}.")
    if plot is not None:
        if table == "diversity":
            raise MssimError("--plot: --table diversity has no frontier to plot. Remove one of them.")
        check_output(plot, "--plot", figure=True)
    asked = None if budgets is None else parse_budgets(budgets)
    within = None if limits is None else _numbers(limits)
    paid = prices_of(price, prices)
    groups = parse_groups(shares_draws) or ()
    families = _checked(strategy, family, asked, spend, within, folds, runs, confidence_level)

    from mssim.results.clusters import cluster_labels

    def named(pool: Pool) -> Sequence[str]:
        return parse_models(models, pool.models) if models else pool.models

    def tried(pool: Pool) -> Sequence[str]:
        from mssim.tuning.learners import is_learner_text, parse_learner

        texts = strategy or ()
        fitted = [model for text in texts if is_learner_text(text) for model in parse_learner(text).models]
        plain = [text for text in texts if not is_learner_text(text)]
        return [*fitted, *(models_of(plain)(pool) if plain else ())]

    taking_part = tried if strategy and not families else named
    loaded = load(pool, parse_where(where or []), min_samples=min_samples, models=taking_part)
    if models:
        loaded = loaded.select(models=named(loaded))
    cluster_labels(loaded.questions, clusters)
    if table == "diversity":
        _print_diversity(loaded, clusters, confidence_level, form)
        return
    from mssim.tuning._tune import tune as run

    with compiling_notice(), progress_bar("tuning") as progress:
        tuning = run(
            loaded,
            strategy or None,
            asked,
            families=families,
            spend=spend,
            limits=within,
            n_folds=folds,
            n_runs=runs,
            n_replays=n_replays,
            mc_error=mc_error,
            seed=seed,
            replacement=replacement,
            prices=paid,
            tokens=tokens or "all",
            parallel=parallel,
            shares_draws=groups,
            clusters=clusters,
            progress=progress,
        )
    if table == "choices":
        frame = tuning.choices()
    else:
        frame = getattr(tuning, "to_frame" if table == "limits" else table)(confidence_level=confidence_level)
    if plot is not None:
        save_figure(plot, lambda plots: plots.plot_frontier(tuning, confidence_level=confidence_level))
    title = data_title(loaded.info)
    if form != "table":
        for rule, why in tuning.left_out.items():  # not on stdout, which has the rows of one table and nothing else
            print(f"mssim: note: left out: {printable(rule)} ({printable(why)})", file=sys.stderr)
        print_frame(frame, form, title=title)
        return
    print(_summary(tuning, families))
    # Two tables, because the names of strategies are too long for one.
    for shown in (_what(frame, tuning), _worth(frame)) if table == "limits" else (_readable(frame),):
        print_frame(_as_fitted(shown), title=title)
    print(_notes(table, tuning, confidence_level))
    if table == "limits":
        print(_plainly(frame))


def _checked(
    strategies: Sequence[str] | None,
    family: str | None,
    budgets: Sequence[int] | None,
    spend: str,
    limits: Sequence[float] | None,
    folds: int | None,
    runs: int | None,
    confidence_level: float,
) -> tuple[str, ...] | None:
    """Raise for what can be known to be wrong before a pool is read; return the families."""
    from mssim.tuning.learners import is_learner_text, parse_learner
    from mssim.tuning.options import check_numbers, check_reachable, check_spend, read_families, read_limits

    families = None if family is None else read_families([name.strip() for name in family.split(",")])
    check_numbers(folds, runs)
    check_spend(spend)
    level(confidence_level)
    check_reachable(spend, None if limits is None else read_limits(limits), budgets)
    check_texts([text for text in strategies or () if not is_learner_text(text)])
    for text in filter(is_learner_text, strategies or ()):
        parse_learner(text)
    return families


def _print_diversity(pool: Pool, clusters: str | None, confidence_level: float, form: str) -> None:
    from mssim.tuning.diversity import diversity

    frame = diversity(pool, clusters=clusters, confidence_level=confidence_level)
    print_frame(frame, form, title=data_title(pool.info))
    if form == "table":
        print(
            "\n".join(f"{name:13} {note.format(level=confidence_level)}" for name, note in _NOTES["diversity"].items())
        )


def _summary(tuning: Tuning, families: Sequence[str] | None) -> str:
    n_folds, n_questions = tuning.chosen.shape[2] - 1, tuning.folds.size
    strategies = counted(len(set(tuning.strategies)), "strategy", "strategies")
    whole = "" if tuning.clusters is None else f" ({counted(len(set(tuning.clusters)), 'cluster')}, kept whole)"
    first = (
        f"{counted(int(tuning.candidate.max()) + 1, 'candidate')}: {strategies} at budgets from {tuning.budgets.min()} "
        f"to {tuning.budgets.max()}; {counted(n_questions, 'question')}{whole} in {counted(n_folds, 'fold')}"
    )
    lines = [first, *([] if families is None else [f"families: {', '.join(families)}"])]
    return "\n".join([*lines, *(f"left out: {rule} ({why})" for rule, why in tuning.left_out.items())])


def _as_fitted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame without the fitted strategies where they are the candidates themselves."""
    return frame.drop(columns="fitted") if "fitted" in frame and (frame["fitted"] == frame["strategy"]).all() else frame


def _plainly(frame: pd.DataFrame) -> str:
    """Return in one sentence what choosing on the same questions would add to the accuracy."""
    done = "Choosing" if (frame["fitted"] == frame["strategy"]).all() else "Fitting, choosing"
    worst = int(frame["optimism"].to_numpy().argmax())
    limit, points = float(frame["limit"].iloc[worst]), round(100 * float(frame["optimism"].iloc[worst]), 1)
    if points <= 0:
        return f"{done} and scoring on the same questions overstates the accuracy at no limit."
    return (
        f"{done} and scoring on the same questions overstates the accuracy by up to {points} points "
        f"(at limit {limit:.4g}): report held_out."
    )


def _notes(table: str, tuning: Tuning, confidence_level: float) -> str:
    """Return the explanations of the columns."""
    notes = _NOTES["runs" if table == "limits" and tuning.n_runs is not None else table]
    values = {
        "spend": _SPEND[tuning.provenance["spend"]],
        "level": confidence_level,
        "folds": tuning.chosen.shape[2] - 1,
        "runs": tuning.n_runs,
    }
    return "\n".join(f"{name:10} {note.format(**values)}" for name, note in notes.items())


def _what(frame: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
    """Return the choice at every limit."""
    shown = frame[["limit", "strategy", "fitted", "budget"]].assign(limit=_short(frame["limit"]))
    n_folds = tuning.chosen.shape[2] - 1
    if tuning.n_runs is None:
        shown["same"] = [f"{share * n_folds:.0f}/{n_folds}" for share in frame["same_choice"]]
    else:
        shown["same"] = [f"{share:.0%}" for share in frame["same_choice"]]
    return shown.assign(spend=_short(frame["spend"]))


def _worth(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of the choices, rounded for display."""
    import pandas as pd

    shown = pd.DataFrame({"limit": _short(frame["limit"])})
    shown["in_sample"] = [f"{value:.3f}" for value in frame["in_sample"]]
    if (frame["fresh"] != frame["in_sample"]).any():
        shown["fresh"] = [f"{value:.3f}" for value in frame["fresh"]]
    shown["held_out"] = _with_interval(frame, ["held_out", "low", "high"], "")
    shown["optimism"] = [f"{value:+z.3f}" for value in frame["optimism"]]
    if frame["gain"].notna().any():
        shown["control"] = _where_known(f"{value:.3f}" for value in frame["control_held_out"])
        shown["gain"] = _with_interval(frame, ["gain", "gain_low", "gain_high"], "+")
        shown["p_holm"] = _where_known(f"{value:.4f}" for value in frame["p_holm"])
        shown["single_model"] = frame["control"].fillna("")
    return shown


def _with_interval(frame: pd.DataFrame, columns: list[str], sign: str) -> list[str]:
    rows = frame[columns].itertuples(index=False)
    return _where_known(f"{value:{sign}z.3f} [{low:{sign}z.3f}, {high:{sign}z.3f}]" for value, low, high in rows)


def _where_known(texts: Iterable[str]) -> list[str]:
    return ["" if "nan" in text else text for text in texts]


def _readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with limits and spends in four significant digits."""
    return frame.assign(**{name: _short(frame[name]) for name in ("limit", "spend") if name in frame})


def _short(values: pd.Series[float]) -> list[str]:
    return [f"{value:.4g}" for value in values]


def _numbers(given: str) -> list[float]:
    try:
        return [float(part) for part in given.split(",")]
    except ValueError:
        raise MssimError(f"--limits: {given!r} is not a list of numbers. Use positive numbers, e.g. 2,4.5,8.") from None
