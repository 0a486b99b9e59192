"""Export of the journal of a recording to the files of a pool. It can be repeated at any time."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

import mssim
from mssim.errors import PoolError, RecordError
from mssim.pools.arrow import table_from_frame
from mssim.pools.folder import current, folder_update, read_info, write_info
from mssim.pools.texts import encodable
from mssim.recorder.findings import protocol_of
from mssim.recorder.journal import BESIDES, Journal

if TYPE_CHECKING:
    from mssim.grading import Grading, Rule

CACHE = "equivalence.sqlite"
_MOST_ROWS, _MOST_TEXT = 2**14, 2**22  # limits of a row group, which is held in memory
_KEY = ("question_id", "model", "sample_index")
_RECORDED = ["text", "finish_reason", "confidence", "input_tokens", "output_tokens", "cost", "latency"]
_RECORDED += ["request_input_tokens", "request_output_tokens", "request_samples"]
_RECORDED += ["served_model", "fingerprint", "request_id", "time"]
_TOKENS = (
    "input_tokens and output_tokens refer to the request of the sample. They are not known for requests with several "
    "samples. For these, request_input_tokens and request_output_tokens refer to the whole request, which returned "
    "request_samples samples, and the cost is divided evenly between them."
)


def export(
    folder: str | os.PathLike[str],
    *,
    rule: str | None = None,
    reasoning: str = "drop",
    progress: Callable[[int, int], None] | None = None,
) -> Grading | None:
    """Write samples.parquet, questions.parquet and pool.json from a journal, atomically.

    Columns that were added to samples.parquet and entries that were added to pool.json are kept. A journal without
    samples writes nothing. Another process may record at the same time.

    Parameters
    ----------
    folder : path
        Folder of a recording.
    rule : str, optional
        Rule by which the texts are graded, see `mssim.grading.parse_rule`. By default, a pool that was graded before is
        graded by the same rule again.
    reasoning : str, default "drop"
        Whether reasoning before an answer is dropped or kept ("keep"), see `mssim.grading.parse_rule`. It is not used
        without `rule`.
    progress : callable (done, total), optional
        Called during grading.

    Returns
    -------
    Grading or None
        The report of the grading, or None if the pool was not graded.

    Raises
    ------
    MssimError
        If grading fails, or if the earlier rule runs Python code, which requires that `rule` names it again. The files
        of the pool are unchanged in these cases.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> from mssim.recorder import Choice, Reply, export, plan_from_options, record
    >>> class Parrot:
    ...     async def sample(self, request):
    ...         return Reply((Choice("It is 2."),) * request.n)
    ...     async def close(self):
    ...         pass
    >>> questions = pa.table({"question_id": ["q"], "question": ["1 + 1 = ?"], "truth": ["2"]})
    >>> plan = plan_from_options(["parrot"], base_url="http://localhost", samples=8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = record(questions, plan, folder, sampler=lambda server: Parrot())
    ...     export(folder, rule="number")
    Grading('number', 1 model, 8 samples)
    """
    from mssim.grading import parse_rule

    with Journal(Path(folder)) as journal:
        chosen = None if rule is None else parse_rule(rule, reasoning=reasoning)
        return export_journal(journal, Path(folder), chosen, progress)


def export_journal(
    journal: Journal,
    folder: Path,
    rule: Rule | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Grading | None:
    """Export an open journal."""
    from mssim.grading import grade_file

    if not journal.any_sample("1"):
        return None
    info = read_info(folder) if current(folder, "pool.json").exists() else {}
    info.pop("files", None)
    chosen = rule or _rule_again(info, folder)  # raises before the texts are written
    refuse_fewer(journal, folder)
    least = journal.count()
    carried = _carried(folder, journal)
    grading = None
    with folder_update(folder) as part:
        samples, recorded = part / "samples.parquet", part / "recorded.parquet"
        rows = _write_samples(journal, recorded, carried)
        if rows < least:
            raise RecordError(
                f"{folder}: the journal is damaged: of {least} samples, {rows} can be read. Restore it from a copy."
            )
        questions = table_from_frame(pd.DataFrame(journal.questions(), dtype=object))
        pa.parquet.write_table(questions, part / "questions.parquet", compression="zstd")
        if chosen is None:
            recorded.rename(samples)
        else:
            grading = grade_file(recorded, samples, questions, chosen, cache=folder / CACHE, progress=progress)
            info["grader"] = grading.describe()
            recorded.unlink()
        info = {"source": f"recorded with mssim {mssim.__version__}", **info, **_describe(journal)}
        info["counts"] = {"questions": questions.num_rows, "models": len(info["models"]), "samples": rows}
        write_info(part, folder, info)
    return grading


def refuse_fewer(journal: Journal, folder: Path) -> None:
    """Raise if the pool has more samples than its journal, whose export would replace them, or runs of a protocol."""
    if (protocol := protocol_of(journal)) is not None and journal.count():
        raise RecordError(
            f"{folder} has runs of the protocol {protocol}, whose calls are not samples of a model. Use another folder."
        )
    try:
        counts = read_info(folder).get("counts") if current(folder, "pool.json").exists() else None
    except PoolError:
        return  # the export says what is wrong with pool.json
    known, found = counts.get("samples") if isinstance(counts, dict) else None, journal.count()
    if known is None and not found:
        known = _rows(folder)
    if isinstance(known, int) and known > found:
        raise RecordError(
            f"{folder} has a pool of {known} samples, but its journal has {found}. Restore journal.sqlite from a copy, "
            "or choose another folder."
        )


def _rows(folder: Path) -> int:
    with _readable(folder) as path:
        return int(pa.parquet.read_metadata(path).num_rows) if path.exists() else 0


def is_exported(journal: Journal, folder: Path) -> bool:
    """Return whether the files of the pool contain the whole journal."""
    try:
        info = read_info(folder)
    except PoolError:
        return False
    failed = sum(number for _, _, number in journal.reasons())
    known = (info.get("counts", {}).get("samples"), info.get("failed_samples"))
    # After an interrupted export, the files are in a subfolder and are exported again.
    in_place = all(current(folder, name).parent == folder for name in ("samples.parquet", "pool.json"))
    return known == (journal.count(), failed) and in_place and (folder / "samples.parquet").exists()


def _rule_again(info: Mapping[str, Any], folder: Path) -> Rule | None:
    from mssim.grading import parse_rule

    grader = info.get("grader", {})
    if not isinstance(grader, dict):
        raise RecordError(
            f"{folder}: grader={grader!r:.100} in pool.json is not an object. Remove the entry and grade again."
        )
    rule = grader.get("rule")
    if rule is None and "answer" in _columns(folder):
        raise RecordError(
            f"{folder}: samples.parquet has answers that were not written by `mssim grade` and would be lost. Run "
            f"`mssim grade {folder} --rule RULE`, or remove the column answer."
        )
    if rule is not None and str(rule).startswith("python="):
        raise RecordError(
            f"{folder} was graded by the rule {rule}. Python code runs only if you name it. "
            f"Run `mssim grade {folder} --rule {rule}`."
        )
    return None if rule is None else parse_rule(str(rule), reasoning=str(grader.get("reasoning", "drop")))


def _carried(folder: Path, journal: Journal) -> pd.DataFrame | None:
    """Return columns that were added to samples.parquet since the last export, such as scores, by sample."""
    written = {*_KEY, *_RECORDED, *journal.besides(), "answer", "correct", "extracted"}
    added = [name for name in _columns(folder) if name not in written]
    if not added:
        return None
    with _readable(folder) as path:
        frame: pd.DataFrame = pa.parquet.read_table(path, columns=[*_KEY, *added]).to_pandas().set_index(list(_KEY))
    if not frame.index.is_unique:
        raise RecordError(f"{path} has several rows for the same sample. Remove the repeated rows or the file.")
    return frame


def _columns(folder: Path) -> list[str]:
    with _readable(folder) as path:
        return list(pa.parquet.read_schema(path).names) if path.exists() else []


@contextmanager
def _readable(folder: Path) -> Iterator[Path]:
    path = current(folder, "samples.parquet")
    try:
        yield path
    except (pa.ArrowException, OSError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise RecordError(f"{path} cannot be read ({reason}). Remove the file. It is written again.") from error


def _describe(journal: Journal) -> dict[str, Any]:
    models, period, info = journal.models(), journal.period(), journal.info()
    described: dict[str, Any] = {
        **info["pool"],
        "models": {
            name: {
                **known["identity"],
                "server": known["server"],
                "samples_per_request": known["samples_per_request"],
                **{name: known[name] for name in ("logprobs",) if name in known},  # mssim 0.1.0 did not store it
            }
            for name, known in models.items()
        },
        "recorded": [
            datetime.datetime.fromtimestamp(t, datetime.UTC).isoformat(timespec="seconds") for t in period or ()
        ],
        "failed_samples": sum(number for _, _, number in journal.reasons()),
        "tokens": _TOKENS,
    }
    if info["prices"]:
        described["prices"] = info["prices"]
    if "live" in info:
        described["live"] = info["live"]
    return described


def _write_samples(journal: Journal, path: Path, carried: pd.DataFrame | None) -> int:
    recorded = _schema(journal)
    added = pa.schema([]) if carried is None else pa.Schema.from_pandas(carried, preserve_index=False)
    schema = pa.unify_schemas([recorded, added.remove_metadata()])
    rows = 0
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(journal):
            table = pa.Table.from_pylist(batch, recorded)
            if carried is not None:
                keys = pd.MultiIndex.from_arrays([table[name].to_pandas() for name in _KEY])
                columns = pa.Table.from_pandas(carried.reindex(keys), added, preserve_index=False)
                table = pa.table([*table.columns, *columns.columns], schema)
            writer.write_table(table)
            rows += len(batch)
    return rows


def _schema(journal: Journal) -> pa.Schema:
    several = journal.any_sample("r.choices > 1")
    asked = journal.any_sample("s.confidence IS NOT NULL")
    fields: dict[str, pa.DataType] = {"question_id": pa.string(), "model": pa.string(), "sample_index": pa.int64()}
    fields |= dict.fromkeys(("text", *journal.besides()), pa.string())
    fields |= {"finish_reason": pa.string(), **({"confidence": pa.float64()} if asked else {})}
    fields |= {"input_tokens": pa.int64(), "output_tokens": pa.int64()}
    if several:
        fields |= dict.fromkeys(("request_input_tokens", "request_output_tokens", "request_samples"), pa.int64())
    if journal.any_sample("r.cost IS NOT NULL"):
        fields["cost"] = pa.float64()
    fields |= {"latency": pa.float64(), "served_model": pa.string(), "fingerprint": pa.string()}
    fields |= {"request_id": pa.string(), "time": pa.timestamp("ms", "UTC")}
    return pa.schema(list(fields.items()))


def _batches(journal: Journal) -> Iterator[list[dict[str, Any]]]:
    """Iterate over rows in the order of a pool, in batches with limited numbers of rows and characters."""
    batch: list[dict[str, Any]] = []
    size = 0
    for cell in journal.cells():
        for sample in journal.samples(cell):
            batch.append({"question_id": cell.question, "model": cell.model, **row_of(sample)})
            size += len(sample["text"])
            if len(batch) >= _MOST_ROWS or size >= _MOST_TEXT:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def row_of(sample: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a pool of a sample of the journal."""
    alone = sample["choices"] == 1
    row = {name: sample[name] for name in ("sample_index", "latency")}
    row |= {name: _without_halves(sample.get(name)) for name in ("text", *BESIDES)}
    row |= {name: _one_line(sample[name]) for name in ("finish_reason", "served_model", "fingerprint", "request_id")}
    row["confidence"] = sample["confidence"]
    row["input_tokens"] = sample["input_tokens"] if alone else None
    row["output_tokens"] = sample["request_output_tokens"] if alone else sample["output_tokens"]
    row["request_input_tokens"], row["request_output_tokens"] = sample["input_tokens"], sample["request_output_tokens"]
    row["request_samples"] = sample["choices"]
    row["cost"] = None if sample["cost"] is None else sample["cost"] / sample["choices"]
    row["time"] = datetime.datetime.fromtimestamp(sample["time"], datetime.UTC)
    return row


def _without_halves(text: str | None) -> str | None:
    """Replace lone surrogates, which the journal keeps and UTF-8 cannot encode."""
    return None if text is None else encodable(text)


def _one_line(name: str | None) -> str | None:
    """Return a name of a server without control characters, which a sampler of the user may pass on."""
    text = _without_halves(name)
    return text if text is None or text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
