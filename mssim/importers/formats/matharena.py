"""MathArena: runs of models on competitions, as files of problems or as a table (github.com/eth-sri/matharena).

scripts/run.py writes outputs/COMPETITION/MODEL/PROBLEM.json.zst (earlier: .json), where MODEL has two folders, such as
openai/o3 (src/matharena/runs.py). Each file is an object with idx, problem, gold_answer, and one entry per run in the
lists answers ("None" if there is none), correct ("TODO Grading" before grading), messages and detailed_costs (cost in
US dollars, input_tokens, output_tokens, time in seconds). Older files have only the total, in cost. The datasets
MathArena/*_outputs on Hugging Face have one row per run (scripts/curation/upload_outputs.py): problem_idx, problem,
model_name, idx_answer, answer (the response), parsed_answer, gold_answer, correct, input_tokens, output_tokens, cost.
Proofs have points instead of verdicts and cannot be imported.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mssim._validation import counted
from mssim.errors import PoolError
from mssim.importers.containers import LINES, TABLES
from mssim.importers.fields import Fields, as_flag, as_text
from mssim.importers.judged import Judged
from mssim.importers.naming import file_names
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.reshape import samples_of
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool
from mssim.pools.reading import suffix_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_matharena"]

PATTERNS = ("*.json", "*.json.zst", "*.jsonl", "*.parquet", "*.csv")
TOOL = "MathArena, outputs/ and the datasets MathArena/*_outputs"
VOTES = "answers (parsed_answer in tables), or by --rule"
EXAMPLE = "mssim import matharena outputs/aime/aime_2025 --out my-pool"

_ROW_OF_TABLE = {"problem_idx", "model_name", "idx_answer"}
_UNGRADED = "TODO Grading"
_TOKENS = ("input_tokens", "output_tokens")
_PART = re.compile(r"(?:train|test|metadata)(?:-[0-9]+-of-[0-9]+)?")  # names of files within a dataset
_ROW = {
    "text": "answer", "answer": "parsed_answer", "correct": "correct", "sample_index": "idx_answer",
    "input_tokens": "input_tokens", "output_tokens": "output_tokens", "cost": "cost",
}  # fmt: skip
_RUNS = {"answer": "answers", "correct": "correct", "text": "messages"} | {
    name: name for name in ("reasoning", "cost", "input_tokens", "output_tokens", "latency")
}


def from_matharena(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import outputs of MathArena on competitions with final answers, or on Lean problems.

    Parameters
    ----------
    paths : path or sequence of path
        Files of problems, tables of the datasets MathArena/*_outputs, or folders of them. If there are several
        competitions, questions are identified by competition and problem.
    model : str, optional
        Name of the model. By default it is `model_name` in a table, the last two folders of the file of one problem,
        such as openai/o3, and the name of a file that has several problems.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`.

    Returns
    -------
    Pool
        The imported pool. The column cost has US dollars.

    Raises
    ------
    PoolError
        If a file is damaged or in another format, or has points instead of verdicts.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_matharena
    >>> problem = {"idx": 1, "problem": "2 + 2?", "gold_answer": "4", "answers": ["4", "5"], "correct": [True, False]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "aime" / "openai" / "o3" / "1.json"
    ...     path.parent.mkdir(parents=True)
    ...     _ = path.write_text(json.dumps(problem))
    ...     from_matharena(path)
    Pool(1 question, 1 model, 2 samples each: openai/o3)
    """
    return to_pool("matharena", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has the shape of this format."""
    try:
        found = {*source.first, *source.outer}
    except PoolError:
        return False
    problem = found >= {"idx", "gold_answer"} and ("pass_at_1" in found or found >= {"answers", "correct"})
    return problem or found >= _ROW_OF_TABLE


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read all problems of each file."""
    sink.apart("competition")
    sink.tell_apart = "Keep the folders COMPETITION/MODEL to distinguish competitions, import them separately"
    named = [_named(source) for source in sources]
    reader = _Reader(sink, model, several=len({name.competition for name in named}) > 1)
    for source, name in zip(sources, named, strict=True):
        if name.model is None:
            for record in source.records():
                reader.add_row(record, name)
        elif name.number is None:
            for record in source.records():
                reader.add_problem(record, name)
        else:
            reader.add_problem(Fields.of(source.document(), str(source)), name)
    reader.end()


class _Named(NamedTuple):
    """What the path of a file says."""

    competition: str
    model: str | None  # None: a table
    number: str | None  # of the problem; None: a file of several problems


def _named(source: Source) -> _Named:
    stem, suffix = as_text(file_names(source)["{stem}"], str(source)), suffix_of(source.path)
    if suffix in TABLES or set(source.first) >= _ROW_OF_TABLE:
        return _Named(_dataset(source), None, None)
    folders = [as_text(part, str(source)) for part in source.path.absolute().parent.parts]
    if suffix in LINES or source.starts_with(b"[") or "question_id" in source.first:  # the name of a member
        return _Named("".join(folders[-1:]), stem, None)
    return _Named("".join(folders[-3:-2]), "/".join(folders[-2:]), stem)


def _dataset(source: Source) -> str:
    """Return the name of the dataset, from the name of a file or of the folder around its parts."""
    stem = file_names(source)["{stem}"]
    folder = next((part for part in reversed(source.path.absolute().parent.parts) if part != "data"), "")
    return as_text(folder if _PART.fullmatch(stem) else stem, str(source)).removesuffix("_outputs")


class _Reader:
    """Adds problems to a sink and keeps the state that files share."""

    def __init__(self, sink: Sink, model: str | None, *, several: bool) -> None:
        self._sink, self._judged, self._model, self._several = sink, Judged(sink), model, several
        self._totals = 0

    def add_problem(self, record: Fields, name: _Named) -> None:
        """Add the runs of one model on one problem."""
        answers = record.values("answers", required=True)
        verdicts = [_verdict(value, record) for value in record.values("correct", required=True)]
        said = [_said(messages, record) for messages in record.values("messages")]
        columns: dict[str, list[Any]] = {"answers": answers, "correct": verdicts} | self._costs(record, len(answers))
        columns |= {"messages": [text for text, _ in said], "reasoning": [reasoning for _, reasoning in said]}
        given = {name: values for name, values in columns.items() if values}
        rows = samples_of(Fields(given, record.place), _RUNS) if given else []
        number = name.number if name.number and name.number.isdecimal() else record.text("idx")
        number = number or record.name("question_id" if "question_id" in record else "idx")
        self._add(record, name, number, rows)

    def add_row(self, record: Fields, name: _Named) -> None:
        """Add one run."""
        if "correct" not in record.value:
            record.refuse("has no 'correct'. Points of proofs are not verdicts and cannot be imported.")
        value = record.value["correct"]
        if isinstance(value, str) and value != _UNGRADED:  # a cell of a CSV file
            value = record.flag("correct")
        rows = samples_of(record, {column: field for column, field in _ROW.items() if column != "correct"})
        if len(rows) != 1:
            record.refuse("has lists of runs. A row of a table of MathArena has one run.")
        row = rows[0] | {"correct": _verdict(value, record)}
        if "parsed_answer" in record.value:
            row.setdefault("answer", None)
        self._add(record, name, record.name("problem_idx"), [row])

    def end(self) -> None:
        """Add remarks that depend on all files."""
        self._judged.end()
        if self._totals:
            self._sink.remarks.append(
                f"the costs of {counted(self._totals, 'problem')} are recorded as totals. Each run has an equal share."
            )

    def _add(self, record: Fields, name: _Named, number: str, rows: Sequence[dict[str, Any]]) -> None:
        """Add samples of one question."""
        competition = name.competition
        truth, source = record.text("gold_answer"), record.value.get("source")
        question = {"question": record.text("problem"), "competition": competition or None}
        question["truth"] = None if truth is None or truth.startswith("hash:") else truth
        question["source"] = source if isinstance(source, str) and source != "None" else None
        for row in rows:
            if row.get("answer") == "None":
                row["answer"] = None
        question_id = f"{competition}/{number}" if competition and self._several else number
        model = self._model or name.model or record.name("model_name")
        self._judged.add(record, question_id, model, rows, question=question)

    def _costs(self, record: Fields, size: int) -> dict[str, list[Any]]:
        """Return tokens, cost and time of each run."""
        details, total = record.parts("detailed_costs"), record.part("cost")
        if len(details) > 1 and not any(_spent(part) for part in details[1:]) and _spent(details[0]):
            details, total = [], details[0]  # how later versions read files that have only a total
        if not details and total.value and size:
            self._totals += size > 1
            shares: dict[str, list[Any]] = {name: _shares(total.count(name), size) for name in _TOKENS}
            cost = total.number("cost")
            return shares | {"cost": [] if cost is None else [cost / size] * size}
        times = [part.number("time") for part in details]
        columns: dict[str, list[Any]] = {name: [part.count(name) for part in details] for name in _TOKENS}
        columns["cost"] = [part.number("cost") for part in details]
        return columns | {"latency": times if all(times) else []}  # of a batch, only the first run has a time


def _spent(costs: Fields) -> bool:
    return any(costs.number(name) for name in ("cost", *_TOKENS))


def _shares(total: int | None, size: int) -> list[int]:
    """Return equal shares of a number of tokens; the first ones have the remainder."""
    return [] if total is None else [total // size + (i < total % size) for i in range(size)]


def _verdict(value: Any, record: Fields) -> bool | None:
    """Return a verdict, or None if there is none yet."""
    if value is None or value == _UNGRADED:
        return None
    if isinstance(value, int | float) and value not in (0, 1):
        record.refuse(f"'correct' is {value!r:.20}. Points of proofs are not verdicts and cannot be imported.")
    return as_flag(value, f"{record.place}: 'correct'")


def _said(messages: Any, record: Fields) -> tuple[str | None, str | None]:
    """Return the response of a conversation and its reasoning."""
    if not isinstance(messages, list):
        record.refuse("'messages' must hold one list of messages per run.")
    place = f"{record.place}, 'messages'"
    spoken = [part for part in (Fields.of(message, place) for message in messages) if part.text("role") == "assistant"]
    thoughts = [text for text in map(_content, (part for part in spoken if part.text("type") == "cot")) if text]
    responses = [part for part in spoken if part.text("type") in (None, "response")]
    return _content(responses[-1]) if responses else None, "\n\n".join(thoughts) or None


def _content(message: Fields) -> str | None:
    """Return the content of a message, of which parts that are not text are left out."""
    content = message.value.get("content")
    if isinstance(content, list):
        return "".join(part.text("text") or "" for part in message.parts("content"))
    return message.text("content")
