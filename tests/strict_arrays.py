"""Kernels in plain Python, for NUMBA_DISABLE_JIT=1, and with STRICT_ARRAYS=1 over arrays that check every index.

NUMBA_BOUNDSCHECK=1 finds indices beyond the end of an array. It finds neither a computed index of -1, which is the last
element, nor memory that is read before it is written. Here every index other than a literal -1 must be from 0 to below
the length, and `empty` arrays are filled with numbers that are huge, or hugely negative, in turn.
"""

import functools
import importlib
import itertools
import linecache
import pkgutil
import re
import sys
from inspect import signature
from types import FunctionType

import numpy as np

from mssim import kernels

_FIRST = ("recorded", "counts")  # parameters of kernels that other packages call
_JUNK = itertools.cycle([0x6E, 0xEE])  # as bytes of any type: huge, hugely negative or, unsigned, huge again
_LITERAL = re.compile(r"(\[|:|, )-1\b")  # x[-1], x[:-1], x[0, -1]


class StrictArray(np.ndarray):
    """An array whose elements have one index each."""

    def __getitem__(self, key):
        if not _counts_from_the_first(key):
            _check(self.shape, key)
        return _get(self, key)

    def __setitem__(self, key, value):
        if _counts_from_the_first(key):
            _set(self, key, value)
        else:
            _check(self.shape, key)
            self.view(np.ndarray)[key] = value


_get, _set = np.ndarray.__getitem__, np.ndarray.__setitem__
_NUMBERS = frozenset((int, np.int16, np.int32, np.int64, np.uint64))  # types of nearly all indices


def _counts_from_the_first(key):
    """Whether an index is of numbers from 0 alone, of which NumPy itself refuses those that are too large."""
    if type(key) in _NUMBERS:
        return key >= 0
    if type(key) is not tuple:
        return False
    return all(type(part) in _NUMBERS and part >= 0 for part in key)


def _check(shape, key):
    for part, size in zip(key if isinstance(key, tuple) else (key,), shape, strict=False):
        if isinstance(part, slice):
            wrong = [end for end in (part.start, part.stop) if end is not None and end < 0]
            wrong += [part.start] if (part.start or 0) > size else []
        elif isinstance(part, np.ndarray):
            wrong = [] if part.dtype == np.bool_ else part[(part < 0) | (part >= size)].tolist()
        else:
            wrong = [] if 0 <= part < size else [part]
        if wrong and not (wrong == [-1] and _has_literal(sys._getframe(2))):
            raise IndexError(f"index {part} of an array of shape {shape}")


def _has_literal(frame):
    return _LITERAL.search(linecache.getline(frame.f_code.co_filename, frame.f_lineno)) is not None


class _StrictNumpy:
    """NumPy for the kernels: what it makes is strict."""

    def __getattr__(self, name):
        return getattr(np, name)


def _maker(name):
    def make(*args, **options):
        array = getattr(np, name)(*args, **options)
        if name.startswith("empty"):
            array.reshape(-1).view(np.uint8)[:] = next(_JUNK)
        return strict(array)

    return staticmethod(make)


for _name in ("arange", "empty", "empty_like", "full", "ones", "zeros", "zeros_like"):
    setattr(_StrictNumpy, _name, _maker(_name))


def strict(value):
    """The same value, with strict arrays for arrays, also within named tuples."""
    if isinstance(value, np.ndarray):
        return value.view(StrictArray)
    return type(value)(*map(strict, value)) if hasattr(value, "_fields") else value


def _as_compiled(kernel, convert):
    @functools.wraps(kernel)
    def run(*args):
        with np.errstate(all="ignore"):  # as compiled; random words wrap around
            found = kernel(*map(convert, args))
        if hasattr(found, "_fields"):
            return type(found)(*map(np.asarray, found))
        return tuple(map(np.asarray, found)) if isinstance(found, tuple) else np.asarray(found)

    return run


def install(check):
    """Let plain kernels compute as compiled ones do, and over strict arrays, which takes four times as long."""
    np.seterr(over="ignore")  # in this thread
    for info in pkgutil.iter_modules(kernels.__path__):
        module = importlib.import_module(f"mssim.kernels.{info.name}")
        if check:
            module.np = _StrictNumpy()
        for name, kernel in list(vars(module).items()):
            own = isinstance(kernel, FunctionType) and kernel.__module__ == module.__name__
            if own and not name.startswith("_") and next(iter(signature(kernel).parameters), "") in _FIRST:
                _replace(kernel, _as_compiled(kernel, strict if check else lambda value: value))


def _replace(old, new):
    """Put one function in the place of another wherever the library has imported it."""
    for name, module in list(sys.modules.items()):
        if name.startswith("mssim"):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)
                elif isinstance(value, dict):  # such as the kernels of stop rules, by the type of their table
                    value.update({key: new for key, entry in value.items() if entry is old})
