"""Differences between a pool and the answer model that was fitted to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from mssim.at_k import agreement_at_k, maj_at_k, pass_at_k
from mssim.engine.evaluate import evaluate
from mssim.results.clusters import standard_error
from mssim.results.multiplicity import holm
from mssim.rules.strategies import ModelSwitch
from mssim.rules.votes import Vote
from mssim.simulate import one_model
from mssim.simulate._expected import expected
from mssim.simulate.influence import Influence, gradient
from mssim.simulate.model import AnswerModel
from mssim.simulate.one_model import Law
from mssim.simulate.pool_fit import Recorded

__all__ = ["ALPHA", "misfits"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALPHA = 0.05
_QUESTIONS = 2**12  # of the expected accuracy of pairs
MOST_OF_A_PAIR = 8  # samples of each model, for which both closed forms are fast
_ROUNDING = 1e-9
_PLAIN = ("maj@k", "pass@k", "agreement@k", "distinct answers")


class _Row(NamedTuple):
    """One quantity of a pool and its fit."""

    model: str
    quantity: str
    k: int
    values: Floats  # [question], recorded ones only
    deviations: Floats  # [question], of the pool minus the fit, with mean 0; first order
    pool_error: float
    fitted: float
    mc_error: float = 0.0


def misfits(
    numbers: Recorded, answer_model: AnswerModel, found: Influence, k: Ints | None, clusters: NDArray[Any] | None
) -> pd.DataFrame:
    """Return the table of `FitReport.misfit`; without k, powers of four up to 64 and up to the recorded samples."""
    rows: list[_Row] = []
    for m, model in enumerate(answer_model.models):
        lengths = numbers.pool.lengths[m]
        draws = _draws(k, int(lengths[lengths > 0].min()))
        rows += _alone(numbers, m, answer_model.law(model), found.laws[m], draws, clusters)
    rows += _pairs(numbers, answer_model, k, clusters)
    n_clusters = numbers.right.shape[1] if clusters is None else len(set(clusters.tolist()))
    frame = pd.DataFrame([_compared(row, n_clusters, clusters) for row in rows])
    frame["p_value_holm"] = holm(frame["p_value"])
    frame["beyond_noise"] = frame["p_value_holm"] < ALPHA
    return frame


def _draws(k: Ints | None, most: int) -> Ints:
    draws = np.array([4, 16, 64]) if k is None else k
    return draws[(draws > 1) & (draws <= most)]


def _compared(row: _Row, n_clusters: int, clusters: NDArray[Any] | None) -> dict[str, Any]:
    """Return the difference of the fit from the pool and whether noise explains it."""
    pool = float(row.values.mean())
    noise = float(np.hypot(_noise(row, pool, n_clusters, clusters), row.mc_error))
    difference = row.fitted - pool
    if abs(difference) < _ROUNDING:
        p_value = 1.0
    else:
        p_value = 2 * float(special.stdtr(max(n_clusters - 1, 1), -abs(difference) / noise)) if noise else 0.0
    return {
        "model": row.model,
        "quantity": row.quantity,
        "k": row.k,
        "pool": pool,
        "pool_error": row.pool_error,
        "fitted": row.fitted,
        "difference": difference,
        "noise": noise,
        "p_value": p_value,
    }


def _noise(row: _Row, pool: float, n_clusters: int, clusters: NDArray[Any] | None) -> float:
    """Return the standard error of the difference, no smaller than if the fit were the truth."""
    noise = float(standard_error(row.deviations, clusters))
    # The spread of rare events is poorly estimated by the few that were recorded.
    most = row.k if row.quantity == "distinct answers" else 1
    fitted = row.fitted * (most - row.fitted)
    if np.ptp(row.values) < _ROUNDING:
        return max(noise, float(np.sqrt(fitted / n_clusters)))
    return noise * float(np.sqrt(max(1.0, fitted / (pool * (most - pool)))))


# One model ------------------------------------------------------------------------------------------------------------


def _alone(
    numbers: Recorded, m: int, law: Law, moved: Floats, draws: Ints, clusters: NDArray[Any] | None
) -> Iterator[_Row]:
    there = numbers.pool.lengths[m] > 0
    answered = numbers.answered[m][there]
    never = one_model.never_right(law, answered)

    def curves(law: Law) -> Floats:
        return np.array(
            [
                float(one_model.accuracy(law, np.array([1]))[0]),
                *one_model.accuracy(law, draws),
                *one_model.coverage(law, draws),
                *one_model.agreement(law, draws, 1.0, strict=False),
                *one_model.distinct(law, draws),
                float(one_model.never_right(law, answered).mean()),
            ]
        )

    values = _recorded_curves(numbers, m, there, draws)
    fitted = curves(law)
    follows = np.zeros((len(fitted), there.size))
    follows[:, there] = values - values.mean(axis=1, keepdims=True)
    follows[-1, there] -= never - never.mean()  # the fit is about these numbers of answers
    follows = follows / there.mean() - gradient(law, curves).T @ np.nan_to_num(moved)
    names = [("accuracy", 1), *((name, int(k)) for name in _PLAIN for k in draws)]
    names.append(("never right", int(numbers.pool.lengths[m].max())))
    where = None if clusters is None else clusters[there]
    for (name, k), value, deviation, fit in zip(names, values, follows, fitted, strict=True):
        error = float(standard_error(value, where))
        yield _Row(numbers.pool.models[m], name, k, value, deviation, error, float(fit))


def _recorded_curves(numbers: Recorded, m: int, there: NDArray[np.bool_], draws: Ints) -> Floats:
    """Return the same quantities of the pool without replacement, [quantity, question]."""
    pool = numbers.pool
    lengths, right = pool.lengths[m][there].astype(np.int64), numbers.right[m][there]
    votes, correct = _dense(numbers, m, there)
    none = lengths - numbers.answered[m][there]
    curves = [right[:, None] / lengths[:, None]]
    if draws.size:
        wrong = np.where(correct, 0, votes)
        rows, classes = np.nonzero(wrong)
        seen = pass_at_k(lengths, right, draws)
        distinct = seen.copy()
        np.add.at(distinct, rows, pass_at_k(lengths[rows], wrong[rows, classes], draws))
        majority = maj_at_k(votes, draws, correct=correct, no_answer=none)
        curves += [majority, seen, agreement_at_k(votes, draws, no_answer=none), distinct]
    curves.append((right == 0)[:, None].astype(float))
    return np.concatenate(curves, axis=1).T


def _dense(numbers: Recorded, m: int, there: NDArray[np.bool_]) -> tuple[Ints, NDArray[np.bool_]]:
    """Return votes and correctness [question, class] of the answers of one model, as few columns as possible."""
    offsets, votes = numbers.pool.class_offsets, numbers.votes[m]
    given = np.flatnonzero(votes)
    question = np.searchsorted(offsets, given, side="right") - 1
    place = np.arange(given.size) - np.searchsorted(question, question)
    shape = (there.size, int(place.max()) + 1)
    dense, correct = np.zeros(shape, np.int64), np.zeros(shape, bool)
    dense[question, place], correct[question, place] = votes[given], numbers.pool.class_correct[given]
    return dense[there], correct[there]


# Two models -----------------------------------------------------------------------------------------------------------


def _pairs(
    numbers: Recorded, answer_model: AnswerModel, k: Ints | None, clusters: NDArray[Any] | None
) -> Iterator[_Row]:
    """Compare ModelSwitch of pairs, with k samples of each model; the fit follows the pool, which is neglected."""
    for pair in combinations(answer_model.models, 2):
        members = [answer_model.models.index(model) for model in pair]
        lengths = numbers.pool.lengths[members]
        most = min(int(lengths.min()), MOST_OF_A_PAIR)
        budgets = (2 * _draws(k, most)).tolist()
        if not budgets:
            continue
        rule = {"+".join(pair): ModelSwitch(pair, vote=Vote.plurality())}
        accuracy = evaluate(numbers.pool, rule, budgets, method="exact").accuracy[0]
        fitted = expected(_only(answer_model, members), rule, budgets, n_questions=_QUESTIONS)
        found = fitted[["accuracy", "accuracy_error"]].to_numpy(float)
        for budget, values, (mean, mc_error) in zip(budgets, accuracy, found, strict=True):
            error = float(standard_error(values, clusters))
            about = ("+".join(pair), "ModelSwitch", budget)
            yield _Row(*about, values, values - values.mean(), error, float(mean), float(mc_error))


def _only(answer_model: AnswerModel, members: Sequence[int]) -> AnswerModel:
    models = [answer_model.models[m] for m in members]
    sure, a, b, spread, no_answer = zip(*(answer_model.law(model) for model in models), strict=True)
    table = np.array(answer_model.correlation)[np.ix_(members, members)].tolist()
    shared = answer_model.shared_distractors
    return AnswerModel(models, sure, a, b, spread, table, shared, no_answer)
