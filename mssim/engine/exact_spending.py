"""Expected tokens, cost and latency of strategies, exact where their draws are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from mssim.engine.exact import nothing_known
from mssim.engine.order_statistics import expected_maximum
from mssim.kernels.exact_windows import agreeing_amounts
from mssim.rules.plan import QUANTITIES, Plan
from mssim.rules.stops import WindowStop

__all__ = ["StageSamples", "expected_spend"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LATENCY = QUANTITIES.index("latency")


class StageSamples(NamedTuple):
    """Recorded samples of a block of questions, by the stages of a plan."""

    codes: NDArray[np.int16]  # [stage, question, sample], answer class within its question; -1: no answer
    lengths: NDArray[np.int32]  # [stage, question], recorded samples
    amounts: Floats  # [quantity, stage, question, sample], what each spends; NaN where unknown


def expected_spend(
    plan: Plan, drawn: Floats, samples: StageSamples, *, parallel: int | None, replacement: bool
) -> Floats:
    """Compute expected tokens, cost and latency of a plan.

    Parameters
    ----------
    plan : Plan
        Plan of a strategy.
    drawn : ndarray of float, shape (n_stages, n_budgets, n_questions)
        Expected draws of each stage.
    samples : StageSamples
        Recorded samples and what they spend, with a stage for each of the plan.
    parallel : int or None
        Most draws of one model that run at the same time. None: all draws of a round.
    replacement : bool
        Whether draws may repeat a sample.

    Returns
    -------
    ndarray of float, shape (n_quantities, n_budgets, n_questions)
        Expectations in the order of `QUANTITIES`. NaN where an amount is unknown or has no closed form:
        for plans whose draws have none, and for the latency of windows of several draws without replacement.

    Notes
    -----
    What `n` draws spend in total has the expectation `E[n]` times the mean amount of a sample, although an amount may
    go with the answer (Wald 1944). This holds for the draws of a stage, because earlier stages decide whether it is
    reached, and for draws with replacement up to a window that agrees. Without replacement, draws after windows that
    did not agree have other amounts than the mean. There, inclusion and exclusion over windows that agree applies to
    amounts as it does to samples used.

    The latency of a round is its expected longest draw (`expected_maximum`) times the probability that it is drawn.

    References
    ----------
    A. Wald, "On cumulative sums of random variables", Annals of Mathematical Statistics 15, 1944, 283-296,
    doi:10.1214/aoms/1177731235.

    Examples
    --------
    Two draws of three samples, of which the first does not agree with the others and is long:

    >>> from mssim import SelfConsistency
    >>> (plan,) = SelfConsistency("m").plans(np.array([2]))
    >>> amounts = np.array([[[[900.0, 300, 300]]], [[[np.nan] * 3]], [[[9.0, 3, 3]]]])
    >>> samples = StageSamples(np.array([[[1, 0, 0]]], np.int16), np.array([[3]]), amounts)
    >>> expected_spend(plan, np.array([[[2.0]]]), samples, parallel=None, replacement=False)[:, 0, 0]
    array([1000.,   nan,    7.])
    """
    spent = np.full((len(QUANTITIES), *drawn.shape[1:]), np.nan)
    if plan.accepts is not None or nothing_known(plan):
        return spent
    means = _means(samples)
    windows = plan.stop if isinstance(plan.stop, WindowStop) else None
    one_by_one = parallel == 1 or (windows is not None and windows.window == 1)
    known = [quantity for quantity in range(len(QUANTITIES)) if not np.isnan(means[quantity]).all()]
    for quantity in known:
        if quantity == _LATENCY and not one_by_one:
            spent[quantity] = _latency(plan, drawn, samples, parallel, replacement)
        elif windows and not replacement:
            spent[quantity] = _windowed(plan.sizes[0], drawn[0], samples, quantity, windows.window)
        else:
            spent[quantity] = np.where(drawn == 0, 0.0, drawn * means[quantity][:, None]).sum(axis=0)
    return spent


def _means(samples: StageSamples) -> Floats:
    """Return the mean amount of a sample, [quantity, stage, question]; NaN where unknown or nothing was recorded."""
    recorded = np.arange(samples.codes.shape[2]) < samples.lengths[:, :, None]
    total = np.where(recorded, samples.amounts, 0.0).sum(axis=3)
    return np.asarray(np.where(samples.lengths > 0, total / np.maximum(samples.lengths, 1), np.nan))


# Rounds ---------------------------------------------------------------------------------------------------------------


def _latency(plan: Plan, drawn: Floats, samples: StageSamples, parallel: int | None, replacement: bool) -> Floats:
    """Return expected latencies of rounds, [budget, question]."""
    if not isinstance(plan.stop, WindowStop):
        return _latency_of_stages(plan, drawn, samples, parallel, replacement)
    if not replacement:
        return np.full(drawn.shape[1:], np.nan)
    latency = _latency_of_windows(plan.sizes[0], samples, plan.stop.window, parallel)
    return np.where(np.isnan(drawn[0]), np.nan, latency)


def _latency_of_stages(
    plan: Plan, drawn: Floats, samples: StageSamples, parallel: int | None, replacement: bool
) -> Floats:
    """Return expected latencies of stages, [budget, question]."""
    latency = np.zeros(drawn.shape[1:])
    for stages, budgets in _rounds(plan, apart=parallel is not None).items():
        sizes = plan.sizes[np.ix_(stages, budgets)]
        reached = drawn[stages[0], budgets] / sizes[0][:, None]
        if len(stages) == 1:
            longest = _batches(samples, stages[0], sizes[0], parallel, replacement)
        else:
            values, lengths = samples.amounts[_LATENCY, list(stages)], samples.lengths[list(stages)]
            distinct, place = np.unique(sizes, axis=1, return_inverse=True)
            longest = expected_maximum(values, lengths, distinct, replacement=replacement)[place.ravel()]
        latency[budgets] += np.where(reached == 0, 0.0, reached * longest)
    return latency


def _rounds(plan: Plan, *, apart: bool) -> dict[tuple[int, ...], list[int]]:
    """Return the stages of every round of a plan, with the budgets at which it may be drawn.

    A stage that cannot stop is drawn together with the next. With `apart`, it is a round of its own: where at most so
    many draws of one model run at the same time, stages follow one another in any case.
    """
    found: dict[tuple[int, ...], list[int]] = {}
    for b in range(plan.sizes.shape[1]):
        stages: tuple[int, ...] = ()
        drawing = np.flatnonzero(plan.sizes[:, b]).tolist()
        for stage in drawing:
            stages = (*stages, stage)
            if apart or plan.need[stage, b] <= plan.sizes[stage, b] or stage == drawing[-1]:
                found.setdefault(stages, []).append(b)
                stages = ()
    return found


def _batches(samples: StageSamples, stage: int, sizes: Ints, parallel: int | None, replacement: bool) -> Floats:
    """Return expected latencies of so many draws of a stage, in batches one after the other, [size, question].

    No draw differs from another before it is drawn, so all full batches have the same expectation.
    """
    batch = int(sizes.max()) if parallel is None else min(parallel, int(sizes.max()))
    full, rest = sizes // batch, sizes % batch
    draws = np.union1d(rest[rest > 0], [batch])
    longest = np.zeros((batch + 1, samples.lengths.shape[1]))
    part = slice(stage, stage + 1)
    values, lengths = samples.amounts[_LATENCY, part], samples.lengths[part]
    longest[draws] = expected_maximum(values, lengths, draws[None], replacement=replacement)
    return np.asarray(full[:, None] * longest[batch] + longest[rest])


# Windows --------------------------------------------------------------------------------------------------------------


def _classes(samples: StageSamples, amounts: Floats | None = None) -> tuple[NDArray[Any], Ints]:
    """Return samples of the only stage by class, or the sums of their amounts, and where a question's classes begin."""
    codes = samples.codes[0]
    voting = (codes >= 0) & (np.arange(codes.shape[1]) < samples.lengths[0][:, None])
    n_classes = np.where(voting, codes, -1).max(axis=1) + 1
    offsets = np.concatenate([[0], np.cumsum(n_classes)])
    places = (codes + offsets[:-1, None])[voting]
    weights = None if amounts is None else amounts[voting]
    return np.bincount(places, weights, minlength=int(offsets[-1])), offsets


