"""`mssim compare`: paired comparisons of strategies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim._validation import counted
from mssim.cli.options import Clusters, Confidence, Format, Json, parse_budgets, parse_pair, read_format
from mssim.cli.output import data_title, print_frame
from mssim.errors import BudgetError, MssimError, StrategyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from mssim.results.comparison import Comparisons
    from mssim.results.equal_money import EqualMoney
    from mssim.results.evaluation import Evaluation

_SPENDS = {
    "cost": "cost",
    "tokens": "number of tokens",
    "latency": "latency in seconds",
    "samples_used": "number of samples",
}


def compare(
    results: Annotated[str, typer.Argument(help="Results file written by `mssim evaluate --out`.")],
    strategies: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of strategies, as in the results table: A B, or several pairs A B C D. With --against, the "
            "strategies to compare with it. [default with --against: all others]",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            help="Budget of both strategies (16), or of A and B (8,16). With --against, the budgets at which to "
            "compare (4,8,16). [default with --against: all]",
        ),
    ] = None,
    against: Annotated[str | None, typer.Option(help="Compare strategies with this one.")] = None,
    equal: Annotated[
        str | None,
        typer.Option(
            help="With --against and one --budget of it: compare every strategy at the budget at which it spends as "
            "much per question. cost, tokens, latency or samples_used."
        ),
    ] = None,
    oracle: Annotated[
        str | None,
        typer.Option(
            help="With --against: print the share of the gain of this strategy over BASE that others win, e.g. "
            "--against route:A+B --oracle oracle:A+B."
        ),
    ] = None,
    aiq: Annotated[
        str | None,
        typer.Option(
            help="Print the mean height of the non-decreasing convex hull of accuracy over cost, tokens, latency or "
            "samples_used for every strategy, by its points at all budgets (AIQ of RouterBench)."
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="Largest difference of accuracies without practical importance, e.g. 0.02. Adds tests of equivalence "
            "and non-inferiority."
        ),
    ] = None,
    test: Annotated[
        str,
        typer.Option(
            help="Interval and p-values: gaffke (independent questions, any law of the differences), t (nearly "
            "symmetric differences), or auto (t with clusters, else gaffke)."
        ),
    ] = "auto",
    confidence_level: Confidence = 0.95,
    clusters: Clusters = None,
    json: Json = False,
    format_: Format = None,
) -> None:
    """Compare strategies question by question: difference, interval, p-values, wins, ties, losses and a verdict.

    Several comparisons are a family: p_holm, p_noninferior and p_equivalent are adjusted for their number.

    Example: mssim compare curves.parquet ms:gemma+smol sc:gemma --budget 8 --margin 0.02

    Example: mssim compare curves.parquet --against sc:gemma --budget 8

    Example at equal cost: mssim compare curves.parquet --against sc:gemma --budget 8 --equal tokens

    Example for routers: mssim compare routers.parquet --against route:gemma+smol --oracle oracle:gemma+smol
    """
    form = read_format(json, format_)

    from mssim.results.evaluation import Evaluation

    names = list(strategies or [])
    if aiq is None and oracle is None and against is None and (not names or len(names) % 2):
        raise MssimError("strategies: not a pair of names. Use A B, several pairs A B C D, or --against BASE.")
    budgets = None if budget is None else [n for part in budget.split(",") for n in parse_budgets(part, "--budget")]
    evaluation = Evaluation.load(results)
    names, against = [_as_named(name, evaluation) for name in names], against and _as_named(against, evaluation)
    options: dict[str, Any] = {
        "margin": margin,
        "test": test,
        "confidence_level": confidence_level,
        "clusters": clusters,
    }
    notes: Callable[[pd.DataFrame], str] = _notes
    if aiq is not None:
        _alone("--aiq", {"--against": against, "--oracle": oracle, "--equal": equal, "--budget": budget})
        frame, readable, notes = _aiq(evaluation, names, aiq), _readable_aiq, partial(_notes_aiq, aiq)
    elif oracle is not None:
        _alone("--oracle", {"--equal": equal, "--margin": margin})
        if against is None:
            raise MssimError("--oracle: needs the strategy over which it gains. Add --against BASE, e.g. route:A+B.")
        best, rest = _as_named(oracle, evaluation), {name: options[name] for name in options if name != "margin"}
        frame = _shares(evaluation, against, best, names, budgets, rest)
        readable, notes = _readable_shares, partial(_notes_shares, against, best, confidence_level)
    elif equal is not None:
        base, step = _base(against, budgets)
        table = evaluation.at_equal_cost(base, budget=step, per=equal, strategies=names or None, **options)
        frame, readable, notes = table.to_frame(), _readable_equal, partial(_notes_equal, table)
    else:
        if against is not None:
            found = evaluation.compare_with(against, names or None, budgets=budgets, **options)
        else:
            found = _pairs(evaluation, names, _one_or_two(budget), options)
        frame, readable = found.to_frame(), _readable
        frame = frame.drop(columns="p_holm") if len(found) == 1 else frame
    title = data_title(evaluation.provenance["pool"])
    if form != "table":
        print_frame(frame, form, title=title)
        return
    print_frame(readable(frame), title=title)
    print(notes(frame))


def _alone(option: str, others: Mapping[str, object]) -> None:
    """Raise if an option is given together with one that has no effect on its table."""
    for name, value in others.items():
        if value is not None:
            raise MssimError(f"{option}: {name} has no effect on its table. Remove one of them.")


def _aiq(evaluation: Evaluation, names: list[str], per: str) -> pd.DataFrame:
    from mssim.results.routing import aiq_table

    try:
        return aiq_table(evaluation, {name: [name] for name in names} or None, per=per)
    except MssimError as error:
        raise MssimError(str(error).replace("per=", "aiq=")) from None  # the name of its option


def _shares(
    evaluation: Evaluation, base: str, oracle: str, names: list[str], budgets: list[int] | None, options: dict[str, Any]
) -> pd.DataFrame:
    from mssim.results.routing import gain_shares

    return gain_shares(evaluation, base, oracle, names or None, budgets=budgets, **options)


def _base(against: str | None, budgets: list[int] | None) -> tuple[str, int]:
    """Return the base and its budget of a comparison at equal spend."""
    if against is None or budgets is None or len(budgets) != 1:
        raise MssimError(
            "--equal: needs one strategy and its budget, at which it spends what the others may spend. Add --against "
            "BASE and --budget 8."
        )
    return against, budgets[0]


def _as_named(name: str, evaluation: Evaluation) -> str:
    """Return the name of a strategy as in the results, also if it is given as text with other quotes or defaults."""
    from mssim.rules.names import quoted
    from mssim.rules.parsing import parse_for

    if name in evaluation.strategies:
        return name
    try:
        text = str(parse_for(name, ())) if ":" in name else f"sc:{quoted(name)}"
    except StrategyError:
        return name
    return text if text in evaluation.strategies else name


def _readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that differ from row to row, rounded for display; p-values are those of the family."""
    import pandas as pd

    budgets = zip(frame["budget_a"], frame["budget_b"], strict=True)
    limits = frame[["difference", "low", "high"]].itertuples(index=False)
    counts = frame[["wins", "ties", "losses"]].itertuples(index=False)
    tests = [name for name in ("p_holm", "p_noninferior", "p_equivalent") if name in frame]
    tests = tests if "p_holm" in frame else ["p_value", *tests]
    shown = {
        "a": frame["a"],
        "b": frame["b"],
        "budget": [str(a) if a == b else f"{a}, {b}" for a, b in budgets],
        "difference": [f"{value:+.4f} [{low:+.4f}, {high:+.4f}]" for value, low, high in limits],
        **{name: [_p_value(value) for value in frame[name]] for name in tests},
        "wins, ties, losses": [", ".join(map(str, row)) for row in counts],
        "verdict": frame["verdict"],
    }
    return pd.DataFrame(shown)


