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

from mssim._validation import counted, shown
from mssim.errors import BudgetError
from mssim.results.bands import mean_band
from mssim.results.clusters import cluster_labels
from mssim.results.comparison import Comparison, Comparisons, compare_pair
from mssim.results.equal_money import EqualMoney, checked_spend, equal_money
from mssim.results.evaluation_files import PER_QUESTION, REPLAYED, VARIANCE, read_results, write_results
from mssim.results.jackknife import Jackknife
from mssim.results.named import column_of, common_budgets, others_of, row_of
from mssim.results.spread import Spread
from mssim.results.summary import (
    check_scope,
    corrected,
    error_of_mean,
    limits_on_these,
    run_scatter,
    spread_columns,
)
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
        Samples allowed per question. Arrays are NaN at the budgets of other strategies, see `evaluated`.
    questions : DataFrame, one row per question
        The questions of the pool.
    accuracy : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Probability of a correct answer.
    samples_used : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Expected number of samples.
    agreed : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Probability that a stage or window reached agreement, that a stopping rule ended the sampling, or that a
        verifier accepted a sample.
    tokens : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Expected tokens; NaN if they were not recorded.
    cost : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Expected cost in the unit of the recorded costs or prices; NaN if neither is known.
    latency : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Expected seconds until the answer; NaN if they were not recorded.
    n_replays : ndarray of int64, shape (n_strategies, n_budgets, n_questions)
        Number of replays behind the accuracy; 0 if it is exact.
    mc_variance : ndarray of float64, shape (n_strategies, n_budgets, n_questions)
        Variance of the Monte Carlo error of the accuracy; 0 if it is exact, NaN after a single replay.
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
    >>> pool = load_pool("recorded/llm-products")
    >>> evaluation = evaluate(pool, "sc:gemma", [1, 4])
    >>> evaluation
    Evaluation(1 strategy, 2 budgets, 159 questions)
    >>> evaluation.accuracy.shape
    (1, 2, 159)
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
    mc_variance: Floats
    provenance: Mapping[str, Any]
    jackknife: Jackknife | None = None
    bias: Floats | None = None
    spread: Spread | None = None

    @property
    def evaluated(self) -> NDArray[np.bool_]:
        """Whether a strategy was evaluated at a budget, [strategy, budget]: all, unless strategies have own budgets."""
        return ~np.isnan(self.accuracy[:, :, 0])

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
        DataFrame, one row per strategy and budget at which it was evaluated
            Columns: strategy; budget (samples allowed per question); accuracy, low, high (mean over questions and its
            confidence interval); replay_sd (standard deviation of the accuracy of a single run on these questions);
            jackknife_error (standard error of accuracy on these questions, if computed); mc_error (Monte Carlo error of
            accuracy, 0 if exact; NaN, like replay_sd, after a single replay); samples_used, agreed, tokens, cost,
            latency (means over questions); quantiles and shares, if asked for; method (exact or monte_carlo); n_replays
            (mean over questions); n_questions.

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
        exceeds = {"tokens": tokens_exceed, "cost": cost_exceeds, "latency": latency_exceeds}
        n_strategies, n_budgets, n_questions = self.accuracy.shape
        columns = {
            "strategy": np.repeat(self.strategies, n_budgets),
            "budget": np.tile(self.budgets, n_strategies),
            "accuracy": self.accuracy.mean(axis=2).ravel(),
            **(corrected(self.accuracy, self.bias) if correct_bias else {}),
            "low": low.ravel(),
            "high": high.ravel(),
            "replay_sd": run_scatter(self.accuracy, self.mc_variance).ravel(),
            **({} if self.jackknife is None else {"jackknife_error": self.jackknife.error().ravel()}),
            "mc_error": error_of_mean(self.mc_variance).ravel(),
            "samples_used": self.samples_used.mean(axis=2).ravel(),
            "agreed": self.agreed.mean(axis=2).ravel(),
            **{name: getattr(self, name).mean(axis=2).ravel() for name in QUANTITIES},
            **spread_columns(self.spread, quantiles, exceeds),
            "method": np.where(self.n_replays.any(axis=2).ravel(), "monte_carlo", "exact"),
            "n_replays": self.n_replays.mean(axis=2).ravel(),
            "n_questions": n_questions,
        }
        return pd.DataFrame(columns)[self.evaluated.ravel()].reset_index(drop=True)

    def _limits(self, confidence_level: float, clusters: str | None, band: str, scope: str) -> tuple[Floats, Floats]:
        """Return the limits of the confidence intervals, [strategy, budget]."""
        if check_scope(scope) == "questions":
            labels = self.cluster_labels(clusters)
            return mean_band(self.accuracy, confidence_level=confidence_level, clusters=labels, band=band)
        return limits_on_these(self.accuracy, self.mc_variance, self.jackknife, confidence_level, band)

    def per_question(self) -> pd.DataFrame:
        """Return the expectations of every strategy, budget and question.

        Returns
        -------
        DataFrame, one row per strategy, budget at which it was evaluated, and question
            Columns: strategy, budget, question_id, accuracy, samples_used, agreed, tokens, cost, latency, n_replays,
            mc_variance and the other columns of `questions`, and jackknife_variance, if computed. Question columns with
            a conflicting name
            receive the prefix ``question_``.
        """
        n_strategies, n_budgets, n_questions = self.accuracy.shape
        frame = pd.DataFrame(
            {
                "strategy": np.repeat(self.strategies, n_budgets * n_questions),
                "budget": np.tile(np.repeat(self.budgets, n_questions), n_strategies),
                **{name: getattr(self, name).ravel() for name in PER_QUESTION},
                **{name: getattr(self, name).ravel() for name in REPLAYED},
                **({} if self.jackknife is None else {VARIANCE: self.jackknife.variance.ravel()}),
            }
        )
        described = self.questions.iloc[np.tile(np.arange(n_questions), n_strategies * n_budgets)]
        described = described.rename(columns={name: f"question_{name}" for name in frame.columns})
        frame.insert(2, "question_id", described.pop("question_id").to_numpy())
        given = np.repeat(self.evaluated.ravel(), n_questions)
        return frame.join(described.reset_index(drop=True))[given].reset_index(drop=True)

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
        at = tuple(self._index(name, one) for name, one in zip((a, b), budgets, strict=True))
        return compare_pair(
            (a, b),
            (int(budgets[0]), int(budgets[1])),
            np.array([self.accuracy[one] for one in at]),
            np.array([self.mc_variance[one] for one in at]),
            margin=margin,
            confidence_level=confidence_level,
            clusters=self.cluster_labels(clusters),
            test=test,
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
            Budgets at which they are compared. By default all that a strategy and the base have in common.
        margin, confidence_level, clusters, test
            As in `compare`.

        Returns
        -------
        Comparisons
            One comparison per strategy and budget. `Comparisons` also makes a family of other pairs.

        Raises
        ------
        StrategyError, BudgetError
            If a strategy or budget was not evaluated, base is the only strategy, or two have no common budget.
        MssimError
            If another argument is invalid.

        See Also
        --------
        at_equal_cost : Compare at budgets that spend the same amount.
        """
        others = others_of(base, strategies, self.strategies)
        given = None if budgets is None else list(dict.fromkeys(np.atleast_1d(np.asarray(budgets)).tolist()))
        compare = partial(self.compare, margin=margin, confidence_level=confidence_level, clusters=clusters, test=test)
        return Comparisons(
            compare(name, base, budget=step)
            for name in others
            for step in (self._common(name, base) if given is None else given)
        )

    def _common(self, a: str, b: str) -> list[int]:
        return common_budgets((a, b), self.budgets, self.evaluated[[self._row(a), self._row(b)]])

    def at_equal_cost(
        self,
        base: str,
        *,
        budget: int,
        per: str = "cost",
        strategies: Sequence[str] | None = None,
        margin: float | None = None,
        confidence_level: float = 0.95,
        clusters: str | None = None,
        test: str = "auto",
    ) -> EqualMoney:
        """Compare strategies with one, each at the budget at which it spends as much.

        Parameters
        ----------
        base : str
            Name of the strategy with which the others are compared.
        budget : int
            Budget of the base.
        per : {"cost", "tokens", "latency", "samples_used"}, default "cost"
            What is spent equally: its mean over questions and draws.
        strategies, margin, confidence_level, clusters, test
            As in `compare_with`.

        Returns
        -------
        EqualMoney
            Table of the base and the others, see `mssim.results.equal_money.EqualMoney.to_frame`.

        Raises
        ------
        StrategyError, BudgetError
            If a strategy or budget was not evaluated, or base is the only strategy.
        MssimError
            If what the base spends is not known, or another argument is invalid.

        Notes
        -----
        No budget need spend the same amount as the base. A strategy then uses two evaluated budgets at random, those
        with the next lower and the next higher spend, with shares that make the mean spend equal. Its accuracy on every
        question is the weighted mean. Evaluate all budgets of a range, so that the two are close. The shares are those
        for these questions, and intervals of differences treat them as fixed.

        Examples
        --------
        >>> from mssim import evaluate, load_pool
        >>> result = evaluate(load_pool("recorded/llm-products"), ["sc:gemma", "sc:smol"], [1, 2, 3, 4])
        >>> table = result.at_equal_cost("sc:gemma", budget=3, per="tokens").to_frame()
        >>> table[["strategy", "budget", "spend"]].round(2)
           strategy  budget  spend
        0  sc:gemma    3.00  30.73
        1   sc:smol    2.96  30.73
        """
        column = self._index(base, budget)[1]
        names = [base, *others_of(base, strategies, self.strategies)]
        rows = [self._row(name) for name in names]
        return equal_money(
            names,
            self.budgets,
            self.accuracy[rows],
            getattr(self, checked_spend(per))[rows],
            column=column,
            per=per,
            margin=margin,
            confidence_level=confidence_level,
            clusters=self.cluster_labels(clusters),
            test=test,
        )

    def _row(self, strategy: str) -> int:
        return row_of(strategy, self.strategies)

    def _index(self, strategy: str, budget: int) -> tuple[int, int]:
        row = self._row(strategy)
        return row, column_of(strategy, budget, self.budgets, self.evaluated[row])

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
            **({} if self.evaluated.all() else {"evaluated": self.evaluated.tolist()}),
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
