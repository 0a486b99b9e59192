"""How recorded samples ended: cut off at a length limit, empty, refused, or with reasoning."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.pools.arrow import Codes, encode, large

__all__ = ["COLUMNS", "CUT_OFF", "Columns", "Endings", "blank", "has_failed", "name_of", "quoted", "was_cut_off"]

Columns = Mapping[str, pa.ChunkedArray]
Mask = NDArray[np.bool_]

COLUMNS = ("text", "finish_reason", "reasoning", "refusal", "tool_calls")

CUT_OFF = {"length", "max_tokens", "max_output_tokens", "model_length", "max_length", "max_new_tokens", "limit"}
CUT_OFF |= {"context_length", "model_context_window_exceeded"}
_REFUSED = {"content_filter", "refusal", "safety", "prohibited_content", "blocklist", "recitation", "spii"}
_CALLED = {"tool_calls", "tool_call", "tool_use", "function_call"}
# The generation itself failed: error, network_error, abort, insufficient_system_resource and the like.
_FAILED = re.compile(r"error$|^fail|^abort|^cancel|^interrupt|^insufficient", re.IGNORECASE)
_RARE = 0.001
_LONGEST = 60  # characters of a text in a message
_WHY = {"cut": "cut off", "refused": "refused", "called": "with tool calls only", "other": "with no reason given"}


class Endings:
    """Counts of samples by how they ended, per model, accumulated over the blocks of a table.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> table = pa.table({"text": ["It is", "", "7"], "finish_reason": ["length", "length", "stop"]})
    >>> endings = Endings()
    >>> endings.add(np.zeros(3, int), {name: table[name] for name in table.column_names}, np.ones(3, bool))
    >>> endings.cut_off(["m"])
    ['2 of 3 samples of m were cut off (finish_reason length).']
    >>> endings.empty_texts(["m"])
    ['1 of 3 texts of m is empty, cut off.']
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, str]] = Counter()  # by model and kind
        self._spellings: defaultdict[int, Counter[str]] = defaultdict(Counter)  # of the reason, by model

    def add(self, model: Codes, columns: Columns, answered: Mask) -> None:
        """Add the samples of a block.

        Parameters
        ----------
        model : ndarray of int, shape (n_rows,)
            Model of each sample.
        columns : mapping of str to pyarrow.ChunkedArray
            Those of `COLUMNS` that were recorded. Other columns are ignored.
        answered : ndarray of bool, shape (n_rows,)
            Whether each sample has an answer. A missing text of such a sample was not recorded, so it is not empty.
        """
        self._count("all", model, np.ones(len(model), bool))
        cut, refused, called = (np.zeros(len(model), bool) for _ in range(3))
        if "finish_reason" in columns:
            codes, values = encode(columns["finish_reason"])
            cut, refused, called = (_reads(codes, values, of) for of in (CUT_OFF, _REFUSED, _CALLED))
            self._count("ended", model, codes >= 0)
            for m, code in np.unique(np.column_stack([model[cut], codes[cut]]), axis=0).tolist():
                self._spellings[m][str(values[code])] += int(np.count_nonzero((model == m) & (codes == code)))
        self._count("cut", model, cut)
        reasoned = _filled(columns, "reasoning", len(model))
        self._count("reasoned", model, reasoned)
        if "text" not in columns:
            return
        missing = columns["text"].is_null().to_numpy()
        empty = blank(columns["text"]) | (missing & ~answered)
        self._count("written", model, ~missing)
        self._count("empty", model, empty)
        self._count("empty reasoned", model, empty & reasoned)
        if not empty.any():
            return
        whys = {"cut": cut, "refused": refused | _filled(columns, "refusal", len(model))}
        whys["called"] = called | _filled(columns, "tool_calls", len(model))
        for why, mask in whys.items():
            self._count(f"empty {why}", model, empty & mask)
            empty &= ~mask
        self._count("empty other", model, empty)

    def _count(self, kind: str, model: Codes, mask: Mask) -> None:
        for m, number in enumerate(np.bincount(model[mask]).tolist()):
            if number:
                self._counts[m, kind] += number

    def cut_off(self, models: Sequence[str], *, rare: bool | None = None) -> list[str]:
        """Return one sentence per model of which samples were cut off.

        Parameters
        ----------
        models : sequence of str
            Names of the models, in the order of their codes.
        rare : bool, optional
            True for models with less than one such sample in a thousand, False for the others. By default, both.
        """
        found = []
        for m, model, cut in self._having("cut", models, rare):
            spelled = " or ".join(name_of(spelling) for spelling, _ in self._spellings[m].most_common(3))
            samples = f"{cut} of {counted(self._counts[m, 'all'], 'sample')} of {name_of(model)}"
            found.append(f"{samples} {_was(cut)} cut off (finish_reason {spelled}).")
        return found

    def empty_texts(self, models: Sequence[str], *, rare: bool | None = None) -> list[str]:
        """Return one sentence per model that has empty texts, with the reasons. See `cut_off` for the parameters."""
        found = []
        for m, model, empty in self._having("empty", models, rare):
            if not self._counts[m, "written"] and not self._counts[m, "ended"]:
                continue  # the texts of this model were not recorded
            whys = {name: self._counts[m, f"empty {why}"] for why, name in _WHY.items()}
            reasons = [f"{number} {name}" for name, number in whys.items() if number]
            if len(reasons) == 1:
                reasons = [("all " if empty > 1 else "") + reasons[0].split(" ", 1)[1]]
            texts = f"{empty} of {counted(self._counts[m, 'all'], 'text')} of {name_of(model)}"
            reasoned = self._counts[m, "empty reasoned"]
            kept = f" {reasoned} of them {_has(reasoned)} reasoning." if reasoned else ""
            found.append(f"{texts} {'is' if empty == 1 else 'are'} empty, {', '.join(reasons)}.{kept}")
        return found

    def reasoning(self, models: Sequence[str]) -> list[str]:
        """Return one sentence per model of which reasoning was recorded."""
        return [
            f"{number} of {counted(self._counts[m, 'all'], 'sample')} of {name_of(model)} {_has(number)} reasoning, "
            "kept in the column reasoning."
            for m, model, number in self._having("reasoned", models)
        ]

    def _having(self, kind: str, models: Sequence[str], rare: bool | None = None) -> Iterator[tuple[int, str, int]]:
        for m, model in enumerate(models):
            number = self._counts[m, kind]
            if number and rare in (None, number < _RARE * self._counts[m, "all"]):
                yield m, model, number


