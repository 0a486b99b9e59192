"""The best of thousands, among more samples than a word has bits."""

import numpy as np
import pytest

from mssim import Mixture, Pool, Vote
from tests import naive
from tests.conftest import replay
from tests.rules.test_catalogue import deep_pool

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("m", [1, 3, pytest.param(5000, marks=pytest.mark.slow)])
def test_the_best_of_thousands_among_more_samples_than_a_word_has_bits(m, replacement):
    """With m = 1 all classes with as many votes tie; with 5000 the chance of half of the draws is beyond a double."""
    frame = deep_pool(1, 24).to_frame()
    pool = Pool.from_frame(frame.assign(answer=frame["answer"].fillna("z")))
    rule = Mixture(["x", "y", "z"], Vote.majority_of_bests(m))
    budgets = [3, 8, 20, 60]
    result = replay(pool, rule, budgets, n_replays=6, replacement=replacement)
    for i, budget in enumerate(budgets):
        hits, _ = naive.evaluate(pool, rule, budget, n_replays=6, replacement=replacement)
        assert (np.rint(result.accuracy[0, i] * 6) == hits).all()
