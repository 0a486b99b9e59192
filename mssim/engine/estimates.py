"""Estimates of plans from closed forms and sums over replays, with their Monte Carlo variances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mssim.engine.blocks import Outcome
from mssim.rules.plan import Floats, Ints

__all__ = ["SIXTEENTHS", "Control", "Estimate", "binomial_variance", "controlled", "fewest_replays"]

SIXTEENTHS = 16  # the unit of the coefficients of controls


class Estimate(NamedTuple):
    """Expectations of a plan, each per budget and question."""

    outcome: Outcome
    n_replays: Ints  # [budget, question], 0 where the accuracy is exact
    variance: Floats  # [budget, question], of the Monte Carlo error of the accuracy


class Control(NamedTuple):
    """A control variate of a plan: another plan, on the same draws, whose accuracy is known.

    The coefficients come from a pilot that is independent of the replays, so the estimate has no bias.
    """

    plan: int  # index of the control among the plans of the work
    coefficient: Ints  # [budget, question], in sixteenths; 0: not used


def binomial_variance(accuracy: Floats, n_replays: Ints) -> Floats:
    """Return the variance of shares among independent replays; 0 without replays, NaN after a single one.

    Examples
    --------
    >>> binomial_variance(np.array([0.5, 0.5, 0.5]), np.array([26, 1, 0]))
    array([0.01,  nan, 0.  ])
    """
    others = np.where(n_replays > 1, n_replays - 1.0, np.nan)
    return np.where(n_replays == 0, 0.0, accuracy * (1 - accuracy) / others)


def controlled(
    right: Floats, control: Floats, both: Floats, n_replays: Ints, known: Floats, coefficient: Ints
) -> tuple[Floats, Floats]:
    """Return accuracies and their variances with a control variate.

    Parameters
    ----------
    right, control, both : ndarray of float64
        Shares of the replays in which the plan, its control and both of them are right.
    n_replays : ndarray of int64
        Number of replays.
    known : ndarray of float64
        Accuracy of the control.
    coefficient : ndarray of int64
        Coefficient b of the control, in sixteenths.

    Returns
    -------
    accuracy, variance : ndarray of float64
        right - b (control - known), and its variance. Controls are only used where this is almost surely a probability.

    Examples
    --------
    The control was right more often than expected, and so probably was the plan:

    >>> found = controlled(*np.array([0.62, 0.6, 0.58]), np.array(101), np.array(0.55), np.array(16))
    >>> [value.round(4).item() for value in found]
    [0.57, 0.0006]
    """
    b = coefficient / SIXTEENTHS
    accuracy = np.clip(right - b * (control - known), 0, 1)
    spread = right * (1 - right) - 2 * b * (both - right * control) + b**2 * control * (1 - control)
    return accuracy, np.maximum(spread, 0) / np.where(n_replays > 1, n_replays - 1.0, np.nan)


def fewest_replays(parts: Sequence[Estimate]) -> Ints:
    """Return the fewest replays behind any of some plans, [budget, question]; 0 if all are exact."""
    found = np.stack([part.n_replays for part in parts])
    least = np.where(found > 0, found, np.iinfo(np.int64).max).min(axis=0)
    return np.asarray(np.where(found.any(axis=0), least, 0))
