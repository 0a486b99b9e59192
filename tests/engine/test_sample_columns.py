"""Recorded numbers of samples: where columns are, what requests of several samples share, and what is refused."""

import math

import numpy as np
import pandas as pd
import pytest

from mssim import Pool, PoolError
from mssim.engine.sample_columns import SampleColumns
from tests.conftest import long_frame

TWO = {("x", "q1"): ["a", "b"], ("x", "q2"): ["a"], ("y", "q1"): ["a"], ("y", "q2"): ["a", "a"]}


def columns(**given):
    return SampleColumns(Pool.from_frame(long_frame(TWO).assign(**given)))


def same(found, expected):
    return np.array_equal(found, np.array(expected, dtype=float), equal_nan=True)


def test_a_column_is_found_wherever_the_pool_keeps_it():
    per_sample = columns(latency=[1, 2, 3, 4, 5, 6.5], speed=[1, 2, 3, 4, 5, 6], level=[1, 1, 2, 1, 2, 2])
    assert "level" in per_sample._pool.questions.columns
    assert "speed" in per_sample._pool.extra.column_names
    for name in ("latency", "speed", "level"):
        assert name in per_sample
    assert same(per_sample.numbers("latency", "x"), [[1, 2], [3, math.nan]])
    assert same(per_sample.numbers("speed", "y"), [[4, math.nan], [5, 6]])
    assert same(per_sample.numbers("level", "y"), [[1, math.nan], [2, 2]])
    assert "cost" not in per_sample
    assert np.isnan(per_sample.numbers("cost", "x")).all()


def test_recorded_samples_are_masked_and_large_numbers_allowed():
    found = columns(latency=[1e100] * 6)
    assert found.recorded("x").tolist() == [[True, True], [True, False]]
    assert same(found.numbers("latency", "x"), [[1e100, 1e100], [1e100, math.nan]])


def test_a_request_of_several_samples_is_shared_by_them():
    found = columns(
        input_tokens=[None, None, 8, 7, None, None],
        output_tokens=[None, 5, 6, 7, None, None],
        request_input_tokens=[12, 12, 99, None, 10, None],
        request_output_tokens=[20, 20, 99, None, None, 6],
        request_samples=[4, 4, 2, None, None, 3],
    )
    assert same(found.inputs("x"), [[3, 3], [4, math.nan]])  # of its own number first
    assert same(found.outputs("x"), [[5, 5], [6, math.nan]])  # 20 / 4 where its own number is missing
    assert same(found.inputs("y"), [[7, math.nan], [10, math.nan]])  # a request without a number of samples has one
    assert same(found.outputs("y"), [[7, math.nan], [math.nan, 2]])


def test_input_tokens_are_shared_without_columns_of_requests():
    found = columns(input_tokens=8, output_tokens=3, request_samples=[2, 2, 1, 1, 2, 2])
    assert same(found.inputs("x"), [[4, 4], [8, math.nan]])
    assert same(found.outputs("x"), [[3, 3], [3, math.nan]])


def test_constant_columns_of_requests_are_columns_of_questions():
    found = columns(request_input_tokens=12, request_samples=[3, 3, 4, 3, 4, 4])
    assert {"request_input_tokens", "request_samples"} <= set(found._pool.questions.columns)
    assert same(found.inputs("y"), [[4, math.nan], [3, 3]])


def test_whether_any_sample_has_tokens():
    assert not columns().any_inputs
    assert not columns(input_tokens=math.nan, latency=1.0).any_inputs
    assert columns(input_tokens=[math.nan] * 5 + [1]).any_inputs
    assert columns(request_output_tokens=[math.nan] * 5 + [1]).any_outputs
    assert not columns(request_output_tokens=[math.nan] * 5 + [1]).any_inputs


def test_values_as_text_count_as_numbers():
    found = columns(request_input_tokens=["4", "4", "6", "8", None, None])
    assert same(found.inputs("x"), [[4, 4], [6, math.nan]])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"latency": [1, 2, 3, 4, 5, -1]}, "model 'y', question 'q2', sample 1: latency is -1. Use a number from 0 to"),
        ({"latency": [1, 2, 3, 4, 5, 1e101]}, "latency is 1e+101. Use a number from 0 to 1e+100, or leave it empty"),
        ({"request_samples": [1, 1, 1, 1, 1, 0]}, "sample 1: request_samples is 0. Use a number from 1 to"),
        ({"request_samples": 0.5}, "model 'y', question 'q1', sample 0: request_samples is 0.5. Use a number from 1"),
        ({"request_input_tokens": [1, 1, 1, 1, 1, math.inf]}, "request_input_tokens is inf"),
        ({"request_input_tokens": [*"12345", "six"]}, "column 'request_input_tokens' is not numeric ("),
        ({"request_samples": "four"}, "column 'request_samples' is not numeric ("),
    ],
)
def test_numbers_that_cannot_be_are_refused(given, says):
    found, (name,) = columns(**given), given
    with pytest.raises(PoolError) as error:
        found.numbers(name, "y")
    assert says in str(error.value)


def test_selected_parts_keep_their_numbers():
    whole = Pool.from_frame(long_frame(TWO).assign(speed=[1, 2, 3, 4, 5, 6]))
    part = SampleColumns(whole.select(models=["y"], questions=["q2"]))
    assert same(part.numbers("speed", "y"), [[5, 6]])


def test_a_frame_of_nullable_integers():
    frame = long_frame(TWO).assign(request_samples=pd.array([2, 2, None, 2, None, None], dtype="Int64"))
    assert same(SampleColumns(Pool.from_frame(frame)).numbers("request_samples", "x"), [[2, 2], [math.nan] * 2])
