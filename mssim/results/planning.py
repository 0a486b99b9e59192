"""Planning of a measurement: numbers of questions and runs that detect a difference of two strategies.

The planned measurement has Q questions and K independent runs of each strategy on every question. Its result is the
paired difference of the mean accuracies, tested two-sided over questions. A run of a strategy with a budget of one
sample is one sample. `evaluate` averages over all ways to draw a run from N recorded samples, so that with a budget of
B its variance within questions is at most that of floor(N / B) runs (Hoeffding 1948, Annals of Mathematical Statistics
19, 293-325).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mssim._validation import is_number, shown, whole_number
from mssim.errors import MssimError
from mssim.results.best_split import Prices, Split, affordable, best_split
from mssim.results.detection import MOST_QUESTIONS, MOST_RUNS, PlannedTest, checked_test, needed, power_of
from mssim.results.variances import Measured, PairedQuestions, Variances

__all__ = [
    "Measured",
    "PairedQuestions",
    "Plan",
    "Prices",
    "Split",
    "Variances",
    "best_split",
    "detectable_difference",
    "plan",
    "planned_power",
    "questions_needed",
]


def questions_needed(
    variances: Variances,
    difference: float,
    runs: int = 1,
    *,
    power: float = 0.8,
    confidence_level: float = 0.95,
    test: str = "auto",
) -> int:
    """Return the number of questions that detects a difference with the given power.

    Parameters
    ----------
    variances : Variances
        Variance components of the difference on one question.
    difference : float
        True difference of the accuracies that is to be detected, from 0.0001 to 1.
    runs : int, default 1
        Independent runs of each strategy per question.
    power : float, default 0.8
        Probability that the result is significant, between 0 and 1.
    confidence_level : float, default 0.95
        1 minus the size of the two-sided test.
    test : {"auto", "gaffke", "t", "normal"}, default "auto"
        Test of the measurement, as in `detected`. "auto" is that of `Evaluation.compare`: "gaffke" without clusters and
        "t" with clusters.

    Returns
    -------
    int
        Smallest sufficient number of questions.

    Raises
    ------
    MssimError
        If an argument is invalid.

    Notes
    -----
    "normal" is the formula of Miller (2024), arXiv 2411.00640, section 5, n = (z_{1-alpha/2} + z_power)^2 (omega^2 +
    s_A^2 / K + s_B^2 / K) / delta^2. It is too small for the intervals of this library: see `detected` for the
    correction. Clusters of m questions multiply the variance by the design effect, and the test sees n / m clusters.

    Examples
    --------
    >>> from mssim.results.planning import Variances, questions_needed
    >>> variances = Variances(between=1 / 9, within_a=1 / 6, within_b=1 / 6)
    >>> [questions_needed(variances, 0.03, runs, test="normal") for runs in (1, 10)]
    [3876, 1260]
    >>> [questions_needed(variances, 0.03, runs) for runs in (1, 10)]
    [3947, 1333]
    """
    one = whole_number("runs", runs, 1, MOST_RUNS)
    how = PlannedTest(power, confidence_level, checked_test(variances, test))
    return needed(float(variances.of_mean(one)), variances.cluster_size, difference, how)


def detectable_difference(
    variances: Variances,
    questions: int,
    runs: int = 1,
    *,
    power: float = 0.8,
    confidence_level: float = 0.95,
    test: str = "auto",
) -> float:
    """Return the smallest difference that a measurement detects with the given power.

    Parameters
    ----------
    variances, runs, power, confidence_level, test
        As in `questions_needed`.
    questions : int
        Number of questions.

    Returns
    -------
    float
        The difference; infinite if the questions are too few for any.

    Raises
    ------
    MssimError
        If an argument is invalid.

    Examples
    --------
    >>> from mssim.results.planning import Variances, detectable_difference
    >>> variances = Variances(between=0.09, within_a=0.2, within_b=0.2)
    >>> round(detectable_difference(variances, 300, 8, test="normal"), 5)
    0.06052
    """
    one, n = whole_number("runs", runs, 1, MOST_RUNS), whole_number("questions", questions, 1, MOST_QUESTIONS)
    how = PlannedTest(power, confidence_level, checked_test(variances, test))
    return float(how.detects(variances.of_mean(one), variances.cluster_size, n))


def planned_power(
    variances: Variances,
    difference: float,
    questions: int,
    runs: int = 1,
    *,
    confidence_level: float = 0.95,
    test: str = "auto",
) -> float:
    """Return the probability that a measurement finds a true difference significant.

    Parameters
    ----------
    variances, difference, runs, confidence_level, test
        As in `questions_needed`.
    questions : int
        Number of questions.

    Returns
    -------
    float
        The power.

    Raises
    ------
    MssimError
        If an argument is invalid.

    Examples
    --------
    >>> from mssim.results.planning import Variances, planned_power
    >>> round(planned_power(Variances(1 / 9, 1 / 6, 1 / 6), 0.03, 1260, 10, test="normal"), 3)
    0.8
    """
    if not is_number(difference) or not 0 <= difference <= 1:
        raise MssimError(f"difference={shown(difference)} is out of range. Use a number from 0 to 1, e.g. 0.03.")
    one, n = whole_number("runs", runs, 1, MOST_RUNS), whole_number("questions", questions, 1, MOST_QUESTIONS)
    size, used = variances.cluster_size, checked_test(variances, test)
    unit = variances.of_mean(one) / size
    return float(power_of(difference, unit, n / size, confidence_level=confidence_level, test=used))


@dataclass(frozen=True, eq=False)
class Plan:
    """Plan of a measurement, from `plan`.

    Attributes
    ----------
    variances : Variances
        Variance components of the difference on one question.
    rows : DataFrame
        What `to_frame` returns.
    test : {"gaffke", "t", "normal"}
        Test of the measurement.
    power, confidence_level : float
        Power of the test, and 1 minus its size.
    prices : Prices, optional
        Prices of a question and of runs.
    money : float, optional
        Money that may be spent.
    best : Split, optional
        Best split of the money.

    Examples
    --------
    >>> from mssim.results.planning import Prices, Variances, plan
    >>> made = plan(Variances(0.09, 0.2, 0.2), 0.05, runs=[1, 8], money=100, prices=Prices(0.1, 0.01, 0.01))
    >>> made.best.questions, made.best.runs, round(made.best.difference, 4)
    (555, 4, 0.0539)
    """

    variances: Variances
    rows: pd.DataFrame
    test: str
    power: float
    confidence_level: float
    prices: Prices | None = None
    money: float | None = None
    best: Split | None = None

    def to_frame(self) -> pd.DataFrame:
        """Return one row per difference and number of runs, and a last row for the best split.

        Returns
        -------
        DataFrame
            Columns: difference (true difference that is detected with the planned power); runs (of each strategy per
            question); questions (needed); questions_low, questions_high (confidence interval of `questions`, as the
            variances are estimated; missing for stated variances); clusters (number of clusters these are; missing
            without clusters); samples (expected total); cost (expected total; NaN without prices); best (whether the
            row is the best split of the money).
        """
        return self.rows.copy()

    def affordable(self) -> pd.DataFrame:
        """Return the numbers of questions that the money buys at every number of runs of the plan.

        Returns
        -------
        DataFrame
            Columns: runs, questions, difference (detected with the planned power). Empty without money.
        """
        if self.money is None or self.prices is None:
            return pd.DataFrame({"runs": [], "questions": [], "difference": []})
        runs = np.unique(self.rows["runs"].to_numpy(dtype=np.int64))
        questions = affordable(self.money, self.prices, runs)
        how = PlannedTest(self.power, self.confidence_level, self.test)
        found = how.detects(self.variances.of_mean(runs), self.variances.cluster_size, questions)
        return pd.DataFrame({"runs": runs, "questions": questions, "difference": found})


def plan(
    source: Variances | PairedQuestions,
    difference: float | Sequence[float],
    *,
    runs: Sequence[int] = (1, 2, 4, 8, 16),
    power: float = 0.8,
    confidence_level: float = 0.95,
    test: str = "auto",
    prices: Prices | None = None,
    money: float | None = None,
    most_questions: int = MOST_QUESTIONS,
    most_runs: int = 64,
    samples_per_run: tuple[float, float] = (1.0, 1.0),
) -> Plan:
    """Plan the numbers of questions and runs of a measurement.

    Parameters
    ----------
    source : Variances or PairedQuestions
        Stated variance components, or a pilot. A pilot also gives an interval of each number of questions.
    difference : float or sequence of float
        True differences that are to be detected.
    runs : sequence of int, default (1, 2, 4, 8, 16)
        Numbers of independent runs of each strategy per question.
    power, confidence_level, test
        As in `questions_needed`.
    prices : Prices, optional
        Prices of a question and of runs, for the costs.
    money : float, optional
        Money whose best split is added. Needs prices.
    most_questions, most_runs
        As in `best_split`.
    samples_per_run : (float, float), default (1, 1)
        Expected samples used by one run of a and b on one question.

    Returns
    -------
    Plan
        The plan, with `to_frame`.

    Raises
    ------
    MssimError
        If an argument is invalid, or the money buys fewer questions than any result needs.

    Notes
    -----
    The variances of a small pilot are uncertain, and so is the plan. The interval of the number of questions follows
    from `PairedQuestions.variance_range`. Prepare for its upper limit, or record a larger pilot.

    Examples
    --------
    >>> from mssim.results.planning import Variances, plan
    >>> plan(Variances(0.09, 0.2, 0.2), [0.03, 0.05], runs=[1, 8]).to_frame()[["difference", "runs", "questions"]]
       difference  runs  questions
    0        0.03     1       4344
    1        0.03     8       1295
    2        0.05     1       1583
    3        0.05     8        487
    """
    paired = source if isinstance(source, PairedQuestions) else None
    variances = source.variances() if isinstance(source, PairedQuestions) else source
    if not isinstance(variances, Variances):
        raise MssimError(f"source={shown(source)} is not valid. Pass Variances or PairedQuestions.")
    if money is not None and prices is None:
        raise MssimError("prices: missing. The best split of money needs the prices of a question or of runs.")
    how = PlannedTest(power, confidence_level, checked_test(variances, test))
    differences, counts = (np.atleast_1d(given).tolist() for given in (difference, runs))
    for name, given in (("difference", differences), ("runs", counts)):
        if not given:
            raise MssimError(f"{name}: empty. Use e.g. {[0.03] if name == 'difference' else [1, 4]}.")
    if len(samples_per_run) != 2 or not all(is_number(one) and 0 <= one < np.inf for one in samples_per_run):
        raise MssimError(
            f"samples_per_run={shown(samples_per_run)} is not valid. Use two numbers from 0, e.g. (1, 6.5)."
        )
    rows = [_row(one, k, how, variances, paired) for one in differences for k in counts]
    best = None
    if money is not None and prices is not None:
        best = best_split(variances, money, prices, most_questions=most_questions, most_runs=most_runs, **how._asdict())
        rows.append({"difference": best.difference, "runs": best.runs, "questions": best.questions, "best": True})
    frame = _frame(rows, variances.cluster_size, sum(samples_per_run), prices)
    return Plan(variances, frame, how.test, power, confidence_level, prices, money, best)


def _row(
    difference: float, runs: int, how: PlannedTest, variances: Variances, pilot: PairedQuestions | None
) -> dict[str, float]:
    one, size = whole_number("runs", runs, 1, MOST_RUNS), variances.cluster_size
    row = {
        "difference": difference,
        "runs": one,
        "questions": needed(float(variances.of_mean(one)), size, difference, how),
        "best": False,
    }
    if pilot is not None:
        low, high = pilot.variance_range(one, confidence_level=how.confidence_level)
        row["questions_low"] = needed(low, size, difference, how)
        row["questions_high"] = needed(high, size, difference, how)
    return row


def _frame(rows: list[dict[str, float]], size: float, samples: float, prices: Prices | None) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    questions, runs = frame["questions"], frame["runs"].to_numpy()
    known = [frame.get(name, pd.Series(np.nan, frame.index)) for name in ("questions_low", "questions_high")]
    clusters = np.ceil(questions / size) if size > 1 else pd.Series(np.nan, frame.index)
    return pd.DataFrame(
        {
            "difference": frame["difference"],
            "runs": runs,
            "questions": questions,
            "questions_low": known[0].astype("Int64"),
            "questions_high": known[1].astype("Int64"),
            "clusters": clusters.astype("Int64"),
            "samples": questions * runs * samples,
            "cost": np.nan if prices is None else questions * prices.of_question(runs),
            "best": frame["best"],
        }
    )
