"""NeMo-Skills: generations that were compared with the expected answer (github.com/NVIDIA/NeMo-Skills).

`ns eval` writes OUTPUT/eval-results/BENCHMARK/output-rsSEED.jsonl, one file per run, or output.jsonl for a single run
(nemo_skills/pipeline/summarize_results.py). Each line is a question with problem, expected_answer, generation,
predicted_answer (null if there is none), symbolic_correct (nemo_skills/evaluation/evaluator/math.py and mcq.py; until
July 2025 is_correct) and, after an LLM judge, judgement, a text that ends with "Judgement: Yes" or "Judgement: No"
(nemo_skills/evaluation/metrics/utils.py). It can have num_generated_tokens, num_input_tokens, generation_time,
finish_reason, reward_model_score, error, and subset_for_metrics, by which scores are reported separately
(nemo_skills/inference/generate.py, nemo_skills/evaluation/metrics/).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mssim._validation import choose_from, counted
from mssim.errors import MssimError, PoolError
from mssim.importers.fields import Fields, as_text
from mssim.importers.judged import Judged
from mssim.importers.naming import file_names
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_nemo_skills"]

PATTERNS = ("output.jsonl", "output-rs*.jsonl", "output-greedy.jsonl", "output-rs*.jsonl.gz", "output-rs*.jsonl.zst")
TOOL = "NeMo-Skills, output-rs*.jsonl"
VOTES = "predicted_answer, or by --rule"
EXAMPLE = "mssim import nemo-skills my-eval/eval-results/aime24 --out my-pool"

_NEEDED = {  # verdicts that a scorer needs
    "symbolic": ("symbolic",), "judge": ("judge",), "both": ("symbolic", "judge"), "any": ("symbolic", "judge")
}  # fmt: skip
_RUN = re.compile(r"output(?:-rs(?P<seed>[0-9]{1,15}))?(?:_chunk_(?P<chunk>[0-9]+))?\.jsonl.*")
_COLUMNS = {"output_tokens": "num_generated_tokens", "input_tokens": "num_input_tokens"}


def from_nemo_skills(
    paths: Paths, *, model: str | None = None, scorer: str | None = None, **common: Unpack[CommonOptions]
) -> Pool:
    r"""Import outputs of NeMo-Skills.

    Parameters
    ----------
    paths : path or sequence of path
        Files output-rs*.jsonl or output.jsonl, or folders of them. The files of one folder are the runs of one model
        on one benchmark. If there are several benchmarks, questions are identified by benchmark and question.
    model : str, optional
        Name of the model. By default it is the name of the folder that contains eval-results or, without such a
        folder, of the folder of each file. A file with another name is named after its model.
    scorer : {"symbolic", "judge", "both", "any"}, optional
        Verdicts to use: those of the symbolic comparison, of the LLM judge, right by both, or right by one of them. It
        is required if the files have both kinds.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. Without a rule, answers are
        `predicted_answer`.

    Returns
    -------
    Pool
        The imported pool. The column score is `reward_model_score`. The number of a run is the sample_index.

    Raises
    ------
    PoolError
        If a file is damaged or in another format, or if a folder has both output.jsonl and output-rs*.jsonl.
    MssimError
        If the scorer is not known.

    Notes
    -----
    As in NeMo-Skills, a judgement without yes or no counts as wrong; a warning has their number.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_nemo_skills
    >>> line = {"problem": "2 + 2?", "expected_answer": "4"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     benchmark = Path(folder) / "llama" / "eval-results" / "sums"
    ...     benchmark.mkdir(parents=True)
    ...     for run, answer in enumerate("45"):
    ...         one = line | {"generation": f"It is {answer}.", "predicted_answer": answer}
    ...         one["symbolic_correct"] = answer == "4"
    ...         _ = (benchmark / f"output-rs{run}.jsonl").write_text(json.dumps(one))
    ...     from_nemo_skills(Path(folder) / "llama")
    Pool(1 question, 1 model, 2 samples each: llama)
    """
    reader = partial(read, model=model, scorer=scorer)
    return to_pool("nemo-skills", reader, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has the shape of this format."""
    first = source.first
    judged = "symbolic_correct" in first or isinstance(first.get("judgement"), str)
    older = "is_correct" in first and {"generation", "expected_answer"} <= set(first)
    return (judged or older) and not isinstance(first.get("predicted_answer", []), list | dict)


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None, scorer: str | None = None) -> None:
    """Read all lines of each file."""
    if scorer is not None and scorer not in _NEEDED:
        raise MssimError(f"scorer: {scorer!r} is not known. {choose_from(scorer, _NEEDED)}.")
    sink.apart("benchmark")
    sink.apart("subset_for_metrics")
    sink.tell_apart = "Keep the folders eval-results/BENCHMARK to distinguish benchmarks, import them separately"
    files = _whole_runs([(source, _named(source, model)) for source in sources], sink)
    reader = _Reader(sink, scorer, several=len({name.benchmark for _, name in files}) > 1)
    for source, name in files:
        reader.begin(name)
        for number, record in enumerate(source.records()):
            reader.add(record, number)
    reader.end()


