"""What grading found: shares per model, classes per question, truths that cannot be met, examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mssim._version import __version__

__all__ = ["Grading", "shown"]

_WIDTH = 80


@dataclass(frozen=True, eq=False, repr=False)
class Grading:
    """What grading found; made by `grade`.

    Attributes
    ----------
    rule : str
    versions : mapping of str to str
        What else the classes depend on: math_verify.
    models, question_ids : tuple of str
    samples, answered, right : ndarray of int64, shape (n_models, n_questions)
        How many samples there are, how many have an answer, how many are right.
    classes : ndarray of int64, shape (n_models, n_questions)
        How many answer classes the samples of a model fall in.
    classes_of_all : ndarray of int64, shape (n_questions,)
        The same for the samples of all models.
    cannot_match : mapping of str to str or None
        Truths that no answer can equal under this rule, by question_id.
    truths : str
        What a truth must be.
    undecided : int
        Texts and pairs of texts for which math-verify found no verdict in time; they count as different.
    chosen : DataFrame
        See `examples`.
    """

    rule: str
    versions: Mapping[str, str]
    models: tuple[str, ...]
    question_ids: tuple[str, ...]
    samples: NDArray[np.int64]
    answered: NDArray[np.int64]
    right: NDArray[np.int64]
    classes: NDArray[np.int64]
    classes_of_all: NDArray[np.int64]
    cannot_match: Mapping[str, str | None]
    truths: str
    undecided: int
    chosen: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row per model.

        Returns
        -------
        DataFrame
            model; questions (with at least one sample); samples; no_answer, share of samples; accuracy of a single
            sample, averaged over questions; classes_min, classes_median and classes_max per question.
        """
        rows = []
        for m, model in enumerate(self.models):
            asked = self.samples[m] > 0
            samples, classes = self.samples[m][asked], self.classes[m][asked]
            rows.append(
                {
                    "model": model,
                    "questions": int(asked.sum()),
                    "samples": int(samples.sum()),
                    "no_answer": 1 - int(self.answered[m].sum()) / int(samples.sum()),
                    "accuracy": float(np.mean(self.right[m][asked] / samples)),
                    **_spread(classes),
                }
            )
        return pd.DataFrame(rows)

    def describe(self) -> dict[str, Any]:
        """What pool.json says of the grade: rule, versions, and how many truths no answer can equal."""
        return {"rule": self.rule, "mssim": __version__, **self.versions, "cannot_match": len(self.cannot_match)}

    def classes_per_question(self) -> dict[str, float]:
        """Smallest, median and largest number of answer classes of a question, over all models."""
        return _spread(self.classes_of_all)

    def examples(self) -> pd.DataFrame:
        """Some samples of each outcome, chosen evenly over the file and so the same each time.

        Returns
        -------
        DataFrame
            outcome (right, wrong, no answer; merged: the answer was spelled otherwise), question_id, model,
            sample_index, text (its end), extracted, answer, truth. Control characters are written as escapes, and long
            texts cut to 80 characters.
        """
        return self.chosen.copy()

    def warnings(self) -> list[str]:
        """What a reader of results under this grade should know."""
        found = []
        if self.cannot_match:
            truth = next(iter(self.cannot_match.values()))
            given = "none" if truth is None else repr(shown(truth))
            found.append(
                f"{len(self.cannot_match)} of {len(self.question_ids)} truths are not {self.truths}, e.g. {given}: "
                f"rule {self.rule} can never match them"
            )
        if self.undecided:
            found.append(
                f"math-verify found no verdict in time for {self.undecided} answers or pairs of answers; they count as "
                "different"
            )
        return found

    def __repr__(self) -> str:
        return f"Grading({self.rule!r}, {len(self.models)} models, {int(self.samples.sum())} samples)"


def _spread(classes: NDArray[np.int64]) -> dict[str, float]:
    return {
        "classes_min": int(classes.min()),
        "classes_median": float(np.median(classes)),
        "classes_max": int(classes.max()),
    }


def shown(text: str | None, *, end: bool = False) -> str:
    r"""Write a text for a terminal: characters that are not printed as escapes, and at most 80 characters.

    Examples
    --------
    >>> shown("\x1b[2J\nred")
    '\\x1b[2J\\nred'
    """
    if text is None:
        return ""
    near = text[-_WIDTH:] if end else text[:_WIDTH]
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in near)
    if len(safe) == len(text) or (len(safe) <= _WIDTH and len(near) == len(text)):
        return safe
    return "..." + safe[3 - _WIDTH :] if end else safe[: _WIDTH - 3] + "..."
