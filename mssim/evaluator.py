"""The one door: replay strategies over a pool at many budgets."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim import __version__
from mssim.errors import BudgetError, MssimError, StrategyError, is_number, whole_number
from mssim.evaluation import Evaluation
from mssim.kernels import staged as kernel
from mssim.kernels.streams import hash_names, stream_keys
from mssim.pool import Pool
from mssim.stopping import NEVER
from mssim.strategies import Plan, Strategy, parse_strategy

__all__ = ["evaluate"]

Progress = Callable[[int, int], None]
Strategies = (
    str | Strategy | Sequence[str | Strategy | Mapping[str, Any]] | Mapping[str, str | Strategy | Mapping[str, Any]]
)

_DRAWS_PER_TASK = 10_000_000  # about a tenth of a second: small enough to share out, large enough not to notice
_MOST_DRAWS = 2**15 - 1
_ENTROPY = {"distinct": kernel.ENTROPY_DISTINCT, "samples": kernel.ENTROPY_SAMPLES}
_TIES = {"first": kernel.FIRST, "random": kernel.RANDOM, "wrong": kernel.WRONG}


def evaluate(
    pool: Pool,
    strategies: Strategies,
    budgets: ArrayLike,
    *,
    n_replays: int = 10_000,
    seed: int = 0,
    replacement: bool = False,
    prices: Mapping[str, float] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Replay strategies over recorded samples by Monte Carlo, all budgets in one pass.

    Every replay draws, for each model and question, the recorded samples in a random order that depends on the seed,
    the model, the question and the replay alone; a strategy takes a prefix of it. So all strategies and budgets see the
    same draws, and the result is the same to the last bit for any executor, number of workers and order of work.

    Parameters
    ----------
    pool : Pool
    strategies : strategy, or sequence of them, or mapping of name to strategy
        `Strategy` objects or what `parse_strategy` reads.
    budgets : int or sequence of int
        Samples allowed per question, from 1; sorted, each once.
    n_replays : int, default 10_000
    seed : int, default 0
        From 0 to 2**64 - 1.
    replacement : bool, default False
        Draw independently, as from an infinite pool, instead of without replacement.
    prices : mapping of model to price per sample, optional
        Used for `cost` instead of the recorded costs.
    executor : concurrent.futures.Executor, optional
        Runs the blocks of work; default: one thread per processor.
    progress : callable, optional
        Called as progress(done, total) after every block.

    Returns
    -------
    Evaluation

    Raises
    ------
    BudgetError
        If a budget is not a whole number from 1, or asks for more samples than were recorded.
    StrategyError, PoolError
        If a strategy does not exist or asks a model that the pool lacks.

    Examples
    --------
    >>> import pandas as pd
    >>> from mssim import Pool, evaluate
    >>> pool = Pool.from_frame(pd.DataFrame({
    ...     "question_id": "q", "model": ["a"] * 3 + ["b"] * 3, "sample_index": [0, 1, 2] * 2,
    ...     "answer": ["7", "7", "8", "7", "7", "7"], "truth": "7",
    ... }))
    >>> result = evaluate(pool, ["sc:a", "ms:a+b"], budgets=[2], n_replays=1000)
    >>> result.to_frame()[["strategy", "accuracy", "samples_used"]]
      strategy  accuracy  samples_used
    0     sc:a     0.655           2.0
    1   ms:a+b     0.655           1.0
    """
    named = _named(strategies)
    grid = _budgets(budgets)
    replays = whole_number("n_replays", n_replays, 1, 2**31)
    start = whole_number("seed", seed, 0, 2**64 - 1)
    if not isinstance(replacement, bool | np.bool_):
        raise MssimError(f"replacement={replacement!r}; give True or False")
    plans = [strategy.plan(grid) for strategy in named.values()]
    for name, plan in zip(named, plans, strict=True):
        _check_recorded(pool, name, plan, grid, replacement)
    unit_cost = _unit_cost(pool, plans, prices)
    streams = _Streams(pool, start)
    tasks = [task for i, plan in enumerate(plans) for task in _tasks(i, pool, plan, streams, replays, replacement)]

    shape = (len(plans), grid.size, len(pool.questions))
    hits = np.zeros(shape, np.int64)
    asked = [np.full((len(plan.models), *shape[1:]), replays, np.int64) for plan in plans]
    with nullcontext(executor) if executor else _threads() as workers:
        for done, (task, (right, agreed)) in enumerate(zip(tasks, workers.map(_replay, tasks), strict=True), 1):
            hits[task.strategy, :, task.questions] += right
            asked[task.strategy][1:, :, task.questions] -= np.cumsum(agreed, axis=0)[:-1]
            if progress:
                progress(done, len(tasks))

    drawn = [plan.sizes[:, :, None] * reached for plan, reached in zip(plans, asked, strict=True)]
    costs = [np.where(d > 0, d * unit_cost(plan.models), 0).sum(axis=0) for plan, d in zip(plans, drawn, strict=True)]
    return Evaluation(
        strategies=tuple(named),
        budgets=grid,
        questions=pool.questions.copy(),
        accuracy=hits / replays,
        samples_used=np.stack([d.sum(axis=0) for d in drawn]) / replays,
        cost=np.stack(costs) / replays,
        n_replays=np.full(shape[:2], replays, np.int64),
        provenance={
            "mssim": __version__,
            "numpy": np.__version__,
            "numba": numba.__version__,
            "python": platform.python_version(),
            "seed": start,
            "n_replays": replays,
            "replacement": bool(replacement),
            "prices": dict(prices) if prices is not None else None,
            "strategies": {name: str(strategy) for name, strategy in named.items()},
            "pool": {"fingerprint": pool.fingerprint, "repr": repr(pool), **_citation(pool)},
        },
    )


