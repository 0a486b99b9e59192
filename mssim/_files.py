"""Atomic writing of files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from mssim.errors import MssimError


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path to write to; it replaces `path` if the block ends without an error."""
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    except (OSError, pa.ArrowException) as error:
        raise MssimError(f"{target}: cannot be written ({getattr(error, 'strerror', None) or error}).") from error
    finally:
        part.unlink(missing_ok=True)
