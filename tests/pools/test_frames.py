"""Tables of other libraries: one pool from each protocol, and one clear error for what is not a table."""

import pandas as pd
import pyarrow as pa
import pytest

from mssim import Pool, PoolError
from mssim.pools.frames import table_from
from tests.conftest import make_pool

ROWS = {("x", "q1"): ["7", "8", None], ("x", "q2"): ["4", "4", "é"], ("y", "q1"): ["7"] * 3, ("y", "q2"): ["5"] * 3}
TABLE = pa.table(make_pool(ROWS, score=0.5).to_frame())


class Stream:
    """A table with the Arrow PyCapsule interface, as polars has it."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Interchange:
    """A table with the dataframe interchange protocol."""

    def __init__(self, table):
        self.table = table

    def __dataframe__(self, nan_as_null=False, allow_copy=True):
        return self.table.__dataframe__(nan_as_null, allow_copy)


class ToPandas:
    """A table that pandas can hold, as `datasets.Dataset`."""

    def __init__(self, value):
        self.value = value

    def to_pandas(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value.to_pandas() if isinstance(self.value, pa.Table) else self.value


class Labels:
    """The type of a column of codes, as `datasets.ClassLabel`."""

    names = ("7", "8", "4", "é", "5")

    def int2str(self, code):
        return self.names[code]


class Dataset(ToPandas):
    def __init__(self, value, features):
        super().__init__(value)
        self.features = features


def views(table):
    """Columns of text as polars hands them over."""
    texts = (pa.string(), pa.large_string())
    kinds = [pa.string_view() if kind in texts else kind for kind in table.schema.types]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


@pytest.mark.parametrize(
    "frame",
    [
        TABLE,
        TABLE.combine_chunks().to_batches()[0],
        TABLE.to_reader(),
        Stream(TABLE),
        Stream(views(TABLE)),
        Interchange(TABLE),
        ToPandas(TABLE),
    ],
    ids=["table", "batch", "reader", "stream", "views", "interchange", "to_pandas"],
)
def test_every_protocol_gives_the_same_pool(frame):
    expected = Pool.from_frame(TABLE.to_pandas())
    pool = Pool.from_frame(frame, info={"title": "t"})
    assert pool.fingerprint == expected.fingerprint
    assert (pool.info, pool.class_labels) == ({"title": "t"}, expected.class_labels)
    assert pool.numbers["score"].tolist() == expected.numbers["score"].tolist()


def test_codes_of_a_dataset_are_the_names_of_their_classes():
    frame = TABLE.to_pandas()
    code = {name: place for place, name in enumerate(Labels.names)}
    coded = frame.assign(answer=frame["answer"].map(code).astype("Int64"), truth=frame["truth"].map(code))
    features = {"answer": Labels(), "truth": Labels(), "model": "string", "dropped": Labels()}
    assert Pool.from_frame(Dataset(coded, features)).fingerprint == Pool.from_frame(frame).fingerprint


SHORT = pa.table({"answer": ["a"]})
BROKEN = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (None, "frame: NoneType is not a table. Convert it to a pandas DataFrame with one row per sample."),
        ([{"answer": "a"}], "frame: list is not a table. Convert it"),
        (pd.DataFrame, "frame: DataFrame is not a table. Convert it"),
        ({"answer": ["a"]}, "frame: dict is not a table. Convert it"),
        ("pool.csv", "frame: str is not a table. Use load_pool to read a file."),
        (
            {"train": ToPandas(SHORT), "test": ToPandas(SHORT), "x": 1},
            "frame: this dict holds several tables ('train', 'test'). Pass one of them.",
        ),
        (type("LazyFrame", (), {"collect": None})(), "frame: LazyFrame is not a table. Pass the result of its method"),
        (ToPandas(pd.Series([1])), "frame: to_pandas of this ToPandas returns Series, not a DataFrame."),
        (ToPandas(RuntimeError("no\ncolumns")), "frame: this ToPandas cannot be read (no). Convert it to a pandas"),
        (ToPandas(KeyError()), "frame: this ToPandas cannot be read (KeyError)."),
        (Stream(pa.chunked_array([[1]])), "frame: this Stream cannot be read ("),
        (pa.table({"answer": BROKEN}), "frame: this Table cannot be read (Column 0: "),
        (pa.table([[1], [2]], names=["a", "a"]), "column 'a': the name appears 2 times."),
    ],
)
def test_what_is_not_a_table_is_refused(frame, says):
    with pytest.raises(PoolError) as error:
        table_from(frame)
    assert str(error.value).startswith(says)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("values", [[["a"]], [{"b": 1}]], ids=["list", "struct"])
def test_nested_answers_are_refused_by_every_protocol(values):
    table = pa.table({"question_id": ["q"], "model": ["m"], "sample_index": [0], "truth": ["a"], "answer": values})
    for frame in (table, table.to_pandas(), Stream(table), ToPandas(table)):
        with pytest.raises(PoolError, match=r"column 'answer' has the nested type .*\. Store its values as text or"):
            Pool.from_frame(frame)
