"""Process that runs math-verify on untrusted texts, with limited memory. The client may kill it.

Each line of input is a JSON request: [text] is parsed, [text, text] is compared. Each line of output is an answer. For
one text, it is whether the text can be parsed, a number that equal texts share, and whether the text is a number. For
two texts, it is whether they are equal. The answer null means that the time limit was exceeded.
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
RELATIVE_TOLERANCE = 1e-6  # of numbers of which one is a decimal approximation
_NOISE = 1e-40
_DIGITS = 50  # of the comparison of exact numbers, such as roots
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
    plain = found is not None and _number(found) is found
    return [found is not None, None if value is None else [value.real, value.imag], plain]


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
    """Return the value of a number, or else a product over letters, since math-verify parses yes as y * e * s."""
    if name.isdecimal():
        return float(name)
    return math.prod(math.e if c == "e" else 0.5 + crc32(c.encode()) / 2**32 for c in name.lower())


def _equal(a: str, b: str) -> bool | None:
    """Compare in both directions, since verify is not symmetric. Return None if the time limit is exceeded."""
    from math_verify import verify
    from math_verify.utils import timeout

    options = {"timeout_seconds": _SECONDS, "raise_on_error": True}
    try:
        if "%" not in a + b:  # 50% may stand for 0.5 and for 50
            known = _limited(timeout(timeout_seconds=_SECONDS)(_same_numbers), _parsed(a), _parsed(b))
            if known is not None:
                return bool(known)
        return any(_limited(verify, _parsed(x), _parsed(y), **options) for x, y in ((a, b), (b, a)))
    except _NoVerdict:
        return None


def _same_numbers(a: Any, b: Any) -> bool | None:
    """Compare numbers, or the elements of sets, tuples and intervals. Return None if math-verify must decide.

    math-verify rounds to six decimals, so that it considers all small numbers equal.
    """
    if _number(a) is a and _number(b) is b:
        return _close(a, b)
    first, second = _elements(a), _elements(b)
    if first is None or second is None or len(first) != len(second):
        return None
    return None if all(map(_close, first, second)) else False


def _number(found: Any) -> Any:
    """Return a number, that of x = 5 for an equation, or None."""
    sympy: Any = importlib.import_module("sympy")
    if isinstance(found, sympy.Eq) and isinstance(found.lhs, sympy.Symbol):
        found = found.rhs
    if not isinstance(found, sympy.Expr) or not found.is_number or found.has(sympy.oo, sympy.zoo, sympy.nan):
        return None
    unevaluated = any(type(part).__name__ in _NEVER_EVALUATED for part in sympy.preorder_traversal(found))
    return None if unevaluated else found


def _elements(found: Any) -> list[Any] | None:
    """Return the numbers of a set, tuple or interval from small to large, or None if they are not all real numbers."""
    sympy: Any = importlib.import_module("sympy")
    parts = [found.start, found.end] if isinstance(found, sympy.Interval) else [found]
    if isinstance(found, sympy.FiniteSet | sympy.Tuple):
        parts = list(found.args)
    numbers = [_number(part) for part in parts]
    if any(number is None or not number.is_real for number in numbers):
        return None
    return sorted(numbers, key=lambda number: float(number.evalf()))


def _close(a: Any, b: Any) -> bool:
    """Compare two numbers, exactly unless one is a decimal approximation."""
    sympy: Any = importlib.import_module("sympy")
    if a.is_Rational and b.is_Rational:
        return bool(a == b)
    x, y = a.evalf(_DIGITS), b.evalf(_DIGITS)
    if min(abs(x), abs(y)) < _NOISE:  # a zero may have rounding errors
        return bool(a.equals(b))
    tolerance = RELATIVE_TOLERANCE if a.has(sympy.Float) or b.has(sympy.Float) else 10.0 ** (10 - _DIGITS)
    return bool(abs(x - y) <= tolerance * max(abs(x), abs(y)))


if __name__ == "__main__":
    serve()
