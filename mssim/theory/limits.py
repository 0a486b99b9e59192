"""Limits of votes for many draws (T1), and their gap to finite budgets (T2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mssim._validation import counted
from mssim.engine.evaluate import evaluate_quietly
from mssim.engine.exact import Floats
from mssim.engine.scheduler import Progress
from mssim.errors import StrategyError
from mssim.kernels.tally import HIGHER
from mssim.pools.pool import Pool
from mssim.pools.shares import answer_shares, over_classes, question_of_class, sampled_models
from mssim.results.clusters import cluster_labels
from mssim.results.intervals import mean_interval
from mssim.rules.strategies import Mixture, SelfConsistency
from mssim.rules.votes import Vote

__all__ = ["Limits", "finite_budget", "limits"]

Weights = Mapping[str, float] | Sequence[float] | str | None

VERDICTS = ("wins alone", "loses alone", "gains on best", "loses to best", "same as best")
_SAME = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class Limits:
    """Limits of Self-Consistency of each model and of the pooled vote, per question.

    Attributes
    ----------
    models : tuple of str
        Names of the models.
    mix : str
        Pooled vote, as text of a strategy.
    questions : DataFrame
        Questions of the pool, one per row.
    alone : ndarray of float64, shape (n_models, n_questions)
        Probability of a correct answer in the limit: 0 or 1, or a share where answers tie.
    pooled : ndarray of float64, shape (n_questions,)
        The same of the pooled vote.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import limits
    >>> found = limits(load_pool("recorded/llm-products"), ["gemma", "smol"])
    >>> found.summary()[["strategy", "accuracy", "wins_alone", "loses_alone"]].round(3)
             strategy  accuracy  wins_alone  loses_alone
    0        sc:gemma     0.585          37           17
    1         sc:smol     0.459          17           37
    2  mix:gemma+smol     0.629           2            0
    """

    models: tuple[str, ...]
    mix: str
    questions: pd.DataFrame
    alone: Floats
    pooled: Floats

    @property
    def best(self) -> int:
        """Index of the model with the highest mean limit; the first of equal models."""
        means = self.alone.mean(axis=1)
        return int(np.argmax(means >= means.max() - _SAME))

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row per question.

        Returns
        -------
        DataFrame
            question_id; right_alone (number of models with limit 1); best (limit of the model with the highest mean);
            pooled; verdict. The verdict is the first that applies: "wins alone" (pooled is above every model), "loses
            alone" (below every model), "gains on best" (above the best single model), "loses to best", "same as best".
        """
        best = self.alone[self.best]
        return pd.DataFrame(
            {
                "question_id": self.questions["question_id"].to_numpy(),
                "right_alone": (self.alone > 1 - _SAME).sum(axis=0),
                "best": best,
                "pooled": self.pooled,
                "verdict": _verdicts(self.pooled, self.alone, best),
            }
        )

    def summary(self, *, confidence_level: float = 0.95, clusters: str | None = None) -> pd.DataFrame:
        """Return a frame with one row per model and one for the mix.

        Parameters
        ----------
        confidence_level : float, default 0.95
            Level of the intervals, between 0 and 1.
        clusters : str, optional
            As in `Evaluation.to_frame`.

        Returns
        -------
        DataFrame
            strategy; accuracy, low, high (mean limit and its confidence interval over questions); wins_alone,
            loses_alone, gains_on_best, loses_to_best, same_as_best (number of questions with each verdict of
            `to_frame`, where a model is compared with the other models); n_questions.
        """
        labels = cluster_labels(self.questions, clusters)
        names = [str(SelfConsistency(model)) for model in self.models]
        rest = [np.delete(self.alone, i, axis=0) for i in range(len(names))]
        found = []
        for name, values, others in zip(
            [*names, self.mix], [*self.alone, self.pooled], [*rest, self.alone], strict=True
        ):
            low, high = mean_interval(values, confidence_level=confidence_level, clusters=labels)
            verdicts = _verdicts(values, others if len(others) else values[None], self.alone[self.best])
            counts = {verdict.replace(" ", "_"): int((verdicts == verdict).sum()) for verdict in VERDICTS}
            numbers = {"accuracy": values.mean(), "low": float(low), "high": float(high), **counts}
            found.append({"strategy": name, **numbers, "n_questions": values.size})
        return pd.DataFrame(found)

    def __repr__(self) -> str:
        return f"Limits({self.mix}, {counted(self.pooled.size, 'question')})"


