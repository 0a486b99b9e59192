"""Reading of candidates, and fitting of those that are learnt, to every training set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from mssim._validation import shown
from mssim.engine.job import Strategies, name_strategies
from mssim.errors import StrategyError
from mssim.pools.pool import Pool
from mssim.rules.base import Strategy
from mssim.rules.strategies import Coverage, OracleRouter, Reliability
from mssim.tuning.choice import Bools
from mssim.tuning.learners import Learner, is_learner_text, parse_learner

__all__ = ["Fitted", "Given", "check_candidate", "fit_all", "read_candidates"]

Given = Strategies | Learner | Sequence[str | Strategy | Mapping[str, Any] | Learner] | Mapping[str, Any]


class Fitted(NamedTuple):
    """A strategy, and the training sets on which it can be chosen."""

    strategy: Strategy
    usable: Bools  # [set]
    plain: bool  # whether nothing was fitted


def read_candidates(given: Given, pool: Pool) -> dict[str, Strategy | Learner]:
    """Return strategies and learners by their names in results.

    Examples
    --------
    >>> from mssim import load_pool
    >>> list(read_candidates(["sc:gemma", "ms:gemma+smol"], load_pool("recorded/llm-products")))
    ['sc:gemma', 'ms:gemma+smol']
    """
    names, every = _listed(given)
    if not isinstance(every, list) or not any(isinstance(one, Learner) for one in every):
        return dict(name_strategies(given if names else every, pool))  # type: ignore[arg-type]
    found: dict[str, Strategy | Learner] = {}
    for name, one in zip(names or repeat(None), every, strict=False):
        read = {str(one): one} if isinstance(one, Learner) else name_strategies([one], pool)
        for text, candidate in read.items():
            if (name or text) in found:
                raise StrategyError(f"strategies: {name or text} appears twice. Remove the duplicate.")
            found[name or text] = candidate
    return found


def _listed(given: Any) -> tuple[list[str], Any]:
    """Return names, which only a mapping has, and candidates, those that are fitted as objects."""
    if isinstance(given, Mapping):
        return list(map(str, given)), [_read(one) for one in given.values()]
    if isinstance(given, str | Strategy | Learner):
        return [], [_read(given)]
    several = isinstance(given, Iterable) and getattr(given, "shape", None) != ()
    return [], [_read(one) for one in given] if several else given  # what is no list is refused by `name_strategies`


def _read(one: Any) -> Any:
    return parse_learner(one) if is_learner_text(one) else one


def check_candidate(name: str, strategy: Strategy) -> None:
    """Raise if a strategy cannot be run, so that choosing it would be meaningless."""
    if isinstance(strategy, Coverage | OracleRouter):
        raise StrategyError(
            f"strategies: {name} is an upper bound that cannot be run and would always be chosen. Remove it."
        )
    if isinstance(strategy, Reliability):
        raise StrategyError(
            f"strategies: {name} measures how often several draws are right. It returns no answer, so it cannot "
            "be run. Remove it."
        )


def fit_all(candidates: Mapping[str, Strategy | Learner], pool: Pool, sets: Bools) -> dict[str, list[Fitted]]:
    """Return the versions of each candidate: one for a strategy, and for a learner what it fits to the training sets.

    Parameters
    ----------
    candidates : mapping of str to Strategy or Learner
        Candidates by name.
    pool : Pool
        Recorded samples.
    sets : ndarray of bool, shape (n_sets, n_questions)
        Questions of each training set.
    """
    everywhere = np.ones(len(sets), dtype=bool)
    found: dict[str, list[Fitted]] = {}
    for name, one in candidates.items():
        if isinstance(one, Learner):
            found[name] = _distinct([_fit(name, one, pool, among) for among in sets])
        else:
            check_candidate(name, one)
            if one.learns(pool.questions):
                raise StrategyError(
                    f"strategies: {name} learns from all questions, so its score on training questions depends on the "
                    "answers to held-out ones. Remove it, or define fit as `mssim.tuning.Learner` describes."
                )
            found[name] = [Fitted(one, everywhere, True)]
    return found


def _fit(name: str, learner: Learner, pool: Pool, among: Bools) -> Strategy:
    strategy = learner.fit(pool, among.copy())
    if not isinstance(strategy, Strategy):
        raise StrategyError(f"strategies: fit of {name} returned {shown(strategy)}. Return a Strategy.")
    check_candidate(f"{strategy}, fitted by {name},", strategy)
    return strategy


def _distinct(strategies: Sequence[Strategy]) -> list[Fitted]:
    """Return different strategies, each with the sets to which it was fitted."""
    found: list[Fitted] = []
    for place, strategy in enumerate(strategies):
        same = next((one for one in found if one.strategy == strategy), None)
        if same is None:
            same = Fitted(strategy, np.zeros(len(strategies), dtype=bool), False)
            found.append(same)
        same.usable[place] = True
    return found
