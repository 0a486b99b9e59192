"""`mssim compare`: paired comparisons of strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mssim.cli.options import Clusters, Confidence, Json, parse_budgets, parse_pair
from mssim.cli.output import data_title, print_frame
from mssim.errors import BudgetError, MssimError

if TYPE_CHECKING:
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

    names = strategies or []
    if against is None and (not names or len(names) % 2):
        raise MssimError("strategies: not a pair of names. Use A B, several pairs A B C D, or --against BASE.")
    budgets = None if budget is None else [n for part in budget.split(",") for n in parse_budgets(part, "--budget")]
    evaluation = Evaluation.load(results)
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
    print_frame(frame, as_json=json, title=data_title(evaluation.provenance["pool"]))


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
