"""Choice of k of n models that complement each other: the search of SLM-MUX, exact in expectation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from, is_number, shown, whole_number
from mssim.errors import MssimError, StrategyError
from mssim.pools.pool import Pool
from mssim.pools.shares import over_classes, question_mask, sampled_models
from mssim.rules.base import Strategy
from mssim.rules.fields import model_names
from mssim.rules.names import quoted
from mssim.rules.strategies import Mixture, SelfConsistency
from mssim.rules.votes import Vote

__all__ = ["BestModels", "subset_scores"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MOST_SAMPLES = 32
_MOST_SUBSETS = 20_000  # of an exhaustive search
_SEARCHES = ("exhaustive", "greedy")


@dataclass(frozen=True)
class BestModels:
    """Candidate of `tune`: SLM-MUX with the k models that complement each other best on the training questions.

    The fitted strategy is `Mixture` with ``Vote.max_consistency()`` of the chosen models, ordered by their accuracy on
    the training questions, the best first. Ties of that vote go to the earlier model.

    Parameters
    ----------
    models : sequence of str
        Names of the models to choose from.
    k : int, default 2
        Number of models to choose. A single model is fitted as `SelfConsistency`.
    search : {"exhaustive", "greedy"}, default "exhaustive"
        Whether to score all subsets of k models, or to add the model that raises the objective most k times.
    penalty, samples, right
        As in `subset_scores`.

    Notes
    -----
    Subsets with the same objective are ties. The one whose models are listed first is chosen, so list cheaper models
    first. Greedy search is that of Caruana et al. (2004, doi:10.1145/1015330.1015432), with the objective of SLM-MUX
    and without replacement. It can miss the best subset.

    Examples
    --------
    >>> import numpy as np
    >>> from mssim import load_pool
    >>> from mssim.tuning.model_choice import BestModels
    >>> pool = load_pool("recorded/llm-products")
    >>> learner = BestModels(pool.models, k=2)
    >>> print(learner, learner.fit(pool, np.ones(159, bool)))
    models:smol+smol-cool+gemma,k=2 mix:gemma+smol,vote=max_consistency
    """

    models: Sequence[str]
    k: int = 2
    search: str = "exhaustive"
    penalty: float = 1.0
    samples: int = 3
    right: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", model_names("BestModels", self.models))
        object.__setattr__(self, "k", whole_number("k", self.k, 1, len(self.models)))
        check_scores(self.samples, self.right, self.penalty)
        if self.search not in _SEARCHES:
            raise MssimError(f"search={shown(self.search)} is not valid. {choose_from(str(self.search), _SEARCHES)}.")
        if self.search == "exhaustive":
            _check_number([self.k], len(self.models))

    def fit(self, pool: Pool, questions: Bools) -> Strategy:
        """Return the strategy of the models that are best on some questions."""
        names = sampled_models(pool, self.models, self.samples)
        chances = Chances(pool, names, self.samples, self.right, question_mask(pool, questions))
        if self.search == "greedy":
            chosen: tuple[int, ...] = ()
            for _ in range(self.k):
                others = [i for i in range(len(names)) if i not in chosen]
                chosen = _best(chances, [(*chosen, i) for i in others], self.penalty)
        else:
            chosen = _best(chances, combinations(range(len(names)), self.k), self.penalty)
        accuracy = chances.rightness.mean(axis=1)
        order = sorted(sorted(chosen), key=lambda i: -accuracy[i])
        if self.k == 1:
            return SelfConsistency(names[order[0]])
        return Mixture([names[i] for i in order], Vote.max_consistency())

    def __str__(self) -> str:
        options = [f"k={self.k}"]
        options += [f"{f.name}={getattr(self, f.name)}" for f in fields(self)[2:] if getattr(self, f.name) != f.default]
        return ",".join([f"models:{'+'.join(map(quoted, self.models))}", *options])


def subset_scores(
    pool: Pool,
    models: Sequence[str] | None = None,
    *,
    k: int | Iterable[int] | None = None,
    samples: int = 3,
    right: int = 2,
    penalty: float = 1.0,
    questions: ArrayLike | None = None,
) -> pd.DataFrame:
    """Score every subset of k models by how well the models complement each other.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str, optional
        Names of the models. By default all.
    k : int or sequence of int, optional
        Sizes of the subsets. By default from 2 to 5 or the number of models.
    samples : int, default 3
        Samples of each model, from 2 to 32.
    right : int, default 2
        Correct samples with which a model counts as correct, from 1 to `samples`.
    penalty : float, default 1
        Weight of a contradiction.
    questions : array_like of bool, shape (n_questions,), optional
        Questions that count. By default all.

    Returns
    -------
    DataFrame, one row per subset
        Columns: k; models (joined by "+"); objective (union - penalty x contradiction); union (share of the questions
        on which some model is correct); contradiction (share of the questions on which some model is correct and
        another one gives the same wrong answer in all its samples). Subsets of one size are in the order of their
        objective, the best first.

    Raises
    ------
    PoolError
        If a model is unknown, or has fewer than `samples` samples of a question.
    MssimError
        If an option is out of range, or there are more than 20,000 subsets.

    Notes
    -----
    The objective is that of SLM-MUX (arXiv 2510.05077). Shares are expectations over samples drawn without replacement
    from the recorded ones. Let c_m be the probability that model m is correct on a question, and u_m that all its
    samples are one wrong answer. Draws of different models are independent given the question, and no model is both.
    Therefore union = 1 - prod(1 - c_m), and contradiction = 1 - prod(1 - c_m) - prod(1 - u_m) + prod(1 - c_m - u_m). If
    exactly `samples` samples were recorded, these are the shares of the recorded samples.

    The code of the authors differs in three points: it divides contradictions by the number of questions on which some
    model is correct, its penalty is 0.5, and samples without an answer agree with each other. With a penalty of 1, the
    objective is the share of questions with a correct model and without a contradiction.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.tuning.model_choice import subset_scores
    >>> subset_scores(load_pool("recorded/llm-products"), k=2).round(3)
       k           models  objective  union  contradiction
    0  2       smol+gemma      0.560  0.600          0.039
    1  2  smol-cool+gemma      0.550  0.620          0.070
    2  2   smol+smol-cool      0.473  0.482          0.009
    """
    check_scores(samples, right, penalty)
    names = sampled_models(pool, models, samples)
    given = range(2, min(5, len(names)) + 1) if k is None else k if isinstance(k, Iterable) else [k]
    sizes = [whole_number("k", size, 1, len(names)) for size in given]
    _check_number(sizes, len(names))
    chances = Chances(pool, names, samples, right, question_mask(pool, questions))
    rows: list[dict[str, Any]] = []
    for size in sizes:
        scored = [(subset, chances.scores(subset)) for subset in combinations(range(len(names)), size)]
        for subset, (union, contradiction) in sorted(scored, key=lambda row: -_objective(row[1], penalty)):
            text = "+".join(names[i] for i in subset)
            objective = _objective((union, contradiction), penalty)
            rows.append(
                {"k": size, "models": text, "objective": objective, "union": union, "contradiction": contradiction}
            )
    return pd.DataFrame(rows, columns=["k", "models", "objective", "union", "contradiction"])


class Chances:
    """Chances of each model to be correct, and to give one wrong answer in all samples, [model, question]."""

    def __init__(self, pool: Pool, names: Sequence[str], samples: int, right: int, questions: Bools) -> None:
        votes = np.stack([pool.class_counts(name) for name in names])
        recorded = pool.lengths[[pool.model_index(name) for name in names]].astype(float)
        good = over_classes(pool, votes * pool.class_correct)
        ways = scipy.special.comb(recorded, samples)
        fewer = sum(
            scipy.special.comb(good, j) * scipy.special.comb(recorded - good, samples - j) for j in range(right)
        )
        alike = over_classes(pool, scipy.special.comb(votes, samples) * ~pool.class_correct)
        self.correct = (1 - fewer / ways)[:, questions]
        self.unanimous_wrong = (alike / ways)[:, questions]
        self.rightness = (good / recorded)[:, questions]  # of one sample

    def scores(self, subset: Sequence[int]) -> tuple[float, float]:
        """Return the union and the contradiction of some models."""
        correct, wrong = self.correct[list(subset)], self.unanimous_wrong[list(subset)]
        no_correct = (1 - correct).prod(axis=0)
        neither = (1 - correct - wrong).prod(axis=0)
        contradiction = 1 - no_correct - (1 - wrong).prod(axis=0) + neither
        return float(1 - no_correct.mean()), max(float(contradiction.mean()), 0.0)  # rounding: one model has none


def _objective(scores: tuple[float, float], penalty: float) -> float:
    """Return the objective, rounded so that equal subsets are ties."""
    return round(scores[0] - penalty * scores[1], 12)


def _best(chances: Chances, subsets: Iterable[tuple[int, ...]], penalty: float) -> tuple[int, ...]:
    return max(subsets, key=lambda subset: _objective(chances.scores(subset), penalty))


def check_scores(samples: int, right: int, penalty: float = 1.0) -> None:
    """Raise unless the options of scores are valid."""
    if not is_number(penalty) or not 0 <= penalty < math.inf:
        raise MssimError(f"penalty={shown(penalty)} is not valid. Use a number from 0, e.g. 1 or 0.5.")
    whole_number("right", right, 1, whole_number("samples", samples, 2, _MOST_SAMPLES))


def _check_number(sizes: Sequence[int], n_models: int) -> None:
    number = sum(math.comb(n_models, size) for size in sizes)
    if number > _MOST_SUBSETS:
        raise StrategyError(
            f"k: {n_models} models have {number} subsets of the sizes {list(sizes)}, but at most {_MOST_SUBSETS} are "
            "scored. Use fewer models, or search='greedy' in BestModels."
        )
