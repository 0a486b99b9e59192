"""Draw questions and samples from an answer model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy import special

from mssim.errors import MssimError
from mssim.pools.assemble import MOST_CLASSES
from mssim.pools.pool import Pool
from mssim.simulate.one_model import Law

Floats = NDArray[np.float64]

_SAMPLES_AT_ONCE = 2**20
_EDGE = 2.0**-53
_APART = 800.0  # exp(-800) is 0


class Questions(NamedTuple):
    """Difficulty of questions for the models."""

    right: Floats  # [question, model], probability of the correct answer
    shared: NDArray[np.bool_]  # [question], whether models have wrong answers in common


class Samples(NamedTuple):
    """Samples of some questions; wrong answers are numbered from 1 within a question."""

    answers: NDArray[np.int32]  # [question, model, sample]: 0 correct, -1 no answer
    scores: Floats | None  # [question, model, sample]


def normal(uniform: Floats) -> Floats:
    """Transform uniform numbers to standard normal numbers."""
    return np.asarray(special.ndtri(np.clip(uniform, _EDGE, 1 - _EDGE)))


def questions_at(laws: Sequence[Law], correlation: Floats, shared_distractors: float, uniform: Floats) -> Questions:
    """Return questions from uniform numbers [question, model + 1], with a Gaussian copula of their easiness.

    The easiest questions are those of which a model is sure.
    """
    # The small diagonal keeps matrices that are singular up to rounding positive definite.
    factor = np.linalg.cholesky(correlation + 1e-9 * np.eye(len(laws)))
    ease = special.ndtr(normal(uniform[:, :-1]) @ factor.T)
    right = np.ones_like(ease)
    for m, law in enumerate(laws):
        unsure = ease[:, m] < 1 - law.sure
        right[unsure, m] = special.betaincinv(law.a, law.b, ease[unsure, m] / (1 - law.sure))
    return Questions(right, uniform[:, -1] < shared_distractors)


def draw_samples(
    laws: Sequence[Law], questions: Questions, n_samples: int, separation: float | None, rng: np.random.Generator
) -> Samples:
    """Draw samples of every model.

    Stick breaking with parameter theta corresponds to a Poisson process of rate 1. A wrong draw has the position theta
    times an exponential number, and draws without a point of the process between them give the same answer. Neighbours
    in order of position therefore differ with probability 1 - exp(-distance). Models with different theta can share one
    process.
    """
    shape = (*questions.right.shape, n_samples)
    right = rng.random(shape) < questions.right[:, :, None]
    share = np.array([law.no_answer for law in laws])[:, None]
    no_answer = rng.random(shape) < share if share.any() else np.zeros(shape, dtype=bool)
    theta = np.array([law.spread for law in laws])
    place = -np.log1p(-rng.random(shape)) * theta[:, None]
    # Models that share no answers are shifted so far that a point always separates them.
    shift = np.arange(len(laws)) * (40 * theta.max() + _APART)
    place += np.where(questions.shared[:, None], 0.0, shift)[:, :, None]
    place[right | no_answer] = np.inf
    answers = _numbered(place.reshape(len(place), -1), rng).reshape(shape)
    answers[right], answers[no_answer] = 0, -1
    scores = None if separation is None else normal(rng.random(shape)) + separation * right
    return Samples(answers, scores)


def _numbered(place: Floats, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return the interval of each draw, [question, draw]; undefined where the position is infinite."""
    order = np.argsort(place, axis=1)
    ordered = np.take_along_axis(place, order, axis=1)
    ordered[np.isinf(ordered)] = 0.0  # infinite positions are last; their differences would be NaN
    distance = np.diff(ordered, axis=1, prepend=-np.inf).clip(0)
    new = rng.random(place.shape) < -np.expm1(-distance)
    numbers = np.empty(place.shape, np.int32)
    np.put_along_axis(numbers, order, np.cumsum(new, axis=1, dtype=np.int32), axis=1)
    return numbers


def draw_pool(
    models: Sequence[str],
    laws: Sequence[Law],
    questions: Questions,
    n_samples: int,
    separation: float | None,
    rng: np.random.Generator,
    info: dict[str, object],
) -> Pool:
    """Draw samples in blocks of questions, and return them as a pool."""
    n_questions = len(questions.shared)
    step = max(1, _SAMPLES_AT_ONCE // (len(laws) * n_samples))
    parts = []
    for first, last in pairwise([*range(0, n_questions, step), n_questions]):
        block = Questions(questions.right[first:last], questions.shared[first:last])
        parts.append(draw_samples(laws, block, n_samples, separation, rng))
    answers = np.concatenate([part.answers for part in parts])
    scores = {} if separation is None else {"score": np.concatenate([p.scores for p in parts if p.scores is not None])}
    return _as_pool(models, answers, scores, info)


def _as_pool(
    models: Sequence[str], answers: NDArray[np.int32], numbers: dict[str, Floats], info: dict[str, object]
) -> Pool:
    """Return a pool whose classes are the drawn answers in order of their names, as in a loaded pool."""
    n_questions, n_models, n_samples = answers.shape
    n_wrong = answers.max(axis=(1, 2)).clip(0)
    right = (answers == 0).any(axis=(1, 2))
    counts = right + n_wrong
    if counts.max() > MOST_CLASSES:
        raise MssimError(
            f"a question has {counts.max()} different answers, more than the maximum of {MOST_CLASSES}. Use a smaller "
            "spread, or draw fewer samples."
        )
    codes = np.where(answers > 0, answers + (right - 1)[:, None, None], answers)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    number = np.arange(offsets[-1]) - np.repeat(offsets[:-1] + right - 1, counts)
    width, digits = len(str(n_wrong.max())), len(str(n_questions))
    labels = pa.array(["right", *(f"wrong {i:0{width}}" for i in range(1, n_wrong.max() + 1))], pa.string())
    names = [f"q{q:0{digits}}" for q in range(1, n_questions + 1)]
    return Pool(
        models=tuple(models),
        questions=pd.DataFrame({"question_id": names, "truth": "right"}),
        codes=np.ascontiguousarray(np.moveaxis(codes, 1, 0), dtype=np.int16),
        lengths=np.full((n_models, n_questions), n_samples, np.int32),
        class_offsets=offsets,
        class_correct=number == 0,
        class_labels=labels.take(pa.array(number)),
        numbers={name: np.ascontiguousarray(np.moveaxis(values, 1, 0)) for name, values in numbers.items()},
        extra=pa.table({}),
        info=info,
    )
