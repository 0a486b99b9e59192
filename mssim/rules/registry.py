"""The registry: every strategy, stop rule and vote that declares itself, by its name in text.

A rule registers when its module is imported; the packages `strategies`, `stops` and `votes` import one module per rule.
The parser, the help of the command line, the catalogue, the documentation and the tests read these registries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from mssim.errors import StrategyError

__all__ = ["STOPS", "STRATEGIES", "VOTES", "Registry", "Row"]

T = TypeVar("T")


class Row(NamedTuple):
    """A row of the catalogue."""

    rule: str  # as text; M stands for a model
    formula: str
    source: str  # number of an arXiv article, or what the rule is for
    column: str = "-"  # recorded number that the rule needs beside answers
    method: str = "replay"  # how accuracy is computed: exact, within the limits that `evaluate` states, or replay


class Registry(Mapping[str, T], Generic[T]):
    """Rules by name, in the order in which they were declared."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._rules: dict[str, T] = {}

    def add(self, name: str, rule: T) -> None:
        """Register a rule; raise if the name is taken by a rule of another module."""
        known = self._rules.get(name)
        if known is not None and _home(known) != _home(rule):
            raise StrategyError(f"{self._what} {name!r} is the name of {_home(known)}. Choose another name.")
        self._rules[name] = rule

    def __getitem__(self, name: str) -> T:
        return self._rules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)


def _home(rule: object) -> str:
    return f"{rule.__module__}.{rule.__qualname__}" if isinstance(rule, type) else repr(rule)


STRATEGIES: Registry[type[Any]] = Registry("strategy")  # classes of base.Strategy
STOPS: Registry[type[Any]] = Registry("stop rule")  # classes of stops.Stop
VOTES: Registry[Any] = Registry("vote")  # votes.base.NamedVote
