"""What a reader of results should know of an imported pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mssim.pools.pool import Pool
from mssim.pools.quality import no_votes, repeated_texts

__all__ = ["Diagnostics", "diagnose"]


@dataclass(frozen=True, eq=False, repr=False)
class Diagnostics:
    """What an import found; made by `diagnose`.

    Attributes
    ----------
    questions, samples : int
    models : tuple of str
    failed : mapping of str to int
        Samples that were asked for and not had, by reason; they are not in the pool.
    identical_texts, long_texts : int
        How many texts of at least 40 characters there are, and how many repeat one of the same model and question.
    warnings : tuple of str
        What is odd; `strict` makes errors of them.
    remarks : tuple of str
        What is not odd in this format, but must be known before samples are counted.
    """

    questions: int
    samples: int
    models: tuple[str, ...]
    failed: Mapping[str, int]
    identical_texts: int
    long_texts: int
    warnings: tuple[str, ...]
    remarks: tuple[str, ...]
    _described: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row per model.

        Returns
        -------
        DataFrame
            model; questions with a sample; missing, questions without; samples_min, samples_median, samples_max per
            question; no_answer, share of samples; distinct_answers, mean per question; accuracy of a single sample.
        """
        return self._described.copy()

    def __repr__(self) -> str:
        models = f"{len(self.models)} model{'s' * (len(self.models) != 1)}"
        return f"Diagnostics({self.questions} questions, {models}, {self.samples} samples, {len(self.warnings)} odd)"


def diagnose(pool: Pool) -> Diagnostics:
    """Describe an imported pool; what only the import could see is in its `info["import"]`."""
    found: Mapping[str, Any] = pool.info.get("import", {})
    frame = pool.describe()
    frame.insert(2, "missing", len(pool.questions) - frame["questions"])
    long, identical = found.get("long_texts", 0), found.get("identical_texts", 0)
    texts = [] if "text" in pool.extra.column_names else repeated_texts(identical, long)  # else the pool says it
    failed = dict(found.get("failed", {}))
    return Diagnostics(
        questions=len(pool.questions),
        samples=int(pool.lengths.sum()),
        models=pool.models,
        failed=failed,
        identical_texts=identical,
        long_texts=long,
        warnings=(*pool.warnings(), *texts, *_failures(failed), *_verdicts(pool), *found.get("notes", ())),
        remarks=tuple(no_votes(pool)),
        _described=frame.drop(columns="top_share"),
    )


def _failures(failed: Mapping[str, int]) -> list[str]:
    if not failed:
        return []
    reasons = ", ".join(f"{number} {reason}" for reason, number in list(failed.items())[:5])
    more = f" and {len(failed) - 5} more reasons" if len(failed) > 5 else ""
    return [f"{sum(failed.values())} samples failed and are not in the pool: {reasons}{more}"]


def _verdicts(pool: Pool) -> list[str]:
    """Whether grading and the files agree on what is right."""
    if "correct_in_source" not in pool.extra.column_names:
        return []
    said = pool.extra["correct_in_source"].to_pandas()
    found = pool.sample_correct()[pool.recorded]
    differ = int(((said != found) & said.notna()).sum())
    if differ <= 0.01 * len(found):
        return []
    return [
        f"grading and the files do not agree on {differ} of {len(found)} samples: what the files say is the column "
        "correct_in_source"
    ]
