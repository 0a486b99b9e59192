"""Comparison of live runs with what replays of an independent recording predict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

from mssim._validation import counted, level, shown, whole_number
from mssim.errors import MssimError, PoolError
from mssim.live.repeats import other_questions, other_settings, refuse_repeats
from mssim.live.replayed_runs import TOTALS, moments
from mssim.live.results import UNFINISHED, LiveRun
from mssim.pools.loading import read_pool
from mssim.pools.pool import Pool
from mssim.rules.base import Strategy
from mssim.rules.parsing import parse_for

__all__ = ["Prediction", "Run", "RunTable", "compare", "predict"]

Floats = NDArray[np.float64]

_SAME = 1e-9  # means closer than this, relatively, are equal
_LEAST_EIGENVALUE = 1e-6  # of a correlation matrix, below which quantities are one


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """What one live run of each strategy is predicted to give, and what it gave.

    Attributes
    ----------
    strategies : tuple of str
        Name of the strategy of each row.
    budgets : ndarray of int64, shape (n_rows,)
        Samples allowed per question.
    quantities : tuple of str
        Quantity of each row: accuracy, samples_used or output_tokens (means over questions).
    n_questions : int
        Number of questions.
    predicted : ndarray of float64, shape (n_rows,)
        Expected values.
    covariance : ndarray of float64, shape (n_rows, n_rows)
        Covariance of live - predicted.
    live : ndarray of float64, shape (n_rows,)
        Values of the live runs; NaN before `compare`.
    notes : tuple of str
        What was left out of the comparison, and why.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.live import predict
    >>> pool = load_pool("recorded/llm-products")
    >>> pool = pool.select(models=["gemma"], questions=pool.question_ids[:50])
    >>> found = predict(pool, "sc:gemma", 4, n_runs=50)
    >>> found.to_frame()[["quantity", "predicted", "sd", "low", "high"]].round(3)
            quantity  predicted     sd     low    high
    0       accuracy      0.545  0.036   0.475   0.614
    1   samples_used      4.000  0.000   4.000   4.000
    2  output_tokens     12.886  0.262  12.373  13.399
    """

    strategies: tuple[str, ...]
    budgets: NDArray[np.int64]
    quantities: tuple[str, ...]
    n_questions: int
    predicted: Floats
    covariance: Floats
    live: Floats
    notes: tuple[str, ...] = field(default=())

    @property
    def sd(self) -> Floats:
        """Standard deviation of live - predicted, by the draws of one run and the finite recording, [row]."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def z(self) -> Floats:
        """(live - predicted) / sd, [row]; 0 or infinite where the prediction is certain."""
        return _ratio(self.live - self.predicted, self.sd, self.predicted)

    def chi_square(self) -> tuple[float, int, float]:
        """Return the joint test of all rows: chi-square, degrees of freedom and p-value.

        Returns
        -------
        chi_square : float
            Squared length of live - predicted in units of its covariance; infinite if a certain row differs.
        df : int
            Number of quantities that can vary, without those that follow from others.
        p_value : float
            Probability of a larger chi-square if the prediction is right; 1 if nothing can vary.
        """
        z, sd = self.z, self.sd
        if np.isinf(z).any():
            return np.inf, len(z), 0.0
        varies = (sd > 0) & ~np.isnan(z)
        if not varies.any():
            return 0.0, 0, 1.0
        correlation = self.covariance[np.ix_(varies, varies)] / np.outer(sd[varies], sd[varies])
        values, vectors = np.linalg.eigh(correlation)
        kept = values > _LEAST_EIGENVALUE
        chi = float((((vectors.T @ z[varies]) ** 2)[kept] / values[kept]).sum())
        return chi, int(kept.sum()), float(scipy.special.chdtrc(int(kept.sum()), chi))

    def to_frame(self, *, confidence_level: float = 0.95) -> pd.DataFrame:
        """Return one row per strategy and quantity.

        Parameters
        ----------
        confidence_level : float, default 0.95
            Level of the intervals, between 0 and 1.

        Returns
        -------
        DataFrame
            strategy, budget, quantity, predicted, sd, low, high (limits of the interval that contains one live run with
            this probability); and, after a live run, live, z, verdict ("as predicted", "higher", "lower").
        """
        quantile = float(scipy.special.ndtri((1 + level(confidence_level)) / 2))
        highest = np.where(np.array(self.quantities) == "accuracy", 1.0, np.inf)
        frame = pd.DataFrame(
            {
                "strategy": self.strategies,
                "budget": self.budgets,
                "quantity": self.quantities,
                "predicted": self.predicted,
                "sd": self.sd,
                "low": np.clip(self.predicted - quantile * self.sd, 0.0, highest),
                "high": np.clip(self.predicted + quantile * self.sd, 0.0, highest),
            }
        )
        if np.isnan(self.live).all():
            return frame
        verdicts = np.where(np.abs(self.z) <= quantile, "as predicted", np.where(self.z > 0, "higher", "lower"))
        return frame.assign(live=self.live, z=self.z, verdict=verdicts)

    def __repr__(self) -> str:
        strategies = counted(len(set(self.strategies)), "strategy", "strategies")
        return f"Prediction({strategies}, {counted(self.n_questions, 'question')})"


