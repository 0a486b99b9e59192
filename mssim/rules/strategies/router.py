"""Router that learns on other questions which model is best for a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mssim._validation import is_finite, shown
from mssim.errors import StrategyError
from mssim.rules.base import Strategy
from mssim.rules.cross_fitting import KNN, LOGISTIC, CrossFitting
from mssim.rules.fields import set_models
from mssim.rules.plan import Expected, Floats, Ints, Plan
from mssim.rules.registry import Row
from mssim.rules.stops import Stop
from mssim.rules.strategies.self_consistency import of_each_model
from mssim.rules.votes import Vote

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Router"]

_SAME = {LOGISTIC: 1e-6}  # scores within this are equal; by default within 1e-12
_UNKNOWN = 1e300  # a cost that comes after all known ones


@dataclass(frozen=True)
class Router(Strategy):
    """Send each question to the model that is best on similar questions of other folds.

    The chosen model spends the whole budget, as `SelfConsistency`. The router is cross-fitted: questions are divided
    into folds, and the models of a fold are chosen by the accuracy of `SelfConsistency` at the same budget on the
    questions of all other folds. The answers of a question never decide which model it is sent to. Of models with
    equal scores, the router takes the cheaper, then the earlier one.

    Parameters
    ----------
    models : sequence of str
        Names of the models.
    by : str, optional
        What makes questions similar. None, the default: nothing, so that each fold has the best single model of the
        other questions, a control for routers. The name of a question column such as "topic": the same value, or, for
        values of fewer than 5 training questions, nothing. "knn": nearest neighbours by `features`. "logistic": a
        logistic regression on `features` for each model, with an L2 penalty (C = 1) and accuracies as weights of the
        two outcomes. If all values of the column are names of `models`, they are the choices, and nothing is learnt.
    k : int, default 10
        Number of nearest training questions, for "knn". Others that are as near as the last one also count.
    features : sequence of str, optional
        Question columns for "knn" and "logistic": numbers are scaled, and other values have one feature each. By
        default the words of the column `question`, hashed to 4096 features, which requires scikit-learn, the extra
        `route`. "logistic" always requires it.
    folds : int, default 5
        Number of folds, from 2, at most as many as clusters.
    clusters : str, optional
        Question column whose equal values mark questions that stay in one fold. The default is `cluster`, if present.
    worth : float, optional
        Cost that a correct answer is worth, in the unit of the costs. The score of a model is then its predicted
        accuracy minus its predicted cost / worth. By default costs decide ties only.
    vote, stop, looks
        As in `SelfConsistency`.
    max_tokens
        As in `Strategy`.

    See Also
    --------
    OracleRouter : Upper bound of all routers.
    mssim.results.routing.gain_shares : Share of the gain of that bound which routers win.

    Notes
    -----
    Predicted accuracies are means over training questions: those of the k nearest (``by="knn"``), those with the same
    value, or all of them. Costs are predicted by the same means, for "logistic" by that over all training questions.

    The router of RouterBench (Hu et al. 2024) takes the mean quality of the nearest prompts by the cosine of sentence
    embeddings, with k from 5 to 50, and maximises worth x quality - price. It has one division into training and test
    prompts and one sample of each model, and its price is the same for all prompts. Here features are words or columns,
    neighbours as near as the k-th count too, and qualities are expectations over draws. Squared distances of hashed
    words are 2 - 2 x cosine, so the nearest questions are those with the largest cosine.

    Accuracy is exact where that of `SelfConsistency` is. Intervals over questions treat the values of questions as
    independent. Those of a cross-fitted router depend on each other through the training questions, which intervals do
    not contain, as for every score by cross-validation. They describe the routers learnt here, and not all routers that
    other training questions would give.

    References
    ----------
    Hu et al. (2024), "RouterBench: A Benchmark for Multi-LLM Routing System", arXiv 2403.12031.

    Examples
    --------
    >>> from mssim import Router, evaluate, load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> rules = [Router(["gemma", "smol"]), Router(["gemma", "smol"], by="family"), "oracle:gemma+smol"]
    >>> evaluate(pool, rules, 16).to_frame()[["strategy", "accuracy", "method"]].round(3)
                     strategy  accuracy method
    0            route:gemma+smol     0.574  exact
    1  route:gemma+smol,by=family     0.574  exact
    2           oracle:gemma+smol     0.674  exact
    """

    kind: ClassVar[str] = "route"
    rows: ClassVar[tuple[Row, ...]] = (
        Row("route:M+M", "M of the largest mean accuracy of sc on other folds", "control", method="exact"),
        Row("route:M+M,by=topic", "the same among questions of the topic", "control", method="exact"),
        Row("route:M+M,by=knn", "the same among the k nearest questions", "2403.12031", method="exact"),
        Row("route:M+M,by=logistic", "M of the largest predicted accuracy", "control", method="exact"),
    )
    models: Sequence[str]
    by: str | None = None
    k: int = 10
    features: Sequence[str] | None = None
    folds: int = 5
    clusters: str | None = None
    worth: float | None = None
    vote: Vote = field(default_factory=Vote.plurality)
    stop: Stop | None = None
    max_tokens: int | Sequence[int | None] | None = None
    looks: Sequence[int] | None = None
    _training: frozenset[str] | None = field(default=None, repr=False)  # questions to learn from; None: all

    def __post_init__(self) -> None:
        set_models(self, self.models)
        if self.features is not None and not isinstance(self.features, str):
            object.__setattr__(self, "features", tuple(self.features))
        self._predictor(self.by)
        of_each_model(self)
        if self.worth is None:
            return
        if not is_finite(self.worth) or self.worth <= 0:
            raise StrategyError(f"worth={shown(self.worth)} is not a positive number. Use e.g. worth=0.01.")
        object.__setattr__(self, "worth", float(self.worth))

    def plans(self, budgets: Ints) -> tuple[Plan, ...]:
        """Return one plan per model."""
        return tuple(plan for strategy in of_each_model(self) for plan in strategy.plans(budgets))

    def combine(self, parts: Sequence[Expected], questions: pd.DataFrame, /) -> Expected:
        """Return the result of the chosen models, [budget, question]."""
        stacked = Expected(*(np.stack(values) for values in zip(*parts, strict=True)))
        chosen = self._finished(questions)
        if chosen is None:
            chosen = self._chosen(stacked.accuracy, stacked.cost, questions)
        places = np.broadcast_to(chosen, stacked.accuracy.shape[1:])[None]
        return Expected(*(np.take_along_axis(values, places, axis=0)[0] for values in stacked))

    def learns(self, questions: pd.DataFrame, /) -> bool:
        """Return whether the router is learnt, and not a column of names of models."""
        return self._finished(questions) is None

    @property
    def needs_cost(self) -> bool:
        """Whether `worth` is set."""
        return self.worth is not None

    def check(self, questions: pd.DataFrame, /) -> None:
        """Raise if questions lack what the router reads, or scikit-learn is required and not installed."""
        if self._finished(questions) is not None:
            return
        self._predictor(self.by).check(questions)
        if self.by in questions.columns and self.by not in (KNN, LOGISTIC):
            values = questions[self.by].astype(str)
            named = values.isin(self.models).to_numpy()
            if named.any():
                raise StrategyError(
                    f"by={self.by!r}: {int(named.sum())} of {len(named)} values are names of the models, but "
                    f"{shown(values[~named].iloc[0])} is not. Name a model in all of them, or use another column."
                )

    def fit(self, pool: Any, questions: NDArray[np.bool_]) -> Router:
        """Return the same router that learns from some questions of a pool only, as `tune` asks for.

        It is cross-fitted among these. Models of other questions are chosen by all of these.

        Parameters
        ----------
        pool : Pool
            Recorded samples.
        questions : ndarray of bool, shape (n_questions,)
            Training questions.

        Examples
        --------
        >>> from mssim import load_pool
        >>> pool = load_pool("recorded/llm-products")
        >>> router = Router(["gemma", "smol"], by="family").fit(pool, np.arange(159) < 100)
        >>> str(router)
        'route:gemma+smol,by=family'
        """
        if not self.learns(pool.questions):
            return self
        return replace(self, _training=frozenset(pool.questions["question_id"][questions]))

    def _chosen(self, accuracy: Floats, cost: Floats, questions: pd.DataFrame) -> Ints:
        """Return the index of the chosen model, [budget, question], given arrays [model, budget, question]."""
        ids = self._training
        training = None if ids is None else questions["question_id"].isin(ids).to_numpy()

        def predicted(by: str | None, values: Floats) -> Floats:
            rows = values.reshape(-1, values.shape[-1])
            return self._predictor(by).predict(rows, questions, training).reshape(values.shape)

        price = predicted(None if self.by == LOGISTIC else self.by, cost)
        score = predicted(self.by, accuracy) - (0.0 if self.worth is None else price / self.worth)
        best = score >= score.max(axis=0) - _SAME.get(self.by or "", 1e-12)
        price = np.where(best, np.nan_to_num(price, nan=_UNKNOWN), np.inf)
        return np.asarray((price <= price.min(axis=0) * (1 + 1e-9)).argmax(axis=0), dtype=np.int64)

    def _finished(self, questions: pd.DataFrame) -> Ints | None:
        """Return the index of the model of each question if the column `by` has only names of models, else None."""
        if self.by in (None, KNN, LOGISTIC) or self.by not in questions.columns:
            return None
        values = questions[self.by].astype(str)
        if not values.isin(self.models).all():
            return None
        return np.array([self.models.index(name) for name in values], dtype=np.int64)

    def _predictor(self, by: str | None) -> CrossFitting:
        features = self.features if by == self.by else None
        return CrossFitting(by, self.k, features, self.folds, self.clusters)
