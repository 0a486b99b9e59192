"""Process that runs math-verify on untrusted texts, with limited memory. The client may kill it.

Each line of input is a JSON request: [text] is parsed, [text, text] is compared. Each line of output is an answer. For
one text, it is whether the text can be parsed, and a number that equal texts share. For two texts, it is whether they
are equal. The answer null means that the time limit was exceeded.
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
_SECONDS = 1  # per step, enforced by math-verify itself, which avoids a restart of this process
_INFINITY = 12345.678
_NEVER_EVALUATED = ("Integral", "Sum", "Product", "Limit", "Derivative", "UnevaluatedExpr")


def serve() -> None:
    """Answer requests until the input ends."""
    _limit_memory()
    from math_verify import parse

    parse("$1$", parsing_timeout=None)  # the first call is slow
    answer, sys.stdout = sys.stdout, sys.stderr  # output of libraries must not mix with answers
    for line in sys.stdin:
        request = json.loads(line)
        answer.write(json.dumps(_read(*request) if len(request) == 1 else _equal(*request)) + "\n")
        answer.flush()


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    except (ImportError, ValueError, OSError):  # not supported by this system; the time limit still applies
        return


class _NoVerdict(Exception):  # noqa: N818
    """The limit of time or memory was exceeded."""


def _limited(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a function. Return None if it raises an exception other than a limit."""
    from math_verify.errors import TimeoutException

    try:
        return function(*arguments, **options)
    except (TimeoutException, MemoryError):
        raise _NoVerdict from None
    except Exception:
        return None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Any:
    """Return the expression that math-verify parses from a text, or None."""
    from math_verify import LatexExtractionConfig, parse

    options = {"parsing_timeout": _SECONDS, "raise_on_error": True}
    found = _limited(parse, f"${text}$", [LatexExtractionConfig()], **options) or []
    return next((one for one in found if not isinstance(one, str)), None)


def _read(text: str) -> list[Any] | None:
    """Return whether a text can be parsed, and its complex value, or None if the time limit is exceeded."""
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
    """Return a number that is the same for all expressions that math-verify considers equal, or None.

    It is the value of an expression in which each variable is replaced by a number derived from its name. For x = 5 it
    is that of 5, and for sets, tuples, intervals and matrices it is the sum over the elements.
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
    """Return a product over the letters of a name, since math-verify parses yes as y * e * s."""
    return math.prod(math.e if c == "e" else 0.5 + crc32(c.encode()) / 2**32 for c in name.lower())


def _equal(a: str, b: str) -> bool | None:
    """Compare in both directions, since verify is not symmetric. Return None if the time limit is exceeded."""
    from math_verify import verify

    options = {"timeout_seconds": _SECONDS, "raise_on_error": True}
    try:
        return any(_limited(verify, _parsed(x), _parsed(y), **options) for x, y in ((a, b), (b, a)))
    except _NoVerdict:
        return None


if __name__ == "__main__":
    serve()
