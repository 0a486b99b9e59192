"""Sets of small numbers as bits of words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.kernels.bits import bit, count, lowest

pytestmark = pytest.mark.kernels


@given(st.integers(1, 2**64 - 1))
def test_the_lowest_bit_is_found(word):
    assert lowest(np.uint64(word)) == next(i for i in range(64) if word >> i & 1)


@given(st.integers(0, 2**64 - 1))
def test_set_bits_are_counted(word):
    assert count(np.uint64(word)) == count(np.uint64(word).view(np.int64)) == word.bit_count()


@given(st.integers(0, 2**31))
def test_a_bit_is_that_of_a_number_in_its_word(number):
    assert int(bit(np.int64(number))) == 2 ** (number % 64)
    assert lowest(np.uint64(bit(np.int64(number)))) == number % 64
