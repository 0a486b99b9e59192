"""Candidates, that is, pairs of a strategy and a feasible budget; their versions, and the scores of these."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim.engine.evaluate import evaluate_job
from mssim.engine.job import Job, read_job
from mssim.engine.requirements import asked_of, enough_recorded
from mssim.engine.scheduler import Progress
from mssim.errors import BudgetError
from mssim.pools.enough import selecting_asked
from mssim.pools.pool import Pool
from mssim.results.quantities import check_known
from mssim.rules.base import Strategy
from mssim.rules.strategies import SelfConsistency
from mssim.tuning.choice import Bools, Floats, Ints, Scores, accuracy_noise
from mssim.tuning.fitting import Fitted
from mssim.tuning.spends import AS_ACCURACY, Bounds, bounds_of, spend_noise, spend_replays

__all__ = []

_LADDER = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128)


def within(pool: Pool, strategy: Strategy, budgets: Ints, replacement: bool) -> NDArray[np.bool_]:
    """Return a mask of the budgets at which a strategy needs no more samples than were recorded."""
    enough = [enough_recorded(pool, plan, replacement) for plan in strategy.plans(budgets)]
    return np.asarray(np.all(enough, axis=0))


def ladder(pool: Pool, strategies: Iterable[Strategy], replacement: bool) -> Ints:
    """Return budgets in increasing steps, up to the largest feasible one for each number of models."""
    every = np.arange(1, _LADDER[-1] + 1)
    most: dict[int, int] = {}
    for strategy in strategies:
        last = int(every[within(pool, strategy, every, replacement)].max(initial=0))
        most[len(strategy.models)] = max(last, most.get(len(strategy.models), 0))
    steps = [step for step in _LADDER if step <= max(most.values())]
    return np.unique([*steps, *(last for last in most.values() if last)]).astype(np.int64)


def without_samples(
    pool: Pool, fitted: Mapping[str, list[Fitted]], budgets: Ints, replacement: bool, given: Collection[str]
) -> tuple[dict[str, list[Fitted]], dict[str, str]]:
    """Return the candidates that some budget can pay for, and why the others are left out.

    Candidates that were `given` by name stay, and so do all if nothing else remains, so that `list_versions` raises.
    """
    short = [
        name
        for name, several in fitted.items()
        if name not in given and not _payable(pool, several, budgets, replacement).any()
    ]
    if len(short) == len(fitted):
        return dict(fitted), {}
    kept = {name: several for name, several in fitted.items() if name not in short}
    return kept, dict.fromkeys(short, f"too few samples were recorded for any of the budgets {budgets.tolist()}")


def _payable(pool: Pool, versions: Iterable[Fitted], budgets: Ints, replacement: bool) -> Bools:
    """Return a mask of the budgets for which every version has enough samples."""
    return np.asarray(np.all([within(pool, one.strategy, budgets, replacement) for one in versions], axis=0))


class Group(NamedTuple):
    """Different strategies that are evaluated together at the same budgets."""

    strategies: dict[str, Strategy]
    budgets: Ints


class Versions(NamedTuple):
    """All versions of all candidates, ordered by candidate as given, then by budget.

    A candidate is a strategy, or what is fitted to training questions, at a budget. It has one version for each
    strategy that was fitted; a plain strategy has one.
    """

    names: tuple[str, ...]  # [version], of the candidate
    fitted: tuple[str, ...]  # [version], text of the strategy
    budgets: Ints  # [version]
    candidate: Ints  # [version], number of the candidate
    usable: Bools  # [version, set], whether it was fitted to this set
    single: Bools  # [version], whether it is Self-Consistency without a stopping rule, the control
    groups: list[Group]
    places: Ints  # [version], place among all pairs of a strategy and a budget of the groups, in order


def list_versions(pool: Pool, fitted: Mapping[str, list[Fitted]], budgets: Ints, replacement: bool) -> Versions:
    """List the versions of all candidates at the budgets for which every version has enough samples."""
    masks = {name: _payable(pool, versions, budgets, replacement) for name, versions in fitted.items()}
    _check_some(pool, fitted, masks, budgets, replacement)
    rows = [
        (name, int(b), one)
        for name, versions in fitted.items()
        for b in np.flatnonzero(masks[name])
        for one in versions
    ]
    groups, place_of = _groups([(one.strategy, name if one.plain else None, b) for name, b, one in rows], budgets)
    texts = {id(one): str(one.strategy) for versions in fitted.values() for one in versions}
    pairs = [(name, b) for name, b, _ in rows]
    numbers = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
    return Versions(
        names=tuple(name for name, _, _ in rows),
        fitted=tuple(texts[id(one)] for _, _, one in rows),
        budgets=budgets[[b for _, b, _ in rows]],
        candidate=np.array([numbers[pair] for pair in pairs]),
        usable=np.array([one.usable for _, _, one in rows]),
        single=np.array([one.plain and is_single(one.strategy) for _, _, one in rows]),
        groups=groups,
        places=place_of,
    )


def is_single(strategy: Strategy) -> bool:
    """Return whether a strategy is Self-Consistency without a stopping rule, the control."""
    return isinstance(strategy, SelfConsistency) and strategy.stop is None


def _check_some(
    pool: Pool, fitted: Mapping[str, list[Fitted]], masks: Mapping[str, Bools], budgets: Ints, replacement: bool
) -> None:
    """Raise if a candidate cannot be evaluated at any of the budgets."""
    lacking = next((name for name, mask in masks.items() if not mask.any()), None)
    if lacking is None:
        return
    strategies = [one.strategy for versions in fitted.values() for one in versions]
    lowest = budgets[:1] if budgets.size else np.array([max(len(strategy.models) for strategy in strategies)])
    plans = [plan for strategy in strategies for plan in strategy.plans(lowest)]
    selecting = selecting_asked(pool, asked_of(plans, replacement))
    remedies = ["lower budgets", *([] if replacement else ["replacement=True"]), "other strategies"]
    remedies += [selecting] if selecting else []
    raise BudgetError(
        f"budgets: too few samples were recorded for {lacking} at any of the budgets "
        f"{budgets.tolist() or lowest.tolist()}. Use {', or '.join(remedies)}."
    )


def _groups(rows: list[tuple[Strategy, str | None, int]], budgets: Ints) -> tuple[list[Group], Ints]:
    """Return groups in which every strategy occurs once, and the place of each row among their pairs.

    A row has a strategy, its name if the user named it, and the number of its budget.
    """
    keys: dict[Any, tuple[Strategy, set[int]]] = {}
    names: dict[Any, str] = {}
    key_of = []
    for strategy, name, b in rows:
        key = _key(strategy)
        key_of.append((key, b))
        keys.setdefault(key, (strategy, set()))[1].add(b)
        if name is not None:
            names.setdefault(key, name)
    members: dict[tuple[int, ...], list[Any]] = {}
    for key, (_, needed) in keys.items():
        members.setdefault(tuple(sorted(needed)), []).append(key)
    groups: list[Group] = []
    places: dict[tuple[Any, int], int] = {}
    n_before = 0
    for at, group in members.items():
        called = _different([names.get(key) or str(keys[key][0]) for key in group])
        groups.append(Group({name: keys[key][0] for name, key in zip(called, group, strict=True)}, budgets[list(at)]))
        for i, key in enumerate(group):
            places |= {(key, b): n_before + i * len(at) + j for j, b in enumerate(at)}
        n_before += len(group) * len(at)
    return groups, np.array([places[key] for key in key_of])


def _key(strategy: Strategy) -> Any:
    """Return what equal strategies have in common; strategies that cannot be compared are different."""
    try:
        hash(strategy)
    except TypeError:
        return id(strategy)
    return strategy


def _different(names: list[str]) -> list[str]:
    """Return names that differ, because strategies with different objects can have the same text."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


