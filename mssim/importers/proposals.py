"""What a file of an unknown format looks like, and which options of the format table probably read it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from mssim._validation import shown
from mssim.importers.reshape import fields_of, value_at
from mssim.importers.sink import COLUMNS
from mssim.pools.reading import KEYS
from mssim.pools.verdicts import said_verdict

__all__ = ["NO_MODEL", "names_of_models", "names_of_truth", "proposed", "told"]

NO_MODEL = "--model NAME"

_MOST_NAMES, _MOST_FIELDS = 12, 50  # fields that a message names, and of an object that are looked at
_MOST_ITEMS = 4  # items of a list in a list
_RESPONSES = ("_response", "|model_response", "_answer")  # of a model, after its name
_DEEPEST = 3  # levels of objects whose fields are named
_USUAL = {  # names that other tools give to the columns of a pool, usual ones first
    "question_id": (
        "id", "qid", "idx", "doc_id", "task_id", "problem_id", "question_idx", "uid", "index", "problem_num",
        "problem_idx", "prompt_id", "item_id", "example_id", "question", "prompt", "problem", "query", "input",
    ),
    "model": ("model_name", "model_id", "llm", "llm_name", "engine"),
    "answer": (
        "pred", "predicted_answer", "extracted_answer", "extracted_prediction", "parsed_answer", "generated_answer",
        "preds", "answers", "all_answers", "prediction", "model_answer", "final_answer",
    ),
    "text": (
        "response", "output", "generation", "completion", "generated_text", "generated", "responses", "outputs",
        "generations", "completions", "model_response", "model_output", "llm_response", "raw_output",
    ),
    "correct": ("is_correct", "is_right", "passed", "acc", "accuracy", "exact_match", "score", "scores"),
    "truth": (
        "gold", "target", "ground_truth", "expected_answer", "gold_answer", "reference", "gt", "solution",
        "correct_answer", "right_answer", "gold_label",
    ),
    "sample_index": ("sample", "sample_id", "sample_idx", "attempt", "try", "run", "repetition", "rollout"),
    "output_tokens": ("completion_tokens", "tokens_out", "tok_out", "n_output_tokens"),
    "input_tokens": ("prompt_tokens", "tokens_in", "tok_in", "n_input_tokens"),
    "cost": ("cost_usd", "usd", "price"),
    "latency": ("latency_s", "secs", "seconds", "duration", "elapsed"),
}  # fmt: skip
_NUMBERS = ("sample_index", "output_tokens", "input_tokens", "cost", "latency")
_NUMBER = r"[0-9]+([.,][0-9]+)?"
_VERDICTS = ("result", "results", "verdict", "judge", "success", "resolved", "right")  # if they are true or false
_WORDS = ("correct", "incorrect", "right", "wrong")  # values that are verdicts whatever the field is called
_LONG = 80  # characters of a text, as opposed to an answer
_MOST_MODELS, _BALANCED = 20, 0.9  # models, and share of questions on which each has equally many samples
_SHORT = 20  # characters of one word that is an answer, as opposed to a text


def told(first: Mapping[str, Any]) -> str:
    """Return which fields a record has.

    Examples
    --------
    >>> told({"id": 1, "score": {"value": 1, "acc": [{"x": 1}]}})
    "the fields 'id', 'score.value', 'score.acc.x'"
    """
    names = _fields(first)
    told = ", ".join(shown(name, 60) for name in names[:_MOST_NAMES])
    return f"the fields {told}" + (", ..." if len(names) > _MOST_NAMES else "")


def proposed(first: Mapping[str, Any]) -> list[str]:
    """Return the options of table that probably fit a record, with FIELD, NAME and RULE for what is to be filled in.

    Examples
    --------
    >>> proposed({"id": 1, "model": "llama", "runs": [{"pred": "7"}], "gold": "7"})
    ['--map question_id=id,answer=runs.pred,truth=gold']
    """
    fields, found = _fields(first), _found(first)
    names = {"question_id": found["question_id"] or "FIELD"}
    models, ending = _models(fields)
    if not (models or any(found[name] for name in ("answer", "text", "correct", "truth"))):
        models = [name for name in fields if _flag(first, name)]
    if len(models) > 1:
        own = {"correct": "{model}"} | ({"text": f"{{model}}{ending}"} if ending else {})
        return [f"--models {shlex.quote(','.join(models))}", _map(names | own)]
    names |= {new: old for new in ("model", "answer", "correct", "truth") if (old := found[new])}
    if "answer" not in names and found["text"]:
        names["text"] = found["text"]
    if not names.keys() & {"answer", "text", "correct"}:
        names["answer"] = "FIELD"
    if not names.keys() & {"correct", "truth"}:
        names["truth"] = "FIELD"
    names |= {new: old for new in _NUMBERS if (old := found[new]) and re.fullmatch(_NUMBER, str(_single(first, old)))}
    graded = "text" in names and "truth" in names
    return [*filter(None, (_map(names), "" if found["model"] else NO_MODEL, "--rule RULE" if graded else ""))]


def names_of_truth(first: Mapping[str, Any]) -> str:
    """Return the names of answers or texts, and of the truth if it probably is the field `answer`, else "".

    Examples
    --------
    >>> names_of_truth({"question_id": 1, "answer": "A", "pred": "B"}), names_of_truth({"answer": "A", "truth": "B"})
    ('answer=pred,truth=answer', '')
    """
    found = _found(first)
    given = f"answer={found['answer']}" if found["answer"] else f"text={found['text']}"
    return f"{given},truth=answer" if found["truth"] == "answer" else ""


def names_of_models(table: pa.Table, known: Collection[str] = ()) -> str | None:
    """Return the column of a table that probably names several models, or None; that of `known` columns is known.

    Examples
    --------
    >>> names_of_models(pa.table({"LLM": ["a", "b"], "Gold": ["7", "7"]}))
    'LLM'
    """
    unknown = [name for name in table.column_names if name not in known]
    called = {_plain(name): name for name in reversed(unknown)}
    for name in filter(called.__contains__, _USUAL["model"]):
        column = table[called[name]]
        if not pa.types.is_nested(column.type) and len(column.unique()) > 1:
            return str(called[name])
    return next((name for name in unknown if name not in COLUMNS and _is_balanced(table, name)), None)


def _is_balanced(table: pa.Table, name: str) -> bool:
    """Return whether a column has a few texts, each equally often on nearly every question, as names of models are."""
    if not pa.types.is_string(table[name].type) or name in KEYS or "question_id" not in table.column_names:
        return False
    if not 1 < len(table[name].unique()) <= _MOST_MODELS:
        return False
    counts = pd.crosstab(table["question_id"].to_pandas(), table[name].to_pandas())
    same = (counts.min(axis=1) == counts.max(axis=1)) & (counts.min(axis=1) > 0)
    return bool(len(counts) > 1 and same.mean() >= _BALANCED)


def _found(first: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the fields from which columns are probably read."""
    last = {_plain(re.sub(r"\.0$", "", name).rpartition(".")[2]): name for name in reversed(_fields(first))}
    found = {new: next((last[old] for old in (new, *usual) if old in last), None) for new, usual in _USUAL.items()}
    if found["correct"] and not _may_be_verdict(_single(first, found["correct"])):
        found["correct"] = None
    if not found["correct"]:
        found["correct"] = next((last[old] for old in _VERDICTS if old in last and _flag(first, last[old])), None)
    if not found["correct"] and not found["truth"]:
        found["correct"] = next((name for name in last.values() if str(_single(first, name)).lower() in _WORDS), None)
    return found | _answers(first, found, last)


