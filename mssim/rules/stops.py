"""When a strategy stops asking."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mssim._validation import choose_from, is_number, whole_number
from mssim.errors import MssimError, StrategyError

__all__ = [
    "BetaStop",
    "EValueStop",
    "EntropyStop",
    "MajorityStop",
    "OwnStop",
    "Stop",
    "WindowStop",
    "check_threshold",
    "parse_stop",
    "votes_to_agree",
]

NEVER = np.iinfo(np.int64).max
FORCED = -1  # a stage that needs these votes always stops, without having agreed

# Within one model -----------------------------------------------------------------------------------------------------


class StopTable(NamedTuple):
    """Stop decisions as the kernels read them.

    A model stops after n draws when its leading answer has v1 votes, the next v2, and v1 >= by_second[v2] and
    v1 >= by_draws[n], and the entropy of its draws is at most `entropy` times its maximum; or after a whole window of
    draws that all agree.
    """

    by_second: NDArray[np.int64]  # [votes of the second answer]
    by_draws: NDArray[np.int64]  # [draws]
    entropy: float = math.inf  # infinite: not looked at
    window: int = 0  # 0: not looked at; else the arrays are not


class Stop(ABC):
    """Base of the rules that stop within one model, looking at its draws so far after each of them."""

    @abstractmethod
    def table(self, depth: int) -> StopTable:
        """Return the decisions for up to `depth` draws."""

    def __str__(self) -> str:
        values = [getattr(self, f.name) for f in fields(self)]  # type: ignore[arg-type]
        defaults = [f.default for f in fields(self)]  # type: ignore[arg-type]
        while len(values) > 1 and values[-1] == defaults[len(values) - 1]:
            values.pop()  # what is not said is the default
        return ":".join([_name_of(self), "/".join(str(value) for value in values)])


@dataclass(frozen=True)
class WindowStop(Stop):
    """Draw window by window and stop at the first whose draws all agree: its answer is adopted (ESC, arXiv 2401.10480).

    A draw without an answer agrees with nothing. What is left of the budget after the last whole window is drawn too,
    but stops nothing.

    Parameters
    ----------
    window : int
        Draws of a window, from 1; the authors use 5.

    Examples
    --------
    >>> str(WindowStop(5))
    'window:5'
    """

    window: int

    def __post_init__(self) -> None:
        _set_whole(self, "window", 1)

    def table(self, depth: int) -> StopTable:
        """Return the window."""
        return StopTable(np.zeros(1, np.int64), np.zeros(1, np.int64), window=min(self.window, depth + 1))


@dataclass(frozen=True)
class BetaStop(Stop):
    """Stop when the leader is ahead of the next answer with enough posterior certainty (Adaptive-Consistency).

    With v1 and v2 the votes of the two leading answers and theta ~ Beta(v1 + 1, v2 + 1) the share of the first among
    the two, stop when P[theta > 1/2] = 1 - I_{1/2}(v1 + 1, v2 + 1) reaches the threshold (arXiv 2305.11860).

    Parameters
    ----------
    threshold : float, default 0.95
        Above 1/2 and below 1; the authors use 0.95, which stops after four equal answers.

    Examples
    --------
    >>> str(BetaStop())
    'beta:0.95'
    >>> BetaStop().table(12).by_second.tolist()  # votes that stop against 0, 1, 2, ... of the next answer
    [4, 6, 8, 9, 11, 12, 13]
    """

    threshold: float = 0.95

    def __post_init__(self) -> None:
        _check_number(self, "threshold", 0.5, 1, "a certainty between 0.5 and 1, e.g. 0.95")

    def table(self, depth: int) -> StopTable:
        """Return the votes that stop against every number of votes of the next answer."""
        return StopTable(_votes_against(_leads, self.threshold, depth).copy(), np.zeros(depth + 1, np.int64))


@dataclass(frozen=True)
class EValueStop(Stop):
    """Stop when a test of "the leader is no likelier than the next answer" rejects, however often one has looked.

    The e-value of the leader's v1 votes against the next answer's v2 is that of a fair coin against a uniform mixture
    of coins that favour the leader, E = 2^(v1 + v2 + 1) B(v1 + 1, v2 + 1) (1 - I_{1/2}(v1 + 1, v2 + 1)), a test
    martingale; stop when E >= 1 / alpha. By Ville's inequality the chance that this ever happens to an answer named
    beforehand that is not the likeliest is at most alpha, whichever competitor is ahead (an intersection-union test,
    arXiv 2605.05873); so with K possible answers the leader is wrongly taken for the likeliest with a chance of at most
    (K - 1) alpha, K - 1 = 1 where two answers compete. Draws are taken to be independent (``replacement=True``). That
    an answer is the likeliest does not make it right.

    Parameters
    ----------
    alpha : float, default 0.05
        Between 0 and 1; 0.05 stops after seven equal answers.

    Examples
    --------
    >>> str(EValueStop(0.1))
    'evalue:0.1'
    >>> EValueStop().table(12).by_second.tolist()
    [7, 10, 12, 13, 13, 13, 13]
    """

    alpha: float = 0.05

    def __post_init__(self) -> None:
        _check_number(self, "alpha", 0, 1, "an error rate between 0 and 1, e.g. 0.05")

    def table(self, depth: int) -> StopTable:
        """Return the votes that stop against every number of votes of the next answer."""
        return StopTable(
            _votes_against(_log_e_value, -math.log(self.alpha), depth).copy(), np.zeros(depth + 1, np.int64)
        )


@dataclass(frozen=True)
class MajorityStop(Stop):
    """Stop when the leading answer has a large enough share of the draws so far.

    Parameters
    ----------
    share : float, default 0.8
        From above 0 to 1. Draws without an answer count among the draws.
    min_samples : int, default 2
        Draws before the first look; defaults as in the authors' code of Adaptive-Consistency.

    Examples
    --------
    >>> str(MajorityStop(0.9, min_samples=4))
    'majority:0.9/4'
    """

    share: float = 0.8
    min_samples: int = 2

    def __post_init__(self) -> None:
        _check_number(self, "share", 0, 1, "a share from above 0 to 1, e.g. 0.8", high_too=True)
        _set_whole(self, "min_samples", 1)

    def table(self, depth: int) -> StopTable:
        """Return the votes that stop after every number of draws."""
        need = votes_to_agree(np.arange(depth + 1), self.share)
        need[: self.min_samples] = NEVER
        return StopTable(np.zeros(depth + 1, np.int64), need)


@dataclass(frozen=True)
class EntropyStop(Stop):
    """Stop when the answers so far scatter little: their entropy over its maximum is at most a threshold.

    The maximum is log2 of the number of distinct answers. As in the authors' code of Adaptive-Consistency, while all
    draws agree one imagined draw of another answer is counted too, so that [a, a] (0.92) is less certain than
    [a, a, a, a] (0.72). A draw without an answer counts as an answer that no other draw shares.

    Parameters
    ----------
    threshold : float, default 0.75
        From above 0 to 1.
    min_samples : int, default 2
        Draws before the first look.

    Examples
    --------
    >>> str(EntropyStop())
    'entropy:0.75'
    """

    threshold: float = 0.75
    min_samples: int = 2

    def __post_init__(self) -> None:
        _check_number(self, "threshold", 0, 1, "a number from above 0 to 1, e.g. 0.75", high_too=True)
        _set_whole(self, "min_samples", 1)

    def table(self, depth: int) -> StopTable:
        """Return the threshold; the entropy itself is followed draw by draw."""
        need = np.ones(depth + 1, np.int64)
        need[: self.min_samples] = NEVER
        return StopTable(np.zeros(depth + 1, np.int64), need, entropy=self.threshold)


@dataclass(frozen=True)
class OwnStop(Stop):
    """Stop when a function of yours says so.

    Parameters
    ----------
    function : callable
        ``function(counts, n) -> bool``, asked after each draw: counts is int64 of shape (n_classes,), the votes of the
        question's answer classes so far (at least one class), n the draws so far, those without an answer included.
        Compile it with
        ``numba.njit`` for speed; a plain Python function works too and is hundreds of times slower.

    Examples
    --------
    >>> OwnStop(lambda counts, n: counts.max() >= 3)  # doctest: +ELLIPSIS
    OwnStop(function=<function <lambda> at ...>)
    """

    function: Callable[[NDArray[np.int64], int], bool]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise StrategyError(f"OwnStop: function={self.function!r}; give a function of (counts, n)")

    def table(self, depth: int) -> StopTable:
        """Return nothing to look up: the function decides."""
        return StopTable(np.zeros(1, np.int64), np.zeros(depth + 1, np.int64))

    def __str__(self) -> str:
        return f"own:{getattr(self.function, '__name__', 'function')}"


_STOPS: Mapping[str, type[Stop]] = {
    "window": WindowStop,
    "beta": BetaStop,
    "majority": MajorityStop,
    "entropy": EntropyStop,
    "evalue": EValueStop,
}


def _name_of(stop: Stop) -> str:
    return next(name for name, cls in _STOPS.items() if type(stop) is cls)


def parse_stop(given: str) -> Stop:
    """Read a rule that stops within one model: window:5, beta:0.95, majority:0.8/2, entropy:0.75/2 or evalue:0.05.

    Examples
    --------
    >>> parse_stop("majority:0.9/4")
    MajorityStop(share=0.9, min_samples=4)
    """
    name, _, rest = (part.strip() for part in given.partition(":"))
    if name not in _STOPS:
        raise StrategyError(f"stop={given!r}: rule {name!r}; {choose_from(name, _STOPS)}, e.g. stop=beta:0.95")
    cls = _STOPS[name]
    kinds = [int if f.type == "int" else float for f in fields(cls)]  # type: ignore[arg-type]
    texts = rest.split("/") if rest else []
    try:
        values: list[Any] = [kind(text) for kind, text in zip(kinds, texts, strict=False)]
        if len(texts) > len(kinds) or (not texts and cls is WindowStop):
            raise ValueError
    except ValueError:
        example = ":".join([name, "/".join(str(5 if f.default is MISSING else f.default) for f in fields(cls))])  # type: ignore[arg-type]
        raise StrategyError(f"stop={given!r} cannot be read; e.g. stop={example}") from None
    return cls(*values)


def _check_number(stop: Stop, name: str, low: float, high: float, allowed: str, *, high_too: bool = False) -> None:
    value = getattr(stop, name)
    if not is_number(value) or not (low < value < high or (high_too and value == high)):
        raise StrategyError(f"{type(stop).__name__}: {name}={value!r}; give {allowed}")
    object.__setattr__(stop, name, float(value))


def _set_whole(stop: Stop, name: str, low: int) -> None:
    try:
        object.__setattr__(stop, name, whole_number(name, getattr(stop, name), low, 2**15 - 1))
    except MssimError as error:
        raise StrategyError(f"{type(stop).__name__}: {error}") from None


def _leads(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """P[theta > 1/2] for theta ~ Beta(first + 1, second + 1)."""
    return np.asarray(special.betaincc(first + 1.0, second + 1.0, 0.5))


def _log_e_value(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """Logarithm of the mean of (2 theta)^first (2 - 2 theta)^second over theta uniform on 1/2..1."""
    likelihood = special.betaln(first + 1.0, second + 1.0) + np.log(_leads(first, second))
    return np.asarray((first + second + 1) * math.log(2) + likelihood)


@lru_cache(maxsize=64)
def _votes_against(
    certainty: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]], enough: float, depth: int
) -> NDArray[np.int64]:
    """Fewest votes of the leader that are enough against 0, 1, 2, ... votes; depth + 1 where no votes are.

    Certainty grows with the leader's votes, so they are found by bisection, for all numbers of the second at once.
    """
    second = np.arange(depth // 2 + 1)
    low, high = second - 1, np.full_like(second, depth + 1)  # low is not enough, high is
    while (high - low > 1).any():
        middle = (low + high) // 2
        reached = certainty(middle, second) >= enough - 1e-12
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    high.flags.writeable = False
    return high


# Between models -------------------------------------------------------------------------------------------------------


def check_threshold(agreement: float, strict: bool) -> None:
    """Refuse a threshold that is none."""
    if not is_number(agreement) or not 0 <= agreement < math.inf:
        raise StrategyError(f"agreement={agreement!r}; give a share from 0 to 1, or above 1 to never stop")
    if not isinstance(strict, bool):
        raise StrategyError(f"strict={strict!r}; give true or false")


def votes_to_agree(sizes: NDArray[np.int64], agreement: float, *, strict: bool = False) -> NDArray[np.int64]:
    """Fewest votes for one answer with which a stage of each size agrees.

    A stage of K draws agrees when the share of its most frequent answer reaches `agreement` (or exceeds it, if
    strict). Draws without an answer count in K and for no answer, so they break unanimity.

    Parameters
    ----------
    sizes : ndarray of int64, any shape
        Draws of the stage; a stage of size 0 never agrees.
    agreement : float
        Share from 0 (always) to 1 (unanimity); above 1 no stage agrees.
    strict : bool, default False
        Whether the share must exceed the threshold; the released curves of ModelSwitch use "> 0.85".

    Returns
    -------
    ndarray of int64, the shape of sizes

    Examples
    --------
    >>> votes_to_agree(np.array([2, 5, 10]), 0.8)
    array([2, 4, 8])
    >>> votes_to_agree(np.array([2, 5, 10]), 0.8, strict=True)
    array([2, 5, 9])
    """
    # A share votes / size and a threshold like 0.8 are both the double nearest to the rational they stand for, so the
    # comparison of shares is exact where a product size * 0.8 would not be.
    needed = np.full(sizes.shape, NEVER, dtype=np.int64)
    for size in np.unique(sizes[sizes > 0]):
        shares = np.arange(size + 1) / size
        enough = shares > agreement if strict else shares >= agreement
        if enough.any():
            needed[sizes == size] = int(np.argmax(enough))
    return needed
