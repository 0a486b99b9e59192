"""Request outputs of `vllm.LLM.generate` and `vllm.LLM.chat`, read by attribute name, without a dependency on vLLM.

Outputs have the order of the prompts. See https://docs.vllm.ai/en/latest/api/vllm/outputs.html.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd
import pyarrow as pa

from mssim._validation import is_number
from mssim.errors import MssimError, PoolError
from mssim.importers.fields import as_text
from mssim.importers.pipeline import Common, to_pool
from mssim.importers.safe_files import Source
from mssim.importers.sink import Sink
from mssim.pools.arrow import table_from_frame
from mssim.pools.pool import Pool
from mssim.pools.reading import encode_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_vllm"]

_UNFINISHED = ("abort", "error")


def from_vllm(
    outputs: Iterable[Any],
    questions: pd.DataFrame | Sequence[Mapping[str, Any]],
    *,
    model: str,
    **common: Unpack[CommonOptions],
) -> Pool:
    r"""Import the request outputs of vLLM.

    Parameters
    ----------
    outputs : iterable of RequestOutput
        The return value of `LLM.generate` or `LLM.chat`, with one output per prompt. An output has several samples if
        ``n > 1`` was requested.
    questions : DataFrame or sequence of mapping
        One row per output, in the same order, with the columns question and truth. The columns question_id (default:
        the row number, from 0), choices, cluster and any others are optional. Repeated rows add samples to a question.
    model : str
        Name of the model in the pool.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. A rule is required, since
        outputs contain only texts.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If the outputs have another type, or if their number differs from the number of rows.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from mssim.importers import from_vllm
    >>> samples = [SimpleNamespace(text=text, token_ids=[5, 6], finish_reason="stop") for text in ("It is 4.", "5?")]
    >>> outputs = [SimpleNamespace(prompt_token_ids=[1, 2, 3], outputs=samples)]
    >>> from_vllm(outputs, [{"question": "What is 2 + 2?", "truth": "4"}], model="llama", rule="number")
    Pool(1 question, 1 model, 2 samples each: llama)
    """
    if not isinstance(model, str) or not model.strip():
        raise PoolError(f"model={model!r} is not a name. Pass the name of the model as text.")
    if not isinstance(outputs, Iterable):
        raise PoolError(
            f"outputs: {type(outputs).__name__} is not iterable. Pass the list that LLM.generate or LLM.chat returned."
        )
    rows = _rows(questions)
    return to_pool("vllm", partial(_read, outputs=outputs, rows=rows, model=model), [], Common(**common))


def _rows(given: pd.DataFrame | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the checked rows of questions, in which a question_id may be repeated."""
    from mssim.questions import check_questions

    try:
        if not isinstance(given, pd.DataFrame):
            if not isinstance(given, Sequence) or not all(isinstance(row, Mapping) for row in given):
                raise PoolError("not a table. Pass a DataFrame or a list of dicts with question and truth.")
            given = pd.DataFrame([dict(row) for row in given], dtype=object)
        table = table_from_frame(given.map(lambda value: as_text(value, "") if isinstance(value, str) else value))
        ids = _ids(table)
        numbered = pa.array(map(str, range(table.num_rows)), pa.string())  # unique, whereas rows may repeat
        others = table.select([name for name in table.column_names if name != "question_id"])
        checked = check_questions(others.append_column("question_id", numbered))
    except MssimError as error:
        raise PoolError(f"questions: {error}") from error
    except (ValueError, TypeError) as error:  # integers with thousands of digits
        raise PoolError(
            f"questions: not a table of text and numbers ({str(error).splitlines()[0]}). Convert its values."
        ) from error
    rows = [{**row, "question_id": name} for row, name in zip(checked.to_pylist(), ids, strict=True)]
    first: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, 1):
        if first.setdefault(row["question_id"], row) != row:
            raise PoolError(
                f"questions: row {number} repeats question_id {row['question_id']!r} with other values. "
                "Give each question its own question_id."
            )
    return rows


