"""The result of `tune`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.results.differences import mean_difference
from mssim.results.intervals import mean_interval
from mssim.results.multiplicity import holm
from mssim.tuning.choice import (
    Bools,
    Floats,
    Ints,
    Scores,
    _usual,
    accuracy_noise,
    choose_on_sets,
    frontier_of,
    means_on_sets,
    training_sets,
)

__all__ = ["Tuning"]


@dataclass(frozen=True, eq=False, repr=False)
class Tuning:
    """Result of `tune`: the choices at every limit, on all questions and without each fold, and their scores.

    A candidate is a strategy at a budget and has one version. A candidate that is fitted to training questions has a
    version for each strategy that was fitted.

    Attributes
    ----------
    strategies : tuple of str, length n_versions
        Name of the candidate of each version: its strategy, or what is fitted.
    fitted : tuple of str, length n_versions
        Strategy of each version as text.
    budgets : ndarray of int64, shape (n_versions,)
        Budget of each version.
    candidate : ndarray of int64, shape (n_versions,)
        Number of the candidate of each version, from 0.
    usable : ndarray of bool, shape (n_versions, n_folds + 1)
        Whether each version was fitted without each fold, and to all questions. It can be chosen there only.
    questions : DataFrame, one row per question
        The questions of the pool.
    accuracy, spend : ndarray of float64, shape (n_versions, n_questions)
        Expectations over draws.
    n_replays : ndarray of int64, shape (n_versions, n_questions)
        Number of replays behind the accuracy; 0 if it is exact.
    mc_variance : ndarray of float64, shape (n_versions, n_questions)
        Variance of the Monte Carlo error of the accuracy; 0 if it is exact, NaN after a single replay.
    spend_noise : ndarray of float64, shape (n_versions, n_questions)
        Upper bound of the Monte Carlo variance of the spend; 0 if it is exact.
    limits : ndarray of float64, shape (n_limits,)
        Limits of the mean spend per question.
    folds : ndarray of int64, shape (n_questions,)
        Fold in which each question is held out.
    chosen, control : ndarray of int64, shape (n_runs or 1, n_limits, n_folds + 1)
        Version of the chosen candidate, and of the chosen single model (-1 if none is within the limit). The last axis
        contains the choices without each fold, then the choice on all questions.
    training : ndarray of float64, shape (n_runs or 1, n_limits, n_folds + 1)
        Accuracy of each chosen candidate on the data on which it was chosen: the training questions, in the same run.
    in_sample : ndarray of float64, shape (n_runs or 1, n_limits, n_questions)
        Accuracy of the choice on all questions: the expectation or, with runs, the outcome (0 or 1) in the same
        run.
    clusters : ndarray of str, shape (n_questions,), or None
        Cluster label of each question; None if all questions are independent.
    n_runs : int or None
        Number of runs.
    left_out : mapping of str to str
        Rules of the families that the pool cannot run, with the reason.
    provenance : mapping
        Versions, seed, pool fingerprint and settings.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.tuning import tune
    >>> tune(load_pool("recorded/llm-products"), ["sc:gemma", "sc:smol"], [1, 4])
    Tuning(4 candidates, 2 limits, 159 questions in 10 folds)
    """

    strategies: tuple[str, ...]
    fitted: tuple[str, ...]
    budgets: Ints
    candidate: Ints
    usable: Bools
    questions: pd.DataFrame
    accuracy: Floats
    spend: Floats
    n_replays: Ints
    mc_variance: Floats
    spend_noise: Floats
    limits: Floats
    folds: Ints
    chosen: Ints
    control: Ints
    training: Floats
    in_sample: Floats
    clusters: NDArray[Any] | None
    n_runs: int | None
    left_out: Mapping[str, str]
    provenance: Mapping[str, Any]

    def to_frame(self, *, confidence_level: float = 0.95, test: str = "t") -> pd.DataFrame:
        """Return the choices and their scores; with runs, all scores are means over runs.

        Parameters
        ----------
        confidence_level : float, default 0.95
            Level of the confidence intervals, between 0 and 1.
        test : {"t", "gaffke"}, default "t"
            Construction of the interval and p-value of gain, see Notes.

        Returns
        -------
        DataFrame, one row per limit
            Columns: limit; strategy, fitted, budget (most frequent choice on all questions, and the text of its
            strategy as fitted to all questions); same_choice (share of folds with this choice); in_sample (accuracy on
            the data on which it was chosen); fresh (expected accuracy on the same questions with other draws);
            held_out, low, high (accuracy of each question under the choice without its fold, with confidence interval);
            optimism (in_sample - held_out), mc_error (Monte Carlo error of optimism, 0 if exact); spend, held_out_spend
            (means per question); control, control_budget, control_held_out, control_spend (the best single model,
            chosen in the same way; NaN if no single model is within the limit); gain (held_out - control_held_out),
            gain_low, gain_high, p_value (for a gain of zero); p_holm (p_value adjusted for the number of limits);
            n_folds, n_questions.

        Notes
        -----
        Folds share most of their training questions, so held-out values are dependent. The standard errors of held_out
        and gain are therefore multiplied by sqrt(1 + K / (K - 1)) for K folds, after Nadeau & Bengio (2003,
        doi:10.1023/A:1024068626366). The gain has Student's t, with the jackknife over clusters if there are any, and
        Gaffke's interval if it is the same on all questions. In simulations at 95 % with 50 to 500 questions, held_out
        covers at least 97 % and a symmetric gain 92 to 98 %, with sizes of tests at 5 % of 2 to 6 %. A rare, large gain
        is not symmetric: if a strategy gains 0.45 on one question of ten and loses 0.05 on the others, the size is 18 %
        with 50 questions and 9 % with 500. ``test="gaffke"`` has a size of 0 there, and a wider interval. Optimism has
        no interval, because none of the usual ones covers.
        """
        held, control = (self._held_out(self.accuracy, chosen) for chosen in (self.chosen, self.control))
        optimism, gain = self.in_sample.mean(axis=0) - held, held - control
        low, high = self._interval(held, confidence_level)
        gained = mean_difference(
            gain, confidence_level=confidence_level, clusters=self.clusters, method=test, stretch=self._stretch()
        )
        usual, usual_control = _usual(self.chosen), _usual(self.control)
        columns = {
            "limit": self.limits,
            "strategy": [self.strategies[i] for i in usual],
            "fitted": [self.fitted[i] for i in usual],
            "budget": self.budgets[usual],
            "same_choice": (self.candidate[self.chosen[:, :, :-1]] == self.candidate[usual][:, None]).mean(axis=(0, 2)),
            "in_sample": self.in_sample.mean(axis=(0, 2)),
            "fresh": self.accuracy[self.chosen[:, :, -1]].mean(axis=(0, 2)),
            "held_out": held.mean(axis=1),
            "low": low,
            "high": high,
            "optimism": optimism.mean(axis=1),
            "mc_error": self._mc_error(),
            "spend": self.spend[self.chosen[:, :, -1]].mean(axis=(0, 2)),
            "held_out_spend": self._held_out(self.spend, self.chosen).mean(axis=1),
            "control": [self.strategies[i] if i >= 0 else None for i in usual_control],
            "control_budget": np.where(usual_control >= 0, self.budgets[usual_control], np.nan),
            "control_held_out": control.mean(axis=1),
            "control_spend": self._held_out(self.spend, self.control).mean(axis=1),
            "gain": gain.mean(axis=1),
            "gain_low": gained.low,
            "gain_high": gained.high,
            "p_value": gained.p_value,
            "p_holm": holm(gained.p_value),
            "n_folds": self.chosen.shape[2] - 1,
            "n_questions": self.folds.size,
        }
        return pd.DataFrame(columns)

    def choices(self) -> pd.DataFrame:
        """Return the choices made without each fold.

        Returns
        -------
        DataFrame, one row per limit, fold and choice
            Columns: limit; fold (from 1); n_questions (held out); strategy, fitted, budget (the choice, and the text of
            its strategy as fitted to the training questions); share (of runs with this choice, 1 without runs);
            training (accuracy on the data on which it was chosen); held_out, spend (expected accuracy and spend on the
            held-out questions).
        """
        rows = []
        for i, fold in np.ndindex(self.limits.size, self.chosen.shape[2] - 1):
            chosen, out = self.chosen[:, i, fold], self.folds == fold
            found, counts = np.unique(chosen, return_counts=True)
            for at in np.argsort(-counts, kind="stable"):
                row = found[at]
                rows.append(
                    {
                        "limit": self.limits[i],
                        "fold": fold + 1,
                        "n_questions": int(out.sum()),
                        "strategy": self.strategies[row],
                        "fitted": self.fitted[row],
                        "budget": self.budgets[row],
                        "share": counts[at] / chosen.size,
                        "training": self.training[chosen == row, i, fold].mean(),
                        "held_out": self.accuracy[row, out].mean(),
                        "spend": self.spend[row, out].mean(),
                    }
                )
        return pd.DataFrame(rows)

    def candidates(self) -> pd.DataFrame:
        """Return strategy, fitted, budget, expected spend and accuracy (in_sample) of each candidate on all questions.

        What is fitted is fitted to all questions, as is the text `fitted` of its strategy.
        """
        return self._rows(np.flatnonzero(self.usable[:, -1]))

    def _rows(self, rows: Ints) -> pd.DataFrame:
        means = {"spend": self.spend[rows].mean(axis=1), "in_sample": self.accuracy[rows].mean(axis=1)}
        named = {"strategy": [self.strategies[i] for i in rows], "fitted": [self.fitted[i] for i in rows]}
        return pd.DataFrame({**named, "budget": self.budgets[rows], **means})

    def frontier(self, *, confidence_level: float = 0.95) -> pd.DataFrame:
        """Return the frontier of spend and accuracy on all questions: the choices within increasing limits.

        Parameters
        ----------
        confidence_level : float, default 0.95
            Level of the confidence intervals, between 0 and 1.

        Returns
        -------
        DataFrame, one row per candidate on the frontier, cheapest first
            Columns: strategy, fitted, budget, spend, in_sample; limit (lowest limit within which the candidate is
            chosen; it is its spend where accuracies are exact); held_out, low, high (accuracy on held-out questions of
            the choice within this limit, with confidence interval; NaN if some training set has no candidate within
            it); folds (number of training sets whose frontier contains the candidate).

        Notes
        -----
        The frontier is selected by its own scores, so in_sample is biased upwards. All columns are expectations and do
        not depend on runs. A candidate that is more accurate only within Monte Carlo error is not on the frontier.
        """
        scores = Scores(self.accuracy, self.spend, accuracy_noise(self.mc_variance, self.n_replays), self.spend_noise)
        means = means_on_sets(scores, training_sets(self.folds), self.usable)
        frontier, limits = frontier_of(means[-1])
        held = self._held_out(self.accuracy, choose_on_sets(means, limits)[None])
        low, high = self._interval(held, confidence_level)
        again = [np.isin(self.candidate[frontier], self.candidate[frontier_of(one)[0]]) for one in means[:-1]]
        return self._rows(frontier).assign(
            limit=limits, held_out=held.mean(axis=1), low=low, high=high, folds=np.sum(again, axis=0)
        )

    def _held_out(self, values: Floats, chosen: Ints) -> Floats:
        """Return the mean over runs of the choices without each question's fold, [limit, question]; NaN if missing."""
        picked = chosen[:, :, self.folds]
        return np.asarray(np.where(picked >= 0, values[picked, np.arange(self.folds.size)], np.nan).mean(axis=0))

    def _stretch(self) -> float:
        """Return the factor of standard errors for folds that share training questions."""
        n_folds = self.chosen.shape[2] - 1
        return float(np.sqrt(1 + n_folds / (n_folds - 1)))

    def _interval(self, values: Floats, confidence_level: float) -> tuple[Floats, Floats]:
        return mean_interval(values, confidence_level=confidence_level, clusters=self.clusters, stretch=self._stretch())

    def _mc_error(self) -> Floats:
        """Return the Monte Carlo error of optimism over runs or, without runs, over the replays of both accuracies."""
        questions = np.arange(self.folds.size)
        everywhere, without = self.chosen[:, :, -1:], self.chosen[:, :, self.folds]
        if self.n_runs == 1:
            return np.full(self.limits.size, np.nan)
        if self.n_runs:
            optimism = (self.in_sample - self.accuracy[without, questions]).mean(axis=2)
            return np.asarray(optimism.std(axis=0, ddof=1) / np.sqrt(self.n_runs))
        noise = self.mc_variance
        both = np.where(everywhere == without, 0, noise[everywhere, questions] + noise[without, questions])
        return np.asarray(np.sqrt(both[0].sum(axis=1)) / questions.size)

    def __repr__(self) -> str:
        n_candidates, n_questions = int(self.candidate.max()) + 1, self.folds.size
        size = f"{counted(n_candidates, 'candidate')}, {counted(self.limits.size, 'limit')}"
        return f"Tuning({size}, {counted(n_questions, 'question')} in {counted(self.chosen.shape[2] - 1, 'fold')})"
