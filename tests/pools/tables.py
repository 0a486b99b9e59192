"""Tables and pools in files that the tests of pools share, and what loading them must give."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mssim import Pool, PoolError, load_pool
from tests.conftest import long_frame

FOUR = pytest.mark.usefixtures("blocks_of_four")
QUIET = pytest.mark.filterwarnings("ignore::mssim.PoolWarning")

GOOD = {
    ("x", "q1"): ["a", "b", "a"],
    ("y", "q1"): ["b", "b", "c"],
    ("x", "q2"): ["a"] * 3,
    ("y", "q2"): ["c", "a", "b"],
}


def full_pool():
    return Pool.from_frame(
        long_frame(
            GOOD, topic="t", tokens=range(12), cost=[0.5] * 11 + [np.nan], text=[f"text {i}" for i in range(12)]
        ),
        info={"title": "a title", "licence": "MIT", "settings": {"temperature": 1.0}},
    )


def part(folder, number):
    return folder / f"samples-{number:05}.parquet"


def write_split(frame, folder, edges, rows=None):
    """Write a frame as files that end at these rows, each in row groups of so many."""
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
    edges = sorted({0, *edges, table.num_rows})
    folder.mkdir(exist_ok=True)
    for number, (first, last) in enumerate(pairwise(edges)):
        pq.write_table(table.slice(first, last - first), part(folder, number), row_group_size=rows)
    return folder


def change_json(folder, **change):
    path = folder / "pool.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def assert_same(pool, other):
    assert pool.models == other.models
    assert pool.fingerprint == other.fingerprint
    assert pool.class_labels.to_pylist() == other.class_labels.to_pylist()
    assert pool.extra.column_names == other.extra.column_names
    pd.testing.assert_frame_equal(pool.questions, other.questions)
    pd.testing.assert_frame_equal(pool.to_frame(), other.to_frame())
    pd.testing.assert_frame_equal(pool.describe(), other.describe())
    assert pool.warnings() == other.warnings()


def refused(frame, says, **options):
    with pytest.raises(PoolError) as error:
        Pool.from_frame(frame, **options)
    assert says in str(error.value)


def load_refused(folder, says, **options):
    with pytest.raises(PoolError) as error:
        load_pool(folder, **options)
    assert says in str(error.value)