def _ids(table: pa.Table) -> list[str]:
    if "question_id" not in table.column_names:
        return [str(number) for number in range(table.num_rows)]
    codes, labels = encode_text(table["question_id"])
    if (codes < 0).any():
        raise PoolError(f"row {int((codes < 0).argmax()) + 1}: question_id is empty. Every question needs one.")
    return [labels[code] for code in codes]


def _read(
    sources: Sequence[Source],  # noqa: ARG001 (outputs are not read from files)
    sink: Sink,
    *,
    outputs: Iterable[Any],
    rows: Sequence[dict[str, Any]],
    model: str,
) -> None:
    nothing: Any = object()
    for number, (output, row) in enumerate(zip_longest(outputs, rows, fillvalue=nothing), 1):
        if row is nothing:
            raise PoolError(
                f"outputs: there are more outputs than rows of questions ({len(rows)}). Pass one row per output."
            )
        if output is nothing:
            raise PoolError(
                f"outputs: there are {number - 1} outputs, but {len(rows)} rows of questions. Pass one row per output."
            )
        sink.add(row["question_id"], model, _samples(output, f"output {number}", sink), question=row)


def _samples(output: Any, place: str, sink: Sink) -> list[dict[str, Any]]:
    """Return the finished samples of a request. The tokens of its prompt are counted once."""
    completions = getattr(output, "outputs", None)
    if not isinstance(completions, list | tuple):
        _refuse(place, "outputs", completions, "a list, as LLM.generate and LLM.chat return")
    if not completions:
        sink.fail("no completion")
    request_id = getattr(output, "request_id", None)
    shared: dict[str, Any] = {"request_id": as_text(request_id, place) if isinstance(request_id, str) else None}
    samples = [_sample(one, f"{place}, completion {i}") for i, one in enumerate(completions, 1)]
    alone = len(samples) == 1
    shared["input_tokens" if alone else "request_input_tokens"] = _length(output, "prompt_token_ids", place)
    if not alone:
        tokens = [sample["output_tokens"] for sample in samples]
        shared |= {"request_output_tokens": None if None in tokens else sum(tokens), "request_samples": len(samples)}
    for sample in samples:
        if sample["finish_reason"] in _UNFINISHED:
            sink.fail(f"finish_reason {sample['finish_reason']}")
    return [{**shared, **sample} for sample in samples if sample["finish_reason"] not in _UNFINISHED]


def _sample(completion: Any, place: str) -> dict[str, Any]:
    text, finish = getattr(completion, "text", None), getattr(completion, "finish_reason", None)
    if not isinstance(text, str):
        _refuse(place, "text", text, "text")
    if not isinstance(finish, str | None):
        _refuse(place, "finish_reason", finish, "text or None")
    tokens, logprob = _length(completion, "token_ids", place), _logprob(completion, place)
    confidence = None if logprob is None or not tokens else logprob / tokens
    known = {"text": as_text(text, place), "finish_reason": None if finish is None else as_text(finish, place)}
    return {**known, "output_tokens": tokens, "confidence": confidence}


def _logprob(completion: Any, place: str) -> float | None:
    value = getattr(completion, "cumulative_logprob", None)
    if value is None:
        return None
    try:
        number = float(value) if is_number(value) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        _refuse(place, "cumulative_logprob", value, "a finite number or None")
    return number if number <= 0 else None  # a positive value is not a log-probability


def _length(given: Any, name: str, place: str) -> int | None:
    """Return the number of tokens, or None if they are absent."""
    tokens = getattr(given, name, None)
    if tokens is None:
        return None
    if not isinstance(tokens, Sized) or isinstance(tokens, str):
        _refuse(place, name, tokens, "a list of token ids or None")
    return len(tokens)


def _refuse(place: str, name: str, value: Any, allowed: str) -> NoReturn:
    shown = repr(value) if isinstance(value, float) else type(value).__name__
    raise PoolError(f"{place}: {name} is {shown}. It must be {allowed}.")
