"""The one door: evaluate strategies over a pool at many budgets, in closed form or by Monte Carlo."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim import __version__
from mssim.checks import check_column, check_own, check_recorded
from mssim.errors import BudgetError, MssimError, StrategyError, choose_from, is_number, whole_number
from mssim.evaluation import Evaluation
from mssim.exact import ExactTask, exact_tasks, obstacles
from mssim.plans import Expected, Outcome, Plan
from mssim.pool import Pool
from mssim.replay import ReplayTask, Streams, replay_tasks
from mssim.strategies import Strategy, parse_strategy

__all__ = ["evaluate"]

Progress = Callable[[int, int], None]
Strategies = (
    str | Strategy | Sequence[str | Strategy | Mapping[str, Any]] | Mapping[str, str | Strategy | Mapping[str, Any]]
)

_METHODS = ("auto", "exact", "monte_carlo")


def evaluate(
    pool: Pool,
    strategies: Strategies,
    budgets: ArrayLike,
    *,
    method: str = "auto",
    n_replays: int = 10_000,
    seed: int = 0,
    replacement: bool = False,
    prices: Mapping[str, float] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Say how right strategies are, and what they use, at every budget: exactly where a closed form is known.

    Elsewhere strategies are replayed, all budgets in one pass. Every replay draws, for each model and question, the
    recorded samples in a random order that depends on the seed, the model, the question and the replay alone; a
    strategy takes a prefix of it. So all strategies and budgets see the same draws. Either way the result is the same
    to the last bit for any executor, number of workers and order of work.

    Parameters
    ----------
    pool : Pool
    strategies : strategy, or sequence of them, or mapping of name to strategy
        `Strategy` objects or what `parse_strategy` reads.
    budgets : int or sequence of int
        Samples allowed per question, from 1; sorted, each once.
    method : {"auto", "exact", "monte_carlo"}, default "auto"
        "exact": closed forms, whatever time they take; where accuracy has none, an error says why. "auto": closed forms
        that are about as quick as replays or quicker, else Monte Carlo; the column `method` of the result says which.
        Samples used, agreement and their cost are then exact even where accuracy is not. "monte_carlo": replays only.

        Accuracy has a closed form for Self-Consistency (to 1024 samples; with windows to 16 of them and 256 samples)
        and routers over it, for Coverage, and for ModelSwitch, Cascade and Mixture under a plurality vote, with or
        without prior weights, while the numbers of draws that the models can share are few: 350 with "auto" (17 draws
        each of two models, 6 of three), 2500 with "exact" (49, 12).
    n_replays : int, default 10_000
        Of Monte Carlo.
    seed : int, default 0
        Of Monte Carlo, from 0 to 2**64 - 1.
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
        If a strategy does not exist, asks a model or needs a column that the pool lacks or, with "exact", has no closed
        form.

    Notes
    -----
    The cost of a strategy is its expected number of samples of each model times the mean cost of one. With windows this
    holds for replacement=True (Wald's identity); without, a recorded cost that goes with the answer shifts it slightly.

    Examples
    --------
    >>> import pandas as pd
    >>> from mssim import Pool, evaluate
    >>> pool = Pool.from_frame(pd.DataFrame({
    ...     "question_id": "q", "model": ["a"] * 3 + ["b"] * 3, "sample_index": [0, 1, 2] * 2,
    ...     "answer": ["7", "7", "8", "7", "7", "7"], "truth": "7",
    ... }))
    >>> result = evaluate(pool, ["sc:a", "ms:a+b"], budgets=[2])
    >>> result.to_frame()[["strategy", "accuracy", "samples_used", "method"]].round(4)
      strategy  accuracy  samples_used method
    0     sc:a    0.6667           2.0  exact
    1   ms:a+b    0.6667           1.0  exact
    """
    named = name_strategies(strategies)
    grid = read_budgets(budgets)
    if method not in _METHODS:
        raise MssimError(f"method={method!r}; {choose_from(str(method), _METHODS)}")
    replays = whole_number("n_replays", n_replays, 1, 2**31)
    start = whole_number("seed", seed, 0, 2**64 - 1)
    if not isinstance(replacement, bool | np.bool_):
        raise MssimError(f"replacement={replacement!r}; give True or False")
    replacement = bool(replacement)
    per_strategy = [strategy.plans(grid) for strategy in named.values()]
    plans = [plan for group in per_strategy for plan in group]
    names = [name for name, group in zip(named, per_strategy, strict=True) for _ in group]
    for name, plan in zip(names, plans, strict=True):
        check_recorded(pool, name, plan, grid, replacement)
        check_column(pool, name, plan)
        check_own(name, plan)
    unit_cost = _unit_cost(pool, plans, prices)
    closed = [_closed(name, plan, grid, method) for name, plan in zip(names, plans, strict=True)]

    tasks: list[ExactTask | ReplayTask] = []
    streams = Streams(pool, start)
    for i, plan in enumerate(plans):
        if method != "monte_carlo":
            tasks += exact_tasks(i, pool, plan, closed[i], replacement=replacement)
        still = np.nonzero(~closed[i])[0]
        if still.size:
            tasks += replay_tasks(i, pool, plan, still, streams, n_replays=replays, replacement=replacement)
    with nullcontext(executor) if executor else _threads() as workers:
        outcomes = _collect(plans, len(pool.questions), tasks, workers, replays, progress)

    parts = [_expected(outcome, unit_cost(plan.models)) for plan, outcome in zip(plans, outcomes, strict=True)]
    results, all_closed = [], []
    for strategy, group in zip(named.values(), per_strategy, strict=True):
        results.append(strategy.combine([parts.pop(0) for _ in group]))
        all_closed.append(np.logical_and.reduce([closed.pop(0) for _ in group]))
    return Evaluation(
        strategies=tuple(named),
        budgets=grid,
        questions=pool.questions.copy(),
        **{name: np.stack([getattr(result, name) for result in results]) for name in Expected._fields},
        n_replays=np.where(all_closed, 0, replays),
        provenance=_provenance(pool, named, method, start, replays, replacement, prices),
    )


