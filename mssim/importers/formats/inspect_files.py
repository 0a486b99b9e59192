"""Files of Inspect AI's logs, opened so that nothing in them can do harm.

An `.eval` log is a ZIP archive: `header.json`, `summaries.json` with what came out of each sample, and for each sample
a member, or several ("chunked"), with its transcript. A run that was killed leaves only the journal of the first two.
Summaries are thinned: of an answer, white space is collapsed and what is beyond 1024 characters is "...".
Members are unpacked here, because `inspect_ai` does it without a limit; what is in them is read by its models.
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
from types import ModuleType
from typing import Any

import ijson
from ijson import ObjectBuilder

from mssim.errors import MssimError, PoolError
from mssim.importers.fields import Fields, as_text
from mssim.importers.safe_files import Source, streamed

__all__ = ["EvalLog", "JsonLog", "open_log"]

_MOST = 2**29  # bytes of JSON that are parsed at once
_MOST_WHOLE = 2**26  # bytes of it where each takes many in memory
_DEEPEST = 100
_MOST_PACKED = 100  # times; logs are packed some 10 to 30 times
_STEP = 4096  # bytes that are unpacked at once: of so many, Zstandard makes at most 128 MB
_FIELDS = {  # of a sample; its transcript is in others
    "id", "epoch", "uuid", "input", "choices", "target", "metadata", "scores", "score", "output", "error", "limit",
    "model_usage", "total_time", "working_time",
}  # fmt: skip
_BARE = re.compile(rb"[:,\[]\s*(?:NaN|-?Infinity)\b")
_SURROGATE = re.compile(rb"\\u[dD]")
_JOURNAL = re.compile(r"_journal/summaries/(\d{1,9})\.json")


@contextmanager
def open_log(source: Source) -> Iterator[EvalLog | JsonLog]:
    """Open a log, whichever kind it is."""
    models = _models()
    if not source.starts_with(b"PK"):
        yield JsonLog(source, models)
        return
    with _faults(source):
        archive = zipfile.ZipFile(source.path)
    with archive:
        yield EvalLog(source, models, archive)


def _models() -> ModuleType:
    try:
        import inspect_ai.log as models
    except ImportError:
        raise MssimError(
            'logs of Inspect AI are read by inspect_ai, which is not installed: python -m pip install "mssim[inspect]"'
        ) from None
    return models


def _reading() -> dict[str, Any]:
    """What tells the models of inspect_ai that they read a log, so that fields of other versions are no fault."""
    return {"deserializing": True, "message_cache": {}}


@contextmanager
def _faults(source: Source) -> Iterator[None]:
    """Make one line of whatever unpacking, parsing and validating may raise."""
    try:
        yield
    except MssimError:
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines()[:3]]  # pydantic's first line alone says little
        reason = " ".join(lines) or type(error).__name__
        raise PoolError(f"{source}: not a log of Inspect AI, or damaged ({reason[:200]})") from error


class EvalLog:
    """An archive: `header`, `summaries` of its samples, and `whole` for a sample that is not thinned."""

    def __init__(self, source: Source, models: ModuleType, archive: zipfile.ZipFile) -> None:
        self.source, self._models, self._archive = source, models, archive
        self._names = set(archive.namelist())
        for name in self._names:
            if name.startswith("/") or ".." in name.split("/"):
                source.refuse(f"a member is named {name!r:.80}, which leads out of the archive; no log has such a name")
        header = "header.json" if "header.json" in self._names else "_journal/start.json"
        if header not in self._names:
            source.refuse(f"an archive without header.json and {header}; this is not a log of Inspect AI")
        parts = self._parts()
        size = sum(archive.getinfo(name).file_size for name in parts)
        if size > _MOST:
            source.refuse(f"its summaries are {size >> 20} MB, more than the {_MOST >> 20} MB that are read at once")
        with _faults(source):
            self.header = models.EvalLog.model_validate(self._member(header), context=_reading())
            self.summaries = [
                models.EvalSampleSummary.model_validate(summary, context=_reading())
                for name in parts
                for summary in self._list(name)
            ]

    def whole(self, summary: Any) -> Any:
        """A sample as it was recorded."""
        names = [f"samples/{summary.id}_epoch_{summary.epoch}{end}.json" for end in ("", "/sample")]
        name = next((name for name in names if name in self._names), None)
        if name is None:
            self.source.refuse(f"{names[0]!r:.100} is not in it, and the summary of this sample does not tell all")
        with _faults(self.source):
            return _whole(self._models, self._member(name))

    def _parts(self) -> list[str]:
        if "summaries.json" in self._names:
            return ["summaries.json"]
        numbers = [int(match[1]) for match in map(_JOURNAL.fullmatch, self._names) if match]
        return [f"_journal/summaries/{number}.json" for number in sorted(numbers)]

    def _list(self, name: str) -> Iterator[Any]:
        """Values of a member that is a list, one after the other; NaN, which inspect_ai writes, needs it whole."""
        text = self._unpacked(name)
        if not text.lstrip().startswith(b"["):
            self.source.refuse(f"{name:.80} in it is not what it is in a log of Inspect AI")
        yield from _parsed(text) if _BARE.search(text) and len(text) < _MOST_WHOLE else streamed(io.BytesIO(text))

    def _member(self, name: str) -> Any:
        value = _parsed(self._unpacked(name))
        if not isinstance(value, dict):
            self.source.refuse(f"{name:.80} in it is not what it is in a log of Inspect AI")
        return value

    def _unpacked(self, name: str) -> bytes:
        info = self._archive.getinfo(name)
        if info.file_size > _MOST or info.file_size > max(_MOST_PACKED * info.compress_size, 2**22):
            self.source.refuse(
                f"{name:.80} in it is {info.file_size >> 20} MB, packed to {info.compress_size >> 10} KB: too large "
                "to be read, or packed as no log is"
            )
        with self._archive.open(info) as member:  # which gives no more than the size that it claims
            return b"".join(iter(partial(member.read, _STEP), b""))


class JsonLog:
    """The same of one JSON file."""

    def __init__(self, source: Source, models: ModuleType) -> None:
        self._samples: dict[tuple[str, int], Any] = {}
        self.source, self.summaries = source, []
        with _faults(source):
            header, samples = _header_and_samples(source)
            self.header = models.EvalLog.model_validate(header, context=_reading())
            for record in samples:
                sample = _whole(models, record)
                self.summaries.append(sample.summary())
                self._samples[str(sample.id), sample.epoch] = sample

    def whole(self, summary: Any) -> Any:
        """A sample as it was recorded."""
        return self._samples[str(summary.id), summary.epoch]


def _whole(models: ModuleType, record: Any) -> Any:
    """A sample with what is needed of it."""
    known = {name: value for name, value in Fields.of(record, "a sample").value.items() if name in _FIELDS}
    return models.EvalSample.model_validate(known, context=_reading())


def _parsed(text: bytes) -> Any:
    """JSON, where NaN is a number; half of a surrogate pair, which no file can hold, becomes a replacement mark."""
    value = json.loads(text)
    return json.loads(as_text(json.dumps(value, ensure_ascii=False), "")) if _SURROGATE.search(text) else value


def _header_and_samples(source: Source) -> tuple[Any, Iterable[Any]]:
    """What comes before the samples in a JSON log, and the samples, which are read one after the other."""
    with source.path.open("rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            bare = _BARE.search(text) is not None
        if bare:  # inspect_ai writes it, ijson does not read it
            if source.path.stat().st_size > _MOST:
                source.refuse(
                    f"holds NaN or Infinity, and is larger than the {_MOST >> 20} MB that can be read so; convert it "
                    f"first: inspect log convert --to eval --output-dir FOLDER {source.name}"
                )
            header = dict(Fields.of(_parsed(file.read()), str(source)).value)
            return header, header.pop("samples", None) or []
        builder, depth = ObjectBuilder(), 0
        for event, value in ijson.basic_parse(file, use_float=True):
            if depth == 1 and (event, value) == ("map_key", "samples"):
                break
            depth += event.startswith("start") - event.startswith("end")
            if depth > _DEEPEST:
                source.refuse(f"nested more than {_DEEPEST} deep; no log is")
            builder.event(event, value)
    return builder.value, (record.value for record in source.items("samples"))
