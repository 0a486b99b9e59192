"""Report of a grading: accuracy per model, classes per question, unreachable truths and examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mssim._validation import counted
from mssim._version import __version__

__all__ = ["Grading", "shown"]

_WIDTH = 80


@dataclass(frozen=True, eq=False, repr=False)
class Grading:
    """Report of a grading, as returned by `grade`.

    Attributes
    ----------
    rule : str
        Name of the rule.
    versions : mapping of str to str
        Versions of packages on which the classes depend, such as math_verify.
    models, question_ids : tuple of str
        Names of the models and of the questions.
    samples, answered, right : ndarray of int64, shape (n_models, n_questions)
        Number of samples, of samples with an answer, and of correct samples.
    classes : ndarray of int64, shape (n_models, n_questions)
        Number of answer classes of the samples of a model.
    classes_of_all : ndarray of int64, shape (n_questions,)
        Number of answer classes of the samples of all models.
    cannot_match : mapping of str to str or None
        Truths that no answer can equal under this rule, by question_id.
    truths : str
        Description of valid truths.
    undecided : int
        Number of texts and pairs of texts for which math-verify exceeded its time limit. They count as different.
    chosen : DataFrame
        Examples, see `examples`.
    reasoning : str
        Whether reasoning before an answer was dropped ("drop") or kept ("keep").
    dropped, unclosed : ndarray of int64, shape (n_models,)
        Number of samples from which reasoning was dropped, and of samples without an answer since it does not end.
    notes : tuple of str
        What a reader must know of the samples, such as which were cut off or have an empty text.

    Examples
    --------
    >>> import tempfile
    >>> from mssim import load_pool
    >>> from mssim.grading import grade
    >>> pool = load_pool("recorded/llm-products").select(where=[("sample_index", "<", 8)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pool.save(f"{folder}/pool")
    ...     grade(f"{folder}/pool", "first-number")
    Grading('first-number', 3 models, 3816 samples)
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
    reasoning: str
    dropped: NDArray[np.int64]
    unclosed: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row per model.

        Returns
        -------
        DataFrame
            The columns are model; questions, the number of questions with a sample; samples; no_answer, the share of
            samples without an answer; accuracy of a single sample, averaged over questions; and classes_min,
            classes_median and classes_max, the number of answer classes per question.
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
        """Return a summary for pool.json.

        Returns
        -------
        dict
            The rule, the versions, and the number of truths that no answer can equal.
        """
        kept = {} if self.reasoning == "drop" else {"reasoning": self.reasoning}
        return {
            "rule": self.rule,
            **kept,
            "mssim": __version__,
            **self.versions,
            "cannot_match": len(self.cannot_match),
        }

    def classes_per_question(self) -> dict[str, float]:
        """Return statistics of the number of answer classes per question, over all models.

        Returns
        -------
        dict
            The entries classes_min, classes_median and classes_max.
        """
        return _spread(self.classes_of_all)

    def examples(self) -> pd.DataFrame:
        """Return some samples of each outcome, chosen deterministically and evenly over the file.

        Returns
        -------
        DataFrame
            The columns are outcome (right, wrong, no answer, or merged if the answer has another spelling than its
            class), question_id, model, sample_index, text (its end), extracted, answer and truth. Control characters
            are escaped, and texts are truncated to 80 characters.
        """
        return self.chosen.copy()

    def warnings(self) -> list[str]:
        """Return warnings about truths, missing verdicts of math-verify, reasoning and the samples.

        Returns
        -------
        list of str
            The warnings, empty if there are none. They name truths that no answer can equal, samples that were cut
            off, empty texts, several served models, requests whose texts are equal, recorded reasoning, models without
            a right answer, and verdicts of the source that the rule contradicts.
        """
        return [*self.of_rule(), *self.notes, *self.remarks()]

    def of_rule(self) -> list[str]:
        """Return only the warnings about truths, missing verdicts of math-verify and reasoning that does not end."""
        found = of_truths(self.cannot_match, len(self.question_ids), self.truths, self.rule)
        if self.undecided:
            found.append(
                f"math-verify exceeded its time limit for {self.undecided} answers or pairs of answers. They count as "
                "different."
            )
        for model, samples, unclosed in zip(self.models, self.samples.sum(axis=1), self.unclosed, strict=True):
            if unclosed:
                found.append(
                    f"The reasoning of {unclosed} of {samples} samples of {model} does not end. They have no answer. "
                    "Raise max_tokens, or grade the reasoning too (reasoning='keep')."
                )
        return found

    def remarks(self) -> list[str]:
        """Return how many samples had reasoning before their answer, which was dropped."""
        return [
            f"Reasoning was dropped from {dropped} of {samples} samples of {model}."
            for model, samples, dropped in zip(self.models, self.samples.sum(axis=1), self.dropped, strict=True)
            if dropped
        ]

    def __repr__(self) -> str:
        size = f"{counted(len(self.models), 'model')}, {counted(int(self.samples.sum()), 'sample')}"
        return f"Grading({self.rule!r}, {size})"


def of_truths(cannot_match: Mapping[str, str | None], questions: int, truths: str, rule: str) -> list[str]:
    """Return a warning about truths that no answer can equal, if there are any.

    Examples
    --------
    >>> of_truths({"q1": "Paris"}, 8, "numbers", "number")
    ["1 of 8 truths are not numbers, such as 'Paris'. The rule number cannot match them. Choose another rule, or correct
    the truths."]
    """
    if not cannot_match:
        return []
    truth = next(iter(cannot_match.values()))
    given = "a missing truth" if truth is None else repr(shown(truth))
    return [
        f"{len(cannot_match)} of {questions} truths are not {truths}, such as {given}. The rule {rule} cannot match "
        "them. Choose another rule, or correct the truths."
    ]


def _spread(classes: NDArray[np.int64]) -> dict[str, float]:
    return {
        "classes_min": int(classes.min()),
        "classes_median": float(np.median(classes)),
        "classes_max": int(classes.max()),
    }


def shown(text: str | None, *, end: bool = False) -> str:
    r"""Return a text for a terminal, with escaped control characters and at most 80 characters.

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
