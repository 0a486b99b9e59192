"""Running analyses: by name, over sources, with tables kept under the hash of all that they depend on."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import pandas as pd

import mssim
from analysis.sources import Source, embedded
from mssim.errors import MssimError, PoolError, choose_from
from mssim.files import whole_file

__all__ = ["ANALYSES", "PUBLISHED", "Tables", "find", "run"]

# Analyses of any source, and those of published numbers alone.
ANALYSES = (
    "scaling",
    "equal_budget",
    "number_and_order",
    "weights",
    "reward",
    "consistency",
    "theory",
    "savings",
)
PUBLISHED = ("predictions", "claims")


def find(name: str) -> ModuleType:
    """Return the module of an analysis."""
    known = (*ANALYSES, *PUBLISHED)
    if name not in known:
        raise MssimError(f"no analysis {name!r}; {choose_from(name, known)}")
    return importlib.import_module(f"analysis.{name}")


def run(
    name: str, sources: Sequence[Source] | None = None, *, progress: Callable[[int, int], None] | None = None
) -> pd.DataFrame:
    """Run an analysis over sources, one after the other.

    Parameters
    ----------
    name : str
    sources : sequence of Source, optional
        Default: those simulated from published numbers and the pools that ship, leaving out what lacks what the
        analysis needs.
    progress : callable, optional
        Called as progress(done, total) after every source.

    Raises
    ------
    MssimError
        If there is no such analysis, or a source that was named lacks what it needs.
    """
    module = find(name)
    if name in PUBLISHED:
        if sources is not None:
            raise MssimError(f"{name} is about published numbers, not about a pool; leave --pool out")
        return module.run()
    from analysis.simulated import paper

    frames = []
    asked = [*paper(), *embedded()] if sources is None else sources
    for done, source in enumerate(asked, 1):
        try:
            frames.append(module.run(source))
        except PoolError:
            if sources is not None:
                raise
        if progress:
            progress(done, len(asked))
    return pd.concat(frames, ignore_index=True)


class Tables:
    """Tables of analyses, kept in a folder under the hash of the source, of the analysis and of the code of both.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, analysis: Callable[[Source], pd.DataFrame], source: Source) -> pd.DataFrame:
        """Return the table of an analysis, `module.run` or another function of a source; made now if it is not kept."""
        what = f"{analysis.__module__}.{analysis.__qualname__}/{source.fingerprint}/{source.models}/{_code()}"
        kept = self.folder / f"{hashlib.sha256(what.encode()).hexdigest()[:32]}.parquet"
        if kept.is_file():
            try:
                return pd.read_parquet(kept)
            except (OSError, ValueError):
                kept.unlink()  # damaged: made again
        frame = analysis(source)
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(kept) as part:
            frame.to_parquet(part, index=False)
        return frame


@cache
def _code() -> str:
    """Hash of everything that computes tables."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    files = [*Path(mssim.__file__).parent.rglob("*.py"), *here.glob("*.py"), *here.glob("*.json")]
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()
