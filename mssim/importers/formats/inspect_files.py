"""Safe readers for the log files of Inspect AI.

An `.eval` log is a ZIP archive, or a folder with its unpacked members: `header.json`, `summaries.json` and, for each
sample, one member or several ("chunked") with its transcript. An interrupted run has only the journal of the first two.
In summaries, white space of answers is collapsed and answers are truncated to 1024 characters, marked by "...".
Summaries have the choices of a question since December 2025. Members are decompressed here with a size limit, which
`inspect_ai` lacks, and validated by its models.
"""

from __future__ import annotations

import io
import json
import mmap
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple

import ijson
from ijson import ObjectBuilder

from mssim.errors import MssimError, PoolError
from mssim.importers.fields import Fields, as_text
from mssim.importers.safe_files import Source, streamed

__all__ = ["EvalLog", "JsonLog", "Whole", "is_log", "open_log"]

_MOST = 2**29  # bytes of JSON that are parsed at once
_MOST_WHOLE = 2**26  # the same for parsers that need many bytes of memory per byte
_DEEPEST = 100
_MOST_PACKED = 100  # compression ratio; logs have 10 to 30
_STEP = 4096  # bytes read at once, which Zstandard expands to at most 128 MB
_FIELDS = {  # fields of a sample without its transcript
    "id", "epoch", "uuid", "input", "choices", "target", "metadata", "scores", "score", "output", "error", "limit",
    "model_usage", "total_time", "working_time",
}  # fmt: skip
_AFTER_CHOICES = {"messages", "output", "events", "store"}  # fields that can be large
_BARE = re.compile(rb"[:,\[]\s*(?:NaN|-?Infinity)\b")
_SURROGATE = re.compile(rb"\\u[dD]")
_START = 2**16  # bytes by which a log is recognised
_HEADERS = {"header.json", "_journal/start.json"}
_UNPACKED = ("header.json", "summaries.json")
_JOURNAL = re.compile(r"_journal/summaries/(\d{1,9})\.json")


@contextmanager
def open_log(source: Source) -> Iterator[EvalLog | JsonLog]:
    """Open a log of either type."""
    models = _models()
    if source.name in _UNPACKED and all(source.path.with_name(name).is_file() for name in _UNPACKED):
        yield EvalLog(source, models, _Folder(source.path.parent))
        return
    if source.name == "summaries.json":
        source.refuse("belongs to a log whose header.json is not beside it. Copy both files into one folder.")
    if not source.starts_with(b"PK"):
        yield JsonLog(source, models)
        return
    with _faults(source):
        archive = zipfile.ZipFile(source.path)
    with archive:
        yield EvalLog(source, models, archive)


def is_log(source: Source) -> bool:
    """Return whether a file begins like a log, or is part of an unpacked one. It need not be a valid log."""
    if source.name in _UNPACKED and all(source.path.with_name(name).is_file() for name in _UNPACKED):
        return True
    try:
        if zipfile.is_zipfile(source.path):
            with zipfile.ZipFile(source.path) as archive:
                return not _HEADERS.isdisjoint(archive.namelist())
        with source.path.open("rb") as file:
            return {"task", "created"} <= _names_of_spec(file.read(_START))
    except Exception:  # whatever is wrong with the file, it is not recognised
        return False


def _names_of_spec(start: bytes) -> set[str]:
    """Return the names in the specification of a run, `eval`, as far as the start of a file has them."""
    names: set[str] = set()
    depth, key = 0, None
    try:
        for event, value in ijson.basic_parse(io.BytesIO(start), use_float=True):
            if event == "map_key" and depth == 1:
                key = value
            elif event == "map_key" and depth == 2 and key == "eval":
                names.add(value)
            depth += event.startswith("start") - event.startswith("end")
    except (ijson.JSONError, ValueError, OverflowError):
        pass  # the start of a file is incomplete
    return names


def _models() -> ModuleType:
    try:
        import inspect_ai.log as models
    except ImportError:
        raise MssimError(
            "Logs of Inspect AI require the package inspect_ai, which is not installed: python -m pip install "
            '"mssim[inspect]"'
        ) from None
    return models


def _reading() -> dict[str, Any]:
    """Return the validation context in which inspect_ai accepts fields of other versions."""
    return {"deserializing": True, "message_cache": {}}


@contextmanager
def _faults(source: Source) -> Iterator[None]:
    """Convert errors of decompression, parsing and validation to a PoolError of one line."""
    try:
        yield
    except MssimError:
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines()[:3]]  # pydantic's first line is too general
        reason = " ".join(lines) or type(error).__name__
        raise PoolError(
            f"{source}: is not a log of Inspect AI, or is damaged ({reason[:200]}). Copy or export it again."
        ) from error


