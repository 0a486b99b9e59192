"""lm-evaluation-harness: samples_<task>_<date>.jsonl, as `lm_eval --log_samples` (versions 0.4) writes them.

Each line is one document under one filter of the task. A document with two filters therefore appears twice, with the
same responses (`resps`). The filtered responses (`filtered_resps`) are usually one answer, the first or the most
frequent, so the answers of single repeats are not logged. results_<date>.json beside it names the model, the filters
and the metric. See docs/interface.md, docs/task_guide.md, lm_eval/filters and lm_eval/api/metrics.py in
EleutherAI/lm-evaluation-harness.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from mssim._validation import choose_from
from mssim.errors import PoolError
from mssim.importers.fields import Fields, as_text
from mssim.importers.formats.lm_eval_filters import Filter, final
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_lm_eval"]

PATTERNS = ("samples_*.jsonl",)

_NAME = re.compile(r"samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+))?")
_QUESTIONS = ("question", "problem", "input", "prompt", "query", "goal", "Question", "Problem")
_SEVERAL = (
    "some documents have several correct answers. A rule compares with the first, and with none if the list is text."
)
_METRICS = ("exact_match", "acc")
_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")


def from_lm_eval(
    paths: Paths, *, model: str | None = None, filter_name: str | None = None, **common: Unpack[CommonOptions]
) -> Pool:
    r"""Import logged samples of lm-evaluation-harness.

    Either `rule` or `filter_name` is needed, since answers of single repeats are not logged. Several files of one model
    and task are runs whose samples are combined. With several tasks, the question_id is task/doc_id.

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
        and answers that it treats as equal vote together.
    **common
        The options rule, where, texts, strict and info, see `mssim.importers.Common`. For a rule, the truth of a target
        that ends in "#### 7", as worked solutions of GSM8K do, is 7.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, or contains log-likelihoods. Also if lines of one document
        have different responses, files have different documents, or the filter disagrees with the logged answers.

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
    reader = partial(read, model=model, filter_name=filter_name)
    return to_pool("lm-eval", reader, expand(as_paths(paths), *PATTERNS), Common(**common))


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None, filter_name: str | None = None) -> None:
    """Read all runs."""
    filters: dict[str, None] = {}
    runs = [_run(source, sink, model) for source in sources]
    several = len({run.task for run in runs}) > 1
    hashes: dict[str, str] = {}
    for run in runs:
        prefix = f"{run.task}/" if several and run.task else ""
        chosen = None if filter_name is None else Filter(run.config, sink, filter_name)
        filters |= dict.fromkeys(_read_run(run, sink, prefix, chosen, hashes))
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
    name = _NAME.fullmatch(source.path.stem)
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


# Lines ----------------------------------------------------------------------------------------------------------------


def _read_run(run: _Run, sink: Sink, prefix: str, chosen: Filter | None, hashes: dict[str, str]) -> list[str]:
    """Read the lines of a run and return the filters that they name."""
    responses: dict[str, int] = {}  # their hash, by document
    done: set[str] = set()
    filters: dict[str, None] = {}
    verdicts = {} if chosen else _verdicts(run)
    for line in run.lines():
        doc, texts, name = line.name("doc_id"), _responses(line), line.text("filter") or "none"
        if responses.setdefault(doc, hash(tuple(texts))) != hash(tuple(texts)):
            line.refuse(f"document {doc!r} has other responses in an earlier line. Store each run in a separate file.")
        filters[name] = None
        if doc in done or (chosen and name != chosen.name):
            continue
        done.add(doc)
        same = line.text("doc_hash")
        if same and hashes.setdefault(prefix + doc, same) != same:
            line.refuse(
                f"document {prefix + doc!r} has another doc_hash in an earlier file, so the data or the task changed. "
                "Import the files separately."
            )
        _add(line, texts, run, sink, prefix + doc, chosen, verdicts.get(doc))
    if chosen and chosen.name not in filters:
        run.source.refuse(f"has no line of filter {chosen.name!r}. {choose_from(chosen.name, sorted(filters))}.")
    if missing := [doc for doc in responses if doc not in done]:
        run.source.refuse(
            f"document {missing[0]!r} has no line of the chosen filter. The file is incomplete. Export it again."
        )
    return list(filters)


def _add(
    line: Fields,
    texts: list[str | None],
    run: _Run,
    sink: Sink,
    question_id: str,
    chosen: Filter | None,
    verdict: bool | None,
) -> None:
    prompt, asked = _arguments(line)
    targets = _targets(line, run.config)
    if len(targets) > 1 or any(target.startswith(("['", '["')) for target in targets):
        sink.note(_SEVERAL)
    lost = texts.count(None) if texts else 1
    if lost:
        sink.fail("no response", lost)
    grades: list[dict[str, Any]] = chosen.grades(line, texts, targets) if chosen and texts else [{} for _ in texts]
    if verdict is not None and len(texts) == 1:
        grades = [{"correct_in_source": verdict}]
    samples = [{"text": text, **grade} for text, grade in zip(texts, grades, strict=True) if text is not None]
    question = {**_question(line, prompt), "truth": final(targets[0]) if targets else None, "task": run.task or None}
    sink.add(question_id, run.model, samples, question=question, settings={**run.settings, **_settings(asked)})


def _verdicts(run: _Run) -> dict[str, bool | None]:
    """Return the verdict on each document with one response, or None if filters of the task do not agree."""
    verdicts: dict[str, bool | None] = {}
    for line in run.lines():
        doc, verdict = line.name("doc_id"), _verdict(line)
        if len(_responses(line)) != 1:
            return {}
        verdicts[doc] = verdict if verdicts.get(doc, verdict) == verdict else None
    return verdicts


def _verdict(line: Fields) -> bool | None:
    """Return the verdict of the task on a document with one response, if its metric is right or wrong."""
    metrics = line.value.get("metrics")
    named = [name for name in metrics if isinstance(name, str)] if isinstance(metrics, list) else []
    values = [line.value.get(name) for name in [*_METRICS, *named]]
    verdict = next((value for value in values if isinstance(value, int | float) and value in (0, 1)), None)
    return None if verdict is None else bool(verdict)


def _responses(line: Fields) -> list[str | None]:
    requests = line.values("resps", required=True)
    if len(requests) != 1 or not isinstance(requests[0], list):
        _no_texts(line)
    if not all(text is None or isinstance(text, str) for text in requests[0]):
        _no_texts(line)
    return Fields({"resps": requests[0]}, line.place).texts("resps")


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


def _question(line: Fields, prompt: str | None) -> dict[str, Any]:
    doc = line.value.get("doc")
    doc = doc if isinstance(doc, dict) else {}
    texts = (doc[name] for name in _QUESTIONS if isinstance(doc.get(name), str) and doc[name].strip())
    lists = [doc[name] for name in ("choices", "options") if isinstance(doc.get(name), list) and doc[name]]
    choices = next((names for names in lists if all(isinstance(name, str) for name in names)), None)
    return {
        "question": as_text(next(texts, prompt or ""), "") or None,
        "choices": choices and [as_text(name, "") for name in choices],
    }


def _targets(line: Fields, config: Fields) -> list[str]:
    """Return the correct texts. If the task names its choices, a target is an index into them."""
    given = line.texts("target") if isinstance(line.value.get("target"), list) else [line.text("target")]
    targets = [target for target in given if target is not None]
    if isinstance(config.value.get("doc_to_choice"), list):
        numbered = {str(i): choice for i, choice in enumerate(config.texts("doc_to_choice")) if choice is not None}
        targets = [numbered.get(target, target) for target in targets]
    return targets
