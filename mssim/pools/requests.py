"""Requests and servers of recorded samples: several served models, and requests whose samples are all equal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from mssim._validation import counted
from mssim.pools.arrow import Codes, encode
from mssim.pools.endings import Columns, blank, name_of

__all__ = ["COLUMNS", "Requests"]

COLUMNS = ("text", "request_id", "request_samples", "served_model")
_SHOWN = 3  # served models that are named
_FEWEST_REPEATS = 2  # one repetition may be chance
_SETTLE = 2**15  # rows that are held before models with different texts are dropped


class Requests:
    """Requests and served models of samples, per model, accumulated over the blocks of a table.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> table = pa.table({"text": ["7"] * 3, "request_id": ["r1"] * 3, "served_model": ["m-1", "m-1", "m-2"]})
    >>> requests = Requests()
    >>> columns = {name: table[name] for name in table.column_names}
    >>> requests.add(np.zeros(3, int), np.zeros(3, int), columns)
    >>> requests.served(["m"])
    ['m was served by 2 models: m-1 (2 samples), m-2 (1 sample).']
    """

    def __init__(self) -> None:
        self._served: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._rows: list[pd.DataFrame] = []  # samples that may share their request, of models that are not in _varied
        self._varied: set[int] = set()  # models with a request whose texts differ
        self._settle_at = _SETTLE

    def add(self, model: Codes, question: Codes, columns: Columns) -> None:
        """Add the samples of a block, in their order.

        Parameters
        ----------
        model, question : ndarray of int, shape (n_rows,)
            Model and question of each sample.
        columns : mapping of str to pyarrow.ChunkedArray
            Those of `COLUMNS` that were recorded. Other columns are ignored.
        """
        if "served_model" in columns:
            codes, values = encode(columns["served_model"])
            known = codes >= 0
            pairs = np.unique(model[known] * np.int64(len(values) or 1) + codes[known], return_counts=True)
            for pair, number in zip(*(part.tolist() for part in pairs), strict=True):
                self._served[pair // len(values)][str(values[pair % len(values)])] += number
        if "text" in columns and ("request_id" in columns or "request_samples" in columns):
            self._add_requests(model, question, columns)

    def varied(self, model: int) -> bool:
        """Return whether a request of a model with different texts was added. Its other requests are irrelevant."""
        return model in self._varied

    def _add_requests(self, model: Codes, question: Codes, columns: Columns) -> None:
        together = np.zeros(len(model), np.int64)  # unknown
        if "request_samples" in columns:
            together = _numbers(columns["request_samples"])
        kept = np.nonzero((together != 1) & ~np.isin(model, [*self._varied]))[0]
        if not kept.size or ("request_samples" in columns and not (together[kept] > 1).any()):
            return
        given = {name: columns[name].take(pa.array(kept)) for name in ("text", "request_id") if name in columns}
        rows = {"model": model[kept], "question": question[kept], "together": together[kept]}
        rows["request"] = _hashes(given["request_id"]) if "request_id" in given else np.zeros(kept.size, np.int64)
        rows["text"] = _hashes(given["text"])
        rows["said"] = given["text"].is_valid().to_numpy() & ~blank(given["text"])
        self._rows.append(pd.DataFrame(rows))
        if sum(map(len, self._rows)) >= self._settle_at:
            self._settle()

    def _settle(self) -> pd.DataFrame:
        """Find models with a request whose texts differ, drop their rows, and return the requests of the others."""
        rows = pd.concat(self._rows, ignore_index=True)
        requests = _requests(rows)
        self._varied |= set(requests.loc[requests["nunique"] > 1, "model"].tolist())
        self._rows = [rows[~rows["model"].isin(self._varied)]]
        self._settle_at = max(_SETTLE, 2 * len(self._rows[0]))
        return requests[~requests["model"].isin(self._varied)]

    def served(self, models: Sequence[str]) -> list[str]:
        """Return one sentence per model that was served by several models."""
        found = []
        for m, model in enumerate(models):
            served = self._served[m]
            if len(served) > 1:
                named = [f"{name_of(name)} ({counted(n, 'sample')})" for name, n in served.most_common(_SHOWN)]
                more = [f"{len(served) - _SHOWN} more"] if len(served) > _SHOWN else []
                found.append(f"{name_of(model)} was served by {len(served)} models: {', '.join([*named, *more])}.")
        return found

    def identical(self, models: Sequence[str]) -> list[str]:
        """Return one sentence per model if the texts of each of its requests with several samples are equal."""
        if not self._rows:
            return []
        found = []
        requests_of = self._settle()
        for m in sorted(set(requests_of["model"].tolist())):
            of_model = requests_of[requests_of["model"] == m]
            requests, samples = len(of_model), int(of_model["size"].sum())
            if samples - requests >= _FEWEST_REPEATS:
                found.append(
                    f"the texts of {name_of(models[m])} are equal within every request with several samples "
                    f"({counted(requests, 'request')}, {counted(samples, 'sample')}). Check whether the server ignores "
                    "n, or uses one seed for all; such samples are not independent."
                )
        return found


def _requests(rows: pd.DataFrame) -> pd.DataFrame:
    """Return model, number of texts and number of different texts of each request with several texts.

    Some servers give all requests the same id. Samples of one question and id are therefore divided by the recorded
    number of samples per request. Where it is unknown, an id of several questions does not identify requests.
    """
    asked = rows.groupby(["model", "request"])["question"].transform("nunique")
    rows = rows[(rows["together"] > 1) | (asked == 1)]
    keys = ["model", "question", "request", "together"]
    place = rows.groupby(keys).cumcount() // rows["together"].where(rows["together"] > 1, 2**62)
    rows = rows.assign(place=place)[rows["said"]]
    requests = rows.groupby([*keys, "place"])["text"].agg(["size", "nunique"]).reset_index()
    return requests[requests["size"] > 1]


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return integers, 0 where unknown."""
    try:
        numbers = np.nan_to_num(column.cast(pa.float64()).fill_null(0).to_numpy())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return np.zeros(len(column), np.int64)
    return np.asarray(np.clip(numbers, 0, 2**31), np.int64)


def _hashes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return a number per row, the same for equal values of all blocks."""
    plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    return np.fromiter((hash(str(value)) for value in plain.to_pylist()), np.int64, len(column))
