"""LightEval: details of samples in Parquet files (github.com/huggingface/lighteval).

With --save-details, a run writes details/MODEL/DATE/details_TASK_DATE.parquet with one row per question, see
save_details in src/lighteval/logging/evaluation_tracker.py. The columns are doc (query, choices, gold_index, id, ...),
model_response (text, a list with one text per sample, output_tokens, reasonings, ...) and metric, the values of the
metrics by name: Detail in src/lighteval/logging/info_loggers.py, Doc in src/lighteval/tasks/requests.py and
ModelResponse in src/lighteval/models/model_output.py. Their names are also written with underscores around them.

Versions before 0.11 have the columns example, full_prompt, predictions, gold, choices, gold_index and metrics. Versions
before 0.8 stored all of these as text in the notation of Python, which is not read.

A metric has one value per question. With several samples it is of all of them together, such as avg@n, maj@n and
pass@k in src/lighteval/metrics/metrics_sample.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.importers.fields import Fields, as_text
from mssim.importers.formats.lighteval_rows import has_columns, rows
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.importers.solutions import final_answer
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_lighteval"]

TOOL = "LightEval, details"
VOTES = "by --rule; without a rule, only right or wrong"
EXAMPLE = "mssim import lighteval results/details --rule number --out my-pool"
PATTERNS = ("details_*.parquet",)

_DATE = r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d+)?"
_NAME = re.compile(rf"(?:details_)?(?P<task>.*?)(?:_{_DATE})?\.parquet")
_NEAR = 1e-6  # distance from 0 or 1 at which a metric is a verdict


def from_lighteval(
    paths: Paths, *, model: str | None = None, metric: str | None = None, **common: Unpack[CommonOptions]
) -> Pool:
    r"""Import details of LightEval.

    Parameters
    ----------
    paths : path or sequence of path
        Files details_TASK_DATE.parquet, or folders of them.
    model : str, optional
        Name of the model, for all files. By default it is the name of the folders between details and the date, such
        as org/model, or the name of a data set details_org__model.
    metric : str, optional
        Metric whose values are the verdicts, such as extractive_match. It is needed if a file has several.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. Without a rule, every sample
        has a distinct answer with the verdict of the file, so votes are not meaningful. A rule is needed if questions
        have several samples, since metrics are then of all samples together.

    Returns
    -------
    Pool
        The imported pool. Questions are identified by task and id. The truth is the final answer of the gold: what
        follows its last ####, its last box, or all of it. The column task has the task, which LightEval reports
        separately.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, if a metric is neither 0 nor 1, or if it is not clear which
        metric has the verdicts.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pyarrow, pyarrow.parquet
    >>> from mssim.importers import from_lighteval
    >>> doc = {"query": "3 + 4?", "choices": ["7"], "gold_index": 0, "id": "0"}
    >>> row = {"doc": doc, "model_response": {"text": ["It is 7", "8", "7"]}, "metric": {"maj@n": 1.0}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "details" / "org" / "llama" / "2025-09-01T10-00-00"
    ...     path.mkdir(parents=True)
    ...     pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), path / "details_sums|0.parquet")
    ...     from_lighteval(folder, rule="number")
    Pool(1 question, 1 model, 3 samples each: org/llama)
    """
    read_all = partial(read, model=model, metric=metric)
    return to_pool("lighteval", read_all, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has details of LightEval."""
    return has_columns(source)


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None, metric: str | None = None) -> None:
    """Read all rows of each file."""
    several = any(_has_several(source) for source in sources)
    if several:
        sink.remarks.append(
            "questions have several samples, of which LightEval has one metric together. The metrics are not used."
        )
    sink.apart("task")
    for source in sources:
        _File(source, sink, model, metric, judged=not several).read()


def _has_several(source: Source) -> bool:
    """Return whether the first question of a file has several samples."""
    first = next(rows(source), None)
    return first is not None and len(_texts(first)) > 1


