"""Requests whose samples are all equal, and models that several servers served."""

import numpy as np
import pyarrow as pa
import pytest

from mssim.pools import requests
from mssim.pools.requests import Requests


def asked(texts, requests_=None, together=None, question=None, model=None, blocks=1):
    columns = {"text": texts, "request_id": requests_, "request_samples": together}
    columns = {name: pa.chunked_array([values]) for name, values in columns.items() if values is not None}
    question = np.zeros(len(texts), int) if question is None else np.array(question)
    model = np.zeros(len(texts), int) if model is None else np.array(model)
    found = Requests()
    for rows in np.array_split(np.arange(len(texts)), blocks):
        part = {name: column.take(pa.array(rows)) for name, column in columns.items()}
        found.add(model[rows], question[rows], part)
    return found


@pytest.mark.parametrize("blocks", [1, 4])
def test_equal_texts_within_every_request_are_told_at_any_length(blocks):
    found = asked(["A", "A", "B", "B"], ["r1", "r1", "r2", "r2"], [2] * 4, blocks=blocks)
    (warning,) = found.identical(["m"])
    assert warning.startswith(
        "the texts of m are equal within every request with several samples (2 requests, 4 samples). Check whether the"
    )
    assert asked(["A", "A", "B", "B"], ["r1", "r1", "r2", "r2"], blocks=blocks).identical(["m"]) == [warning]


@pytest.mark.parametrize(
    ("texts", "ids", "together"),
    [
        (["A", "A", "B", "C"], ["r1", "r1", "r2", "r2"], [2] * 4),  # one differs
        (["A", "A", "B", "C"], ["r1", "r1", "r2", "r2"], None),
        (["A", "A", "B", "B"], ["r1", "r2", "r3", "r4"], None),  # one sample each
        (["A", "A", "A", "A"], ["r1", "r1", "r1", "r1"], [1] * 4),  # one id for all requests
        (["A", "A"], ["r1", "r1"], [2] * 2),  # may be chance
        (["", "", " ", " "], ["r1", "r1", "r2", "r2"], [2] * 4),  # empty texts are told elsewhere
        (["A", "A", "B", "B"], None, None),
    ],
)
def test_other_texts_are_not(texts, ids, together):
    assert asked(texts, ids, together).identical(["m"]) == []


def test_an_id_of_several_questions_is_no_request():
    texts, question = ["A", "A", "B", "B"], [0, 0, 1, 1]
    assert asked(texts, ["x"] * 4, question=question).identical(["m"]) == []
    (warning,) = asked(texts, ["x"] * 4, [2] * 4, question=question).identical(["m"])
    assert "(2 requests, 4 samples)" in warning


def test_requests_with_one_id_are_divided_by_their_size():
    assert "(2 requests, 4 samples)" in asked(["A", "A", "B", "B"], ["x"] * 4, [2] * 4).identical(["m"])[0]
    assert asked(["A", "B", "A", "B"], ["x"] * 4, [2] * 4).identical(["m"]) == []


def test_models_are_told_apart_and_rows_of_sound_ones_are_dropped(monkeypatch):
    monkeypatch.setattr(requests, "_SETTLE", 4)
    texts = ["A", "A", "B", "C"] * 4
    ids = [f"r{i // 2}" for i in range(16)]
    found = asked(texts, ids, [2] * 16, model=[0, 0, 1, 1] * 4, blocks=4)
    assert (found.varied(0), found.varied(1)) == (False, True)
    assert sum(map(len, found._rows)) == 8
    (warning,) = found.identical(["a", "b"])
    assert warning.startswith("the texts of a are equal")


def test_several_served_models_are_named_with_their_numbers():
    found = Requests()
    names = pa.chunked_array([["v1", "v2", None, "v1"], ["v3", "v4", "v5"]])
    found.add(np.array([0, 0, 0, 0, 1, 1, 1]), np.zeros(7, int), {"served_model": names})
    assert found.served(["a", "b", "c"]) == [
        "a was served by 2 models: v1 (2 samples), v2 (1 sample).",
        "b was served by 3 models: v3 (1 sample), v4 (1 sample), v5 (1 sample).",
    ]
    found.add(np.array([1, 1]), np.zeros(2, int), {"served_model": pa.chunked_array([["v6", "v5"]])})
    assert found.served(["a", "b"])[1].endswith("4 models: v5 (2 samples), v3 (1 sample), v4 (1 sample), 1 more.")
    once = Requests()
    once.add(np.array([0, 0]), np.zeros(2, int), {"served_model": pa.chunked_array([["v1", None]])})
    assert once.served(["a"]) == []


@pytest.mark.parametrize("together", [["2"] * 4, [2.0] * 4])
def test_sizes_of_requests_of_any_type_are_read(together):
    assert len(asked(["A", "A", "B", "B"], ["r1", "r1", "r2", "r2"], together).identical(["m"])) == 1


@pytest.mark.parametrize("together", [["x"] * 4, [float("nan"), -1.0, 1e30, 1.0], [None] * 4])
def test_sizes_that_are_none_say_nothing(together):
    column = together if together[0] is not None else pa.nulls(4)
    assert asked(["A", "A", "B", "B"], ["r1", "r2", "r3", "r4"], column).identical(["m"]) == []