def _verdicts(values: Floats, others: Floats, best: Floats) -> NDArray[np.str_]:
    """Return the verdict of each question."""
    above, below = values - _SAME, values + _SAME
    conditions = [above > others.max(axis=0), below < others.min(axis=0), above > best, below < best]
    return np.select(conditions, list(VERDICTS[:-1]), VERDICTS[-1])


def limits(pool: Pool, models: Sequence[str] | None = None, *, weights: Weights = None) -> Limits:
    """Compute the limits of the votes of each model and of all models for many draws.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str, optional
        Models that vote. By default all. The order does not matter.
    weights : sequence or mapping of prior weights, or "entropy", optional
        Weight of a vote of each model. By default all weights are equal. "entropy" uses the limit of the weight
        1/m + (1 - 1/m) (1 - H / log2 u) of the ModelSwitch vote.

    Returns
    -------
    Limits
        The limits per question.

    Raises
    ------
    PoolError
        If a model is unknown, or has no samples of a question.
    StrategyError
        If the weights are not one positive number per model.

    Notes
    -----
    p_i(a) is the share of answer a among all recorded samples of model i, including samples without an answer, which
    do not vote. For equal numbers of draws with replacement, the vote tends to argmax_a sum_i w_i p_i(a) by the law of
    large numbers, for any tie rule. (arXiv 2504.00762 draws from the model itself; the pool estimates its p_i.) If no
    sample of a question has an answer, the limit is 0.

    The entropy weight tends to 1 - H_i / log2 u_i, with the entropy H_i of the valid answers in bits and the number u_i
    of distinct recorded answers; it is 1 for u_i = 1. (With ``normaliser="samples"`` it tends to 1.) It is 0 for all
    models if each gives all its answers equally often. This function then uses equal weights; the true limit is random,
    because weights of the order 1/m decide.

    If answers tie in the limit, the winner is random, and the limit is the share of correct answers among them. This is
    exact for two answers, because their difference is asymptotically symmetric, and for a single model, because its
    tied answers are exchangeable. For three or more tied answers of several models it is an approximation, because
    answers with a larger variance win more often.

    If only one answer is correct and every model gives it most often, the mix is correct under any weights, so it never
    loses alone. If there are only two answers, it never wins alone.

    Examples
    --------
    Both models prefer a wrong answer, but different ones:

    >>> import pandas as pd
    >>> from mssim import Pool
    >>> from mssim.theory import limits
    >>> pool = Pool.from_frame(pd.DataFrame({
    ...     "question_id": "q", "model": ["x"] * 5 + ["y"] * 5, "sample_index": [0, 1, 2, 3, 4] * 2,
    ...     "answer": list("77888" "77999"), "truth": "7",
    ... }))
    >>> limits(pool).to_frame()
      question_id  right_alone  best  pooled     verdict
    0           q            0   0.0     1.0  wins alone
    """
    names = sampled_models(pool, models, 1)
    vote = _read_vote(weights, names)
    question = question_of_class(pool)
    shares = answer_shares(pool, names)
    weight = np.repeat(vote.weights(len(names))[:, None], len(pool.questions), axis=1)
    if vote.within == "entropy":
        within = _certainty(pool, np.stack([pool.class_counts(model) for model in names]))
        weight = weight * np.where(within.max(axis=0) > 0, within, 1.0)
    return Limits(
        models=names,
        mix=str(Mixture(names, vote)),
        questions=pool.questions.copy(),
        alone=np.stack([_right_share(pool, share) for share in shares]),
        pooled=_right_share(pool, (weight[:, question] * shares).sum(axis=0)),
    )


def _read_vote(weights: Weights, models: Sequence[str]) -> Vote:
    if isinstance(weights, str):
        if weights != "entropy":
            raise StrategyError(f"weights={weights!r} is not valid. Use 'entropy', or one positive number per model.")
        return Vote.entropy()
    return Vote.plurality(prior=weights).ordered(models)


