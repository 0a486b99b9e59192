"""Arguments of the functions from counts: shapes, and what is refused."""

import numpy as np
import pytest

from mssim import MssimError
from mssim._counts import as_asked, draw_counts, sample_counts, whole_counts


def test_counts_are_whole_numbers_of_any_shape():
    assert whole_counts("n", 3) == 3
    assert whole_counts("n", [[1, 2]]).tolist() == [[1, 2]]
    assert whole_counts("n", np.uint8(7)).dtype == np.int64


@pytest.mark.parametrize("given", [-1, 1.0, "1", None, [1, -2], [[1], [1, 2]], [True], []])
def test_other_things_are_not_counts(given):
    with pytest.raises(MssimError, match=r"^n=.* is not valid\. Use non-negative integers"):
        whole_counts("n", given)


@pytest.mark.parametrize("given", [0, [[1]], 2**15, [1, 0]])
def test_draws_are_positive_and_in_a_list(given):
    with pytest.raises(MssimError, match=r"^k=.* is not valid\. Use an integer from 1 to 32767"):
        draw_counts(given)


def test_samples_have_one_shape():
    total, right, draws = sample_counts([[4], [5]], [1, 2], 3)
    assert (total.tolist(), right.tolist(), draws.tolist()) == ([[4, 4], [5, 5]], [[1, 2], [1, 2]], [3])
    with pytest.raises(MssimError, match="do not broadcast"):
        sample_counts([1, 2], [1, 2, 3], 1)
    with pytest.raises(MssimError, match="c: 3 correct samples exceed n=2"):
        sample_counts([4, 2], 3, 1)


def test_a_single_k_has_no_axis():
    found = np.array([[0.5], [0.25]])
    assert as_asked(found, [1]) is found
    assert as_asked(found, 1).tolist() == [0.5, 0.25]
    assert isinstance(as_asked(found[0], 1), float)
