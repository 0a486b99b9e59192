"""Limits (T1) and finite budgets (T2): what votes tend to as draws become many, and how far they are from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from
from mssim.engine.evaluate import evaluate
from mssim.engine.exact import Floats
from mssim.engine.scheduler import Progress
from mssim.errors import StrategyError
from mssim.kernels.tally import HIGHER
from mssim.pools.pool import Pool
from mssim.results.intervals import cluster_labels, mean_interval
from mssim.rules.strategies import Mixture, SelfConsistency
from mssim.rules.votes import Vote
from mssim.theory.pool_facts import over_classes, question_of_class, sampled_models

__all__ = ["Limits", "finite_budget", "limits"]

Weights = Mapping[str, float] | Sequence[float] | str | None

VERDICTS = ("wins alone", "loses alone", "gains on best", "loses to best", "same as best")
_SAME = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class Limits:
    """What Self-Consistency of each model and the pooled vote tend to, per question.

    Attributes
    ----------
    models : tuple of str
    mix : str
        The pooled vote as a strategy.
    questions : DataFrame, one row per question
    alone : ndarray of float64, shape (n_models, n_questions)
        Chance of a right answer in the limit: 1, 0, or a share where answers tie.
    pooled : ndarray of float64, shape (n_questions,)
    """

    models: tuple[str, ...]
    mix: str
    questions: pd.DataFrame
    alone: Floats
    pooled: Floats

    @property
    def best(self) -> int:
        """Number of the model with the highest mean limit; of equals the first."""
        means = self.alone.mean(axis=1)
        return int(np.argmax(means >= means.max() - _SAME))

    def to_frame(self) -> pd.DataFrame:
        """One row per question.

        Returns
        -------
        DataFrame
            question_id; right_alone (how many models are surely right alone); best (limit of the best single model,
            the one with the highest mean); pooled; verdict, the first that applies: "wins alone" (pooled is above
            every model), "loses alone" (below every model), "gains on best" (above the best single model), "loses to
            best", "same as best".
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
        """One row per model, then the mix.

        Parameters
        ----------
        confidence_level : float, default 0.95
        clusters : str, optional
            As in `Evaluation.to_frame`.

        Returns
        -------
        DataFrame
            strategy; accuracy, low, high (mean limit and its confidence interval over questions); wins_alone,
            loses_alone, gains_on_best, loses_to_best, same_as_best (questions by verdict, as in `to_frame`; a model is
            judged against the other models); n_questions.
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
        return f"Limits({self.mix}, {self.pooled.size} questions)"


def _verdicts(values: Floats, others: Floats, best: Floats) -> NDArray[np.str_]:
    """Judge each question against other models and the best one."""
    above, below = values - _SAME, values + _SAME
    conditions = [above > others.max(axis=0), below < others.min(axis=0), above > best, below < best]
    return np.select(conditions, list(VERDICTS[:-1]), VERDICTS[-1])


def limits(pool: Pool, models: Sequence[str] | None = None, *, weights: Weights = None) -> Limits:
    """Say which answer every model alone, and all together, tend to as the draws become many.

    Parameters
    ----------
    pool : Pool
    models : sequence of str, optional
        Default: all. Their order does not matter.
    weights : sequence or mapping of prior weights, or "entropy", optional
        What a vote of each model counts; default: the same. "entropy": the limit of the weight 1/m + (1 - 1/m)
        (1 - H / log2 u) of ModelSwitch's vote.

    Returns
    -------
    Limits

    Raises
    ------
    PoolError
        If a model is unknown, or has no sample of a question.
    StrategyError
        If weights are not one positive number per model.

    Notes
    -----
    p_i(a) is the share of answer a among all recorded samples of model i; samples without an answer are mass that never
    votes. Equal numbers of draws of each model lead to argmax_a sum_i w_i p_i(a) by the law of large numbers, whatever
    the tie rule, for draws with replacement (arXiv 2504.00762 draws from the model itself, whose p_i the pool
    estimates). Where no sample of a question has an answer, the limit is wrong.

    The entropy weight tends to 1 - H_i / log2 u_i, H_i the entropy of the valid answers in bits and u_i how many
    distinct ones were recorded, and is 1 for u_i = 1. (With ``normaliser="samples"`` it tends to 1.) Where it vanishes
    for all models, each of which gives all its answers equally often, votes count the same here; the true limit is then
    random, for weights of the order 1/m decide.

    Where answers tie in the limit, it is random: the limit is the share of right ones among them. That is exact for two
    answers, whose difference is asymptotically symmetric, and for one model, whose tied answers can be exchanged. For
    three or more answers tied between several models it is an approximation: whichever has the larger variance wins
    more often.

    If only one answer is right and it is every model's most frequent one, the mix is right under any weights: it never
    loses alone. If there are but two answers, it never wins alone either.

    Examples
    --------
    Both models prefer a wrong answer, but not the same:

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
    rows = [pool.model_index(model) for model in names]
    question = question_of_class(pool)
    votes = np.stack([pool.class_counts(model) for model in names])
    shares = votes / pool.lengths[rows][:, question]
    weight = np.repeat(vote.weights(len(names))[:, None], len(pool.questions), axis=1)
    if vote.within == "entropy":
        within = _certainty(pool, votes)
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
            raise StrategyError(f"weights={weights!r}; {choose_from(weights, ['entropy'])}, or give numbers")
        return Vote.entropy()
    return Vote.plurality(prior=weights).ordered(models)


