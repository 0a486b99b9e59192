"""Atomic writing of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mssim._validation import shown
from mssim.errors import MssimError

__all__ = ["usable_path", "whole_file"]

_LONG = 200  # bytes of a name; file systems allow 255


def usable_path(given: Any, name: str = "path") -> Path:
    """Return a path; raise if it is none, or if the system cannot have a file of this name."""
    try:
        path = Path(given)
        os.fsencode(path)
        path.exists()
        if "\0" not in str(path):
            return path
        reason = "it contains a zero byte"
    except TypeError:
        raise MssimError(f"{name}={shown(given)} is not a path. Use text or a pathlib.Path.") from None
    except UnicodeEncodeError:
        reason = "it contains a lone surrogate"
    except OSError as error:
        reason = error.strerror or str(error)
    raise MssimError(f"{name}: {shown(str(given))} cannot be used ({reason}). Use another path.")


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path to write to; it replaces `path` if the block ends without an error."""
    target = usable_path(path)
    if not target.name:
        raise MssimError(f"path: {shown(str(path))} is not the name of a file. Use another path.")
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise MssimError(f"path: {target} is a device or a pipe, not a file. Use the name of a file.")
    short = target.name if len(target.name.encode()) < _LONG else hashlib.sha256(target.name.encode()).hexdigest()
    part = target.with_name(f".{short}.{os.getpid()}.part")
    import pyarrow as pa  # `mssim --help` does not wait for it

    try:
        yield part
        part.replace(target)
    except (OSError, pa.ArrowException) as error:
        raise MssimError(f"{target}: cannot be written ({getattr(error, 'strerror', None) or error}).") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
