"""The kernels that run a stop rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mssim.errors import StrategyError
from mssim.kernels import all_counts, number_stops, stops, user_functions
from mssim.kernels.spending import NOTHING, Spending
from mssim.kernels.tally import Recorded, Replays
from mssim.rules.stops import CountsTable, OwnStop, Stop, StopTable
from mssim.rules.stops.beacon import GainIndex
from mssim.rules.stops.cges import Posterior
from mssim.rules.stops.reasc import WeightedLead

__all__ = ["KERNELS", "stop_curve", "stop_ends"]

# By the type of `Stop.table`: a function (recorded, depth, table, looks, replays) -> ends as `stops.ends`. The kernel
# of rules that read recorded numbers has them as its last argument, float64 [column, stage, question, sample].
KERNELS: dict[type, Callable[..., NDArray[np.uint16]]] = {
    StopTable: stops.ends,
    CountsTable: all_counts.ends,
    WeightedLead: number_stops.weighted_lead_ends,
    Posterior: number_stops.posterior_ends,
    GainIndex: number_stops.gain_ends,
}


def stop_ends(
    stop: Stop,
    table: tuple[Any, ...] | None,
    looks: NDArray[np.bool_],
    recorded: Recorded,
    depth: int,
    seen: NDArray[np.float64],
    replays: Replays,
) -> NDArray[np.uint16]:
    """Compute the draws after which a rule stops the only model.

    Parameters
    ----------
    stop : Stop
    table : named tuple or None
        `stop.table(depth)`. None runs the function of an `OwnStop`, or the plain statement of another rule.
    looks : ndarray of bool, shape (depth + 1,)
        Whether the rule is asked after so many draws; see `Plan.asked`.
    recorded : Recorded
        The first stage is used.
    depth : int
        Most draws.
    seen : ndarray of float64, shape (n_columns, n_stages, n_questions, n_samples)
        Recorded numbers that `stop.columns` names.
    replays : Replays

    Returns
    -------
    ndarray of uint16, shape (n_questions, n_replays)
        depth + 1 where the rule does not stop.
    """
    if table is not None:
        numbers = (seen,) if stop.columns else ()
        return np.asarray(KERNELS[type(table)](recorded, depth, table, looks, replays, *numbers))
    if isinstance(stop, OwnStop):
        try:
            return user_functions.ends(recorded, depth, stop.function, seen, looks, replays)
        except ValueError as error:
            raise StrategyError(f"OwnStop: calling the function failed: {error}") from error
    return user_functions.rule_ends(recorded, depth, stop.stops, seen, looks, replays)


def stop_curve(
    stop: Stop,
    table: tuple[Any, ...] | None,
    looks: NDArray[np.bool_],
    recorded: Recorded,
    ties: int,
    depth: int,
    adopt: bool,
    seen: NDArray[np.float64],
    replays: Replays,
    spending: Spending = NOTHING,
) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Replay the plurality of one model until a rule stops it, after every number of draws.

    Parameters are those of `stop_ends` and `stops.curve`, which describes the results. Rules of which no kernel also
    votes find their ends first.
    """
    if isinstance(table, StopTable):
        return stops.curve(recorded, ties, depth, adopt, table, looks, replays, spending)
    ends = stop_ends(stop, table, looks, recorded, depth, seen, replays)
    return stops.curve_until(recorded, ties, depth, adopt, ends, replays, spending), ends