def _certainty(pool: Pool, votes: NDArray[np.int64]) -> Floats:
    """Return 1 - H / log2 u, [model, question]; 1 for at most one distinct answer."""
    valid = np.maximum(over_classes(pool, votes), 1)
    distinct = over_classes(pool, votes > 0)
    entropy = np.log2(valid) - over_classes(pool, votes * np.log2(np.maximum(votes, 1))) / valid
    certainty = 1 - entropy / np.log2(np.maximum(distinct, 2))
    return np.where(distinct <= 1, 1.0, np.where(certainty > _SAME, certainty, 0.0))


def _right_share(pool: Pool, score: Floats) -> Floats:
    """Return the share of correct answers among those with the highest score, [question]; 0 without votes."""
    question = question_of_class(pool)
    top = np.zeros(len(pool.questions))
    np.maximum.at(top, question, score)
    tied = (score > 0) & (score * HIGHER >= top[question])
    return np.asarray(over_classes(pool, tied & pool.class_correct) / np.maximum(over_classes(pool, tied), 1))


def finite_budget(
    pool: Pool,
    models: Sequence[str] | None,
    budgets: ArrayLike,
    *,
    weights: Weights = None,
    method: str = "auto",
    n_replays: int | None = None,
    seed: int = 0,
    replacement: bool = True,
    confidence_level: float = 0.95,
    clusters: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Compare accuracy at finite budgets with its limit, for every model and for their mix.

    Accuracy is that of Self-Consistency and `Mixture` in `evaluate`. It is the mean over questions of the probability
    that a vote over multinomial counts is correct, or over multivariate hypergeometric counts without replacement.

    Parameters
    ----------
    pool : Pool
        Recorded samples.
    models : sequence of str or None
        Models that vote. None means all.
    budgets : int or sequence of int
        Samples allowed per question. For the mix, multiples of the number of models give every model the same share.
    weights
        As in `limits`.
    method, n_replays, seed, replacement, executor, progress
        As in `evaluate`. Without replacement, Self-Consistency reaches its limit when it draws all recorded samples.
        With replacement, accuracies approach the limit of the recorded shares. Both are biased estimates for the model
        if few samples were recorded, see `evaluate`.
    confidence_level, clusters
        As in `Evaluation.to_frame`.

    Returns
    -------
    DataFrame
        strategy, budget, accuracy, low, high, mc_error, method as in `Evaluation.to_frame`; limit (mean over
        questions); gap (limit - accuracy).

    Raises
    ------
    MssimError
        As `limits` and `evaluate`.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import finite_budget
    >>> pool = load_pool("recorded/llm-products")
    >>> frame = finite_budget(pool, ["gemma", "smol"], [4, 16])
    >>> frame[["strategy", "budget", "accuracy", "limit", "gap"]].round(3)
             strategy  budget  accuracy  limit    gap
    0        sc:gemma       4     0.536  0.585  0.049
    1        sc:gemma      16     0.573  0.585  0.012
    2         sc:smol       4     0.451  0.459  0.008
    3         sc:smol      16     0.472  0.459 -0.013
    4  mix:gemma+smol       4     0.558  0.629  0.071
    5  mix:gemma+smol      16     0.617  0.629  0.012
    """
    found = limits(pool, models, weights=weights)
    strategies: list[Any] = [SelfConsistency(model) for model in found.models]
    means = found.alone.mean(axis=1).tolist()
    if len(found.models) > 1:
        strategies.append(Mixture(found.models, _read_vote(weights, found.models)))
        means.append(found.pooled.mean())
    options: dict[str, Any] = {"method": method, "n_replays": n_replays, "seed": seed, "replacement": replacement}
    result = evaluate_quietly(pool, strategies, budgets, **options, executor=executor, progress=progress)
    frame = result.to_frame(confidence_level=confidence_level, clusters=clusters)
    limit = np.repeat(means, result.budgets.size)
    columns = ["strategy", "budget", "accuracy", "low", "high", "mc_error", "method"]
    return frame[columns].assign(limit=limit, gap=limit - frame["accuracy"])
