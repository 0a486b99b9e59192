"""TOML files of users: reading, and checks of their tables."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mssim._validation import choose_from
from mssim.errors import MssimError

__all__ = ["check_keys", "check_table", "read_toml"]

_MOST_BYTES = 2**24


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raise if it is missing or damaged."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise MssimError(f"{path}: has more than {_MOST_BYTES >> 20} MB, so it is not a plan or a price table.")
        return tomllib.loads(content.decode())
    except OSError as error:
        raise MssimError(f"{str(path)[-200:]}: cannot be read ({error.strerror or error}). Check the path.") from error
    except MssimError:
        raise
    except (ValueError, RecursionError) as error:
        raise MssimError(f"{path}: is not valid TOML ({str(error).splitlines()[0]}). Correct it.") from error


def check_table(where: str, given: Any) -> dict[str, Any]:
    """Return a table of a TOML file. Raise if the value is not a table."""
    if not isinstance(given, dict):
        # The value is not shown, since it may be a URL with credentials.
        raise MssimError(
            f"{where} has type {type(given).__name__}. It must be a table: [{where}], followed by lines name = value."
        )
    return given


def check_keys(where: str, given: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Raise if a table has unknown keys."""
    allowed = list(allowed)
    for key, value in given.items():
        if key not in allowed:
            quoted = f' Names with dots need quotes: {where.split(".")[0]}."NAME".' if isinstance(value, dict) else ""
            raise MssimError(
                f"{where + ': ' if where else ''}unknown key {key!r}. {choose_from(key, allowed)}.{quoted}"
            )