def blank(column: pa.ChunkedArray) -> Mask:
    """Return which texts are empty or white space. Missing texts are not."""

    def of_values(values: pa.Array) -> pa.Array:
        none = pa.compute.equal(pa.compute.binary_length(values), 0)
        return pa.compute.or_(none, pa.compute.utf8_is_space(values))

    return _flags(column, of_values)


def name_of(text: str) -> str:
    """Return a name as it is, or its repr if it would break the line."""
    return text if text.isprintable() and text.strip() else repr(text)


def quoted(text: str) -> str:
    """Return the repr of a text, shortened in the middle of a message."""
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...")


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_nested(column.type):
        return column
    return pa.chunked_array([pa.array([str(value) if value else None for value in column.to_pylist()], pa.string())])


def _filled(columns: Columns, name: str, rows: int) -> Mask:
    """Return which samples have a text that is not blank in a column."""
    if name not in columns:
        return np.zeros(rows, bool)
    column = _as_text(columns[name])
    return np.asarray(column.is_valid().to_numpy(), bool) & ~blank(column) & ~_flags(column, _nothing)


def _nothing(values: pa.Array) -> pa.Array:
    return pa.compute.is_in(values, pa.array(["[]", "{}", "null"], values.type))


def _flags(column: pa.ChunkedArray, of_values: Callable[[pa.Array], pa.Array]) -> Mask:
    """Return a property of every text, computed once per distinct text where the column is dictionary-encoded."""
    column = large(column)
    coded = pa.types.is_dictionary(column.type)
    if not pa.types.is_large_string(column.type.value_type if coded else column.type) or not column.num_chunks:
        return np.zeros(len(column), bool)
    flags = [of_values(c.dictionary).take(c.indices) if coded else of_values(c) for c in column.chunks]
    return np.asarray(pa.chunked_array(flags).fill_null(False).to_numpy(), bool)


def _reads(codes: Codes, values: list[Any], known: set[str]) -> Mask:
    """Return which finish reasons have a known meaning."""
    return np.array([*(_plain(value) in known for value in values), False])[codes]


def _plain(reason: object) -> str:
    """Return the name of a finish reason: MAX_TOKENS and FinishReason.MAX_TOKENS are max_tokens."""
    return str(reason).strip().rpartition(".")[2].casefold().replace("-", "_")


def has_failed(reason: str | None) -> bool:
    """Return whether a finish reason says that the generation failed, so that there is no sample.

    Examples
    --------
    >>> has_failed("network_error"), has_failed("length"), has_failed(None)
    (True, False, False)
    """
    return reason is not None and _FAILED.search(reason.strip()) is not None


def was_cut_off(reason: object) -> bool:
    """Return whether a finish reason names a limit of length.

    Examples
    --------
    >>> was_cut_off("length"), was_cut_off("FinishReason.MAX_TOKENS"), was_cut_off("stop")
    (True, True, False)
    """
    return _plain(reason) in CUT_OFF


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _has(number: int) -> str:
    return "has" if number == 1 else "have"
