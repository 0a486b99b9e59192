"""LiveCodeBench: programs that tests found right or wrong (github.com/LiveCodeBench/LiveCodeBench).

`lcb_runner --evaluate` writes output/MODEL/Scenario.SCENARIO_N_TEMPERATURE_eval_all.json, a JSON list with one object
per problem (lcb_runner/utils/path_utils.py, lcb_runner/benchmarks/code_generation.py). Each has question_id,
question_title, question_content, platform, difficulty, contest_date, and one entry per sample in output_list,
code_list and graded_list. An entry of graded_list is a Boolean, or a list with the result of every test, in which
numbers above 0 and true are successes (lcb_runner/evaluation/pass_k_utils.py). Scores are reported by difficulty.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mssim.errors import PoolError
from mssim.importers.fields import Fields, as_flag, as_number, as_text
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.reshape import samples_of
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_livecodebench"]

PATTERNS = ("*_eval_all.json", "*_eval_all.json.gz", "*_eval_all.json.zst")
TOOL = "LiveCodeBench, *_eval_all.json"
VOTES = "none: pass@k and best-of-N only"
EXAMPLE = "mssim import livecodebench output/*/Scenario.codegeneration_10_0.2_eval_all.json --out my-pool"

_NAME = re.compile(
    r"(?:Scenario\.)?(?P<scenario>[a-z]+)_[0-9]+_(?P<temperature>[0-9]{1,3}(?:\.[0-9]{1,6})?)(?:_cot)?_eval_all\.json.*"
)
_FACTS = ("difficulty", "platform", "contest_date")


def from_livecodebench(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import results of LiveCodeBench, which have verdicts but no answers to vote on.

    Parameters
    ----------
    paths : path or sequence of path
        Files *_eval_all.json, or folders of them. Several files in one folder are more samples of one model.
    model : str, optional
        Name of the model. By default it is the name of the folder of each file, as LiveCodeBench writes them. A file
        with another name is named after its model: MODEL_eval_all.json.
    **common
        The options where, texts, strict and others, see `mssim.importers.Common`.

    Returns
    -------
    Pool
        The imported pool. Questions have the columns difficulty, platform and contest_date.

    Raises
    ------
    PoolError
        If a file is damaged, has no verdicts, or if files are from different scenarios.

    Notes
    -----
    Every sample has a distinct answer. `mssim.pass_at_k` and best-of-N are meaningful, votes are not.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_livecodebench
    >>> problem = {"question_id": "abc301_a", "question_content": "Who won?", "difficulty": "easy"}
    >>> problem |= {"code_list": ["print(1)", "print(2)"], "graded_list": [True, False]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "llama" / "Scenario.codegeneration_2_0.2_eval_all.json"
    ...     path.parent.mkdir()
    ...     _ = path.write_text(json.dumps([problem]))
    ...     from_livecodebench(path)
    Pool(1 question, 1 model, 2 samples each: llama)
    """
    return to_pool("livecodebench", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has the shape of this format."""
    first = source.first
    generated = isinstance(first.get("code_list"), list) or isinstance(first.get("output_list"), list)
    return generated and "question_id" in first and isinstance(first.get("graded_list"), list)


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read all problems of each file."""
    sink.apart("difficulty")
    scenarios: dict[str, Source] = {}
    for source in sources:
        name, scenario, temperature = _named(source)
        if scenario:
            scenarios.setdefault(scenario, source)
        if len(scenarios) > 1:
            raise PoolError(
                f"{' and '.join(map(str, scenarios.values()))} are from the scenarios {' and '.join(scenarios)}. "
                "Their samples differ in kind. Import one scenario at a time."
            )
        for record in source.records():
            _read_problem(record, model or name, temperature, sink)


def _named(source: Source) -> tuple[str, str | None, float | None]:
    """Return the names of model and scenario, and the temperature, as far as the path has them."""
    found = _NAME.fullmatch(source.name)
    if found is None:
        name = re.sub(r"_eval_all$", "", source.name.partition(".json")[0])
        return as_text(name or source.name, str(source)), None, None
    folder = source.path.absolute().parent.name
    return as_text(folder, str(source)), found["scenario"], float(found["temperature"])


def _read_problem(record: Fields, model: str, temperature: float | None, sink: Sink) -> None:
    """Add the samples of one problem."""
    if "pred_list" in record:
        record.refuse(
            "has predictions, not programs. Import them with the format table: "
            "names='answer=pred_list,correct=graded_list'."
        )
    if "graded_list" not in record:
        record.refuse("has no 'graded_list'. Run lcb_runner with --evaluate, and import the file *_eval_all.json.")
    place = f"{record.place}: 'graded_list'"
    verdicts = [_verdict(value, place) for value in record.values("graded_list")]
    texts = next((name for name in ("output_list", "code_list") if record.values(name)), None)
    names = {"correct": "graded_list"} | ({"text": texts} if texts else {})
    rows = samples_of(Fields({**record.value, "graded_list": verdicts}, record.place), names)
    judged = [row for row in rows if row["correct"] is not None]
    if len(judged) < len(rows):
        sink.fail("not judged", len(rows) - len(judged))
    question = {"question": record.text("question_content") or record.text("question_title")}
    question |= {name: record.text(name) for name in _FACTS}
    sink.add(record.name("question_id"), model, judged, question=question, settings={"temperature": temperature})


def _verdict(value: Any, place: str) -> bool | None:
    """Return whether a sample passed all of its tests, or None if it was not judged."""
    if isinstance(value, list):
        return all(_passed(test, place) for test in value) if value else None
    return None if value is None else as_flag(value, place)


def _passed(test: Any, place: str) -> bool:
    return test if isinstance(test, bool) else as_number(test, place) > 0
