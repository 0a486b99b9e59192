"""Which values of columns can be compared with what a user gives."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mssim import PoolError
from mssim.pools.comparable import comparable
from mssim.pools.conditions import matches

NOON = datetime.datetime(2026, 3, 1, 12)
COLUMNS = pa.table(
    {
        "moment": pa.array([NOON, datetime.datetime(2026, 3, 2), None], pa.timestamp("us")),
        "utc": pa.array([NOON, datetime.datetime(2026, 3, 2), None], pa.timestamp("ns", "UTC")),
        "berlin": pa.array([NOON, datetime.datetime(2026, 3, 2), None], pa.timestamp("ms", "Europe/Berlin")),
        "day": pa.array([datetime.date(2026, 3, 1), datetime.date(2026, 3, 2), None]),
        "day64": pa.array([datetime.date(2026, 3, 1), datetime.date(2026, 3, 2), None], pa.date64()),
        "late": pa.array([2**61, 0, None], pa.timestamp("us")),
        "late day": pa.array([2**30, 0, None], pa.int32()).cast(pa.date32()),
        "clock": pa.array([1, 12 * 3600 * 10**9, None], pa.time64("ns")),
        "clock32": pa.array([0, 12 * 3600, None], pa.time32("s")),
        "price": pa.array([Decimal("0.10"), Decimal("2.50"), None]),
        "nothing": pa.nulls(3),
        "name": pa.array(["Ada ", "Bob", None]),
        "coded": pa.array([NOON, None, NOON]).dictionary_encode(),
        "id": pa.array([2**53, 2**53 + 1, None]),
        "duration": pa.array([1, 2, None], pa.duration("s")),
        "bytes": pa.array([b"a", b"b", None]),
        "list": pa.array([[1], [2], None]),
        "struct": pa.array([{"a": 1}, {"a": 2}, None]),
        "map": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
    }
)


@pytest.mark.parametrize(
    ("column", "operator", "value", "rows"),
    [
        ("moment", "<", "2026-03-02", [0]),
        ("moment", "==", "2026-03-01T12:00", [0]),
        ("moment", ">=", datetime.date(2026, 3, 2), [1]),
        ("moment", "!=", NOON, [1, 2]),
        ("moment", ">", np.datetime64("2026-03-01T12"), [1]),
        ("utc", "<", "2026-03-01T13:30:00+01:00", [0]),
        ("utc", "<=", pd.Timestamp("2026-03-01T12:00", tz="UTC"), [0]),
        ("berlin", "==", "2026-03-01T13:00", [0]),
        ("day", ">", "2026-03-01", [1]),
        ("day", "in", ["2026-03-01", datetime.date(2026, 3, 2)], [0, 1]),
        ("day64", "<", "2026-03-01T06:00", [0]),
        ("late", ">", "9999-12-31", [0]),
        ("late day", ">", "2026-01-01", [0]),
        ("clock", "<", "00:00:01", [0]),
        ("clock32", "==", datetime.time(12), [1]),
        ("price", "==", "0.1", [0]),
        ("price", ">", 0.1, [1]),
        ("price", "in", (0.1, 2.5), [0, 1]),
        ("nothing", "!=", "x", [0, 1, 2]),
        ("name", "==", " Ada", [0]),
        ("coded", "==", "2026-03-01 12:00", [0, 2]),
        ("id", "==", str(2**53 + 1), [1]),
        ("id", "<", "1e30", [0, 1]),
    ],
)
def test_comparisons(column, operator, value, rows):
    assert np.nonzero(matches(COLUMNS, [(column, operator, value)]))[0].tolist() == rows


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("moment", "5", "'5' cannot be compared with column 'moment' of type timestamp.us.. Use ISO format"),
        ("moment", 5, "5 cannot be compared"),
        ("moment", "2026-03-01T12:00Z", "cannot be compared"),
        ("moment", None, "None cannot be compared"),
        ("utc", "0001-01-01T00:00:00+14:00", "cannot be compared"),
        ("clock", "noon", "Use ISO format, e.g. 12:30:00"),
        ("clock", NOON, "cannot be compared"),
        ("price", "nan", "type Decimal"),
        ("price", [0.1], "type Decimal"),
        ("id", NOON, "type int"),
        ("id", None, "type int"),
        (
            "duration",
            "1",
            "column 'duration' has type duration.s., whose values cannot be compared. Use a column of text",
        ),
        ("bytes", "a", "type binary"),
        ("list", "1", "type list<"),
        ("struct", "1", "type struct<"),
        ("map", "1", "type map<"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(column, value, says):
    with pytest.raises(PoolError, match=says) as error:
        matches(COLUMNS, [(column, "<", value)])
    assert "\n" not in str(error.value)


def test_names_are_text():
    found = comparable("late", pa.timestamp("us"), pa.array([2**61], pa.timestamp("us")))
    assert found.names == [f"<value out of range: {2**61}>"]


@pytest.mark.parametrize("where", [5, "topic=Math", [(1, "==", 2)], {"name": ["Ada"], 3: 4}, [("name", [], "a")]])
def test_conditions_of_another_kind_are_refused(where):
    with pytest.raises(PoolError, match="where: "):
        matches(COLUMNS, where)


def test_several_values_in_an_array():
    assert matches(COLUMNS, {"name": np.array(["Ada", "Bob"])}).tolist() == [True, True, False]
