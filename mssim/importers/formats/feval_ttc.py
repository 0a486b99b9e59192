"""FEval-TTC: recorded chains of thought of 14 models on 16 data sets, for test-time compute (networkslab/feval_ttc).

The repository github.com/networkslab/feval_ttc says what its archive api_responses.zip holds: `feval_ttc/api.py` (the
JSON files dataset_NAME.txt, dataset_NAME_models.txt and LLM_MODEL_dataset_NAME.txt), `feval_ttc/dataset_interface.py`
(data[] with question and answer, datatype), `feval_ttc/llm_interface.py` (config with name, temperature and
max_tokens, and responses[], one per question in the order of data[], with the request and cots[]; a chain of thought
has raw_text, answer and metadata with dollar_cost, token_cost and finish_reason; a query of several chains pays for its
request once), `feval_ttc/cost_model.py` (token_cost is 1.365 times the number of words, rounded, and dollar_cost is in
US dollars at prices of 2 June 2025) and `examples/example_self_consistency.py` (an answer is correct if it equals the
answer of the data set; a missing one does not vote).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mssim.importers.fields import Fields, as_text
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_feval_ttc"]

PATTERNS = ("*_dataset_*.txt", "*_dataset_*.json")  # of models; the questions are found beside them
TOOL = "FEval-TTC, the unpacked archive api_responses.zip"
VOTES = "the extracted answers"
EXAMPLE = "mssim import feval-ttc api_responses --where dataset=GSM8K --out my-pool"

_NAME = re.compile(r"(?:^|_)dataset_(.+?)(_models)?\.(?:txt|json)(?:\.gz|\.zst)?$")
_RUN_FAILED = ("run_cancelled", "run_expired", "run_failed")


def from_feval_ttc(paths: Paths, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import chains of thought of FEval-TTC.

    Parameters
    ----------
    paths : path or sequence of path
        The unpacked archive, or files LLM_MODEL_dataset_NAME.txt of it. The questions are those of dataset_NAME.txt in
        the same folder or in the folder above, or of a file of that name that is given.
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. ``where="dataset=GSM8K"``
        selects a data set.

    Returns
    -------
    Pool
        The imported pool. Questions are named DATASET/INDEX, from 0, and have the column dataset.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, if the questions of a data set are missing, or if a model
        has more responses than there are questions.

    Notes
    -----
    Answers are those that FEval-TTC extracted, and are correct if they equal the answer of the data set. The column
    output_tokens is the approximation of FEval-TTC, 1.365 tokens per word. A request that returned n chains of thought
    is paid once: its tokens are in request_input_tokens, and each sample bears an n-th of its cost, so that `cost`,
    in US dollars, adds up to what was paid. Chains whose run failed, expired or was cancelled are failed samples.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_feval_ttc
    >>> metadata = {"dollar_cost": 1e-6, "token_cost": 4, "finish_reason": "stop"}
    >>> cots = [{"raw_text": f"It is {answer}.", "answer": answer, "metadata": metadata} for answer in "45"]
    >>> model = {"config": {"name": "gpt-4o-mini", "temperature": 0.7}, "responses": [{"cots": cots}]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "dataset_SVAMP.txt"
    ...     _ = path.write_text(json.dumps({"data": [{"question": "2 + 2?", "answer": "4"}], "datatype": "SVAMP"}))
    ...     path = Path(folder) / "LLM_gpt-4o-mini_dataset_SVAMP.txt"
    ...     _ = path.write_text(json.dumps(model))
    ...     from_feval_ttc(folder)
    Pool(1 question, 1 model, 2 samples each: gpt-4o-mini)
    """
    return to_pool("feval-ttc", read, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file is one of FEval-TTC."""
    found = _NAME.search(source.name)
    if found is None:
        return False
    return found[2] is not None or "cots" in source.first or {"question", "answer"} <= source.first.keys()


def read(sources: Sequence[Source], sink: Sink) -> None:
    """Read the responses of each file, and the questions of their data sets."""
    names = [_names(source) for source in sources]
    files = {name.dataset: source for name, source in zip(names, sources, strict=True) if name.kind == "questions"}
    questions: dict[str, list[dict[str, str | None]]] = {}
    sink.apart("dataset")
    for name, source in zip(names, sources, strict=True):
        if name.kind != "responses":
            continue
        if name.dataset not in questions:
            file = files.get(name.dataset) or _beside(source, name.dataset, sink)
            questions[name.dataset] = [_question(entry, name.dataset) for entry in file.items("data")]
        _read_responses(source, name.dataset, questions[name.dataset], sink)


class _Names(NamedTuple):
    """What the name of a file says."""

    dataset: str
    kind: str  # questions, responses or models


def _names(source: Source) -> _Names:
    if source.starts_with(b"PK\x03\x04"):
        source.refuse("is a zip archive. Unpack it and pass the folder.")
    found = _NAME.search(source.name)
    if found is None:
        source.refuse("is not named dataset_NAME.txt or LLM_MODEL_dataset_NAME.txt. Keep the names of FEval-TTC.")
    of_dataset = "models" if found[2] else "questions"
    return _Names(as_text(found[1], str(source)), of_dataset if source.name.startswith("dataset_") else "responses")


def _beside(source: Source, dataset: str, sink: Sink) -> Source:
    """Return the file with the questions of a data set, from the folder of a file or the folder above."""
    name = f"dataset_{dataset}{source.path.suffix}"
    folder = source.path.absolute().parent
    found = next((path for path in (folder / name, folder.parent / name) if path.is_file()), None)
    if found is None:
        source.refuse(f"the questions of its data set are missing. Put {name} into the same folder, or pass it too.")
    questions = Source(found)
    sink.info.setdefault("question_files", []).append(questions.describe())
    return questions


def _question(entry: Fields, dataset: str) -> dict[str, str | None]:
    return {"question": entry.text("question"), "truth": entry.name("answer"), "dataset": dataset}


def _read_responses(source: Source, dataset: str, questions: Sequence[dict[str, str | None]], sink: Sink) -> None:
    config = source.part("config")
    model = config.name("name")
    settings = {"temperature": config.number("temperature"), "max_tokens": config.count("max_tokens")}
    answered = 0
    for number, response in enumerate(source.items("responses")):
        if number == len(questions):
            source.refuse(f"has more responses than data set {dataset} has questions, {number}. Check the names.")
        samples = _samples(response, sink)
        answered += bool(samples)
        sink.add(f"{dataset}/{number}", model, samples, question=questions[number], settings=settings)
    if answered < len(questions):
        sink.note(f"{model} has samples for {answered} of the {len(questions)} questions of data set {dataset}.")


def _samples(response: Fields, sink: Sink) -> list[dict[str, Any]]:
    """Return the samples of a response. Its request is paid once and shared by all of them."""
    request, chains = response.part("request"), response.parts("cots", required=True)
    shared: dict[str, Any] = {"request_input_tokens": request.count("token_cost"), "request_samples": len(chains)}
    if len(chains) == 1:
        shared = {"input_tokens": shared["request_input_tokens"]}
    paid = (request.number("dollar_cost") or 0) / max(len(chains), 1)
    samples = []
    for chain in chains:
        metadata = chain.part("metadata")
        reason = metadata.text("finish_reason")
        if reason in _RUN_FAILED:
            sink.fail(reason.replace("_", " "))
            continue
        own = metadata.number("dollar_cost")
        sample = {**shared, "text": chain.text("raw_text"), "answer": chain.text("answer"), "finish_reason": reason}
        sample |= {"output_tokens": metadata.count("token_cost"), "cost": None if own is None else own + paid}
        samples.append(sample)
    return samples
