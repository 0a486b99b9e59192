"""Types of imported columns; `test_table` has the values that do not fit."""

import pyarrow as pa
import pytest

from mssim import PoolError
from mssim.importers.column_types import typed
from mssim.importers.safe_files import Source
from tests.importers.readers import written


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("answer", [7, None, 8], ["7", None, "8"]),
        ("correct", ["TRUE", "0", "1.0"], [True, False, True]),
        ("correct", ["Yes", "wrong", "passed", "no"], [True, False, True, False]),
        ("latency", ["3,25", "4", None], [3.25, 4.0, None]),
        ("latency", ["3,255", "4,1"], [3.255, 4.1]),
        ("sample_index", ["0", "2", "1"], [0, 2, 1]),
        ("output_tokens", [1.5, 2.0, None], [1.5, 2.0, None]),
        ("reasoning", [[{"text": "hm"}], None, [{"text": "so"}]], ["hm", None, "so"]),
        ("more", [1.5, None, 2.0], [1.5, None, 2.0]),
    ],
)
def test_a_column_gets_the_type_that_a_pool_needs(tmp_path, name, values, expected):
    source = Source(written(tmp_path, "x"))
    assert typed(source, name, pa.chunked_array([values])).to_pylist() == expected


@pytest.mark.parametrize("values", [["1,234", "56,789"], ["3,25", "4.5"], ["1,2,3"]])
def test_numbers_that_can_be_read_in_two_ways_are_refused(tmp_path, values):
    with pytest.raises(PoolError, match="column 'latency' has type string, not double"):
        typed(Source(written(tmp_path, "x", "a.csv")), "latency", pa.chunked_array([values]))


def test_a_value_that_does_not_fit_names_its_row(tmp_path):
    source = Source(written(tmp_path, "x", "a.csv"))
    with pytest.raises(PoolError, match=r"a\.csv: row 2: correct is 'maybe'"):
        typed(source, "correct", pa.chunked_array([["true", "maybe"]]))