@dataclass(frozen=True)
class RunTable:
    """A live run that is known by its table, such as one that was stored.

    Attributes
    ----------
    strategy : str
        The strategy that was run.
    budget : int
        Samples allowed per question.
    frame : DataFrame
        One row per question, with the columns of `LiveRun.to_frame` that `compare` reads.

    Examples
    --------
    >>> RunTable("sc:gemma", 4, pd.DataFrame({"question_id": ["q"], "samples_used": [4]})).to_frame()
      question_id  samples_used
    0           q             4
    """

    strategy: str
    budget: int
    frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return one row per question."""
        return self.frame


class Run(Protocol):
    """A live run, such as `mssim.live.run` returns."""

    @property
    def strategy(self) -> Strategy | str:
        """The strategy that was run."""

    @property
    def budget(self) -> int:
        """Samples allowed per question."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row per question."""


def predict(
    pool: Pool,
    strategies: Strategy | str | Sequence[Strategy | str],
    budget: int | Sequence[int],
    *,
    question_ids: Iterable[str] | None = None,
    n_runs: int = 200,
    seed: int = 0,
) -> Prediction:
    """Predict what one live run of each strategy gives, from an independent recording.

    Parameters
    ----------
    pool : Pool
        Samples of the same models for the same questions, recorded independently of the run.
    strategies : Strategy or str, or sequence of them
        Strategies, as in `mssim.evaluate`.
    budget : int or sequence of int
        Samples allowed per question, for all strategies or one number per strategy.
    question_ids : iterable of str, optional
        Questions of the run. By default all of the pool.
    n_runs : int, default 200
        Number of simulated runs from which the variances are computed. With 200 questions their relative error is less
        than 1 %; where questions share the budget it is sqrt(2 / n_runs).
    seed : int, default 0
        Seed of the replays.

    Returns
    -------
    Prediction
        Accuracy, samples used and output tokens, each with its standard deviation.

    Raises
    ------
    MssimError
        If the pool lacks a model or a question, if a question has too few samples, or if another argument is invalid.

    Notes
    -----
    The expectations are those of replays without replacement, which are unbiased for any number of recorded samples.
    Let r be the variance of one replay on a question, and v the variance of its expectation by the finite recording. By
    the law of total variance, a live run has the variance r + v, and the prediction has the error variance v. The
    variance of live - predicted is therefore the sum of r + 2 v over the Q questions, divided by Q^2. r is measured on
    simulated runs, v by leaving out parts of the recording. To the sum, the largest share of the recorded samples that
    a run draws is added, times the largest r (1 for accuracy). It stands for answers that were never recorded: without
    it, a recording whose samples are all right would say that no live sample is wrong.

    Input tokens are not compared. They are paid once per request, and a live run has requests of other sizes.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.live import predict
    >>> pool = load_pool("recorded/llm-products")
    >>> pool = pool.select(questions=pool.question_ids[:50])
    >>> predict(pool, ["sc:gemma", "ms:gemma+smol"], 8, n_runs=50).to_frame().round(3).iloc[:, 2:7]
            quantity  predicted     sd     low    high
    0       accuracy      0.565  0.031   0.504   0.626
    1   samples_used      8.000  0.000   8.000   8.000
    2  output_tokens     25.772  0.358  25.069  26.474
    3       accuracy      0.561  0.030   0.502   0.620
    4   samples_used      6.738  0.187   6.372   7.103
    5  output_tokens     22.279  0.745  20.820  23.739
    """
    listed = [strategies] if isinstance(strategies, Strategy | str) else list(strategies)
    budgets = [budget] * len(listed) if isinstance(budget, int | np.integer) else list(budget)
    if not listed or len(budgets) != len(listed):
        raise MssimError(f"budget={shown(budget)}: use one number, or one per strategy ({len(listed)}).")
    chosen = pool if question_ids is None else pool.select(questions=question_ids)
    return _predicted(chosen, list(zip(listed, budgets, strict=True)), n_runs, seed, same_draws=False)


