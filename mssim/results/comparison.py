"""Comparisons of two strategies on the same questions."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """Strategy a against strategy b on the same questions.

    difference is the accuracy of a minus that of b; low and high its confidence interval over questions; p_value that
    of a sign-flip permutation test; wins, ties, losses the questions on which a is better, equal, worse (a tie: no
    further apart than three Monte Carlo errors).
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
        """Return one row with the fields as columns."""
        return pd.DataFrame([asdict(self)])