def _expected(outcome: Outcome, unit_cost: NDArray[np.float64]) -> Expected:
    costs = np.where(outcome.drawn > 0, outcome.drawn * unit_cost, 0).sum(axis=0)
    return Expected(outcome.right, outcome.drawn.sum(axis=0), outcome.agreed, costs)


def _closed(name: str, plan: Plan, budgets: NDArray[np.int64], method: str) -> NDArray[np.bool_]:
    """At which budgets accuracy is computed in closed form."""
    if method == "monte_carlo":
        return np.zeros(budgets.size, dtype=bool)
    reasons = obstacles(plan, quick=method == "auto")
    if method == "exact":
        for budget, reason in zip(budgets, reasons, strict=True):
            if reason is not None:
                raise StrategyError(
                    f"{name}: budget {budget} has no closed form within reach: {reason}; "
                    "use method='auto' or 'monte_carlo'"
                )
    return np.array([reason is None for reason in reasons])


def _run(task: ExactTask | ReplayTask) -> Outcome:
    return task.run()


def _collect(
    plans: Sequence[Plan],
    n_questions: int,
    tasks: Sequence[ExactTask | ReplayTask],
    workers: Executor,
    n_replays: int,
    progress: Progress | None,
) -> list[Outcome]:
    """Do all tasks and put their results together, per strategy: exact where that is known, else means of replays."""
    shapes = [(plan.sizes.shape[1], n_questions) for plan in plans]
    exact, replayed = (
        [
            Outcome(np.full(shape, fill), np.full((len(plan.models), *shape), fill), np.full(shape, fill))
            for plan, shape in zip(plans, shapes, strict=True)
        ]
        for fill in (np.nan, 0.0)
    )
    for done, (task, outcome) in enumerate(zip(tasks, workers.map(_run, tasks), strict=True), 1):
        if isinstance(task, ExactTask):
            for whole, part in zip(exact[task.number], outcome, strict=True):
                whole[..., task.questions] = part
        else:
            for whole, part in zip(replayed[task.number], outcome, strict=True):
                whole[..., task.budgets, task.questions] += part
        if progress:
            progress(done, len(tasks))
    return [
        Outcome(*(np.where(np.isnan(known), sums / n_replays, known) for known, sums in zip(*pair, strict=True)))
        for pair in zip(exact, replayed, strict=True)
    ]


@contextmanager
def _threads() -> Iterator[Executor]:
    """One thread per processor; what has not begun is dropped when the caller is interrupted."""
    workers = ThreadPoolExecutor(os.cpu_count())
    try:
        yield workers
    finally:
        workers.shutdown(cancel_futures=True)


def _provenance(
    pool: Pool,
    named: Mapping[str, Strategy],
    method: str,
    seed: int,
    n_replays: int,
    replacement: bool,
    prices: Mapping[str, float] | None,
) -> dict[str, Any]:
    """What it takes to get the same numbers again."""
    cited = {name: pool.info[name] for name in ("title", "source", "licence", "synthetic") if name in pool.info}
    return {
        "mssim": __version__,
        "numpy": np.__version__,
        "numba": numba.__version__,
        "python": platform.python_version(),
        "method": method,
        "seed": seed,
        "n_replays": n_replays,
        "replacement": replacement,
        "prices": dict(prices) if prices is not None else None,
        "strategies": {name: str(strategy) for name, strategy in named.items()},
        "pool": {"fingerprint": pool.fingerprint, "repr": repr(pool), **cited},
    }


def name_strategies(strategies: Strategies) -> dict[str, Strategy]:
    """Read strategies, by the names they have in results."""
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


def read_budgets(budgets: ArrayLike) -> NDArray[np.int64]:
    """Read budgets: whole numbers, sorted, each once."""
    try:
        given = np.atleast_1d(np.asarray(budgets))
    except ValueError:  # lists of different lengths
        given = np.empty(0)
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu" or given.min() < 1:
        raise BudgetError(f"budgets={budgets!r}; give whole numbers from 1, the samples allowed per question")
    if given.max() > 2**31:
        raise BudgetError(f"budgets: {given.max()} is more than anybody can sample; give at most {2**31}")
    return np.unique(given).astype(np.int64)


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
