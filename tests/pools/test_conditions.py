"""Conditions on columns: which rows they choose, and what they refuse."""

import numpy as np
import pyarrow as pa
import pytest

from mssim import PoolError
from mssim.pools.conditions import conditions, matches

TABLE = pa.table(
    {"topic": ["Math", "Law", None, "Math"], "year": [1999, 2000, 2001, None], "new": [True, False, True, None]}
)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (None, [0, 1, 2, 3]),
        ({"topic": "Math"}, [0, 3]),
        ({"topic": ["Math", "Law"], "year": 2000}, [1]),
        ([("topic", "=", "Law")], [1]),
        ([("topic", "!=", "Math")], [1, 2]),
        ([("topic", "not in", ["Math"])], [1, 2]),
        ([("year", ">", "1999"), ("year", "<=", 2001)], [1, 2]),
        ([("year", ">=", 2000), ("year", "<", 2001.0)], [1]),
        ({"new": "true"}, [0, 2]),
        ({"new": False}, [1]),
        ({"year": "2000"}, [1]),
    ],
)
def test_where(where, rows):
    assert np.nonzero(matches(TABLE, where))[0].tolist() == rows


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"topc": "Math"}, "no column 'topc'. Did you mean 'topic'"),
        ({"topic": "Mathh"}, "topic='Mathh' matches no rows. Did you mean 'Math'"),
        ({"topic": ["Math", "Lawn"]}, "topic='Lawn' matches no rows. Did you mean 'Law'"),
        ([("topic", "like", "M")], "operator 'like'"),
        ([("topic", "Math")], "is not a .column, operator, value. triple"),
        ({"year": "soon"}, "'soon' cannot be compared with column 'year' of type int"),
    ],
)
def test_where_refuses(where, says):
    with pytest.raises(PoolError, match=says):
        matches(TABLE, where)


def test_conditions_of_a_mapping():
    assert conditions({"a": 1, "b": (1, 2)}) == [("a", "==", 1), ("b", "in", (1, 2))]
