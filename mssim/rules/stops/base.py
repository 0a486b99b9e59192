"""Base of the rules that stop within one model."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mssim._validation import is_finite, shown, whole_number
from mssim.errors import MssimError, StrategyError
from mssim.rules.number_range import NumberRange
from mssim.rules.registry import STOPS, Row

__all__ = ["Stop", "StopTable", "leading_votes", "votes_against"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class StopTable(NamedTuple):
    """Stop decisions that can be looked up, which is how compiled code reads a rule.

    A model stops after n draws when its leading answer has v1 votes, the next v2, and v1 >= by_second[v2] and
    v1 >= by_draws[n], and the entropy of its draws is at most `entropy` times its maximum; or when v1 <= give_up[v2];
    or after a whole window of draws that all agree. With `by_votes` these are not looked at: it has the decisions by
    number of draws with an answer, v2 and v1, in one table for every kind of question.
    """

    by_second: Ints  # [votes of the second answer]
    by_draws: Ints  # [draws]
    entropy: float = math.inf  # infinite: not looked at
    window: int = 0  # 0: not looked at; else the arrays are not
    give_up: Ints | None = None  # [votes of the second answer]; None: never
    by_votes: NDArray[np.bool_] | None = None  # [kind, draws with an answer, votes of the second, votes of the first]
    kinds: Ints | None = None  # [question], which table of `by_votes` it has; None: the first


class Stop(ABC):
    """Base of the rules that stop within one model, asked after each of its draws.

    Subclass it as a frozen dataclass whose fields are the options of the rule, and define `stops`. That alone makes a
    rule which `SelfConsistency` accepts; it runs in plain Python, hundreds of times slower than the rules of the
    library. Define `table` too if the decisions can be looked up, and the rule runs compiled. A rule with a `name` can
    be written as text, ``stop=name:option/option``.

    Attributes
    ----------
    name : str
        Name of the rule in text; empty if it has none.
    rows : tuple of Row
        Rows of the catalogue.
    columns : tuple of str
        Recorded numbers that `stops` reads of each draw, such as confidence, score and output_tokens.
    adopts : bool
        Whether the draw after which the rule stops gives the answer; else all draws until then vote.
    most_draws : int
        Most draws for which the rule is defined.
    learns : bool
        Whether the rule learns from recorded samples of other questions, by `learn`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from mssim import SelfConsistency, Stop
    >>> @dataclass(frozen=True)
    ... class TokensSpent(Stop):
    ...     most: float = 1000
    ...     columns = ("output_tokens",)
    ...     def stops(self, answers, numbers):
    ...         return numbers[0].sum() >= self.most
    >>> str(SelfConsistency("gpt-4", stop=TokensSpent()))
    'sc:gpt-4,stop=TokensSpent:1000'
    """

    name: ClassVar[str] = ""
    rows: ClassVar[tuple[Row, ...]] = ()
    columns: Any = ()  # OwnStop has it as a field
    adopts: ClassVar[bool] = False
    most_draws: ClassVar[int] = 2**15 - 1

    def __init_subclass__(cls) -> None:
        if cls.__dict__.get("name"):
            STOPS.add(cls.name, cls)

    @property
    def allowed(self) -> NumberRange | None:
        """Range of the numbers in `columns` of samples with an answer; None if the rule reads all finite numbers."""
        return None

    @abstractmethod
    def stops(self, answers: Ints, numbers: Floats) -> bool:
        """Decide whether to stop after some draws.

        Parameters
        ----------
        answers : ndarray of int64, shape (n_draws,)
            Answer class of each draw so far, in order; -1 = no answer. The rule was asked after each earlier draw, or
            with `looks` at each earlier look.
        numbers : ndarray of float64, shape (n_columns, n_draws)
            The recorded numbers that `columns` names, of each draw.

        Returns
        -------
        bool
        """

    def table(self, depth: int) -> tuple[Any, ...] | None:  # noqa: ARG002
        """Return what a kernel needs to decide for up to `depth` draws, or None if no kernel runs the rule.

        Its type names the kernel (mssim/engine/stop_kernels.py). `StopTable` holds decisions that are looked up.
        """
        return None

    @property
    def learns(self) -> bool:
        """Whether the rule learns from recorded samples of other questions."""
        return False

    def learn(self, votes: Ints, order: Ints, depth: int) -> StopTable:
        """Return the decisions of a rule that learns, for up to `depth` draws.

        Parameters
        ----------
        votes : ndarray of int64, shape (n_questions, n_answers)
            Recorded samples of the model by answer class. Later classes of a question may not exist and have 0.
        order : ndarray of int64, shape (n_questions,)
            Place of each question in a fixed random order.
        depth : int
            Most draws.

        Returns
        -------
        StopTable
            With `kinds` of all questions. What is learnt for a question must not depend on its own votes.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        rule: Any = self
        options = fields(rule) if is_dataclass(rule) else ()
        values = [getattr(self, f.name) for f in options]
        while len(values) > 1 and values[-1] == options[len(values) - 1].default:
            values.pop()  # options at their defaults are not written
        texts = [str(value).removesuffix(".0") if isinstance(value, float) else str(value) for value in values]
        return ":".join([self.name or type(self).__name__, *(["/".join(texts)] if texts else [])])

    # Checks that the rules share ---------------------------------------------------------------------------------

    def _set_number(
        self, name: str, low: float, high: float, allowed: str, *, low_too: bool = False, high_too: bool = False
    ) -> None:
        value = getattr(self, name)
        ends = [end for end, allowed_too in ((low, low_too), (high, high_too)) if allowed_too]
        if not is_finite(value) or not (low < value < high or value in ends):
            raise StrategyError(f"{type(self).__name__}: {name}={shown(value)} is out of range. Use {allowed}.")
        object.__setattr__(self, name, float(value))

    def _set_whole(self, name: str, low: int, high: int = 2**15 - 1) -> None:
        try:
            object.__setattr__(self, name, whole_number(name, getattr(self, name), low, high))
        except MssimError as error:
            raise StrategyError(f"{type(self).__name__}: {error}") from None

    def _set_truth(self, name: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, bool | np.bool_):
            raise StrategyError(f"{type(self).__name__}: {name}={value!r} is not a bool. Use True or False.")
        object.__setattr__(self, name, bool(value))

    def _check_column(self) -> None:
        column: Any = getattr(self, "column")  # noqa: B009 (a field of some rules)
        if not isinstance(column, str) or not column:
            raise StrategyError(
                f"{type(self).__name__}: column={column!r} is not a name. Use the name of a recorded number, e.g. "
                "'confidence'."
            )
        if "/" in column or column != column.strip():
            raise StrategyError(
                f"{type(self).__name__}: column={column!r} cannot be written as text, where / separates options. "
                "Rename the column, without / and without spaces around it."
            )


def leading_votes(answers: Ints) -> tuple[int, int]:
    """Count the votes of the two leading answers.

    Examples
    --------
    >>> leading_votes(np.array([2, 2, -1, 0, 2]))
    (3, 1)
    """
    votes = np.sort(np.bincount(answers[answers >= 0], minlength=2))
    return int(votes[-1]), int(votes[-2])


@lru_cache(maxsize=64)
def votes_against(certainty: Callable[[Ints, Ints], Floats], enough: float, depth: int) -> Ints:
    """Compute the fewest votes of the leader that are enough against 0, 1, 2, ... votes of the next answer.

    Certainty grows with the leader's votes, so they are found by bisection, for all numbers of the second at once.

    Returns
    -------
    ndarray of int64, shape (depth // 2 + 1,), read-only
        depth + 1 where no votes are enough.
    """
    second = np.arange(depth // 2 + 1)
    low, high = second - 1, np.full_like(second, depth + 1)  # low is not enough, high is
    while (high - low > 1).any():
        middle = (low + high) // 2
        reached = certainty(middle, second) >= enough - 1e-12
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    high.flags.writeable = False
    return high