def _certainty(pool: Pool, votes: NDArray[np.int64]) -> Floats:
    """1 - H / log2 u of every model and question, [model, question]; 1 where there is one answer, or none."""
    valid = np.maximum(over_classes(pool, votes), 1)
    distinct = over_classes(pool, votes > 0)
    entropy = np.log2(valid) - over_classes(pool, votes * np.log2(np.maximum(votes, 1))) / valid
    certainty = 1 - entropy / np.log2(np.maximum(distinct, 2))
    return np.where(distinct <= 1, 1.0, np.where(certainty > _SAME, certainty, 0.0))


def _right_share(pool: Pool, score: Floats) -> Floats:
    """Share of right answers among those with the highest score, [question]; 0 where no score is positive."""
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
    n_replays: int = 10_000,
    seed: int = 0,
    replacement: bool = True,
    confidence_level: float = 0.95,
    clusters: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Compare accuracy at finite budgets with its limit, for every model and for their mix.

    Accuracy is the mean over questions of the chance that the vote over counts is right, counts being multinomial
    (`replacement`) or multivariate hypergeometric: `evaluate` of Self-Consistency and `Mixture`.

    Parameters
    ----------
    pool : Pool
    models : sequence of str or None
        None: all.
    budgets : int or sequence of int
        Samples per question; for the mix, multiples of the number of models give all models the same share.
    weights
        As in `limits`.
    method, n_replays, seed, replacement, executor, progress
        As in `evaluate`. Without replacement the limit is that of a larger pool; at the whole pool SC has reached it.
    confidence_level, clusters
        As in `Evaluation.to_frame`.

    Returns
    -------
    DataFrame
        strategy, budget, accuracy, low, high, mc_error, method as in `Evaluation.to_frame`; limit (mean over
        questions); gap (limit - accuracy, what more draws would add).

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.theory import finite_budget
    >>> pool = load_pool("recorded/tiny-arithmetic")
    >>> frame = finite_budget(pool, ["tf-plus", "lstm-times"], [4, 16])
    >>> frame[["strategy", "budget", "accuracy", "limit", "gap"]].round(3)
                     strategy  budget  accuracy  limit    gap
    0              sc:tf-plus       4     0.626  0.717  0.091
    1              sc:tf-plus      16     0.693  0.717  0.024
    2           sc:lstm-times       4     0.598  0.760  0.162
    3           sc:lstm-times      16     0.703  0.760  0.057
    4  mix:tf-plus+lstm-times       4     0.669  0.835  0.166
    5  mix:tf-plus+lstm-times      16     0.790  0.835  0.045
    """
    found = limits(pool, models, weights=weights)
    strategies: list[Any] = [SelfConsistency(model) for model in found.models]
    means = found.alone.mean(axis=1).tolist()
    if len(found.models) > 1:
        strategies.append(Mixture(found.models, _read_vote(weights, found.models)))
        means.append(found.pooled.mean())
    options: dict[str, Any] = {"method": method, "n_replays": n_replays, "seed": seed, "replacement": replacement}
    result = evaluate(pool, strategies, budgets, **options, executor=executor, progress=progress)
    frame = result.to_frame(confidence_level=confidence_level, clusters=clusters)
    limit = np.repeat(means, result.budgets.size)
    columns = ["strategy", "budget", "accuracy", "low", "high", "mc_error", "method"]
    return frame[columns].assign(limit=limit, gap=limit - frame["accuracy"])
