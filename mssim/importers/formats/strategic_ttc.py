"""Strategic test-time compute ("Test-Time Compute Games", arXiv 2601.21839): 128 samples of one model per question.

Released as Human-Centric-Machine-Learning/strategic-ttc-data on Hugging Face. The repository
github.com/Networks-Learning/strategic-ttc says what the files are: `strategic_ttc/core/generation.py` (JSON Lines with
one question each: qid, prompt, which may end in instructions, and the parallel lists answers, which are whole
responses, correct, explanations, num_tokens and rewards, beside ground_truths, question_meta, model_name and
reward_model_name; num_tokens of reasoning models are pairs of thinking tokens and all tokens),
`strategic_ttc/verifiers/*.py` (the first of ground_truths counts; an explanation starts with what was extracted, such
as boxed='7', parsed='B' or pred=B), `strategic_ttc/models/hf_chat.py` (model_name is "hf_chat:" and the name on Hugging
Face; tokens are those that were generated),
`strategic_ttc/core/accuracy_analysis.py` (majority votes are cast by what the explanations extracted),
`scripts/load_results.py` (of records with the same qid the first counts) and `README.md` (files are named
MODEL--temp-T--samples-N--max-TOKENS.jsonl).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mssim._validation import counted
from mssim.grading.number_values import exact_value
from mssim.grading.numbers import read_number
from mssim.importers.fields import Fields, as_text
from mssim.importers.judged import Judged
from mssim.importers.pipeline import Common, Paths, as_paths, to_pool
from mssim.importers.reshape import samples_of
from mssim.importers.safe_files import Source, expand
from mssim.importers.sink import Sink
from mssim.pools.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.pipeline import CommonOptions

__all__ = ["from_strategic_ttc"]

PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.jsonl.zst")
TOOL = "strategic-ttc (Test-Time Compute Games)"
VOTES = "what the verifiers extracted, or by --rule; score is the reward"
EXAMPLE = "mssim import strategic-ttc GSM8K/*.jsonl --out my-pool"

_LISTS = {"text": "answers", "correct": "correct", "output_tokens": "num_tokens", "score": "rewards"}
_EXTRACTED = re.compile(r"\w+='(.*?)'; |pred=(\w+); ", re.DOTALL)
_TEMPERATURE, _TOKENS = re.compile(r"--temp-(\d+(?:\.\d+)?)(?=--|$)"), re.compile(r"--max-(\d{1,9})(?=--|$)")


def from_strategic_ttc(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    r"""Import samples of strategic-ttc, with rewards, verdicts and numbers of tokens.

    Parameters
    ----------
    paths : path or sequence of path
        JSON Lines files, or folders of them. A name such as Llama-3-8B--temp-0.6--samples-128--max-512.jsonl sets the
        temperature and max_tokens.
    model : str, optional
        Name of the model. By default it is model_name of the records without "hf_chat:", or else the name of the file
        up to "--temp".
    **common
        The options rule, where, texts, strict and others, see `mssim.importers.Common`. A rule grades the responses.

    Returns
    -------
    Pool
        The imported pool. The column score is the reward.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format, or if the lists of a record have different lengths.

    Notes
    -----
    Without a rule, answers are what the verifiers of strategic-ttc extracted, which is how its majority votes are cast.
    Numbers that are equal, such as 7 and 7.0, are one answer. Without explanations, every sample has a distinct answer.
    Samples without a verdict are failed. The column output_tokens counts all generated tokens, including thinking. Of
    records that repeat a qid in a file, the first counts, as in strategic-ttc.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from mssim.importers import from_strategic_ttc
    >>> record = {"qid": "gsm8k-1", "prompt": "2 + 2?", "ground_truths": ["4"], "answers": ["So 4.", "So 5."]}
    >>> record |= {"correct": [True, False], "num_tokens": [3, 3], "rewards": [0.2, 0.1]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "Llama-3-8B--temp-0.6--samples-2--max-512.jsonl"
    ...     _ = path.write_text(json.dumps(record))
    ...     from_strategic_ttc(path)
    Pool(1 question, 1 model, 2 samples each: Llama-3-8B)
    """
    read_them = partial(read, model=model)
    return to_pool("strategic-ttc", read_them, expand(as_paths(paths), *PATTERNS), Common(**common))


def is_own(source: Source) -> bool:
    """Return whether a file has the records of strategic-ttc."""
    return {"qid", "answers", "correct", "num_tokens"} <= source.first.keys()


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read all records of each file."""
    reader = _Reader(sink)
    for source in sources:
        reader.read(source, model)
    reader.end()


class _Reader:
    """Adds records to a sink and keeps what they share."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._judged = sink, Judged(sink)
        self._numbers: dict[tuple[str, str], str] = {}  # spellings, by question and value
        self._repeated = 0

    def read(self, source: Source, model: str | None) -> None:
        """Add all records of a file."""
        stem = as_text(source.name.partition(".jsonl")[0], str(source))
        temperature, tokens = _TEMPERATURE.search(stem), _TOKENS.search(stem)
        settings = {
            "temperature": float(temperature[1]) if temperature else None,
            "max_tokens": int(tokens[1]) if tokens else None,
        }
        seen: set[str] = set()
        for record in source.records():
            question_id = record.name("qid")
            if question_id in seen:
                self._repeated += 1
                continue
            seen.add(question_id)
            name = model or (record.text("model_name") or "").removeprefix("hf_chat:") or stem.partition("--temp")[0]
            self._add(record, question_id, name, settings)

    def _add(self, record: Fields, question_id: str, model: str, settings: Mapping[str, Any]) -> None:
        record.values("answers", required=True)
        record.values("correct", required=True)
        names = dict(_LISTS)
        if any(isinstance(count, list) for count in record.values("num_tokens")):
            names["output_tokens"] += ".1"  # pairs of thinking tokens and all tokens
        rows = samples_of(record, names)
        self._extract(record, question_id, rows)
        truths = record.texts("ground_truths")
        question = {"question": record.part("question_meta").text("question"), "truth": truths[0] if truths else None}
        prompt = record.text("prompt")  # with instructions that may differ between models
        self._sink.add(question_id, model, [], prompt=prompt)
        self._judged.add(record, question_id, model, rows, question=question, settings=settings)

    def _extract(self, record: Fields, question_id: str, rows: Sequence[dict[str, Any]]) -> None:
        """Add the answers that the verifier extracted."""
        explanations = record.texts("explanations")
        if explanations and len(explanations) != len(rows):
            record.refuse(f"'explanations' has {len(explanations)} items, but 'answers' has {len(rows)}. Correct them.")
        for row, explanation in zip(rows, explanations, strict=False):
            row["answer"] = self._extracted(question_id, explanation or "")

    def _extracted(self, question_id: str, explanation: str) -> str | None:
        """Return what a verifier extracted. Of numbers that are equal, the first spelling is returned."""
        found = _EXTRACTED.match(explanation)
        said = None if found is None else found[1] or found[2]
        number = None if said is None else read_number(said)
        return said if number is None else self._numbers.setdefault((question_id, exact_value(number)), number)

    def end(self) -> None:
        """Report what was left out or changed."""
        if self._repeated:
            self._sink.note(
                f"{counted(self._repeated, 'record repeats', 'records repeat')} the qid of an earlier record of the "
                "file. As in strategic-ttc, the first counts."
            )
        self._judged.end()
