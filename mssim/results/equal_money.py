"""Strategies at equal money: each at the budget at which it spends as much as a named one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from, level, shown
from mssim.errors import MssimError
from mssim.results.comparison import verdict_of
from mssim.results.differences import ASSUMPTIONS, mean_difference
from mssim.results.intervals import mean_interval
from mssim.results.multiplicity import holm

__all__ = ["EqualMoney", "Mix", "checked_spend", "equal_money", "mix_of"]

Floats = NDArray[np.float64]

_ROUNDING = 1e-9  # spends that differ by this share are equal
_UNITS = {"cost": "", "tokens": "tokens", "latency": "seconds", "samples_used": "samples"}
_REMEDIES = {
    "cost": "Record a column 'cost', or use evaluate(..., prices=...)",
    "tokens": "Record a column 'output_tokens'",
    "latency": "Record a column 'latency'",
}


class Mix(NamedTuple):
    """Budgets of a strategy, as indices, that are used at random so that the mean spend is a given one.

    The lower budget is used with probability 1 - `share`, the higher one with probability `share`. If the spend is not
    within reach, both are the budget that comes closest, and `note` says so.
    """

    lower: int
    higher: int
    share: float
    note: str = ""

    def of(self, values: Floats) -> Floats:
        """Return the mean of values at both budgets, [budget, ...]."""
        if self.lower == self.higher:
            return np.asarray(values[self.lower])
        return np.asarray((1 - self.share) * values[self.lower] + self.share * values[self.higher])


@dataclass(frozen=True, eq=False)
class EqualMoney:
    """Table "equal money", from `Evaluation.at_equal_cost`.

    Attributes
    ----------
    base : str
        Strategy with which the others are compared.
    budget : int
        Its budget.
    per : str
        What is equal: samples_used, tokens, cost or latency.
    spend : float
        Mean spend of the base per question.
    test : str
        Construction of intervals and p-values of differences, as in `Comparison`.
    confidence_level : float
        Level of the intervals.
    margin : float or None
        Largest difference without practical importance.
    accuracy : ndarray of float64, shape (n_strategies, n_questions)
        Accuracy of the base and of the others, in the order of the table.
    frame : DataFrame
        The table, see `to_frame`.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> result = evaluate(pool, ["sc:gemma", "ms:gemma+smol"], range(1, 9), n_replays=1000)
    >>> table = result.at_equal_cost("ms:gemma+smol", budget=8, per="samples_used")
    >>> table.to_frame()[["strategy", "budget", "spend", "difference"]].round(2)
            strategy  budget  spend  difference
    0  ms:gemma+smol    8.00   6.84         NaN
    1       sc:gemma    6.84   6.84       -0.03
    """

    base: str
    budget: int
    per: str
    spend: float
    test: str
    confidence_level: float
    margin: float | None
    accuracy: Floats
    frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the table.

        Returns
        -------
        DataFrame, one row per strategy, the base first
            Columns: strategy; budget (weighted mean of two budgets, where a strategy uses two); spend (mean over
            questions); accuracy, low, high (with its confidence interval); difference (accuracy - accuracy of the
            base), difference_low, difference_high; p_value, p_holm (adjusted for the number of comparisons);
            p_noninferior and p_equivalent, adjusted, if a margin was given; verdict (at the confidence level, for the
            whole family); note (why a strategy cannot spend as much: its row is then at the budget that comes closest
            and has no difference).
        """
        return self.frame.copy()


def checked_spend(per: str) -> str:
    """Return what is spent equally; raise if it does not exist.

    Examples
    --------
    >>> checked_spend("tokens")
    'tokens'
    """
    if not isinstance(per, str) or per not in _UNITS:
        raise MssimError(f"per={shown(per)} is not valid. {choose_from(str(per), _UNITS)}.")
    return per


def mix_of(spend: Floats, target: float, unit: str = "", *, smallest: bool = False) -> Mix:
    """Return how a strategy spends an amount with its budgets.

    Parameters
    ----------
    spend : ndarray of float64, shape (n_budgets,)
        Mean spend of the strategy at every budget; NaN where it was not evaluated.
    target : float
        Amount to be spent.
    unit : str, optional
        Unit of amounts in notes.
    smallest : bool, default False
        Whether the first budget is 1, so that a note cannot advise smaller ones.

    Returns
    -------
    Mix
        A budget that spends the amount, the smallest if there are several. Otherwise, the budgets with the next lower
        and the next higher spend, whether or not spend grows with the budget.

    Examples
    --------
    >>> mix_of(np.array([1.0, 2.0, 4.0]), 2.5)
    Mix(lower=1, higher=2, share=0.25, note='')
    >>> mix_of(np.array([1.0, 2.0, 4.0]), 5.0).note
    'costs at most 4: evaluate larger budgets'
    """
    known = np.flatnonzero(~np.isnan(spend))
    if not known.size:
        return Mix(0, 0, 0.0, "what it spends is not known")
    order = known[np.argsort(spend[known], kind="stable")]  # the smallest of budgets with equal spend is first
    least, most = int(order[0]), int(order[spend[order].argmax()])
    slack = _ROUNDING * target
    equal = order[np.abs(spend[order] - target) <= slack]
    if equal.size:
        at = int(equal.min())
        return Mix(at, at, 0.0)
    if spend[most] < target:
        return Mix(most, most, 0.0, f"costs at most {_amount(spend[most], unit)}: evaluate larger budgets")
    if spend[least] > target:
        remedy = "" if smallest and least == 0 else ": evaluate smaller budgets"
        return Mix(least, least, 0.0, f"costs at least {_amount(spend[least], unit)}{remedy}")
    lower = int(order[np.flatnonzero(spend[order] == spend[order[spend[order] < target][-1]])[0]])
    higher = int(order[spend[order] > target][0])
    return Mix(lower, higher, float((target - spend[lower]) / (spend[higher] - spend[lower])))


