"""Paired comparisons of strategies: one pair, or a family of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mssim._validation import choose_from, level, shown
from mssim.errors import MssimError
from mssim.results.differences import ASSUMPTIONS, mean_difference
from mssim.results.multiplicity import holm

__all__ = ["Comparison", "Comparisons", "compare_pair", "verdict_of"]

_OF_MARGIN = ["margin", "p_noninferior", "p_equivalent"]


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
        Two-sided p-value for a difference of zero, from the construction of the interval.
    wins, ties, losses : int
        Numbers of questions on which a is better than, equal to and worse than b. Accuracies that differ by at most
        three Monte Carlo errors are ties.
    n_questions : int
        Number of questions.
    confidence_level : float
        Level of the interval.
    test : str
        Construction of interval and p-values: "gaffke" for independent questions, "t" for clusters or on request. See
        `mssim.results.differences.mean_difference` for their assumptions.
    margin : float or None
        Largest difference without practical importance.
    p_noninferior : float or None
        One-sided p-value for the hypothesis that a is worse than b by `margin` or more; None without a margin.
    p_equivalent : float or None
        P-value for the hypothesis that a and b differ by `margin` or more; None without a margin.

    Examples
    --------
    >>> from mssim.results.comparison import Comparison
    >>> found = Comparison("ms:a+b", "sc:a", 8, 8, 0.02, 0.01, 0.03, 0.004, 12, 85, 3, 100)
    >>> found.to_frame()["wins"][0]
    np.int64(12)
    >>> found.verdict
    'a is better'
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
    confidence_level: float = 0.95
    test: str = "gaffke"
    margin: float | None = None
    p_noninferior: float | None = None
    p_equivalent: float | None = None

    @property
    def verdict(self) -> str:
        """What follows at the confidence level: which is better, the same within the margin, or no difference found.

        "No difference found" does not mean that the strategies are equal.
        """
        return str(self.to_frame()["verdict"][0])

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row and the attributes as columns; those of the margin only if one was given."""
        return Comparisons([self]).to_frame().drop(columns="p_holm")


def compare_pair(
    names: tuple[str, str],
    budgets: tuple[int, int],
    accuracy: NDArray[np.float64],
    mc_variance: NDArray[np.float64],
    *,
    margin: float | None,
    confidence_level: float,
    clusters: NDArray[Any] | None,
    test: str,
) -> Comparison:
    """Compare two strategies, given their accuracies and Monte Carlo variances [strategy, question].

    Examples
    --------
    >>> accuracy = np.array([[1.0, 1.0, 0.5], [0.0, 1.0, 0.5]])
    >>> options = {"margin": None, "confidence_level": 0.95, "clusters": None, "test": "auto"}
    >>> found = compare_pair(("sc:a", "sc:b"), (8, 8), accuracy, np.zeros((2, 3)), **options)
    >>> found.wins, found.ties, found.losses
    (1, 2, 0)
    """
    confidence_level = level(confidence_level)
    if not isinstance(test, str) or test not in ("auto", *ASSUMPTIONS):
        raise MssimError(f"test={shown(test)} is not valid. {choose_from(str(test), ['auto', *ASSUMPTIONS])}.")
    difference = accuracy[0] - accuracy[1]
    found = mean_difference(
        difference, confidence_level=confidence_level, clusters=clusters, margin=margin, method=test
    )
    # After a single replay the variance is not known, and outcomes that differ count as different.
    noise = np.nan_to_num(mc_variance).sum(axis=0)
    tie = np.abs(difference) <= 3 * np.sqrt(noise) + 1e-9
    return Comparison(
        *names,
        *budgets,
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


@dataclass(frozen=True)
class Comparisons:
    """A family of comparisons, with p-values adjusted for their number by Holm's procedure.

    Parameters
    ----------
    comparisons : iterable of Comparison
        The comparisons, with one confidence level. Without exception include all that were made, not only those that
        look interesting.

    Notes
    -----
    The intervals are those of single comparisons. The adjusted p-values and the verdicts refer to the whole family: the
    probability of one or more false findings is at most 1 - confidence_level. The tests of non-inferiority and of
    equivalence are adjusted in the same way, each as a family.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> result = evaluate(load_pool("recorded/llm-products"), ["sc:smol", "sc:smol-cool", "sc:gemma"], 8)
    >>> family = result.compare_with("sc:smol")
    >>> family.to_frame()[["a", "b", "difference", "p_value", "p_holm", "verdict"]].round(3)
                  a        b  difference  p_value  p_holm              verdict
    0  sc:smol-cool  sc:smol      -0.001    0.810   0.810  no difference found
    1      sc:gemma  sc:smol       0.095    0.013   0.025          a is better
    """

    comparisons: tuple[Comparison, ...]

    def __init__(self, comparisons: Iterable[Comparison]) -> None:
        family = tuple(comparisons)
        if not family or not all(isinstance(one, Comparison) for one in family):
            raise MssimError("comparisons: not one or more comparisons. Use results of Evaluation.compare.")
        if len({one.confidence_level for one in family}) > 1:
            raise MssimError("comparisons: they have several confidence levels. Compare with one confidence_level.")
        object.__setattr__(self, "comparisons", family)  # the class is frozen

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.comparisons)

    def __len__(self) -> int:
        return len(self.comparisons)

    def to_frame(self) -> pd.DataFrame:
        """Return the comparisons as a table.

        Returns
        -------
        DataFrame, one row per comparison
            The attributes of `Comparison`, those of the margin only if one was given; p_holm (p_value adjusted for the
            number of comparisons); verdict (at the confidence level, for the whole family).
        """
        frame = pd.DataFrame([asdict(one) for one in self]).astype(dict.fromkeys(_OF_MARGIN, float))
        both, noninferior, equivalent = (holm(frame[name]) for name in ("p_value", "p_noninferior", "p_equivalent"))
        frame.insert(list(frame.columns).index("p_value") + 1, "p_holm", both)
        if frame["margin"].isna().all():
            frame = frame.drop(columns=_OF_MARGIN)
        else:
            frame["p_noninferior"], frame["p_equivalent"] = noninferior, equivalent
        frame["verdict"] = [
            verdict_of(one.difference, *adjusted, margin=one.margin, confidence_level=one.confidence_level)
            for one, *adjusted in zip(self, both, noninferior, equivalent, strict=True)
        ]
        return frame


def verdict_of(
    difference: float,
    p_value: float,
    p_noninferior: float,
    p_equivalent: float,
    *,
    margin: float | None,
    confidence_level: float,
) -> str:
    """Return the verdict of a comparison of a and b, given p-values that are adjusted for its family.

    Examples
    --------
    >>> verdict_of(0.02, 0.01, float("nan"), float("nan"), margin=None, confidence_level=0.95)
    'a is better'
    """
    alpha = 1 - confidence_level + 1e-12
    points = f"{100 * (margin or np.nan):.4g} {'point' if margin == 0.01 else 'points'}"
    better = ("a" if difference > 0 else "b") if p_value <= alpha else None
    if p_equivalent <= alpha:
        return f"{better} is better, by less than {points}" if better else f"the same within {points}"
    if better:
        return f"{better} is better"
    if p_noninferior <= alpha:
        return f"no difference found; a is not worse by {points}"
    return "no difference found"
