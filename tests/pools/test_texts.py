"""Values as text: one spelling for values that are equal."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mssim import Pool, PoolError, load_pool
from mssim.pools.texts import alike, as_text, is_missing, listed, normal, normal_texts, texts_of, whole
from tests.pools.tables import QUIET

E_ACUTE, E_AND_ACUTE = "\u00e9", "e\u0301"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (np.bool_(False), "false"),
        (np.float32(0.1), "0.1"),
        (np.float16(3), "3"),
        (Decimal("12.00"), "12"),
        (Decimal("1E+2"), "100"),
        (Decimal("0.250"), "0.25"),
        ([1, True, "é"], '[1, true, "é"]'),
        ({"a": None}, '{"a": null}'),
        ("  as written ", "  as written "),
    ],
)
def test_values_are_written_as_json_writes_them(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize("value", [None, pd.NA, pd.NaT, float("nan")])
def test_missing(value):
    assert is_missing(value)
    assert not is_missing(0)


@pytest.mark.parametrize("text", ["Lyon", " Lyon", "Lyon\u00a0", "\tLyon\r\n", "\u3000Lyon"])
def test_white_space_around_a_text_is_no_part_of_it(text):
    assert normal(text) == "Lyon"
    assert normal_texts(pa.array([text])).to_pylist() == ["Lyon"]


def test_normal_form():
    given = [f"caf{E_AND_ACUTE} ", f"caf{E_ACUTE}", None, "plain"]
    assert normal_texts(pa.array(given)).to_pylist() == [f"caf{E_ACUTE}", f"caf{E_ACUTE}", None, "plain"]
    assert normal(given[0]) == f"caf{E_ACUTE}"


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([0.1, 7, None], pa.float32()), ["0.1", "7", None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([2**62], pa.timestamp("us")), ["<value out of range: 4611686018427387904>"]),
        (pa.array([3, None], pa.int8()), ["3", None]),
    ],
)
def test_texts_of_a_column(values, texts):
    assert texts_of(values).to_pylist() == texts


def test_nested_dates_that_python_does_not_have_are_refused():
    with pytest.raises(ValueError, match="Store them as text"):
        listed(pa.array([[2**62]], pa.list_(pa.timestamp("us"))))


@pytest.mark.parametrize(
    ("answers", "truths", "same"),
    [
        (["41.0", "6.0", None], ["41", "6", "7"], True),
        (["41", "6"], ["41.0", "6.0"], True),
        (["41.0", "0.5"], ["41", "0.5"], True),
        (["41.0 ", "1e-07"], ["41", "41"], True),
        (["3.10", "3.0"], ["3.10", "3"], False),  # not what pandas writes of numbers
        (["41.0", "none"], ["41", "6"], False),
        (["41.0", "6.0"], ["41", "about six"], False),
        (["41.0"], ["41.0"], False),
        (["007.0"], ["007"], False),
        ([None], ["41"], False),
        (["41.0"] * 1500 + ["x"], ["41"] * 1501, False),
        ([None] * 1500 + ["41.0"], ["41"] * 1501, True),
    ],
)
def test_floats_as_pandas_writes_them_equal_integers(answers, truths, same):
    given = [pa.chunked_array([pa.array(column, pa.string())]) for column in (answers, truths)]
    one, other = (column.to_pylist() for column in alike(*given))
    assert (one, other) != (answers, truths) if same else (one, other) == (answers, truths)
    assert not any((text or "").strip().endswith(".0") for text in one) or not same


def test_whole():
    assert [whole(text) for text in ("18.0", "-3.0", "18.50", "v18.0")] == ["18", "-3", "18.50", "v18.0"]


# In pools -------------------------------------------------------------------------------------------------------------


def table(answers, truth, **columns):
    n = len(answers)
    return pd.DataFrame(
        {"question_id": "q", "model": "m", "sample_index": range(n), "answer": answers, "truth": truth, **columns}
    )


@QUIET
@pytest.mark.parametrize(
    ("answers", "truth"),
    [
        (["Oslo", "Oslo ", " Oslo", "Bergen"], "Oslo\n"),
        ([f"caf{E_ACUTE}", f"caf{E_AND_ACUTE}", f"caf{E_ACUTE} ", "tea"], f"caf{E_AND_ACUTE}"),
        ([True, "true", True, False], "true"),
        (["true", "true", "true", "True"], [True] * 4),
        ([18.0, 18.0, 18.0, np.nan], 18),
        ([Decimal("2.50"), Decimal("2.5"), Decimal("2.500"), Decimal("2.51")], 2.5),
    ],
)
def test_spellings_of_one_answer(tmp_path, answers, truth):
    pool = Pool.from_frame(table(answers, truth))
    assert pool.describe()["accuracy"].item() == 0.75
    pool.save(tmp_path / "pool")
    again = load_pool(tmp_path / "pool")
    assert again.fingerprint == pool.fingerprint
    assert again.class_labels.to_pylist() == pool.class_labels.to_pylist()
    assert Pool.from_frame(again.to_frame().drop(columns="correct")).describe()["accuracy"].item() == 0.75


@QUIET
def test_a_csv_file_of_pandas(tmp_path):
    given = pd.concat([table([18.0, 17.0], 18), table([np.nan, 5.0], 5).assign(question_id="r")])
    given.to_csv(tmp_path / "t.csv", index=False)
    assert (load_pool(tmp_path / "t.csv").class_labels.to_pylist()) == ["17", "18", "5"]
    assert load_pool(tmp_path / "t.csv").describe()["accuracy"].item() == 0.5


@QUIET
def test_version_numbers_remain_different(tmp_path):
    table(["3.10", "3.1", "3.0", "3"], "3.10").to_csv(tmp_path / "t.csv", index=False)
    assert load_pool(tmp_path / "t.csv").class_labels.to_pylist() == ["3", "3.0", "3.1", "3.10"]


def test_names_that_differ_only_in_white_space_are_one():
    given = table(["7"] * 4, "7").assign(
        question_id=["q", "q ", "r", "r"], model=["m", "m", f"n{E_ACUTE}", f" n{E_AND_ACUTE}"]
    )
    pool = Pool.from_frame(given.assign(sample_index=[0, 1, 0, 1]))
    assert (pool.question_ids, pool.models) == (["q", "r"], ("m", f"n{E_ACUTE}"))
    assert pool.model_index(f"n{E_AND_ACUTE}") == 1
    assert pool.select(questions=["q "]).question_ids == ["q"]
    with pytest.raises(ValueError, match="2 rows hold the same sample"):
        Pool.from_frame(given.assign(sample_index=0))


def test_a_truth_of_json_is_text():
    pool = Pool.from_frame(table([True, False], [True] * 2))
    assert pool.questions["truth"].tolist() == ["true"]


def test_a_number_equals_a_truth_that_pandas_wrote():
    assert Pool.from_frame(table([18.0, 0.5], "18.0")).describe()["accuracy"].item() == 0.5
    assert Pool.from_frame(table(["18.0", "0.5"], "18")).describe()["accuracy"].item() == 0


def test_integers_that_python_does_not_write_are_refused():
    with pytest.raises(PoolError, match="more than 4300 digits"):
        as_text(10**5000)
