"""Results of an evaluation: expectations per strategy, budget and question, and summary tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mssim._validation import choose_from, counted, level, shown
from mssim.errors import BudgetError, MssimError, StrategyError
from mssim.results.bands import mean_band
from mssim.results.clusters import cluster_labels
from mssim.results.comparison import Comparison, Comparisons
from mssim.results.differences import ASSUMPTIONS, mean_difference
from mssim.results.evaluation_files import PER_QUESTION, VARIANCE, read_results, write_results
from mssim.results.jackknife import Jackknife
from mssim.results.spread import Spread
from mssim.results.summary import check_scope, corrected, limits_on_these, run_scatter, spread_columns
from mssim.rules.plan import QUANTITIES

__all__ = ["Evaluation"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Result of `evaluate`: expectations over draws per strategy, budget and question.

    Attributes
    ----------
    strategies : tuple of str
        Names of the strategies.
    budgets : ndarray of int64, shape (n_budgets,)
        Samples allowed per question.
    questions : DataFrame, one row per question
        The questions of the pool.
    accuracy : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Probability of a correct answer.
    samples_used : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Expected number of samples.
    agreed : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Probability that a stage or window reached agreement or that a stopping rule ended the sampling.
    tokens : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Expected tokens; NaN if they were not recorded.
    cost : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Expected cost in the unit of the recorded costs or prices; NaN if neither is known.
    latency : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Expected seconds until the answer; NaN if they were not recorded.
    n_replays : ndarray of int64, shape (n_strategies, n_budgets)
        Number of replays behind the accuracy; 0 if it is exact.
    provenance : mapping
        Versions, seed, pool fingerprint and settings.
    jackknife : Jackknife or None
        Variances due to the number of recorded samples, if ``evaluate(..., jackknife=True)`` computed them.
    bias : ndarray of float64, shape (n_strategies, n_budgets), or None
        Estimated bias of the mean accuracies by drawing with replacement, if ``evaluate(..., replacement=True)``
        computed it; NaN for strategies whose questions share a budget.
    spread : Spread or None
        Distributions of tokens, cost and latency over questions and draws, if ``evaluate(..., quantiles=True)`` counted
        them.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> pool = load_pool("recorded/tiny-arithmetic")
    >>> evaluation = evaluate(pool, "sc:tf-plus", [1, 4])
    >>> evaluation
    Evaluation(1 strategy, 2 budgets, 300 questions)
    >>> evaluation.accuracy.shape
    (1, 2, 300)
    """

    strategies: tuple[str, ...]
    budgets: NDArray[np.int64]
    questions: pd.DataFrame
    accuracy: Floats
    samples_used: Floats
    agreed: Floats
    tokens: Floats
    cost: Floats
    latency: Floats
    n_replays: NDArray[np.int64]
    provenance: Mapping[str, Any]
    jackknife: Jackknife | None = None
    bias: Floats | None = None
    spread: Spread | None = None

    def to_frame(
        self,
        *,
        confidence_level: float = 0.95,
        clusters: str | None = None,
        band: str = "pointwise",
        scope: str = "questions",
        correct_bias: bool = False,
        quantiles: float | Sequence[float] | None = None,
        tokens_exceed: float | None = None,
        cost_exceeds: float | None = None,
        latency_exceeds: float | None = None,
    ) -> pd.DataFrame:
        """Return the means over questions of every strategy and budget.

        Parameters
        ----------
        confidence_level : float, default 0.95
            Level of the confidence intervals, between 0 and 1.
        clusters : str, optional
            Question column whose equal values mark dependent questions. The default is the column `cluster`, if
            present. ``"question_id"`` treats all questions as independent.
        band : {"pointwise", "simultaneous"}, default "pointwise"
            Whether low and high cover the accuracy at each budget with the confidence level, or the whole curve of a
            strategy, at all budgets together. Simultaneous bands are wider; see `mssim.results.bands`. They hold for
            each strategy, not for all strategies together.
        scope : {"questions", "these"}, default "questions"
            What low and high are about. "questions": the mean accuracy on all questions of this kind, of which these
            are a sample. This interval already contains the noise of a finite number of recorded samples. "these": the
            accuracy on exactly these questions that infinitely many samples would give, see
            `mssim.results.jackknife.these_interval`. It requires ``evaluate(..., jackknife=True)`` and has no clusters.
            `compare` is about all questions of this kind.
        correct_bias : bool, default False
            Add the columns `bias` (estimated bias of accuracy by drawing with replacement) and `corrected` (accuracy -
            bias, limited to 0 to 1). The other columns, with low and high, are not corrected.
        quantiles : float or sequence of float, optional
            Add quantiles of tokens, cost and latency, e.g. the columns `cost_p50` and `cost_p95` for [0.5, 0.95], of
            each quantity that is known. Requires ``evaluate(..., quantiles=True)``, as the next three.
        tokens_exceed, cost_exceeds, latency_exceeds : float, optional
            Add a column of this name: the share of questions and draws that take more than this amount.

        Returns
        -------
        DataFrame, one row per strategy and budget
            Columns: strategy; budget (samples allowed per question); accuracy, low, high (mean over questions and its
            confidence interval); replay_sd (standard deviation of the accuracy of a single run on these questions);
            jackknife_error (standard error of accuracy on these questions, if computed); mc_error (Monte Carlo error of
            accuracy, 0 if exact; NaN, like replay_sd, after a single replay); samples_used, agreed, tokens, cost,
            latency (means over questions); quantiles and shares, if asked for; method (exact or monte_carlo);
            n_questions.

        Raises
        ------
        MssimError
            If an option is invalid, or what it requires was not computed: the jackknife, the bias, or distributions.

        Notes
        -----
        `replay_sd` describes a run that draws from the recorded samples. It is not an error of `accuracy`, and it
        becomes 0 as a budget approaches the number of recorded samples, because all runs then draw the same samples.
        `jackknife_error` is the error of `accuracy` on these questions, and does not become 0.

        Quantiles and shares are over questions and draws together: what a single question may take. They are estimated
        from all replays of all questions, also where the means are exact, and have no interval. A quantile is the
        smallest total that at least this share does not exceed, with a resolution of 1 in 4096; see
        `mssim.results.spread.Spread`.
        """
        low, high = self._limits(confidence_level, clusters, band, scope)
        replay_sd, mc_error = run_scatter(self.accuracy, self.n_replays)
        exceeds = {"tokens": tokens_exceed, "cost": cost_exceeds, "latency": latency_exceeds}
        n_strategies, n_budgets, n_questions = self.accuracy.shape
        columns = {
            "strategy": np.repeat(self.strategies, n_budgets),
            "budget": np.tile(self.budgets, n_strategies),
            "accuracy": self.accuracy.mean(axis=2).ravel(),
            **(corrected(self.accuracy, self.bias) if correct_bias else {}),
            "low": low.ravel(),
            "high": high.ravel(),
            "replay_sd": replay_sd.ravel(),
            **({} if self.jackknife is None else {"jackknife_error": self.jackknife.error().ravel()}),
            "mc_error": mc_error.ravel(),
            "samples_used": self.samples_used.mean(axis=2).ravel(),
            "agreed": self.agreed.mean(axis=2).ravel(),
            **{name: getattr(self, name).mean(axis=2).ravel() for name in QUANTITIES},
            **spread_columns(self.spread, quantiles, exceeds),
            "method": np.where(self.n_replays.ravel() > 0, "monte_carlo", "exact"),
            "n_questions": n_questions,
        }
        return pd.DataFrame(columns)

    def _limits(self, confidence_level: float, clusters: str | None, band: str, scope: str) -> tuple[Floats, Floats]:
        """Return the limits of the confidence intervals, [strategy, budget]."""
        if check_scope(scope) == "questions":
            labels = self.cluster_labels(clusters)
            return mean_band(self.accuracy, confidence_level=confidence_level, clusters=labels, band=band)
        return limits_on_these(self.accuracy, self.n_replays, self.jackknife, confidence_level, band)

    def per_question(self) -> pd.DataFrame:
        """Return the expectations of every strategy, budget and question.

        Returns
        -------
        DataFrame, one row per strategy, budget and question
            Columns: strategy, budget, question_id, accuracy, samples_used, agreed, tokens, cost, latency and the other
            columns of `questions`, and jackknife_variance, if computed. Question columns with a conflicting name
            receive the prefix ``question_``.
        """
        n_strategies, n_budgets, n_questions = self.accuracy.shape
        frame = pd.DataFrame(
            {
                "strategy": np.repeat(self.strategies, n_budgets * n_questions),
                "budget": np.tile(np.repeat(self.budgets, n_questions), n_strategies),
                **{name: getattr(self, name).ravel() for name in PER_QUESTION},
                **({} if self.jackknife is None else {VARIANCE: self.jackknife.variance.ravel()}),
            }
        )
        described = self.questions.iloc[np.tile(np.arange(n_questions), n_strategies * n_budgets)]
        described = described.rename(columns={name: f"question_{name}" for name in frame.columns})
        frame.insert(2, "question_id", described.pop("question_id").to_numpy())
        return frame.join(described.reset_index(drop=True))

    def compare(
        self,
        a: str,
        b: str,
        *,
        budget: int | tuple[int, int],
        margin: float | None = None,
        confidence_level: float = 0.95,
        clusters: str | None = None,
        test: str = "auto",
    ) -> Comparison:
        """Compare two strategies question by question; both used the same draws.

        Parameters
        ----------
        a, b : str
            Names of the strategies, as in `strategies`.
        budget : int or (int, int)
            Budget of both strategies, or the budgets of a and b.
        margin : float, optional
            Largest difference of accuracies without practical importance, e.g. 0.02 for two points. Adds the tests of
            equivalence and non-inferiority.
        confidence_level, clusters
            As in `to_frame`.
        test : {"auto", "gaffke", "t"}, default "auto"
            Construction of interval and p-values, see `mssim.results.differences.mean_difference`. "auto" is "gaffke"
            for independent questions, which assumes no law of the differences, and "t" for clusters, which assumes that
            the sums of clusters are nearly symmetric.

        Returns
        -------
        Comparison
            Difference of the accuracies with interval and p-value, and numbers of wins, ties and losses.

        Raises
        ------
        StrategyError, BudgetError
            If a strategy or budget was not evaluated.
        MssimError
            If another argument is invalid.

        See Also
        --------
        compare_with : Compare many strategies with one, with p-values adjusted for their number.
        """
        budgets = budget if isinstance(budget, tuple) else (budget, budget)
        if len(budgets) != 2 or not all(isinstance(one, int | np.integer) for one in budgets):
            raise BudgetError(f"budget: {shown(budget)} is neither an int nor a pair. Use budget=8 or budget=(8, 16).")
        budget_a, budget_b = budgets
        at_a, at_b = self._index(a, budget_a), self._index(b, budget_b)
        confidence_level = level(confidence_level)
        if not isinstance(test, str) or test not in ("auto", *ASSUMPTIONS):
            raise MssimError(f"test={shown(test)} is not valid. {choose_from(str(test), ['auto', *ASSUMPTIONS])}.")
        difference = self.accuracy[at_a] - self.accuracy[at_b]
        found = mean_difference(
            difference,
            confidence_level=confidence_level,
            clusters=self.cluster_labels(clusters),
            margin=margin,
            method=test,
        )
        noise = sum(self._mc_variance(at) for at in (at_a, at_b))
        tie = np.abs(difference) <= 3 * np.sqrt(noise) + 1e-9
        return Comparison(
            a,
            b,
            int(budget_a),
            int(budget_b),
            difference=float(found.difference),
            low=float(found.low),
            high=float(found.high),
            p_value=float(found.p_value),
            wins=int((~tie & (difference > 0)).sum()),
            ties=int(tie.sum()),
            losses=int((~tie & (difference < 0)).sum()),
            n_questions=difference.size,
            confidence_level=confidence_level,
            test=found.method,
            margin=None if margin is None else float(margin),
            p_noninferior=None if margin is None else float(found.p_noninferior),
            p_equivalent=None if margin is None else float(found.p_equivalent),
        )

    def compare_with(
        self,
        base: str,
        strategies: Sequence[str] | None = None,
        *,
        budgets: ArrayLike | None = None,
        margin: float | None = None,
        confidence_level: float = 0.95,
        clusters: str | None = None,
        test: str = "auto",
    ) -> Comparisons:
        """Compare several strategies with one, with p-values adjusted for the number of comparisons.

        Parameters
        ----------
        base : str
            Name of the strategy with which the others are compared; b in every comparison.
        strategies : sequence of str, optional
            Names of the others, without `base`; a name that is repeated counts once. By default all.
        budgets : int or sequence of int, optional
            Budgets at which they are compared. By default all.
        margin, confidence_level, clusters, test
            As in `compare`.

        Returns
        -------
        Comparisons
            One comparison per strategy and budget. `Comparisons` also makes a family of other pairs.

        Raises
        ------
        StrategyError, BudgetError
            If a strategy or budget was not evaluated, or base is the only strategy.
        MssimError
            If another argument is invalid.
        """
        if isinstance(strategies, str):
            raise StrategyError(f"strategies={strategies!r} is a single name. Use a list, or compare().")
        # A comparison that is named twice is one test.
        others = [name for name in self.strategies if name != base] if strategies is None else list(strategies)
        others = list(dict.fromkeys(others))
        if base in others:
            raise StrategyError(f"strategies: {base!r} is also the base. Remove it: the sides would be equal.")
        if not others:
            raise StrategyError(f"base: {base!r} is the only strategy. Evaluate others too.")
        steps = self.budgets if budgets is None else np.atleast_1d(np.asarray(budgets))
        compare = partial(self.compare, margin=margin, confidence_level=confidence_level, clusters=clusters, test=test)
        return Comparisons(
            compare(name, base, budget=step) for name in others for step in dict.fromkeys(steps.tolist())
        )

    def _mc_variance(self, at: tuple[int, int]) -> Floats:
        accuracy, replays = self.accuracy[at], self.n_replays[at]
        return accuracy * (1 - accuracy) / replays if replays else np.zeros_like(accuracy)

    def _index(self, strategy: str, budget: int) -> tuple[int, int]:
        if not isinstance(strategy, str) or strategy not in self.strategies:
            raise StrategyError(f"no strategy {strategy!r} was evaluated. {choose_from(strategy, self.strategies)}.")
        at = np.nonzero(self.budgets == budget)[0]
        if not at.size:
            raise BudgetError(f"budget {budget} was not evaluated. Choose from {self.budgets.tolist()}.")
        return self.strategies.index(strategy), int(at[0])

    def cluster_labels(self, column: str | None = None) -> NDArray[Any] | None:
        """Return the cluster label of each question as in `to_frame`, or None if all are independent."""
        return cluster_labels(self.questions, column)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the per-question results and provenance atomically to a Parquet file.

        Distributions over questions and draws, if computed, are in the first row of the column `spread`.
        """
        header = {
            "strategies": list(self.strategies),
            "budgets": self.budgets.tolist(),
            "n_replays": self.n_replays.tolist(),
            "provenance": dict(self.provenance),
            **({} if self.jackknife is None else {"share": self.jackknife.share.tolist()}),
            **({} if self.bias is None else {"bias": self.bias.tolist()}),
        }
        write_results(path, self.per_question(), header, self.spread)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Evaluation:
        """Load an evaluation written by `save`."""
        return cls(**read_results(path))

    def __repr__(self) -> str:
        n_strategies, n_budgets, n_questions = self.accuracy.shape
        size = f"{counted(n_strategies, 'strategy', 'strategies')}, {counted(n_budgets, 'budget')}"
        return f"Evaluation({size}, {counted(n_questions, 'question')})"
