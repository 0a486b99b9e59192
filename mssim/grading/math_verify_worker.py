"""The process that runs math-verify on texts nobody trusts: its memory is limited, and whoever asks may kill it.

One request per line, as JSON: [text] is read, [text, text] are compared. One answer per line: of a text whether it can
be read, and a number that equal texts share; of two texts whether one equals the other. null = not found out in time.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from zlib import crc32

_MEMORY = 2 * 2**30
_SECONDS = 1  # for each step; math-verify interrupts itself, which saves a new start of this process
_INFINITY = 12345.678
_NEVER_EVALUATED = ("Integral", "Sum", "Product", "Limit", "Derivative", "UnevaluatedExpr")


def serve() -> None:
    """Answer requests until there are none."""
    _limit_memory()
    from math_verify import parse

    parse("$1$", parsing_timeout=None)  # the first time takes long
    answer, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    for line in sys.stdin:
        request = json.loads(line)
        answer.write(json.dumps(_read(*request) if len(request) == 1 else _equal(*request)) + "\n")
        answer.flush()


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    except (ImportError, ValueError, OSError):  # not on this system; the time limit still holds
        return


class _NoVerdict(Exception):  # noqa: N818
    """It took too long or too much memory."""


def _limited(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a function; None if it fails by itself."""
    from math_verify.errors import TimeoutException

    try:
        return function(*arguments, **options)
    except (TimeoutException, MemoryError):
        raise _NoVerdict from None
    except Exception:
        return None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Any:
    """What math-verify reads in a text, None where it reads nothing."""
    from math_verify import LatexExtractionConfig, parse

    options = {"parsing_timeout": _SECONDS, "raise_on_error": True}
    found = _limited(parse, f"${text}$", [LatexExtractionConfig()], **options) or []
    return next((one for one in found if not isinstance(one, str)), None)


def _read(text: str) -> list[Any] | None:
    """Whether a text can be read, and the real and imaginary part of its value; None if that takes too long."""
    from math_verify.utils import timeout

    try:
        found = _parsed(text)
    except _NoVerdict:
        return None
    try:
        value = _limited(timeout(timeout_seconds=_SECONDS)(_value), found)
    except _NoVerdict:
        value = None
    return [found is not None, None if value is None else [value.real, value.imag]]


def _value(found: Any) -> complex | None:
    """Return a number that math-verify's equal things have in common, None where there is no such number.

    Of an expression its value with every variable at a number that its name decides, of x = 5 that of 5, of a set,
    tuple, interval or matrix the sum over its elements.
    """
    sympy: Any = importlib.import_module("sympy")
    if isinstance(found, sympy.FiniteSet | sympy.Tuple | sympy.MatrixBase):
        parts = [_value(one) for one in (found if isinstance(found, sympy.MatrixBase) else found.args)]
        return None if None in parts else sum(part for part in parts if part is not None)
    if isinstance(found, sympy.Interval):
        return _value(sympy.Tuple(found.start, found.end))
    if isinstance(found, sympy.Eq) and isinstance(found.lhs, sympy.Symbol) and not found.rhs.free_symbols:
        return _value(found.rhs)
    if not isinstance(found, sympy.Expr) or isinstance(found, sympy.MatrixExpr):
        return None
    if any(type(part).__name__ in _NEVER_EVALUATED for part in sympy.preorder_traversal(found)):
        return None
    point = {symbol: sympy.Float(_point(symbol.name)) for symbol in found.free_symbols}
    value = complex(found.subs({sympy.oo: _INFINITY, **point}).evalf())
    return value if math.isfinite(value.real) and math.isfinite(value.imag) else None


def _point(name: str) -> float:
    """The product over the letters of a name, since math-verify takes yes for y * e * s."""
    return math.prod(math.e if c == "e" else 0.5 + crc32(c.encode()) / 2**32 for c in name.lower())


def _equal(a: str, b: str) -> bool | None:
    """Ask in both directions, since math-verify tells the truth from an answer; None if there is no verdict in time."""
    from math_verify import verify

    options = {"timeout_seconds": _SECONDS, "raise_on_error": True}
    try:
        return any(_limited(verify, _parsed(x), _parsed(y), **options) for x, y in ((a, b), (b, a)))
    except _NoVerdict:
        return None


if __name__ == "__main__":
    serve()
