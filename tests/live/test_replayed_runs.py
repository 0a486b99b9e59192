"""Means, covariances by draws and by the recording, of replays in place of live runs."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from mssim import Pool, parse_strategy
from mssim.live.replayed_runs import moments

SC = parse_strategy("sc:a")


def pool_of(answers, tokens=None):
    """A pool of one model, given the answers [question][sample]; "1" is right."""
    rows = [
        {"question_id": str(q), "model": "a", "sample_index": i, "answer": answer, "truth": "1"}
        | ({} if tokens is None else {"output_tokens": tokens[i]})
        for q, some in enumerate(answers)
        for i, answer in enumerate(some)
    ]
    return Pool.from_frame(pd.DataFrame(rows))


def test_leaving_out_groups_of_one_sample_is_the_jackknife_of_a_share():
    """With 20 samples in 10 groups of two, the variance of a share is that of the group means over 10."""
    answers = ["1" * 7 + "0" * 13, "10" * 10]
    found = moments(pool_of(answers), [(SC, 1)], n_runs=3, seed=0)
    wanted = 0.0
    for some in answers:
        right = np.array([answer == "1" for answer in some], float)
        means = [(right[g::10].sum()) / 2 for g in range(10)]
        wanted += np.var(means, ddof=1) / 10
    assert found.recording[0, 0] == pytest.approx(wanted, rel=1e-9)
    assert found.share.tolist() == [1 / 20] * 3


@pytest.mark.slow
def test_accuracy_and_tokens_covary_by_the_draws():
    """Right answers have 10 tokens and wrong ones 2: with one draw, cov = 8 p (1 - p)."""
    pool = pool_of(["1" * 10 + "0" * 10] * 40, [10] * 10 + [2] * 10)
    found = moments(pool, [(SC, 1)], n_runs=200, seed=1)
    assert found.draws[0, 2] / 40 == pytest.approx(8 / 4, rel=0.05)
    assert found.draws[2, 2] / 40 == pytest.approx(64 / 4, rel=0.05)
    np.testing.assert_allclose(found.mean, np.tile([0.5, 1, 6], (40, 1)))
    assert found.largest[0] == 1
    assert found.largest[1] == 0


def test_unknown_tokens_are_nan_and_leave_the_rest():
    found = moments(pool_of(["1010", "1100"]), [(SC, 1)], n_runs=4, seed=0)
    assert np.isnan(found.mean[:, 2]).all()
    assert np.isfinite(found.draws[:2, :2]).all()


def test_the_same_seed_gives_the_same_numbers_and_another_one_others():
    pool = pool_of(["1" * 8 + "0" * 8] * 6)
    first, again, other = (moments(pool, [(SC, 3)], n_runs=6, seed=seed).draws for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first[0, 0] != other[0, 0]


def test_texts_are_of_no_use():
    plain = pool_of(["1100", "1010"])
    frame = plain.to_frame().assign(text=[f"answer {i}" for i in range(8)])
    pairs = product((plain, Pool.from_frame(frame)), [0])
    found = [moments(pool, [(SC, 2)], n_runs=4, seed=seed) for pool, seed in pairs]
    np.testing.assert_array_equal(found[0].draws, found[1].draws)