class _Folder:
    """A folder with the members of an archive, with the part of the interface of `ZipFile` that is used here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def namelist(self) -> list[str]:
        folders = ("", "samples", "samples/*", "_journal", "_journal/summaries")
        paths = [path for folder in folders for path in self._folder.glob(f"{folder}/*.json".lstrip("/"))]
        return [path.relative_to(self._folder).as_posix() for path in paths if path.is_file() and not path.is_symlink()]

    def getinfo(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name)
        info.file_size = info.compress_size = (self._folder / name).stat().st_size
        return info

    def infolist(self) -> list[zipfile.ZipInfo]:
        return [self.getinfo(name) for name in self.namelist()]

    def open(self, info: zipfile.ZipInfo) -> IO[bytes]:
        return (self._folder / info.filename).open("rb")


class EvalLog:
    """A ZIP archive with `header`, `summaries` and complete samples (`whole`)."""

    def __init__(self, source: Source, models: ModuleType, archive: zipfile.ZipFile | _Folder) -> None:
        self.source, self._models, self._archive = source, models, archive
        self._names = set(archive.namelist())
        for name in self._names:
            if name.startswith("/") or ".." in name.split("/"):
                source.refuse(f"contains a member {name!r:.80} whose path leaves the archive. Do not trust this file.")
        header = "header.json" if "header.json" in self._names else "_journal/start.json"
        if header not in self._names:
            source.refuse(f"has neither header.json nor {header}, so it is not a log of Inspect AI. Omit it.")
        parts = self._parts()
        size = sum(archive.getinfo(name).file_size for name in parts)
        if size > _MOST:
            source.refuse(f"has {size >> 20} MB of summaries. At most {_MOST >> 20} MB are read. Split the log.")
        with _faults(source):
            self.header = models.EvalLog.model_validate(self._member(header), context=_reading())
            self.summaries = [
                models.EvalSampleSummary.model_validate(summary, context=_reading())
                for name in parts
                for summary in self._list(name)
            ]

    def whole(self, summary: Any) -> Whole:
        """Return a sample as it was recorded."""
        name = self._name(summary)
        if name is None:
            member = f"samples/{summary.id}_epoch_{summary.epoch}.json"
            self.source.refuse(
                f"has no member {member!r:.100}, which holds the whole sample. Copy or export the log again."
            )
        with _faults(self.source):
            return _whole(self._models, self._member(name))

    def has_whole(self, summary: Any) -> bool:
        """Return whether a sample is in the log as it was recorded. An interrupted run may have only its summary."""
        return self._name(summary) is not None

    def choices(self, summary: Any) -> list[str] | None:
        """Return the choices of a sample as it was recorded. Its transcript, which follows them, is not read."""
        name = self._name(summary)
        if name is None:
            return None
        builder, depth, key = ObjectBuilder(), 0, None
        with _faults(self.source), self._archive.open(self._info(name)) as member:
            for event, value in ijson.basic_parse(member, use_float=True, buf_size=_STEP):
                if depth == 1 and event == "map_key":
                    if key == "choices" or value in _AFTER_CHOICES:
                        break
                    key = value
                elif key == "choices" and (depth > 1 or not event.startswith("end")):
                    builder.event(event, value)
                depth += event.startswith("start") - event.startswith("end")
        choices = getattr(builder, "value", None)
        if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
            return None
        return [as_text(choice, "") for choice in choices]

    def transcript_bytes(self) -> int:
        """Return the size of all transcripts, which are read to get the texts."""
        return sum(info.file_size for info in self._archive.infolist() if info.filename.startswith("samples/"))

    def _name(self, summary: Any) -> str | None:
        names = [f"samples/{summary.id}_epoch_{summary.epoch}{end}.json" for end in ("", "/sample")]
        return next((name for name in names if name in self._names), None)

    def _parts(self) -> list[str]:
        if "summaries.json" in self._names:
            return ["summaries.json"]
        numbers = [int(match[1]) for match in map(_JOURNAL.fullmatch, self._names) if match]
        return [f"_journal/summaries/{number}.json" for number in sorted(numbers)]

    def _list(self, name: str) -> Iterator[Any]:
        """Iterate over the values of a member that is a list. If it contains NaN, it is parsed at once."""
        text = self._unpacked(name)
        if not text.lstrip().startswith(b"["):
            self.source.refuse(
                f"member {name:.80} has unexpected content for a log of Inspect AI. Copy or export it again."
            )
        yield from _parsed(text) if _BARE.search(text) and len(text) < _MOST_WHOLE else streamed(io.BytesIO(text))

    def _member(self, name: str) -> Any:
        value = _parsed(self._unpacked(name))
        if not isinstance(value, dict):
            self.source.refuse(
                f"member {name:.80} has unexpected content for a log of Inspect AI. Copy or export it again."
            )
        return value

    def _unpacked(self, name: str) -> bytes:
        with self._archive.open(self._info(name)) as member:  # yields at most the size in the directory
            return b"".join(iter(partial(member.read, _STEP), b""))

    def _info(self, name: str) -> zipfile.ZipInfo:
        """Return the entry of a member in the directory, unless it is too large."""
        info = self._archive.getinfo(name)
        if info.file_size > _MOST or info.file_size > max(_MOST_PACKED * info.compress_size, 2**22):
            self.source.refuse(
                f"member {name:.80} has {info.file_size >> 20} MB, compressed to {info.compress_size >> 10} KB. The "
                f"limits are {_MOST >> 20} MB and a compression ratio of {_MOST_PACKED}. Do not trust this file, or "
                "split the evaluation into smaller logs."
            )
        return info


class JsonLog:
    """A JSON file with the interface of `EvalLog`."""

    def __init__(self, source: Source, models: ModuleType) -> None:
        self._samples: dict[tuple[str, int], Whole] = {}
        self.source, self.summaries = source, []
        with _faults(source):
            header, samples = _header_and_samples(source)
            self.header = models.EvalLog.model_validate(header, context=_reading())
            for record in samples:
                whole = _whole(models, record)
                self.summaries.append(whole.sample.summary())
                self._samples[str(whole.sample.id), whole.sample.epoch] = whole

    def whole(self, summary: Any) -> Whole:
        """Return a sample as it was recorded."""
        return self._samples[str(summary.id), summary.epoch]

    def has_whole(self, summary: Any) -> bool:
        """Return True: every sample is in the log as it was recorded."""
        return (str(summary.id), summary.epoch) in self._samples

    def choices(self, summary: Any) -> list[str] | None:
        """Return the choices of a sample, which its summary has too."""
        choices: list[str] | None = self.whole(summary).sample.choices
        return choices

    def transcript_bytes(self) -> int:
        """Return 0: the samples were read already."""
        return 0


class Whole(NamedTuple):
    """A sample as it was recorded.

    Attributes
    ----------
    sample : EvalSample
        The sample, validated by inspect_ai.
    choice : dict
        The values stop_reason, tool_calls and (in old logs) reasoning of its first choice, as written.
    logprobs : list
        Log-probabilities of the tokens of this choice, as written. Inspect would refuse unknown ones.
    """

    sample: Any
    choice: dict[str, Any]
    logprobs: list[Any]


def _whole(models: ModuleType, record: Any) -> Whole:
    """Return a validated sample with the fields that are needed."""
    known = {name: value for name, value in Fields.of(record, "a sample").value.items() if name in _FIELDS}
    choice: dict[str, Any] = {}
    logprobs: list[Any] = []
    output = known.get("output")
    if output is None:
        known.pop("output", None)
    elif isinstance(output, dict) and isinstance(output.get("choices"), list):
        choices = [choice for choice in output["choices"] if choice is not None]
        first = choices[0] if choices and isinstance(choices[0], dict) else {}
        message = first.get("message")
        choice = {"stop_reason": first.get("stop_reason")}
        if isinstance(message, dict):
            choice |= {name: message.get(name) for name in ("tool_calls", "reasoning")}
        tokens = first["logprobs"].get("content") if isinstance(first.get("logprobs"), dict) else None
        if isinstance(tokens, list):
            logprobs = [token.get("logprob") if isinstance(token, dict) else None for token in tokens]
        known["output"] = {**output, "choices": [_checked(one) for one in choices]}
    return Whole(models.EvalSample.model_validate(known, context=_reading()), choice, logprobs)


def _checked(choice: Any) -> Any:
    """Return a choice without values that are read as written."""
    unchecked = ("logprobs", "prompt_logprobs", "stop_reason")
    return (
        {name: value for name, value in choice.items() if name not in unchecked} if isinstance(choice, dict) else choice
    )


def _parsed(text: bytes) -> Any:
    """Parse JSON with NaN. Lone surrogates, which UTF-8 cannot encode, become U+FFFD."""
    value = json.loads(text)
    return json.loads(as_text(json.dumps(value, ensure_ascii=False), "")) if _SURROGATE.search(text) else value


def _header_and_samples(source: Source) -> tuple[Any, Iterable[Any]]:
    """Return the header of a JSON log and an iterator over its samples."""
    with source.path.open("rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            bare = _BARE.search(text) is not None
        if bare:  # written by inspect_ai, not supported by ijson
            if source.path.stat().st_size > _MOST:
                source.refuse(
                    f"contains NaN or Infinity and is larger than {_MOST >> 20} MB, the limit for such files. Convert "
                    f"it first: inspect log convert --to eval --output-dir FOLDER {source.name}"
                )
            header = dict(Fields.of(_parsed(file.read()), str(source)).value)
            return header, header.pop("samples", None) or []
        builder, depth = ObjectBuilder(), 0
        for event, value in ijson.basic_parse(file, use_float=True):
            if depth == 1 and (event, value) == ("map_key", "samples"):
                break
            depth += event.startswith("start") - event.startswith("end")
            if depth > _DEEPEST:
                source.refuse(f"is nested more than {_DEEPEST} levels deep, so it is not a log of Inspect AI. Omit it.")
            builder.event(event, value)
    return builder.value, (record.value for record in source.items("samples"))
