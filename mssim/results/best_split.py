"""The best split of money between questions and runs."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mssim._validation import counted, is_number, shown, whole_number
from mssim.errors import MssimError
from mssim.results.detection import MOST_QUESTIONS, MOST_RUNS, PlannedTest, checked_test
from mssim.results.variances import Variances

__all__ = ["Prices", "Split", "affordable", "best_split"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_HIGHEST = 1e12


@dataclass(frozen=True)
class Prices:
    """Prices of a measurement, in one unit of money.

    Attributes
    ----------
    question : float, default 0
        Price of writing and grading one question, paid once.
    run_a, run_b : float, default 0
        Expected price of one run of each strategy on one question.

    Raises
    ------
    MssimError
        If a value is negative or not finite.

    Examples
    --------
    >>> float(Prices(question=0.1, run_a=0.01, run_b=0.02).of_question(10))
    0.4
    """

    question: float = 0.0
    run_a: float = 0.0
    run_b: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not is_number(value) or not 0 <= value <= _HIGHEST:
                raise MssimError(f"{field.name}={shown(value)} is out of range. Use a number from 0 to {_HIGHEST:g}.")

    def of_question(self, runs: ArrayLike) -> Floats:
        """Return the price of one question with some runs of each strategy."""
        return np.asarray(self.question + np.asarray(runs) * (self.run_a + self.run_b))[()]


@dataclass(frozen=True)
class Split:
    """Best split of money, from `best_split`.

    Attributes
    ----------
    questions, runs : int
        Number of questions, and of runs of each strategy per question.
    difference : float
        True difference that this detects with the planned power.
    cost : float
        Expected cost.

    Examples
    --------
    >>> Split(questions=500, runs=5, difference=0.06, cost=100.0).runs
    5
    """

    questions: int
    runs: int
    difference: float
    cost: float


def affordable(money: float, prices: Prices, runs: ArrayLike, most_questions: int = MOST_QUESTIONS) -> Ints:
    """Return the number of questions that money buys with some runs of each strategy per question.

    Parameters
    ----------
    money : float
        Money that may be spent.
    prices : Prices
        Prices of a question and of runs.
    runs : array_like of int
        Runs of each strategy per question.
    most_questions : int, optional
        Upper limit of the result.

    Returns
    -------
    ndarray of int64
        Numbers of questions.

    Raises
    ------
    MssimError
        If money is not positive or all prices are zero.

    Examples
    --------
    >>> affordable(100, Prices(question=0.1, run_a=0.01, run_b=0.01), [1, 5])
    array([833, 500])
    """
    if not is_number(money) or not 0 < money <= _HIGHEST:
        raise MssimError(f"money={shown(money)} is out of range. Use a positive number up to {_HIGHEST:g}.")
    one = np.asarray(prices.of_question(runs), dtype=float)
    if (one == 0).any():
        raise MssimError(
            "question, run_a, run_b: all are 0, so money does not limit the plan. Give the price of a question or "
            "of a run."
        )
    # Money that buys a number of questions but for rounding buys them.
    bought = np.floor(money / one * (1 + 1e-12))
    return np.asarray(np.minimum(bought, most_questions).astype(np.int64))[()]


def best_split(
    variances: Variances,
    money: float,
    prices: Prices,
    *,
    most_questions: int = MOST_QUESTIONS,
    most_runs: int = 64,
    power: float = 0.8,
    confidence_level: float = 0.95,
    test: str = "auto",
) -> Split:
    """Split money between questions and runs so that the detectable difference is smallest.

    Parameters
    ----------
    variances : Variances
        Variance components of the difference on one question.
    money : float
        Money that may be spent.
    prices : Prices
        Prices of a question and of runs.
    most_questions : int, optional
        Number of questions that exist or can be written. Unlimited by default.
    most_runs : int, default 64
        Upper limit of runs of each strategy per question.
    power, confidence_level, test
        As in `questions_needed`.

    Returns
    -------
    Split
        The cheapest of the best splits.

    Raises
    ------
    MssimError
        If an argument is invalid, or the money buys fewer questions than any result needs.

    Notes
    -----
    All numbers of runs are compared, each with all questions that the money buys. Without limits and rounding, the
    variance (omega^2 + s^2 / K) (c_q + K c) of the mean is smallest at K = sqrt(s^2 c_q / (omega^2 c)), where s^2 is
    the sum of the variances within questions, c_q the price of a question and c that of a run of both strategies
    (Cochran 1977, Sampling Techniques, section 10.6). Free questions therefore need one run.

    Examples
    --------
    >>> variances = Variances(between=0.09, within_a=0.2, within_b=0.2)
    >>> split = best_split(variances, 100, Prices(question=0.1, run_a=0.01, run_b=0.01), test="normal")
    >>> split.questions, split.runs, round(split.difference, 4)
    (500, 5, 0.0517)
    """
    at_most = whole_number("most_questions", most_questions, 2, MOST_QUESTIONS)
    runs = np.arange(1, whole_number("most_runs", most_runs, 1, MOST_RUNS) + 1)
    questions = affordable(money, prices, runs, at_most)
    how = PlannedTest(power, confidence_level, checked_test(variances, test))
    found = how.detects(variances.of_mean(runs), variances.cluster_size, np.maximum(questions, 1))
    found = np.where(questions >= 2, found, np.inf)
    if not (found <= 1).any():
        raise MssimError(
            f"money={shown(money)} buys at most {counted(int(questions.max()), 'question')}, too few to detect any "
            "difference. Use more money, lower prices or, if that is the limit, more questions."
        )
    cost = questions * prices.of_question(runs)
    best = int(np.lexsort((runs, cost, found.round(12)))[0])
    return Split(int(questions[best]), int(runs[best]), float(found[best]), float(cost[best]))