def compare(
    live: Run | Sequence[Run], pool: Pool, *, same_draws: bool = False, n_runs: int = 200, seed: int = 0
) -> Prediction:
    """Compare live runs with what replays of an independent recording predict.

    Parameters
    ----------
    live : LiveRun or RunTable, or sequence of them
        Live runs of strategies. Their frames have question_id, samples_used and, where known, correct and
        output_tokens. Questions whose column `stopped` is "unfinished" are left out.
    pool : Pool
        Samples of the same models for the same questions, recorded independently. Questions that only one of both has
        are left out, with a note.
    same_draws : bool, default False
        Whether the live runs used the same samples, as runs into one folder do. It has an effect on the covariance of
        strategies, and so on `Prediction.chi_square`, only.
    n_runs, seed
        As in `predict`.

    Returns
    -------
    Prediction
        The prediction and the live values.

    Raises
    ------
    MssimError
        If no question is in common, if the samples of a `LiveRun` are those of the recording, which a server repeats if
        it gets the same seeds, or as in `predict`.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> from mssim.live import RunTable, compare
    >>> pool = load_pool("recorded/llm-products")
    >>> pool = pool.select(questions=pool.question_ids[:50])

    A replay in place of a live run:

    >>> once = evaluate(pool, "sc:gemma", [4], method="monte_carlo", n_replays=1, seed=9)
    >>> frame = once.questions.assign(correct=once.accuracy[0, 0] == 1, samples_used=4)
    >>> found = compare(RunTable("sc:gemma", 4, frame), pool, n_runs=50)
    >>> found.to_frame()[["quantity", "predicted", "live", "z", "verdict"]].round(3)
           quantity  predicted  live     z       verdict
    0      accuracy      0.545   0.6  1.56  as predicted
    1  samples_used      4.000   4.0  0.00  as predicted
    """
    runs = list(live) if isinstance(live, Sequence) else [live]
    if not runs:
        raise MssimError("live: no runs. Pass at least one.")
    notes: list[str] = []
    for run in runs:
        if isinstance(run, LiveRun):
            samples = read_pool(run.out)
            refuse_repeats(samples, pool)
            other = [*other_settings(samples, pool), *other_questions(samples, pool)]
            notes += [note for note in other if note not in notes]
    frames = [_finished(run) for run in runs]
    common = [question for question in pool.question_ids if all(question in frame.index for frame in frames)]
    if not common:
        raise PoolError("pool: no question of the live run is in it. Use a recording of the same questions.")
    chosen = pool if len(common) == len(pool.questions) else pool.select(questions=common)
    asked = [(run.strategy, run.budget) for run in runs]
    found = _predicted(chosen, asked, n_runs, seed, same_draws=same_draws)
    return _with_live(found, [frame.loc[common] for frame in frames], [*notes, *_left_out(frames, pool, common)])


# Helpers --------------------------------------------------------------------------------------------------------------