# Before and after the evaluation --------------------------------------------------------------------------------------


def check_all(pool: Pool, versions: Versions, options: Mapping[str, Any]) -> list[Job]:
    """Return the evaluation of each group; raise what any of them would raise before its first replay."""
    jobs = jobs_of(pool, versions, options)
    for job in jobs:
        job.check(pool)
    return jobs


def jobs_of(pool: Pool, versions: Versions, options: Mapping[str, Any]) -> list[Job]:
    """Return the evaluation of each group."""
    return [read_job(group.strategies, group.budgets, pool=pool, **options) for group in versions.groups]


def bounds_of_versions(jobs: Iterable[Job], versions: Versions, spend: str, pool: Pool) -> tuple[Bounds, Ints]:
    """Return bounds of what each version spends, [version, question], and the replays behind it, 0 if it is exact."""
    found, replays = [], []
    for job in jobs:
        for plans in job.per_strategy:
            found.append(bounds_of(plans, job.budgets, len(pool.questions), spend, job.amounts(pool)))
            replays += [spend_replays(plans, spend, job.method, job.n_replays)] * job.budgets.size
    bounds = Bounds(*(np.concatenate(values)[versions.places] for values in zip(*found, strict=True)))
    return bounds, np.array(replays)[versions.places]


class Evaluated(NamedTuple):
    """Expectations or outcomes of all versions, [version, question], and the replays behind the accuracy."""

    accuracy: Floats
    spends: dict[str, Floats]  # of each quantity
    n_replays: Ints  # [version, question]; 0 if it is exact
    mc_variance: Floats  # [version, question], of the accuracy


