"""Diagnostics of an imported pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mssim._validation import counted
from mssim.pools.pool import Pool
from mssim.pools.quality import no_votes, repeated_texts
from mssim.pools.verdicts import oracle_scores

__all__ = ["Diagnostics", "diagnose"]


@dataclass(frozen=True, eq=False, repr=False)
class Diagnostics:
    """Counts and warnings of an import, as returned by `diagnose`.

    Attributes
    ----------
    questions, samples : int
        Number of questions and of samples in the pool.
    models : tuple of str
        Names of the models.
    failed : mapping of str to int
        Number of requested samples that were not obtained, by reason. They are not in the pool.
    identical_texts : int
        Number of long texts that repeat another text of the same model and question.
    long_texts : int
        Number of texts with at least 40 characters.
    warnings : tuple of str
        Problems of the pool. An import with ``strict=True`` raises if there are any.
    remarks : tuple of str
        What a reader should know but is not a problem: samples without votes, recorded reasoning, skipped texts.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.importers import diagnose
    >>> found = diagnose(load_pool("recorded/llm-products"))
    >>> found
    Diagnostics(159 questions, 3 models, 122112 samples, 3 warnings)
    >>> found.to_frame()["questions"].tolist()
    [159, 159, 159]
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
        """Return a table with one row per model.

        Returns
        -------
        DataFrame
            The columns are model; questions, the number of questions with a sample; missing, the number of questions
            without; samples_min, samples_median and samples_max, the number of samples per question; no_answer, the
            share of samples without an answer; distinct_answers, the mean number per question; and accuracy, the
            accuracy of a single sample.
        """
        return self._described.copy()

    def __repr__(self) -> str:
        size = f"{counted(self.questions, 'question')}, {counted(len(self.models), 'model')}"
        found = f"{counted(self.samples, 'sample')}, {counted(len(self.warnings), 'warning')}"
        return f"Diagnostics({size}, {found})"


def diagnose(pool: Pool) -> Diagnostics:
    """Describe an imported pool.

    Parameters
    ----------
    pool : Pool
        A pool that was made by an importer. Findings of the import itself, such as failed requests, are read from its
        ``info["import"]``; without that entry they are empty.

    Returns
    -------
    Diagnostics
        Counts and warnings.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.importers import diagnose
    >>> diagnose(load_pool("recorded/llm-products")).failed
    {}
    """
    found: Mapping[str, Any] = pool.info.get("import", {})
    frame = pool.describe()
    frame.insert(2, "missing", len(pool.questions) - frame["questions"])
    long, identical = found.get("long_texts", 0), found.get("identical_texts", 0)
    # A pool with texts warns of repeated texts itself.
    texts = [*found.get("text_warnings", ()), *repeated_texts(identical, long)]
    if "text" in pool.extra.column_names:
        texts = []
    failed = dict(found.get("failed", {}))
    return Diagnostics(
        questions=len(pool.questions),
        samples=int(pool.lengths.sum()),
        models=pool.models,
        failed=failed,
        identical_texts=identical,
        long_texts=long,
        warnings=(*pool.warnings(), *texts, *_failures(failed), *found.get("notes", ())),
        remarks=(*no_votes(pool), *oracle_scores(pool), *found.get("remarks", ())),
        _described=frame.drop(columns="top_share"),
    )


def _failures(failed: Mapping[str, int]) -> list[str]:
    if not failed:
        return []
    reasons = ", ".join(f"{number} {reason}" for reason, number in list(failed.items())[:5])
    more = f" and {len(failed) - 5} more reasons" if len(failed) > 5 else ""
    total = sum(failed.values())
    are = "is" if total == 1 else "are"
    return [f"{counted(total, 'sample')} failed and {are} not in the pool: {reasons}{more}."]
