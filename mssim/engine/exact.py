"""Closed forms of strategies per question, the expectations that replays approximate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from mssim.engine.blocks import Outcome
from mssim.engine.exact_until import expected_until
from mssim.engine.limited import Limits, codes_of
from mssim.kernels import exact_one_stage, exact_several_stages, right_draws
from mssim.kernels.draw_weights import Counts
from mssim.kernels.exact_agreement import agreement
from mssim.kernels.exact_one_stage import Ties
from mssim.kernels.exact_several_stages import Grid, most_nodes
from mssim.kernels.exact_windows import windows
from mssim.kernels.tally import FIRST, HIGHER, RANDOM, TIE_RULES, WRONG
from mssim.pools.pool import Pool
from mssim.rules.agreement import NEVER
from mssim.rules.plan import Plan
from mssim.rules.stops import WindowStop

__all__ = [
    "certain",
    "counts_of",
    "expected",
    "nothing_known",
    "obstacles",
    "per_question",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_DRAWS, MOST_SHARED_DRAWS = 1024, 512  # of one model, alone and in a vote with others
QUICK_CELLS, MOST_CELLS = 350, 2500  # combinations of draws of the models of a vote: 17 or 49 each of two models
MOST_WINDOWS, MOST_WINDOWED_DRAWS = 16, 256
_ROUNDING = 1e-12
_SAME = HIGHER - 1.0  # relative tolerance of equal scores

# Inputs of the kernels -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def grid_of(sizes: tuple[int, ...], prior: tuple[float, ...]) -> Grid:
    """Describe votes in which stages draw up to these numbers of samples, with a prior weight for each stage."""
    most, weights = np.array(sizes), np.array(prior)
    cells = _cells(most)
    digits = cells[:, 0, :-1].copy()
    fits = np.all(digits[:, None] + digits <= most[:-1], axis=2)
    score = _scores(cells, weights)
    found, place = np.unique(score, return_inverse=True)
    group = _levels(found)
    rank = group[place.reshape(score.shape)]
    levels = found[1:][np.diff(group) > 0]
    # The winner and its tied rivals together cannot exceed the score of all draws.
    rivals = np.floor(weights @ most / levels + 1e-9).astype(np.int64) - 1
    return Grid(most, digits, fits, rank, rivals, levels, weights)


def _cells(most: Ints) -> Ints:
    """Return all votes that a class can have, [draws of all stages but the last, draws of the last, stage]."""
    return np.moveaxis(np.indices(tuple(most + 1)), 0, -1).reshape(-1, int(most[-1]) + 1, most.size)


def _scores(cells: Ints, weights: Floats) -> Floats:
    return np.asarray(cells[..., :-1] @ weights[:-1] + weights[-1] * cells[..., -1])


def _levels(scores: Floats) -> Ints:
    """Number the distinct values among increasing scores; the first is 0 and gets the number -1."""
    return np.concatenate([[-1], np.cumsum(np.diff(scores) > _SAME * scores[1:]) - 1])


@lru_cache(maxsize=64)
def _gauss(most: int) -> tuple[Ints, Floats, Floats]:
    """Return Gauss-Legendre rules on [0, 1] with up to about `most` nodes.

    Only some numbers of nodes have a rule, because a larger rule is also exact. Their choice does not depend on `most`.
    """
    orders = [1]
    while orders[-1] < most:
        orders.append(max(orders[-1] + 1, orders[-1] * 5 // 4))
    nodes, weights = np.zeros((2, len(orders), orders[-1]))
    for i, order in enumerate(orders):
        x, w = scipy.special.roots_legendre(order)
        nodes[i, :order], weights[i, :order] = (x + 1) / 2, w / 2
    return np.array(orders), nodes, weights


def tie_rule(rule: int, grid: Grid, n_classes: int) -> Ties:
    """Return a tie rule with the integration nodes for votes of a grid over at most `n_classes` classes."""
    return Ties(rule, *_gauss(most_nodes(grid, rule, n_classes)))


def one_stage_ties(rule: int, most: int, n_classes: int) -> Ties:
    """Return a tie rule with the integration nodes for up to `most` draws of one stage and `n_classes` classes."""
    return Ties(rule, *_gauss(max(min(most, n_classes) - 1, 0) // 2 + 1))


def chances(values: Floats) -> Floats:
    """Return probabilities with values near 0 and 1 rounded to them."""
    return np.where(values < _ROUNDING, 0.0, np.where(values > 1 - _ROUNDING, 1.0, values))


def agreements(counts: Counts, draws: Ints, need: Ints) -> tuple[Floats, Floats]:
    """Return probabilities of agreement and of correct agreement (NaN where not available here), [question, pair]."""
    recorded = counts.no_answer[0] + per_question(counts.votes[0], counts.offsets)
    known = (recorded[:, None] > 0) & (counts.replacement | (draws <= recorded[:, None]))
    agreed, right = np.where(known, 0.0, np.nan), np.where(known, 0.0, np.nan)
    agreed[known & (need <= 0)], right[known & (need <= 0)] = 1.0, np.nan
    ask = (need > 0) & (need <= draws)
    if ask.any():
        agreed[:, ask], right[:, ask] = agreement(counts, draws[ask], need[ask])
    return chances(agreed), right


# Strategies -----------------------------------------------------------------------------------------------------------


def obstacles(plan: Plan, *, most_cells: int) -> list[str | None]:
    """Return why the accuracy of a plan has no closed form, for every budget; None if it has one.

    Closed forms of votes for which the draws of the models have more than `most_cells` combinations do not count.
    """
    n_budgets, unknown = plan.sizes.shape[1], nothing_known(plan)
    if unknown or plan.vote is None:
        return [unknown] * n_budgets
    if not plan.vote.counts_only:
        return ["the vote depends on more than the counts of answers (vote=plurality has a closed form)"] * n_budgets
    budgets = zip(plan.sizes.T.tolist(), plan.need.T.tolist(), strict=True)
    return [_obstacle(plan, sizes, need, most_cells) for sizes, need in budgets]


def counts_of(
    pool: Pool,
    models: Sequence[str],
    questions: slice,
    limits: Limits = None,
    *,
    replacement: bool,
    kept: NDArray[np.bool_] | bool = True,
) -> Counts:
    """Return the counts of votes of some questions, with one stage per model and its limit of tokens.

    `kept` is a mask [question, sample].
    """
    rows = [pool.model_index(model) for model in models]
    offsets = pool.class_offsets[questions.start : questions.stop + 1]
    codes, lengths = codes_of(pool, models, limits, questions), pool.lengths[rows, questions]
    recorded = (np.arange(codes.shape[2]) < lengths[:, :, None]) & kept
    voting = (codes >= 0) & recorded
    places = codes + (offsets[:-1, None] - offsets[0])
    n_classes = int(offsets[-1] - offsets[0])
    votes = np.stack([np.bincount(places[i][voting[i]], minlength=n_classes) for i in range(len(rows))])
    return Counts(
        votes,
        recorded.sum(axis=2) - voting.sum(axis=2),
        offsets - offsets[0],
        pool.class_correct[offsets[0] : offsets[-1]].copy(),
        replacement,
    )


def certain(counts: Counts) -> Floats:
    """Return the accuracy of any vote where it is certain, [question]: 1 if all samples are right, 0 if none is.

    Elsewhere it is NaN.
    """
    right = per_question((counts.votes * counts.correct).sum(axis=0), counts.offsets)
    others = per_question((counts.votes * ~counts.correct).sum(axis=0), counts.offsets) + counts.no_answer.sum(axis=0)
    return np.where(right == 0, 0.0, np.where(others == 0, 1.0, np.nan))


def nothing_known(plan: Plan) -> str | None:
    """Return why not even samples used have a closed form; None if they have one."""
    if plan.cap:
        return "questions share the budget, so each depends on all others"
    if plan.online is not None:
        return "the bar depends on the samples of the warm-up"
    if plan.ordered is not None:
        return "questions are ordered by difficulty, so each depends on others"
    if plan.repeats:
        return "stages of the same model depend on each other"
    if plan.is_linked:
        return "models that share draws depend on each other"
    if plan.looks is not None:
        return "it stops only at looks (stop=window without looks has a closed form)"
    if plan.stop is not None and not isinstance(plan.stop, WindowStop):
        return f"stop={plan.stop} can stop after every draw (stop=window has a closed form)"
    return None


def _obstacle(plan: Plan, sizes: list[int], need: list[int], most: int) -> str | None:
    assert plan.vote is not None
    sizes = sizes[: _n_stages(sizes, need)]
    if isinstance(plan.stop, WindowStop) and sizes[0] >= plan.stop.window:
        n_windows = sizes[0] // plan.stop.window
        if n_windows > MOST_WINDOWS or sizes[0] > MOST_WINDOWED_DRAWS:
            return (
                f"{n_windows} windows in {sizes[0]} samples exceed the limits of the closed form, {MOST_WINDOWS} "
                f"windows and {MOST_WINDOWED_DRAWS} samples"
            )
        return None
    if max(sizes) > MOST_DRAWS:
        return f"{max(sizes)} samples of one model exceed the limit of the closed form, {MOST_DRAWS}"
    if len(sizes) == 1:
        return None
    several_vote = not plan.adopt or sum(votes > 1 for votes in need[: len(sizes)]) > 1
    if several_vote and (plan.vote.within, plan.vote.combine) != ("none", "sum"):
        what = "an entropy weight" if plan.vote.within == "entropy" else "the share of a model's votes"
        return f"{what} depends on all votes of its model (vote=plurality, also with prior=, has a closed form)"
    if max(sizes) > MOST_SHARED_DRAWS:
        return f"{max(sizes)} samples of one of several models exceed the limit of the closed form, {MOST_SHARED_DRAWS}"
    cells = math.prod(size + 1 for size in sizes)
    if cells > most:
        shared = " x ".join(str(size + 1) for size in sizes)
        return f"{'+'.join(map(str, sizes))} samples have {shared} = {cells} combinations of votes, more than {most}"
    nearly = _nearly_equal(tuple(sizes), _weights(plan, range(len(sizes)))) if several_vote else None
    if nearly:
        return (
            f"with these prior weights, scores such as {nearly[0]:.12g} and {nearly[1]:.12g} are too close to be "
            "compared exactly"
        )
    return None


def _weights(plan: Plan, stages: Sequence[int]) -> tuple[float, ...]:
    """Return the prior weights of some stages; a single stage has weight 1."""
    assert plan.vote is not None
    return tuple(plan.vote.weights(len(plan.models))[list(stages)].tolist()) if len(stages) > 1 else (1.0,)


@lru_cache(maxsize=64)
def _nearly_equal(sizes: tuple[int, ...], weights: tuple[float, ...]) -> tuple[float, float] | None:
    """Return two scores that cannot be ranked, because equality within rounding is not transitive, or None."""
    scores = np.unique(_scores(_cells(np.array(sizes)), np.array(weights)))
    group, scores = _levels(scores)[1:], scores[1:]
    spread = scores / scores[np.searchsorted(group, group)]  # relative to the lowest score of its group
    furthest = int(spread.argmax())
    return None if spread[furthest] <= HIGHER else (scores[furthest] / spread[furthest], scores[furthest])


def _n_stages(sizes: list[int], need: list[int]) -> int:
    """Return the number of stages that can draw: those with samples, up to one that always stops."""
    drawing = sum(size > 0 for size in sizes)
    always = (i + 1 for i, votes in enumerate(need[:drawing]) if votes <= 0)
    return next(always, drawing)


def expected(plan: Plan, counts: Counts, closed: NDArray[np.bool_]) -> Outcome:
    """Compute the expected outcome of a plan.

    Parameters
    ----------
    plan : Plan
        Plan of a strategy.
    counts : Counts
        Counts with one stage per model of the plan; with a verifier those of `verified_counts`.
    closed : ndarray of bool, shape (n_budgets,)
        Budgets at which accuracy is computed. Samples drawn and agreement are computed wherever possible.
    """
    if plan.accepts is not None:
        won, used, accepted, _ = expected_until(plan, counts)
        return Outcome.of(chances(won), used, chances(accepted))
    if isinstance(plan.stop, WindowStop):
        return _windowed(plan, counts, closed, plan.stop.window)
    drawn, stops, stops_right = np.zeros((3, *plan.sizes.shape, counts.no_answer.shape[1]))
    reached = np.ones_like(drawn)
    stops[:, plan.sizes.max(axis=0) > MOST_DRAWS] = np.nan
    for i, (sizes, need) in enumerate(zip(plan.sizes, plan.need, strict=True)):
        if i:
            reached[i] = reached[i - 1] * (1 - stops[i - 1])
        drawn[i] = sizes[:, None] * reached[i]
        stops[i, need > sizes] = 0.0
        ask = (need <= sizes) & (plan.sizes.max(axis=0) <= MOST_DRAWS)
        if ask.any():
            agreed, right = agreements(_stages(counts, (i,)), sizes[ask], need[ask])
            stops[i, ask], stops_right[i, ask] = agreed.T, right.T
    right = np.full(drawn.shape[1:], np.nan)
    if plan.vote is None:
        right[:] = _covered(plan, counts) if plan.least is None else _reliable(plan, plan.least, counts)
    elif closed.any():
        budgets = np.nonzero(closed)[0]
        if len(plan.sizes) == 1 and (plan.need == NEVER).all():
            right[closed] = _plurality_of_one(plan, counts, plan.sizes[0, budgets], NEVER).T
        else:
            right[closed] = _voted(plan, counts, budgets, reached, reached * stops_right)
    agreed = np.where((plan.need >= 0)[:, :, None], reached * stops, 0.0).sum(axis=0)
    return Outcome.of(chances(right), drawn, chances(agreed))


def _stages(counts: Counts, stages: Sequence[int]) -> Counts:
    return counts._replace(votes=counts.votes[list(stages)], no_answer=counts.no_answer[list(stages)])


def per_question(values: NDArray[np.int64], offsets: Ints) -> Ints:
    """Sum over the classes of each question, the last axis of `values`."""
    sums = np.zeros((*values.shape[:-1], values.shape[-1] + 1), np.int64)
    np.cumsum(values, axis=-1, out=sums[..., 1:])
    return np.asarray(np.diff(sums[..., offsets], axis=-1))


def covered(total: Ints, right: Ints, draws: Ints) -> Floats:
    """Return the probability of a correct sample among draws without replacement, [..., draw]."""
    steps = np.arange(draws.max())
    n, c = total.reshape(-1, 1), right.reshape(-1, 1)
    found = np.empty((n.size, draws.size))
    rows = max(1, 1_000_000 // steps.size)
    for i in range(0, n.size, rows):
        part = slice(i, i + rows)
        missed = np.cumprod(np.maximum(n[part] - c[part] - steps, 0) / np.maximum(n[part] - steps, 1), axis=1)
        found[part] = np.where(draws <= n[part], 1 - missed[:, draws - 1], np.nan)
    return found.reshape(*total.shape, draws.size)


def _recorded_right(counts: Counts) -> tuple[Ints, Ints]:
    """Return the numbers of recorded and of correct samples, [stage, question]."""
    recorded = counts.no_answer + per_question(counts.votes, counts.offsets)
    return recorded, per_question(np.where(counts.correct, counts.votes, 0), counts.offsets)


def _reliable(plan: Plan, least: Ints, counts: Counts) -> Floats:
    """Return the probability that enough draws of the only model are correct, [budget, question]."""
    (recorded,), (right,) = _recorded_right(counts)
    found = right_draws.enough_right(
        recorded, right, plan.sizes[0].copy(), least.copy(), plan.raised, counts.replacement
    )
    return np.asarray(found.T)


def _covered(plan: Plan, counts: Counts) -> Floats:
    """Return the probability that any draw is correct, [budget, question]."""
    recorded, right = _recorded_right(counts)
    missed = np.ones((plan.sizes.shape[1], recorded.shape[1]))
    for i, sizes in enumerate(plan.sizes):
        drawing = sizes > 0
        if counts.replacement:
            missed[drawing] *= (1 - right[i] / recorded[i]) ** sizes[drawing, None]
        elif drawing.any():
            missed[drawing] *= 1 - covered(recorded[i], right[i], sizes[drawing]).T
    return 1 - missed


# A vote: its stages, the draws of each, and the number of votes of a stage that no class may have.
_Request = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def _voted(plan: Plan, counts: Counts, budgets: Ints, reached: Floats, stops_right: Floats) -> Floats:
    """Return the probability of a correct answer, [budget, question], from stages that stop and from the final vote.

    The probability that a stage stops and a vote is correct is the probability that the vote is correct, minus the
    probability that it is correct and no class has the votes that stop the stage.
    """
    total = np.zeros((budgets.size, counts.no_answer.shape[1]))
    terms: list[tuple[int, float | Floats, _Request]] = []
    for row, b in enumerate(budgets):
        n = _n_stages(plan.sizes[:, b].tolist(), plan.need[:, b].tolist())
        sizes, need = tuple(plan.sizes[:n, b].tolist()), tuple(plan.need[:n, b].tolist())
        for i in range(n):
            if need[i] > sizes[i]:
                continue
            if not plan.adopt and i > 0:
                drawn, before = tuple(range(i + 1)), need[:i]
                terms.append((row, 1.0, (drawn, sizes[: i + 1], (*before, NEVER))))
                terms.append((row, -1.0, (drawn, sizes[: i + 1], need[: i + 1])))
            elif 2 * need[i] > sizes[i]:
                total[row] += stops_right[i, b]
            else:
                terms.append((row, reached[i, b], ((i,), (sizes[i],), (NEVER,))))
                terms.append((row, -reached[i, b], ((i,), (sizes[i],), (need[i],))))
        terms.append((row, 1.0, (tuple(range(n)), sizes, need)))
    chance_of = _pluralities(plan, counts, {request for _, _, request in terms})
    for row, weight, request in terms:
        total[row] += weight * chance_of[request]
    return total


def _pluralities(plan: Plan, counts: Counts, wanted: set[_Request]) -> dict[_Request, Floats]:
    """Return the probability [question] that each vote is correct and no class has the votes that it may not have."""
    assert plan.vote is not None
    found: dict[_Request, Floats] = {}
    groups: dict[tuple[tuple[int, ...], tuple[int, ...]], list[_Request]] = {}
    for request in wanted:
        if min(request[2]) <= 0:
            found[request] = np.zeros(counts.no_answer.shape[1])
        else:
            groups.setdefault((request[0], request[2]), []).append(request)
    most_classes = int(np.diff(counts.offsets).max(initial=1))
    for (stages, need), group in groups.items():
        if len(stages) == 1:
            draws = np.array([drawn[0] for _, drawn, _ in group])
            chances_at = _plurality_of_one(plan, _stages(counts, stages), draws, need[0])
            found |= dict(zip(group, chances_at.T, strict=True))
            continue
        rule, weights = TIE_RULES[plan.vote.ties], _weights(plan, stages)
        for together in _on_one_grid(group, weights):
            most = np.max([drawn for _, drawn, _ in together], axis=0)
            grid = grid_of(tuple(most.tolist()), weights)
            ties = tie_rule(rule, grid, most_classes)
            table = exact_several_stages.plurality(_stages(counts, stages), grid, np.array(need), ties)
            for request in together:
                *others, last = request[1]
                row = int(np.ravel_multi_index(others, most[:-1] + 1))
                found[request] = table[:, row, last]
    return found


def _plurality_of_one(plan: Plan, counts: Counts, draws: Ints, need: int) -> Floats:
    """Return the probability that the vote of one stage is correct and no class has `need` votes, [question, draws]."""
    assert plan.vote is not None
    rule, depth = TIE_RULES[plan.vote.ties], int(draws.max())
    ties = one_stage_ties(RANDOM if rule == FIRST else rule, depth, int(np.diff(counts.offsets).max(initial=1)))
    return np.asarray(exact_one_stage.plurality(counts, depth, need, ties)[:, draws])


def _on_one_grid(group: list[_Request], weights: tuple[float, ...]) -> list[list[_Request]]:
    """Group all requests, unless their combined sizes have scores that cannot be ranked."""
    most = np.max([drawn for _, drawn, _ in group], axis=0)
    return [group] if _nearly_equal(tuple(most.tolist()), weights) is None else [[request] for request in group]


def _windowed(plan: Plan, counts: Counts, closed: NDArray[np.bool_], w: int) -> Outcome:
    """Compute the outcome of a plan with windows, by inclusion and exclusion over agreeing windows."""
    assert plan.vote is not None
    right, drawn, agreed = np.full((3, closed.size, counts.no_answer.shape[1]), np.nan)
    if not closed.any():
        return Outcome.of(right, drawn[None], agreed)
    depth = int(plan.sizes[0, closed].max())
    rule = WRONG if plan.vote.ties == "wrong" else RANDOM
    ties = one_stage_ties(rule, depth, int(np.diff(counts.offsets).max(initial=1)))
    agree, agree_right, plurality_right = windows(counts, w, depth, ties)
    signed = scipy.linalg.pascal(depth // w + 1, kind="lower", exact=False) * (-1.0) ** np.arange(depth // w + 1)
    # Sums, because the last bits of matrix products depend on the number of questions.
    goes_on = (agree[:, None] * signed).sum(axis=2)  # [question, t], none of the first t windows agrees
    stops_right = (agree_right[:, None, 1:] * signed[:-1, :-1]).sum(axis=2)  # [question, t], window t + 1 comes first
    for b in np.nonzero(closed)[0]:
        k, n = int(plan.sizes[0, b]), int(plan.sizes[0, b]) // w
        right[b] = stops_right[:, :n].sum(axis=1) + (plurality_right[:, : n + 1, k] * signed[n, : n + 1]).sum(axis=1)
        drawn[b] = w * goes_on[:, :n].sum(axis=1) + (k - w * n) * goes_on[:, n]
        agreed[b] = 1 - goes_on[:, n]
    return Outcome.of(chances(right), drawn[None], chances(agreed))
