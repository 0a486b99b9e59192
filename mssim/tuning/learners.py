"""Candidates that are fitted to training questions before they are evaluated."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mssim.errors import MssimError, StrategyError
from mssim.rules.base import Strategy
from mssim.rules.text import read_options, split

if TYPE_CHECKING:
    from mssim.pools.pool import Pool

__all__ = ["LEARNERS", "Learner", "is_learner_text", "parse_learner"]

LEARNERS = {"models": "model_choice.BestModels", "weights": "optimal_weights.OptimalWeights"}  # by kind in text


@runtime_checkable
class Learner(Protocol):
    """What `tune` needs of a candidate whose strategy is fitted to training questions.

    `tune` fits a learner once without each fold and once to all questions. A strategy that was fitted to a training set
    can be chosen only on this set, and is scored on the fold that was left out. The optimism of `tune` therefore
    contains that of fitting. A learner is shown in tables by its text.

    Attributes
    ----------
    models : sequence of str
        Names of the models that a fitted strategy may use.

    Examples
    --------
    The model that is most often right in its first samples:

    >>> from dataclasses import dataclass
    >>> from mssim import SelfConsistency, evaluate, load_pool, tune
    >>> @dataclass(frozen=True)
    ... class BestAlone:
    ...     models: tuple
    ...     def fit(self, pool, questions):
    ...         found = evaluate(pool, [f"sc:{model}" for model in self.models], 1)
    ...         accuracy = found.accuracy[:, 0, questions].mean(axis=1)
    ...         return SelfConsistency(self.models[accuracy.argmax()])
    ...     def __str__(self):
    ...         return f"best of {' and '.join(self.models)}"
    >>> tuned = tune(load_pool("recorded/llm-products"), [BestAlone(("gemma", "smol"))], 4)
    >>> tuned.to_frame()[["strategy", "fitted"]].values.tolist()
    [['best of gemma and smol', 'sc:gemma']]
    """

    @property
    def models(self) -> Sequence[str]:
        """Names of the models that a fitted strategy may use."""

    def fit(self, pool: Pool, questions: NDArray[np.bool_]) -> Strategy:
        """Return the strategy fitted to some questions of a pool.

        Parameters
        ----------
        pool : Pool
            Recorded samples of all questions.
        questions : ndarray of bool, shape (n_questions,)
            Training questions. Correctness of the others must have no effect on what the strategy does on them.

        Returns
        -------
        Strategy
            Strategy for all questions of the pool. If it treats training questions by what it has learnt from their own
            answers, as a router does, it is cross-fitted among them. Otherwise its accuracy there is biased.
        """

    def __str__(self) -> str:
        """Return the name of the candidate."""


def is_learner_text(given: Any) -> bool:
    """Return whether a text or mapping is of a kind that is fitted.

    Examples
    --------
    >>> is_learner_text("weights:a+b"), is_learner_text("sc:a")
    (True, False)
    """
    if isinstance(given, Mapping):
        return given.get("kind") in LEARNERS
    kind = given.partition(":")[0].strip() if isinstance(given, str) else ""
    return kind in LEARNERS


def parse_learner(given: Any) -> Learner:
    """Read a candidate that is fitted from text ``kind:model+model,option=value``, or from a mapping.

    Examples
    --------
    >>> print(parse_learner("models:a+b+c,k=2,search=greedy"))
    models:a+b+c,k=2,search=greedy
    """
    kind, models, options = split(given)
    module, name = LEARNERS[kind].split(".")
    cls: Any = getattr(importlib.import_module(f"mssim.tuning.{module}"), name)
    try:
        learner: Learner = cls(models, **read_options(cls, options))
    except MssimError as error:
        raise StrategyError(f"strategy {given!r}: {error}") from None
    return learner
