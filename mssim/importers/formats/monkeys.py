"""Large Language Monkeys: JSON lists with thousands of samples of one model per problem (arXiv 2407.21787).

Released as monkey_business by ScalingIntelligence on Hugging Face. Each record has question, prompt, samples,
is_corrects, orig_dset_idx and orig_dset_split. Records of GSM8K and MATH have a worked solution in gt_answer; those of
CodeContests and MiniF2F-MATH were judged by tests and by a prover. Some versions of the authors' scripts write
`is_correct` instead of is_corrects, and theorem_name instead of an index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from mssim.importers.fields import Fields, as_text
from mssim.importers.glance import beginning
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.importers.solutions import final_answer
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_monkeys"]

PATTERNS = ("*.json",)
TOOL = "Large Language Monkeys, TASK_MODEL.json"
VOTES = "by --rule; without a rule, only right or wrong"
EXAMPLE = "mssim import monkeys GSM8K_Llama-3-8B-Instruct.json --rule number --out my-pool"


def from_monkeys(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import files of Large Language Monkeys.

    Parameters
    ----------
    paths : path or sequence of path
        JSON files, or folders of them, with one file per task and model. Files are named TASK_MODEL.json, such as
        GSM8K_Llama-3-8B-Instruct.json. Questions are identified by task and orig_dset_idx.
    model : str, optional
        Name of the model. By default it is the part of each file name after the first underscore.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. Without a rule, every sample
        has a distinct answer with the verdict of the file, so votes are not meaningful. The truth is the final answer
        of the worked solution, which is kept in the column solution. Samples may continue after their answer with
        further questions, so the rule number is unreliable. With the prompts of the authors, use ``regex=####
        (-?[0-9.,]+)`` for GSM8K and ``regex=The final answer is \$(.*?)\$`` for MATH.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, or if two records with the same index have different
        questions.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_monkeys
    >>> record = {"question": "2 + 2?", "orig_dset_idx": 7, "gt_answer": "So it is\n#### 4"}
    >>> record |= {"samples": ["It is 4.", "It is 5."], "is_corrects": [True, False]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "GSM8K_Llama-3-8B-Instruct.json"
    ...     _ = path.write_text(json.dumps([record]))
    ...     from_monkeys(path)
    Pool(1 question, 1 model, 2 samples each: Llama-3-8B-Instruct)
    """
    return to_pool("monkeys", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has the records of Large Language Monkeys."""
    first = source.first
    sampled = isinstance(first.get("samples"), list) and not {"question", "prompt"}.isdisjoint(first)
    judged = not {"is_corrects", "is_correct", "gt_answer"}.isdisjoint(first)
    return sampled and judged and isinstance(beginning(source), list)


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read all records of each file."""
    reader = _Reader(sink)
    for source in sources:
        stem = as_text(source.path.stem, str(source))
        task, _, name = stem.partition("_")
        reader.begin(task if name else "")
        for number, record in enumerate(source.items(), 1):
            reader.add(record, number, model or name or stem)
    reader.end()


class _Reader:
    """Adds records to a sink and keeps the state that records and files share."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._task, self._tasks = "", dict[str, None]()
        sink.tell_apart = "Rename the files to TASK_MODEL.json to distinguish tasks, import them separately"
        self._numbers = defaultdict[str, dict[str, int]](dict)  # by task, of questions without an index
        self._judged: bool | None = None

    def begin(self, task: str) -> None:
        """Start a file."""
        self._task = task
        if task:
            self._tasks[task] = None

    def add(self, record: Fields, number: int, model: str) -> None:
        """Add the samples of one record."""
        texts, correct = record.texts("samples", required=True), self._verdicts(record)
        if len(texts) != len(correct):
            record.refuse(
                f"has {len(texts)} samples, but {len(correct)} values in is_corrects. Each sample needs one value."
            )
        samples = ({"text": text, "correct": right} for text, right in zip(texts, correct, strict=True))
        solution = record.text("gt_answer")
        truth = final_answer(solution)
        question = {"question": record.text("question"), "truth": truth}
        question["solution"] = None if solution == truth else solution
        name, prompt = self._question_id(record, number), record.text("prompt")
        self._sink.add(name, model, samples, question=question, prompt=prompt)

    def end(self) -> None:
        """Add warnings that depend on all files."""
        if self._tasks:
            self._sink.info["dataset"] = ", ".join(self._tasks)

    def _verdicts(self, record: Fields) -> list[bool | None]:
        """Return the verdict of each sample, or None if samples can be graded by a rule."""
        name = next((name for name in ("is_corrects", "is_correct") if name in record), None)
        judged, self._judged = self._judged, name is not None
        if judged not in (None, self._judged):
            record.refuse("only some records have is_corrects. Import the records with and without it separately.")
        if name is None and "gt_answer" in record:
            return [None] * len(record.values("samples"))
        return record.flags(name or "is_corrects", required=True)

    def _question_id(self, record: Fields, number: int) -> str:
        """Return a question_id that is shared by models and distinct between tasks."""
        text = record.text("question")
        name = record.text("orig_dset_idx") or record.text("theorem_name")
        if name is None:
            numbers = self._numbers[self._task]
            name = str(numbers.setdefault(f"record {number}" if text is None else text, len(numbers)))
        return "/".join(part for part in (self._task, record.text("orig_dset_split"), name) if part)