def _windowed(sizes: Ints, drawn: Floats, samples: StageSamples, quantity: int, window: int) -> Floats:
    """Return expected sums of amounts with windows, without replacement, [budget, question].

    Where s given windows agree on some classes, their samples have the mean amounts of these classes, and any other
    draw has the mean amount of all other samples.
    """
    spent = np.full(drawn.shape, np.nan)
    closed = np.flatnonzero(~np.isnan(drawn).all(axis=1))
    if not closed.size:
        return spent
    amounts, lengths = samples.amounts[quantity, 0], samples.lengths[0]
    votes, offsets = _classes(samples)
    sums, _ = _classes(samples, amounts)
    most = int(sizes[closed].max()) // window
    means = sums / np.maximum(votes, 1)
    agree, agreeing = agreeing_amounts(votes, offsets, lengths.astype(np.int64), means, window, most)
    recorded = np.arange(amounts.shape[1]) < lengths[:, None]
    total = np.where(recorded, amounts, 0.0).sum(axis=1)[:, None]
    left = lengths[:, None] - window * np.arange(most + 1)
    of_others = np.where(left > 0, (total * agree - window * agreeing) / np.maximum(left, 1), 0.0)
    signed = scipy.linalg.pascal(most + 1, kind="lower", exact=False) * (-1.0) ** np.arange(most + 1)
    # Sums, because the last bits of matrix products depend on the number of questions.
    of_draw = (of_others[:, None] * signed).sum(axis=2)  # [question, t], of a draw after t windows, if it is drawn
    for b in closed:
        n = int(sizes[b]) // window
        spent[b] = window * of_draw[:, :n].sum(axis=1) + (sizes[b] - window * n) * of_draw[:, n]
    return spent


def _latency_of_windows(sizes: Ints, samples: StageSamples, window: int, parallel: int | None) -> Floats:
    """Return expected latencies of windows with replacement, [budget, question]."""
    votes, offsets = _classes(samples)
    lengths = samples.lengths[0]
    shares = votes / np.repeat(lengths, np.diff(offsets))
    agrees = np.array([(shares[i:j] ** window).sum() for i, j in pairwise(offsets)])
    full, rest = sizes // window, sizes % window
    goes_on = (1 - agrees) ** np.arange(full.max() + 1)[:, None]  # [t, question], t windows do not agree
    windows = np.concatenate([np.zeros((1, agrees.size)), np.cumsum(goes_on, axis=0)])
    batches = _batches(samples, 0, np.append(rest, window), parallel, replacement=True)
    return np.asarray(windows[full] * batches[-1] + goes_on[full] * batches[:-1])
