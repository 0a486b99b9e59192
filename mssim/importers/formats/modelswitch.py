"""The files that the authors of ModelSwitch released (arXiv 2504.00762), in both of their shapes.

Each is a JSON list with one record per question. A merged record holds several models, `<model>_ans_list` with
`<model>_Sampling` and the like beside it; a record of a single model holds `ans_list` and `step_sampling`, and the name
of the file is the model's. Answers are kept as the authors extracted and count them, and are right where their analysis
script (src/Evaluation.py, compute_correctness) has them right; `from_modelswitch` says where it differs.
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
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["DATASETS", "from_modelswitch"]

PATTERNS = ("*.json",)
DATASETS = ("GSM8K", "MATH", "MathBench", "MGSM", "DATE", "MMLU-Pro", "AIME24")
_NUMBERS = ("GSM8K", "MGSM", "AIME24")  # compared as floats; all others as text, MATH as mathematics
_PROBLEMS = 250  # of MGSM, in every language: a question's number is language x 250 + problem
_ANSWERS = "_ans_list"
_TEXTS = ("_Sampling", "_sampling", "_outputs")
_TEXTS_OF_ONE = ("step_sampling", "ans_sampling", "outputs")
_SCORES = ("_reward_score", "_score")
_DATE = re.compile(r"\b(?:0[1-9]|1[0-2])/(?:0[1-9]|[12][0-9]|3[01])/\d{4}\b", re.ASCII)


def from_modelswitch(
    paths: Paths, *, dataset: str | None = None, model: str | None = None, **common: Unpack[CommonOptions]
) -> Pool:
    r"""Import files of the ModelSwitch release: of one data set, for any number of models.

    Parameters
    ----------
    paths : path or sequence of path
        JSON files, or folders of them. Files of several models are joined by the text of the question. Samples
        that are in two files, text for text, count once: single files lie beside the merged ones.
    dataset : str, optional
        GSM8K, MATH, MathBench, MGSM, DATE, MMLU-Pro or AIME24; default: the one that the path names.
    model : str, optional
        Name of the model where a file holds one; default: the file's name, without results\_. What ModelSwitch itself
        wrote as it ran has the answers of several models in one list, which nothing tells apart: leave it out.
    **common
        rule, where, texts, strict, info: see `mssim.importers.Common`. With a rule the texts are graded anew; without,
        answers are those of the files, and two that are spelled differently do not vote together, as in the paper.

    Returns
    -------
    Pool
        With `score` where the files have reward scores for all samples, and `cluster`, the problem, in MGSM.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format.

    Notes
    -----
    Right is, as in src/Evaluation.py of the release: for GSM8K and MGSM a number within 1e-6 of the truth; for
    MathBench, MMLU-Pro and DATE the same text, in lower case and without spaces, of the first {...} if there is one.
    Two things differ. For MATH the release compares SymPy expressions; here math-verify compares them. For DATE, where
    an answer is a whole response, its last MM/DD/YYYY counts; that is how the published 70.46 % of Llama-3.1-70B come
    about, compute_correctness itself would give 68.29 %. AIME24, which the release does not hold, is compared like
    GSM8K.
    """
    read_them = partial(read, dataset=dataset, model=model)
    return to_pool("modelswitch", read_them, expand(as_paths(paths), *PATTERNS), Common(**common))


def read(sources: Sequence[Source], sink: Sink, *, dataset: str | None = None, model: str | None = None) -> None:
    """Read file after file."""
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
            f"samples of {', '.join(map(repr, sorted(copies.found)))} are in several files, text for text: they count "
            "once; leave out the files that only repeat them"
        )


# What a file is about -------------------------------------------------------------------------------------------------


def _dataset(sources: Sequence[Source], given: str | None) -> str:
    known = {_plain(name): name for name in DATASETS}
    if given is not None:
        if _plain(given) not in known:
            raise MssimError(f"data set {given!r}; {choose_from(given, DATASETS)}")
        return known[_plain(given)]
    found = {name for source in sources if (name := _named(source.path, known))}
    if len(found) != 1:
        what = f"the paths name {', '.join(sorted(found))}" if found else "no path names the data set"
        raise MssimError(f"{what}; say which one it is with dataset (--dataset): {', '.join(DATASETS)}")
    return found.pop()


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _named(path: Path, known: dict[str, str]) -> str | None:
    """The data set that a path names: in the file's name, else in the nearest folder's."""
    for part in (path.stem, *reversed(path.absolute().parts[:-1])):
        words = re.split(r"[\W_]+", part.lower())
        for word in [*words, *("".join(pair) for pair in pairwise(words))]:
            if word in known:
                return known[word]
    return None


def _model_of(source: Source) -> str:
    """The model of a file that holds one; blank where its name does not say it."""
    return as_text(re.sub(r"(?i)^results?(?:[-_]|$)", "", source.path.stem), "")


# Records --------------------------------------------------------------------------------------------------------------


class _Questions:
    """Ids of questions: the number that the authors gave, joined over files by the question's text."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, int], str] = {}
        self._used: set[str] = set()
        self._seen: Counter[str] = Counter()

    def next_file(self) -> None:
        """Begin with another file."""
        self._seen.clear()

    def id_of(self, record: Fields) -> str:
        """Id of a record's question; the same text may be asked twice in a file."""
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
    """What a record says of one model."""

    model: str
    answers: list[str | None]
    texts: list[str | None]
    scores: list[float | None]


