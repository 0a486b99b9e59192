"""Live runs: does what strategies give on live servers agree with what replays of a recording predict?"""

from __future__ import annotations

import pandas as pd

from analysis.sources import Source
from analysis.tables import of_source
from mssim.errors import PoolError
from mssim.live import RunTable, compare

__all__ = ["run"]

IN_FILE = ("synthetic", "sd", "p_value", "n_questions")  # columns that are only in the CSV file


def run(source: Source, *, n_runs: int = 200, seed: int = 0) -> pd.DataFrame:
    """Compare the live runs in live.csv, beside the pool, with what its replays predict.

    Returns
    -------
    DataFrame
        source, synthetic, strategy, budget, quantity (accuracy, samples_used or output_tokens, means over questions),
        predicted, sd (of live - predicted), low, high (95 % of live runs are between them), live, z (live - predicted
        in units of sd), verdict ("as predicted", "higher" or "lower"), p_value (of all rows of the source together, by
        chi-square) and n_questions.

    Raises
    ------
    PoolError
        If the source has no live runs.
    """
    if source.live is None:
        raise PoolError(
            f"{source.name}: no live runs. Write the tables of `mssim.live.run` to live.csv in the folder of the pool, "
            "with the columns strategy and budget."
        )
    runs = [RunTable(strategy, budget, rows) for (strategy, budget), rows in _groups(source.live)]
    found = compare(runs, source.pool, n_runs=n_runs, seed=seed)
    frame = found.to_frame().assign(p_value=found.chi_square()[2], n_questions=found.n_questions)
    return of_source(source, frame)


def _groups(live: pd.DataFrame) -> list[tuple[tuple[str, int], pd.DataFrame]]:
    groups = live.groupby(["strategy", "budget"], sort=False)
    return [((str(name), int(budget)), rows) for (name, budget), rows in groups]
