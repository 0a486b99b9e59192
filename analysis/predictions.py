"""Predictions: how well does an answer model fitted to single models predict published ModelSwitch results?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from analysis import published, simulated
from mssim import ModelSwitch
from mssim.simulate import expected

__all__ = ["run", "summary"]

IN_FILE = ("error",)  # columns that are only in the CSV file
UNANIMITY, STRICT, EITHER = "unanimity", "> 85 %", "either"
TOLERANCE = 0.02
_COLUMNS = ["dataset", "pair", "models", "quantity", "rule", "budget", "role", "published", "ours", "residual", "error"]
_COLUMNS += ["fits", "note", "naive"]


def run(*, progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """Compare fitted and predicted numbers with the published ones, for six data sets and both pairs of models.

    Two sets of numbers are fitted: the accuracy of each model alone and the agreement rate of the first model with 2, 4
    and 6 samples ("fitted"), and the correlation of the pair, to ModelSwitch at budget 8 ("coupling"). Accuracy and
    samples used of ModelSwitch at all other budgets are "predicted". The released code stops where more than 85 %
    agree. With 2, 4 and 6 samples this is unanimity; with 8 samples it is not, and both rules are predicted.

    Returns
    -------
    DataFrame
        dataset, pair, models, quantity (accuracy, agreement of the first model, samples_used), rule, budget, role,
        published, ours, residual (ours - published), error (standard error of the published number, from its number of
        questions and its rounding), fits (whether the residual is at most 0.02, or 2 % of the budget), note (size of a
        larger residual in standard errors), naive (accuracy extrapolated from budget 8 along the published curve of the
        best single model).
    """
    asked = [(dataset, kind) for kind in simulated.PAIRS for dataset in simulated.DATASETS]
    frames = []
    for done, (dataset, kind) in enumerate(asked, 1):
        frames += [_fitted(dataset, kind), _switched(dataset, kind)]
        if progress:
            progress(done, len(asked))
    return pd.concat(frames, ignore_index=True)


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Summarise the residuals by pair, quantity and role, under the rule of the released code.

    Parameters
    ----------
    frame : DataFrame
        Result of `run`.

    Returns
    -------
    DataFrame
        pair, quantity, role, numbers (count), mean_residual and largest (of absolute residuals, in percentage points or
        samples), fits (share of numbers that fit), naive (mean absolute residual of the column `naive`, which assumes
        that ModelSwitch gains as much from more samples as the best single model).
    """
    released = frame[frame["rule"] != UNANIMITY]
    scale = np.where(released["quantity"] == "samples_used", 1, 100)
    guess = (released["naive"] - released["published"]).where(released["role"] == "predicted")
    off = released.assign(off=scale * released["residual"].abs(), guess=scale * guess.abs())
    columns = {"numbers": ("off", "size"), "mean_residual": ("off", "mean"), "largest": ("off", "max")}
    grouped = off.groupby(["pair", "quantity", "role"], sort=False)
    return grouped.agg(**columns, fits=("fits", "mean"), naive=("guess", "mean")).reset_index()


def _fitted(dataset: str, kind: str) -> pd.DataFrame:
    """Return the fitted numbers of single models."""
    frame = simulated.fitted(dataset, kind).to_frame()
    alone = frame["quantity"] == "accuracy"
    found = pd.DataFrame(
        {
            "models": frame["model"],
            "quantity": frame["quantity"],
            "rule": np.where(alone, "", EITHER),
            "budget": np.where(alone, frame["k"], 2 * frame["k"]),
            "role": "fitted",
            "published": frame["given"],
            "ours": frame["fitted"],
            "error": frame["error"],
        }
    )
    return _judged(found, dataset, kind)


def _switched(dataset: str, kind: str) -> pd.DataFrame:
    """Return expected and published numbers of ModelSwitch under both rules."""
    coupling, models, n = (
        simulated.coupled(dataset, kind),
        published.pair(dataset, kind),
        published.dataset(dataset)["n"],
    )
    given = published.points(figure=simulated.PAIRS[kind], dataset=dataset, strategy="ModelSwitch").set_index("budget")
    rules = {UNANIMITY: ModelSwitch(models), STRICT: ModelSwitch(models, agreement=0.85, strict=True)}
    found = expected(coupling.answer_model, rules, given.index.astype(int), n_questions=simulated.QUESTIONS_TO_FIT)
    naive = _moved(dataset, kind, given["accuracy"])
    rows = []
    for row in found.itertuples():
        point, alike = given.loc[row.budget], row.budget // 2 in simulated.FITTED_RATES
        if alike and row.strategy == STRICT:
            continue
        rule = EITHER if alike else row.strategy
        role = "coupling" if row.budget == simulated.COUPLING_BUDGET else "predicted"
        error = simulated.standard_error(point["accuracy"], n)
        rows.append(("accuracy", rule, row.budget, role, point["accuracy"], row.accuracy, error, naive[row.budget]))
        if not alike:  # with fewer samples, the fitted agreement determines samples_used
            error = _error_of_used(point["samples_used"], row.budget, n)
            rows.append(
                ("samples_used", rule, row.budget, role, point["samples_used"], row.samples_used, error, np.nan)
            )
    columns = ["quantity", "rule", "budget", "role", "published", "ours", "error", "naive"]
    frame = _judged(pd.DataFrame(rows, columns=columns).assign(models="+".join(models)), dataset, kind)
    if not coupling.within_reach:
        off = frame["quantity"] == "accuracy"
        frame.loc[off, "note"] = "no correlation leads to the published accuracy at the coupling budget"
    return frame


def _moved(dataset: str, kind: str, switched: pd.Series) -> pd.Series:
    """Return accuracies extrapolated from the coupling budget along the curve of the best single model."""
    alone = pd.DataFrame(published.curves(simulated.PAIRS[kind], dataset))
    best = alone[alone.iloc[-1].idxmax()]
    return switched[simulated.COUPLING_BUDGET] + best - best[simulated.COUPLING_BUDGET]


def _error_of_used(samples_used: float, budget: int, n: int) -> float:
    """Return the standard error of published samples used, from n questions and one decimal."""
    rate = float(published.first_agreement(samples_used, budget))
    return float(np.hypot(budget / 2 * simulated.standard_error(rate, n), 0.1 / np.sqrt(12)))


def _judged(frame: pd.DataFrame, dataset: str, kind: str) -> pd.DataFrame:
    """Add residual, fits and note."""
    residual = frame["ours"] - frame["published"]
    allowed = TOLERANCE * np.where(frame["quantity"] == "samples_used", frame["budget"], 1)
    fits = residual.abs() <= allowed
    near = residual.abs() <= 2 * frame["error"]
    note = np.where(
        fits, "", np.where(near, "off, within two standard errors", "off, by more than two standard errors")
    )
    return frame.assign(dataset=dataset, pair=kind, residual=residual, fits=fits, note=note).reindex(columns=_COLUMNS)
