"""What must be the same wherever part of a result is computed, for its numbers to be the same to the last bit."""

from __future__ import annotations

import hashlib
import platform
import socket
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from mssim._version import __version__
from mssim.errors import MssimError

__all__ = ["DECIDING", "check_versions", "code_hash", "mismatch", "versions"]

# Packages whose code decides the numbers of an evaluation, from the samples of a pool to sums over blocks.
DECIDING = ("engine", "kernels", "pools", "rules")


@lru_cache(maxsize=1)
def versions() -> Mapping[str, str]:
    """Versions of what computes here, and a hash of the code of mssim that decides numbers."""
    import numba
    import numpy as np
    import scipy

    return {
        "mssim": __version__,
        "code of mssim": code_hash(files("mssim"), DECIDING),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "scipy": scipy.__version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
    }


def code_hash(home: Traversable, packages: Iterable[str]) -> str:
    """Return a hash of the names and texts of all modules in some packages of `home`."""
    digest = hashlib.sha256()
    for name, module in sorted(found for package in packages for found in _modules(home / package, package)):
        text = module.read_text(encoding="utf-8")
        digest.update(f"{name} {len(text)} ".encode() + text.encode())
    return digest.hexdigest()[:12]


def _modules(folder: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            yield from _modules(entry, path)
        elif path.endswith(".py"):
            yield path, entry


def mismatch(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Say which versions differ; nothing if none does."""
    return ", ".join(
        f"{name} {there.get(name, 'unknown')}, here {here[name]}" for name in here if there.get(name) != here[name]
    )


def check_versions(expected: Mapping[str, str]) -> None:
    """Refuse to compute a part of what began with other versions elsewhere."""
    differs = mismatch(expected, versions())
    if differs:
        raise MssimError(
            f"the worker on {socket.gethostname()} is not like the process that it works for, which has {differs}; "
            "install the same there: numbers could differ in their last bits"
        )
