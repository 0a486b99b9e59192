"""How far does an answer model fitted to single models predict the published points of ModelSwitch?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from analysis import published, simulated
from mssim import ModelSwitch
from mssim.simulate import expected

__all__ = ["run", "summary"]

IN_FILE = ("error",)  # columns that the command line leaves to the CSV file
UNANIMITY, STRICT, EITHER = "unanimity", "> 85 %", "either"
TOLERANCE = 0.02
_COLUMNS = ["dataset", "pair", "models", "quantity", "rule", "budget", "role", "published", "ours", "residual", "error"]
_COLUMNS += ["fits", "note", "naive"]


def run(*, progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """Fitted and predicted numbers beside the published ones, for six data sets and both pairs of models.

    Fitted are the accuracy of either model alone, the rate at which the first agrees with itself with 2, 4 and 6
    samples ("fitted"), and the correlation of the pair to ModelSwitch at budget 8 ("coupling"). Accuracy and samples
    used of ModelSwitch at all other budgets are "predicted". With 2, 4 and 6 samples of a model unanimity and more than
    85 %, the rule of the released code for its 512 samples, are the same; with 8 they are not, and both are predicted.

    Returns
    -------
    DataFrame
        dataset, pair, models, quantity (accuracy, agreement of the first model, samples_used), rule, budget, role,
        published, ours, residual (ours - published), error (standard error of the published number, from its questions
        and its rounding), fits (whether the residual is at most 0.02, or 2 % of the budget), note (where it does not,
        how far off that is), naive (accuracy guessed from budget 8 and the best single model's published curve).
    """
    asked = [(dataset, kind) for kind in simulated.PAIRS for dataset in simulated.DATASETS]
    frames = []
    for done, (dataset, kind) in enumerate(asked, 1):
        frames += [_fitted(dataset, kind), _switched(dataset, kind)]
        if progress:
            progress(done, len(asked))
    return pd.concat(frames, ignore_index=True)


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Residuals of the table by pair, quantity and role, under the rule of the released code.

    Returns
    -------
    DataFrame
        pair, quantity, role, numbers, mean_residual and largest (of their absolute values, in percentage points, or
        samples), fits (share of them), naive (mean residual of a guess without a model: that ModelSwitch gains from
        more samples what the best single model does).
    """
    released = frame[frame["rule"] != UNANIMITY]
    scale = np.where(released["quantity"] == "samples_used", 1, 100)
    guess = (released["naive"] - released["published"]).where(released["role"] == "predicted")
    off = released.assign(off=scale * released["residual"].abs(), guess=scale * guess.abs())
    columns = {"numbers": ("off", "size"), "mean_residual": ("off", "mean"), "largest": ("off", "max")}
    grouped = off.groupby(["pair", "quantity", "role"], sort=False)
    return grouped.agg(**columns, fits=("fits", "mean"), naive=("guess", "mean")).reset_index()


def _fitted(dataset: str, kind: str) -> pd.DataFrame:
    """What was fitted of single models."""
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
    """ModelSwitch under either rule, beside what was published."""
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
        if not alike:  # with fewer samples the fitted agreement says how many are used
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
    """What one would guess without a model: ModelSwitch gains from more samples what the best single model does."""
    alone = pd.DataFrame(published.curves(simulated.PAIRS[kind], dataset))
    best = alone[alone.iloc[-1].idxmax()]
    return switched[simulated.COUPLING_BUDGET] + best - best[simulated.COUPLING_BUDGET]


def _error_of_used(samples_used: float, budget: int, n: int) -> float:
    """Standard error of published samples used: of the agreement of n questions, and of one decimal."""
    rate = float(published.first_agreement(samples_used, budget))
    return float(np.hypot(budget / 2 * simulated.standard_error(rate, n), 0.1 / np.sqrt(12)))


def _judged(frame: pd.DataFrame, dataset: str, kind: str) -> pd.DataFrame:
    """Say which numbers fit."""
    residual = frame["ours"] - frame["published"]
    allowed = TOLERANCE * np.where(frame["quantity"] == "samples_used", frame["budget"], 1)
    fits = residual.abs() <= allowed
    near = residual.abs() <= 2 * frame["error"]
    note = np.where(
        fits, "", np.where(near, "off, within two standard errors", "off, by more than two standard errors")
    )
    return frame.assign(dataset=dataset, pair=kind, residual=residual, fits=fits, note=note).reindex(columns=_COLUMNS)