class _Named(NamedTuple):
    """What the path of a file says."""

    model: str
    benchmark: str | None
    folder: str
    run: int | None  # None: a single run, or one whose number is not unique
    chunk: str | None  # of a run that was split
    prompt: str | None = None


def _named(source: Source, model: str | None) -> _Named:
    found, place, path = _RUN.fullmatch(source.name), str(source), source.path.absolute()
    if "-agg." in source.name:
        source.refuse("has one aggregated answer per question, not samples. Leave it out.")
    parts = [as_text(part, place) for part in path.parent.parts]
    at = next((i for i in range(len(parts) - 1, 0, -1) if parts[i].startswith("eval-results")), None)
    named = parts[-1] if at is None else parts[at - 1]
    if at is None and not source.name.startswith("output"):
        named = as_text(file_names(source)["{stem}"], place)
    run = int(found["seed"]) if found and found["seed"] else None
    inside = [] if at is None else parts[at + 1 :]
    benchmark, prompt = next(iter(inside), None), "/".join(inside[1:]) or None
    return _Named(model or named, benchmark, str(path.parent), run, found["chunk"] if found else None, prompt)


def _whole_runs(files: list[tuple[Source, _Named]], sink: Sink) -> list[tuple[Source, _Named]]:
    """Leave out parts of runs that are there as a whole, and run numbers that are not unique."""
    whole = {(name.folder, name.run) for _, name in files if name.chunk is None}
    single = {name.folder for source, name in files if source.name.startswith("output.jsonl")}
    for folder, run in whole:
        if run is not None and folder in single:
            raise PoolError(
                f"{folder} has output.jsonl and output-rs*.jsonl. They were sampled with different settings. Name the "
                "files to import."
            )
    kept = [(source, name) for source, name in files if name.chunk is None or (name.folder, name.run) not in whole]
    if len(kept) < len(files):
        sink.remarks.append(f"{counted(len(files) - len(kept), 'file')} with parts of whole runs left out.")
    numbers = Counter((name.model, name.benchmark, name.run, name.chunk) for _, name in kept)
    repeated = {key[:2] for key, number in numbers.items() if number > 1}
    return [(source, name._replace(run=None) if name[:2] in repeated else name) for source, name in kept]


