"""Sources of samples: pools on disk, and what a simulated one has to say of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from analysis import published
from mssim import Pool, load_pool
from mssim.errors import PoolError
from mssim.pools.conditions import Where

__all__ = ["Source", "embedded", "named"]

RECORDED = Path(__file__).parents[1] / "recorded"
FEWEST_SAMPLES = 2


@dataclass(frozen=True)
class Source:
    """Samples of models, strongest first, and what to call them.

    Attributes
    ----------
    name : str
        Of files and rows: "tiny-dates", "simulated-MATH-closed".
    title : str
        Of panels; says "simulated" or "synthetic" where no language model was asked.
    models : tuple of str
        Of the pool, in the order in which ModelSwitch asks them.
    fingerprint : str
        Of everything that its tables depend on.
    make : callable
        Returns the pool.
    dataset, pair : str, optional
        Whose published numbers belong beside it: a data set of the paper, and "closed" or "open".
    """

    name: str
    title: str
    models: tuple[str, ...]
    fingerprint: str
    make: Callable[[], Pool]
    dataset: str | None = None
    pair: str | None = None

    @cached_property
    def pool(self) -> Pool:
        """The samples; simulated ones are drawn now."""
        return self.make()

    def within(self, budgets: Sequence[int], models: Sequence[str], *, shared: bool = False) -> list[int]:
        """Budgets that every question has the samples for, spent by each model alone or shared by all."""
        most = self.most(models) * (len(models) if shared else 1)
        return [budget for budget in budgets if budget <= most]

    def most(self, models: Sequence[str]) -> int:
        """How many samples every question has of each of these models."""
        return int(self.pool.lengths[[self.pool.model_index(model) for model in models]].min())


def named(
    path: str | Path,
    models: Sequence[str] | None = None,
    *,
    where: Where | None = None,
    min_samples: int = FEWEST_SAMPLES,
) -> Source:
    """A pool on disk; questions with fewer samples of some model than `min_samples` are left out.

    Where pool.json names a data set of the paper, as `mssim import modelswitch` does, published numbers belong beside
    it, and models that the paper has get the names that they have there.

    Parameters
    ----------
    path : str or Path
        What `load_pool` reads.
    models : sequence of str, optional
        Strongest first; default: all, by the accuracy of a single sample. Of a data set of the paper: those that it
        has first, in its order, and none with fewer samples of every question (its big models have one).
    where
        As in `load_pool`.
    min_samples : int, default 2

    Raises
    ------
    PoolError
        If it cannot be read, or no question has the samples.
    """
    pool = load_pool(path, where=where)
    dataset = pool.info.get("dataset")
    if dataset in published.datasets():
        names = dict(zip(pool.models, published.named(pool.models), strict=True))
        pool = replace(pool, models=tuple(names.values()))
        models = _as_in_paper(pool, dataset, min_samples) if models is None else [names.get(m, m) for m in models]
    if models is None:
        models = _strongest_first(pool)
    for model in models:
        pool.model_index(model)
    try:
        pool = pool.select(models=models, min_samples=min_samples)
    except PoolError as error:
        raise PoolError(
            f"{path}: {error}; ask for fewer samples, or name models that answered the same questions"
        ) from None
    title = str(pool.info.get("title") or Path(path).stem)
    if pool.info.get("synthetic") and "synthetic" not in title.lower() and "simulated" not in title.lower():
        title = f"{title} (synthetic)"
    dataset = dataset if dataset in published.paired() else None
    pair = None if dataset is None else published.kind_of_pair(dataset, pool.models[:2])
    return Source(Path(path).stem, title, tuple(pool.models), pool.fingerprint, lambda: pool, dataset, pair)


def _strongest_first(pool: Pool) -> tuple[str, ...]:
    described = pool.describe()
    return tuple(described["model"].iloc[np.argsort(-described["accuracy"].to_numpy(), kind="stable")])


def _as_in_paper(pool: Pool, dataset: str, min_samples: int) -> tuple[str, ...]:
    models = _strongest_first(pool)
    most = dict(zip(pool.models, pool.lengths.max(axis=1), strict=True))
    models = tuple(model for model in models if most[model] >= min_samples) or models
    first = published.in_order(dataset, models)
    return (*first, *(model for model in models if model not in first))


def embedded() -> list[Source]:
    """The pools that ship with the project."""
    return [named(folder) for folder in sorted(RECORDED.iterdir()) if (folder / "pool.json").is_file()]
