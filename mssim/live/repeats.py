"""Whether a recording can be compared with a live run: the same settings and questions, but not the same samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mssim._validation import counted, shown
from mssim.errors import PoolError
from mssim.grading import Rule
from mssim.pools.pool import Pool
from mssim.recorder import ModelPlan

__all__ = ["known_before", "other_questions", "other_settings", "refuse_repeats"]

_SETTINGS = ("model_id", "settings", "template", "system")  # that change answers
_OF_QUESTIONS = ("question", "truth", "choices")
_MOST = 6.0  # standard errors by which matches may exceed those by chance; 1e-9 by the normal law


def refuse_repeats(samples: Pool, pool: Pool) -> None:
    """Raise if samples equal the recorded ones with the same number more often than by chance.

    Parameters
    ----------
    samples : Pool
        Samples of a live run.
    pool : Pool
        The recording from which the run was predicted.

    Raises
    ------
    PoolError
        If the samples are not independent of the recording.

    Examples
    --------
    >>> from mssim import load_pool
    >>> pool = load_pool("recorded/llm-products")
    >>> pool = pool.select(models=["gemma"], questions=pool.question_ids[:20])
    >>> refuse_repeats(pool, pool)
    Traceback (most recent call last):
    mssim.errors.PoolError: pool: 5120 of 5120 samples of the live run equal the recorded sample with the same number,
    where 2382 would by chance. The run repeats the recording, so that it does not test the prediction. Run it with
    another seed of samples, or use another recording.
    """
    matches, expected, variance, n = 0, 0.0, 0.0, 0
    places = {question: q for q, question in enumerate(pool.question_ids)}
    for model in set(samples.models) & set(pool.models):
        a, b = samples.model_index(model), pool.model_index(model)
        for q, question in enumerate(samples.question_ids):
            if question not in places:
                continue
            ours = _answers(samples, a, q)
            theirs = _answers(pool, b, places[question])
            size = min(len(ours), len(theirs))
            if not size:
                continue
            chance = np.array([np.mean(theirs == answer) for answer in ours[:size]])
            matches += int((ours[:size] == theirs[:size]).sum())
            expected += float(chance.sum())
            variance += float((chance * (1 - chance)).sum())
            n += size
    if matches - expected > _MOST * math.sqrt(variance) and variance > 0:
        raise PoolError(
            f"pool: {matches} of {n} samples of the live run equal the recorded sample with the same number, where "
            f"{expected:.0f} would by chance. The run repeats the recording, so that it does not test the prediction. "
            "Run it with another seed of samples, or use another recording."
        )


def known_before(models: Iterable[ModelPlan], rule: Rule, pool: Pool) -> list[str]:
    """Return what speaks against a comparison with a recording and is known before the run is paid.

    Parameters
    ----------
    models : iterable of ModelPlan
        Models of the run.
    rule : Rule
        Its grading rule.
    pool : Pool
        The recording.

    Returns
    -------
    list of str
        The notes of `other_settings`, and one for each model that would draw with the seeds of the recording.
    """
    asked = {model.name: {name: getattr(model, name) for name in (*_SETTINGS, "seed")} for model in models}
    for described in asked.values():
        described["settings"] = dict(described["settings"])
        if described["template"] is None:  # that of the questions
            del described["template"]
    found = _other(asked, _graded_by(rule.name, rule.reasoning), pool)
    for name, described in asked.items():
        seed = described["seed"]
        if seed is not None and seed == _described(pool.info, name).get("seed"):
            found.append(
                f"model {name!r}: its seed of samples, {seed}, is that of the recording. A server that keeps seeds "
                "repeats the recording, which does not test the prediction and is refused after the run. Use another "
                "seed of samples."
            )
    return found


def other_settings(samples: Pool, pool: Pool) -> list[str]:
    """Return a note for each model whose settings differ from those of the recording, and for another grading rule.

    What is not known of both is not compared.

    Parameters
    ----------
    samples : Pool
        Samples of a live run.
    pool : Pool
        The recording.

    Returns
    -------
    list of str
        The notes.
    """
    described = {model: _described(samples.info, model) for model in samples.models}
    return _other(described, _rule(samples), pool)


def other_questions(samples: Pool, pool: Pool) -> list[str]:
    """Return a note for each column of questions that differs from that of the recording, as far as both have it.

    Parameters
    ----------
    samples : Pool
        Samples of a live run.
    pool : Pool
        The recording.

    Returns
    -------
    list of str
        The notes.

    Examples
    --------
    >>> import pandas as pd
    >>> from mssim import Pool
    >>> rows = {"question_id": "q", "model": "a", "sample_index": [0], "answer": ["7"], "correct": [True]}
    >>> pools = [Pool.from_frame(pd.DataFrame({**rows, "question": text})) for text in ("3 + 4?", "5 + 2?")]
    >>> other_questions(*pools)
    ["questions: 1 question, first 'q', has another question in the live run than in the recording, which may therefore
    not predict it."]
    """
    places = {question: place for place, question in enumerate(pool.question_ids)}
    common = [(i, places[name]) for i, name in enumerate(samples.question_ids) if name in places]
    found = []
    for column in _OF_QUESTIONS:
        if not common or any(column not in one.questions.columns for one in (samples, pool)):
            continue
        ours, theirs = ([_text(value) for value in one.questions[column]] for one in (samples, pool))
        known = [(i, j) for i, j in common if ours[i] is not None and theirs[j] is not None]
        other = [samples.question_ids[i] for i, j in known if ours[i] != theirs[j]]
        if other:
            found.append(
                f"questions: {counted(len(other), 'question')}, first {shown(other[0])}, "
                f"{'has' if len(other) == 1 else 'have'} another {column} in the live run than in the recording, which "
                "may therefore not predict it."
            )
    return found


def _other(models: Mapping[str, Mapping[str, Any]], rule: str | None, pool: Pool) -> list[str]:
    """Return the notes of `other_settings` for described models and a rule."""
    found = []
    for model, live in models.items():
        recorded = _described(pool.info, model)
        found += [
            f"model {model!r}: {name} is {shown(live[name], 80)} in the live run and {shown(recorded[name], 80)} in "
            "the recording, which may therefore not predict it."
            for name in _SETTINGS
            if name in live and name in recorded and live[name] != recorded[name]
        ]
    recorded_rule = _rule(pool)
    if None not in (rule, recorded_rule) and rule != recorded_rule:
        found.append(
            f"rule: the live run is graded by {rule} and the recording by {recorded_rule}, so their answers are not "
            "the same."
        )
    return found


def _text(value: Any) -> str | list[str] | None:
    """Return text, a list of texts or None, in which form values can be compared."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple | np.ndarray):
        return [str(one) for one in value]
    return None if value is None or value != value else str(value)  # NaN is missing


def _rule(pool: Pool) -> str | None:
    """Return the grading rule of a pool, None if it is unknown."""
    grader = pool.info.get("grader")
    if not isinstance(grader, Mapping) or not isinstance(grader.get("rule"), str):
        return None
    return _graded_by(grader["rule"], grader.get("reasoning"))


def _graded_by(rule: str, reasoning: Any) -> str:
    return f"{shown(rule)}{' with reasoning' if reasoning == 'keep' else ''}"


def _described(info: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    models = info.get("models")
    described = models.get(model) if isinstance(models, Mapping) else None
    return described if isinstance(described, Mapping) else {}


def _answers(pool: Pool, model: int, question: int) -> np.ndarray:
    """Return the answers of a model to a question as text, blank for no answer."""
    first = int(pool.class_offsets[question])
    labels = pool.class_labels[first : int(pool.class_offsets[question + 1])].to_pylist()
    codes = pool.codes[model, question, : pool.lengths[model, question]]
    return np.array([*labels, ""], dtype=object)[codes]