@contextmanager
def _threads() -> Iterator[Executor]:
    """One thread per processor; what has not begun is dropped when the caller is interrupted."""
    workers = ThreadPoolExecutor(os.cpu_count())
    try:
        yield workers
    finally:
        workers.shutdown(cancel_futures=True)


def _citation(pool: Pool) -> dict[str, Any]:
    return {name: pool.info[name] for name in ("title", "source", "licence", "synthetic") if name in pool.info}


def _named(strategies: Strategies) -> dict[str, Strategy]:
    if isinstance(strategies, str | Strategy):
        strategies = [strategies]
    if isinstance(strategies, Mapping):
        named = {str(name): parse_strategy(given) for name, given in strategies.items()}
        if len(named) < len(strategies):
            raise StrategyError(f"strategies: {list(strategies)} are not different as text; give each another name")
    else:
        parsed = [parse_strategy(given) for given in strategies]
        named = {str(strategy): strategy for strategy in parsed}
        if len(named) < len(parsed):
            raise StrategyError(f"strategies: {[str(s) for s in parsed]} repeats one; give each once")
    if not named:
        raise StrategyError("strategies: none given; e.g. ['sc:gpt-4']")
    return named


def _budgets(budgets: ArrayLike) -> NDArray[np.int64]:
    try:
        given = np.atleast_1d(np.asarray(budgets))
    except ValueError:  # lists of different lengths
        given = np.empty(0)
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu" or given.min() < 1:
        raise BudgetError(f"budgets={budgets!r}; give whole numbers from 1, the samples allowed per question")
    if given.max() > 2**31:
        raise BudgetError(f"budgets: {given.max()} is more than anybody can sample; give at most {2**31}")
    return np.unique(given).astype(np.int64)


def _check_recorded(pool: Pool, name: str, plan: Plan, budgets: NDArray[np.int64], replacement: bool) -> None:
    for model, sizes in zip(plan.models, plan.sizes, strict=True):
        asked = int(sizes.max())
        if asked == 0:
            continue
        budget = int(budgets[np.argmax(sizes)])
        if asked > _MOST_DRAWS:
            raise BudgetError(f"{name}: budget {budget} asks for {asked} samples of one model; at most {_MOST_DRAWS}")
        lengths = pool.lengths[pool.model_index(model)]
        least = 1 if replacement else asked
        if lengths.min() < least:
            question = pool.question_ids[int(lengths.argmin())]
            enough = int((lengths >= least).sum())
            remedies = ["lower the budget"]
            if not replacement and lengths.min() > 0:
                remedies.append("draw with replacement")
            if enough:
                remedies.append(f"select(min_samples={least}), which keeps {enough} of {lengths.size} questions")
            raise BudgetError(
                f"{name}: budget {budget} asks for {asked} samples of model {model!r} for question {question!r}, "
                f"{lengths.min()} are recorded; {', or '.join(remedies)}"
            )


