"""`mssim compare`: paired comparison of two strategies."""

from __future__ import annotations

from typing import Annotated

import typer

from mssim.cli.options import Clusters, Confidence, Json, parse_budgets
from mssim.cli.output import data_title, print_frame
from mssim.errors import BudgetError


def compare(
    results: Annotated[str, typer.Argument(help="Results file written by `mssim evaluate --out`.")],
    a: Annotated[str, typer.Argument(help="Name of the first strategy, as in the results table.")],
    b: Annotated[str, typer.Argument(help="Name of the second strategy.")],
    budget: Annotated[str, typer.Option("--budget", help="Budget of both strategies (16), or of A and B (8,16).")],
    confidence_level: Confidence = 0.95,
    clusters: Clusters = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the permutation test.")] = 0,
    json: Json = False,
) -> None:
    """Compare two strategies question by question: difference, interval, p-value, wins, ties and losses.

    Example: mssim compare curves.parquet ms:tf-plus+lstm-times sc:tf-plus --budget 8
    """
    from mssim.results.evaluation import Evaluation

    budgets = [number for part in budget.split(",") for number in parse_budgets(part, "--budget")]
    if len(budgets) > 2 or "-" in budget:
        raise BudgetError(
            f"--budget: {budget!r} is not one or two budgets. Use --budget 16 for both strategies, or --budget 8,16 "
            "for one budget each."
        )
    evaluation = Evaluation.load(results)
    found = evaluation.compare(
        a, b, budget=(budgets[0], budgets[-1]), confidence_level=confidence_level, clusters=clusters, seed=seed
    )
    print_frame(found.to_frame(), as_json=json, title=data_title(evaluation.provenance["pool"]))
