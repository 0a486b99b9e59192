"""How kernels are compiled: without holding the interpreter's lock, and kept in Numba's cache if there is a place."""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["compiled", "compiled_like_numpy", "inlined"]


def _cache_has_a_place():
    """Return whether Numba finds a writable folder: beside the package or in the user's cache directory."""
    try:
        njit(cache=True)(_cache_has_a_place)
    except RuntimeError:  # pragma: no cover (tests/kernels/test_compiling.py sees it in another process)
        return False
    return True


_OPTIONS: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True}  # kernels are not called from C
_CACHE = _cache_has_a_place()

compiled = njit(cache=_CACHE, **_OPTIONS)
compiled_like_numpy = njit(cache=_CACHE, error_model="numpy", **_OPTIONS)  # a division by zero does not raise

# Handing a kernel's arrays to a function takes as long as several draws, so what runs per replay or vote is inlined.
# The kernel itself must call these functions: through one another they cost seven times as much (Numba 0.68).
inlined = njit(forceinline=True, **_OPTIONS)
