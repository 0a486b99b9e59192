"""The result of `tune`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mssim.results.intervals import mean_interval, sign_flip_p_value
from mssim.tuning.choice import Floats, Ints, _usual, choose_on_sets, training_sets, undominated


@dataclass(frozen=True, eq=False, repr=False)
class Tuning:
    """What `tune` found: the choice at every limit, made on all questions and without each fold, and how good it is.

    Attributes
    ----------
    strategies : tuple of str, budgets : ndarray of int64, shape (n_candidates,)
        What could be chosen.
    questions : DataFrame, one row per question
    accuracy, spend : ndarray of float64, shape (n_candidates, n_questions)
        Expectations over draws.
    n_replays : ndarray of int64, shape (n_candidates,)
        Replays behind the accuracy; 0 where it is exact.
    limits : ndarray of float64, shape (n_limits,)
    folds : ndarray of int64, shape (n_questions,)
        The fold in which a question is held out.
    chosen, control : ndarray of int64, shape (n_runs or 1, n_limits, n_folds + 1)
        Row of the candidate, and of the best single model (-1: none within the limit), chosen without each fold and,
        last, on all questions.
    training : ndarray of float64, same shape
        Accuracy of `chosen` on the questions, and in the run, it was chosen on.
    in_sample : ndarray of float64, shape (n_runs or 1, n_limits, n_questions)
        Of the choice on all questions: expectation, or right (1) and wrong (0) in the run it was chosen on.
    clusters : ndarray of str, shape (n_questions,), or None where every question is its own
    n_runs : int or None
    provenance : mapping
        Versions, seed, pool fingerprint and settings.
    """

    strategies: tuple[str, ...]
    budgets: Ints
    questions: pd.DataFrame
    accuracy: Floats
    spend: Floats
    n_replays: Ints
    limits: Floats
    folds: Ints
    chosen: Ints
    control: Ints
    training: Floats
    in_sample: Floats
    clusters: NDArray[Any] | None
    n_runs: int | None
    provenance: Mapping[str, Any]

    def to_frame(self, *, confidence_level: float = 0.95) -> pd.DataFrame:
        """One row per limit; with runs, every number is a mean over them.

        Parameters
        ----------
        confidence_level : float, default 0.95

        Returns
        -------
        DataFrame
            limit; strategy, budget (chosen on all questions, in most runs); same_choice (share of folds that chose the
            same); in_sample (accuracy of the choice on the questions, and in the run, that it was chosen on); fresh (on
            the same questions, expected of other draws); held_out, low, high (each question scored by the choice made
            without its fold, with confidence interval); optimism (in_sample - held_out), optimism_low, optimism_high,
            mc_error (Monte Carlo error of optimism; 0 where exact); spend, held_out_spend (mean per question);
            control, control_budget, control_held_out, control_spend (the best single model, chosen likewise, NaN where
            none is among the candidates within the limit); gain (held_out - control_held_out), gain_low, gain_high,
            p_value (sign-flip permutation); n_folds, n_questions.
        """
        held, control = (self._held_out(self.accuracy, chosen) for chosen in (self.chosen, self.control))
        optimism, gain = self.in_sample.mean(axis=0) - held, held - control
        low, high = self._interval(held, confidence_level, bounded=True)
        optimism_low, optimism_high = self._interval(optimism, confidence_level)
        gain_low, gain_high = self._interval(gain, confidence_level)
        usual, usual_control = _usual(self.chosen), _usual(self.control)
        columns = {
            "limit": self.limits,
            "strategy": [self.strategies[i] for i in usual],
            "budget": self.budgets[usual],
            "same_choice": (self.chosen[:, :, :-1] == usual[:, None]).mean(axis=(0, 2)),
            "in_sample": self.in_sample.mean(axis=(0, 2)),
            "fresh": self.accuracy[self.chosen[:, :, -1]].mean(axis=(0, 2)),
            "held_out": held.mean(axis=1),
            "low": low,
            "high": high,
            "optimism": optimism.mean(axis=1),
            "optimism_low": optimism_low,
            "optimism_high": optimism_high,
            "mc_error": self._mc_error(),
            "spend": self.spend[self.chosen[:, :, -1]].mean(axis=(0, 2)),
            "held_out_spend": self._held_out(self.spend, self.chosen).mean(axis=1),
            "control": [self.strategies[i] if i >= 0 else None for i in usual_control],
            "control_budget": np.where(usual_control >= 0, self.budgets[usual_control], np.nan),
            "control_held_out": control.mean(axis=1),
            "control_spend": self._held_out(self.spend, self.control).mean(axis=1),
            "gain": gain.mean(axis=1),
            "gain_low": gain_low,
            "gain_high": gain_high,
            "p_value": [self._p_value(differences) for differences in gain],
            "n_folds": self.chosen.shape[2] - 1,
            "n_questions": self.folds.size,
        }
        return pd.DataFrame(columns)

    def choices(self) -> pd.DataFrame:
        """One row per limit, fold and choice made without that fold.

        Returns
        -------
        DataFrame
            limit; fold (from 1); n_questions (held out); strategy, budget; share (of the runs that chose it, 1 without
            runs); training (accuracy on the questions, and in the runs, it was chosen on), held_out, spend (expected
            accuracy and spend on the questions held out).
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
                        "budget": self.budgets[row],
                        "share": counts[at] / chosen.size,
                        "training": self.training[chosen == row, i, fold].mean(),
                        "held_out": self.accuracy[row, out].mean(),
                        "spend": self.spend[row, out].mean(),
                    }
                )
        return pd.DataFrame(rows)

    def candidates(self) -> pd.DataFrame:
        """One row per candidate: strategy, budget, and its expected spend and accuracy (in_sample) on all questions."""
        means = {"spend": self.spend.mean(axis=1), "in_sample": self.accuracy.mean(axis=1)}
        return pd.DataFrame({"strategy": self.strategies, "budget": self.budgets, **means})

    def frontier(self, *, confidence_level: float = 0.95) -> pd.DataFrame:
        """One row per candidate, cheapest first, that no other beats in both spend and accuracy on all questions.

        A frontier is chosen by its scores. So `held_out`, with its confidence interval low to high, is the accuracy on
        other questions of what one chooses for the spend of that row (NaN where without some fold nothing is that
        cheap), and `folds` in how many of the training sets the candidate is on the frontier too. Expectations only:
        runs play no part.

        Parameters
        ----------
        confidence_level : float, default 0.95

        Returns
        -------
        DataFrame
            strategy, budget, spend, in_sample, held_out, low, high, folds.
        """
        sets = training_sets(self.folds)
        accuracy, spend = self.accuracy @ sets.T, self.spend @ sets.T
        frontier = undominated(accuracy[:, -1], spend[:, -1])
        held = self._held_out(self.accuracy, choose_on_sets(accuracy, spend, spend[frontier, -1])[None])
        low, high = self._interval(held, confidence_level, bounded=True)
        again = [np.isin(frontier, undominated(accuracy[:, s], spend[:, s])) for s in range(len(sets) - 1)]
        frame = self.candidates().iloc[frontier].reset_index(drop=True)
        return frame.assign(held_out=held.mean(axis=1), low=low, high=high, folds=np.sum(again, axis=0))

    def _held_out(self, values: Floats, chosen: Ints) -> Floats:
        """Mean over runs of what was chosen without each question's fold, [limit, question]; NaN where nothing was."""
        picked = chosen[:, :, self.folds]
        return np.asarray(np.where(picked >= 0, values[picked, np.arange(self.folds.size)], np.nan).mean(axis=0))

    def _interval(self, values: Floats, confidence_level: float, *, bounded: bool = False) -> tuple[Floats, Floats]:
        return mean_interval(values, confidence_level=confidence_level, clusters=self.clusters, bounded=bounded)

    def _p_value(self, differences: Floats) -> float:
        if np.isnan(differences).any():
            return float("nan")
        return sign_flip_p_value(differences, clusters=self.clusters, seed=self.provenance["seed"])

    def _mc_error(self) -> Floats:
        """Scatter of optimism over runs; without runs, of the replays behind its two accuracies, as if independent."""
        questions = np.arange(self.folds.size)
        everywhere, without = self.chosen[:, :, -1:], self.chosen[:, :, self.folds]
        if self.n_runs == 1:
            return np.full(self.limits.size, np.nan)
        if self.n_runs:
            optimism = (self.in_sample - self.accuracy[without, questions]).mean(axis=2)
            return np.asarray(optimism.std(axis=0, ddof=1) / np.sqrt(self.n_runs))
        # The mean over R replays has variance p (1 - p) / R, for which p itself gives R / (R - 1) too little.
        others = np.select([self.n_replays == 0, self.n_replays == 1], [np.inf, np.nan], self.n_replays - 1.0)
        noise = self.accuracy * (1 - self.accuracy) / others[:, None]
        both = np.where(everywhere == without, 0, noise[everywhere, questions] + noise[without, questions])
        return np.asarray(np.sqrt(both[0].sum(axis=1)) / questions.size)

    def __repr__(self) -> str:
        n_candidates, n_questions = self.accuracy.shape
        n_folds = self.chosen.shape[2] - 1
        return (
            f"Tuning({n_candidates} candidates, {self.limits.size} limits, {n_questions} questions in {n_folds} folds)"
        )
