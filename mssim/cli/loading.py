"""Loading of the pool of a command: the questions it asks for, and warnings about the models that take part."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mssim._validation import counted, printable, whole_number
from mssim.cli.language import as_options
from mssim.errors import PoolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from mssim.pools.conditions import Where
    from mssim.pools.pool import Pool

__all__ = ["load", "models_of"]


def load(
    path: str,
    where: Where | None = None,
    *,
    min_samples: int = 0,
    models: Callable[[Pool], Sequence[str]] | None = None,
) -> Pool:
    """Load a pool, keep questions with enough samples, and print warnings about the samples that remain.

    Parameters
    ----------
    path : str
        Pool folder or table.
    where : optional
        Conditions that rows must satisfy, as in `load_pool`.
    min_samples : int, default 0
        Samples that every model that takes part must have of a question.
    models : callable (pool), optional
        Returns the models that take part, by default all. Samples of the others neither remove questions nor cause
        warnings, but stay in the pool.
    """
    from mssim.pools.loading import messages_of, read_pool

    pool = read_pool(path, where=where)
    names = pool.models if models is None else list(dict.fromkeys(models(pool)))
    pool = _with_enough(pool, names, whole_number("min_samples", min_samples, 0, 2**31))
    part = pool if len(names) == len(pool.models) else pool.select(models=names)
    for message in messages_of(part):
        print(f"mssim: warning: {printable(as_options(message))}", file=sys.stderr)
    return pool


def models_of(*given: Any) -> Callable[[Pool], Sequence[str]]:
    """Return a function of a pool that returns the models of strategies, or of several groups of them."""

    def models(pool: Pool) -> Sequence[str]:
        from mssim.engine.budgets import read_asked

        named = [asked.strategy for one in given for asked in read_asked(one, pool).values()]
        return [model for strategy in named for model in strategy.models]

    return models


def _with_enough(pool: Pool, models: Sequence[str], least: int) -> Pool:
    """Select the questions of which every model has enough samples."""
    fewest = pool.lengths[[pool.model_index(model) for model in models]].min(axis=0)
    most = int(fewest.max())
    if most < least:
        remedy = f"Use at most {most}" if most else "Use models with samples of the same questions"
        raise PoolError(
            f"min_samples={least} leaves no questions: none has more than {counted(most, 'sample')} of "
            f"{'each of ' if len(models) > 1 else ''}{', '.join(map(repr, models))}. {remedy}."
        )
    enough = fewest >= least
    return pool if enough.all() else pool.select(questions=pool.questions["question_id"][enough])
