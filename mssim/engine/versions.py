"""Versions that must be equal in all processes for results to be identical to the last bit."""

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

# Packages whose code determines the numbers of an evaluation.
DECIDING = ("engine", "kernels", "pools", "rules")


@lru_cache(maxsize=1)
def versions() -> Mapping[str, str]:
    """Return versions of libraries and a hash of the code of mssim that determine numbers."""
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
    """Return a hash of the names and texts of all modules in the given packages of `home`."""
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
    """Return a description of differing versions; empty if there are none."""
    return ", ".join(
        f"{name} {there.get(name, 'unknown')} (here {here[name]})" for name in here if there.get(name) != here[name]
    )


def check_versions(expected: Mapping[str, str]) -> None:
    """Raise if the process that started the evaluation has other versions."""
    differs = mismatch(versions(), expected)
    if differs:
        raise MssimError(
            f"executor: the worker on {socket.gethostname()} has other versions, which could change the last bits of "
            f"results: {differs}. Install the same versions there."
        )
