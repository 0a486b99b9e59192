"""Inspect AI: logs of evaluations with epochs, `.eval` and `.json` (https://inspect.aisi.org.uk/eval-logs.html)."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mssim._validation import choose_from, counted
from mssim.errors import PoolError
from mssim.importers.choices import Choices, Order
from mssim.importers.fields import as_text, mean_logprob
from mssim.importers.formats.inspect_files import EvalLog, JsonLog, Whole, is_log, open_log
from mssim.importers.formats.inspect_scores import credit_of, score_of, unjudged, values_of
from mssim.importers.letters import named
from mssim.importers.openai_messages import as_json, thoughts
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import COLUMNS, Sink
from mssim.pools.endings import has_failed
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_inspect"]

# Names of logs start with a timestamp, unlike other JSON files in the folder. An unpacked .eval log has a header.json.
PATTERNS = ("*.eval", "[0-9]*_*.json", "header.json")
TOOL = "Inspect AI, logs .eval or .json"
VOTES = "the answer of the scorer"
PARTS = ("summaries.json",)  # read together with the header.json beside it
EXAMPLE = "mssim import inspect logs/ --scorer match --out my-pool"

_SETTINGS = ("temperature", "top_p", "top_k", "max_tokens", "reasoning_effort")
_FINISHED = {"max_tokens": "length", "model_length": "length", "unknown": None}
_MOST_TRANSCRIPTS = 2**30  # bytes that are read unasked
_WHOLE = re.compile(r"(?:.*/)?model_graded_(?:qa|fact)\d*")  # scorers whose answer is the whole response
_TAKEN = {*COLUMNS, "question", "truth", "choices", "cluster"}


def from_inspect(
    paths: Paths, *, scorer: str | None = None, transcripts: bool | None = None, **common: Unpack[CommonOptions]
) -> Pool:
    """Import logs of Inspect AI, in which each epoch is a sample.

    A sample is correct if its score is C, true or 1. Partial credit, P or a number below 1, counts as wrong with a
    warning. Samples without a score, because of an error, a limit or the scorer, count as failed.

    Parameters
    ----------
    paths : path or sequence of path
        Logs, or folders of them. They may have different models, or further epochs of one model.
    scorer : str, optional
        Scorer whose verdicts are used, required if a log has several. SCORER.VALUE selects one value of a scorer that
        returns several.
    transcripts : bool, optional
        Whether to read the texts of samples, their log-probabilities (as confidence), reasoning, refusals and tool
        calls, which takes longer. By default they are read, unless ``texts=False`` or the transcripts of an .eval log
        have more than 1 GB. True reads them in any case, and a rule implies it.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If a file is damaged or not a log, if logs share samples or have different questions under one id, if a log has
        several scorers and none is selected, or if one answer is both right and wrong.
    MssimError
        If `inspect_ai` is not installed.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_inspect
    >>> spec = {"created": "2026-01-01T00:00:00+00:00", "task": "sums", "dataset": {}, "model": "llama", "config": {}}
    >>> scored = [{"match": {"value": "C", "answer": "4"}}, {"match": {"value": "I", "answer": "5"}}]
    >>> samples = [
    ...     {"id": "q1", "epoch": epoch, "input": "2 + 2?", "target": "4", "scores": scores}
    ...     for epoch, scores in enumerate(scored, 1)
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "2026-01-01_sums.json"
    ...     _ = path.write_text(json.dumps({"version": 2, "status": "success", "eval": spec, "samples": samples}))
    ...     from_inspect(path)
    Pool(1 question, 1 model, 2 samples each: llama)
    """
    if common.get("rule") is not None:
        transcripts = True
    elif transcripts is None and not common.get("texts", True):
        transcripts = False
    reader = partial(read, scorer=scorer, transcripts=transcripts)
    return to_pool("inspect", reader, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file is a log of Inspect AI."""
    return source.path.is_file() and is_log(source)


def read(sources: Sequence[Source], sink: Sink, *, scorer: str | None = None, transcripts: bool | None = None) -> None:
    """Read all logs."""
    paths = {source.path for source in sources}
    into = _Importing(sink, scorer, transcripts, paths)
    for source in sources:
        if source.name == "summaries.json" and source.path.with_name("header.json") in paths:
            continue  # part of the log that the header names
        with open_log(source) as log:
            into.add(log)
    into.close()


# From logs to samples -------------------------------------------------------------------------------------------------


class _Importing:
    """Adds logs to a sink and keeps the state that they share."""

    def __init__(self, sink: Sink, scorer: str | None, transcripts: bool | None, paths: Collection[Path]) -> None:
        self._sink, self._scorer, self._transcripts, self._paths = sink, scorer, transcripts, paths
        self._choices = Choices(sink)
        sink.remedy_of_verdicts = "Choose another scorer, or grade the texts with a rule"
        self._tasks: dict[str, None] = {}
        self._scorers: set[str | None] = set()
        self._owners: dict[str, Source] = {}  # of samples, by uuid
        self._answered = False
        self._unnamed: str | None = None  # a right sample without an answer
        self._unscored: Source | None = None  # a log with texts of samples that are not scored
        self._cut = 0  # truncated answers of samples that are not in the logs as a whole
        self._facts: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        self._known: set[str] | None = None  # names of the facts that are the same in all samples of a question

    def add(self, log: EvalLog | JsonLog) -> None:
        header, source = log.header, log.source
        if not log.summaries and self._is_elsewhere(log):
            return
        latest = {(str(summary.id), summary.epoch): summary for summary in log.summaries}
        self._tasks[header.eval.task] = None
        self._skip = self._transcripts is None and log.transcript_bytes() > _MOST_TRANSCRIPTS
        if self._skip:
            size = log.transcript_bytes() >> 20
            self._sink.remarks.append(
                f"{source.name}: texts were not read, since the transcripts have {size} MB. Pass transcripts=True "
                "to read them."
            )
        self._note(log, len(latest))
        scorer = self._choose(source, latest.values())
        place = {str(name): i for i, name in enumerate(header.eval.dataset.sample_ids or [])}
        questions: defaultdict[str, list[Any]] = defaultdict(list)
        for key in sorted(latest, key=lambda key: (place.get(key[0], len(place)), key[1])):
            questions[key[0]].append(latest[key])
        settings, partly = _settings(header), 0
        for question_id, summaries in questions.items():
            self._describe(question_id, summaries)
            rows = []
            for summary in summaries:
                self._once(source, header, summary)
                order = self._choices.order(question_id, _choices(log, summary), summary.target, str(source))
                credit = self._credit(log, summary, scorer)
                if credit is not None:
                    row = self._row(log, summary, scorer or "", credit, order)
                    partly += 0 < credit < 1 and row is not None
                    rows += [] if row is None else [row]
            self._sink.add(question_id, header.eval.model, rows, settings=settings)
        if partly:
            having = counted(partly, "sample has", "samples have")
            verb = "counts" if partly == 1 else "count"
            self._sink.note(f"{source.name}: {having} partial credit by {scorer!r} and {verb} as wrong.")

    def close(self) -> None:
        """Add the columns of questions that all logs share. Raise if only some correct samples have an answer."""
        if self._unscored and not self._scorers:
            self._unscored.refuse("its samples are not scored. Grade the texts with a rule, such as rule='number'.")
        if self._cut:
            self._sink.answers = False
            cut = counted(self._cut, "answer is", "answers are")
            self._sink.remarks.append(
                f"{cut} truncated in the summaries, and the logs lack the whole samples, so that no answers are used."
            )
        elif self._unnamed and self._answered and not self._transcripts:
            raise PoolError(
                f"{self._unnamed} is correct but has no answer, whereas other samples have one. Choose a scorer that "
                "reports an answer for all samples or for none, or grade the texts with a rule."
            )
        self._choices.close()
        self._sink.info["dataset"] = ", ".join(self._tasks)
        if names := sorted(filter(None, self._scorers)):
            self._sink.info["scorer"] = ", ".join(names)
        if names and all(map(_WHOLE.fullmatch, names)):
            self._sink.info["answers"] = "whole responses"
        for question_id, facts in self._facts.items():
            self._sink.describe(question_id, {name: facts.get(name) for name in sorted(self._known or ())})

    def _is_elsewhere(self, log: EvalLog | JsonLog) -> bool:
        """Return whether a log without samples has a copy with them. Raise if it reports results of samples."""
        beside = log.source.path.with_suffix(".eval")
        if beside in self._paths and beside != log.source.path:
            self._sink.remarks.append(f"{log.source.name} holds no samples. Those of {beside.name} are used.")
            return True
        results = log.header.results
        number = (results.total_samples or results.completed_samples) if results else 0
        if results is not None and (number or results.scores):
            known = beside.is_file() and beside != log.source.path
            there = f"{beside.name} beside it" if known else "The .eval log of the same run"
            log.source.refuse(
                f"reports results of {counted(number, 'sample') if number else 'samples'} but holds none: it was "
                f"written without them (header only). {there} may hold them. Import that log instead."
            )
        return False

    def _note(self, log: EvalLog | JsonLog, samples: int) -> None:
        header, name = log.header, log.source.name
        asked = len(header.eval.dataset.sample_ids or ()) * (header.eval.config.epochs or 1) or "an unknown number of"
        if header.status != "success":
            self._sink.note(f"{name} is incomplete (status {header.status}): it has {samples} of {asked} samples.")
        if header.invalidated:
            self._sink.note(f"{name} is marked as invalid.")
        if len(log.summaries) > samples:
            again = len(log.summaries) - samples
            repeated = counted(again, "sample was", "samples were")
            self._sink.note(f"{name}: {repeated} repeated. The last repetition is used.")

    def _choose(self, source: Source, summaries: Iterable[Any]) -> str | None:
        """Return the name of the scorer to use, or None if there are no scores."""
        names = sorted({name for summary in summaries for name in values_of(summary)})
        scorer = self._scorer or (names[0] if len(names) == 1 else None)
        if names and scorer is None:
            source.refuse(f"has {len(names)} scorers, but none was named. Pass scorer=NAME. {choose_from('', names)}.")
        if names and scorer not in names:
            source.refuse(f"has no scorer {scorer!r}. {choose_from(str(scorer), names)}.")
        self._scorers |= {scorer} & set(names)
        if len(self._scorers) > 1:
            self._sink.note(f"the logs use different scorers: {', '.join(sorted(map(repr, self._scorers)))}.")
        return scorer

    def _describe(self, question_id: str, summaries: Sequence[Any]) -> None:
        first = summaries[0]
        text = first.input if isinstance(first.input, str) else "\n\n".join(message.text for message in first.input)
        self._sink.describe(question_id, {"question": text})
        facts = self._facts[question_id]
        for summary in (summary for summary in summaries if summary.scores):  # failed samples may lack metadata
            found = {name: value for name, value in summary.metadata.items() if _is_fact(name, value)}
            facts |= {name: value for name, value in found.items() if name not in facts}
            same = {name for name, value in found.items() if facts[name] == value}
            self._known = same if self._known is None else self._known & same

    def _once(self, source: Source, header: Any, summary: Any) -> None:
        uuid = summary.uuid or f"{header.eval.run_id} {header.eval.created} {summary.id} {summary.epoch}"
        if self._owners.setdefault(uuid, source) is not source:
            source.refuse(
                f"its sample {summary.id!r}, epoch {summary.epoch}, is also in {self._owners[uuid].name}. One log is "
                "a copy or a retry of the other, which includes its samples. Remove one of them."
            )

    def _credit(self, log: EvalLog | JsonLog, summary: Any, scorer: str | None) -> float | None:
        """Return the credit of a sample, from 0 to 1, or None after counting it as failed.

        It is NaN if there is no verdict, but a rule grades the text.
        """
        source = log.source
        value = values_of(summary).get(scorer or "")
        reason = f"not scored by {scorer!r}" if summary.scores else "not scored"
        if value is not None:
            failure = unjudged(score_of(summary, scorer or "")[1])
            place = f"{source}: sample {summary.id!r}, epoch {summary.epoch}: its score {scorer!r}"
            credit = math.nan if failure else credit_of(value, place)
            if not math.isnan(credit):
                return credit
            reason = failure or reason
        elif summary.error and not summary.scores:
            reason = f"error: {' '.join(summary.error.split())[:60].strip()}"
        elif summary.limit and not summary.scores:
            reason = f"stopped by the limit {summary.limit!r:.40}"
        if not summary.error and log.has_whole(summary):
            if self._sink.graded:
                return math.nan
            if self._unscored is None and log.whole(summary).sample.output.completion:
                self._unscored = source
        self._sink.fail(reason)
        return None

    def _row(
        self, log: EvalLog | JsonLog, summary: Any, scorer: str, credit: float, order: Order
    ) -> dict[str, Any] | None:
        """Return a sample, or None after counting a generation that failed."""
        name, score = ("", None) if math.isnan(credit) else score_of(summary, scorer)
        said: dict[str, Any] = {}
        cut = score is not None and score.answer is not None and score.answer.endswith("...")
        wanted = self._transcripts if self._transcripts is not None else not self._skip and log.has_whole(summary)
        if cut and not wanted and not log.has_whole(summary):
            self._cut, cut = self._cut + 1, False
        if cut or wanted:
            whole = log.whole(summary)
            score = (whole.sample.scores or {}).get(name, score)
            reason = whole.choice.get("stop_reason")
            if isinstance(reason, str) and has_failed(reason):
                message = " ".join((whole.sample.output.error or "").split())[:60].strip()
                self._sink.fail(f"error: {message}" if message else f"stop_reason {as_text(reason, '')[:60]}")
                return None
            said = _said(whole) if wanted else {}
        if score is None and not said.get("text"):
            self._sink.fail("neither scored nor a text")
            return None
        answer = " ".join((score.answer or "").split()) if score is not None and score.value != "N" else ""
        verdict = None if score is None else credit == 1
        row = {
            "correct": verdict,
            "latency": summary.working_time or summary.total_time,
            **_usage(log, summary),
            **said,
        }
        if answer:  # if no sample has an answer, each gets a distinct one
            row["answer"] = order.answer(answer)
            self._answered = True
        elif credit == 1:
            self._unnamed = self._unnamed or f"{log.source}: sample {summary.id!r}, epoch {summary.epoch},"
        return row


def _said(whole: Whole) -> dict[str, Any]:
    """Return the columns of what the model said."""
    output, reason = whole.sample.output, whole.choice.get("stop_reason")
    content = output.choices[0].message.content if output.choices else ""
    parts = [part for part in content if part.type == "reasoning"] if isinstance(content, list) else []
    reasoning = "".join((part.summary if part.redacted else part.reasoning) or "" for part in parts)
    return {
        "text": output.completion if output.choices else output.completion or None,
        "reasoning": reasoning or thoughts(whole.choice.get("reasoning")),
        "refusal": (output.error or None) if reason == "content_filter" else None,
        "tool_calls": as_json(whole.choice.get("tool_calls")),
        "confidence": mean_logprob(whole.logprobs),
        "finish_reason": _FINISHED.get(reason, as_text(reason, "")) if isinstance(reason, str) else None,
    }


def _choices(log: EvalLog | JsonLog, summary: Any) -> list[str] | None:
    """Return the choices of a sample. Summaries that were written before December 2025 lack them."""
    target = summary.target if isinstance(summary.target, str) else ",".join(summary.target)
    return summary.choices or (log.choices(summary) if named(target) else None)


def _settings(header: Any) -> dict[str, Any]:
    """Return the settings of the model. Its own configuration takes precedence over that of the task."""
    asked = [header.eval.model_generate_config, header.plan.config]
    names = {name: name for name in _SETTINGS} | {"system_message": "system_prompt"}
    values = {column: [getattr(config, name) for config in asked] for name, column in names.items()}
    return {column: next((value for value in given if value is not None), None) for column, given in values.items()}


def _usage(log: EvalLog | JsonLog, summary: Any) -> dict[str, Any]:
    """Return tokens and cost of the evaluated model, or of all models if it is not listed."""
    own = summary.model_usage.get(log.header.eval.model)
    used = [own] if own else list(summary.model_usage.values())
    if not used:
        return {}
    costs = [getattr(usage, "total_cost", None) for usage in used]
    return {
        "input_tokens": sum(map(_input_tokens, used)),
        "output_tokens": sum(usage.output_tokens for usage in used),
        "cost": None if None in costs else sum(costs),
    }


def _input_tokens(usage: Any) -> int:
    """Return the number of input tokens including cached ones, which older versions already include."""
    cached = (usage.input_tokens_cache_read or 0) + (usage.input_tokens_cache_write or 0)
    within = usage.input_tokens + cached + usage.output_tokens > usage.total_tokens
    return int(usage.input_tokens + (0 if within else cached))


def _is_fact(name: str, value: Any) -> bool:
    return isinstance(value, str | int | float) and name.isprintable() and name not in _TAKEN
