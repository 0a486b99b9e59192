"""Expected accuracy and samples used of strategies under an answer model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import qmc

from mssim._validation import whole_number
from mssim.at_k import agreement_at_k, maj_at_k
from mssim.engine.evaluate import evaluate
from mssim.engine.job import Strategies, name_strategies, read_budgets
from mssim.errors import StrategyError
from mssim.pools.pool import Pool
from mssim.results.evaluation import Evaluation
from mssim.rules.base import Strategy
from mssim.rules.plan import Plan
from mssim.simulate.model import MOST_DRAWS, AnswerModel

__all__ = ["expected"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BATCHES = 8
_REPLAYS = 16
_SPARE = 32  # samples beyond the required number, so that replays differ


def expected(
    answer_model: AnswerModel,
    strategies: Strategies,
    budgets: ArrayLike,
    *,
    n_questions: int = 2**15,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute expected accuracy and samples used of strategies under an answer model.

    The results are those of pools drawn from the answer model, on average.

    Parameters
    ----------
    answer_model : AnswerModel
        Answer model.
    strategies, budgets
        As in `evaluate`.
    n_questions : int, default 2**15
        Number of questions to average over, rounded up to a power of two and at least 128. With the default, the error
        of accuracy is below 0.001, and 16 samples of two models take less than a second. Time and memory are
        proportional to n_questions times samples.
    seed : int, default 0
        Seed of the random numbers. All answer models get the same random numbers, so results can be compared.

    Returns
    -------
    DataFrame
        strategy, budget, accuracy, accuracy_error, samples_used, samples_error, agreed: means over questions and their
        Monte Carlo errors.

    Raises
    ------
    MssimError
        If a strategy, budget or option is invalid.

    Notes
    -----
    The difficulty of the questions is spread evenly by eight independently scrambled Sobol sequences, whose scatter
    gives the error. Control variates reduce the variance from the samples: the accuracy and agreement of each model
    alone, whose expectation has a closed form. Samples are evaluated without replacement. This is unbiased except for
    `OracleRouter`, which chooses models by the samples on which it is scored.

    Examples
    --------
    >>> model = AnswerModel(["x", "y"], sure=0.4, a=0.5, b=0.5, spread=1.0, correlation=0.6)
    >>> expected(model, "ms:x+y", [2, 8], n_questions=2**12)[["budget", "accuracy", "samples_used"]].round(2)
       budget  accuracy  samples_used
    0       2      0.70          1.00
    1       8      0.81          5.58
    """
    named, grid = name_strategies(strategies), read_budgets(budgets)
    whole_number("seed", seed, 0, 2**64 - 1)
    size = max(1 << (whole_number("n_questions", n_questions, 1, 2**22) - 1).bit_length(), 16 * _BATCHES)
    plans = {name: strategy.plans(grid) for name, strategy in named.items()}
    most = max(_most_draws(name, plan) for name, group in plans.items() for plan in group)
    pool = _spread_pool(answer_model, size, most + min(most, _SPARE), seed)
    found = evaluate(pool, named, grid, n_replays=_REPLAYS, seed=seed)
    alone = _Alone(answer_model, pool)
    rows = []
    for s, (name, strategy) in enumerate(named.items()):
        for b, budget in enumerate(grid):
            known = alone.controls(strategy, [plan.at([b]) for plan in plans[name]])
            rows.append({"strategy": name, "budget": budget, **_summary(found, (s, b), known)})
    return pd.DataFrame(rows)


def _most_draws(name: str, plan: Plan) -> int:
    """Return the maximum number of samples of one model that a plan can draw."""
    if plan.is_joint:
        raise StrategyError(
            f"{name}: questions that depend on each other are not supported. Draw a pool with AnswerModel.draw and "
            "evaluate it."
        )
    if plan.max_tokens is not None:
        raise StrategyError(f"{name}: max_tokens is not supported, because answer models have no tokens. Remove it.")
    drawn: dict[str, NDArray[np.int64]] = {}
    for model, sizes in zip(plan.models, plan.sizes, strict=True):
        drawn[model] = drawn.get(model, 0) + sizes
    return int(max(sizes.max() for sizes in drawn.values()))