def evaluate_versions(
    pool: Pool,
    versions: Versions,
    jobs: Sequence[Job],
    spends: Sequence[str],
    executor: Executor | None,
    progress: Progress | None,
) -> Evaluated:
    """Evaluate every different strategy once; those with the same budgets are evaluated together, as a job."""
    parts, done, total = [], 0, sum(len(group.strategies) * group.budgets.size for group in versions.groups)
    for group, job in zip(versions.groups, jobs, strict=True):
        size = len(group.strategies) * group.budgets.size
        found = evaluate_job(job, pool, executor, part_of(progress, done, size, total))
        done += size
        shape = (size, len(pool.questions))
        budgets = np.broadcast_to(found.budgets[:, None], found.accuracy.shape).astype(float)
        for spend in spends:
            check_known(found, spend, "spend", owner="the pool", prices="use prices=")
        spent = [(budgets if spend == "budget" else getattr(found, spend)).reshape(shape) for spend in spends]
        arrays = (found.n_replays, found.mc_variance, found.accuracy)
        parts.append((*(array.reshape(shape) for array in arrays), *spent))
    together = (np.concatenate(values)[versions.places] for values in zip(*parts, strict=True))
    n_replays, mc_variance, accuracy, *spent = together
    return Evaluated(accuracy, dict(zip(spends, spent, strict=True)), n_replays, mc_variance)


def passes_of(
    pool: Pool,
    versions: Versions,
    jobs: Sequence[Job],
    spends: Sequence[str],
    n_runs: int | None,
    executor: Executor | None,
    progress: Progress | None,
    options: dict[str, Any],
) -> Iterator[Evaluated]:
    """Yield the scores of the versions: first the expectation over draws, then those of each run."""
    total = 1000 * (1 + (n_runs or 0))
    yield evaluate_versions(pool, versions, jobs, spends, executor, part_of(progress, 0, 1000, total))
    # Derived seeds, so that runs with neighbouring seeds do not overlap.
    for run, seed in enumerate(np.random.SeedSequence(options["seed"]).generate_state(n_runs or 0, np.uint64), 1):
        part = part_of(progress, 1000 * run, 1000, total)
        single = {"method": "monte_carlo", "n_replays": 1, "mc_error": None, "seed": int(seed)}
        yield evaluate_versions(pool, versions, jobs_of(pool, versions, options | single), spends, executor, part)


def expected_scores(found: Evaluated, spend: str, bounds: Bounds, spend_replays: Ints) -> Scores:
    """Return expectations with their Monte Carlo variances."""
    return Scores(
        found.accuracy,
        found.spends[spend],
        accuracy_noise(found.mc_variance, found.n_replays),
        spend_noise(
            found.spends[spend],
            bounds,
            np.where(spend_replays[:, None] == AS_ACCURACY, found.n_replays, spend_replays[:, None]),
        ),
    )


def outcomes_of_run(found: Evaluated, spend: str) -> Scores:
    """Return the outcomes of one run, which a study reports: they are no estimates and have no Monte Carlo variance."""
    nothing = np.zeros_like(found.accuracy)
    return Scores(found.accuracy, found.spends[spend], nothing, nothing)


def part_of(progress: Progress | None, before: float, size: float, total: int) -> Progress | None:
    """Return a progress callback for one of several pieces of work."""
    return progress and (lambda done, pieces: progress(int(before + size * done / pieces), total))
