"""The pool of runs of a protocol: a run is a sample of one model, which has the name of the protocol."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

import mssim
from mssim.errors import PoolError
from mssim.grading import grade_file
from mssim.live.played import Played
from mssim.live.protocol_setup import ProtocolSetup
from mssim.pools.arrow import table_from_frame
from mssim.pools.folder import current, folder_update, read_info, write_info
from mssim.pools.texts import encodable
from mssim.recorder._export import CACHE
from mssim.recorder.journal import Journal

__all__ = ["write_pool"]

_TYPES = {
    "question_id": pa.string(),
    "model": pa.string(),
    "sample_index": pa.int64(),
    "text": pa.string(),
    "finish_reason": pa.string(),
    "input_tokens": pa.int64(),
    "output_tokens": pa.int64(),
    "cost": pa.float64(),
    "latency": pa.float64(),
    "calls": pa.int64(),
    "ended": pa.string(),
}
_TOKENS = (
    "A sample is a run of the protocol. Tokens and cost are those of all its calls, calls is their number, and latency "
    "is the sum over rounds of the longest call."
)


def write_pool(
    folder: Path,
    name: str,
    setup: ProtocolSetup,
    played: Sequence[Played],
    rows: Sequence[Mapping[str, Any]],
    journal: Journal,
) -> pd.DataFrame:
    """Write samples.parquet, questions.parquet and pool.json, graded, and return the graded samples without texts.

    Parameters
    ----------
    folder : Path
        Folder of the pool.
    name : str
        Name of the model.
    setup : ProtocolSetup
        The protocol.
    played : sequence of Played
        The finished runs. There is at least one.
    rows : sequence of mapping
        The questions.
    journal : Journal
        Journal with the calls.
    """
    questions = table_from_frame(pd.DataFrame(list(rows), dtype=object))
    with folder_update(folder) as part:
        ungraded, samples = part / "ungraded.parquet", part / "samples.parquet"
        pa.parquet.write_table(_samples(name, played), ungraded, compression="zstd")
        pa.parquet.write_table(questions, part / "questions.parquet", compression="zstd")
        grading = grade_file(ungraded, samples, questions, setup.rule, cache=folder / CACHE)
        ungraded.unlink()
        graded = pa.parquet.read_table(samples, columns=["question_id", "sample_index", "answer", "correct"])
        info = {**_kept(folder), **_described(name, setup, journal), "grader": grading.describe()}
        info["counts"] = {"questions": questions.num_rows, "models": 1, "samples": len(played)}
        write_info(part, folder, info)
    frame: pd.DataFrame = graded.to_pandas()
    return frame


def _samples(name: str, played: Sequence[Played]) -> pa.Table:
    rows = [{**asdict(one), "model": name, "sample_index": one.run, "text": encodable(one.text)} for one in played]
    types = _TYPES if any(one.cost is not None for one in played) else {k: v for k, v in _TYPES.items() if k != "cost"}
    return pa.Table.from_pylist(rows, pa.schema(list(types.items())))


def _kept(folder: Path) -> dict[str, Any]:
    """Return the entries of pool.json that the user may have added."""
    try:
        info = read_info(folder) if current(folder, "pool.json").exists() else {}
    except PoolError:  # damaged; it is written again
        return {}
    info.pop("files", None)
    return info


def _described(name: str, setup: ProtocolSetup, journal: Journal) -> dict[str, Any]:
    info, period = journal.info(), journal.period()
    identity = setup.identity()
    source = f"runs of {setup.protocol} (arXiv {setup.protocol.source}), recorded with mssim {mssim.__version__}"
    described = {
        "source": source,
        **info["pool"],
        "models": {name: {**identity, "servers": sorted({plan.server.base_url for plan in setup.models.values()})}},
        "recorded": [
            datetime.datetime.fromtimestamp(t, datetime.UTC).isoformat(timespec="seconds") for t in period or ()
        ],
        "tokens": _TOKENS,
    }
    return described | ({"prices": info["prices"]} if info["prices"] else {})