def _amount(value: float, unit: str) -> str:
    text = f"{value:.4g}"
    return f"{text} {unit.removesuffix('s') if text == '1' else unit}".strip()


def equal_money(
    names: Sequence[str],
    budgets: NDArray[np.int64],
    accuracy: Floats,
    spend: Floats,
    *,
    column: int,
    per: str,
    margin: float | None,
    confidence_level: float,
    clusters: ArrayLike | None,
    test: str,
) -> EqualMoney:
    """Return strategies at equal money.

    Parameters
    ----------
    names : sequence of str
        Names of the strategies, the base first.
    budgets : ndarray of int64, shape (n_budgets,)
        Budgets.
    accuracy, spend : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Accuracies, and what is spent; NaN where a strategy was not evaluated.
    column : int
        Index of the budget of the base.
    per : str
        What is spent.
    margin, confidence_level, clusters, test
        As in `mean_difference`.

    Returns
    -------
    EqualMoney
        The table.

    Raises
    ------
    MssimError
        If the spend of the base is not known, or an option is invalid.
    """
    confidence_level = level(confidence_level)
    if not isinstance(test, str) or test not in ("auto", *ASSUMPTIONS):
        raise MssimError(f"test={shown(test)} is not valid. {choose_from(str(test), ['auto', *ASSUMPTIONS])}.")
    means = spend.mean(axis=2)
    target = float(means[0, column])
    if np.isnan(target):
        raise MssimError(f"per={per!r}: the {per} of {names[0]!r} is not known for all questions. {_REMEDIES[per]}.")
    smallest = bool(budgets[0] == 1)
    mixes = [Mix(column, column, 0.0), *(mix_of(one, target, _UNITS[per], smallest=smallest) for one in means[1:])]
    mixed = np.array([mix.of(one) for mix, one in zip(mixes, accuracy, strict=True)])
    spent = np.array([float(mix.of(one)) for mix, one in zip(mixes, means, strict=True)])
    mixed[np.isnan(spent)] = np.nan
    reached = np.array([not mix.note for mix in mixes])
    reached[0] = False  # the base is not compared with itself
    low, high = mean_interval(mixed, confidence_level=confidence_level, clusters=clusters)
    found = mean_difference(
        np.where(reached[:, None], mixed - mixed[0], np.nan),
        confidence_level=confidence_level,
        clusters=clusters,
        margin=margin,
        method=test,
    )
    columns = {
        "strategy": list(names),
        "budget": np.where(np.isnan(spent), np.nan, [float(mix.of(budgets.astype(float))) for mix in mixes]),
        "spend": spent,
        "accuracy": mixed.mean(axis=1),
        "low": low,
        "high": high,
        "difference": found.difference,
        "difference_low": found.low,
        "difference_high": found.high,
        "p_value": found.p_value,
        "p_holm": holm(found.p_value),
    }
    if margin is not None:
        columns |= {name: holm(getattr(found, name)) for name in ("p_noninferior", "p_equivalent")}
    frame = pd.DataFrame(columns)
    frame["verdict"] = [_verdict(row, margin, confidence_level) for row in frame.to_dict("records")]
    frame["note"] = ["base", *(mix.note for mix in mixes[1:])]
    return EqualMoney(names[0], int(budgets[column]), per, target, found.method, confidence_level, margin, mixed, frame)


def _verdict(row: Mapping[Any, Any], margin: float | None, confidence_level: float) -> str:
    """Return the verdict of a row, about its strategy; empty if it is not compared."""
    if np.isnan(row["difference"]):
        return ""
    p_values = (row["p_holm"], row.get("p_noninferior", np.nan), row.get("p_equivalent", np.nan))
    found = verdict_of(row["difference"], *p_values, margin=margin, confidence_level=confidence_level)
    return found.replace("a is ", "").replace("b is better", "worse")