class _File:
    """A file of details.

    Parameters
    ----------
    source, sink
        The file, and what its samples are added to.
    model, metric : str or None
        The options of the import.
    judged : bool
        Whether every question has one sample, of which the metric is the verdict.
    """

    def __init__(self, source: Source, sink: Sink, model: str | None, metric: str | None, *, judged: bool) -> None:
        self._source, self._sink, self._metric, self._judged = source, sink, metric, judged
        found = _NAME.fullmatch(as_text(source.name, str(source)))
        self._task = found["task"] if found else as_text(source.path.stem, str(source))
        self._model = model or as_text(_model_of(source) or "", str(source))
        if not self._model:
            source.refuse("does not name its model. Pass model=NAME.")

    def read(self) -> None:
        """Add all samples."""
        for number, row in enumerate(rows(self._source)):
            samples = list(_samples(row))
            if self._judged:
                if len(samples) > 1:
                    row.refuse(f"has {len(samples)} samples, but the first row has one. Import the files separately.")
                right = self._verdict(row.part("metrics"))
                if right is None:
                    self._sink.fail("without the metric")
                    continue
                samples = [{**samples[0], "correct": right}]
            elif not _texts(row):
                row.refuse("has no text to grade, but other files have several samples. Import them separately.")
            name = row.text("id") or str(number)
            question = {**_question(row), "task": self._task}
            self._sink.add(f"{self._task}/{name}", self._model, samples, question=question)

    def _verdict(self, metrics: Fields) -> bool | None:
        """Return whether the metric of a question is 1, or None if there is no value."""
        names = [name for name, value in metrics.value.items() if value is not None]
        if self._metric is None and len(names) > 1:
            metrics.refuse(f"there are several metrics: {', '.join(names)}. Choose one with metric=NAME.")
        if self._metric is None and names:
            self._metric = names[0]
        name = self._metric or ""
        if name not in metrics.value:
            if metrics.value:
                raise PoolError(f"metric: {metrics.place} has no {name!r}. {choose_from(name, metrics.value)}.")
            return None
        value = metrics.value[name]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        number = float(value) if isinstance(value, bool) else metrics.number(name) or 0.0
        if min(abs(number), abs(number - 1)) > _NEAR:
            metrics.refuse(
                f"{name!r} is {number:g}. A verdict must be 0 or 1. Choose another metric, or omit this file."
            )
        return number > 0.5


def _texts(row: Fields) -> list[str | None]:
    """Return the texts of the samples, none if the model rated given choices."""
    texts = row.values("texts")
    return row.texts("texts") if all(text is None or isinstance(text, str) for text in texts) else []


def _samples(row: Fields) -> Iterator[dict[str, Any]]:
    """Iterate over the samples. A question whose choices were rated has one sample without a text."""
    texts, tokens, reasoning = _texts(row), row.values("tokens"), row.values("reasonings")
    if not texts:
        yield {}
    for i, text in enumerate(texts):
        sample: dict[str, Any] = {"text": text}
        if len(tokens) == len(texts):
            sample["output_tokens"] = tokens[i]
        if len(reasoning) == len(texts):
            sample["reasoning"] = row.texts("reasonings")[i]
        yield sample


def _question(row: Fields) -> dict[str, Any]:
    """Return the columns of a question."""
    golds = _golds(row)
    solution = golds[0] if golds else None
    truth = final_answer(solution)
    truth = None if truth is None else truth.strip()
    return {"question": row.text("query"), "truth": truth, "solution": None if solution == truth else solution}


def _golds(row: Fields) -> list[str | None]:
    """Return the right answers."""
    gold, choices = row.value.get("gold"), row.value.get("choices")
    if isinstance(gold, list) and gold:
        return row.texts("gold")
    choices, places = row.texts("choices") if isinstance(choices, list) else [], row.value.get("gold_index")
    places = places if isinstance(places, list) else [places]
    return [choices[i] for i in places if isinstance(i, int) and 0 <= i < len(choices)]


def _model_of(source: Source) -> str | None:
    """Return the name of the model from the folders of a file, None if they do not have it."""
    folders = list(source.path.absolute().parts[1:-1])
    if folders and re.fullmatch(_DATE, folders[-1]):
        folders.pop()
    if "details" in folders:
        place = len(folders) - 1 - folders[::-1].index("details")
        return "/".join(folders[place + 1 :]) or None
    if folders and folders[-1].startswith("details_"):
        return folders[-1].removeprefix("details_").removesuffix("_private").replace("__", "/", 1)
    return None