def _unit_cost(
    pool: Pool, plans: Sequence[Plan], prices: Mapping[str, float] | None
) -> Callable[[Sequence[str]], NDArray[np.float64]]:
    """Expected cost of one sample, [model, 1, question].

    A stage draws a number of samples that its own draws do not influence, so its expected cost is that number times
    the mean recorded cost.
    """
    n_questions = len(pool.questions)
    if prices is not None:
        wanted = {model for plan in plans for model in plan.models}
        lacking = sorted(wanted - set(prices))
        if lacking:
            raise MssimError(
                f"prices: no price for model {lacking[0]!r}; give one per sample for each of {sorted(wanted)}"
            )
        for model, price in prices.items():
            if not is_number(price) or not 0 <= price < np.inf:
                raise MssimError(f"prices: {model!r} costs {price!r}; give a number from 0, the price of one sample")
        fixed = dict(prices)
        return lambda models: np.array([np.full((1, n_questions), fixed[model], float) for model in models])
    if "cost" not in pool.numbers:
        return lambda models: np.full((len(models), 1, n_questions), np.nan)
    mean = np.where(pool.recorded, pool.numbers["cost"], 0).sum(axis=2) / np.maximum(pool.lengths, 1)
    return lambda models: mean[[pool.model_index(model) for model in models]][:, None]


class _Streams:
    """Keys of the random streams of a pool's models and questions."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self._questions = hash_names(pool.question_ids)
        self._seed = seed
        self.ties = stream_keys(seed, [""], self._questions)[0]

    def of(self, models: Sequence[str]) -> NDArray[np.uint64]:
        return stream_keys(self._seed, models, self._questions)


@dataclass(frozen=True)
class _Task:
    """One block of questions and replays of one strategy: all that a worker needs."""

    strategy: int
    questions: slice
    recorded: kernel.Recorded
    rules: kernel.Rules
    replays: kernel.Replays


def _rules(plan: Plan) -> kernel.Rules:
    """Write a plan in the numbers of the kernels."""
    if plan.vote is None:
        return kernel.Rules(plan.sizes, plan.need, np.ones(len(plan.models)), kernel.COVERAGE, kernel.FIRST, plan.adopt)
    weights = plan.vote.prior or (1.0,) * len(plan.models)
    prior = np.array(weights, dtype=float) / max(weights)
    kind = kernel.PLAIN if plan.vote.within == "none" else _ENTROPY[plan.vote.normaliser]
    return kernel.Rules(plan.sizes, plan.need, prior, kind, _TIES[plan.vote.ties], plan.adopt)


def _tasks(
    strategy: int, pool: Pool, plan: Plan, streams: _Streams, n_replays: int, replacement: bool
) -> Iterator[_Task]:
    rules = _rules(plan)
    rows = [pool.model_index(model) for model in plan.models]
    keys = streams.of(plan.models)
    draws = int(plan.sizes.max(axis=1).sum()) * n_replays  # per question
    n_questions = len(pool.questions)
    width = max(1, min(n_questions, _DRAWS_PER_TASK // draws))
    pieces = max(1, draws // _DRAWS_PER_TASK)
    edges = np.linspace(0, n_replays, min(pieces, n_replays) + 1).astype(int)
    for q in range(0, n_questions, width):
        block = slice(q, min(q + width, n_questions))
        offsets = pool.class_offsets[block.start : block.stop + 1]
        recorded = kernel.Recorded(
            pool.codes[rows, block],
            pool.lengths[rows, block],
            offsets - offsets[0],
            pool.class_correct[offsets[0] : offsets[-1]].copy(),
            keys[:, block].copy(),
            streams.ties[block].copy(),
        )
        for first, last in pairwise(edges):
            replays = kernel.Replays(int(first), int(last - first), bool(replacement))
            yield _Task(strategy, block, recorded, rules, replays)


def _replay(task: _Task) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return right [budget, question] and agreed [stage, budget, question] of one task."""
    rules = task.rules
    if len(rules.sizes) == 1 and rules.kind != kernel.COVERAGE and (rules.need == NEVER).all():
        hits = kernel.curve(task.recorded, rules.ties, int(rules.sizes.max()), task.replays)
        right = hits[:, rules.sizes[0] - 1].T
        return right, np.zeros((1, *right.shape), np.int64)
    right, agreed = kernel.staged(task.recorded, rules, task.replays)
    return right.T, np.moveaxis(agreed, 0, 2)
