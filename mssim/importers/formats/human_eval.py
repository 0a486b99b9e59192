"""HumanEval: samples that were run with its tests (github.com/openai/human-eval).

evaluate_functional_correctness copies the file of samples to SAMPLES.jsonl_results.jsonl, one object per line, and adds
to each `result`, which is "passed", "timed out" or "failed: ...", and `passed`. Every line has task_id and completion,
and whatever else the samples had; some versions add completion_id, the number of a sample of its task.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from mssim.errors import PoolError
from mssim.importers.fields import Fields
from mssim.importers.formats.evalplus import named
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_human_eval"]

PATTERNS = ("*_results.jsonl",)

_NUMBERS = ("score", "confidence", "mean_logprob")


def from_human_eval(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    """Import the results of HumanEval: samples that are right or wrong, without answers to vote on.

    Parameters
    ----------
    paths : path or sequence of path
        Files *_results.jsonl, or folders of them, one per model. Lines may have a number `score`, `confidence` or
        `mean_logprob` besides what HumanEval writes; best-of-N needs a score.
    model : str, optional
        Name of the model; default: the name of each file without .jsonl_results.jsonl. One that is named as EvalPlus
        does it, like model_temp_0.8, gives its temperature too.
    **common
        where, texts, strict, info: see `mssim.importers.Common`.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, or two files have one name and no model is given.

    Notes
    -----
    Every sample is an answer of its own: `mssim.pass_at_k` and best-of-N say something, votes do not.
    """
    return to_pool("human-eval", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read lines one after the other."""
    names: dict[str, Source] = {}
    for source in sources:
        if source.starts_with(b"\x1f\x8b"):
            source.refuse("compressed; unpack it with gunzip first")
        found = named(source, "_results.jsonl", ".jsonl")
        if model is None and names.setdefault(found.model, source) is not source:
            raise PoolError(
                f"{names[found.model]} and {source} are both named after a model {found.model!r}: name each file after "
                "its own, or say that they are of one with model (--model)"
            )
        seen: set[tuple[str, int]] = set()
        for line in source.lines():
            _read_line(line, model or found.model, found.temperature, seen, sink)


def _read_line(line: Fields, model: str, temperature: float | None, seen: set[tuple[str, int]], sink: Sink) -> None:
    task_id, number = line.name("task_id"), line.count("completion_id")
    if number is not None:
        if (task_id, number) in seen:
            line.refuse(f"completion_id {number} of task {task_id!r} is there twice; its sample would count twice")
        seen.add((task_id, number))
    text = line.text("completion") if "completion" in line else line.text("solution")
    numbers = {name: line.number(name) for name in _NUMBERS if name in line}
    sink.add(
        task_id, model, [{"text": text, "correct": _passed(line), **numbers}], settings={"temperature": temperature}
    )


def _passed(line: Fields) -> bool:
    """What the tests said; without `passed`, the text that goes with it."""
    passed, result = line.flag("passed"), line.text("result")
    if passed is None:
        if result is None:
            line.refuse(
                "neither 'passed' nor 'result' is there; give the file that evaluate_functional_correctness wrote"
            )
        passed = result == "passed"
    return passed
