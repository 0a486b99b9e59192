"""Evaluation of one part of the work, for independent processes or machines."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from numpy.typing import ArrayLike

from mssim._validation import whole_number
from mssim.engine.amounts import PricesLike
from mssim.engine.checkpoint import FilePath
from mssim.engine.evaluate import resolve_job
from mssim.engine.job import Strategies, read_job
from mssim.engine.pilot import allocate
from mssim.engine.resume import run_into
from mssim.engine.scheduler import Progress
from mssim.engine.work import Work
from mssim.errors import MssimError
from mssim.pools.pool import Pool

__all__ = ["evaluate_shard"]


def evaluate_shard(
    pool: Pool,
    strategies: Strategies,
    budgets: ArrayLike | None = None,
    *,
    shard: tuple[int, int],
    checkpoint: FilePath,
    method: str = "auto",
    n_replays: int | None = None,
    mc_error: float | None = None,
    seed: int = 0,
    replacement: bool = False,
    prices: PricesLike | None = None,
    tokens: str = "all",
    parallel: int | None = None,
    quantiles: bool = False,
    shares_draws: Sequence[Sequence[str]] = (),
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> int:
    """Evaluate one part of the work; `merge` combines the parts. No scheduler is needed.

    Parameters
    ----------
    pool, strategies, budgets
        As in `evaluate`, the same for every shard. Every shard repeats the search for cost budgets.
    shard : (int, int)
        Index of this shard, from 1, and number of shards. All shards have similar proportions of fast and slow work.
    checkpoint : path
        File for the results of this shard. The same call resumes with the missing blocks.
    method, n_replays, mc_error, seed, replacement, prices, tokens, parallel, quantiles, shares_draws
        As in `evaluate`. Every shard repeats the pilot.
    executor, progress
        As in `evaluate`. The bias of ``replacement=True`` is not estimated.

    Returns
    -------
    int
        Number of blocks of the shard, all of which are in the file.

    Raises
    ------
    MssimError
        As `evaluate`, or if `shard` is invalid.

    Examples
    --------
    >>> import tempfile
    >>> from mssim import evaluate, load_pool, merge
    >>> pool, folder = load_pool("recorded/llm-products"), tempfile.mkdtemp()
    >>> for i in (1, 2):
    ...     blocks = evaluate_shard(
    ...         pool, ["sc:gemma", "mix:gemma+smol"], [4, 8], shard=(i, 2), checkpoint=f"{folder}/{i}.ckpt"
    ...     )
    >>> merged = merge([f"{folder}/1.ckpt", f"{folder}/2.ckpt"])
    >>> whole = evaluate(pool, ["sc:gemma", "mix:gemma+smol"], [4, 8])
    >>> bool((merged.accuracy == whole.accuracy).all())
    True
    """
    i, n = _read_shard(shard)
    job = read_job(
        strategies,
        budgets,
        method=method,
        n_replays=n_replays,
        mc_error=mc_error,
        seed=seed,
        replacement=replacement,
        prices=prices,
        tokens=tokens,
        parallel=parallel,
        quantiles=quantiles,
        shares_draws=shares_draws,
        pool=pool,
    )
    job = resolve_job(job, pool, executor)
    job.check(pool)
    work = Work(job, pool, allocate(job, pool, executor))
    mine = range(i - 1, len(work.blocks), n)
    run_into(checkpoint, work, mine, shard=(i, n), executor=executor, progress=progress)
    return len(mine)


def _read_shard(shard: Any) -> tuple[int, int]:
    if not isinstance(shard, Sequence) or len(shard) != 2:
        raise MssimError(f"shard={shard!r} is not a pair of integers. Use (1, 8) for the first of eight shards.")
    n = whole_number("shard[1]", shard[1], 1, 10**6)
    return whole_number("shard[0]", shard[0], 1, n), n
