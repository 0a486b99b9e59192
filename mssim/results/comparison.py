"""Paired comparison of two strategies."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd

__all__ = ["Comparison"]


@dataclass(frozen=True)
class Comparison:
    """Paired comparison of strategies a and b on the same questions.

    Attributes
    ----------
    a, b : str
        Names of the strategies.
    budget_a, budget_b : int
        Budgets of the strategies.
    difference : float
        Accuracy of a minus accuracy of b.
    low, high : float
        Confidence interval of the difference over questions.
    p_value : float
        Two-sided p-value of a sign-flip permutation test.
    wins, ties, losses : int
        Numbers of questions on which a is better than, equal to and worse than b. Accuracies that differ by at most
        three Monte Carlo errors are ties.
    n_questions : int
        Number of questions.

    Examples
    --------
    >>> from mssim.results.comparison import Comparison
    >>> Comparison("ms:a+b", "sc:a", 8, 8, 0.02, 0.01, 0.03, 0.004, 12, 85, 3, 100).to_frame()["wins"][0]
    np.int64(12)
    """

    a: str
    b: str
    budget_a: int
    budget_b: int
    difference: float
    low: float
    high: float
    p_value: float
    wins: int
    ties: int
    losses: int
    n_questions: int

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row and the attributes as columns."""
        return pd.DataFrame([asdict(self)])