def _plain(name: str) -> str:
    """Return a name as programs write it: "Prompt ID" as prompt_id."""
    return re.sub(r"[\s\-]+", "_", name.strip(" \t?#")).lower()


def _answers(
    first: Mapping[str, Any], found: Mapping[str, str | None], last: Mapping[str, str]
) -> dict[str, str | None]:
    """Return the fields of answers, texts and truths.

    In many logs of models, a single `answer` beside a prediction, or beside the samples, is the truth.
    """
    answer, text, truth = (found[name] for name in ("answer", "text", "truth"))
    if answer == "answer" and truth in (None, "solution") and not isinstance(first["answer"], list | dict):
        other = next((last[old] for old in _USUAL["answer"] if old in last), None)
        if isinstance(first.get("results"), list) and not _flag(first, "results"):
            other = "results"
        if other or text:
            answer, truth = other, answer
    if answer and len(str(_single(first, answer))) > _LONG:
        answer, text = None, text or answer
    if text and truth and not answer and re.fullmatch(rf"\S{{1,{_SHORT}}}", str(_single(first, text)).strip()):
        answer, text = text, None
    return {"answer": answer, "text": text, "truth": truth}


def _single(first: Mapping[str, Any], path: str) -> Any:
    """Return a value of a record, of lists the first item."""
    value = value_at(first, path)
    while isinstance(value, list):
        value = next((item for item in value if item is not None), None)
    return value


def _may_be_verdict(value: Any) -> bool:
    """Return whether a value is a verdict, or not known."""
    return value is None or said_verdict(value) is not None


def _flag(first: Mapping[str, Any], path: str) -> bool:
    """Return whether a field is true or false, also as written in CSV files."""
    value = _single(first, path)
    return isinstance(value, bool) or value in ("True", "False")


def _map(names: Mapping[str, str]) -> str:
    """Return the option that renames fields, blank if all have the names of a pool."""
    pairs = ",".join(f"{new}={old}" for new, old in names.items() if new != old)
    quoted = f"'{pairs}'" if pairs.startswith("model=") else shlex.quote(pairs)  # else it would become --model
    return f"--map {quoted}" if pairs else ""


def _models(fields: Sequence[str]) -> tuple[list[str], str]:
    """Return models that have a field with their name and one with their response, and the ending of the latter."""
    for ending in _RESPONSES:
        models = [name for name in fields if f"{name}{ending}" in fields]
        if len(models) > 1:
            return models, ending
    return [], ""


def _fields(value: Any, depth: int = _DEEPEST) -> list[str]:
    """Return the names of the fields of a record, with dots for those of its objects, and of the items of its pairs."""
    names: list[str] = []
    for name in fields_of(value)[:_MOST_FIELDS]:
        member = value.get(name) if isinstance(value, Mapping) else None
        inside = _fields(member, depth - 1) if depth and isinstance(member, dict | list) else []
        if isinstance(member, list) and member and isinstance(member[0], list):
            inside = [str(place) for place in range(min(len(member[0]), _MOST_ITEMS))]
        names += [f"{name}.{one}" for one in inside] or [name]
    return names