def _predicted(
    pool: Pool, asked: Sequence[tuple[Strategy | str, int]], n_runs: int, seed: int, *, same_draws: bool
) -> Prediction:
    """Predict runs over all questions of a pool; rows that are unknown are left out."""
    whole_number("n_runs", n_runs, 2, 10**6)
    whole_number("seed", seed, 0, 2**64 - 1)
    runs = [
        (parse_for(one, pool.models) if isinstance(one, str) else one, whole_number("budget", budget, 1, 2**31))
        for one, budget in asked
    ]
    found = moments(pool, runs, n_runs=n_runs, seed=seed)
    n_questions, n_totals = len(pool.questions), len(TOTALS)
    run_of = np.repeat(np.arange(len(runs)), n_totals)
    alike = np.ones((run_of.size, run_of.size), bool) if same_draws else run_of[:, None] == run_of
    unseen = np.diag(found.share * found.largest)
    covariance = np.where(alike, found.draws + found.recording, 0.0) + found.recording + unseen
    certain = np.sqrt(np.diag(covariance)) <= _SAME * np.abs(found.mean.sum(axis=0))
    covariance[certain] = covariance[:, certain] = 0.0  # rounding errors of means
    notes = []
    if np.isnan(found.mean).any():
        notes.append("output_tokens: the pool does not have them for all samples, so they are not predicted.")
    prediction = Prediction(
        tuple(str(runs[i][0]) for i in run_of),
        np.array([runs[i][1] for i in run_of]),
        TOTALS * len(runs),
        n_questions,
        found.mean.mean(axis=0),
        covariance / n_questions**2,
        np.full(run_of.size, np.nan),
        tuple(notes),
    )
    return _rows(prediction, np.isfinite(found.mean.sum(axis=0)))


def _rows(prediction: Prediction, kept: NDArray[np.bool_], notes: Sequence[str] = ()) -> Prediction:
    places = np.nonzero(kept)[0]
    return replace(
        prediction,
        strategies=tuple(prediction.strategies[i] for i in places),
        budgets=prediction.budgets[kept],
        quantities=tuple(prediction.quantities[i] for i in places),
        predicted=prediction.predicted[kept],
        covariance=prediction.covariance[np.ix_(kept, kept)],
        live=prediction.live[kept],
        notes=(*prediction.notes, *notes),
    )


def _with_live(prediction: Prediction, frames: Sequence[pd.DataFrame], notes: Sequence[str]) -> Prediction:
    """Fill in the means of live runs; quantities that a run does not know for all questions are left out."""
    frame_of = np.cumsum([quantity == TOTALS[0] for quantity in prediction.quantities]) - 1
    columns = {"accuracy": "correct"}
    live = np.array(
        [
            _mean(frames[i], columns.get(quantity, quantity))
            for i, quantity in zip(frame_of, prediction.quantities, strict=True)
        ]
    )
    missing = dict.fromkeys(np.array(prediction.quantities)[np.isnan(live)].tolist())
    notes = [*notes, *(f"{quantity}: a live run does not have it for all questions." for quantity in missing)]
    return _rows(replace(prediction, live=live), np.isfinite(live), notes)


def _mean(frame: pd.DataFrame, column: str) -> float:
    """Return the mean over questions, NaN if one is unknown."""
    if column not in frame:
        return np.nan
    return float(frame[column].astype(float).mean(skipna=False))


def _finished(run: Run) -> pd.DataFrame:
    frame = run.to_frame().set_index("question_id")
    return frame[frame["stopped"] != UNFINISHED] if "stopped" in frame else frame


def _left_out(frames: Sequence[pd.DataFrame], pool: Pool, common: Sequence[str]) -> list[str]:
    """Return a note about the questions that only the runs or the pool have."""
    asked = set().union(*(frame.index for frame in frames))
    only_live, only_pool = len(asked - set(common)), len(pool.questions) - len(common)
    if not only_live and not only_pool:
        return []
    return [
        f"questions: {len(common)} are compared. {only_live} of the live runs and {only_pool} of the pool are not in "
        "all of them and are left out."
    ]


def _ratio(difference: Floats, sd: Floats, predicted: Floats) -> Floats:
    same = np.abs(difference) <= _SAME * np.abs(predicted)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(same, 0.0, difference / sd)
