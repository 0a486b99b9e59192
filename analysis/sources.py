"""Sources of recorded or simulated samples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from analysis import published
from mssim import Pool, load_pool
from mssim.errors import PoolError
from mssim.pools.conditions import Where

__all__ = ["Source", "embedded", "named", "ships"]

RECORDED = Path(__file__).parents[1] / "recorded"
PROTOCOLS = "-protocols"  # end of the name of a folder with runs of protocols
FEWEST_SAMPLES = 2


@dataclass(frozen=True)
class Source:
    """A pool with its models in order, and its names in tables and figures.

    Attributes
    ----------
    name : str
        Name in files and rows, e.g. "llm-products" or "simulated-MATH-closed".
    title : str
        Title of panels. Contains "simulated" or "synthetic" if no language model was queried.
    models : tuple of str
        Models of the pool, strongest first, in the order in which ModelSwitch asks them.
    fingerprint : str
        Hash or description of all data that tables depend on.
    make : callable
        Function that returns the pool.
    dataset, pair : str, optional
        Data set of the paper and "closed" or "open", if published numbers can be compared with the source.
    controls : mapping of str to str
        Models that are another setting of a model, such as a lower temperature, with the name of that model. They are
        the last of `models`.
    protocols : Pool, optional
        Runs of protocols of several agents on the same questions, each protocol as one model.
    live : DataFrame, optional
        Live runs of strategies on the same questions: strategy, budget, and the columns of `LiveRun.to_frame`.
    """

    name: str
    title: str
    models: tuple[str, ...]
    fingerprint: str
    make: Callable[[], Pool]
    dataset: str | None = None
    pair: str | None = None
    controls: Mapping[str, str] = field(default_factory=dict)
    protocols: Pool | None = None
    live: pd.DataFrame | None = None

    @cached_property
    def pool(self) -> Pool:
        """Pool of the source; a simulated one is drawn at the first access."""
        return self.make()

    def within(self, budgets: Sequence[int], models: Sequence[str], *, shared: bool = False) -> list[int]:
        """Return the budgets within the recorded samples, spent by each model alone or shared by all."""
        most = self.most(models) * (len(models) if shared else 1)
        return [budget for budget in budgets if budget <= most]

    def most(self, models: Sequence[str]) -> int:
        """Return the number of samples that every question has of each of these models."""
        return int(self.pool.lengths[[self.pool.model_index(model) for model in models]].min())


def named(
    path: str | Path,
    models: Sequence[str] | None = None,
    *,
    where: Where | None = None,
    min_samples: int = FEWEST_SAMPLES,
) -> Source:
    """Return the source of a pool on disk.

    If pool.json names a data set of the paper, as `mssim import modelswitch` writes it, the source is compared with
    published numbers, and models of the paper are renamed to their published names.

    A folder NAME-protocols beside the pool NAME holds runs of protocols on the same questions. A file live.csv in the
    folder of the pool holds live runs of strategies.

    Parameters
    ----------
    path : str or Path
        Pool folder or table, as in `load_pool`.
    models : sequence of str, optional
        Models, strongest first. By default all, by the accuracy of a single sample, with those last that have the
        same weights as a model before them, such as another temperature. For a data set of the paper, models
        of the paper come first, in its order, and models with fewer than `min_samples` samples of every question are
        left out (the large models have one).
    where
        As in `load_pool`.
    min_samples : int, default 2
        Questions with fewer samples of some model are left out.

    Returns
    -------
    Source
        The source.

    Raises
    ------
    PoolError
        If the pool cannot be read, or no question has enough samples.
    """
    pool = load_pool(path, where=where)
    dataset = pool.info.get("dataset")
    if dataset in published.datasets():
        names = dict(zip(pool.models, published.named(pool.models), strict=True))
        pool = replace(pool, models=tuple(names.values()))
        models = _as_in_paper(pool, dataset, min_samples) if models is None else [names.get(m, m) for m in models]
    controls = _controls_of(pool)
    if models is None:
        models = sorted(_strongest_first(pool), key=lambda model: model in controls)
    for model in models:
        pool.model_index(model)
    try:
        pool = pool.select(models=models, min_samples=min_samples)
    except PoolError as error:
        if len(set(models)) < len(models):
            raise PoolError(f"{path}: {error}") from None
        raise PoolError(
            f"{path}: no question has at least {min_samples} samples of each of {', '.join(models)}. Lower "
            "--min-samples, or use --models to name models that answered the same questions."
        ) from None
    title = str(pool.info.get("title") or Path(path).stem)
    if pool.info.get("synthetic") and "synthetic" not in title.lower() and "simulated" not in title.lower():
        title = f"{title} (synthetic)"
    dataset = dataset if dataset in published.paired() else None
    pair = None if dataset is None else published.kind_of_pair(dataset, pool.models[:2])
    protocols = _protocols_of(Path(path))
    live = _live_of(Path(path))
    parts = [pool.fingerprint, *([] if protocols is None else [protocols.fingerprint])]
    fingerprint = "+".join([*parts, *([] if live is None else [_hash_of(live)])])
    controls = {name: of for name, of in controls.items() if name in pool.models}
    return Source(
        Path(path).stem, title, tuple(pool.models), fingerprint, lambda: pool, dataset, pair, controls, protocols, live
    )


def _controls_of(pool: Pool) -> dict[str, str]:
    """Return models that have the same weights as a model before them, by their `model_id` in pool.json."""
    described = pool.info.get("models")
    rows = described.items() if isinstance(described, dict) else ()
    ids = {name: of.get("model_id") for name, of in rows if isinstance(of, dict)}
    first: dict[str, str] = {}
    controls = {}
    for model in pool.models:
        weights = ids.get(model)
        if isinstance(weights, str) and first.setdefault(weights, model) != model:
            controls[model] = first[weights]
    return controls


def _protocols_of(path: Path) -> Pool | None:
    """Return the pool in the folder NAME-protocols beside a pool NAME, if there is one."""
    folder = path.with_name(f"{path.stem}{PROTOCOLS}")
    return load_pool(folder) if (folder / "pool.json").is_file() else None


def _live_of(path: Path) -> pd.DataFrame | None:
    """Return the table live.csv in the folder of a pool, if there is one."""
    file = path / "live.csv"
    if not file.is_file():
        return None
    frame = pd.read_csv(file, dtype={"strategy": str, "question_id": str})
    absent = [name for name in ("strategy", "budget", "question_id", "samples_used") if name not in frame]
    if absent:
        raise PoolError(
            f"{file}: no column {absent[0]!r}. Write the tables of `mssim.live.run` with strategy and budget."
        )
    return frame


def _hash_of(frame: pd.DataFrame) -> str:
    return hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()[:16]


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
    """Return the sources of the pools in recorded/, by name."""
    folders = sorted(folder for folder in RECORDED.iterdir() if ships(folder.name))
    folders = [folder for folder in folders if not folder.name.endswith(PROTOCOLS)]
    return [named(folder) for folder in folders]


def ships(name: str) -> bool:
    """Return whether a pool of this name is in recorded/.

    Examples
    --------
    >>> ships("llm-products"), ships("my-pool")
    (True, False)
    """
    return (RECORDED / name / "pool.json").is_file()
