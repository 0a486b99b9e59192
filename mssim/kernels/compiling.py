"""How kernels are compiled: without holding the interpreter's lock, and kept in Numba's cache if there is a place."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core import cgutils
from numba.core.caching import FunctionCache
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array

__all__ = ["KEPT", "compiled", "compiled_like_numpy", "inlined", "unowned"]

_NOT_KEPT = (
    "compiled kernels cannot be kept ({reason}), so every run compiles them again. Set NUMBA_CACHE_DIR to a "
    "folder that is writable."
)


class _Cache(FunctionCache):
    """Cache of a kernel that compiles without a word where its files are damaged or belong to somebody else."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # pragma: no cover (not in plain Python)
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # unpickling what is not a cache raises anything
            return None

    def save_overload(self, sig: Any, data: Any) -> None:  # pragma: no cover (not in plain Python)
        try:
            super().save_overload(sig, data)
        except Exception as error:  # a full disk, or an index that cannot be read
            if _Cache.works:
                _Cache.works = False
                warnings.warn(_NOT_KEPT.format(reason=str(error) or type(error).__name__), stacklevel=2)

    works = True


def _has_a_place() -> bool:
    """Return whether Numba finds a writable folder: beside the package or in the user's cache directory."""
    try:
        _Cache(_has_a_place)
    except (RuntimeError, OSError):  # pragma: no cover (tests/kernels/test_compiling.py sees it in another process)
        return False
    return True


_OPTIONS: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True}  # kernels are not called from C
KEPT = _has_a_place()
if not KEPT:  # pragma: no cover
    warnings.warn(_NOT_KEPT.format(reason="no folder is writable"), stacklevel=2)


def _compiler(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    compiler = njit(**options, **_OPTIONS)

    def compile_and_keep(function: Callable[..., Any]) -> Any:
        kernel = compiler(function)
        # As njit(cache=True) does with the class that _Cache extends. In plain Python, the kernel is the function.
        if KEPT and hasattr(kernel, "py_func"):  # pragma: no cover
            kernel._cache = _Cache(function)
        return kernel

    return compile_and_keep


compiled = _compiler()
compiled_like_numpy = _compiler(error_model="numpy")  # a division by zero does not raise

# Handing a kernel's arrays to a function takes as long as several draws, so what runs per replay or vote is inlined.
# The kernel itself must call these functions: through one another they cost seven times as much (Numba 0.68).
inlined = njit(forceinline=True, **_OPTIONS)


@intrinsic
def _without_owner(_, array):  # pragma: no cover (generates code for the compiler)
    def generate(context, builder, signature, arguments):
        view = make_array(signature.args[0])(context, builder, value=arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        return view._getvalue()

    return array(array), generate


def unowned(array: Any) -> Any:
    """Return an array that does not own its memory, while another array that does is in use.

    Compiled code counts the references to owned memory, which takes as long as a small function.
    """
    return array


@overload(unowned)
def _unowned(array):  # noqa: ARG001  # pragma: no cover (not in plain Python)
    return lambda array: _without_owner(array)  # type: ignore[call-arg]
