"""`mssim compare`: paired comparisons of strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim.cli.options import Clusters, Confidence, Json, parse_budgets, parse_pair
from mssim.cli.output import data_title, print_frame
from mssim.errors import BudgetError, MssimError, StrategyError

if TYPE_CHECKING:
    import pandas as pd

    from mssim.results.comparison import Comparisons
    from mssim.results.evaluation import Evaluation


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
) -> None:
    """Compare strategies question by question: difference, interval, p-values, wins, ties, losses and a verdict.

    Several comparisons are a family: p_holm, p_noninferior and p_equivalent are adjusted for their number.

    Example: mssim compare curves.parquet ms:tf-plus+lstm-times sc:tf-plus --budget 8 --margin 0.02

    Example: mssim compare curves.parquet --against sc:tf-plus --budget 8
    """
    from mssim.results.evaluation import Evaluation

    names = list(strategies or [])
    if against is None and (not names or len(names) % 2):
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
    if against is not None:
        found = evaluation.compare_with(against, names or None, budgets=budgets, **options)
    else:
        found = _pairs(evaluation, names, _one_or_two(budget), options)
    frame = found.to_frame()
    if len(found) == 1:
        frame = frame.drop(columns="p_holm")
    title = data_title(evaluation.provenance["pool"])
    if json:
        print_frame(frame, as_json=True, title=title)
        return
    print_frame(_readable(frame), as_json=False, title=title)
    print(_notes(frame))


def _as_named(name: str, evaluation: Evaluation) -> str:
    """Return the name of a strategy as in the results, also if it is given as text with other quotes or defaults."""
    from mssim.rules.parsing import parse_for

    if name in evaluation.strategies or ":" not in name:
        return name
    try:
        text = str(parse_for(name, ()))
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
        **{name: [f"{value:.2g}" if value >= 1e-4 else f"{value:.0e}" for value in frame[name]] for name in tests},
        "wins, ties, losses": [", ".join(map(str, row)) for row in counts],
        "verdict": frame["verdict"],
    }
    return pd.DataFrame(shown)


def _notes(frame: pd.DataFrame) -> str:
    """Return the explanations of the columns."""
    from mssim.results.differences import ASSUMPTIONS

    row = frame.iloc[0]
    notes = {
        "difference": f"accuracy of a - accuracy of b over {row['n_questions']} questions, "
        f"with its {100 * row['confidence_level']:.6g}% interval",
        "test": f"{row['test']}, for {ASSUMPTIONS[row['test']]}",
    }
    if "p_holm" in frame:
        notes["p_holm"] = f"p-value for a difference of zero, adjusted for {len(frame)} comparisons"
    else:
        notes["p_value"] = "for a difference of zero"
    if "margin" in frame:
        adjusted = ", adjusted" if "p_holm" in frame else ""
        notes["p_noninferior"] = f"p-value for a being worse by {row['margin']:g} or more{adjusted}"
        notes["p_equivalent"] = f"p-value for a difference of {row['margin']:g} or more in either direction{adjusted}"
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
