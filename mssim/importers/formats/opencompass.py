"""OpenCompass: predictions, and details of evaluations (github.com/open-compass/opencompass).

A run writes TIME/predictions/MODEL/DATASET.json, an object with one member per sample, named by its number from 0:
origin_prompt, prediction, gold, and res_length if it was counted. See GenInferencerOutputHandler in
opencompass/openicl/icl_inferencer/icl_base_inferencer.py. prediction is a list if the model returned several sequences.
Large data sets are split into DATASET_0.json, DATASET_1.json and so on, which start at 0 again.

TIME/results/MODEL/DATASET.json has the metrics and, unless --dump-eval-details False was given, details of each
question: a list or an object by number with pred, answer and correct, or predictions, references and perhaps correct.
See opencompass/tasks/openicl_eval.py. Since version 0.4.2 the members are lists with one value per repeat, beside
example_abbr, and predictions has the repeats one after another: evaluate in
opencompass/openicl/icl_evaluator/icl_base_evaluator.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mssim._validation import counted
from mssim.errors import PoolError
from mssim.importers.fields import Fields, as_text
from mssim.importers.formats.opencompass_details import CORRECT, PREDICTED, Detail, joined, read_details
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.reshape import samples_of
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.importers.solutions import final_answer
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_opencompass"]

TOOL = "OpenCompass, predictions and results"
VOTES = "pred of the details, or by --rule"
EXAMPLE = "mssim import opencompass outputs/default/20250101_120000 --out my-pool"
PATTERNS = ("*.json",)

_PART = re.compile(r"(?P<dataset>.+)_(?P<number>\d+)")
_JUDGED = "judged-by--"  # part of a folder that has the output of a judge


def from_opencompass(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import predictions of OpenCompass and the verdicts of its evaluations.

    Parameters
    ----------
    paths : path or sequence of path
        Folders of runs, which have the folders predictions and results, or files of these. Other files are skipped.
    model : str, optional
        Name of the model, for all files. By default it is the name of the folder inside predictions or results.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. Without a rule, answers and
        verdicts are those of the details in results. Without details, a rule is needed.

    Returns
    -------
    Pool
        The imported pool. Questions are identified by data set and number. The column dataset has the data set, which
        OpenCompass reports separately.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, if details and predictions have different numbers, or if only
        some data sets have verdicts.

    Notes
    -----
    Repeats of a question (the option n of a data set) are its samples. Without details, they are recognised because the
    prompts of a file recur in the same order. Details without verdicts are used if predictions and references, or the
    replies of a judge, explain the recorded accuracy. Then the answers are whole texts if a judge gave the verdicts. An
    answer that is blank and right is called (blank). Other output of judges is skipped.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_opencompass
    >>> said = {"0": "It is 7", "1": "It is 8", "2": "7", "3": "9"}
    >>> predictions = {i: {"origin_prompt": str(int(i) % 2), "prediction": text} for i, text in said.items()}
    >>> details = [{"pred": ["7", "7"], "answer": ["7"] * 2, "correct": [True] * 2}]
    >>> details.append({"pred": ["8", "9"], "answer": ["9"] * 2, "correct": [False, True]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for kind, content in (("predictions", predictions), ("results", {"details": details})):
    ...         path = Path(folder) / kind / "llama" / "sums.json"
    ...         path.parent.mkdir(parents=True)
    ...         _ = path.write_text(json.dumps(content))
    ...     from_opencompass(folder)
    Pool(2 questions, 1 model, 2 samples each: llama)
    """
    return to_pool("opencompass", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has predictions of OpenCompass, or details of an evaluation."""
    first = source.first
    if "prediction" in first and "origin_prompt" in first:
        return True
    judged = any(name in first for name in CORRECT) and any(name in first for name in PREDICTED)
    evaluated = source.path.absolute().parent.parent.name == "results"
    return evaluated and (judged or "example_abbr" in first or isinstance(first.get("details"), dict))


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read all data sets of each run and model."""
    found = [(one, _details(one)) for one in _datasets(sources)]
    lacking = [one for one, details in found if details is None]
    if lacking and len(lacking) < len(found):
        number = counted(len(lacking), "data set", "data sets")
        raise PoolError(
            f"{lacking[0]}: {number} of {len(found)} have no verdicts: no results, or no details with correct. Import "
            "data sets with and without verdicts separately."
        )
    if any(one.results for one in lacking):
        sink.remarks.append("the results have no verdicts of single samples: no details with correct.")
    sink.apart("dataset")
    for one, details in found:
        reader = _Reader(one, model or one.model, sink)
        if details is None:
            reader.add_predictions()
        else:
            reader.add_verdicts(details)


# Files ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Dataset:
    """Files of one data set, model and run."""

    model: str
    name: str
    predictions: tuple[Source, ...]
    results: Source | None

    def __str__(self) -> str:
        return str(self.predictions[0] if self.predictions else self.results)

    def records(self, *, quietly: bool = False) -> Iterator[tuple[int, Fields]]:
        """Iterate over numbers and members of the predictions."""
        before = 0
        for source in self.predictions:
            seen = set[int]()
            for record in (Source(source.path) if quietly else source).records():
                name = record.text("question_id") or ""
                if not (name.isdecimal() and len(name) < 10) or int(name) in seen:
                    record.refuse("predictions must be named by different numbers from 0. Pass a file of OpenCompass.")
                seen.add(int(name))
                yield before + int(name), record
            if seen and max(seen) >= len(seen):
                source.refuse("some of the numbers of predictions from 0 are missing. Run the inference again.")
            before += len(seen)


def _datasets(sources: Sequence[Source]) -> Iterator[_Dataset]:
    """Describe the data sets of all runs and models, in the order of their files."""
    folders = dict[tuple[Path, str], dict[str, dict[str, Source]]]()
    for source in sources:
        folder, kind = source.path.absolute().parent, _kind(source)
        if kind is not None and _JUDGED not in folder.name:
            kinds = folders.setdefault((folder.parents[1], folder.name), {"predictions": {}, "results": {}})
            kinds[kind][as_text(source.name.partition(".json")[0], str(source))] = source
    if not folders:
        sources[0].refuse("is not a file predictions/MODEL/DATASET.json or results/MODEL/DATASET.json of OpenCompass.")
    for (_, model), kinds in folders.items():
        grouped = dict[str, dict[int, Source]]()
        for name, source in kinds["predictions"].items():
            whole, number = _whole(name, **kinds)
            grouped.setdefault(whole, {})[number] = source
        for name in dict.fromkeys([*grouped, *kinds["results"]]):
            parts = grouped.get(name, {})
            if sorted(parts) != list(range(len(parts))):
                next(iter(parts.values())).refuse(f"parts of {name} are missing, since they are not numbered from 0.")
            files = tuple(source for _, source in sorted(parts.items()))
            yield _Dataset(as_text(model, str(sources[0])), name, files, kinds["results"].get(name))


def _kind(source: Source) -> str | None:
    """Return whether a file is in predictions or in results, or has predictions, None otherwise."""
    folder = source.path.absolute().parent.parent.name
    if folder in ("predictions", "results"):
        return folder
    return "predictions" if {"prediction", "origin_prompt"} <= set(source.first) else None


def _whole(name: str, predictions: Mapping[str, Source], results: Mapping[str, Source]) -> tuple[str, int]:
    """Return the data set of a file, and its number if it is one of several parts."""
    found = _PART.fullmatch(name)
    if found is None or found["dataset"] in predictions or name in results:
        return name, 0
    others = [f"{found['dataset']}_{number}" in predictions for number in (0, 1)]
    split = others[0] and (others[1] or found["dataset"] in results)
    return (found["dataset"], int(found["number"])) if split else (name, 0)


def _details(dataset: _Dataset) -> list[Detail] | None:
    """Return the details of a data set, None if they are not of single samples."""
    listed = dataset.predictions and isinstance(dataset.predictions[0].first.get("prediction"), list)
    if dataset.results is None or listed:
        return None
    return read_details(dataset.results)


# Samples --------------------------------------------------------------------------------------------------------------


class _Reader:
    """Adds the samples of a data set to a sink."""

    def __init__(self, dataset: _Dataset, model: str, sink: Sink) -> None:
        self._dataset, self._model, self._sink = dataset, model, sink

    def add_verdicts(self, details: Sequence[Detail]) -> None:
        """Add the samples of details, with the texts of predictions if there are any."""
        repeats, number = len(details[0].correct), 0
        if not self._dataset.predictions:
            for place in range(len(details) * repeats):
                self._add(place % len(details), {}, {}, details[place % len(details)], place // len(details))
            return
        for place, record in self._dataset.records():
            number += 1
            if place < len(details) * repeats:
                sample, question = _sample(record), _question(record)
                self._add(place % len(details), sample, question, details[place % len(details)], place // len(details))
        if number != len(details) * repeats:
            raise PoolError(
                f"{self._dataset}: has {counted(number, 'prediction')}, but {self._dataset.results} has details of "
                f"{counted(len(details), 'question')} with {counted(repeats, 'repeat')}. Evaluate again."
            )

    def _add(
        self, number: int, sample: Mapping[str, Any], question: Mapping[str, Any], detail: Detail, repeat: int
    ) -> None:
        """Add a sample with a verdict."""
        right, answer = detail.correct[repeat], detail.answers[repeat]
        if right is None:
            self._sink.fail("without a verdict")
            return
        truth = detail.truth if detail.truth is not None else question.get("truth")
        answer = sample.get("text") if answer is None else answer
        if right and answer is not None and not answer.strip():
            answer = "(blank)"  # a pool has no right sample without an answer
        known = {} if answer is None else {"answer": answer}
        self._put(number, [{**sample, **known, "correct": right}], {**question, "truth": truth})

    def add_predictions(self) -> None:
        """Add the samples of predictions without verdicts."""
        prompts = {place: _digest(record) for place, record in self._dataset.records(quietly=True)}
        period = _period([prompts[place] for place in sorted(prompts)])
        for place, record in self._dataset.records():
            prediction = record.value.get("prediction")
            samples = [_sample(record)] if not isinstance(prediction, list) else _samples(record)
            self._put(place % period, samples, _question(record))

    def _put(self, number: int, samples: Sequence[Mapping[str, Any]], question: Mapping[str, Any]) -> None:
        question_id, prompt = f"{self._dataset.name}/{number}", question.get("prompt")
        known = {"truth": question.get("truth"), "dataset": self._dataset.name}
        self._sink.add(question_id, self._model, samples, question=known, prompt=prompt)


def _sample(record: Fields) -> dict[str, Any]:
    """Return the sample of a prediction."""
    inside = record.value.get("prediction")
    text = record.part("prediction").text("prediction") if isinstance(inside, dict) else record.text("prediction")
    counts = {"output_tokens": "res_length", "input_tokens": "all_input_length"}
    known = {name: record.count(path) for name, path in counts.items() if isinstance(record.value.get(path), int)}
    return {"text": text, **known}


def _samples(record: Fields) -> list[dict[str, Any]]:
    """Return the samples of a prediction that is a list."""
    if isinstance(record.value.get("origin_prompt"), list) and any(
        isinstance(part, list) for part in record.value["origin_prompt"]
    ):
        record.refuse("has the replies to several rounds of a conversation, which are not samples. Omit this file.")
    if not record.values("prediction"):
        record.refuse("'prediction' is an empty list. It must have at least one text.")
    return samples_of(record, {"text": "prediction", "output_tokens": "res_length"})


def _question(record: Fields) -> dict[str, Any]:
    """Return prompt and truth. The prompt of a chat is its last turn."""
    prompt = record.value.get("origin_prompt")
    if not isinstance(prompt, list):
        return {"prompt": record.text("origin_prompt"), "truth": _truth(record)}
    asked = [turn for turn in record.parts("origin_prompt") if turn.value.get("role") in ("HUMAN", "user")]
    text = asked[-1].text("prompt" if "prompt" in asked[-1] else "content") if asked else None
    return {"prompt": text, "truth": _truth(record)}


def _truth(record: Fields) -> str | None:
    gold = next((record.value[name] for name in ("gold", "refr", "reference") if name in record), None)
    return final_answer(joined(gold, record, single=True))


def _digest(record: Fields) -> int | None:
    """Return a hash of a prompt, None if there is no prompt."""
    prompt = record.value.get("origin_prompt")
    return None if prompt is None else hash(json.dumps([prompt, record.value.get("gold")]))


def _period(values: Sequence[int | None]) -> int:
    """Return after how many values all of them recur in the same order."""
    number = len(values)
    if None in values:
        return max(number, 1)
    divisors = (size for size in range(1, number + 1) if number % size == 0)
    return next((size for size in divisors if list(values[:size]) * (number // size) == values), max(number, 1))
