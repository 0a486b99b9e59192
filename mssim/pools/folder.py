"""The files of a pool folder: samples.parquet, questions.parquet and pool.json, which names their checksums.

Samples may be split over several files, samples-*.parquet, which are one table in the order of their names.

Changed files appear together or not at all: they are written to a folder inside the pool folder, which one rename makes
valid. Whatever else lies in the folder (a recorder's journal, a data card) is never touched.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow as pa

from mssim.errors import PoolError

SCHEMA = 1
_NEXT = ".next"
_SAMPLES, _SPLIT = "samples.parquet", "samples-*.parquet"
_TABLES = (_SAMPLES, "questions.parquet")


def current(folder: Path, name: str) -> Path:
    """Path of the valid version of a file of the folder.

    It lies in a folder inside only where a change was cut off between becoming valid and being put in place.
    """
    changed = folder / _NEXT / name
    return changed if changed.exists() else folder / name


def sample_files(folder: Path) -> list[Path]:
    """Files with the samples of a folder, in order: one, several if they are split, or none."""
    whole, split = current(folder, _SAMPLES), sorted(folder.glob(_SPLIT))
    if whole != folder / _SAMPLES:  # valid already; what it replaces may still be there
        return [whole]
    if split and whole.is_file():
        raise PoolError(f"{folder} has {_SAMPLES} and {split[0].name}; take away which of them is not the pool")
    return split or [whole] * whole.is_file()


@contextmanager
def folder_update(folder: Path) -> Iterator[Path]:
    """Yield an empty folder for changed files; all of them replace those of `folder`, or none if the block raises.

    Write pool.json there too, with `write_info`. A folder that does not exist appears whole.
    """
    new = not folder.exists()
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part") if new else folder / f"{_NEXT}.{os.getpid()}.part"
    try:
        if not new:
            _put_in_place(folder)
        _clear_away(folder)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        for path in part.iterdir():
            with path.open("rb+") as file:
                os.fsync(file)  # else a power cut could leave the new name with nothing in it
        part.rename(folder if new else folder / _NEXT)
        _put_in_place(folder)
    except (OSError, pa.ArrowException) as error:
        raise PoolError(f"{folder}: cannot be written ({getattr(error, 'strerror', None) or error})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put_in_place(folder: Path) -> None:
    changed = folder / _NEXT
    if not changed.is_dir():
        return
    if (changed / _SAMPLES).exists():
        for path in folder.glob(_SPLIT):
            path.unlink(missing_ok=True)  # the new file replaces them all
    for path in sorted(changed.iterdir()):
        with suppress(FileNotFoundError):  # another process does the same
            path.replace(folder / path.name)
    with suppress(FileNotFoundError):
        changed.rmdir()


def _clear_away(folder: Path) -> None:
    """Remove what updates that were killed left behind; none takes a day."""
    for left in [*folder.glob(f"{_NEXT}.*.part"), *folder.parent.glob(f".{glob.escape(folder.name)}.*.part")]:
        if time.time() - left.stat().st_mtime > 86400:
            shutil.rmtree(left, ignore_errors=True)


def write_info(part: Path, folder: Path, info: Mapping[str, Any]) -> None:
    """Write pool.json to `part`, with the schema version and the checksum of every table there or left in `folder`."""
    split = [] if (part / _SAMPLES).exists() else sorted({p.name for at in (part, folder) for p in at.glob(_SPLIT)})
    written = [part / name if (part / name).exists() else folder / name for name in (*_TABLES, *split)]
    described = {**info, "schema": SCHEMA, "files": {path.name: sha256(path) for path in written if path.exists()}}
    try:
        text = json.dumps(described, indent=2, ensure_ascii=False)
        text.encode()
    except (TypeError, UnicodeEncodeError) as error:
        raise PoolError(
            f"info cannot be written to pool.json ({error}); give text, numbers, lists and dicts"
        ) from error
    (part / "pool.json").write_text(text + "\n", encoding="utf-8")


def read_info(folder: Path) -> dict[str, Any]:
    """Return what pool.json says, without schema version; a damaged or unknown one is a `PoolError`."""
    path = current(folder, "pool.json")
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PoolError(f"{path}: not JSON ({error})") from error
    if not isinstance(info, dict) or info.pop("schema", None) != SCHEMA:
        raise PoolError(f"{path}: unknown schema version; this mssim reads version {SCHEMA}, a newer one may be needed")
    return info


def check_files(folder: Path, files: Mapping[str, str]) -> None:
    """Refuse a folder in which a file is missing or is not the one that pool.json describes."""
    for name, expected in files.items():
        path = current(folder, name)
        if Path(name).name != name or not path.is_file():
            raise PoolError(f"{folder}: {name} is missing, but pool.json lists it; restore it")
        if sha256(path) != expected:
            raise PoolError(f"{path} is not the file that pool.json describes (sha256 differs); restore it")
    if any(fnmatch(name, pattern) for name in files for pattern in (_SAMPLES, _SPLIT)):
        for path in sample_files(folder):
            if path.name not in files:
                raise PoolError(f"{path} is not listed in pool.json; take it away, or list it there with its sha256")


def sha256(path: Path) -> str:
    """SHA-256 of a file as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
