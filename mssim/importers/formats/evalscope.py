"""EvalScope: reviews of samples (github.com/modelscope/evalscope).

A run writes reviews/MODEL/DATASET_SUBSET.jsonl. Since version 1.0, a line has index, target, messages (earlier input)
and sample_score: sample_id, group_id, which repeats of a question share, and score with value, the metrics by name,
main_score_name, prediction and extracted_prediction. A metric that could not be computed is missing in value, and
status says why; means omit it. See ReviewResult in evalscope/api/evaluator/cache.py, Score and SampleScore in
evalscope/api/metric/scorer.py, and evalscope/metrics/aggregators.

Earlier versions copy the reply of the model: index, raw_input, model, usage and choices, each with message and review,
which has gold, pred and result, a verdict or metrics by name. See ReviewKeys in evalscope/constants.py and _get_review
in evalscope/evaluator/evaluator.py of version 0.17.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.importers.choices import Choices
from mssim.importers.fields import Fields, as_text
from mssim.importers.formats.evalscope_choices import parse_choices
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_evalscope"]

TOOL = "EvalScope, reviews"
VOTES = "as extracted by EvalScope, or by --rule"
EXAMPLE = "mssim import evalscope outputs/20250101_120000/reviews --out my-pool"
PATTERNS = ("*.jsonl",)

_TEXTS = ("question", "query", "problem", "prompt", "input", "Question")  # names of a question in raw_input
_NEAR = 1e-6  # distance from 0 or 1 at which a metric is a verdict


def from_evalscope(
    paths: Paths, *, model: str | None = None, metric: str | None = None, **common: Unpack[CommonOptions]
) -> Pool:
    r"""Import reviews of EvalScope.

    Parameters
    ----------
    paths : path or sequence of path
        JSON Lines files of reviews, or folders of them, such as the folder of a run. Files of predictions in the same
        folders are skipped.
    model : str, optional
        Name of the model, for all files. By default it is the name of the folder inside reviews, or the model that the
        file names.
    metric : str, optional
        Metric whose values are the verdicts, such as acc. By default it is the main metric of each file: the one that
        main_score_name names, or else the first.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. Without a rule, answers are
        those that EvalScope extracted, or whole texts if it extracted none.

    Returns
    -------
    Pool
        The imported pool. The column dataset of its questions has dataset and subset, which EvalScope reports
        separately.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, if a metric is neither 0 nor 1, or if a sample appears twice
        in a file.

    Notes
    -----
    Questions are identified by dataset, subset and group_id. If the choices of a question were shuffled between
    samples, letters are replaced by the texts of the choices. Samples without the metric are failed, not wrong. An
    answer that is blank and right is called (blank).

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_evalscope
    >>> def review(index, answer):
    ...     score = {"value": {"acc": float(answer == "7")}, "extracted_prediction": answer, "prediction": answer}
    ...     return {"index": index, "target": "7", "sample_score": {"score": score, "group_id": index // 2}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "reviews" / "llama" / "gsm8k_main.jsonl"
    ...     path.parent.mkdir(parents=True)
    ...     _ = path.write_text("\n".join(json.dumps(review(i, answer)) for i, answer in enumerate("7877")))
    ...     from_evalscope(path)
    Pool(2 questions, 1 model, 2 samples each: llama)
    """
    read_all = partial(read, model=model, metric=metric)
    return to_pool("evalscope", read_all, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has reviews of EvalScope."""
    first = source.first
    choices = first.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    old = isinstance(choice, dict) and "review" in choice and "reviewed" in first
    return old or ("index" in first and isinstance(first.get("sample_score"), dict))


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None, metric: str | None = None) -> None:
    """Read all lines of each file."""
    reviews = [source for source in sources if not _is_prediction(source)]
    if not reviews:
        sources[0].refuse("is a file of predictions, which have no verdicts. Pass the folder reviews beside it.")
    choices = Choices(sink)
    sink.apart("dataset")
    for source in reviews:
        _File(source, sink, choices, model, metric).read()
    choices.close()


class _File:
    """A file of reviews.

    Parameters
    ----------
    source, sink
        The file, and what its samples are added to.
    choices : Choices
        Choices of all questions.
    model, metric : str or None
        The options of the import.
    """

    def __init__(self, source: Source, sink: Sink, choices: Choices, model: str | None, metric: str | None) -> None:
        self._source, self._sink, self._choices = source, sink, choices
        self._model, self._metric = model, metric
        self._folder, self._dataset = _place(source)
        self._chosen: str | None = None  # the metric of this file
        self._seen = set[str]()

    def read(self) -> None:
        """Add all samples."""
        for line in self._source.records():
            if "sample_score" in line:
                self._add_scored(line)
            elif "choices" in line or "reviewed" in line:
                self._add_reviewed(line)
            else:
                line.refuse("has neither 'sample_score' nor 'choices'. Pass files of the folder reviews.")

    def _add_scored(self, line: Fields) -> None:
        """Add the sample of a line of version 1.0 or later."""
        name, scored = _question(line), line.part("sample_score")
        self._once(line, line.name("index") if "index" in line else scored.text("sample_id"))
        score = scored.part("score")
        right = self._verdict(score.part("value"), score.text("main_score_name"))
        if right is None:
            self._sink.fail(_reason(score))
            return
        said = _last(line)
        text = score.text("prediction") or said.text
        extracted = score.text("extracted_prediction")
        answer = _answer(text if extracted is None else extracted, right=right)
        prompt, truth = _prompt(line), line.text("target") or None
        prompt, choices = parse_choices(prompt or "") or (prompt, None)
        order = self._choices.order(f"{self._dataset}/{name}", choices, truth, self._source.name)
        answer = None if answer is None else order.answer(answer)
        sample = {"text": text, "reasoning": said.reasoning, "answer": answer, "correct": right, **said.numbers}
        # Prompts can have other examples, so that they identify a question only if there is no truth.
        self._add(name, self._named(said.model), sample, {"question": None if truth else prompt}, prompt)

    def _add_reviewed(self, line: Fields) -> None:
        """Add the samples of a line of an earlier version."""
        choices = line.parts("choices")
        usage = line.part("usage") if len(choices) == 1 else Fields({}, line.place)
        name = _question(line)
        self._once(line, line.text("index"))
        if not choices:
            self._sink.fail("without a choice")
        for choice in choices:
            review = choice.part("review")
            right = None if "result" not in review else self._verdict(_metrics(review), None)
            if right is None or line.value.get("reviewed") is False:
                self._sink.fail("without a review")
                continue
            text = choice.part("message").text("content")
            answer = _answer(review.text("pred") if "pred" in review else text, right=right)
            sample: dict[str, Any] = {"text": text, "answer": answer, "correct": right}
            sample["finish_reason"] = choice.text("finish_reason")
            sample |= {"input_tokens": usage.count("prompt_tokens"), "output_tokens": usage.count("completion_tokens")}
            question = {"question": _prompt(line), "truth": _gold(review)}
            self._add(name, self._named(line.text("model")), sample, question)

    def _add(
        self,
        name: str,
        model: str,
        sample: Mapping[str, Any],
        question: Mapping[str, Any],
        prompt: str | None = None,
    ) -> None:
        question = {**question, "dataset": self._dataset}
        self._sink.add(f"{self._dataset}/{name}", model, [sample], question=question, prompt=prompt)

    def _once(self, line: Fields, index: str | None) -> None:
        """Raise if a sample appears twice."""
        if index is not None and index in self._seen:
            line.refuse(f"index {index} appears twice in this file. Remove one of the lines.")
        self._seen.add(index or "")

    def _named(self, served: str | None) -> str:
        """Return the name of the model."""
        name = self._model or self._folder or served
        if not name:
            self._source.refuse("does not name its model. Pass model=NAME.")
        return as_text(name, str(self._source))

    def _verdict(self, metrics: Fields, main: str | None) -> bool | None:
        """Return whether the metric of a sample is 1, or None if the sample lacks it."""
        names = list(metrics.value)
        if self._chosen is None and names:
            self._chosen = self._choose(metrics, names, main)
        value = None if self._chosen is None else metrics.value.get(self._chosen)
        if value is None:
            return None
        number = float(value) if isinstance(value, bool) else metrics.number(self._chosen or "") or 0.0
        if min(abs(number), abs(number - 1)) > _NEAR:
            others = [name for name in names if name != self._chosen]
            remedy = f"Choose another with metric=NAME: {', '.join(others)}." if others else "Omit this file."
            metrics.refuse(f"{self._chosen!r} is {number:g}. A verdict must be 0 or 1. {remedy}")
        return number > 0.5

    def _choose(self, metrics: Fields, names: list[str], main: str | None) -> str:
        """Return the metric of this file, and tell which other metrics it has."""
        if self._metric is not None:
            if self._metric not in names:
                raise PoolError(f"metric: {metrics.place} has no {self._metric!r}. {choose_from(self._metric, names)}.")
            return self._metric
        chosen = main if main in names else names[0]
        if len(names) > 1:
            others = ", ".join(name for name in names if name != chosen)
            remark = (
                f"the verdicts of {self._dataset} are of the metric {chosen}. Choose others with metric=NAME: {others}."
            )
            self._sink.remarks += [remark] if remark not in self._sink.remarks else []
        return chosen


# Lines ----------------------------------------------------------------------------------------------------------------


class _Said(NamedTuple):
    """What the last message of a model has beside its text."""

    text: str | None
    reasoning: str | None
    model: str | None
    numbers: dict[str, Any]


def _last(line: Fields) -> _Said:
    """Return the last message of the model."""
    messages = [message for message in line.parts("messages") if message.value.get("role") == "assistant"]
    if not messages:
        return _Said(None, None, None, {})
    last = messages[-1]
    spent = last.part("perf_metrics")
    numbers: dict[str, Any] = {name: spent.count(name) for name in ("input_tokens", "output_tokens")}
    numbers["latency"] = spent.number("latency")
    return _Said(_content(last, "text"), _content(last, "reasoning"), last.text("model"), numbers)


def _content(message: Fields, kind: str) -> str | None:
    """Return the text or the reasoning of a message, whose content is a text or a list of parts."""
    content = message.value.get("content")
    if not isinstance(content, list):
        return message.text("content") if kind == "text" else None
    parts = [part.text(kind) for part in message.parts("content") if part.value.get("type") == kind]
    return "\n".join(part for part in parts if part) or None


def _prompt(line: Fields) -> str | None:
    """Return the prompt of a line: the first message of the user, or the question of an earlier version."""
    for message in line.parts("messages"):
        if message.value.get("role") == "user":
            return _content(message, "text")
    if isinstance(line.value.get("input"), str):
        return line.text("input")
    raw = line.value.get("raw_input")
    texts = [raw.get(name) for name in _TEXTS] if isinstance(raw, dict) else [raw]
    return next((as_text(text, line.place) for text in texts if isinstance(text, str)), None)


def _question(line: Fields) -> str:
    """Return what repeats of a question share: its group, or else its index or its text."""
    scored = line.part("sample_score")
    for part, name in ((scored, "group_id"), (scored, "sample_id"), (line, "index")):
        if name in part:
            return part.name(name)
    known = line.value.get("raw_input")
    if known is None:
        line.refuse("has neither 'index' nor 'raw_input', which identify a question. Export the reviews again.")
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]


