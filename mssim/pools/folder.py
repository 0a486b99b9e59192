"""Files of a pool folder: samples.parquet, questions.parquet and pool.json with their checksums.

Samples may be split over several files samples-*.parquet, which form one table in the order of their names.

Updates are atomic. Changed files are written to a subfolder, and a single rename makes all of them valid. Other files
in the folder, such as a recorder's journal or a data card, are not modified.
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
    """Return the path of the valid version of a file of the folder.

    The file is in a subfolder if an update was interrupted after it became valid and before its files were moved.
    """
    changed = folder / _NEXT / name
    return changed if changed.exists() else folder / name


def sample_files(folder: Path) -> list[Path]:
    """Return the sample files of a folder in order; the list is empty if there are none."""
    whole, split = current(folder, _SAMPLES), sorted(folder.glob(_SPLIT))
    if whole != folder / _SAMPLES:  # the update is valid, but the files it replaces may still exist
        return [whole]
    if split and whole.is_file():
        raise PoolError(
            f"{folder}: contains both {_SAMPLES} and {split[0].name}. Remove the one that does not belong to the pool."
        )
    return split or [whole] * whole.is_file()


@contextmanager
def folder_update(folder: Path) -> Iterator[Path]:
    """Yield an empty folder for changed files, which replace those of `folder` if the block does not raise.

    The caller must also write pool.json, with `write_info`. A new folder is created atomically.
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
                os.fsync(file)  # otherwise a power failure after the rename could leave empty files
        part.rename(folder if new else folder / _NEXT)
        _put_in_place(folder)
    except (OSError, pa.ArrowException) as error:
        raise PoolError(f"{folder}: cannot be written ({getattr(error, 'strerror', None) or error}).") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put_in_place(folder: Path) -> None:
    changed = folder / _NEXT
    if not changed.is_dir():
        return
    if (changed / _SAMPLES).exists():
        for path in folder.glob(_SPLIT):
            path.unlink(missing_ok=True)  # replaced by the new file
    for path in sorted(changed.iterdir()):
        with suppress(FileNotFoundError):  # another process may do the same
            path.replace(folder / path.name)
    with suppress(FileNotFoundError):
        changed.rmdir()


def _clear_away(folder: Path) -> None:
    """Remove files left behind by killed updates; an update takes less than a day."""
    for left in [*folder.glob(f"{_NEXT}.*.part"), *folder.parent.glob(f".{glob.escape(folder.name)}.*.part")]:
        if time.time() - left.stat().st_mtime > 86400:
            shutil.rmtree(left, ignore_errors=True)


def write_info(part: Path, folder: Path, info: Mapping[str, Any]) -> None:
    """Write pool.json to `part`, with the schema version and the checksums of all tables in `part` and `folder`."""
    split = [] if (part / _SAMPLES).exists() else sorted({p.name for at in (part, folder) for p in at.glob(_SPLIT)})
    written = [part / name if (part / name).exists() else folder / name for name in (*_TABLES, *split)]
    described = {**info, "schema": SCHEMA, "files": {path.name: sha256(path) for path in written if path.exists()}}
    try:
        text = json.dumps(described, indent=2, ensure_ascii=False)
        text.encode()
    except (TypeError, UnicodeEncodeError) as error:
        raise PoolError(
            f"info: cannot be written to pool.json ({error}). Use only strings, numbers, lists and dicts."
        ) from error
    (part / "pool.json").write_text(text + "\n", encoding="utf-8")


def read_info(folder: Path) -> dict[str, Any]:
    """Return the content of pool.json without the schema version."""
    path = current(folder, "pool.json")
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PoolError(f"{path}: cannot be read ({error}).") from error
    except (ValueError, RecursionError) as error:
        raise PoolError(f"{path}: not valid JSON ({error}). Restore the file.") from error
    if not isinstance(info, dict) or info.pop("schema", None) != SCHEMA:
        raise PoolError(
            f"{path}: unknown schema version. This mssim reads version {SCHEMA}. A newer release may read the file."
        )
    return info


def check_files(folder: Path, files: Mapping[str, str]) -> None:
    """Raise if a file is missing, unlisted, or differs from its checksum in pool.json."""
    for name, expected in files.items():
        path = current(folder, name)
        if Path(name).name != name or not path.is_file():
            raise PoolError(f"{folder}: {name} is listed in pool.json but missing. Restore the file.")
        if sha256(path) != expected:
            raise PoolError(f"{path}: the SHA-256 checksum differs from pool.json. Restore the file.")
    if any(fnmatch(name, pattern) for name in files for pattern in (_SAMPLES, _SPLIT)):
        for path in sample_files(folder):
            if path.name not in files:
                raise PoolError(
                    f"{path}: not listed in pool.json. Remove the file, or list it there with its SHA-256 checksum."
                )


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