def _spread_pool(answer_model: AnswerModel, n_questions: int, n_samples: int, seed: int) -> Pool:
    seeds = np.random.SeedSequence(seed).spawn(_BATCHES + 1)
    batches = [
        qmc.Sobol(len(answer_model.models) + 1, rng=np.random.default_rng(s)).random(n_questions // _BATCHES)
        for s in seeds[:-1]
    ]
    rng = np.random.Generator(np.random.PCG64(seeds[-1]))
    return answer_model._pool(np.concatenate(batches), n_samples, rng, "expectation", seed)


def _summary(found: Evaluation, at: tuple[int, int], known: Floats) -> dict[str, float]:
    """Return means over questions and their errors; `known` are control variates with mean 0, [control, question]."""
    values = np.stack([found.accuracy[at], found.samples_used[at], found.agreed[at]])
    centred = known - known.mean(axis=1, keepdims=True)
    slopes = np.linalg.lstsq(centred.T, (values - values.mean(axis=1, keepdims=True)).T, rcond=1e-9)[0]
    batches = (values - slopes.T @ known).reshape(3, _BATCHES, -1).mean(axis=2)
    accuracy, used, agreed = batches.mean(axis=1)
    errors = batches.std(axis=1, ddof=1) / np.sqrt(_BATCHES)
    return {
        "accuracy": accuracy,
        "accuracy_error": errors[0],
        "samples_used": used,
        "samples_error": errors[1],
        "agreed": agreed,
    }


class _Alone:
    """Control variates: accuracy and agreement of each model alone, minus their expectations."""

    def __init__(self, answer_model: AnswerModel, pool: Pool) -> None:
        self._answer_model = answer_model
        self._alike = {model: _alike(pool, model) for model in answer_model.models}
        self._known: dict[tuple[str, int, float, bool], Floats] = {}

    def controls(self, strategy: Strategy, plans: list[Plan]) -> Floats:
        """Return the control variates [control, question] of a strategy at one budget."""
        agreement, strict = min(getattr(strategy, "agreement", 1.0), 1.0), getattr(strategy, "strict", False)
        stages = {
            (model, int(size))
            for plan in plans
            for model, size in zip(plan.models, plan.sizes[:, 0], strict=True)
            if 0 < size <= MOST_DRAWS
        }
        return np.concatenate([self._at(model, size, agreement, strict) for model, size in sorted(stages)])

    def _at(self, model: str, size: int, agreement: float, strict: bool) -> Floats:
        key = (model, size, agreement, strict)
        if key not in self._known:
            votes, right, no_answer, at = self._alike[model]
            found = maj_at_k(votes, size, correct=right, no_answer=no_answer)
            agrees = agreement_at_k(votes, size, agreement=agreement, strict=strict, no_answer=no_answer)
            accuracy = self._answer_model.accuracy_at_k(model, size)
            agreed = self._answer_model.agreement_at_k(model, size, agreement=agreement, strict=strict)
            self._known[key] = np.stack([found - accuracy, agrees - agreed])[:, at]
        return self._known[key]


def _alike(pool: Pool, model: str) -> tuple[Ints, NDArray[np.bool_], Ints, Ints]:
    """Group questions with equal splits of a model's votes; there are far fewer splits than questions.

    Returns votes and their correctness [split, class], samples without an answer [split], and the split of each
    question [question].
    """
    offsets, votes = pool.class_offsets, pool.class_counts(model)
    question = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    split = np.zeros((offsets.size - 1, int(np.diff(offsets).max(initial=1))), np.int32)
    split[question, np.arange(votes.size) - offsets[question]] = np.where(votes > 0, 2 * votes + pool.class_correct, 0)
    split.sort(axis=1)
    splits, at = np.unique(split, axis=0, return_inverse=True)
    kept: Ints = splits[:, -max(1, splits.any(axis=0).sum()) :].astype(np.int64)  # the other classes have no votes
    no_answer: Ints = pool.codes.shape[2] - (kept // 2).sum(axis=1)
    return kept // 2, kept % 2 == 1, no_answer, at.ravel().astype(np.int64)
