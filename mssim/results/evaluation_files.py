"""Files of evaluations: one Parquet row per strategy, budget and question, and a JSON header."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from mssim._files import whole_file
from mssim.errors import MssimError
from mssim.pools.arrow import table_from_frame
from mssim.pools.plain_types import to_frame
from mssim.results.jackknife import Jackknife
from mssim.results.spread import Spread
from mssim.rules.plan import QUANTITIES

__all__ = ["PER_QUESTION", "VARIANCE", "read_results", "write_results"]

SCHEMA = 5  # version of files; versions 2 and 3 have neither tokens nor latency, 2 to 4 equal numbers of replays
_READABLE = (2, 3, 4, SCHEMA)
PER_QUESTION = ("accuracy", "samples_used", "agreed", *QUANTITIES)  # columns, and attributes of Evaluation
REPLAYED = ("n_replays", "mc_variance")  # the same
VARIANCE = "jackknife_variance"
_SPREAD = "spread"


def write_results(
    path: str | os.PathLike[str], frame: pd.DataFrame, header: dict[str, Any], spread: Spread | None
) -> None:
    """Write the results of an evaluation atomically.

    Parameters
    ----------
    path : path
        The file.
    frame : DataFrame, one row per strategy, budget and question
        `Evaluation.per_question()`.
    header : dict
        All that the frame does not have, as JSON values.
    spread : Spread or None
        Distributions over questions and draws, if computed.

    Examples
    --------
    >>> import tempfile
    >>> from mssim import Evaluation, evaluate, load_pool
    >>> path = tempfile.mkdtemp() + "/results.parquet"
    >>> evaluate(load_pool("recorded/llm-products"), "sc:gemma", [4, 8]).save(path)
    >>> Evaluation.load(path)
    Evaluation(1 strategy, 2 budgets, 159 questions)
    """
    table = table_from_frame(frame if spread is None else frame.rename(columns={_SPREAD: f"question_{_SPREAD}"}))
    if spread is not None:
        # Not in the header: Arrow writes that twice, and readers of the schema would load it.
        table = table.append_column(_SPREAD, pa.array([spread.to_bytes()] + [None] * (len(frame) - 1), pa.binary()))
    table = table.replace_schema_metadata(
        {"mssim": json.dumps({"schema": SCHEMA, "spread": spread is not None, **header})}
    )
    with whole_file(path) as part:
        pa.parquet.write_table(table, part, compression="zstd", write_page_checksum=True)


def read_results(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the arguments of `Evaluation` from a file that `write_results` wrote.

    Files of schema 2 and 3 have neither tokens nor latency; both are NaN. Files up to schema 4 have one number of
    replays for all questions.

    Raises
    ------
    MssimError
        If the file is damaged, not a results file, or of an unknown schema.
    """
    try:
        table = pa.parquet.read_table(path, page_checksum_verification=True)
        header = json.loads((table.schema.metadata or {})[b"mssim"])
        if header["schema"] in _READABLE:
            return _arguments(table, header)
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise MssimError(
            f"{path}: not a results file of mssim, or damaged ({error!r:.200}). Use a file written by Evaluation.save."
        ) from error
    raise MssimError(
        f"{path}: unsupported schema version {header['schema']}. This mssim reads 2 to {SCHEMA}. Evaluate again."
    )


def _arguments(table: pa.Table, header: dict[str, Any]) -> dict[str, Any]:
    spread = None
    if header.get("spread"):
        spread = Spread.from_bytes(table[_SPREAD][0].as_py())
        table = table.drop_columns([_SPREAD])
    frame = to_frame(table)
    shape = (len(header["strategies"]), len(header["budgets"]))
    # Rows are in the order of strategies, budgets and questions, without budgets that a strategy was not given.
    evaluated = np.array(header.get("evaluated", np.ones(shape, dtype=bool)), dtype=bool).reshape(shape)
    grid = np.full((*shape, len(frame) // max(1, int(evaluated.sum()))), np.nan)

    def read(name: str) -> NDArray[np.float64]:
        values = grid.copy()
        values[evaluated] = frame.pop(name).to_numpy().reshape(-1, grid.shape[2])
        return values

    values = {"accuracy": read("accuracy")}
    values |= {name: read(name) if name in frame else grid for name in PER_QUESTION[1:]}
    if header["schema"] < SCHEMA:
        replays = np.broadcast_to(np.array(header["n_replays"])[:, :, None], grid.shape)
        variance = values["accuracy"] * (1 - values["accuracy"]) / np.where(replays > 1, replays - 1.0, np.nan)
        values |= {"n_replays": replays, "mc_variance": np.where(replays == 0, 0.0, variance)}
    else:
        values |= {name: read(name) for name in REPLAYED}
    values["n_replays"] = np.nan_to_num(values["n_replays"]).astype(np.int64)
    jackknife = Jackknife(read(VARIANCE), np.array(header["share"])) if "share" in header else None
    questions = frame.drop(columns=["strategy", "budget"]).iloc[: grid.shape[2]]
    return {
        "strategies": tuple(header["strategies"]),
        "budgets": np.array(header["budgets"], dtype=np.int64),
        "questions": questions.reset_index(drop=True),
        **values,
        "provenance": header["provenance"],
        "jackknife": jackknife,
        "bias": np.array(header["bias"]) if "bias" in header else None,
        "spread": spread,
    }
