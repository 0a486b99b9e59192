"""Header of checkpoints: everything that determines the numbers of a run, as JSON."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from mssim.engine.checkpoint import Header
from mssim.engine.estimates import Control
from mssim.engine.job import SETTINGS, Job, read_job
from mssim.engine.versions import versions
from mssim.engine.work import Work
from mssim.errors import MssimError, StrategyError
from mssim.pools.arrow import table_from_frame
from mssim.pools.plain_types import rows_of, to_frame
from mssim.pools.pool import Pool
from mssim.rules.parsing import parse_strategy
from mssim.rules.text import describe

__all__ = ["controls_of", "header_of", "job_of", "questions_of"]


def header_of(work: Work) -> Header:
    """Return the header of a checkpoint."""
    job, pool = work.job, work.pool
    questions = table_from_frame(pool.questions)
    provenance = job.provenance(pool)
    settings = {
        "pool": {"answers": pool.fingerprint, **_columns(job, pool), "questions": _digest(questions)},
        "strategies": {name: _described(name, job) for name in job.strategies},
        "order of strategies": list(job.strategies),  # blocks refer to strategies by index
        "budgets": job.budgets.tolist(),
        **{name: provenance[name] for name in SETTINGS},
        "models": job.models,
        "units": [None if math.isnan(unit) else unit for unit in work.units],
        "versions": dict(versions()),
        "blocks": {"number": len(work.blocks), "digest": work.fingerprint},
        "controls": [[i, control.plan, _packed(control.coefficient)] for i, control in work.controls.items()],
    }
    file = io.BytesIO()
    pa.parquet.write_table(questions, file, compression="zstd")
    return Header(settings, provenance, file.getvalue())


def _described(name: str, job: Job) -> dict[str, Any]:
    """Return a strategy as a mapping, with its budgets unless they are those of the whole job."""
    strategy = job.strategies[name]
    described = describe(strategy.kind, strategy)
    try:
        same = parse_strategy(described) == strategy
    except StrategyError:
        same = False
    if not same:
        raise MssimError(
            f"{name}: checkpoints do not support functions and classes of your own, because a change of their code "
            "could not be detected. Evaluate this strategy separately, without a checkpoint."
        )
    own = job.own[name]
    return described if np.array_equal(own, job.budgets) else described | {"budgets": own.tolist()}


def _columns(job: Job, pool: Pool) -> dict[str, str]:
    """Return hashes of columns that votes read and that the fingerprint of the pool does not cover."""
    asked = sorted({column for plan in job.plans for column in plan.columns})
    return {
        f"column {column!r}": hashlib.sha256(np.ascontiguousarray(pool.number(column)).tobytes()).hexdigest()[:16]
        for column in asked
        if column not in pool.numbers
    }


def _packed(coefficients: NDArray[np.int64]) -> str:
    """Return coefficients of a control, from 0 to 16, as text."""
    return base64.b64encode(zlib.compress(coefficients.astype(np.uint8).tobytes())).decode()


def controls_of(settings: Mapping[str, Any], job: Job) -> dict[int, Control]:
    """Return the controls that settings describe, by plan."""
    found = {}
    for i, plan, text in settings["controls"]:
        values = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).astype(np.int64)
        found[int(i)] = Control(int(plan), values.reshape(job.plans[i].sizes.shape[1], -1))
    return found


def _digest(table: pa.Table) -> str:
    return hashlib.sha256(json.dumps([table.column_names, rows_of(table)], default=str).encode()).hexdigest()[:16]


def job_of(settings: Mapping[str, Any]) -> Job:
    """Return the job that settings describe."""
    strategies = {name: settings["strategies"][name] for name in settings["order of strategies"]}
    return read_job(strategies, settings["budgets"], **{name: settings[name] for name in SETTINGS})


def questions_of(header: Header) -> pd.DataFrame:
    """Return the questions of a header."""
    return to_frame(pa.parquet.read_table(io.BytesIO(header.questions)))
