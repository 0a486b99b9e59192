"""Large Language Monkeys: JSON lists with thousands of samples of one model per problem (arXiv 2407.21787).

Released as monkey_business by ScalingIntelligence on Hugging Face. Every record has question, prompt, samples,
is_corrects, orig_dset_idx and orig_dset_split; those of GSM8K and MATH have a worked solution as gt_answer, those of
CodeContests and MiniF2F-MATH were judged by tests and by a prover. The scripts of the authors write `is_correct` in
some versions, and theorem_name instead of an index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from mssim.grading.extract import last_boxed
from mssim.importers.fields import Fields, as_text
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_monkeys"]

PATTERNS = ("*.json",)


def from_monkeys(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import files of Large Language Monkeys, one per task and model.

    Parameters
    ----------
    paths : path or sequence of path
        JSON files, or folders of them, named TASK_MODEL.json such as GSM8K_Llama-3-8B-Instruct.json; they are streamed.
        Files of several models on one task share its questions, told by task and orig_dset_idx.
    model : str, optional
        Name of the model; default: the name of each file after its first underscore.
    **common
        rule, where, texts, strict, info: see `mssim.importers.Common`. Without a rule the samples have no answers to
        vote on, each is one of its own: right as often as the file says. The truth is what ends the worked solution,
        which stays as the column solution. Samples may go on after their answer with questions of their own, which
        rule number knows nothing of; rules for what marks the answer are, with the prompts of the authors,
        ``regex=#### (-?[0-9.,]+)`` for GSM8K and ``regex=The final answer is \$(.*?)\$`` for MATH.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, or two records with one index are about different questions.
    """
    return to_pool("monkeys", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read records one after the other."""
    reader = _Reader(sink)
    for source in sources:
        stem = as_text(source.path.stem, str(source))
        task, _, name = stem.partition("_")
        reader.begin(task if name else "")
        for number, record in enumerate(source.items(), 1):
            reader.add(record, number, model or name or stem)
    reader.end()


class _Reader:
    """What must be known of earlier records and files."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._task, self._tasks = "", dict[str, None]()
        self._texts: dict[str, str] = {}  # of questions, by question_id
        self._numbers = defaultdict[str, dict[str, int]](dict)  # by task, of questions without an index
        self._judged: bool | None = None
        self._unjudged = self._empty = 0

    def begin(self, task: str) -> None:
        """Start a file."""
        self._task = task
        if task:
            self._tasks[task] = None

    def add(self, record: Fields, number: int, model: str) -> None:
        """Add the samples of one record."""
        texts, correct = record.texts("samples", required=True), self._verdicts(record)
        if len(texts) != len(correct):
            record.refuse(f"{len(texts)} samples, but {len(correct)} of is_corrects; each sample needs one")
        self._empty += not texts
        self._unjudged += correct.count(None) if self._judged else 0
        samples = ({"text": text, "correct": right} for text, right in zip(texts, correct, strict=True))
        solution = record.text("gt_answer")
        truth = _truth(solution)
        question = {"question": record.text("question") or record.text("prompt"), "truth": truth}
        question["solution"] = None if solution == truth else solution
        self._sink.add(self._question_id(record, number), model, samples, question=question)

    def end(self) -> None:
        """Say what is odd about all of the files."""
        if self._tasks:
            self._sink.info["dataset"] = ", ".join(self._tasks)
        if self._unjudged:
            self._sink.note(
                f"{self._unjudged} samples are neither right nor wrong in the files: no answer without a rule"
            )
        if self._empty:
            self._sink.note(f"{self._empty} records have no sample")

    def _verdicts(self, record: Fields) -> list[bool | None]:
        """What the file says of each sample; nothing, if the samples can be graded by a rule."""
        name = next((name for name in ("is_corrects", "is_correct") if name in record), None)
        judged, self._judged = self._judged, name is not None
        if judged not in (None, self._judged):
            record.refuse("some records have is_corrects and some do not; import them apart")
        if name is None and "gt_answer" in record:
            return [None] * len(record.values("samples"))
        return record.flags(name or "is_corrects", required=True)

    def _question_id(self, record: Fields, number: int) -> str:
        """A name that files of several models share, and those of several tasks do not."""
        text = record.text("question")
        name = record.text("orig_dset_idx") or record.text("theorem_name")
        if name is None:
            numbers = self._numbers[self._task]
            name = str(numbers.setdefault(f"record {number}" if text is None else text, len(numbers)))
        name = "/".join(part for part in (self._task, record.text("orig_dset_split"), name) if part)
        if text is not None and self._texts.setdefault(name, text) != text:
            record.refuse(
                f"question {name!r} had another text before: these files are not about the same questions; "
                "import them apart, or name each TASK_MODEL.json"
            )
        return name


def _truth(solution: str | None) -> str | None:
    """What ends a worked solution: the answer after its last ####, else in its last box, else all of it."""
    if solution is None:
        return None
    _, marked, answer = solution.rpartition("####")
    return answer.strip() if marked and answer.strip() else last_boxed(solution) or solution
