"""EvalPlus: samples of HumanEval+ and MBPP+ that were run with tests (github.com/evalplus/evalplus).

A file of results is one JSON document with date, hash and eval. In eval every task_id has a list with one object per
sample: solution, base_status and plus_status, which are pass, fail or timeout; plus_status is null where only the
tests of the original benchmark were run. Until version 0.2 it had an object instead: nfiles (before that files), base
and plus, both lists of [status, details], where status is success, failed or timed out; no solution was kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mssim._validation import choose_from
from mssim.errors import MssimError
from mssim.importers.fields import Fields, as_text
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["Named", "from_evalplus", "named"]

PATTERNS = ("*eval_results.json",)

_TESTS = ("base", "plus")
_STATUS = {"pass": True, "success": True} | dict.fromkeys(("fail", "failed", "timeout", "timed out"), False)
_NAME = re.compile(
    r"(?P<model>.+?)(?:_(?:vllm|hf|hf_gaudi|openai|anthropic|google|bedrock|ollama|gptqmodel))?"
    r"_temp_(?P<temperature>[0-9]{1,3}(?:\.[0-9]{1,6})?)(?P<kind>-.*)?",
    re.DOTALL,
)


def from_evalplus(
    paths: Paths, *, model: str | None = None, tests: str | None = None, **common: Unpack[CommonOptions]
) -> Pool:
    """Import the results of EvalPlus: samples that are right or wrong, without answers to vote on.

    Parameters
    ----------
    paths : path or sequence of path
        Files *eval_results.json, or folders of them.
    model : str, optional
        Name of the model; default: what the file is named after, for org--model_vllm_temp_0.8.eval_results.json the
        model org/model, at temperature 0.8. A file eval_results.json is named after its folder.
    tests : {"base", "plus"}, optional
        What a sample must pass to be right: the tests of the original benchmark, or those and the additional ones.
        Default: plus where it was run.
    **common
        where, texts, strict, info: see `mssim.importers.Common`.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, or `tests` were not run.

    Notes
    -----
    Every sample is an answer of its own: `mssim.pass_at_k` and best-of-N say something, votes do not.
    """
    return to_pool(
        "evalplus", partial(read, model=model, tests=tests), expand(as_paths(paths), *PATTERNS), Common(**common)
    )


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None, tests: str | None = None) -> None:
    """Read the tasks of each file."""
    if tests not in (None, *_TESTS):
        raise MssimError(f"tests={tests!r}; {choose_from(str(tests), _TESTS)}")
    judged, empty = Counter[str](), 0
    for source in sources:
        found = named(source, "eval_results.json", ".json")
        tasks = Fields.of(source.document(), str(source)).part("eval")
        if not tasks.value:
            source.refuse("no 'eval' with tasks is there; give a file that evalplus.evaluate wrote")
        for task_id in tasks.value:
            samples = [_sample(verdict, tests, judged) for verdict in _verdicts(tasks, task_id)]
            empty += not samples
            name = as_text(task_id, str(source))
            sink.add(name, model or found.model, samples, settings={"temperature": found.temperature})
    sink.info["settings"] = {"tests": ", ".join(name for name in _TESTS if judged[name])}
    if empty:
        sink.note(f"{empty} tasks have no sample")
    if len(judged) > 1:
        sink.note(
            f"{judged['base']} samples were run with the base tests alone, {judged['plus']} with the plus tests too; "
            "tests='base' (--tests base) judges all of them by the same"
        )


class Named(NamedTuple):
    """What the name of a file says."""

    model: str
    temperature: float | None


def named(source: Source, *ends: str) -> Named:
    """Read the name of a file, without these ends, as EvalPlus gives it; one without more has its folder's name."""
    name = source.name
    for end in ends:
        name = name.removesuffix(end).rstrip("._")
    name = as_text(name or source.path.absolute().parent.name or source.name, str(source))
    match = _NAME.fullmatch(name)
    if match is None:
        return Named(name, None)
    return Named(match["model"].replace("--", "/") + (match["kind"] or ""), float(match["temperature"]))


class _Verdict(NamedTuple):
    """What was found of one sample, and where."""

    place: Fields
    text: str | None
    base: bool | None
    plus: bool | None


def _verdicts(tasks: Fields, task_id: str) -> Iterator[_Verdict]:
    """What was found of the samples of a task, in either shape."""
    if isinstance(tasks.value[task_id], list):
        for sample in tasks.parts(task_id):
            status = [_status(sample, sample.value.get(f"{name}_status")) for name in _TESTS]
            yield _Verdict(sample, sample.text("solution"), *status)
        return
    task = tasks.part(task_id)
    base, plus = ([_status(task, _first(task, pair)) for pair in task.values(name)] for name in _TESTS)
    counts = {len(base), len(plus) or len(base), task.count("nfiles") or len(task.values("files")) or len(base)}
    if not base or len(counts) > 1:
        task.refuse(f"{len(base)} of base and {len(plus)} of plus; each sample needs one of base, and of plus or none")
    for right, more in zip(base, plus or [None] * len(base), strict=True):
        yield _Verdict(task, None, right, more)


def _first(task: Fields, pair: Any) -> Any:
    """The status of [status, details]."""
    if not isinstance(pair, list) or not pair:
        task.refuse("a sample is no list [status, details]; run evalplus.evaluate again")
    return pair[0]


def _status(place: Fields, status: Any) -> bool | None:
    if status is None:
        return None
    text = as_text(status, f"{place.place}: the status of a sample")
    if text not in _STATUS:
        place.refuse(f"status {text[:40]!r}; {choose_from(text[:40], _STATUS)}")
    return _STATUS[text]


def _sample(found: _Verdict, tests: str | None, judged: Counter[str]) -> dict[str, Any]:
    """One sample, judged by the tests that are asked for."""
    chosen = tests or ("base" if found.plus is None else "plus")
    needed = {"base": found.base} if chosen == "base" else {"base": found.base, "plus": found.plus}
    for name, right in needed.items():
        if right is None:
            found.place.refuse(f"no status of the {name} tests; run evalplus.evaluate with them")
    judged[chosen] += 1
    return {"text": found.text, "correct": all(needed.values())}
