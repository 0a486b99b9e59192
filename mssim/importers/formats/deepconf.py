"""DeepConf (Deep Think with Confidence, arXiv 2508.15260): traces of reasoning with confidences of their tokens.

DeepConf writes one pickle per question and run, which is never opened here; this module reads the same object as JSON.
The repository github.com/facebookresearch/deepconf says what it holds, in two versions. `deepconf-offline.py`,
`deepconf-online.py` and `helper.py` of the first: question_id, question, ground_truth, config.model_path, and
all_traces or, online, warmup_traces and final_traces, with text, num_tokens, extracted_answer, is_correct, stop_reason
and confs (offline) or min_conf (online). `examples/`, `deepconf/outputs.py`, `deepconf/wrapper.py` and
`deepconf/utils.py` of the second: qid instead of question_id, config.model, no is_correct, and online all_traces beside
its two parts. `helper.py` and `analysis_offline.py` define the confidences: of a token, minus the mean log-probability
of its 20 most likely candidates; of a trace, the mean over all tokens, over the last 2048 tokens (tail), over the
lowest tenth of the windows of 2048 tokens (bottom), or the lowest window (min_conf). Votes are weighted by
the confidence itself, and traces whose stop_reason is gconf_threshold do not vote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mssim._validation import choose_from, whole_number
from mssim.errors import MssimError, PoolError
from mssim.importers.fields import Fields
from mssim.importers.formats.pickles import is_pickle, refuse_pickle
from mssim.importers.judged import Judged
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool
from mssim.pools.row_checks import GROUPS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_deepconf"]

PATTERNS = ("*.json", "*.json.gz", "*.jsonl", "*.jsonl.gz", "*.pkl")
TOOL = "DeepConf results, converted from their pickles"
VOTES = "the extracted answers, or by --rule; score is the confidence"
EXAMPLE = "mssim import deepconf outputs/*.json --confidence tail --out my-pool"

_TRACES = ("all_traces", "warmup_traces", "final_traces")  # the first holds all, if it is there
_STOPPED = "gconf_threshold"  # stop_reason
_WINDOW = 2048  # tokens
Values = NDArray[np.float64]

_CONVERT = (
    "import sys, json, pickle, pathlib; data = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()); "
    "[t.pop('token_ids', 0) for k in data if k.endswith('_traces') for t in data[k]]; "  # half of the file
    "pathlib.Path(sys.argv[2]).write_text(json.dumps(data, default=lambda x: x.tolist()))"
)


def from_deepconf(
    paths: Paths,
    *,
    confidence: str | None = None,
    model: str | None = None,
    stride: int | None = None,
    **common: Unpack[CommonOptions],
) -> Pool:
    r"""Import traces of DeepConf that were converted to JSON.

    Parameters
    ----------
    paths : path or sequence of path
        JSON files with one question and run each, JSON Lines files with one per line, or folders of them. A pickle is
        refused; the message says how to convert it.
    confidence : {"mean", "tail", "bottom", "lowest"}, optional
        Confidence of a trace that becomes its score: the mean over all tokens, over the last 2048 tokens, over the
        lowest tenth of the windows of 2048 tokens, or the lowest window. By default, the mean or, for traces without
        confidences of tokens, the lowest window, which is their min_conf.
    model : str, optional
        Name of the model. By default it is read from the config of each file.
    stride : int, optional
        If given, the column group_confidence has the mean confidence of the groups of 2048 tokens that begin every
        `stride` tokens, for `mssim.DeepConf` with the same stride. Every trace then needs confs. A stride of 1 keeps
        about as many numbers as tokens, and is the one of DeepConf.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. A rule grades the texts.

    Returns
    -------
    Pool
        The imported pool. Several runs of a question are more samples of it.

    Raises
    ------
    PoolError
        If a file is damaged, a pickle or in another format, or if only some traces have a confidence or a verdict.

    Notes
    -----
    The score of a trace is its confidence, about 10 to 20, so that the vote score_sum is the weighted vote of DeepConf.
    It is not in the column confidence, because `Vote.confidence` expects mean log-probabilities. Traces that DeepConf
    stopped at its threshold are failed samples. Files of the second version have no verdicts; answers are then compared
    with the truth as texts, and the rule boxed compares them as mathematics.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_deepconf
    >>> trace = {"text": r"It is \boxed{4}.", "num_tokens": 2, "confs": [17.5, 16.5], "stop_reason": "stop"}
    >>> trace |= {"extracted_answer": "4", "is_correct": True}
    >>> result = {"question_id": 0, "ground_truth": "4", "config": {"model_path": "gpt-oss"}, "all_traces": [trace]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "deepconf_simple_qid0_rid0.json"
    ...     _ = path.write_text(json.dumps(result))
    ...     pool = from_deepconf(path)
    >>> pool, pool.numbers["score"].tolist()
    (Pool(1 question, 1 model, 1 sample each: gpt-oss), [[[17.0]]])
    """
    read_them = partial(read, confidence=confidence, model=model, stride=stride)
    return to_pool("deepconf", read_them, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has the results of DeepConf, or is one of its pickles."""
    if is_pickle(source):
        return source.name.lower().startswith(("deepconf", "deepthink"))
    found = source.first.keys()
    if not found:  # an object with several lists of traces
        try:
            found = _Result.of_file(source).head.value.keys()
        except MssimError:
            return False
    return {"extracted_answer", "num_tokens"} <= found or ("ground_truth" in found and not found.isdisjoint(_TRACES))


def read(
    sources: Sequence[Source],
    sink: Sink,
    *,
    confidence: str | None = None,
    model: str | None = None,
    stride: int | None = None,
) -> None:
    """Read all results of each file."""
    if confidence is not None and confidence not in _CONFIDENCES:
        raise MssimError(f"confidence: {confidence!r:.80} is not known. {choose_from(confidence, _CONFIDENCES)}.")
    every = None if stride is None else whole_number("stride", stride, 1, 2**31)
    reader = _Reader(sink, confidence, every)
    for source in sources:
        refuse_pickle(source, _CONVERT)
        for result in _results(source):
            reader.add(result, model)
    reader.end()


@dataclass(frozen=True)
class _Result:
    """One question and run. Traces can be larger than memory, so they are read one at a time."""

    head: Fields  # without the traces if they are read from a file
    config: Fields
    traces: Callable[[str], Iterable[Fields]]  # by the name of the list

    @classmethod
    def of_file(cls, source: Source) -> _Result:
        """Return the result that a file consists of."""
        lists = _Outlined(source.path).members()
        return cls(Fields(lists, str(source)), source.part("config"), source.items)

    @classmethod
    def of_record(cls, record: Fields) -> _Result:
        """Return the result that one of many records is."""
        return cls(record, record.part("config"), record.parts)

    def each_trace(self) -> Iterator[Fields]:
        """Iterate over all traces."""
        names = [name for name in _TRACES if name in self.head]
        if not names:
            self.head.refuse(f"has none of {', '.join(_TRACES)}. Pass results of DeepConf.")
        if "all_traces" in names:  # an empty list is followed by its parts
            names.remove("all_traces")
            first = next(iter(self.traces("all_traces")), None)
            names = names if first is None else ["all_traces"]
        return chain.from_iterable(map(self.traces, names))


class _Outlined(Source):
    """A JSON object whose members are read without their values."""

    def members(self) -> dict[str, Any]:
        """Return the texts and numbers of the object, and the lists of traces as empty lists."""
        if self._outline is None:
            return {}
        lists = dict.fromkeys((*self._outline.lists, *self._outline.others), ())
        return {**self._outline.scalars, **lists}


def _results(source: Source) -> Iterator[_Result]:
    """Iterate over the results of a file, which is one or has one per line or item."""
    one = _Result.of_file(source) if source.starts_with(b"{") else None
    if one is not None and one.head.value:
        yield one
    else:
        yield from map(_Result.of_record, source.records())


class _Reader:
    """Adds traces to a sink and keeps what they share."""

    def __init__(self, sink: Sink, confidence: str | None, stride: int | None) -> None:
        self._sink, self._confidence, self._stride = sink, confidence, stride
        sink.tell_apart = "Import the results on each data set separately"
        self._used: set[str] = set()
        self._judged = Judged(sink)
        self._stopped = self._scored = 0

    def add(self, result: _Result, model: str | None) -> None:
        """Add the traces of one question and run."""
        head, config = result.head, result.config
        question_id = head.name("question_id" if "question_id" in head else "qid")
        name = model or config.text("model_path") or config.text("model")
        if not (name or "").strip():
            head.refuse("has no model in its config. Pass model=NAME.")
        question = {"question": head.text("question"), "truth": (head.text("ground_truth") or "").strip() or None}
        samples = filter(None, map(self._sample, result.each_trace()))
        self._judged.add(head, question_id, name or "", samples, question=question)

    def _sample(self, trace: Fields) -> dict[str, Any] | None:
        reason = trace.text("stop_reason")
        if reason == _STOPPED:
            self._stopped += 1
            return None
        correct = trace.flag("is_correct")
        sample: dict[str, Any] = {
            "text": trace.text("text"),
            "answer": trace.text("extracted_answer"),
            "finish_reason": reason,
        }
        sample |= {"output_tokens": trace.count("num_tokens"), "score": self._score(trace)}
        if self._stride is not None:
            sample[GROUPS] = self._groups(trace, self._stride)
        return sample if correct is None else {**sample, "correct": correct}

    def _groups(self, trace: Fields, stride: int) -> list[float]:
        """Return the confidences of the groups of a trace that begin every so many tokens."""
        values = _confidences(trace)
        if not values.size:
            trace.refuse("has no confs, of which stride= makes group confidences. Omit stride=.")
        return list(_of_windows(values)[::stride])

    def _score(self, trace: Fields) -> float | None:
        """Return the confidence of a trace."""
        kind = self._confidence or ("mean" if "confs" in trace else "lowest")
        self._used.add(kind)
        if len(self._used) > 1:
            trace.refuse("only some traces have confs. Import the files with and without them separately.")
        score: float | None = None
        if kind == "lowest" and "min_conf" in trace:
            score = trace.number("min_conf")
        else:
            values = _confidences(trace)
            score = _CONFIDENCES[kind](values) if values.size else None
        self._scored += score is not None
        return score

    def end(self) -> None:
        """Report which confidence the score is, and what was left out."""
        self._judged.end()
        if self._confidence and self._used and not self._scored:
            raise PoolError(f"confidence={self._confidence!r}: no trace has 'confs'. Omit confidence=.")
        if self._scored:
            self._sink.remarks.append(f"score is the {_NAMES[self._used.pop()]} of the trace.")
        if self._stopped:
            self._sink.fail("stopped by DeepConf at its confidence threshold", self._stopped)
            self._sink.note(
                "traces of online runs are selected by their confidence, so that their accuracy is not that of all "
                "samples. Import offline runs to simulate other strategies."
            )


# Confidences ----------------------------------------------------------------------------------------------------------


def _confidences(trace: Fields) -> Values:
    """Return the confidences of the tokens of a trace."""
    return np.array([value for value in trace.numbers("confs") if value is not None], dtype=float)


def _of_windows(confidences: Values) -> Values:
    """Return the means of all windows of 2048 tokens, or of all tokens if there are fewer."""
    if confidences.size < _WINDOW:
        return np.array([confidences.mean()])
    sums = np.concatenate([[0.0], np.cumsum(confidences)])
    return np.asarray((sums[_WINDOW:] - sums[:-_WINDOW]) / _WINDOW)


def _bottom(confidences: Values) -> float:
    means = _of_windows(confidences)
    n = max(1, means.size // 10)
    return float(np.partition(means, n - 1)[:n].mean())


_CONFIDENCES: dict[str, Callable[[Values], float]] = {
    "mean": lambda confidences: float(confidences.mean()),
    "tail": lambda confidences: float(confidences[-_WINDOW:].mean()),
    "bottom": _bottom,
    "lowest": lambda confidences: float(_of_windows(confidences).min()),
}
_NAMES = {
    "mean": "mean confidence over all tokens",
    "tail": "mean confidence over the last 2048 tokens",
    "bottom": "mean confidence over the lowest tenth of the windows of 2048 tokens",
    "lowest": "confidence of the lowest window of 2048 tokens",
}
