"""Names of columns: NEW=OLD, where OLD is a field, a dotted path, a name of the file, or several joined by +.

The number of a record is read like a field named {record}, which records get from `mssim.importers.columns.Reading`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mssim._validation import shown
from mssim.errors import MssimError, PoolError
from mssim.importers.reshape import value_at
from mssim.importers.safe_files import Source
from mssim.pools.texts import as_text

__all__ = [
    "RECORD",
    "Names",
    "Reader",
    "fields_used",
    "file_names",
    "is_plain",
    "number_in",
    "of_model",
    "parse_models",
    "parse_names",
    "reader",
    "taken",
]

Names = str | Mapping[str, str]
Reader = Callable[[Mapping[str, Any]], Any]

RECORD = "{record}"  # the number of a record in its file, from 1

_MODEL = "{model}"
_NAMES = ("{folder}", "{parent}", "{stem}")
_EXAMPLE = "such as question_id=doc_id,answer=pred"


def parse_names(names: Names | None) -> dict[str, str]:
    """Return what each column is read from, by the names of the columns.

    Examples
    --------
    >>> parse_names("question_id=dataset+idx, answer=cot.answer")
    {'question_id': 'dataset+idx', 'answer': 'cot.answer'}
    """
    pairs: list[tuple[Any, Any]] = []
    if isinstance(names, str):
        pairs = [(new.strip(), old.strip()) for new, _, old in (part.partition("=") for part in names.split(","))]
    elif names is not None:
        pairs = list(names.items()) if isinstance(names, Mapping) else [("", names)]
    if not all(isinstance(name, str) and name for pair in pairs for name in pair):
        raise MssimError(f"names={shown(names)} is not of the form NEW=OLD, {_EXAMPLE}.")
    new = [pair[0] for pair in pairs]
    repeated = [name for name in new if new.count(name) > 1]
    if repeated:
        several = (
            " To read one column per model, use models=... with {model} in its place." if repeated[0] != "model" else ""
        )
        raise MssimError(f"names={shown(names)}: {repeated[0]!r} appears twice. Give it one column.{several}")
    return dict(pairs)


def parse_models(models: str | Sequence[str] | None, names: Mapping[str, str]) -> list[str]:
    """Return the models that have columns of their own, [] if each row belongs to one model."""
    templates = [new for new, old in names.items() if _MODEL in old]
    if models is None:
        if templates:
            raise MssimError(
                f"names: {templates[0]}={names[templates[0]]} stands for several models. List them with models=...."
            )
        return []
    found = [name.strip() for name in models.split(",")] if isinstance(models, str) else list(models)
    if not found or not all(isinstance(name, str) and name for name in found) or len(set(found)) < len(found):
        raise MssimError(f"models={shown(models)} is not a list of different names. Use e.g. models='llama,qwen'.")
    if not templates:
        raise MssimError(
            "models: no name contains {model}, so it is not known which columns belong to a model. Use e.g. "
            "names={'correct': '{model}'}."
        )
    if "model" in names:
        raise MssimError(f"models: the model is already read from {names['model']!r}. Remove one of the two.")
    return found


def of_model(names: Mapping[str, str], model: str) -> dict[str, str]:
    """Return the names for one of several models."""
    return {new: old.replace(_MODEL, model) for new, old in names.items()}


def file_names(source: Source) -> dict[str, str]:
    """Return the names that a file gives: its own without endings, and those of the folders that hold it."""
    path = source.path.absolute()
    stem = re.sub(r"(?i)(\.(jsonl?|ndjson|parquet|csv|tsv|gz|zstd?))+$", "", path.name) or path.name
    return dict(zip(_NAMES, (as_text(path.parent.name), as_text(path.parent.parent.name), as_text(stem)), strict=True))


def is_plain(names: Mapping[str, str], columns: Sequence[str]) -> bool:
    """Return whether names only rename columns, each once."""
    return set(names.values()) <= set(columns) and len(set(names.values())) == len(names)


def reader(text: str, source: Source, joined: dict[str, list[str]] | None = None) -> Reader:
    """Return a function that reads a value from a record: by name, by dotted path, from the file, or joined by +.

    Joined values that contain "/" are kept in `joined`, so that two that would be equal when joined are refused.
    """
    given, outer, seen = file_names(source), source.outer, {} if joined is None else joined
    parts = [_part(part, given, outer) for part in text.split("+")]

    def read(record: Mapping[str, Any]) -> Any:
        if text in record:
            return record[text]
        if len(parts) == 1:
            return parts[0](record)
        values = [part(record) for part in parts]
        if any(isinstance(value, dict | list) for value in values):
            source.refuse(f"{text!r} joins a nested value. Join texts and numbers.")
        return None if None in values else together([as_text(value) for value in values])

    def together(texts: list[str]) -> str:
        found = "/".join(texts)
        if found.count("/") >= len(texts) and seen.setdefault(found, texts) != texts:
            source.refuse(
                f"{text!r} is {found!r:.80} for both {seen[found]!r:.80} and {texts!r:.80}, since values contain '/'. "
                "Use names without it, or join other fields."
            )
        return found

    return read


def _part(text: str, given: Mapping[str, str], outer: Mapping[str, Any]) -> Reader:
    text = text.strip()
    constant = text
    for name, value in given.items():
        constant = constant.replace(name, value)
    if any(name in text for name in given):
        return lambda _: constant

    def read(record: Mapping[str, Any]) -> Any:
        value = record.get(text)
        if value is None and "." in text:
            value = value_at(record, text)
        return outer.get(text) if value is None else value

    return read


def fields_used(names: Mapping[str, str]) -> set[str]:
    """Return the fields of a record that names read on their own, not joined with others."""
    single = [old for old in names.values() if "+" not in old]
    return {*names.values(), *(old[:end] for old in single for end, letter in enumerate(old) if letter == ".")}


def taken(name: str) -> str:
    """Return what is wrong if a column of this name exists beside one that gets the name."""
    return f"already has a column {name!r}. Rename that column too, for example with {name}_before={name}."


def number_in(name: str) -> int:
    """Return the last integer in the name of a file, as the index of its samples."""
    numbers = re.findall("[0-9]+", name)
    if not numbers:
        raise PoolError(f"sample_index: {name!r} has no number. Use another name, or leave sample_index out.")
    return int(numbers[-1])
