"""Files of the ModelSwitch release (arXiv 2504.00762), in both of their layouts.

Each file is a JSON list with one record per question. A merged record contains several models, with keys such as
`<model>_ans_list` and `<model>_Sampling`. A record of a single model has `ans_list` and `step_sampling`, and the file
is named after the model. Answers are those that the authors extracted. Verdicts are those of their analysis script
(src/Evaluation.py, compute_correctness), except as described in the notes of `from_modelswitch`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import chain, count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mssim._validation import choose_from
from mssim.errors import MssimError
from mssim.grading.equivalence import Judge, equal_answers
from mssim.grading.rules import parse_rule
from mssim.importers.fields import Fields, as_text
from mssim.importers.glance import beginning
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["DATASETS", "from_modelswitch"]

PATTERNS = ("*.json",)
TOOL = "the release of the ModelSwitch paper"
VOTES = "as released, or by --rule"
EXAMPLE = "mssim import modelswitch results/GSM8K.json --out my-pool"
DATASETS = ("GSM8K", "MATH", "MathBench", "MGSM", "DATE", "MMLU-Pro", "AIME24")
_NUMBERS = ("GSM8K", "MGSM", "AIME24")  # compared as floats; MATH as mathematics, the others as text
_PROBLEMS = 250  # per language of MGSM; number = language * 250 + problem
_ANSWERS = "_ans_list"
_TEXTS = ("_Sampling", "_sampling", "_outputs")
_TEXTS_OF_ONE = ("step_sampling", "ans_sampling", "outputs")
_SCORES = ("_reward_score", "_score")
_DATE = re.compile(r"\b(?:0[1-9]|1[0-2])/(?:0[1-9]|[12][0-9]|3[01])/\d{4}\b", re.ASCII)


def from_modelswitch(
    paths: Paths, *, dataset: str | None = None, model: str | None = None, **common: Unpack[CommonOptions]
) -> Pool:
    r"""Import files of the ModelSwitch release for one data set and any number of models.

    Parameters
    ----------
    paths : path or sequence of path
        JSON files, or folders of them. Files of several models are joined by the text of the question. Samples that
        appear in two files with identical texts count once, since the release has both single and merged files.
    dataset : str, optional
        GSM8K, MATH, MathBench, MGSM, DATE, MMLU-Pro or AIME24. By default it is inferred from the path.
    model : str, optional
        Name of the model of files with a single model. By default it is the file name without results\_. Exclude
        outputs of ModelSwitch itself, which mix the answers of several models in one list.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. With a rule, the texts are
        graded again. Without, answers are those of the files, and answers that differ in spelling do not vote together,
        as in the paper.

    Returns
    -------
    Pool
        The imported pool, with `score` if the files have reward scores of all samples. In MGSM, the `cluster` is the
        problem.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format.

    Notes
    -----
    Verdicts follow src/Evaluation.py of the release. For GSM8K and MGSM, a number within 1e-6 of the truth is correct.
    For MathBench, MMLU-Pro and DATE, texts are compared in lower case and without spaces, within the first {...} if
    there is one. Two data sets differ. For MATH, the release compares SymPy expressions; here math-verify compares
    them. For DATE, where an answer may be a whole response, its last MM/DD/YYYY is the answer; this reproduces the
    published 70.46 % of Llama-3.1-70B, whereas compute_correctness yields 68.29 %. AIME24, which is not part of the
    release, is compared like GSM8K.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_modelswitch
    >>> record = {"no": 1, "question": "2 + 2?", "solution": "4"}
    >>> record |= {"llama_ans_list": ["4", "5"], "qwen_ans_list": ["4", "4"]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "GSM8K.json"
    ...     _ = path.write_text(json.dumps([record]))
    ...     from_modelswitch(path)
    Pool(1 question, 2 models, 2 samples each: llama, qwen)
    """
    read_them = partial(read, dataset=dataset, model=model)
    return to_pool("modelswitch", read_them, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has the records of the release."""
    first = source.first
    listed = any(name.endswith("ans_list") and isinstance(value, list) for name, value in first.items())
    return listed and {"question", "solution"} <= set(first) and isinstance(beginning(source), list)


def read(sources: Sequence[Source], sink: Sink, *, dataset: str | None = None, model: str | None = None) -> None:
    """Read all records of each file."""
    name = _dataset(sources, dataset)
    sink.info |= {"title": name, "dataset": name}
    ids, copies = _Questions(), _Copies()
    with _judge(name) as judge:
        for source in sources:
            ids.next_file()
            for record in source.items():
                found = _models(record, model, _model_of(source))
                _read_record(record, ids, copies, found, _Rules(name, judge), sink)
    if copies.found:
        sink.note(
            f"samples of {', '.join(map(repr, sorted(copies.found)))} appear in several files with identical texts and "
            "count once. Remove the files that only repeat others to silence this warning."
        )


# What a file is about -------------------------------------------------------------------------------------------------


def _dataset(sources: Sequence[Source], given: str | None) -> str:
    known = {_plain(name): name for name in DATASETS}
    if given is not None:
        if _plain(given) not in known:
            raise MssimError(f"dataset={given!r} is not known. {choose_from(given, DATASETS)}.")
        return known[_plain(given)]
    found = {name for source in sources if (name := _named(source.path, known))}
    if len(found) != 1:
        problem = f"the paths name {', '.join(sorted(found))}" if found else "no path names the data set"
        raise MssimError(f"dataset: {problem}. Pass one of {', '.join(DATASETS)} as dataset=NAME.")
    return found.pop()


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _named(path: Path, known: dict[str, str]) -> str | None:
    """Return the data set named by the file or, if it names none, by the nearest folder."""
    for part in (path.stem, *reversed(path.absolute().parts[:-1])):
        words = re.split(r"[\W_]+", part.lower())
        for word in [*words, *("".join(pair) for pair in pairwise(words))]:
            if word in known:
                return known[word]
    return None


def _model_of(source: Source) -> str:
    """Return the model of a file with a single model, blank if the file name does not contain it."""
    return as_text(re.sub(r"(?i)^results?(?:[-_]|$)", "", source.path.stem), "")


# Records --------------------------------------------------------------------------------------------------------------


class _Questions:
    """Question ids: the numbers of the authors, matched between files by the text of the question."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, int], str] = {}
        self._used: set[str] = set()
        self._seen: Counter[str] = Counter()

    def next_file(self) -> None:
        """Start the next file."""
        self._seen.clear()

    def id_of(self, record: Fields) -> str:
        """Return the id of the question of a record. A file may contain the same text twice."""
        text = record.name("question")
        key = (text, self._seen[text])
        self._seen[text] += 1
        if key not in self._ids:
            number = (record.text("no") or "").strip()
            others = (f"question {i}" for i in count(len(self._ids)))
            self._ids[key] = next(name for name in chain([number], others) if name and name not in self._used)
            self._used.add(self._ids[key])
        return self._ids[key]


class _Given(NamedTuple):
    """Samples of one model in a record."""

    model: str
    answers: list[str | None]
    texts: list[str | None]
    scores: list[float | None]


class _Copies:
    """Detects samples that appear in several files."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._seen: set[int] = set()

    def has(self, question_id: str, given: _Given) -> bool:
        """Return whether these samples appeared before, with identical texts."""
        if not any(given.texts):
            return False
        key = hash((question_id, given.model, tuple(given.answers), tuple(given.texts)))
        if key in self._seen:
            self.found.add(given.model)
            return True
        self._seen.add(key)
        return False


def _read_record(
    record: Fields, ids: _Questions, copies: _Copies, found: list[_Given], rules: _Rules, sink: Sink
) -> None:
    question_id, truth = ids.id_of(record), record.text("solution", required=True) or ""
    question = {"question": record.text("question"), "truth": truth, "cluster": rules.cluster(question_id)}
    found = [given for given in found if not copies.has(question_id, given)]
    answers = [[rules.answer(answer) for answer in given.answers] for given in found]
    right = rules.right({answer for some in answers for answer in some if answer is not None}, truth)
    for given, some in zip(found, answers, strict=True):
        rows: list[dict[str, Any]] = [{"answer": answer, "correct": answer in right} for answer in some]
        for name, values in (("text", given.texts), ("score", given.scores)):
            for row, value in zip(rows, values, strict=False):
                row[name] = value
        sink.add(question_id, given.model, rows, question=question)


def _models(record: Fields, named: str | None, of_file: str) -> list[_Given]:
    names = [key.removesuffix(_ANSWERS) for key in record.value if key.endswith(_ANSWERS) and key != _ANSWERS]
    if names and named:
        record.refuse(f"model={named!r}, but the record names its own models ({', '.join(names[:5])}). Omit model=.")
    if names:
        return [
            _given(
                record, name, f"{name}{_ANSWERS}", [f"{name}{end}" for end in _TEXTS], [f"{name}{e}" for e in _SCORES]
            )
            for name in names
        ]
    if "ans_list" not in record:
        record.refuse("has neither 'ans_list' nor '<model>_ans_list'. Pass files of the ModelSwitch release.")
    single = named or of_file
    if not single.strip():
        record.refuse("the file name does not contain the name of the model. Pass model=NAME.")
    return [_given(record, single, "ans_list", _TEXTS_OF_ONE, ("reward_score", "score"))]


def _given(record: Fields, model: str, answers: str, texts: Sequence[str], scores: Sequence[str]) -> _Given:
    found = record.texts(answers)
    return _Given(
        model,
        found,
        record.texts(next((name for name in texts if len(_list(record, name)) == len(found)), "")),
        _scores(record, scores, len(found)),
    )


def _list(record: Fields, name: str) -> list[Any]:
    value = record.value.get(name)
    return value if isinstance(value, list) else []


def _scores(record: Fields, names: Sequence[str], n: int) -> list[float | None]:
    """Return reward scores. In some files `<model>_score` is a single number that is not a reward score."""
    for name in names:
        scores = record.numbers(name) if _list(record, name) else []
        if len(scores) > n:
            record.refuse(f"has {len(scores)} numbers in {name!r}, but {n} answers. Each answer needs one score.")
        if scores:
            return scores
    return []


# Answers, right and wrong ---------------------------------------------------------------------------------------------


def _judge(dataset: str) -> Any:
    """Return the judge of MATH answers, which requires math-verify."""
    return Judge(parse_rule("math").versions["math_verify"]) if dataset == "MATH" else nullcontext()


class _Rules(NamedTuple):
    """Extraction and comparison of the answers to a data set, as in the release."""

    dataset: str
    judge: Judge | None

    def answer(self, given: str | None) -> str | None:
        """Return the answer, or None for "Error" and blank texts."""
        dates = _DATE.findall(given or "") if self.dataset == "DATE" else []
        answer = dates[-1] if dates else (given or "").replace(" ", "")
        return None if answer == "Error" or not answer.strip() else answer

    def right(self, answers: set[str], truth: str) -> set[str]:
        """Return the correct answers to a question."""
        if self.judge:
            head = equal_answers(answers, truth.replace(" ", ""), self.judge)
            self.judge.next_question()
            return {answer for answer in answers if head[answer] == head[truth.replace(" ", "")]}
        equal: Callable[[str, str], bool] = _same_number if self.dataset in _NUMBERS else _same_text
        return {answer for answer in answers if equal(answer, truth)}

    def cluster(self, question_id: str) -> str | None:
        """Return the problem that a question of MGSM states in one of its languages."""
        if self.dataset != "MGSM" or not re.fullmatch(r"[0-9]{1,4}", question_id):
            return None
        return str(int(question_id) % _PROBLEMS)


def _same_number(answer: str, truth: str) -> bool:
    try:
        return abs(float(answer.replace(",", "")) - float(truth.replace(",", ""))) < 1e-6
    except ValueError:
        return False


def _same_text(answer: str, truth: str) -> bool:
    braces = re.search(r"\{(.*?)\}", answer)
    said = braces[1] if braces else answer
    return said.replace(" ", "").lower() == truth.replace(" ", "").lower()
