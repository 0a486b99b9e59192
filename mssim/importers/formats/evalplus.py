"""EvalPlus: test results of samples for HumanEval+ and MBPP+ (github.com/evalplus/evalplus).

A results file is a JSON document with date, hash and eval. In eval, each task_id has a list with one object per sample:
solution, base_status and plus_status. A status is pass, fail or timeout; plus_status is null if only the tests of the
original benchmark were run. Until version 0.2, each task_id had an object instead: nfiles (earlier: files), base and
plus, which are lists of [status, details]. There, a status is success, failed or timed out, and solutions are absent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mssim._validation import choose_from, counted
from mssim.errors import MssimError
from mssim.importers.fields import Fields, as_text
from mssim.importers.glance import beginning
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["Named", "from_evalplus", "named"]

PATTERNS = ("*eval_results.json",)
TOOL = "EvalPlus, *eval_results.json"
VOTES = "none: pass@k and best-of-N only"
EXAMPLE = "mssim import evalplus llama_temp_0.8_eval_results.json --tests plus --out my-pool"

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
    """Import results of EvalPlus, which have verdicts but no answers to vote on.

    Parameters
    ----------
    paths : path or sequence of path
        Files *eval_results.json, or folders of them.
    model : str, optional
        Name of the model. By default it is taken from the file name: org--model_vllm_temp_0.8.eval_results.json is the
        model org/model at temperature 0.8. For a file eval_results.json, the name of its folder is used.
    tests : {"base", "plus"}, optional
        Tests that a correct sample must pass: "base" for the tests of the original benchmark, "plus" for these and the
        additional tests. By default, "plus" is used for the samples that were run with it.
    **common
        The options where, texts, strict and others, see `mssim.importers.Common`.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, or if `tests` were not run.

    Notes
    -----
    Every sample has a distinct answer. `mssim.pass_at_k` and best-of-N are meaningful, votes are not.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_evalplus
    >>> passed = {"solution": "def f(): ...", "base_status": "pass", "plus_status": "pass"}
    >>> failed = {"solution": "def g(): ...", "base_status": "pass", "plus_status": "fail"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "org--llama_vllm_temp_0.8.eval_results.json"
    ...     _ = path.write_text(json.dumps({"eval": {"HumanEval/0": [passed, failed]}}))
    ...     from_evalplus(path)
    Pool(1 question, 1 model, 2 samples each: org/llama)
    """
    return to_pool(
        "evalplus", partial(read, model=model, tests=tests), expand(as_paths(paths), *PATTERNS), Common(**common)
    )


def is_own(source: Source) -> bool:
    """Return whether a file has results of EvalPlus."""
    head = beginning(source)
    tasks = head.get("eval") if isinstance(head, dict) else None
    task = next(iter(tasks.values()), None) if isinstance(tasks, dict) else None
    sample = task[0] if isinstance(task, list) and task else task
    return isinstance(sample, dict) and ("base_status" in sample or {"base", "plus"} <= set(sample))


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None, tests: str | None = None) -> None:
    """Read the tasks of each file."""
    if tests not in (None, *_TESTS):
        raise MssimError(f"tests={tests!r} is not known. {choose_from(str(tests), _TESTS)}.")
    judged = Counter[str]()
    for source in sources:
        found = named(source, "eval_results.json", ".json")
        tasks = Fields.of(source.document(), str(source)).part("eval")
        if not tasks.value:
            source.refuse("has no 'eval' with tasks. Pass a file that evalplus.evaluate wrote.")
        for task_id in tasks.value:
            samples = [_sample(verdict, tests, judged) for verdict in _verdicts(tasks, task_id)]
            name = as_text(task_id, str(source))
            sink.add(name, model or found.model, samples, settings={"temperature": found.temperature})
    sink.info["settings"] = {"tests": ", ".join(name for name in _TESTS if judged[name])}
    if len(judged) > 1:
        sink.note(
            f"{counted(judged['base'], 'sample was', 'samples were')} run with the base tests only, {judged['plus']} "
            "with the plus tests too. To apply the same tests to all samples, use tests='base'."
        )


class Named(NamedTuple):
    """Model and temperature, as parsed from a file name."""

    model: str
    temperature: float | None


def named(source: Source, *ends: str) -> Named:
    """Parse a file name in the scheme of EvalPlus, without the suffixes `ends`. If empty, use the folder name."""
    name = source.name
    for end in ends:
        name = name.removesuffix(end).rstrip("._")
    name = as_text(name or source.path.absolute().parent.name or source.name, str(source))
    match = _NAME.fullmatch(name)
    if match is None:
        return Named(name, None)
    return Named(match["model"].replace("--", "/") + (match["kind"] or ""), float(match["temperature"]))


class _Verdict(NamedTuple):
    """Test results of a sample, and its location."""

    place: Fields
    text: str | None
    base: bool | None
    plus: bool | None


def _verdicts(tasks: Fields, task_id: str) -> Iterator[_Verdict]:
    """Iterate over the test results of a task, in either layout."""
    if isinstance(tasks.value[task_id], list):
        for sample in tasks.parts(task_id):
            status = [_status(sample, sample.value.get(f"{name}_status")) for name in _TESTS]
            yield _Verdict(sample, sample.text("solution"), *status)
        return
    task = tasks.part(task_id)
    base, plus = ([_status(task, _first(task, pair)) for pair in task.values(name)] for name in _TESTS)
    files = task.count("nfiles") or len(task.values("files")) or len(base)
    if not base or len({len(base), len(plus) or len(base), files}) > 1:
        task.refuse(
            f"has {files} samples, {len(base)} results of base and {len(plus)} of plus. Each sample needs a result of "
            "base, and of plus unless plus was not run. Rerun evalplus.evaluate."
        )
    for right, more in zip(base, plus or [None] * len(base), strict=True):
        yield _Verdict(task, None, right, more)


def _first(task: Fields, pair: Any) -> Any:
    """Return the status of a pair [status, details]."""
    if not isinstance(pair, list) or not pair:
        task.refuse("a sample is not a list [status, details]. Rerun evalplus.evaluate.")
    return pair[0]


def _status(place: Fields, status: Any) -> bool | None:
    if status is None:
        return None
    text = as_text(status, f"{place.place}: the status of a sample")
    if text not in _STATUS:
        place.refuse(f"status {text[:40]!r} is not known. {choose_from(text[:40], _STATUS)}.")
    return _STATUS[text]


def _sample(found: _Verdict, tests: str | None, judged: Counter[str]) -> dict[str, Any]:
    """Return a sample with its verdict by the chosen tests."""
    chosen = tests or ("base" if found.plus is None else "plus")
    needed = {"base": found.base} if chosen == "base" else {"base": found.base, "plus": found.plus}
    for name, right in needed.items():
        if right is None:
            remedy = ", or use tests='base'" if name == "plus" else ""
            found.place.refuse(f"has no status of the {name} tests. Run evalplus.evaluate with these tests{remedy}.")
    judged[chosen] += 1
    return {"text": found.text, "correct": all(needed.values())}
