"""Run analyses by name, and cache their tables."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import pandas as pd

import mssim
from analysis import simulated
from analysis.sources import Source, embedded
from mssim._files import whole_file
from mssim._validation import choose_from
from mssim.errors import MssimError, PoolError

__all__ = ["ANALYSES", "Tables", "find", "run"]

ANALYSES = (
    "by_cost",
    "scaling",
    "equal_budget",
    "protocols",
    "live",
    "number_and_order",
    "weights",
    "reward",
    "consistency",
    "theory",
    "savings",
    "extrapolation",
    "predictions",
    "claims",
)


def find(name: str) -> ModuleType:
    """Return the module of an analysis; raise if there is no such analysis."""
    if name not in ANALYSES:
        raise MssimError(f"no analysis {name!r}. {choose_from(name, ANALYSES)}.")
    return importlib.import_module(f"analysis.{name}")


def run(
    name: str, sources: Sequence[Source] | None = None, *, progress: Callable[[int, int], None] | None = None
) -> pd.DataFrame:
    """Run an analysis over sources and return its table.

    Parameters
    ----------
    name : str
        Name of the analysis.
    sources : sequence of Source, optional
        Sources to analyse. By default the pools simulated from published numbers and the pools in recorded/, without
        those that do not have the data the analysis requires.
    progress : callable, optional
        Called as progress(done, total) after every source.

    Returns
    -------
    DataFrame
        Tables of all sources, one below the other.

    Raises
    ------
    MssimError
        If there is no such analysis, or a given source does not have the required data.
    """
    module = find(name)
    if name == "claims":
        return module.run([source.pool for source in sources or simulated.paper(name)])
    if name == "predictions":
        if sources is not None:
            raise MssimError("--pool: predictions compares with published numbers and uses no pool. Remove --pool.")
        return module.run(progress=progress)
    frames = []
    asked = [*simulated.paper(name), *embedded()] if sources is None else list(sources)
    for done, source in enumerate(asked, 1):
        try:
            frames.append(module.run(source))
        except PoolError:
            if sources is not None:
                raise
        if progress:
            progress(done, len(asked))
    if not frames:
        raise MssimError(f"{name}: none of the pools in recorded/ has the required data. Name a pool with --pool.")
    return pd.concat(frames, ignore_index=True)


class Tables:
    """Cache of tables; the key is a hash of the analysis, its sources and the code.

    Parameters
    ----------
    folder : Path
        Folder of the cache.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, analysis: Callable[..., pd.DataFrame], *sources: Source) -> pd.DataFrame:
        """Return the table of `module.run` or another function of sources, computing it if it is not cached."""
        about = [(source.name, source.fingerprint, source.models) for source in sources]
        what = f"{analysis.__module__}.{analysis.__qualname__}/{about}/{_code()}"
        kept = self.folder / f"{hashlib.sha256(what.encode()).hexdigest()[:32]}.parquet"
        if kept.is_file():
            try:
                return pd.read_parquet(kept)
            except (OSError, ValueError):
                kept.unlink()  # a damaged table is computed again
        frame = analysis(*sources)
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(kept) as part:
            frame.to_parquet(part, index=False)
        return frame


@cache
def _code() -> str:
    """Return a hash of all code and data that determine tables."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    files = [*Path(mssim.__file__).parent.rglob("*.py"), *here.glob("*.py"), *here.glob("*.json")]
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()