def _answer(answer: str | None, *, right: bool) -> str | None:
    """Name an answer that is blank but right, since a pool has no right sample without an answer."""
    return "(blank)" if right and not (answer or "").strip() else answer


def _reason(score: Fields) -> str:
    """Return why a score has no value."""
    status = score.text("status")
    return "without the metric" if status in (None, "success") else f"with the status {status}"


def _metrics(review: Fields) -> Fields:
    """Return the metrics of a review of an earlier version by name."""
    result = review.value.get("result")
    return Fields(result if isinstance(result, dict) else {"result": result}, review.place)


def _gold(review: Fields) -> str | None:
    """Return the truth, unless it is not a single value."""
    gold = review.value.get("gold")
    return review.text("gold") if isinstance(gold, str | int | float) and gold not in ("", "*Same as Input*") else None


def _place(source: Source) -> tuple[str | None, str]:
    """Return the model of a file, None if it is not in a folder reviews, and its dataset with the subset."""
    parts = source.path.absolute().parts
    first = _last_place(parts, "reviews") + 1
    model = parts[first] if 0 < first < len(parts) - 1 else None
    inside = parts[first + 1 : -1] if model else ()
    return model, as_text("/".join((*inside, source.name.partition(".jsonl")[0])), str(source))


def _last_place(parts: Sequence[str], name: str) -> int:
    """Return the last position of a folder in a path, -1 if it is not there."""
    return max((place for place, part in enumerate(parts[:-1]) if part == name), default=-1)


def _is_prediction(source: Source) -> bool:
    parts = source.path.absolute().parts
    return _last_place(parts, "predictions") > _last_place(parts, "reviews")
