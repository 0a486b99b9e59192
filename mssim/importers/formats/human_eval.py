"""HumanEval: test results of samples (github.com/openai/human-eval).

evaluate_functional_correctness copies the samples to SAMPLES.jsonl_results.jsonl, with one object per line. It adds
`passed` and `result`, which is "passed", "timed out" or "failed: ...". Each line has task_id, completion and any other
keys of the sample. Some versions add completion_id, the index of the sample within its task.
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
TOOL = "HumanEval, *_results.jsonl"
VOTES = "none: pass@k and best-of-N only"
EXAMPLE = "mssim import human-eval llama_temp_0.8.jsonl_results.jsonl --out my-pool"

_NUMBERS = ("score", "confidence", "mean_logprob")


def from_human_eval(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import results of HumanEval, which have verdicts but no answers to vote on.

    Parameters
    ----------
    paths : path or sequence of path
        Files *_results.jsonl, or folders of them, with one file per model. Lines may have the additional numbers
        `score`, `confidence` and `mean_logprob`. Best-of-N requires `score`.
    model : str, optional
        Name of the model. By default it is the name of each file without .jsonl_results.jsonl. A name in the scheme of
        EvalPlus, such as model_temp_0.8, also sets the temperature.
    **common
        The options where, texts, strict and others, see `mssim.importers.Common`.

    Returns
    -------
    Pool
        The imported pool.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, or if two files imply the same model name.

    Notes
    -----
    Every sample has a distinct answer. `mssim.pass_at_k` and best-of-N are meaningful, votes are not.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_human_eval
    >>> lines = [{"task_id": "HumanEval/0", "completion": "return 1", "passed": passed} for passed in (True, False)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "llama_temp_0.8.jsonl_results.jsonl"
    ...     _ = path.write_text("\n".join(map(json.dumps, lines)))
    ...     from_human_eval(path)
    Pool(1 question, 1 model, 2 samples each: llama)
    """
    return to_pool("human-eval", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has samples with the results of their tests."""
    first = source.first
    judged = isinstance(first.get("passed"), bool) and isinstance(first.get("result"), str)
    return "task_id" in first and judged and not {"completion", "solution"}.isdisjoint(first)


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read all lines of each file."""
    names: dict[str, Source] = {}
    for source in sources:
        found = named(source, "_results.jsonl", ".jsonl")
        if model is None and names.setdefault(found.model, source) is not source:
            raise PoolError(
                f"{names[found.model]} and {source} both imply the model name {found.model!r}. Rename the files after "
                "their models, or pass model=NAME if both belong to the same model."
            )
        seen: set[tuple[str, int]] = set()
        for line in source.lines():
            _read_line(line, model or found.model, found.temperature, seen, sink)


def _read_line(line: Fields, model: str, temperature: float | None, seen: set[tuple[str, int]], sink: Sink) -> None:
    task_id, number = line.name("task_id"), line.count("completion_id")
    if number is not None:
        if (task_id, number) in seen:
            line.refuse(f"completion_id {number} of task {task_id!r} appears twice. Remove one of the lines.")
        seen.add((task_id, number))
    text = line.text("completion") if "completion" in line else line.text("solution")
    numbers = {name: line.number(name) for name in _NUMBERS if name in line}
    sink.add(
        task_id, model, [{"text": text, "correct": _passed(line), **numbers}], settings={"temperature": temperature}
    )


def _passed(line: Fields) -> bool | None:
    """Return the verdict of the tests, from `passed` or else from `result`, or None if both are null."""
    passed, result = line.flag("passed"), line.text("result")
    if not {"passed", "result"} & line.value.keys():
        line.refuse("has neither 'passed' nor 'result'. Pass the file that evaluate_functional_correctness wrote.")
    return result == "passed" if passed is None and result is not None else passed