class _Reader:
    """Adds lines to a sink and keeps the state that lines and files share."""

    def __init__(self, sink: Sink, scorer: str | None, *, several: bool) -> None:
        self._sink, self._judged, self._scorer, self._several = sink, Judged(sink), scorer, several
        self._numbers: defaultdict[str | None, dict[str, int]] = defaultdict(dict)  # of questions, by benchmark
        self._name = _Named("", None, "", None, None)
        self._unclear = self._errors = self._compared = 0

    def begin(self, name: _Named) -> None:
        """Start a file."""
        self._name = name

    def add(self, record: Fields, number: int) -> None:
        """Add the sample of one line."""
        if "generation" not in record.value and "predicted_answer" not in record.value:
            record.refuse("has neither 'generation' nor 'predicted_answer'. Pass the files output-rs*.jsonl.")
        name = self._name
        row: dict[str, Any] = {"text": record.text("generation"), "reasoning": _reasoning(record)}
        row |= {column: record.count(field) for column, field in _COLUMNS.items()}
        row |= {"score": record.number("reward_model_score"), "latency": record.number("generation_time")}
        row |= {"finish_reason": record.text("finish_reason")}
        row |= {} if name.run is None else {"sample_index": name.run}
        if "predicted_answer" in record.value:
            row["answer"] = record.text("predicted_answer")
        if self._is_judged(record):
            row["correct"] = self._verdict(record)
        self._compared += "answer" in row and "correct" not in row
        self._errors += "error" in record and not (row["text"] or "").strip()
        text = record.text("problem") or record.text("question")
        question = {"question": text, "truth": record.text("expected_answer"), "benchmark": name.benchmark}
        question["subset_for_metrics"] = record.text("subset_for_metrics")
        question_id = self._question_id(record, text, number)
        settings = {"prompt": name.prompt}
        self._judged.add(record, question_id, name.model, [row], question=question, settings=settings)

    def end(self) -> None:
        """Add warnings that depend on all files."""
        self._judged.end()
        if self._unclear:
            self._sink.note(
                f"{counted(self._unclear, 'judgement has', 'judgements have')} neither yes nor no. NeMo-Skills counts "
                "the sample as wrong, and so does the import."
            )
        if self._errors:
            self._sink.note(
                f"{counted(self._errors, 'generation')} failed with an error, such as a prompt that is too long. "
                "NeMo-Skills counts the sample as wrong, and so does the import."
            )
        if self._compared:
            self._sink.note(
                "the files have no verdicts. Without a rule, an answer is right if its text equals the truth, so 1/2 "
                "and 0.5 differ. Use a rule, or evaluate the files with NeMo-Skills."
            )

    def _question_id(self, record: Fields, text: str | None, number: int) -> str:
        """Return a question_id that is shared by runs and models, and distinct between benchmarks."""
        benchmark, name = self._name.benchmark, record.text("id")
        if not (name and name.strip()):
            numbers = self._numbers[benchmark]
            name = str(number if text is None else numbers.setdefault(text, len(numbers)))
        return f"{benchmark}/{name}" if benchmark and self._several else name

    def _is_judged(self, record: Fields) -> bool:
        """Return whether the file has verdicts, and find out which to use."""
        kinds = {"symbolic": _symbolic(record), "judge": "judgement"}
        found = [kind for kind, field in kinds.items() if field in record.value]
        if len(found) == 2 and self._scorer is None:
            record.refuse(
                "has verdicts of a symbolic comparison and of a judge. Choose with scorer=NAME: symbolic, judge, both "
                "or any."
            )
        if found and self._scorer is None:
            self._scorer = found[0]
        lacking = [kinds[kind] for kind in _NEEDED.get(self._scorer or "", ()) if kind not in found]
        if found and lacking:
            record.refuse(f"has no {lacking[0]!r}, which scorer {self._scorer!r} needs. Choose another scorer.")
        return self._scorer is not None

    def _verdict(self, record: Fields) -> bool | None:
        """Return the verdict of the chosen scorer, None if the sample was not judged."""
        needed = _NEEDED[self._scorer or ""]
        verdicts = [record.flag(_symbolic(record))] if "symbolic" in needed else []
        verdicts += [self._judgement(record)] if "judge" in needed else []
        if None in verdicts:
            return None
        return any(verdicts) if self._scorer == "any" else all(verdicts)

    def _judgement(self, record: Fields) -> bool | None:
        text = record.text("judgement")
        if text is None:
            return None
        said = text.rpartition("Judgement:")[2].strip().lower() if "Judgement:" in text else ""
        self._unclear += not said.startswith(("yes", "no"))
        return said.startswith("yes")


def _symbolic(record: Fields) -> str:
    """Return the name of the verdict of the comparison. Tests of programs have the older name too."""
    older = "is_correct" in record.value and "predicted_answer" in record.value
    return "is_correct" if older and "symbolic_correct" not in record.value else "symbolic_correct"


def _reasoning(record: Fields) -> str | None:
    """Return the reasoning, which is recorded by the server or was cut off from the generation."""
    full, rest = record.text("_full_generation"), record.text("generation") or ""
    if full is None or "reasoning_content" in record:
        return record.text("reasoning_content")
    return full[: full.rfind(rest)] if rest and rest in full else full
