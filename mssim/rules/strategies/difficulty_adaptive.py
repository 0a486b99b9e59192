"""Questions ordered by difficulty: one sample for easy ones, and as many as are predicted for hard ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from mssim._validation import choose_from, shown, whole_number
from mssim.errors import MssimError, PoolError, StrategyError
from mssim.rules.base import Strategy
from mssim.rules.cross_fitting import KNN, CrossFitting
from mssim.rules.fields import never_stop, set_models
from mssim.rules.plan import Floats, Ints, Ordered, Plan, allocate
from mssim.rules.registry import Row
from mssim.rules.stops import BetaStop
from mssim.rules.votes import Vote

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DifficultyAdaptive", "hardest_first"]

_MOST = 2**15 - 1
_DIGITS = 9  # predicted difficulties that agree to so many digits are equal


def hardest_first(ordered: Ordered, questions: pd.DataFrame, disagreement: Floats) -> Ints:
    """Return the questions in the order of difficulty, the hardest first; equals in the order of the pool.

    Parameters
    ----------
    ordered : Ordered
        How questions are ordered.
    questions : DataFrame, one row per question
        The questions.
    disagreement : ndarray of float64, shape (n_questions,)
        Share of the recorded samples that do not have the most frequent answer of the question. If no column has the
        difficulty, it is the mean of these shares over the nearest questions of other folds.

    Returns
    -------
    ndarray of int64, shape (n_questions,)

    Examples
    --------
    >>> import pandas as pd
    >>> questions = pd.DataFrame({"question_id": ["q1", "q2", "q3"], "level": [2, 5, 2]})
    >>> hardest_first(Ordered("level"), questions, np.zeros(3))
    array([1, 0, 2])
    """
    if ordered.difficulty is not None:
        difficulty = questions[ordered.difficulty].to_numpy(dtype=float)
    else:
        difficulty = _learnt(ordered.features).predict(disagreement[None], questions)[0].round(_DIGITS)
    return np.argsort(-difficulty, kind="stable")


def _learnt(features: Sequence[str] | None) -> CrossFitting:
    return CrossFitting(by=KNN, features=features)


@dataclass(frozen=True)
class DifficultyAdaptive(Strategy):
    """Give easy questions one sample, and sample hard ones until the leader is certain (Difficulty-Adaptive SC).

    Questions are ordered by difficulty. From the hardest on, each draws `window` samples, until all samples agree for
    `easy` questions in a row. All easier questions draw one sample. The other questions are hard. From the easiest of
    them on, each draws the mean of the totals of the `before` hard questions before it, rounded to whole windows, and
    then further windows. It stops when the posterior of `BetaStop` reaches the threshold, or at the budget. The first
    window is reused. The answer is the plurality of all samples of the question.

    Questions depend on each other. The result of a question changes with the other questions in the pool, and
    `replay_sd` and `mc_error`, which assume independence, are approximate.

    Parameters
    ----------
    model : str
        Name of the model.
    difficulty : str, optional
        Numeric question column; a higher number is harder. By default the difficulty is learnt on other questions: the
        mean over the 10 nearest questions of other folds of the share of recorded samples that do not have the most
        frequent answer.
    features : sequence of str, optional
        Question columns that make questions similar, as in `Router`, if the difficulty is learnt. By default the words
        of the column `question`, which requires scikit-learn.
    window : int, default 4
        Samples drawn at once.
    easy : int, default 32
        Number of questions in a row whose samples must agree.
    before : int, default 16
        Number of totals from which the first look is predicted. Until there are so many, a hard question first looks
        after one window.
    threshold : float, default 0.95
        As in `BetaStop`.
    ties : {"first", "random", "wrong"}, default "first"
        As in `Vote`.
    max_tokens
        As in `Strategy`.

    Notes
    -----
    This is the procedure in the figure of the article (arXiv 2408.13457). There, the model itself ranks the questions,
    which costs tokens that mssim does not count. In the authors' code, the questions in a row that agree are easy too,
    an easy question has the answer at temperature 0, the first samples of hard questions are not counted, and the
    needs of a question are predicted from samples that it did not draw.

    Latency counts one draw after the other.

    Examples
    --------
    >>> from mssim import DifficultyAdaptive, evaluate, load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> rules = [DifficultyAdaptive("gemma", features=["family"], easy=4), "sc:gemma,stop=beta:0.95"]
    >>> evaluate(pool, rules, 16, n_replays=100).to_frame()[["accuracy", "samples_used"]].round(2)
       accuracy  samples_used
    0      0.53         10.28
    1      0.58         10.82
    """

    kind: ClassVar[str] = "dsc"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("dsc:M,difficulty=level", "hard questions draw windows until beta:0.95, easy ones one", "2408.13457"),
        Row("dsc:M", "the same, with the difficulty learnt on the nearest questions", "2408.13457"),
    )
    model: str
    difficulty: str | None = None
    features: Sequence[str] | None = None
    window: int = 4
    easy: int = 32
    before: int = 16
    threshold: float = 0.95
    ties: str = "first"
    max_tokens: int | Sequence[int | None] | None = None

    def __post_init__(self) -> None:
        set_models(self, (self.model,))
        Vote(ties=self.ties)
        try:
            for name in ("window", "easy", "before"):
                object.__setattr__(self, name, whole_number(name, getattr(self, name), 1, _MOST))
            object.__setattr__(self, "threshold", BetaStop(self.threshold).threshold)
        except MssimError as error:
            raise StrategyError(f"DifficultyAdaptive: {str(error).removeprefix('BetaStop: ')}") from None
        if self.features is not None and not isinstance(self.features, str):
            object.__setattr__(self, "features", tuple(self.features))
        if self.difficulty is None:
            _learnt(self.features)
            return
        if not isinstance(self.difficulty, str) or not self.difficulty:
            raise StrategyError(f"difficulty={shown(self.difficulty)} is not the name of a question column.")
        if self.features is not None:
            raise StrategyError("features: they are for a difficulty that is learnt. Remove features or difficulty.")

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one stage, whose size is the maximum number of samples of a question."""
        plan = never_stop(self, allocate(budgets, 1), Vote.plurality(ties=self.ties))
        ordered = Ordered(self.difficulty, self.features, self.window, self.easy, self.before, self.threshold)
        return (plan._replace(ordered=ordered),)

    def check(self, questions: pd.DataFrame, /) -> None:
        """Raise if the questions do not have the column, or what the difficulty is learnt from."""
        if self.difficulty is None:
            _learnt(self.features).check(questions)
            return
        if self.difficulty not in questions.columns:
            raise MssimError(
                f"difficulty={shown(self.difficulty)}: no such question column. "
                f"{choose_from(self.difficulty, questions.columns)}, or remove difficulty to learn it."
            )
        lacking = _not_finite(questions[self.difficulty])
        if lacking.any():
            question = questions["question_id"].iloc[int(lacking.argmax())]
            raise PoolError(
                f"difficulty={self.difficulty!r}: {int(lacking.sum())} of {lacking.size} questions have no finite "
                f"number in this column, first question {question!r}. Use a column of numbers."
            )


def _not_finite(column: pd.Series) -> NDArray[np.bool_]:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(~np.isfinite(numbers))
