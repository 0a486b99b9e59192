"""What a recording says about its samples: cut off, empty, repeated or served by another model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mssim.pools.endings import CUT_OFF
from mssim.recorder.journal import Journal

__all__ = ["findings", "left_to_server", "other_model", "protocol_of"]

_CUT = f"lower(finish_reason) IN ({', '.join(repr(reason) for reason in sorted(CUT_OFF))})"
# The comparison is fast and holds for every text that begins with a space, so few texts are trimmed.
_EMPTY = "(text < '!' AND trim(text, ' ' || char(9, 10, 13)) = '')"
_NO_REASON = "no reason given"
_WHY = (  # the first that holds is the reason why a text is empty
    ("cut off", _CUT),
    ("refused", "refusal IS NOT NULL"),
    ("tool calls", "tool_calls IS NOT NULL"),
    ("stopped by a content filter", "lower(finish_reason) = 'content_filter'"),
    (_NO_REASON, "1"),
)
_SAMPLING = ("top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "repeat_penalty")
_NAMED = ("top_p", "top_k", "min_p")  # those that most servers have
_LEAST_REPEATS = 3  # repeated choices; fewer can be chance
_MOST_NAMES = 5
_FIRST_SAMPLES = 10_000


def findings(journal: Journal, model_of: Callable[[str], str] = lambda name: name) -> dict[str, list[str]]:
    """Return warnings about the samples of each model; `model_of` returns its name among the models of the journal."""
    models = journal.models()
    found: dict[str, list[str]] = {model: [] for model in models}
    counted = f"COUNT(*), SUM(ifnull({_CUT}, 0)), SUM({_EMPTY}), SUM(reasoning IS NOT NULL), " + (
        f"SUM(confidence IS NOT NULL), SUM(confidence IS NULL AND NOT {_EMPTY})"
    )
    for row in journal.query(f"SELECT model, {counted} FROM all_samples GROUP BY model"):
        model, total, cut, empty, reasoned, sure, unsure = row
        lines = found.setdefault(model, [])
        if cut:
            lines.append(f"{_share(cut, total, 'samples', model, 'was', 'were')} cut off (finish_reason length)")
        if empty:
            why = _why_empty(journal, model, empty)
            lines.append(f"{_share(empty, total, 'texts', model, 'is', 'are')} empty, {why}")
        if reasoned:
            lines.append(
                f"{_share(reasoned, total, 'samples', model, 'has', 'have')} reasoning, kept in the column reasoning"
            )
        if unsure and (sure or models.get(model_of(model), {}).get("logprobs")):
            lacking = _share(unsure, total, "samples", model, "lacks", "lack")
            lines.append(f"{lacking} known log-probabilities, so votes by confidence refuse them")
        if (repeats := _repeats(journal, model)) is not None:
            lines.append(f"all choices of {model} are identical within each of its {repeats} requests with several")
    for model, lines in found.items():
        known = models.get(model_of(model), {})
        lines += _served(journal, model, str(known.get("identity", {}).get("model_id", model)))
    return found


def protocol_of(journal: Journal) -> str | None:
    """Return the protocol of which all samples are calls, or None if they are samples of models."""
    protocol: str | None = journal.info().get("live", {}).get("protocol")
    return protocol


def _share(number: int, total: int, what: str, model: str, one: str, many: str) -> str:
    return f"{number} of {total} {what} of {model} {one if number == 1 else many}"


def _why_empty(journal: Journal, model: str, empty: int) -> str:
    case = " ".join(f"WHEN {condition} THEN '{why}'" for why, condition in _WHY)
    query = f"SELECT CASE {case} END AS why, COUNT(*) FROM all_samples WHERE model = ? AND {_EMPTY} GROUP BY 1"
    counts = sorted(journal.query(query, (model,)), key=lambda row: -row[1])
    if len(counts) == 1:
        return counts[0][0] if empty == 1 or counts[0][0] == _NO_REASON else f"all {counts[0][0]}"
    return ", ".join(f"{number} {why}" for why, number in counts)


def _repeats(journal: Journal, model: str) -> int | None:
    """Return the number of requests with several choices if the choices of each are equal, else None."""
    if not journal.query("SELECT EXISTS (SELECT 1 FROM requests WHERE model = ? AND choices > 1)", (model,))[0][0]:
        return None
    # The first samples mostly show that choices differ, without sorting all texts by request.
    for first in (f"LIMIT {_FIRST_SAMPLES}", ""):
        samples = f"SELECT request, text FROM all_samples WHERE model = ? AND NOT {_EMPTY} {first}"
        of_request = f"SELECT COUNT(*) AS choices, MIN(text) = MAX(text) AS same FROM ({samples}) GROUP BY request"
        query = f"SELECT COUNT(*), MIN(same), SUM(choices - 1) FROM ({of_request} HAVING COUNT(*) > 1)"
        requests, same, repeated = journal.query(query, (model,))[0]
        if same == 0:
            return None
    return int(requests) if same and repeated >= _LEAST_REPEATS else None


def _served(journal: Journal, model: str, model_id: str) -> list[str]:
    query = "SELECT served_model, SUM(choices) FROM requests WHERE model = ? AND choices > 0 GROUP BY 1 ORDER BY 2 DESC"
    served = [(name, number) for name, number in journal.query(query, (model,)) if name is not None]
    lines = [text for name, _ in served[:_MOST_NAMES] if (text := other_model(model, model_id, name))]
    if len(served) > 1:
        lines.append(f"samples of {model} come from {len(served)} served models: {_listed(served)}")
    return lines


def _listed(served: Iterable[tuple[str, int]]) -> str:
    named = [f"{name} ({number} samples)" for name, number in served]
    return ", ".join(named[:_MOST_NAMES]) + (", ..." if len(named) > _MOST_NAMES else "")


def other_model(model: str, model_id: str, served: str | None) -> str | None:
    """Return a warning if a server names another model than requested, else None.

    Folders, file extensions, upper case and a date at the end may differ.

    Examples
    --------
    >>> other_model("small", "org/Small-7B", "/models/small-7b-2026-01-31.gguf")
    >>> other_model("small", "org/Small-7B", "tiny-1b")
    "samples of small were served by 'tiny-1b', but the request names 'org/Small-7B'"
    """
    if not served:
        return None
    short, long = sorted((_words(model_id), _words(served)), key=len)
    if long[: len(short)] == short and all(re.fullmatch(r"\d{2,}|latest", word) for word in long[len(short) :]):
        return None
    return f"samples of {model} were served by {served!r}, but the request names {model_id!r}"


def _words(name: str) -> list[str]:
    base = re.split(r"[/\\]", name.rstrip("/\\"))[-1].lower()
    return re.split(r"[^0-9a-z\u0080-\U0010ffff]+", re.sub(r"\.(gguf|bin|safetensors)$", "", base))


def left_to_server(settings: Mapping[str, Any]) -> str | None:
    """Return which settings a server chooses if only the temperature is set, else None.

    Examples
    --------
    >>> left_to_server({"temperature": 1.0})
    'top_p, top_k, min_p are not set, so the defaults of the server apply'
    """
    if any(name in settings for name in _SAMPLING):
        return None
    return f"{', '.join(_NAMED)} are not set, so the defaults of the server apply"
