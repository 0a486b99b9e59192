"""One budget for all questions: the least certain is found among many marks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim.kernels import allocation

pytestmark = pytest.mark.kernels


@pytest.mark.slow
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 299_999)), min_size=1, max_size=12))
def test_the_lowest_of_many_marks_is_found(steps):
    words, above, top = np.zeros(4688, np.uint64), np.zeros(74, np.uint64), np.zeros(2, np.uint64)
    marked = set()
    for adds, level in steps:
        if adds or level not in marked:
            allocation._mark(level, words, above, top)
            marked.add(level)
        else:
            allocation._unmark(level, words, above, top)
            marked.discard(level)
        if marked:
            assert allocation._least(words, above, top) == min(marked)
    for level in sorted(marked):
        assert allocation._least(words, above, top) == level
        allocation._unmark(level, words, above, top)
    assert not top.any()