class _Copies:
    """Finds samples that are in several files."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._seen: set[int] = set()

    def has(self, question_id: str, given: _Given) -> bool:
        """Whether these samples, with their texts, came before."""
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
        record.refuse(f"model={named!r}, but the record names its models: {', '.join(names[:5])}; leave model out")
    if names:
        return [
            _given(
                record, name, f"{name}{_ANSWERS}", [f"{name}{end}" for end in _TEXTS], [f"{name}{e}" for e in _SCORES]
            )
            for name in names
        ]
    if "ans_list" not in record:
        record.refuse("neither 'ans_list' nor '<model>_ans_list'; give files of the ModelSwitch release")
    single = named or of_file
    if not single.strip():
        record.refuse("one model, which the name of the file does not say; name it with model (--model)")
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
    """Reward scores; `<model>_score` of another file may be one number, which is not of the samples."""
    for name in names:
        scores = record.numbers(name) if _list(record, name) else []
        if len(scores) > n:
            record.refuse(f"{len(scores)} numbers in {name!r}, but {n} answers; each answer has one")
        if scores:
            return scores
    return []


# Answers, right and wrong ---------------------------------------------------------------------------------------------


def _judge(dataset: str) -> Any:
    """What compares answers to MATH; math-verify must be there for it."""
    return Judge(parse_rule("math").versions["math_verify"]) if dataset == "MATH" else nullcontext()


class _Rules(NamedTuple):
    """How the release reads and compares the answers of a data set."""

    dataset: str
    judge: Judge | None

    def answer(self, given: str | None) -> str | None:
        """The answer that is counted; "Error" and nothing are no answer."""
        dates = _DATE.findall(given or "") if self.dataset == "DATE" else []
        answer = dates[-1] if dates else (given or "").replace(" ", "")
        return None if answer == "Error" or not answer.strip() else answer

    def right(self, answers: set[str], truth: str) -> set[str]:
        """Those of the answers to one question that are right."""
        if self.judge:
            head = equal_answers(answers, truth.replace(" ", ""), self.judge)
            self.judge.next_question()
            return {answer for answer in answers if head[answer] == head[truth.replace(" ", "")]}
        equal: Callable[[str, str], bool] = _same_number if self.dataset in _NUMBERS else _same_text
        return {answer for answer in answers if equal(answer, truth)}

    def cluster(self, question_id: str) -> str | None:
        """The problem of a question in one of ten languages."""
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
