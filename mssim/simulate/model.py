"""Answer model: a joint distribution of correct and wrong answers of several models."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import qmc

from mssim._files import whole_file
from mssim._validation import choose_from, is_number, shown, whole_number
from mssim.errors import MssimError
from mssim.pools.pool import Pool
from mssim.rules.agreement import check_threshold
from mssim.simulate import one_model
from mssim.simulate.drawing import draw_pool, questions_at
from mssim.simulate.one_model import Law

__all__ = ["AnswerModel"]

SCHEMA = 1
MOST_DRAWS = 1024

_RANGES = {
    "sure": (0.0, 1.0, "shares of questions from 0 to 1"),
    "a": (1e-6, 1e6, "numbers from 1e-6 to 1e6"),
    "b": (1e-6, 1e6, "numbers from 1e-6 to 1e6"),
    "spread": (1e-6, 1e6, "numbers from 1e-6 to 1e6"),
    "no_answer": (0.0, 1.0, "shares of samples from 0 to 1"),
}


@dataclass(frozen=True)
class AnswerModel:
    """Joint distribution of the answers of several models.

    A model is sure of a share of the questions, on which it is always correct. On each other question, its probability
    of the correct answer is drawn from Beta(a, b), and its wrong answers follow stick breaking (GEM). The first wrong
    answer takes a share Beta(1, spread) of the wrong draws, the next one the same of the rest, and so on. Two wrong
    draws agree with probability 1 / (1 + spread).

    Parameters
    ----------
    models : sequence of str
        Names of the models.
    sure : float or sequence of float
        Share of questions of which each model is sure, from 0 to 1. One number applies to all models, here and below.
    a, b : float or sequence of float
        Parameters of the Beta distribution, from 1e-6 to 1e6.
    spread : float or sequence of float
        Spread of wrong answers, from 1e-6 (always the same) to 1e6 (always different).
    correlation : float or array_like, shape (n_models, n_models), default 0
        Correlation of the easiness of questions for two models, in a Gaussian copula. Questions of which a model is
        sure are the easiest. A number applies to all pairs.
    shared_distractors : float, default 0
        Share of questions on which all models draw wrong answers from the same stick. On the others, no two models have
        a wrong answer in common.
    no_answer : float or sequence of float, default 0
        Share of samples of each model without an answer.
    separation : float, optional
        If given, samples have a `score`, as of a reward model: standard normal numbers, with `separation` added for
        correct samples.

    Raises
    ------
    MssimError
        If a number is out of range, or the correlation matrix is not positive semidefinite.

    Notes
    -----
    The probability of the correct answer is independent of the distribution of wrong answers.

    Examples
    --------
    >>> model = AnswerModel(["x", "y"], sure=[0.4, 0.2], a=1.0, b=[1.0, 1.5], spread=2.0, correlation=0.8)
    >>> model.accuracy_at_k("x", [1, 16]).round(4)
    array([0.7   , 0.7937])
    >>> model.agreement_at_k("y", 4).round(4)
    np.float64(0.3105)
    >>> model.draw(100, 16, seed=1)
    Pool(100 questions, 2 models, 16 samples each: x, y)
    """

    models: Sequence[str]
    sure: Sequence[float] | float
    a: Sequence[float] | float
    b: Sequence[float] | float
    spread: Sequence[float] | float
    correlation: Sequence[Sequence[float]] | float = 0.0
    shared_distractors: float = 0.0
    no_answer: Sequence[float] | float = 0.0
    separation: float | None = None

    def __post_init__(self) -> None:
        names = (self.models,) if isinstance(self.models, str) else tuple(self.models)
        if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
            raise MssimError(
                f"AnswerModel: models={self.models!r} is not a list of different names. Use e.g. ['strong', 'weak']."
            )
        values: dict[str, Any] = {"models": names}
        values |= {name: _per_model(name, getattr(self, name), len(names)) for name in _RANGES}
        values["correlation"] = _matrix(self.correlation, len(names))
        values["shared_distractors"] = _number(
            "shared_distractors", self.shared_distractors, 0, 1, "a share from 0 to 1"
        )
        if self.separation is not None:
            allowed = "a number from -100 to 100, or None for no scores"
            values["separation"] = _number("separation", self.separation, -100, 100, allowed)
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def law(self, model: str) -> Law:
        """Return the parameters of one model."""
        if model not in self.models:
            raise MssimError(f"no model {model!r} in this answer model. {choose_from(str(model), self.models)}.")
        return self._laws()[list(self.models).index(model)]

    def _laws(self) -> list[Law]:
        columns = (self.sure, self.a, self.b, self.spread, self.no_answer)
        return [Law(*row) for row in zip(*columns, strict=True)]  # type: ignore[arg-type]

    def accuracy_at_k(self, model: str, k: int | ArrayLike) -> Any:
        """Compute the expected accuracy of Self-Consistency with k samples of one model, in closed form.

        Parameters
        ----------
        model : str
            Name of the model.
        k : int or array_like of int, shape (n_k,)
            Number of samples, from 1 to 1024.

        Returns
        -------
        float, or ndarray of float64, shape (n_k,)
            Expected accuracy with ties "first" or "random", which have the same expectation.
        """
        found = one_model.accuracy(self.law(model), _draws(k))
        return found if np.ndim(k) else found[0]

    def agreement_at_k(self, model: str, k: int | ArrayLike, *, agreement: float = 1.0, strict: bool = False) -> Any:
        """Compute the expected share of questions on which k samples of one model agree, in closed form.

        Parameters
        ----------
        model, k
            As in `accuracy_at_k`.
        agreement, strict
            As in `ModelSwitch`. Samples without an answer count in k, so they break unanimity.

        Returns
        -------
        float, or ndarray of float64, shape (n_k,)
            Expected agreement rate.
        """
        check_threshold(agreement, strict)
        found = one_model.agreement(self.law(model), _draws(k), agreement, strict=strict)
        return found if np.ndim(k) else found[0]

    def draw(
        self, n_questions: int, n_samples: int, *, seed: int = 0, evenly: bool = False, title: str = "pool"
    ) -> Pool:
        """Draw a pool.

        Parameters
        ----------
        n_questions : int
            Number of questions.
        n_samples : int
            Number of samples of every model for each question.
        seed : int, default 0
            Seed of a PCG64 generator. The same seed gives the same pool.
        evenly : bool, default False
            Spread the difficulty of questions evenly with a scrambled Halton sequence, instead of drawing questions
            independently. A pool of few questions then has nearly the expected accuracies of the answer model.
            Intervals over its questions remain those of independent questions.
        title : str
            Title of the pool, which is prefixed with "simulated".

        Returns
        -------
        Pool
            The correct answer is called "right". `info` marks the pool as synthetic and contains the answer model.
        """
        asked = whole_number("n_questions", n_questions, 1, 10**7)
        samples = whole_number("n_samples", n_samples, 1, 2**15 - 1)
        rng = np.random.Generator(np.random.PCG64(whole_number("seed", seed, 0, 2**64 - 1)))
        shape = (asked, len(self.models) + 1)
        uniform = qmc.Halton(shape[1], rng=rng).random(asked) if evenly else rng.random(shape)
        return self._pool(uniform, samples, rng, title, seed)

    def _pool(
        self, uniform: NDArray[np.float64], n_samples: int, rng: np.random.Generator, title: str, seed: int
    ) -> Pool:
        """Draw samples of questions that are given as uniform numbers [question, model + 1]."""
        laws = self._laws()
        questions = questions_at(laws, np.array(self.correlation), self.shared_distractors, uniform)
        info = {
            "title": title if title.startswith("simulated") else f"simulated {title}",
            "source": "drawn by mssim.simulate from an answer model; no language model was asked",
            "synthetic": True,
            "settings": {"seed": int(seed), "answer_model": _plain(self)},
        }
        return draw_pool(self.models, laws, questions, n_samples, self.separation, rng, info)

    def to_frame(self) -> pd.DataFrame:
        """Return the parameters as a frame with one row per model.

        Returns
        -------
        DataFrame
            model, sure, a, b, spread, no_answer; accuracy (of one sample); correlation_<model> for each model;
            shared_distractors; separation (NaN without scores).
        """
        frame = pd.DataFrame({"model": self.models} | {name: getattr(self, name) for name in _RANGES})
        frame["accuracy"] = [self.accuracy_at_k(model, 1) for model in self.models]
        for model, column in zip(self.models, np.array(self.correlation).T, strict=True):
            frame[f"correlation_{model}"] = column
        frame["shared_distractors"] = self.shared_distractors
        frame["separation"] = np.nan if self.separation is None else self.separation
        return frame

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters as JSON, replacing the file only when it is complete."""
        text = json.dumps({"answer_model": _plain(self), "schema": SCHEMA}, indent=2, ensure_ascii=False)
        with whole_file(path) as part:
            part.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AnswerModel:
        """Read an answer model written by `save`."""
        try:
            given = json.loads(Path(path).read_text(encoding="utf-8"))
            if given["schema"] == SCHEMA:
                return cls(**given["answer_model"])
        except MssimError as error:
            raise MssimError(f"{path}: {error}") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or f"{error!r:.200}"
            raise MssimError(
                f"{path}: not an answer model of mssim, or damaged ({reason}). Use a file written by AnswerModel.save."
            ) from error
        raise MssimError(f"{path}: unknown schema version {given['schema']!r}. This mssim reads version {SCHEMA}.")


