"""Large Language Monkeys: JSON lists with thousands of samples of one model per problem (arXiv 2407.21787)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from mssim.importers.importing import Common, Paths, as_paths, to_pool
from mssim.importers.sink import Sink
from mssim.importers.sources import Fields, Source, expand
from mssim.pool import Pool

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from mssim.importers.importing import CommonOptions

__all__ = ["from_monkeys"]

PATTERNS = ("*.json",)


def from_monkeys(paths: Paths, *, model: str | None = None, **common: Unpack[CommonOptions]) -> Pool:
    """Import files of Large Language Monkeys, one per model and task.

    Parameters
    ----------
    paths : path or sequence of path
        JSON files, or folders of them; they are streamed. Each record has `samples` (texts) and `is_corrects`, or
        `is_correct`, for each; optional `question` or `prompt`, `gt_answer` and `orig_dset_idx`.
    model : str, optional
        Name of the model; default: the name of each file after its first underscore, GSM8K_Llama-3-8B-Instruct.json.
    **common
        rule, where, texts, strict, info: see `mssim.importers.Common`. Without a rule the samples have no answers to
        vote on, each is one of its own: right as often as the file says.

    Raises
    ------
    PoolError
        If a file is damaged, empty or in another format.
    """
    return to_pool("monkeys", partial(read, model=model), expand(as_paths(paths), *PATTERNS), Common(**common))


def read(sources: Sequence[Source], sink: Sink, *, model: str | None = None) -> None:
    """Read records one after the other."""
    for source in sources:
        name = model or source.path.stem.partition("_")[2] or source.path.stem
        for number, record in enumerate(source.items()):
            _read_record(record, number, name, sink)


def _read_record(record: Fields, number: int, model: str, sink: Sink) -> None:
    texts = record.texts("samples", required=True)
    right = record.flags("is_corrects" if "is_corrects" in record else "is_correct", required=True)
    if len(texts) != len(right):
        record.refuse(f"{len(texts)} samples, but {len(right)} of is_corrects; each sample needs one")
    question = {"question": record.text("question") or record.text("prompt"), "truth": record.text("gt_answer")}
    name = record.text("orig_dset_idx") or str(number)
    samples = ({"text": text, "correct": correct} for text, correct in zip(texts, right, strict=True))
    sink.add(name, model, samples, question=question)
