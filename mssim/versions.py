"""What must be the same wherever part of a result is computed, for its numbers to be the same to the last bit."""

from __future__ import annotations

import hashlib
import platform
import socket
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from mssim import __version__
from mssim.errors import MssimError

__all__ = ["check_versions", "mismatch", "versions"]

_DECIDING = ("blocks", "exact", "job", "plans", "replay", "specs", "stopping", "strategies", "voting")


@lru_cache(maxsize=1)
def versions() -> Mapping[str, str]:
    """Versions of what computes here, and a hash of the code of mssim that decides numbers."""
    import numba
    import numpy as np
    import scipy

    return {
        "mssim": __version__,
        "code of mssim": _code(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "scipy": scipy.__version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": platform.machine(),
    }


def _code() -> str:
    home = files("mssim")
    modules = [home / f"{name}.py" for name in _DECIDING]
    modules += sorted((m for m in (home / "kernels").iterdir() if m.name.endswith(".py")), key=lambda m: m.name)
    digest = hashlib.sha256()
    for module in modules:
        digest.update(module.name.encode() + module.read_text(encoding="utf-8").encode())
    return digest.hexdigest()[:12]


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
