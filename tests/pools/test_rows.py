"""Rows of all blocks: those that conditions choose, each named by its file and row."""

import numpy as np
import pytest

from mssim import load_pool
from tests.conftest import long_frame
from tests.pools.tables import FOUR, GOOD, load_refused, refused, write_split


def test_conditions_that_leave_nothing_are_refused():
    refused(long_frame(GOOD, topic="t"), "the pool is empty", where=[("topic", "!=", "t")])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score": [0.5] * 10 + [np.inf, 0.5]}, "row 4 of samples-00001.parquet (question 'q2', model 'y', sample_ind"),
        ({"sample_index": [*range(11), -1]}, "row 5 of samples-00001.parquet: sample_index is -1"),
        ({"model": [*"xxxxxxxxxxx", None]}, "row 5 of samples-00001.parquet: model is empty"),
        (
            {"correct": ["no"] * 12},
            "row 1 of samples-00000.parquet (question 'q1', model 'x', sample_index 0): correct",
        ),
    ],
)
@FOUR
def test_a_bad_row_is_named_by_file_and_row(tmp_path, change, says):
    load_refused(write_split(long_frame(GOOD).assign(**change), tmp_path / "pool", [7]), says)


@FOUR
def test_rows_are_counted_in_the_file_whatever_was_left_out(tmp_path):
    frame = long_frame(GOOD, run=[1, 2] * 6, score=[0.5] * 10 + [np.nan, 0.5])
    frame.to_parquet(tmp_path / "one.parquet")
    load_refused(tmp_path / "one.parquet", "row 11 (question 'q2', model 'y', sample_index 1): score", where={"run": 1})


@FOUR
def test_a_condition_may_be_met_in_a_later_block_but_must_be_met(tmp_path):
    folder = write_split(long_frame(GOOD, run=[1] * 9 + [2] * 3), tmp_path / "pool", [5])
    assert load_pool(folder, where={"run": 2}).models == ("y",)
    load_refused(folder, "where: run=3 matches no rows. Choose from '1', '2'", where={"run": [1, 3]})
