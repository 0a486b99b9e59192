"""The answer model: how likely several models are right on a question, and how their wrong answers agree."""

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
from mssim._validation import choose_from, is_number, whole_number
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
    "silent": (0.0, 1.0, "shares of samples from 0 to 1"),
}


@dataclass(frozen=True)
class AnswerModel:
    """How several models answer: per question a chance of the right answer, and a law of wrong answers.

    A model is sure of a share of the questions and always right there. On the others its chance of the right answer is
    Beta(a, b), and its wrong answers follow stick breaking (GEM): the first takes a share Beta(1, spread) of the wrong
    draws, the next as much of what is left, and so on; two wrong draws agree with chance 1 / (1 + spread).

    Parameters
    ----------
    models : sequence of str
    sure, a, b, spread : float or sequence of float, one per model
        A number holds for all models.
    correlation : float or array_like, shape (n_models, n_models), default 0
        Of how easy questions are for two models: of the normal numbers of a Gaussian copula; easiest are those of which
        a model is sure. A number holds for all pairs.
    shared_distractors : float, default 0
        Share of questions on which all models draw wrong answers from one law, broken off the same stick; on the others
        no two models have a wrong answer in common.
    silent : float or sequence of float, default 0
        Share of a model's samples that give no answer.
    separation : float, optional
        Give every sample a `score`, as of a reward model: a standard normal number, for right samples this much higher.

    Raises
    ------
    MssimError
        If a number is out of its range, or the correlations cannot all hold at once.

    Notes
    -----
    All questions differ by chance alone: nothing ties the chance of the right answer to how wrong answers scatter.

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
    silent: Sequence[float] | float = 0.0
    separation: float | None = None

    def __post_init__(self) -> None:
        names = (self.models,) if isinstance(self.models, str) else tuple(self.models)
        if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
            raise MssimError(f"AnswerModel: models={self.models!r}; give one or more names, each once")
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
        """How one model answers; an unknown one is an `MssimError` that names the nearest."""
        if model not in self.models:
            raise MssimError(f"no model {model!r} in this answer model; {choose_from(str(model), self.models)}")
        return self._laws()[list(self.models).index(model)]

    def _laws(self) -> list[Law]:
        columns = (self.sure, self.a, self.b, self.spread, self.silent)
        return [Law(*row) for row in zip(*columns, strict=True)]  # type: ignore[arg-type]

    def accuracy_at_k(self, model: str, k: int | ArrayLike) -> Any:
        """Expected accuracy of Self-Consistency with k samples of one model, in closed form.

        Parameters
        ----------
        model : str
        k : int or array_like of int, shape (n_k,)
            Samples, from 1 to 1024. With ties "first" or "random", which give the same.

        Returns
        -------
        float, or ndarray of float64, shape (n_k,)
        """
        found = one_model.accuracy(self.law(model), _draws(k))
        return found if np.ndim(k) else found[0]

    def agreement_at_k(self, model: str, k: int | ArrayLike, *, agreement: float = 1.0, strict: bool = False) -> Any:
        """Expected share of questions on which k samples of one model agree, in closed form.

        Parameters
        ----------
        model, k
            As in `accuracy_at_k`.
        agreement, strict
            As in `ModelSwitch`. A sample without an answer counts in k, so it breaks unanimity.

        Returns
        -------
        float, or ndarray of float64, shape (n_k,)
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
        n_questions, n_samples : int
            Questions, and samples of every model for each.
        seed : int, default 0
            Of a PCG64 generator, used for uniform numbers only: the same seed gives the same pool.
        evenly : bool, default False
            Spread how hard the questions are evenly, in a scrambled Halton sequence, instead of drawing questions
            independently of each other. Even a pool of few questions then has nearly the accuracies that are expected
            of the answer model, while intervals over its questions stay those of independent ones.
        title : str
            The pool is called "simulated" and this.

        Returns
        -------
        Pool
            The right answer is called "right"; `info` says that the pool is synthetic, and has this answer model in
            its settings.
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
        """Draw samples of questions given as uniform numbers [question, model + 1]."""
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
        """One row per model.

        Returns
        -------
        DataFrame
            model, sure, a, b, spread, silent; accuracy (of one sample); correlation_<model> with each model;
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
        """Write the parameters as JSON; the file appears whole or not at all."""
        text = json.dumps({"answer_model": _plain(self), "schema": SCHEMA}, indent=2, ensure_ascii=False)
        with whole_file(path) as part:
            part.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AnswerModel:
        """Read what `save` wrote."""
        try:
            given = json.loads(Path(path).read_text(encoding="utf-8"))
            if given["schema"] == SCHEMA:
                return cls(**given["answer_model"])
        except MssimError as error:
            raise MssimError(f"{path}: {error}") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise MssimError(f"{path}: not an answer model that mssim saved, or damaged ({error!r:.200})") from error
        raise MssimError(f"{path}: schema version {given['schema']!r}; this mssim reads version {SCHEMA}")


def _plain(model: AnswerModel) -> Mapping[str, Any]:
    """What JSON can hold: lists for tuples, so that it is the same after it was written and read."""
    plain: Mapping[str, Any] = json.loads(json.dumps(asdict(model)))
    return plain


def _number(name: str, given: Any, low: float, high: float, allowed: str) -> float:
    if not is_number(given) or not low <= given <= high:
        raise MssimError(f"AnswerModel: {name}={given!r}; give {allowed}")
    return float(given)


def _per_model(name: str, given: Any, n_models: int) -> tuple[float, ...]:
    low, high, allowed = _RANGES[name]
    values = [given] * n_models if is_number(given) else list(given) if isinstance(given, Sequence | np.ndarray) else []
    if len(values) != n_models:
        raise MssimError(f"AnswerModel: {name}={given!r}; give one number, or one for each of {n_models} models")
    return tuple(_number(name, value, low, high, allowed) for value in values)


def _matrix(given: Any, n_models: int) -> tuple[tuple[float, ...], ...]:
    """Read correlations: symmetric, 1 with itself, and such that all can hold at once."""
    if is_number(given):
        matrix = np.where(np.eye(n_models, dtype=bool), 1.0, float(given))
    else:
        try:
            matrix = np.array(given, dtype=float)
        except (TypeError, ValueError):
            matrix = np.empty(0)
    size = (n_models, n_models)
    if matrix.shape != size or not np.allclose(matrix, matrix.T, atol=1e-12) or not np.allclose(np.diag(matrix), 1):
        raise MssimError(
            f"AnswerModel: correlation={given!r}; give one number from -1 to 1, or a symmetric table {size} with 1 "
            "on the diagonal"
        )
    if not (np.abs(matrix) <= 1).all() or np.linalg.eigvalsh(matrix).min() < -1e-10:
        raise MssimError(
            f"AnswerModel: correlation={given!r}; the numbers must lie between -1 and 1 and be possible together "
            "(positive semidefinite)"
        )
    return tuple(tuple(row) for row in matrix.tolist())


def _draws(k: int | ArrayLike) -> NDArray[np.int64]:
    draws = np.atleast_1d(np.asarray(k))
    if draws.ndim > 1 or not draws.size or draws.dtype.kind not in "iu" or draws.min() < 1 or draws.max() > MOST_DRAWS:
        raise MssimError(f"k={k!r:.80}; give one whole number from 1 to {MOST_DRAWS}, or a list of them")
    return draws.astype(np.int64)
