"""Arrow types that pandas, Parquet or Arrow's functions do not support."""

import datetime
import io
import uuid
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mssim import Pool, load_pool
from mssim.pools.arrow import table_from_frame
from mssim.pools.plain_types import plain_types, rows_of, to_frame

ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


def extension(kind, storage):
    return pa.ExtensionArray.from_storage(kind, storage)


COLUMNS = {
    "uuid": (extension(pa.uuid(), pa.array([ID.bytes, None], pa.binary(16))), [str(ID), None]),
    "json": (extension(pa.json_(), pa.array(["{}", None])), ["{}", None]),
    "flag": (extension(pa.bool8(), pa.array([1, 0], pa.int8())), [True, False]),
    "decimal": (pa.array([Decimal("1.5"), None], pa.decimal32(5, 1)), [Decimal("1.5"), None]),
    "objects": (pa.array([{}, None], pa.struct([])), ["{}", None]),
    "inner objects": (pa.array([[{}], []], pa.list_(pa.struct([]))), ["[{}]", "[]"]),
    "months": (
        pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
        ["MonthDayNano(months=1, days=2, nanoseconds=3)", None],
    ),
    "plain": (pa.array([1, 2]), [1, 2]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_become_plain(name):
    given, values = COLUMNS[name]
    table = plain_types(pa.table({name: given}))
    assert table[name].to_pylist() == values
    pq.write_table(table, io.BytesIO())
    table[name].dictionary_encode()


def test_an_unknown_time_zone_becomes_utc():
    table = plain_types(pa.table({"t": pa.array([0], pa.timestamp("s", "Nowhere/Land"))}))
    assert table["t"].type == pa.timestamp("s", "UTC")


def test_times_that_pandas_does_not_have_become_text():
    table = pa.table({"t": pa.array([1], pa.time64("ns")), "d": pa.array([2**30], pa.int32()).cast(pa.date32())})
    assert to_frame(table).iloc[0].tolist() == ["00:00:00.000000001", "<value out of range: 1073741824>"]
    assert rows_of(pa.table({"t": pa.array([0], pa.timestamp("s"))})) == [{"t": datetime.datetime(1970, 1, 1)}]
    assert rows_of(table)[0]["d"] == "<value out of range: 1073741824>"


def test_periods_of_pandas_become_text():
    frame = pd.DataFrame({"month": pd.PeriodIndex(["2026-01", None], freq="M")})
    assert table_from_frame(frame)["month"].to_pylist() == ["2026-01", None]


def test_a_frame_with_half_a_surrogate_pair_is_refused():
    with pytest.raises(ValueError, match="lone surrogate"):
        table_from_frame(pd.DataFrame({"text": ["\ud800"]}, dtype=object))


def test_a_pool_with_unusual_columns_is_saved_and_loaded(tmp_path):
    keys = {"question_id": COLUMNS["uuid"][0].take(pa.array([0, 0])), "model": ["m"] * 2, "sample_index": [0, 1]}
    others = {name: column for name, (column, _) in COLUMNS.items() if name != "uuid"}
    late = {"late": pa.array([2**62] * 2, pa.timestamp("us")), "t": pa.array([1] * 2, pa.time64("ns"))}
    table = pa.table({**keys, "answer": ["7", "8"], "truth": ["7"] * 2, **late, **others}).drop_columns(
        ["objects", "inner objects", "months"]
    )
    pq.write_table(table, tmp_path / "t.parquet")
    pool = load_pool(tmp_path / "t.parquet")
    assert pool.question_ids == [str(ID)]
    pool.save(tmp_path / "pool")
    assert load_pool(tmp_path / "pool").fingerprint == pool.fingerprint
    assert len(pool.to_frame()) == 2
    assert isinstance(Pool.from_frame(pool.to_frame()), Pool)


def test_maps_are_objects_in_rows():
    inner = pa.map_(pa.string(), pa.list_(pa.int64()))
    kind = pa.list_(pa.struct([("n", pa.int64()), ("m", inner)]))
    table = pa.table(
        {
            "m": pa.array([[("a", [1, 2]), ("b", None)], None, []], inner),
            "deep": pa.array([[{"n": 1, "m": [("x", [3])]}, None], [], None], kind),
            "keys": pa.array([[(7, True)], [(1, False)], []], pa.map_(pa.int64(), pa.bool_())),
        }
    )
    assert rows_of(table) == [
        {"m": {"a": [1, 2], "b": None}, "deep": [{"n": 1, "m": {"x": [3]}}, None], "keys": {"7": True}},
        {"m": None, "deep": [], "keys": {"1": False}},
        {"m": {}, "deep": None, "keys": {}},
    ]
