"""The pipeline of all imports: read -> long table -> grade -> diagnostics -> pool."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa
import pyarrow.parquet

from mssim._validation import counted
from mssim.errors import PoolError, PoolWarning
from mssim.grading import grade_file, parse_rule
from mssim.grading.sample_files import batches, write
from mssim.importers.diagnostics import Diagnostics, diagnose
from mssim.importers.renaming import check_rename
from mssim.importers.safe_files import Source
from mssim.importers.samples_table import Written, write_long_table
from mssim.importers.sink import Sink
from mssim.importers.subsets import reported_apart
from mssim.pools.conditions import Where
from mssim.pools.folder import current, folder_update, write_info
from mssim.pools.loading import load_pool
from mssim.pools.pool import Pool, from_blocks
from mssim.pools.row_blocks import read_files

__all__ = ["Common", "CommonOptions", "Paths", "Read", "as_paths", "import_pool", "to_pool"]

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Read = Callable[[Sequence[Source], Sink], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Common:
    """Options that all importers accept as keyword arguments.

    Attributes
    ----------
    rule : str, optional
        Rule by which the texts are graded, see `mssim.grading.parse_rule`. By default, answers and verdicts are taken
        from the files.
    where : optional
        Conditions that select samples, as in `mssim.load_pool`. By default, all samples are imported.
    texts : bool, default True
        Whether to keep texts and reasoning of samples. Without them a pool is much smaller but cannot be graded again.
    strict : bool, default False
        Whether to raise a PoolError instead of issuing warnings.
    info : mapping, optional
        Metadata such as title, source and licence, stored in pool.json.
    reasoning : str, default "drop"
        Whether reasoning before an answer is dropped or kept ("keep"), see `mssim.grading.parse_rule`.
    drop_conflicts : bool, default False
        Whether to leave out questions that have two truths, texts or lists of choices under one id, or an answer that
        is both right and wrong. By default, an import with such a question raises a PoolError.
    rename : mapping of str to str, optional
        New names of models, each with the name in the files, such as ``{"llama": "hf/llama,dtype=auto"}``. `where` uses
        the names in the files.

    Examples
    --------
    >>> from mssim.importers import Common
    >>> Common(rule="number", texts=False)
    Common(rule='number', where=None, texts=False, strict=False, info=None, reasoning='drop', drop_conflicts=False,
           rename=None)
    """

    rule: str | None = None
    where: Where | None = None
    texts: bool = True
    strict: bool = False
    info: Mapping[str, Any] | None = None
    reasoning: str = "drop"
    drop_conflicts: bool = False
    rename: Mapping[str, str] | None = None


class CommonOptions(TypedDict, total=False):
    """Types of the keyword arguments that correspond to the fields of `Common`."""

    rule: str | None
    where: Where | None
    texts: bool
    strict: bool
    info: Mapping[str, Any] | None
    reasoning: str
    drop_conflicts: bool
    rename: Mapping[str, str] | None


def as_paths(given: Paths) -> list[Path]:
    """Return one path or several as a list of existing files and folders."""
    paths = [Path(given)] if isinstance(given, str | os.PathLike) else [Path(path) for path in given]
    if not paths:
        raise PoolError("paths: no file was given. Name at least one file or folder.")
    for path in paths:
        with _readable(path):
            if not path.exists():
                raise PoolError(f"{path} does not exist.")
            if not (path.is_file() or path.is_dir()):
                raise PoolError(f"{path} is neither a file nor a folder.")
    return paths


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise a PoolError that names the path if the operating system reports an error."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise PoolError(f"{path}: cannot be read or written ({reason}). Check permissions and free space.") from error


def to_pool(format_name: str, read: Read, paths: Sequence[Path], common: Common) -> Pool:
    """Import files into memory.

    Warns
    -----
    PoolWarning
        For each warning of the diagnostics.
    """
    with tempfile.TemporaryDirectory(prefix="mssim-") as folder:
        found = import_pool(format_name, read, paths, Path(folder) / "pool", common)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PoolWarning)  # issued below, together with the warnings of the import
            pool = load_pool(Path(folder) / "pool")
    for message in found.warnings:
        warnings.warn(message, PoolWarning, stacklevel=3)
    return pool


def import_pool(
    format_name: str,
    read: Read,
    paths: Sequence[Path],
    out: Path,
    common: Common,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Diagnostics:
    """Import files as a pool folder, which is written atomically.

    Parameters
    ----------
    format_name : str
        Name of the format, stored in pool.json.
    read : callable (sources, sink)
        Reader of the format, which adds samples to the sink.
    paths : sequence of Path
        Files to read.
    out : Path
        Pool folder to create.
    common : Common
        Options that are independent of the format.
    overwrite : bool, default False
        Whether to replace an existing pool folder.
    progress : callable (done, total), optional
        Called with the number of bytes read and the total number of bytes.

    Returns
    -------
    Diagnostics
        Counts and warnings of the new pool.

    Raises
    ------
    PoolError
        If a file is damaged or in another format, if rows contradict each other, or if `strict` is set and there are
        warnings. Nothing is written in these cases.
    """
    with _readable(out):
        return _imported(format_name, read, paths, out, common, overwrite=overwrite, progress=progress)


def _imported(
    format_name: str,
    read: Read,
    paths: Sequence[Path],
    out: Path,
    common: Common,
    *,
    overwrite: bool,
    progress: Progress | None,
) -> Diagnostics:
    _check_target(out, overwrite=overwrite)
    rule = None if common.rule is None else parse_rule(common.rule, reasoning=common.reasoning)
    check_rename(common.rename)
    sources = _sources(paths, progress)
    with folder_update(out) as part:
        work = part / "work"  # next to the pool: the file system of temporary files may be too small
        work.mkdir()
        sink = Sink(work)
        sink.graded = rule is not None
        read(sources, sink)
        sink.close()
        _check_order(sink)
        samples = part / "samples.parquet"
        read_samples = samples if rule is None else work / "read.parquet"
        kept = common.texts or rule is not None
        written = write_long_table(
            sink,
            read_samples,
            where=common.where,
            graded=rule is not None,
            texts=kept,
            drop_conflicts=common.drop_conflicts,
            rename=common.rename,
        )
        graders = {}
        if rule is not None:
            graded = samples if common.texts else work / "graded.parquet"
            grading = grade_file(read_samples, graded, written.questions, rule)
            sink.notes += grading.of_rule()
            sink.remarks += grading.remarks()
            graders["grader"] = grading.describe()
            if not common.texts:
                _without_texts(graded, samples)
        info = {**_info(format_name, sources, sink, written, common), **graders}
        pa.parquet.write_table(written.questions, part / "questions.parquet", compression="zstd")
        pool = _checked(samples, written.questions, info)
        found = diagnose(pool)
        if common.strict and found.warnings:
            number = f"{len(found.warnings)} warning{'s' * (len(found.warnings) > 1)}"
            raise PoolError(
                f"strict: the import has {number}, which strict turns into errors. {' '.join(found.warnings)}"
            )
        shutil.rmtree(work)
        counts = {"questions": found.questions, "models": len(found.models), "samples": found.samples}
        write_info(part, out, {**info, "counts": counts})
    return found


def _check_target(out: Path, *, overwrite: bool) -> None:
    """Raise if a pool cannot be written to this path."""
    if out.exists() and not overwrite:
        raise PoolError(f"{out} already exists. Choose another path, or pass overwrite=True to replace it.")
    if out.exists() and not current(out, "pool.json").is_file():
        raise PoolError(f"{out} is not a pool folder and is not overwritten. Choose another path.")
    place = out.absolute().parent
    if not place.is_dir():
        raise PoolError(f"{out}: the folder {place} does not exist. Create it first.")


def _check_order(sink: Sink) -> None:
    """Raise if a rule would grade letters of choices that were shuffled."""
    if sink.graded and sink.shuffled:
        raise PoolError(
            f"rule: the choices of {counted(sink.shuffled, 'question')} were shuffled, so letters in the texts of "
            "two samples name different choices, and a rule cannot compare them with one truth. Remove the rule to "
            "use the answers of the files, or import each file separately."
        )


def _sources(paths: Sequence[Path], progress: Progress | None) -> list[Source]:
    """Return the files to read. Raise if a file is given twice, since its samples would be counted twice."""
    sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
    total, before = sum(sizes), 0
    sources = []
    for path, size in zip(paths, sizes, strict=True):
        start = before

        def report(done: int, start: int = start) -> None:
            if progress:
                progress(start + done, max(total, 1))

        sources.append(Source(path, report if progress else None))
        before += size
    seen: dict[Path, Path] = {}
    for path in paths:
        if seen.setdefault(path.resolve(), path) is not path:
            raise PoolError(f"{path} is given twice, so its samples would be counted twice. Name it once.")
    return sources


def _info(format_name: str, sources: Sequence[Source], sink: Sink, written: Written, common: Common) -> dict[str, Any]:
    """Return the contents of pool.json, except for the counts."""
    files = [source.describe() for source in sources if source.path.is_file()]
    repeated = [file["name"] for i, file in enumerate(files) if file["sha256"] in {f["sha256"] for f in files[:i]}]
    if repeated:
        raise PoolError(
            f"{repeated[0]} has the same content as an earlier file, so its samples would be counted twice. Remove it "
            "from the paths."
        )
    imported: dict[str, Any] = {"format": format_name, "files": files, "failed": dict(sink.failed)}
    imported |= {"long_texts": written.long_texts, "identical_texts": written.identical_texts, "notes": sink.notes}
    imported |= {"dropped_conflicts": written.dropped} if written.dropped else {}
    imported |= {"renamed": dict(common.rename)} if common.rename else {}
    imported |= {"text_warnings": written.warnings} if written.warnings else {}
    separate = reported_apart(written.questions, sink.separate)
    remarks = [*written.rare, *(written.reasoning if common.texts else ()), *sink.remarks, *separate]
    imported |= {"remarks": remarks} if remarks else {}
    info: dict[str, Any] = {**sink.info, **(common.info or {}), "import": imported}
    if not sink.votes and common.rule is None:
        info["votes"] = False
    return info


def _without_texts(graded: Path, samples: Path) -> None:
    names = tuple(name for name in pa.parquet.read_schema(graded).names if name not in ("text", "reasoning"))
    write(samples, (pa.Table.from_batches([batch]) for batch in batches(graded, names)))


def _without(samples: Path) -> list[str]:
    return [name for name in ("text", "reasoning") if name in pa.parquet.read_schema(samples).names]


def _checked(samples: Path, questions: pa.Table, info: Mapping[str, Any]) -> Pool:
    """Load the pool without texts and reasoning, which are not needed to check it."""
    return from_blocks(read_files([samples], without=_without(samples)), None, info, questions)