def _readable_equal(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table "equal money", rounded for display."""
    import pandas as pd

    accuracies = frame[["accuracy", "low", "high"]].itertuples(index=False)
    differences = frame[["difference", "difference_low", "difference_high"]].itertuples(index=False)
    tests = [name for name in ("p_holm", "p_noninferior", "p_equivalent") if name in frame]
    shown = {
        "strategy": frame["strategy"],
        "budget": [_number(value, "{:.4g}") for value in frame["budget"]],
        "spend": [_number(value, "{:.6g}") for value in frame["spend"]],
        "accuracy": [_number(value, "{:.4f} [{:.4f}, {:.4f}]", *limits) for value, *limits in accuracies],
        "difference": [_number(value, "{:+.4f} [{:+.4f}, {:+.4f}]", *limits) for value, *limits in differences],
        **{name: [_p_value(value) for value in frame[name]] for name in tests},
        "verdict": frame["verdict"],
        "note": frame["note"],
    }
    return pd.DataFrame(shown)


def _readable_shares(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table of shares of the gain of an oracle, rounded for display."""
    limits = frame[["gain_share", "low", "high"]].itertuples(index=False)
    shown = frame[["strategy", "budget", "accuracy", "base", "oracle"]].round(4)
    shown["gain_share"] = [_number(share, "{:+.3f} [{:+.3f}, {:+.3f}]", *rest) for share, *rest in limits]
    return shown


def _readable_aiq(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table of AIQ, rounded for display."""
    return frame[["curve", "points", "corners", "aiq"]].round(4)


def _notes_shares(base: str, oracle: str, confidence_level: float, frame: pd.DataFrame) -> str:
    """Return the explanations of the columns of shares of the gain of an oracle."""
    notes = {
        "gain_share": f"(accuracy - base) / (oracle - base) over {frame['n_questions'].iloc[0]} questions, with its "
        f"{100 * confidence_level:.6g}% interval",
        "base": f"accuracy of {base}",
        "oracle": f"accuracy of {oracle}, biased upwards for few recorded samples",
    }
    return _aligned(notes)


def _notes_aiq(per: str, frame: pd.DataFrame) -> str:
    """Return the explanations of the columns of AIQ."""
    row = frame.iloc[0]
    notes = {
        "aiq": f"mean height of the hull of accuracy over the mean {_SPENDS[per]} per question, from "
        f"{row['c_min']:.6g} to {row['c_max']:.6g}, over {row['n_questions']} questions; the hull takes the best "
        "points, so it is biased upwards",
        "corners": "points on the hull",
    }
    return _aligned(notes)


def _number(value: float, form: str, *limits: float) -> str:
    return "" if value != value else form.format(value, *limits)


def _p_value(value: float) -> str:
    return _number(value, "{:.2g}" if value >= 1e-4 else "{:.0e}")


def _notes_equal(table: EqualMoney, frame: pd.DataFrame) -> str:
    """Return the explanations of the columns of the table "equal money"."""
    what = _SPENDS[table.per]
    notes = {
        "budget": "samples allowed per question; between two evaluated budgets, both are used at random so that the "
        f"mean {what} is equal",
        "spend": f"mean {what} per question",
        "difference": f"accuracy - accuracy of {table.base} at budget {table.budget} over {table.accuracy.shape[1]} "
        f"questions, with its {100 * table.confidence_level:.6g}% interval",
        **_notes_on_tests(frame, table.test, int(frame["difference"].notna().sum()), table.margin),
    }
    return _aligned(notes)


def _notes(frame: pd.DataFrame) -> str:
    """Return the explanations of the columns."""
    row = frame.iloc[0]
    notes = {
        "difference": f"accuracy of a - accuracy of b over {row['n_questions']} questions, "
        f"with its {100 * row['confidence_level']:.6g}% interval",
        **_notes_on_tests(frame, row["test"], len(frame), row.get("margin")),
    }
    return _aligned(notes)


def _notes_on_tests(frame: pd.DataFrame, test: str, n_comparisons: int, margin: float | None) -> dict[str, str]:
    """Return the explanations of the columns of tests."""
    from mssim.results.differences import ASSUMPTIONS

    if not n_comparisons:
        return {}
    notes = {"test": f"{test}, for {ASSUMPTIONS[test]}"}
    if "p_holm" in frame:
        notes["p_holm"] = f"p-value for a difference of zero, adjusted for {counted(n_comparisons, 'comparison')}"
    else:
        notes["p_value"] = "for a difference of zero"
    if margin is not None:
        adjusted = ", adjusted" if "p_holm" in frame else ""
        worse = "a being" if "a" in frame else "being"
        notes["p_noninferior"] = f"p-value for {worse} worse by {margin:g} or more{adjusted}"
        notes["p_equivalent"] = f"p-value for a difference of {margin:g} or more in either direction{adjusted}"
    return notes


def _aligned(notes: Mapping[str, str]) -> str:
    width = max(map(len, notes))
    return "\n".join(f"{name:{width}}  {text}" for name, text in notes.items())


def _one_or_two(budget: str | None) -> tuple[int, int]:
    if budget is None:
        raise BudgetError(
            "--budget: missing. Use --budget 16 for both strategies, or --budget 8,16 for one budget each."
        )
    return parse_pair(budget)


def _pairs(evaluation: Evaluation, names: list[str], budget: tuple[int, int], options: dict[str, Any]) -> Comparisons:
    from mssim.results.comparison import Comparisons

    pairs = dict.fromkeys(zip(names[::2], names[1::2], strict=True))  # a pair that is named twice is one test
    return Comparisons(evaluation.compare(a, b, budget=budget, **options) for a, b in pairs)
