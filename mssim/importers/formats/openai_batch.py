"""Batches of the OpenAI API and compatible services (Azure, Together, vLLM run-batch), as JSON Lines.

A line of an output file has custom_id, response {status_code, request_id, body} and error. The body is a response of
/v1/chat/completions, /v1/completions or /v1/responses. Lines have any order and are identified by custom_id only. See
https://platform.openai.com/docs/guides/batch and https://docs.together.ai/docs/batch-inference.

`vllm run-batch` writes the same lines since version 0.5.1. Before, the response was the body. The error of a request is
null, a text, {message, type, code} or, in later versions, {error: {message, type, code}}. See
https://docs.vllm.ai/en/latest/examples/offline_inference/openai_batch.html and vllm/entrypoints/openai/run_batch.py in
vllm-project/vllm.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mssim._validation import counted
from mssim.errors import PoolError
from mssim.importers.fields import Fields
from mssim.importers.formats.openai_bodies import body_of, failure, outcomes, settings, shared
from mssim.importers.formats.openai_ids import hint
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_openai_batch"]

PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.jsonl.zst")
TOOL = "OpenAI Batch API, Together, vllm run-batch"
VOTES = "by --rule"
EXAMPLE = "mssim import openai-batch batch_output.jsonl --questions questions.jsonl --rule boxed --out my-pool"

_ID = r"(?P<question_id>.+?)([-_#:/.@| ]{1,2}((?i:sample|repeat|run|epoch|attempt|seed|s|r)[-_=]?)?(?P<sample>[0-9]+))?"
_GROUPS = ("question_id", "model", "sample")
_LONGEST_ID = 1000
_LARGEST_NUMBER = 2**40  # larger numbers are ids that do not define an order

Place = tuple[str, str]  # question_id and model


def from_openai_batch(
    paths: Paths,
    *,
    questions: str | os.PathLike[str] | None = None,
    model: str | None = None,
    id_pattern: str | None = None,
    **common: Unpack[CommonOptions],
) -> Pool:
    r"""Import files of batches: outputs, errors and optionally requests.

    Parameters
    ----------
    paths : path or sequence of path
        JSONL files or JSON lists, or folders of JSONL files. Files of requests add the settings of samples and reveal
        requests without a response. Pass the requests of all batches or of none.
    questions : path
        JSONL, CSV or Parquet file with question_id, question and truth, see `mssim.recorder.read_questions`. Required.
    model : str, optional
        Name of the model. By default it is the group model of `id_pattern`, or else the model named by the response.
    id_pattern : str, optional
        Regular expression that matches whole custom_ids. It has the group question_id and optionally the groups model
        and sample, an integer that orders the samples: ``request-(?P<question_id>\d+)-of-(?P<model>.+)``. By default,
        a custom_id is a question_id, optionally followed by the number of the sample. They are separated by one or two
        of ``-_#:/.@|`` and spaces, and optionally by sample, repeat, run, epoch, attempt, seed, s or r: q17-3,
        q17_sample_3, gsm8k-12#4.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. A rule is required, since
        batches contain only texts.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, if a custom_id matches no question, or if a response appears
        twice.

    Notes
    -----
    A request that failed and was repeated counts as failed only if it has no response at all. A choice with an error,
    or with neither content nor usage, is a failure with its reason, not a sample, even if it has partial text. Several
    responses to one custom_id, as from repeated runs of one file of requests, are several samples.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_openai_batch
    >>> lines = [
    ...     {
    ...         "custom_id": f"q1-{number}",
    ...         "response": {"body": {"model": "gpt", "choices": [{"message": {"content": f"It is {number}."}}]}},
    ...     }
    ...     for number in (4, 5)
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     questions = Path(folder) / "questions.csv"
    ...     _ = questions.write_text("question_id,question,truth\nq1,2 + 2?,4\n")
    ...     batch = Path(folder) / "output.jsonl"
    ...     _ = batch.write_text("\n".join(map(json.dumps, lines)))
    ...     from_openai_batch(batch, questions=questions, rule="number")
    Pool(1 question, 1 model, 2 samples each: gpt)
    """
    chosen = partial(read, questions=None if questions is None else Path(questions), model=model, id_pattern=id_pattern)
    return to_pool("openai-batch", chosen, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has responses or requests of a batch."""
    first = source.first
    answered = isinstance(first.get("response"), dict) or isinstance(first.get("error"), dict)
    return "custom_id" in first and (answered or isinstance(first.get("body"), dict))


def read(
    sources: Sequence[Source],
    sink: Sink,
    *,
    questions: Path | None = None,
    model: str | None = None,
    id_pattern: str | None = None,
) -> None:
    """Read the questions, then files of requests, then the others, line by line."""
    from mssim.questions import read_questions

    if questions is None:
        raise PoolError(
            "questions: batches do not contain the truth. Pass a JSONL, CSV or Parquet file with question_id, question "
            "and truth as questions=FILE."
        )
    for row in read_questions(questions).to_pylist():
        sink.describe(row["question_id"], row)
    # The file of questions may be in the same folder.
    files = [source for source in sources if source.path.resolve() != questions.resolve()]
    reader = _Reader(sink, _Ids(id_pattern, sink.questions, questions.name, files), model)
    asking = [source for source in files if _asks(source)]
    for source in [*asking, *(source for source in files if source not in asking)]:
        for line in source.records():
            if _is_request(line) != (source in asking):
                line.refuse("the file mixes requests and responses. Split it into two files.")
            (reader.request if source in asking else reader.response)(line)
    reader.close()


def _custom_ids(sources: Sequence[Source]) -> Iterator[str]:
    """Iterate over the custom_ids of all files, up to the first damaged line of each."""
    for source in sources:
        with suppress(PoolError):
            yield from (line.text("custom_id") or "" for line in source.records())


def _asks(source: Source) -> bool:
    """Return whether the first line of a file is a request."""
    first = next(source.records(), None)
    return first is not None and _is_request(first)


def _is_request(line: Fields) -> bool:
    if "response" in line.value or "error" in line.value:
        return False
    if "body" not in line:
        line.refuse(
            "is neither a response (custom_id, response, error) nor a request (custom_id, body) of a batch. Remove it."
        )
    return True


# What custom_ids say --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Known:
    """A parsed custom_id with its requests (number of choices, settings) by model, failures and responding models."""

    question_id: str
    model: str | None = None
    number: int | None = None
    requests: dict[str | None, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    failures: tuple[tuple[str, int], ...] = ()  # reasons with numbers of choices
    models: tuple[str, ...] = ()

    def request(self, served: str | None) -> tuple[int, dict[str, Any]]:
        """Return the request to a model. The served name may be longer than the requested one."""
        if len(self.requests) == 1:
            return next(iter(self.requests.values()))
        fitting = [name for name in self.requests if name and (served or "").startswith(name)]
        return self.requests[max(fitting, key=len)] if fitting else (1, {})


class _Ids:
    """Parser of custom_ids. Without a pattern, a custom_id may be a question_id."""

    def __init__(self, pattern: str | None, questions: Collection[str], file: str, sources: Sequence[Source]) -> None:
        self._questions, self._file, self._sources, self._whole = questions, file, sources, pattern is None
        try:
            self._pattern = re.compile(_ID if pattern is None else pattern, re.DOTALL)
        except (re.error, RecursionError, OverflowError) as error:
            raise PoolError(
                f"id_pattern: {pattern!r} is not a valid regular expression ({error}). Correct it."
            ) from error
        self.groups = self._pattern.groupindex
        if "question_id" not in self.groups or not set(self.groups) <= set(_GROUPS):
            named = ", ".join(self.groups) or "none"
            raise PoolError(
                f"id_pattern: {pattern!r} has the groups {named}. It must have question_id, and may have model and "
                "sample."
            )

    def read(self, line: Fields, custom_id: str) -> _Known:
        if len(custom_id) > _LONGEST_ID:
            line.refuse(
                f"the custom_id has {len(custom_id)} characters. At most {_LONGEST_ID} are allowed. Shorten it."
            )
        if self._whole and custom_id in self._questions:
            return _Known(custom_id)
        match = self._pattern.fullmatch(custom_id)
        said = match.groupdict() if match else {}
        question, number = said.get("question_id") or "", said.get("sample")
        if question not in self._questions:
            missing = f"refers to question {question!r:.80}, which is not in {self._file}"
            problem = missing if match else "does not match id_pattern"
            advice = hint(_custom_ids(self._sources), self._questions, self._pattern, self._file)
            line.refuse(f"custom_id {custom_id!r:.80} {problem}. {advice}")
        if number and not number.isdecimal():
            line.refuse(
                f"custom_id {custom_id!r:.80}: the group sample of id_pattern matches {number!r:.40}. It must match "
                "digits only."
            )
        return _Known(question, said.get("model") or None, int(number) if number else None)


# Lines ----------------------------------------------------------------------------------------------------------------


class _Reader:
    """Adds samples to a sink. Keeps the state of each custom_id in memory, but no texts."""

    def __init__(self, sink: Sink, ids: _Ids, model: str | None) -> None:
        if model is not None and "model" in ids.groups:
            raise PoolError(f"model={model!r}, but id_pattern has a group model. Omit model= or the group.")
        self._sink, self._ids, self._model = sink, ids, model or None
        self._known: dict[str, _Known] = {}
        self._settings: dict[tuple[Any, ...], dict[str, Any]] = {}  # interned, since few settings differ
        self._responses: set[int] = set()  # as hashes
        self._numbers: defaultdict[Place, set[int]] = defaultdict(set)
        self._last: defaultdict[Place, int] = defaultdict(lambda: -1)
        self._again = 0

    def request(self, line: Fields) -> None:
        body = line.part("body")
        asked = settings(body)
        asked = self._settings.setdefault(tuple(asked.items()), asked)
        self._of(line).requests.setdefault(body.text("model"), (body.count("n") or 1, asked))

    def response(self, line: Fields) -> None:
        known, response = self._of(line), line.part("response")
        body = body_of(response)
        reason = failure(line, response, body)
        choices = [] if reason else outcomes(body)
        failed = [choice for choice in choices if isinstance(choice, str)]
        if len(failed) == len(choices):
            known.failures += ((reason or failed[0], len(failed)),)
            return
        served = body.text("model")
        model = self._model or known.model or served
        if not model:
            line.refuse("the response does not name its model. Pass model=NAME.")
        key = hash((line.text("custom_id"), model, line.text("id"), response.text("request_id"), body.text("id")))
        if key in self._responses:
            line.refuse("this response appears twice. Remove one of the copies, or give each response its own id.")
        self._responses.add(key)
        if model in known.models:
            self._again += 1
        else:
            known.models += (model,)
        n, asked = known.request(served)
        for reason in failed:
            self._sink.fail(reason)
        if n > len(choices):
            self._sink.fail("choice missing", n - len(choices))
        common = {k: v for k, v in shared(response, body, len(choices)).items() if v is not None}
        samples = []
        for i, choice in enumerate(choices):
            if not isinstance(choice, str):
                index = self._number((known.question_id, model), known.number, max(n, len(choices)), i)
                samples.append({**choice, **common, "sample_index": index})
        self._sink.add(known.question_id, model, samples, settings=asked)

    def close(self) -> None:
        """Count failed requests and add warnings."""
        one = self._model is not None or "model" in self._ids.groups  # otherwise several models may share a custom_id
        models = {model for known in self._known.values() for model in known.models}
        for known in self._known.values():
            expected = 1 if one else len(known.requests) or len(models) or 1
            lacking = max(expected - len(known.models), 0)
            failures = known.failures[-lacking:] if lacking else ()
            unanswered = lacking - len(failures) if known.requests else 0
            n = max((n for n, _ in known.requests.values()), default=1)
            for reason, number in [*failures, *[("no response", n)] * unanswered]:
                self._sink.fail(reason, max(n, number))
        if self._again:
            again = counted(self._again, "response has", "responses have")
            self._sink.note(f"{again} a custom_id that was answered before. They count as further samples.")
        questions = self._sink.questions
        without = len(questions.keys() - {known.question_id for known in self._known.values() if known.models})
        if without:
            self._sink.note(f"{without} of {counted(len(questions), 'question')} have no samples.")

    def _of(self, line: Fields) -> _Known:
        custom_id = line.name("custom_id")
        if custom_id not in self._known:
            self._known[custom_id] = self._ids.read(line, custom_id)
        return self._known[custom_id]

    def _number(self, place: Place, number: int | None, n: int, choice: int) -> int:
        """Return the sample_index given by the custom_id, or the next free one."""
        index = self._last[place] + 1 if number is None else number * n + choice
        if index > _LARGEST_NUMBER or index in self._numbers[place]:
            index = self._last[place] + 1
        self._numbers[place].add(index)
        self._last[place] = max(self._last[place], index)
        return index
