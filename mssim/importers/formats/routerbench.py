"""RouterBench: one response of each of eleven models to 36,000 prompts, with verdicts and costs (arXiv 2403.12031).

Released by withmartian on Hugging Face as pickles of a wide table, which are never opened here; this module reads the
table as Parquet, CSV or JSON. The repository github.com/withmartian/routerbench says what the columns are:
`convertors/common.py` (sample_id, prompt, eval_name, one column per model with its performance, MODEL|model_response,
MODEL|total_cost, oracle_model_to_route_to), `utils.py` (the models are the names before |model_response),
`convertors/martian_evals_convertor.py` (the performance is 0 or 1, a score such as 0.3, or the mark A to E of a judge
as 1, 0.75, 0.5, 0.25 or 0; prompt and response are lists as Python writes them), `evaluate_routers.py` (of rows with
the same sample_id the first counts; costs are in dollars) and `convert_data.py` (verdicts that are missing become 0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mssim._validation import counted
from mssim.importers.fields import Fields
from mssim.importers.formats.partial_credit import PartialCredit, verdict_of
from mssim.importers.formats.pickles import is_pickle, refuse_pickle
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_routerbench"]

PATTERNS = ("*.parquet", "*.csv", "*.jsonl", "*.jsonl.gz", "*.json", "*.pkl")
TOOL = "RouterBench, converted from its pickles"
VOTES = "none: only right or wrong, one sample per model"
EXAMPLE = "mssim import routerbench routerbench_0shot.parquet --out my-pool"

_RESPONSE, _COST, _ORACLE = "|model_response", "|total_cost", "oracle_model_to_route_to"
_CONVERT = "import sys, pandas; pandas.read_pickle(sys.argv[1]).to_parquet(sys.argv[2])"


def from_routerbench(paths: Paths, *, pass_mark: float | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import the wide table of RouterBench, which has one verdict per prompt and model.

    Parameters
    ----------
    paths : path or sequence of path
        The table as Parquet, CSV, JSON or JSON Lines, or folders of such files. A pickle is refused; the message says
        how to convert it.
    pass_mark : float, optional
        The least verdict that is correct, above 0 and at most 1. By default, evaluations in which a verdict is neither
        0 nor 1, such as MT-Bench and grade-school-math, are left out, and a warning names them.
    **common
        The options where, texts, strict and others, see `mssim.importers.Common`. There is no truth, so that a rule
        cannot grade the responses.

    Returns
    -------
    Pool
        The imported pool. Questions have the columns question (the prompt), eval_name and oracle_model_to_route_to.

    Raises
    ------
    PoolError
        If a file is damaged, a pickle or in another format, if a verdict is not between 0 and 1, or if two prompts
        have the same sample_id, unless drop_conflicts is set.

    Notes
    -----
    A question_id is the sample_id, after eval_name and a slash unless it begins with the eval_name. Repeated rows
    count once. Prompts and responses remain lists as Python writes them, such as ``['B']``. The column cost is in US
    dollars. Every sample has a distinct answer, so votes are not meaningful.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_routerbench
    >>> row = {"sample_id": "mmlu-law.val.1", "prompt": "['2 + 2?']", "eval_name": "mmlu-law", "gpt": 1.0, "llama": 0.0}
    >>> row |= {"gpt|model_response": "['4']", "llama|model_response": "['5']"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "routerbench.jsonl"
    ...     _ = path.write_text(json.dumps(row))
    ...     from_routerbench(path)
    Pool(1 question, 2 models, 1 sample each: gpt, llama)
    """
    read_them = partial(read, pass_mark=pass_mark)
    return to_pool("routerbench", read_them, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has the columns of RouterBench, or is one of its pickles."""
    if is_pickle(source):
        return "routerbench" in source.name.lower()
    first = source.first
    named = any(name.endswith((_RESPONSE, _COST)) for name in first)
    return named and "sample_id" in first and ("eval_name" in first or _ORACLE in first)


def read(sources: Sequence[Source], sink: Sink, *, pass_mark: float | None = None) -> None:
    """Read all rows of each file twice: verdicts, which tell what is left out, and samples."""
    credit = PartialCredit(pass_mark)
    for source in sources:
        refuse_pickle(source, _CONVERT)
    for row in _rows(sources):
        for model in _models(row):
            credit.see(row.name("eval_name"), verdict_of(row, model))
    reader = _Reader(sink, credit)
    for row in _rows(sources):
        reader.add(row)
    reader.end()


def _rows(sources: Sequence[Source]) -> Iterator[Fields]:
    for source in sources:
        yield from source.records()


def _models(row: Fields) -> list[str]:
    """Return the models of a row, in the order of their first columns."""
    columns = [name for name in row.value if name.endswith((_RESPONSE, _COST))]
    models = list(dict.fromkeys(name.removesuffix(_RESPONSE).removesuffix(_COST) for name in columns))
    if not models:
        row.refuse(f"has no column MODEL{_RESPONSE} or MODEL{_COST}. Pass the wide table of RouterBench.")
    for model in models:
        if model not in row.value or not model.strip():
            row.refuse(f"has no column {model!r} with verdicts beside its responses and costs. Export it too.")
    return models


class _Reader:
    """Adds rows to a sink and remembers what was added."""

    def __init__(self, sink: Sink, credit: PartialCredit) -> None:
        self._sink, self._credit = sink, credit
        self._added: set[int] = set()  # hashes of question and model
        self._repeated = self._unjudged = self._kept = 0
        sink.apart("eval_name")
        sink.tell_apart = "Import tables with different prompts, such as 0-shot and 5-shot, separately"

    def add(self, row: Fields) -> None:
        """Add the samples of a row."""
        task = row.name("eval_name")
        question_id = _question_id(row.name("sample_id"), task)
        question = {"question": row.text("prompt"), "eval_name": task, _ORACLE: row.text(_ORACLE)}
        self._sink.describe(question_id, question)  # also if the row repeats another one
        for model in _models(row):
            key = hash((question_id, model))
            if key in self._added:
                self._repeated += 1
            else:
                self._added.add(key)
                self._add_sample(row, task, question_id, model)

    def _add_sample(self, row: Fields, task: str, question_id: str, model: str) -> None:
        verdict = verdict_of(row, model)
        if verdict is None:
            self._unjudged += 1
        elif self._credit.omits(task):
            self._credit.omit(task)
        else:
            self._kept += 1
            sample: dict[str, Any] = {"text": row.text(model + _RESPONSE), "cost": row.number(model + _COST)}
            sample["correct"] = self._credit.is_correct(verdict)
            self._sink.add(question_id, model, [sample])

    def end(self) -> None:
        """Report what was left out."""
        if self._unjudged:
            self._sink.fail("no verdict", self._unjudged)
        if self._repeated:
            self._sink.note(
                f"{counted(self._repeated, 'sample repeats', 'samples repeat')} the question and the model of an "
                "earlier row. As in RouterBench, the first row counts."
            )
        self._credit.report(self._sink, kept=self._kept)


def _question_id(sample_id: str, task: str) -> str:
    """Return an id that is distinct between evaluations, such as mmlu-law.val.1."""
    return sample_id if sample_id.startswith(task) else f"{task}/{sample_id}"
