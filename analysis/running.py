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
from analysis import simulated
from analysis.sources import Source, embedded
from mssim._files import whole_file
from mssim._validation import choose_from
from mssim.errors import MssimError, PoolError

__all__ = ["ANALYSES", "Tables", "find", "run"]

ANALYSES = (
    "scaling",
    "equal_budget",
    "number_and_order",
    "weights",
    "reward",
    "consistency",
    "theory",
    "savings",
    "predictions",
    "claims",
)


def find(name: str) -> ModuleType:
    """Return the module of an analysis."""
    if name not in ANALYSES:
        raise MssimError(f"no analysis {name!r}; {choose_from(name, ANALYSES)}")
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
        Called as progress(done, total) as the work proceeds.

    Raises
    ------
    MssimError
        If there is no such analysis, or a source that was named lacks what it needs.
    """
    module = find(name)
    if name == "claims":
        return module.run([source.pool for source in sources or simulated.paper(name)])
    if name == "predictions":
        if sources is not None:
            raise MssimError("predictions are of published numbers, not of a pool; leave --pool out")
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
        raise MssimError(f"{name}: no pool that ships has what it needs; name one with --pool")
    return pd.concat(frames, ignore_index=True)


class Tables:
    """Tables of analyses, kept in a folder under the hash of the source, of the analysis and of the code of both.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, analysis: Callable[..., pd.DataFrame], *sources: Source) -> pd.DataFrame:
        """Return the table of an analysis, `module.run` or another function of a source; made now if it is not kept."""
        about = [(source.name, source.fingerprint, source.models) for source in sources]
        what = f"{analysis.__module__}.{analysis.__qualname__}/{about}/{_code()}"
        kept = self.folder / f"{hashlib.sha256(what.encode()).hexdigest()[:32]}.parquet"
        if kept.is_file():
            try:
                return pd.read_parquet(kept)
            except (OSError, ValueError):
                kept.unlink()  # damaged: made again
        frame = analysis(*sources)
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
