"""Codes of Arrow columns: equal texts have one code, whatever the type of the column."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import Pool, PoolError, load_pool
from mssim.pools.arrow import Names, Texts, as_text, is_missing, narrow, table_from_frame
from mssim.pools.reading import encode_text
from tests.conftest import long_frame, make_pool
from tests.pools.tables import GOOD, assert_same, part, write_split
from tests.pools.test_reading import MIXED


def test_views_of_text_in_the_columns_that_all_pools_have(tmp_path):
    table = pa.Table.from_pandas(long_frame(GOOD))
    for place, name in enumerate(table.column_names):
        if name != "sample_index":
            table = table.set_column(place, name, table[name].cast(pa.string_view()))
    pq.write_table(table, tmp_path / "views.parquet")
    assert_same(load_pool(tmp_path / "views.parquet"), make_pool(GOOD))


def test_seven_as_number_in_one_file_and_as_text_in_another(tmp_path):
    frame = long_frame({("x", "q"): ["7", "8", "7", "8"]}, truth="7")
    folder = write_split(frame.iloc[:2], tmp_path / "pool", [])
    for number, kind in enumerate([int, float], 1):
        later = frame.iloc[2:].assign(answer=frame["answer"].astype(kind))
        later.assign(sample_index=later["sample_index"] + 2 * number).to_parquet(part(folder, number))
    pool = load_pool(folder)
    assert pool.codes[0, 0].tolist() == [0, 1] * 3
    assert pool.class_labels.to_pylist() == ["7", "8"]


def test_texts_are_kept_in_types_that_hold_more_than_two_gigabytes(tmp_path):
    table = pa.Table.from_pandas(long_frame(GOOD), preserve_index=False)
    table = table.set_column(table.column_names.index("answer"), "answer", table["answer"].cast(pa.string()))
    write_split(table, tmp_path / "pool", [5])
    assert load_pool(tmp_path / "pool").class_labels.type == pa.large_string()


def mixed_frame():
    return long_frame({("x", "q"): MIXED}, truth="7").assign(correct=[True, True, True, False, False, False])


def test_seven_as_number_and_as_text_is_one_answer():
    pool = Pool.from_frame(mixed_frame())
    assert pool.codes[0, 0].tolist() == [0, 0, 0, 1, -1, -1]
    assert pool.class_labels.to_pylist() == ["7", "8"]


@given(st.lists(st.one_of(st.none(), st.text(max_size=3), st.integers(-5, 5), st.booleans()), min_size=1))
def test_encode_text_groups_equal_texts(values):
    texts = [None if v is None else str(v) for v in values]
    codes, labels = encode_text(pa.chunked_array([pa.array(texts, pa.string())]))
    assert labels == sorted(set(labels))
    for text, code in zip(texts, codes, strict=True):
        assert (code == -1) == (text is None or not text.strip())
        assert code == -1 or labels[code] == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(7, "7"), (7.0, "7"), ("7", "7"), (7.5, "7.5"), (-0.0, "0"), (True, "true"), (2.0**70, "1.1805916207174113e+21")],
)
def test_whole_numbers_are_written_alike(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize("value", [None, float("nan"), np.float64("nan"), pd.NA, pd.NaT])
def test_missing_values_of_all_libraries(value):
    assert is_missing(value)
    assert not any(is_missing(other) for other in ("", 0, 0.0, False, "nan"))


@pytest.mark.parametrize(
    ("most", "kind"), [(2**15 - 1, "int16"), (2**15, "int32"), (2**31 - 1, "int32"), (2**31, "int64")]
)
def test_codes_have_the_smallest_type_that_holds_them(most, kind):
    assert narrow(np.array([0, 1]), most).dtype == kind


def test_names_keep_their_codes_over_blocks():
    names = Names(["x"])
    one, two = (names.codes(pa.chunked_array([pa.array(given)])) for given in (["y", "x", None], ["z", " ", "y"]))
    assert (one.tolist(), two.tolist()) == ([1, 0, -1], [2, -1, 1])
    assert (names.to_list(), len(names)) == (["x", "y", "z"], 3)


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), unique=True), min_size=1, max_size=6))
def test_texts_of_blocks_have_one_code_each(blocks):
    texts = Texts()
    for block in blocks:
        texts.add(pa.array(block, pa.large_string()))
    codes, known = texts.joined([np.array([*range(len(block)), -1]) for block in blocks])
    labels = [*known.to_pylist(), None]
    assert [labels[code] for code in codes] == [text for block in blocks for text in (*block, None)]
    assert len(set(labels)) == len(labels)


def test_columns_of_mixed_types_become_text_and_names_appear_once():
    table = table_from_frame(pd.DataFrame({"a": [1, "x", None], "b": [1.5, None, 2], 3: [2**70, 1, 0]}))
    assert table["a"].to_pylist() == ["1", "x", None]
    assert table["b"].to_pylist() == [1.5, None, 2]
    assert table["3"].to_pylist() == [str(2**70), "1", "0"]
    with pytest.raises(PoolError, match="column '3': the name appears 2 times"):
        table_from_frame(pd.DataFrame([[1, 2]], columns=[3, "3"]))
