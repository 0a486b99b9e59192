"""lm-evaluation-harness: samples_<task>_<date>.jsonl, as `lm_eval --log_samples` (versions 0.4) writes them.

Each line is one document under one filter of the task. A document with two filters therefore appears twice, with the
same responses (`resps`). The filtered responses (`filtered_resps`) are usually one answer, the first or the most
frequent, so the answers of single repeats are not logged. Each line also has the values of the metrics of the task.
results_<date>.json beside it names the model, the filters and the metric. See docs/interface.md, docs/task_guide.md,
lm_eval/filters and lm_eval/api/metrics.py in EleutherAI/lm-evaluation-harness.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NoReturn

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.importers.choices import Choices
from mssim.importers.fields import Fields, as_text
from mssim.importers.formats.lm_eval_filters import Filter, final
from mssim.importers.formats.lm_eval_metrics import Metrics, agreed
from mssim.importers.glance import beginning
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_lm_eval"]

PATTERNS = ("samples_*.jsonl", "samples_*.jsonl.gz", "samples_*.jsonl.zst")
TOOL = "lm-evaluation-harness, samples_*.jsonl of --log_samples"
VOTES = "by --rule, or by the --filter of the task; verdicts of --metric do not vote"
EXAMPLE = "mssim import lm-eval results/*/samples_gsm8k_*.jsonl --rule number --out my-pool"

_STEM = re.compile(r"\.[^.]*?(\.gz|\.zst)?$")
_NAME = re.compile(r"samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+))?")
_QUESTIONS = ("question", "problem", "input", "prompt", "query", "goal", "Question", "Problem")
_SEVERAL = (
    "some documents have several correct answers. A rule compares with the first, and with none if the list is text."
)
_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")


def from_lm_eval(
    paths: Paths,
    *,
    model: str | None = None,
    filter_name: str | None = None,
    metric: str | None = None,
    **common: Unpack[CommonOptions],
) -> Pool:
    r"""Import logged samples of lm-evaluation-harness.

    One of `rule`, `filter_name` and `metric` is needed, since answers of single repeats are not logged. Several files
    of one model and task are runs whose samples are combined. With several tasks, the question_id is task/doc_id.

    Parameters
    ----------
    paths : path or sequence of path
        Files of samples, or folders that are searched for samples_*.jsonl. Only tasks that generate text are supported.
    model : str, optional
        Name of the model of all files. By default it is read from results_<date>.json beside each file, or else it is
        the name of the folder.
    filter_name : str, optional
        Filter of the task that extracts the answers, such as strict-match. If the log has an answer for each repeat, it
        is used; otherwise the functions of the filter are applied to each text. A filter usually takes the first match
        (its group_select), whereas the rule regex=PATTERN takes the last. Verdicts are those of the task's exact_match,
        and answers that it treats as equal vote together. If the task has its own code or other metrics, see `metric`.
    metric : str, optional
        Metric of the task whose values are the verdicts, such as prompt_level_strict_acc. It must be right or wrong for
        each document, which must have one response. Samples then have verdicts but no answers to vote on. By default,
        such a metric is used if it is not known how the filter compares answers and there is only one. With exact_match
        alone, samples also have the answers of the filter, unless they are whole responses to a task with its own code.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. For a rule, the truth of a
        target that ends in "#### 7", as worked solutions of GSM8K do, is 7.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, or contains log-likelihoods. Also if lines of one document
        have different responses, files have different documents, the filter disagrees with the logged answers, or
        several metrics are possible.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_lm_eval
    >>> line = {"doc_id": 0, "doc": {"question": "2 + 2?"}, "target": "4", "resps": [["It is 4.", "It is 5."]]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "samples_sums_2026-01-01T12-00-00.jsonl"
    ...     _ = path.write_text(json.dumps(line))
    ...     from_lm_eval(path, model="llama", rule="number")
    Pool(1 question, 1 model, 2 samples each: llama)
    """
    reader = partial(read, model=model, filter_name=filter_name, metric=metric)
    return to_pool("lm-eval", reader, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has logged samples of lm-evaluation-harness."""
    first = source.first
    return {"doc_id", "resps"} <= set(first) and not {"doc", "target", "arguments", "filtered_resps"}.isdisjoint(first)


def without_samples(source: Source) -> str:
    """Return how to import the samples of a run, if a file holds the results of its tasks, or an empty text."""
    head = beginning(source)
    if not isinstance(head, dict) or not {"results", "group_subtasks"} <= set(head):
        return ""
    return (
        "holds results of tasks of lm-evaluation-harness, but no samples. Import samples_*.jsonl of the run, which "
        "lm_eval writes with --log_samples."
    )


def read(
    sources: Sequence[Source],
    sink: Sink,
    *,
    model: str | None = None,
    filter_name: str | None = None,
    metric: str | None = None,
) -> None:
    """Read all runs."""
    filters: dict[str, None] = {}
    runs = [_run(source, sink, model) for source in sources]
    several = len({run.task for run in runs}) > 1
    sink.apart("task")
    choices = Choices(sink)
    for run, judge in zip(runs, _judges(runs, sink, filter_name, metric), strict=True):
        prefix = f"{run.task}/" if several and run.task else ""
        filters |= dict.fromkeys(_read_run(run, sink, prefix, judge, choices))
    choices.close()
    sink.remedy = f", or take those of a filter of the task: {' or '.join(f'filter_name={name!r}' for name in filters)}"


# Files ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Run:
    """A file of samples with the metadata of its name and its results file."""

    source: Source
    task: str  # "" = not known
    model: str
    config: Fields  # of the task
    settings: dict[str, Any]

    def lines(self) -> Iterator[Fields]:
        """Iterate over the documents, which are one list in versions before 0.4.3."""
        return self.source.items() if self.source.starts_with(b"[") else self.source.lines()


def _run(source: Source, sink: Sink, model: str | None) -> _Run:
    name = _NAME.fullmatch(_STEM.sub("", source.name))
    task, date = (as_text(name["task"], ""), name["date"]) if name else ("", None)
    results = _results(source, date, sink)
    config = results.part("configs").part(task)
    model = model or results.text("model_name") or (source.path.absolute().parent.name if name else "")
    if not model.strip():
        source.refuse("neither the file name nor a results file names the model. Pass model=NAME.")
    shots, chat = config.count("num_fewshot"), " chat" if "chat_template" in results else ""
    prompt = None if shots is None else f"{shots}-shot{chat}"
    settings = {"prompt": prompt, "system_prompt": results.text("system_instruction")}
    return _Run(source, task, as_text(model, ""), config, settings)


def _results(source: Source, date: str | None, sink: Sink) -> Fields:
    """Return the results file of a run, whose name depends on whether the output path was a file."""
    if date is None:
        return Fields({}, str(source))
    own = source.path.with_name(f"results_{date}.json")
    found = [own] if own.is_file() else sorted(source.path.parent.glob(f"*_{date}.json"))
    try:
        return Fields.of(Source(found[0]).document(), str(found[0])) if found else Fields({}, str(source))
    except PoolError as error:  # lm-eval writes NaN for undefined metrics; the samples remain usable
        sink.note(f"{error} Its model, settings and filters are not used.")
        return Fields({}, str(source))


# Verdicts -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Judge:
    """What answers and verdicts of a run are taken from: its texts, a filter, or a metric of a filter."""

    filter: Filter | None = None
    metric: str | None = None
    verdicts: Mapping[str, bool] = field(default_factory=dict)  # by document, of the metric or beside a rule
    votes: bool = True  # whether the answers of the filter are used

    def grades(self, line: Fields, doc: str, texts: list[str | None], targets: list[str]) -> list[dict[str, Any]]:
        """Return the answer and the verdict of each text, as far as they are logged."""
        verdict = self.verdicts.get(doc)
        if self.metric is not None:
            return [{"correct": verdict} for _ in texts]
        if self.filter is None:
            return [{} if verdict is None or len(texts) > 1 else {"correct_in_source": verdict} for _ in texts]
        grades = self.filter.grades(line, texts, targets) if texts else []
        return grades if self.votes else [{"correct": grade["correct"]} for grade in grades]


def _judges(runs: Sequence[_Run], sink: Sink, filter_name: str | None, metric: str | None) -> list[_Judge]:
    """Return the judge of each run. If one run has only verdicts, the answers of the others are not used."""
    if filter_name is None and metric is None:
        return [_Judge(verdicts=agreed(_metrics(run).values())) for run in runs]
    filters = [None if filter_name is None else Filter(run.config, sink, filter_name) for run in runs]
    if metric is None and all(known and known.metric for known in filters):
        return [_Judge(known) for known in filters]
    found = [_of_filter(run, filter_name) for run in runs]
    if metric is not None and not any(metric in metrics.names for _, metrics in found):
        found[0][1].missing(runs[0].source, metric)
    judges = []
    for run, (name, metrics) in zip(runs, found, strict=True):
        chosen = Filter(run.config, sink, name)
        asked = metric if metric in metrics.names else None
        compared, own = chosen.metric is not None, "process_results" in run.config
        one = metrics.chosen(run.source, asked, compared=compared, own=own)
        judges.append(_Judge(chosen, one, {} if one is None else metrics.verdicts(one)))
    without = [run.task for run, judge in zip(runs, judges, strict=True) if judge.metric is not None]
    if not without or all(judge.metric is not None for judge in judges):
        return judges
    sink.remarks.append(
        f"{without[0] or 'a file'} has verdicts but no answers, so that the answers of the other files are not used. "
        "Import them separately to vote on them."
    )
    return [replace(judge, votes=False) for judge in judges]


def _metrics(run: _Run) -> dict[str, Metrics]:
    """Return the metrics in the lines of each filter of a run."""
    found: defaultdict[str, Metrics] = defaultdict(Metrics)
    for line in run.lines():
        found[_filter(line)].add(line, line.name("doc_id"), _responses(line))
    for metric in run.config.parts("metric_list"):
        name = metric.value.get("metric")
        if isinstance(name, str) and metric.value.get("higher_is_better") is False:
            for metrics in found.values():
                metrics.reject(name, f"{run.source}: {name!r} is lower for better responses.")
    return dict(found)


def _of_filter(run: _Run, filter_name: str | None) -> tuple[str, Metrics]:
    """Return the name and the metrics of a filter, which must be named if there are several."""
    found = _metrics(run)
    if filter_name is None and len(found) > 1:
        names = ", ".join(map(repr, found))
        run.source.refuse(f"has lines of several filters: {names}. Choose one with filter_name=NAME.")
    name = filter_name if filter_name is not None else next(iter(found), "none")
    if name not in found:
        _no_line(run.source, name, found)
    return name, found[name]


def _filter(line: Fields) -> str:
    return line.text("filter") or "none"


def _no_line(source: Source, name: str, filters: Iterable[str]) -> NoReturn:
    source.refuse(f"has no line of filter {name!r}. {choose_from(name, sorted(filters))}.")


# Lines ----------------------------------------------------------------------------------------------------------------


def _read_run(run: _Run, sink: Sink, prefix: str, judge: _Judge, choices: Choices) -> list[str]:
    """Read the lines of a run and return the filters that they name."""
    responses: dict[str, int] = {}  # their hash, by document
    done: dict[str, int] = {}  # hash of the answers, by document
    filters: dict[str, None] = {}
    chosen = judge.filter
    for line in run.lines():
        doc, texts, name = line.name("doc_id"), _responses(line), _filter(line)
        if responses.setdefault(doc, hash(tuple(texts))) != hash(tuple(texts)):
            line.refuse(f"document {doc!r} has other responses in an earlier line. Store each run in a separate file.")
        filters[name] = None
        if chosen and name != chosen.name:
            continue
        answers = hash(_filtered(line)) if chosen else 0
        if done.get(doc, answers) != answers:
            line.refuse(
                f"document {doc!r} has other answers in an earlier line of filter {name!r}. Versions before 0.4.7 do "
                "not name the filters of lines. Grade with a rule instead (rule=...)."
            )
        if doc in done:
            continue
        done[doc] = answers
        named = _choices(line)
        _add(line, doc, texts, run, sink, prefix + doc, judge, choices, named)
        same = line.text("doc_hash")  # after the truth and the text, which say more
        if named:  # it differs if choices are shuffled
            sink.identify(prefix + doc, "choices", json.dumps(sorted(named)))
        elif same:
            sink.identify(prefix + doc, "doc_hash", same)
    if chosen and chosen.name not in filters:
        _no_line(run.source, chosen.name, filters)
    if missing := [doc for doc in responses if doc not in done]:
        run.source.refuse(
            f"document {missing[0]!r} has no line of the chosen filter. The file is incomplete. Export it again."
        )
    return list(filters)


def _add(
    line: Fields,
    doc: str,
    texts: list[str | None],
    run: _Run,
    sink: Sink,
    question_id: str,
    judge: _Judge,
    choices: Choices,
    named: list[str] | None,
) -> None:
    prompt, asked = _arguments(line)
    targets = _targets(line, run.config, any_kind=judge.metric is not None)
    if judge.metric is None and (len(targets) > 1 or any(target.startswith(("['", '["')) for target in targets)):
        sink.note(_SEVERAL)
    lost = texts.count(None) if texts else 1
    if lost:
        sink.fail("no response", lost)
    truth = final(targets[0]) if targets else None
    order = choices.order(question_id, named, truth, str(run.source)) if named else None
    samples = []
    for text, grade in zip(texts, judge.grades(line, doc, texts, targets), strict=True):
        if text is not None and judge.metric is not None and grade["correct"] is None:
            sink.fail(f"no value of {judge.metric}")
        elif text is not None:
            if order and grade.get("answer") is not None:
                grade["answer"] = order.answer(grade["answer"])
            samples.append({"text": text, **grade})
    question = {"question": _question(line), "truth": None if named else truth, "task": run.task or None}
    settings = {**run.settings, **_settings(asked)}
    sink.add(question_id, run.model, samples, question=question, settings=settings, prompt=prompt)


def _responses(line: Fields) -> list[str | None]:
    requests = line.values("resps", required=True)
    if len(requests) != 1 or not isinstance(requests[0], list):
        _no_texts(line)
    if not all(text is None or isinstance(text, str) for text in requests[0]):
        _no_texts(line)
    return Fields({"resps": requests[0]}, line.place).texts("resps")


def _filtered(line: Fields) -> tuple[Any, ...]:
    """Return the texts that a filter yields, without checks."""
    values = line.value.get("filtered_resps")
    flat = values[0] if isinstance(values, list) and len(values) == 1 and isinstance(values[0], list) else values
    return tuple(value for value in flat if isinstance(value, str)) if isinstance(flat, list) else ()


def _no_texts(line: Fields) -> NoReturn:
    line.refuse(
        "its responses are likelihoods, not generated texts. Pass files of tasks that generate text (output_type "
        "generate_until)."
    )


def _arguments(line: Fields) -> tuple[str | None, Fields]:
    """Return prompt and settings of the request. In older files both are lists."""
    value = line.value.get("arguments")
    if not value:
        return None, Fields({}, line.place)
    if isinstance(value, list):
        pair = value[0] if isinstance(value[0], list) else []
        value = {"gen_args_0": {f"arg_{i}": argument for i, argument in enumerate(pair)}}
    request = Fields.of(value, f"{line.place}, 'arguments'").part("gen_args_0")
    if not isinstance(request.value.get("arg_1"), dict):
        _no_texts(line)
    prompt = request.value.get("arg_0")
    if isinstance(prompt, list) and len(prompt) == 1:  # a chat, as JSON
        prompt = prompt[0]
    return as_text(prompt, "") if isinstance(prompt, str) else None, request.part("arg_1")


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _settings(asked: Fields) -> dict[str, Any]:
    greedy = asked.value.get("do_sample") is False and "temperature" not in asked
    top_k = asked.number("top_k") or 0.0
    return {
        "temperature": 0.0 if greedy else asked.number("temperature"),
        "top_p": asked.number("top_p"),
        "top_k": asked.count("top_k") if top_k > 0 else None,  # -1 and 0: no limit
        "max_tokens": next((asked.count(name) for name in _LIMITS if name in asked), None),
        "reasoning_effort": asked.text("reasoning_effort"),
    }


def _doc(line: Fields) -> dict[str, Any]:
    doc = line.value.get("doc")
    return doc if isinstance(doc, dict) else {}


def _question(line: Fields) -> str | None:
    doc = _doc(line)
    texts = (doc[name] for name in _QUESTIONS if isinstance(doc.get(name), str) and doc[name].strip())
    return as_text(next(texts, ""), "") or None


def _choices(line: Fields) -> list[str] | None:
    """Return the choices of a document in its order, which tasks such as gpqa shuffle in each run."""
    doc = _doc(line)
    lists = [doc[name] for name in ("choices", "options") if isinstance(doc.get(name), list)]
    lists.append(list(takewhile(lambda one: one is not None, (doc.get(f"choice{i}") for i in range(1, 27)))))
    found = next((names for names in lists if names and all(isinstance(name, str) for name in names)), None)
    return found and [as_text(name, "") for name in found]


def _targets(line: Fields, config: Fields, *, any_kind: bool) -> list[str]:
    """Return the correct texts. If the task names its choices, a target is an index into them.

    A task that judges by a metric of its own may have a target of any kind, which is skipped if it is not text.
    """
    target = line.value.get("target")
    if any_kind and not all(map(_is_plain, target if isinstance(target, list) else [target])):
        return []
    given = line.texts("target") if isinstance(line.value.get("target"), list) else [line.text("target")]
    targets = [target for target in given if target is not None]
    if isinstance(config.value.get("doc_to_choice"), list):
        numbered = {str(i): choice for i, choice in enumerate(config.texts("doc_to_choice")) if choice is not None}
        targets = [numbered.get(target, target) for target in targets]
    return targets