def _plain(model: AnswerModel) -> Mapping[str, Any]:
    """Return the parameters as JSON types, with lists for tuples, so that they are equal after a round trip."""
    plain: Mapping[str, Any] = json.loads(json.dumps(asdict(model)))
    return plain


def _number(name: str, given: Any, low: float, high: float, allowed: str) -> float:
    if not is_number(given) or not low <= given <= high:
        raise MssimError(f"AnswerModel: {name}={shown(given)} is not valid. Use {allowed}.")
    return float(given)


def _per_model(name: str, given: Any, n_models: int) -> tuple[float, ...]:
    low, high, allowed = _RANGES[name]
    several = isinstance(given, Sequence) or (isinstance(given, np.ndarray) and given.ndim > 0)
    values = [given] * n_models if is_number(given) else list(given) if several else []
    if len(values) != n_models:
        raise MssimError(
            f"AnswerModel: {name}={shown(given)} does not match the {n_models} models. Use one number, or one per "
            "model."
        )
    return tuple(_number(name, value, low, high, allowed) for value in values)


def _matrix(given: Any, n_models: int) -> tuple[tuple[float, ...], ...]:
    """Read correlations as a symmetric, positive semidefinite matrix with ones on the diagonal."""
    try:
        alike = np.where(np.eye(n_models, dtype=bool), 1.0, float(given)) if is_number(given) else given
        matrix = np.array(alike, dtype=float)
    except (TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    size = (n_models, n_models)
    if matrix.shape != size or not np.allclose(matrix, matrix.T, atol=1e-12) or not np.allclose(np.diag(matrix), 1):
        raise MssimError(
            f"AnswerModel: correlation={shown(given)} is not a correlation matrix. Use one number from -1 to 1, or a "
            f"symmetric matrix of shape {size} with ones on the diagonal."
        )
    if not (np.abs(matrix) <= 1).all() or np.linalg.eigvalsh(matrix).min() < -1e-10:
        raise MssimError(
            f"AnswerModel: correlation={shown(given)} is not possible. Correlations must be from -1 to 1 and form a "
            "positive semidefinite matrix."
        )
    return tuple(tuple(row) for row in matrix.tolist())


def _draws(k: int | ArrayLike) -> NDArray[np.int64]:
    draws = np.atleast_1d(np.asarray(k))
    if draws.ndim > 1 or not draws.size or draws.dtype.kind not in "iu" or draws.min() < 1 or draws.max() > MOST_DRAWS:
        raise MssimError(f"k={k!r:.80} is not valid. Use an integer from 1 to {MOST_DRAWS}, or a list of them.")
    return draws.astype(np.int64)
