"""math-evaluation-harness and its descendants: Qwen2.5-Math, ToRA, DART-Math.

The harness (github.com/ZubinGou/math-evaluation-harness, math_eval.py and evaluate.py; QwenLM/Qwen2.5-Math,
evaluation/; microsoft/ToRA, src/infer/inference.py) writes OUTPUT/DATA/SPLIT_PROMPT_N_seedS_tT_sSTART_eEND.jsonl. Each
line is a question with idx, question, gt, gt_cot, and one entry per sample in the lists code (the response), pred (the
extracted answer, empty if there is none) and score (whether it is right; false if the comparison timed out). Files of
ToRA have no score. evaluation/rm_maj_eval.py of Qwen2.5-Math reads pred_score, a list with one reward per sample.
Scores are reported by DATA. DART-Math (hkust-nlp/dart-math, dart_math/data.py) writes one line per sample, with
dataset, query, ref_ans, resp, ans, correct, agent (the model) and finish_reason.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mssim._validation import counted
from mssim.importers.fields import Fields, as_text
from mssim.importers.judged import Judged
from mssim.importers.naming import file_names
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.reshape import samples_of
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_math_harness"]

PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.jsonl.zst")
TOOL = "math-evaluation-harness, Qwen2.5-Math, ToRA, DART-Math"
VOTES = "pred, as the harness extracted it, or by --rule"
EXAMPLE = "mssim import math-harness outputs/Qwen2.5-Math-7B-Instruct/math_eval/gsm8k --out my-pool"

_NAME = re.compile(
    r"(?P<run>.+?_(?P<prompt>.+)_-?[0-9]+_seed-?[0-9]+_t(?P<temperature>[0-9]{1,3}(?:\.[0-9]{1,6})?)(?:_.+)?)_s-?[0-9]+_e.*"
)
_BETWEEN = {"math_eval", "eval", "evaluation", "output", "outputs", "results"}  # folders that are not named by a model
_DATA = ("data_name", "data_source", "dataset")
_FACTS = {"solution": "gt_cot", "level": "level", "type": "type"}


def from_math_harness(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import outputs of math-evaluation-harness, Qwen2.5-Math, ToRA or DART-Math.

    Parameters
    ----------
    paths : path or sequence of path
        JSON Lines files, or folders of them. Several files of one model are more samples, or samples of other data
        sets. If there are several data sets, questions are identified by data set and idx.
    model : str, optional
        Name of the model. By default it is `agent` (DART-Math), or the folder above that of the data set. The name of a
        file that does not have the form of the harness, such as llama.jsonl, is that of the model.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. Without a rule, answers are
        `pred` and verdicts are `score`. A sample whose score is null is counted as failed.

    Returns
    -------
    Pool
        The imported pool. The column score has the rewards in `pred_score`.

    Raises
    ------
    PoolError
        If a file is damaged or in another format, or if lists of a question have different lengths.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_math_harness
    >>> line = {"idx": 0, "question": "2 + 2?", "gt": "4", "code": ["It is 4.", "It is 5."]}
    >>> line |= {"pred": ["4", "5"], "score": [True, False], "pred_score": [0.9, 0.2]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "Qwen2.5" / "math_eval" / "gsm8k" / "test_cot_-1_seed0_t0.7_s0_e-1.jsonl"
    ...     path.parent.mkdir(parents=True)
    ...     _ = path.write_text(json.dumps(line))
    ...     from_math_harness(path)
    Pool(1 question, 1 model, 2 samples each: Qwen2.5)
    """
    return to_pool("math-harness", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has the shape of this format."""
    first = source.first
    lists = {name for name in ("pred", "code", "score") if isinstance(first.get(name), list)}
    harness = "pred" in lists and len(lists) > 1 and bool({"gt", "idx", "pred_score"} & set(first))
    return harness or {"query", "resp", "ref_ans", "agent"} <= set(first)


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read all lines of each file."""
    sink.apart("dataset")
    sink.tell_apart = "Keep the folders of the data sets, DATA/FILE, to distinguish them, import them separately"
    named = [_named(source) for source in sources]
    reader = _Reader(sink, several=len({name.data for name in named}) > 1)
    for source, name in zip(sources, named, strict=True):
        for number, record in enumerate(source.records()):
            if "resp" in record.value and "ref_ans" in record.value:
                reader.add_response(record, model)
            else:
                reader.add(record, number, name._replace(model=model or name.model))
    reader.end()


class _Named(NamedTuple):
    """What the path of a file says."""

    model: str
    data: str | None = None
    run: str | None = None  # files of one run can repeat its questions
    settings: dict[str, Any] | None = None


def _named(source: Source) -> _Named:
    place, path = str(source), source.path.absolute()
    found = _NAME.fullmatch(source.name)
    if found is None:
        return _Named(as_text(file_names(source)["{stem}"], place))
    above = [folder.name for folder in path.parents if folder.name and folder.name not in _BETWEEN]
    data = path.parent.name
    model = next((name for name in above if name != data), data)
    settings = {"temperature": float(found["temperature"]), "prompt": as_text(found["prompt"], place)}
    return _Named(as_text(model, place), as_text(data, place), str(path.with_name(found["run"])), settings)


class _Reader:
    """Adds records to a sink and keeps the state that records and files share."""

    def __init__(self, sink: Sink, *, several: bool) -> None:
        self._sink, self._judged, self._several = sink, Judged(sink), several
        self._seen: defaultdict[tuple[str, str], set[int]] = defaultdict(set)  # samples of a question of a run
        self._numbers: defaultdict[str, dict[str, int]] = defaultdict(dict)  # of questions without idx, by data set
        self._copies = 0
        self._unscored = False

    def add(self, record: Fields, number: int, name: _Named) -> None:
        """Add the samples of one question."""
        if "pred" not in record:
            record.refuse("has no 'pred'. Import the files that the harness writes after extracting the answers.")
        idx = record.text("idx") or str(number)
        within = next((record.text(field) for field in _DATA if isinstance(record.value.get(field), str)), None)
        data = name.data if name.run else within
        self._unscored |= "score" not in record.value
        if name.run and self._is_copy(record, name.run, idx):
            return
        facts = {column: record.value.get(field) for column, field in _FACTS.items()}
        question: dict[str, Any] = {column: fact for column, fact in facts.items() if isinstance(fact, str | int)}
        question |= {"question": record.text("question"), "truth": record.text("gt") or record.text("answer")}
        question_id = f"{data}/{idx}" if data and (self._several or not name.run) else idx
        question["dataset"] = data
        rows = samples_of(record, _columns(record))
        if "score" in record.value and "score" not in record:  # null: not judged
            rows = [{**row, "correct": None} for row in rows]
        self._judged.add(record, question_id, name.model, rows, question=question, settings=name.settings)

    def add_response(self, record: Fields, model: str | None) -> None:
        """Add one sample of DART-Math."""
        data, query = record.text("dataset") or "", record.name("query")
        number = self._numbers[data].setdefault(query, len(self._numbers[data]))
        row: dict[str, Any] = {"text": record.text("resp"), "finish_reason": record.text("finish_reason")}
        answer = record.text("ans")
        if answer is not None or "correct" in record:  # absent if the samples were not evaluated
            row |= {"answer": None if answer == "None" else answer, "correct": record.flag("correct")}
        question = {"question": query, "truth": record.text("ref_ans"), "dataset": data or None}
        question_id = f"{data}/{number}" if data else str(number)
        self._judged.add(record, question_id, model or record.name("agent"), [row], question=question)

    def end(self) -> None:
        """Add warnings that depend on all files."""
        self._judged.end()
        if self._copies:
            self._sink.note(
                f"{counted(self._copies, 'question is a copy', 'questions are copies')} of an earlier line of the same "
                "run, and left out. The harness writes earlier results again when it continues a run."
            )
        if self._unscored:
            self._sink.note(
                "the files have no score. Without a rule, an answer is right if its text equals the truth, so 1/2 and "
                "0.5 differ. Use a rule, or evaluate the files with the harness."
            )

    def _is_copy(self, record: Fields, run: str, idx: str) -> bool:
        """Return whether the samples of a question were read before, from another file of the same run."""
        known = self._seen[run, idx]
        content = hash(repr([record.value.get(name) for name in ("question", "code", "pred")]))
        self._copies += content in known
        found = content in known
        known.add(content)
        return found


def _columns(record: Fields) -> dict[str, str]:
    """Return the columns of samples and the fields that have them."""
    columns = {"answer": "pred", "correct": "score", "score": "pred_score"}
    if record.value.get("code"):
        columns["text"] = "code"
    rewards = record.value.get("pred_score")
    if isinstance(rewards, list) and any(isinstance(reward, list) for reward in rewards):
        if any(not isinstance(reward, list) or len(reward) != 1 for reward in rewards):
            record.refuse("'pred_score' must have one number per sample. Reduce the rewards of steps to one number.")
        columns["score"] = "pred_score.0"
    return columns
