"""The arrays that kernels are tried over in plain Python do refuse what compiled code would let pass."""

from typing import NamedTuple

import numpy as np
import pytest

from tests.strict_arrays import StrictArray, _StrictNumpy, strict


@pytest.fixture
def grid():
    return strict(np.arange(6).reshape(2, 3))


def test_indices_within_an_array_and_ends_that_are_written_out_are_allowed(grid):
    assert (grid[0, 2], grid[1].tolist(), grid[:, 0].tolist()) == (2, [3, 4, 5], [0, 3])
    assert grid[1, -1] == 5
    assert grid[:-1].shape == (1, 3)
    assert grid[grid > 2].tolist() == [3, 4, 5]
    assert grid[np.array([0, 1]), 1].tolist() == [1, 4]
    assert grid[0, 1:9].tolist() == [1, 2]  # cut off, in compiled code too
    grid[1, 0] = 7
    grid[0, :2] = 8
    assert grid.tolist() == [[8, 8, 2], [7, 4, 5]]


@pytest.mark.parametrize(
    "index",
    [
        -1,
        -2,
        2,
        np.int64(-1),
        np.int32(-1),
        np.uint64(2),
        slice(-1, 2),
        slice(3, 4),
        (0, 3),
        (0, -2),
        np.array([0, -1]),
    ],
)
def test_what_compiled_code_would_read_elsewhere_is_refused(grid, index):
    refused = "of an array of shape|is out of bounds for axis"  # the latter by NumPy
    with pytest.raises(IndexError, match=refused):
        grid[index]
    with pytest.raises(IndexError, match=refused):
        grid[index] = 0


def test_memory_that_was_not_written_shows():
    numpy = _StrictNumpy()
    for dtype in (np.int64, np.float64):
        signs = set()
        for values in (numpy.empty((2, 3), dtype), numpy.empty((2, 3), dtype)):
            assert isinstance(values, StrictArray)
            assert (np.abs(values.astype(float)) > 1e18).all()
            signs |= set(np.sign(values).ravel())
        assert signs == {-1, 1}
    assert (numpy.empty(3, np.uint16) > 2**14).all()
    assert isinstance(numpy.zeros(3), StrictArray)
    assert numpy.sqrt(4) == 2


def test_named_tuples_are_strict_throughout():
    class Recorded(NamedTuple):
        codes: np.ndarray
        n: int

    found = strict(Recorded(np.zeros(3), 3))
    assert isinstance(found, Recorded)
    assert isinstance(found.codes, StrictArray)
    assert found.n == 3
