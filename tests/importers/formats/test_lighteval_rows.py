"""Rows of details of LightEval: one set of names for all versions, and no ids of tokens."""

import pyarrow as pa
import pyarrow.parquet
import pytest

from mssim import PoolError
from mssim.importers.formats.lighteval_rows import has_columns, rows
from mssim.importers.safe_files import Source

RESPONSE = {"text": ["7", "8"], "output_tokens": [[1, 2, 3], []], "input_tokens": [[1] * 9], "reasonings": ["a", None]}
NEW = {"doc": {"query": "3 + 4?", "choices": ["7"], "gold_index": 0, "id": "5", "images": None}, "metric": {"em": 1.0}}
NEW |= {"model_response": RESPONSE}
OLD = {"example": "3 + 4?", "predictions": ["7", "8"], "cont_tokens": [[1, 2, 3], []], "gold": ["7"], "choices": ["7"]}
OLD |= {"gold_index": 0, "metrics": {"em": 1.0}, "full_prompt": "...", "input_tokens": [[1]], "truncated": [0]}
COMMON = {"query": "3 + 4?", "choices": ["7"], "gold_index": 0, "texts": ["7", "8"], "tokens": [3, 0]}
COMMON |= {"metrics": {"em": 1.0}}


def source(folder, content):
    path = folder / "details_x.parquet"
    pa.parquet.write_table(content if isinstance(content, pa.Table) else pa.Table.from_pylist(content), path)
    return Source(path)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (NEW, COMMON | {"id": "5", "reasonings": ["a", None]}),
        ({f"__{name}__": value for name, value in NEW.items()}, COMMON | {"id": "5", "reasonings": ["a", None]}),
        (OLD, COMMON | {"gold": ["7"]}),
        ({"predictions": [[1.5, 0.0]], "cont_tokens": ["a"]}, {"texts": [[1.5, 0.0]], "tokens": None}),
        ({"model_response": {"text": ["7"], "output_tokens": None}}, {"texts": ["7"], "tokens": None}),
    ],
)
def test_all_versions_have_the_same_names(tmp_path, row, expected):
    given = source(tmp_path, [row] * 2)
    assert [dict(one.value) for one in rows(given)] == [expected] * 2
    assert [one.place for one in rows(given)] == [f"{given}, row 1", f"{given}, row 2"]
    assert has_columns(given) == ("metrics" in expected)


def test_rows_of_several_batches_are_numbered_on(tmp_path):
    found = list(rows(source(tmp_path, [{**OLD, "example": str(i)} for i in range(250)])))
    assert [one.value["query"] for one in found] == [str(i) for i in range(250)]
    assert found[-1].place.endswith(", row 250")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([{"x": 1}], "has neither the column model_response nor predictions"),
        (
            [{**OLD, "predictions": "['7']"}],
            "column 'predictions' has lists as text, as LightEval before 0.8 wrote them",
        ),
        ([{**NEW, "metric": "{'em': 1.0}"}], "column 'metric' has lists as text"),
        (pa.table([["7"], ["7"]], names=["predictions", "predictions"]), "two columns have the same name"),
    ],
)
def test_tables_that_are_refused(tmp_path, content, says):
    given = source(tmp_path, content)
    with pytest.raises(PoolError, match=says):
        next(rows(given))


@pytest.mark.parametrize(("row", "own"), [({**OLD, "metrics": "{'em': 1.0}"}, True), ({**COMMON, "id": "5"}, False)])
def test_files_are_recognised_by_their_columns(tmp_path, row, own):
    assert has_columns(source(tmp_path, [row])) == own


def test_files_that_are_damaged(tmp_path):
    given = source(tmp_path, [NEW])
    given.path.write_bytes(given.path.read_bytes()[:-9])
    with pytest.raises(PoolError, match=r"cannot be read .*Check whether the file is damaged"):
        next(rows(given))
    assert not has_columns(given)
