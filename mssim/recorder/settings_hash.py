"""Hash and comparison of the settings that affect answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

__all__ = ["canonical", "differences", "settings_hash"]


def settings_hash(identity: Mapping[str, Any], messages: Sequence[Mapping[str, str]]) -> str:
    """Return 16 hex digits of SHA-256 over the canonical JSON of identity and messages.

    Keys are sorted and 1.0 is written as 1, so that equal settings have equal hashes.
    """
    return hashlib.sha256(canonical([identity, messages]).encode()).hexdigest()[:16]


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List the differences between two identities.

    Examples
    --------
    >>> differences({"settings": {"temperature": 1.0}}, {"settings": {"temperature": 0.7, "top_p": 0.9}})
    ['temperature 1.0 -> 0.7', 'top_p (not set) -> 0.9']
    """
    lines = []
    for key in dict.fromkeys([*recorded, *now]):
        old, new = recorded.get(key), now.get(key)
        if key == "settings":
            old, new = old or {}, new or {}
            lines += [_changed(name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])]
        else:
            lines.append(_changed(key, old, new))
    return [line for line in lines if line]


def _changed(name: str, old: Any, new: Any) -> str:
    if canonical(old) == canonical(new):
        return ""
    if name in ("template", "system") and isinstance(old, str) and isinstance(new, str):
        pairs = zip_longest(old.split("\n"), new.split("\n"))
        line, (before, after) = next((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1])
        return f"{name} changed (first difference in line {line}: {_around(before, after)} -> {_around(after, before)})"
    return f"{name} {_short(old)} -> {_short(new)}"


def _around(line: str | None, other: str | None) -> str:
    """Return an excerpt of a line around its first difference from another line."""
    if line is None:
        return "(no line)"
    start = next((i for i, (a, b) in enumerate(zip(line, other or "", strict=False)) if a != b), 0)
    return _short("..." + line[start - 20 :] if start > 40 else line)


def _short(value: Any) -> str:
    if value is None:
        return "(not set)"
    text = repr(value) if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:77]}..."


def canonical(value: Any) -> str:
    """Return canonical JSON, with sorted keys, without spaces, and with 1.0 as 1."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """Convert whole floats to integers."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
