"""Options of `tune` that are checked before a pool is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from mssim._validation import choose_from, shown, whole_number
from mssim.errors import MssimError
from mssim.results.quantities import SPENDS
from mssim.tuning.choice import Floats

__all__ = [
    "DEFAULT_FAMILY",
    "FAMILIES",
    "MOST_FOLDS",
    "check_numbers",
    "check_reachable",
    "check_spend",
    "read_families",
    "read_limits",
]

DEFAULT_FAMILY = "switch"
FAMILIES: Mapping[str, str] = {
    "switch": "ModelSwitch of every pair in both orders (agreement 1, 0.8, 0.6; plurality, entropy), and mixtures",
    "stops": "every stop rule for every model, with the parameters of the catalogue",
    "votes": "every named vote for every model or pair, with the parameters of the catalogue",
    "weights": "all models together, with the shares of draws that are best on the training questions",
    "routers": "one model per question by what is learnt on other questions, and gates at quartiles of confidence",
    "models": "the best k of all models together, as chosen on the training questions",
}

MOST_FOLDS = 10  # of more folds, which nearly share their training questions, the intervals do not cover
_MOST_RUNS = 10**6


def read_families(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return names of families, each once; raise if one does not exist.

    Examples
    --------
    >>> read_families(["stops", "votes"])
    ('stops', 'votes')
    """
    every = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else ()
    if not every:
        raise MssimError(f"families={shown(given)} contains no names. Use e.g. families=['stops', 'votes'].")
    for name in every:
        if not isinstance(name, str) or name not in FAMILIES:
            raise MssimError(f"families: {shown(name)} is not valid. {choose_from(str(name), FAMILIES)}.")
    return tuple(dict.fromkeys(every))


def check_spend(spend: object) -> str:
    """Return the limited quantity; raise if it does not exist."""
    if not isinstance(spend, str) or spend not in SPENDS:
        raise MssimError(f"spend={shown(spend)} is not valid. {choose_from(str(spend), SPENDS)}.")
    return spend


def check_numbers(n_folds: int | None, n_runs: int | None) -> tuple[int | None, int | None]:
    """Return numbers of folds and runs; raise if one is out of range."""
    return (
        None if n_folds is None else whole_number("n_folds", n_folds, 2, MOST_FOLDS),
        None if n_runs is None else whole_number("n_runs", n_runs, 1, _MOST_RUNS),
    )


def check_reachable(spend: str, limits: Floats | None, budgets: ArrayLike | None) -> None:
    """Raise if a limit is below what any candidate spends, as far as this is known without a pool.

    Examples
    --------
    >>> check_reachable("budget", np.array([2.0]), [4, 8])
    Traceback (most recent call last):
    mssim.errors.MssimError: limits: every candidate has a budget of at least 4, more than 2. Use limits of at least 4.
    """
    if limits is None:
        return
    lowest = 1 if budgets is None else np.min(budgets)
    if spend == "budget" and limits[0] < lowest:
        raise MssimError(
            f"limits: every candidate has a budget of at least {lowest}, more than {limits[0]:g}. Use limits of at "
            f"least {lowest}."
        )
    if spend == "samples_used" and limits[0] < 1:
        raise MssimError(
            f"limits: every candidate draws at least one sample per question, more than {limits[0]:g}. Use limits of "
            "at least 1."
        )


def read_limits(given: ArrayLike) -> Floats:
    """Return limits as sorted unique numbers.

    Examples
    --------
    >>> read_limits([8, 2.5])
    array([2.5, 8. ])
    """
    try:
        limits = np.atleast_1d(np.asarray(given))
    except ValueError:  # lists of different lengths
        limits = np.empty(0)
    numbers = limits.ndim == 1 and limits.size > 0 and limits.dtype.kind in "iuf"
    if numbers and np.all((limits > 0) & (limits < np.inf)):
        return np.unique(limits).astype(float)
    raise MssimError(
        f"limits={shown(given)} is not valid. Limits of the mean spend per question are positive, finite numbers."
    )
