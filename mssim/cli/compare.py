"""`mssim compare`: two strategies, question by question."""

from __future__ import annotations

from typing import Annotated

import typer

from mssim.cli.options import Clusters, Confidence, Json, parse_budgets
from mssim.cli.output import data_title, print_frame
from mssim.errors import BudgetError


def compare(
    results: Annotated[str, typer.Argument(help="File that `mssim evaluate --out` wrote.")],
    a: Annotated[str, typer.Argument(help="Strategy, as the table names it.")],
    b: Annotated[str, typer.Argument(help="Strategy to compare it with.")],
    budget: Annotated[str, typer.Option("--budget", help="Budget of both, or of A and of B: 16 or 8,16.")],
    confidence_level: Confidence = 0.95,
    clusters: Clusters = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the permutation test.")] = 0,
    json: Json = False,
) -> None:
    """Compare two strategies on the same questions: difference, interval, p-value, wins and losses.

    Example: mssim compare curves.parquet ms:tf-plus+lstm-times sc:tf-plus --budget 8
    """
    from mssim.results.evaluation import Evaluation

    budgets = [number for part in budget.split(",") for number in parse_budgets(part)]
    if len(budgets) > 2 or "-" in budget:
        raise BudgetError(f"--budget {budget!r}; give one for both strategies, or one each: 8,16")
    evaluation = Evaluation.load(results)
    found = evaluation.compare(
        a, b, budget=(budgets[0], budgets[-1]), confidence_level=confidence_level, clusters=clusters, seed=seed
    )
    print_frame(found.to_frame(), as_json=json, title=data_title(evaluation.provenance["pool"]))
