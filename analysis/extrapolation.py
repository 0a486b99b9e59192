"""Extrapolation: do the first samples of each question predict pass@k and maj@k of all of them?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.sources import Source
from analysis.tables import of_source
from mssim import Pool, PoolError
from mssim.theory import extrapolate

__all__ = ["run"]

IN_FILE = ("law", "n_questions")  # columns that are only in the CSV file
PARTS = (8, 2)  # of the samples, one in so many is shown to the extrapolation
FEWEST = 128


def run(source: Source, *, n_resamples: int = 100, seed: int = 0) -> pd.DataFrame:
    """Hide all samples but the first eighth or half, extrapolate, and compare with all samples.

    The interval is for other questions of the same kind, but the compared value is of the same questions. It should
    therefore be covered nearly always. The error is the stricter test.

    Returns
    -------
    DataFrame
        source, synthetic, the columns of `mssim.theory.extrapolate` (n_samples: samples that were not hidden), and
        recorded (the value from all samples), error (accuracy - recorded), covered (whether it is in the interval).

    Raises
    ------
    PoolError
        If a question has fewer than 128 samples.
    """
    most = source.most(source.models)
    if most < FEWEST:
        raise PoolError(
            f"extrapolation: {source.name} has {most} samples of some question. Use a pool with {FEWEST} or more."
        )
    pool, budgets = _first(source.pool, most), [most // 4, most // 2, most]
    frames = []
    for model in source.models:
        for quantity in ("pass", "maj"):
            known = extrapolate(pool, model, budgets, quantity=quantity).set_index("budget")["accuracy"]
            for part in PARTS:
                further = [k for k in budgets if k > most // part]
                options = {"quantity": quantity, "n_resamples": n_resamples, "seed": seed}
                found = extrapolate(_first(pool, most // part), model, further, **options)
                frames.append(found.assign(recorded=known[further].to_numpy()))
    frame = pd.concat(frames, ignore_index=True)
    frame["error"] = frame["accuracy"] - frame["recorded"]
    frame["covered"] = frame["recorded"].between(frame["low"] - 1e-12, frame["high"] + 1e-12)
    return of_source(source, frame)


def _first(pool: Pool, n_samples: int) -> Pool:
    """Return the pool with the first samples of each question, without columns other than answers."""
    lengths = np.minimum(pool.lengths, n_samples).astype(pool.lengths.dtype)
    codes = np.ascontiguousarray(pool.codes[:, :, :n_samples])
    return replace(pool, codes=codes, lengths=lengths, numbers={}, extra=pool.extra.select([]))
