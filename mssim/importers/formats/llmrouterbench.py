"""LLMRouterBench, also called OpenRouterBench: results of 33 models on 21 data sets (arXiv 2601.07206).

The repository github.com/ynulihao/LLMRouterBench says what the files are: `data_collector/storage.py` (one JSON object
per model and data set in bench/DATASET/SPLIT/MODEL/DATASET-SPLIT-MODEL-TIMESTAMP.json, with model_name, dataset_name,
split, demo, performance and records, and per record index, origin_query, prompt, prompt_tokens, completion_tokens,
cost, score, prediction, ground_truth and raw_output), `data_collector/runner.py` (index counts from 1 in every data set
and split; a score is null if processing failed or nothing judges it, and may be a fraction; performance is the mean of
the other scores), `baselines/data_loader.py` (of several results of one model and split the latest counts, and demo
results do not), `baselines/schema.py` (costs are in dollars) and `evaluation/*/` (what is a prediction: an extracted
answer, a program, messages or, in SimpleQA, the grade A, B or C of a judge).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mssim._validation import counted
from mssim.errors import PoolError
from mssim.importers.fields import Fields, as_text
from mssim.importers.formats.partial_credit import PartialCredit, verdict_of
from mssim.importers.judged import Judged
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_llmrouterbench"]

PATTERNS = ("*.json", "*.json.gz")
TOOL = "LLMRouterBench (OpenRouterBench), results"
VOTES = "the predictions, one per model; none where a judge's grade is the prediction"
EXAMPLE = "mssim import llmrouterbench results/bench --out my-pool"

_FAILED = ("Processing failed: ", "Unexpected error: ")
_STAMP = re.compile(r"(\d{8}_\d{6})\.json(\.gz)?$")
_FEW = 3  # different truths with one correct prediction, which then cannot be an answer


def from_llmrouterbench(paths: Paths, *, pass_mark: float | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import results of LLMRouterBench, with one JSON file per model, data set and split.

    Parameters
    ----------
    paths : path or sequence of path
        JSON files, or folders of them. Older files without model_name, dataset_name and split need the folders
        DATASET/SPLIT/MODEL.
    pass_mark : float, optional
        The least score that is correct, above 0 and at most 1. By default, data sets in which a score is neither 0 nor
        1, such as ArenaHard, are left out, and a warning names them.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. A rule grades the raw outputs.

    Returns
    -------
    Pool
        The imported pool. Questions are named DATASET/SPLIT/INDEX and have the columns dataset and split.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, if a score is not between 0 and 1, or if a model has several
        results for a data set and split of which none is the latest.

    Notes
    -----
    Answers are the predictions, with the scores of the file as verdicts. Blank predictions are no answer. Where a
    prediction is not an answer (the grade of a judge, as in SimpleQA, or a list of messages), every sample has an
    answer of its own. Samples without a score are failed. Demo results, and all but the latest result of a model and
    split, are skipped with a warning, as LLMRouterBench does. The column cost is in US dollars; it is 0 for models
    without a price.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_llmrouterbench
    >>> records = [{"index": 1, "prediction": "4", "ground_truth": "4", "score": 1.0, "raw_output": "It is 4."}]
    >>> result = {"model_name": "llama", "dataset_name": "aime", "split": "test", "records": records}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "aime-test-llama-20250101_120000.json"
    ...     _ = path.write_text(json.dumps(result))
    ...     from_llmrouterbench(path)
    Pool(1 question, 1 model, 1 sample each: llama)
    """
    read_them = partial(read, pass_mark=pass_mark)
    return to_pool("llmrouterbench", read_them, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file is a result of LLMRouterBench."""
    return {"index", "prediction", "score", "ground_truth", "raw_output"} <= source.first.keys()


def read(sources: Sequence[Source], sink: Sink, *, pass_mark: float | None = None) -> None:
    """Read all records twice: scores and predictions, which tell what is left out, and samples."""
    results = _latest([_result(source) for source in sources], sink)
    credit, predictions = PartialCredit(pass_mark), _Predictions()
    for result in results:
        for record in result.source.records():
            score = verdict_of(record, "score")
            credit.see(result.dataset, score)
            predictions.see(result.dataset, record, score)
    reader = _Reader(sink, credit, predictions)
    for result in results:
        reader.add(result)
    reader.end()


# Files ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Result:
    """One file."""

    source: Source
    dataset: str
    split: str  # blank if unknown
    model: str
    stamp: str  # date and time of the file, blank if unknown
    demo: bool
    performance: float | None


def _result(source: Source) -> _Result:
    outer = Fields(source.outer, str(source))
    names = {name: (outer.text(name) or "").strip() for name in ("dataset_name", "split", "model_name")}
    if not (names["dataset_name"] and names["model_name"]):
        names = _of_folders(source, names)
    found = _STAMP.search(source.name)
    stamp, demo = found[1] if found else "", bool(outer.flag("demo"))
    dataset, split, model = (names[name] for name in ("dataset_name", "split", "model_name"))
    return _Result(source, dataset, split, model, stamp, demo, outer.number("performance"))


def _of_folders(source: Source, names: Mapping[str, str]) -> dict[str, str]:
    """Return data set, split and model by the folders of a file, which also name the file."""
    folders = source.path.absolute().parts[-4:-1]
    if len(folders) < len(names) or not source.name.startswith(("-".join(folders), "result.json")):
        source.refuse(
            "has no 'dataset_name' or no 'model_name', and is not in folders DATASET/SPLIT/MODEL of LLMRouterBench. "
            "Keep the folders of the release."
        )
    return {name: as_text(names[name] or part, str(source)) for name, part in zip(names, folders, strict=True)}


def _latest(results: Sequence[_Result], sink: Sink) -> list[_Result]:
    """Return the latest result of each data set, split and model that is not a demo."""
    groups = defaultdict[tuple[str, str, str], list[_Result]](list)
    for result in results:
        if not result.demo:
            groups[result.dataset, result.split, result.model].append(result)
    kept = []
    for group in groups.values():
        latest = max(group, key=lambda result: result.stamp)
        same = [result for result in group if result.stamp == latest.stamp]
        if len(same) > 1:
            raise PoolError(
                f"{same[0].source} and {same[1].source} are both results of {latest.model!r} on {latest.dataset!r}, "
                f"split {latest.split!r}, and neither is later. Remove one of them."
            )
        kept.append(latest)
    demos = sum(result.demo for result in results)
    if demos:
        sink.note(f"{counted(demos, 'file with a demo result is', 'files with demo results are')} skipped.")
    older = len(results) - demos - len(kept)
    if older:
        sink.note(
            f"{counted(older, 'file is', 'files are')} skipped, because a later file has a result of the same model, "
            "data set and split. LLMRouterBench does the same."
        )
    return kept


# Records --------------------------------------------------------------------------------------------------------------


class _Predictions:
    """Data sets whose predictions are not answers, because one prediction is correct for several truths."""

    def __init__(self) -> None:
        self._correct = defaultdict[str, set[str]](set)
        self._truths = defaultdict[str, set[str]](set)

    def see(self, dataset: str, record: Fields, score: float | None) -> None:
        """Note the prediction and the truth of a record."""
        prediction, truth = _scalar(record, "prediction"), _scalar(record, "ground_truth")
        if score == 1 and prediction and truth:
            for known, value in ((self._correct, prediction), (self._truths, truth)):
                if len(known[dataset]) < _FEW:
                    known[dataset].add(value)

    def are_grades(self, dataset: str) -> bool:
        """Return whether the predictions are grades of a judge."""
        grades = len(self._correct[dataset]) == 1 and len(self._truths[dataset]) == _FEW
        return grades or "simpleqa" in dataset.lower()


def _scalar(record: Fields, name: str) -> str | None:
    """Return a text, or None if the value is nested."""
    return None if isinstance(record.value.get(name), list | dict) else record.text(name)


class _Reader:
    """Adds records to a sink."""

    def __init__(self, sink: Sink, credit: PartialCredit, predictions: _Predictions) -> None:
        self._sink, self._credit, self._predictions = sink, credit, predictions
        self._judged = Judged(sink)
        self._own: dict[str, int] = {}  # samples with an answer of their own, by data set
        self._kept = 0
        sink.tell_apart = "Import results on different versions of a data set separately"
        sink.apart("dataset")
        sink.apart("split")

    def add(self, result: _Result) -> None:
        """Add all records of a file."""
        scores: list[float] = []
        seen: set[str] = set()
        for record in result.source.records():
            index = record.name("index")
            if index in seen:
                record.refuse(f"index {index} appears twice. Remove one of the records.")
            seen.add(index)
            score = verdict_of(record, "score")
            if score is None:
                text = _scalar(record, "raw_output") or ""
                self._sink.fail("processing failed" if text.startswith(_FAILED) else "no score")
                continue
            scores.append(score)
            if self._credit.omits(result.dataset):
                self._credit.omit(result.dataset)
            else:
                self._add_record(result, record, "/".join(filter(None, (result.dataset, result.split, index))), score)
        mean = sum(scores) / max(len(scores), 1)
        if result.performance is not None and abs(mean - result.performance) > 1e-6:
            self._sink.note(
                f"{result.source.name} reports a performance of {result.performance:.6g}, but the mean of its scores "
                f"is {mean:.6g}."
            )

    def _add_record(self, result: _Result, record: Fields, question_id: str, score: float) -> None:
        correct = self._credit.is_correct(score)
        question = {"question": _scalar(record, "origin_query"), "truth": _scalar(record, "ground_truth") or None}
        question |= {"dataset": result.dataset, "split": result.split or None}
        sample: dict[str, Any] = {"text": _scalar(record, "raw_output"), "correct": correct}
        sample |= {"cost": record.number("cost"), "input_tokens": record.count("prompt_tokens")}
        sample |= {"output_tokens": record.count("completion_tokens")}
        sample["answer"] = self._answer(result, record, correct)
        self._kept += 1
        self._judged.add(record, question_id, result.model, [sample], question=question)

    def _answer(self, result: _Result, record: Fields, correct: bool) -> str | None:
        nested = isinstance(record.value.get("prediction"), list | dict)
        if nested or self._predictions.are_grades(result.dataset):
            self._own[result.dataset] = self._own.get(result.dataset, 0) + 1
            return f"{'correct' if correct else 'wrong'} answer of {result.model}"
        return record.text("prediction")

    def end(self) -> None:
        """Report what was left out or changed."""
        own = sum(self._own.values())
        if own:
            self._sink.note(
                f"{counted(own, 'sample', 'samples')} of {', '.join(self._own)} have no prediction that is an answer "
                "(it is the grade of a judge, or a list). Each has an answer of its own, so votes are meaningless "
                "there."
            )
        if own and own == self._kept:
            self._sink.votes = False
        self._judged.end()
        self._credit.report(self._sink, kept=self._kept)
