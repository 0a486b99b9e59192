"""Leave-one-group-out replays: groups, products of independent deviations, and agreement with closed forms."""

import numpy as np
import pytest

from mssim import evaluate
from mssim.engine.sample_groups import group_numbers, product_variance, without_group
from tests.conftest import make_pool, replay
from tests.engine.test_evaluate import random_pool


def test_groups_partition_the_samples_of_every_question():
    pool = make_pool({("x", "p"): list("abcdefghijklm"), ("x", "q"): list("abc")}, length=range(16))
    numbers = group_numbers(pool, ["x"])
    assert numbers.tolist() == [6, 2]
    first = without_group(pool, 0, numbers)
    assert first.lengths.tolist() == [[10, 1]]
    assert first.to_frame().query("question_id == 'p'")["answer"].tolist() == list("bcdefhijkl")
    assert first.number("length")[0, 0, :10].tolist() == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert first.number("length")[0, 1, :1].tolist() == [14]
    fourth = without_group(pool, 3, numbers)
    assert fourth.lengths.tolist() == [[11, 3]]
    assert pool.lengths.tolist() == [[13, 3]]


def test_there_are_two_to_ten_groups_of_two_samples_if_possible():
    lengths = {"a": 2, "b": 3, "c": 4, "d": 9, "e": 20, "f": 64}
    pool = make_pool({(m, q): ["a"] * (n if m == "x" else 64) for q, n in lengths.items() for m in "xy"})
    assert group_numbers(pool, ["x", "y"]).tolist() == [2, 2, 2, 4, 10, 10]
    assert group_numbers(pool, ["y"]).tolist() == [10] * 6


def test_recorded_numbers_follow_their_samples():
    pool = make_pool({("x", "p"): list("abab")}, score=[4.0, 3.0, 2.0, 1.0])
    assert without_group(pool, 1, np.array([4])).numbers["score"][0, 0, :3].tolist() == [4, 2, 1]


def test_equal_sets_have_the_usual_variance_and_spare_groups_do_not_count():
    estimates = np.array([[0.1, 0.5], [0.4, 0.5], [0.4, 0.2], [0.7, 0.9]])
    found = product_variance(np.array([estimates, estimates]), np.array([4, 3]))
    assert found == pytest.approx([3 / 4 * 0.18, 2 / 3 * 0.06])


def test_noise_of_independent_sets_has_no_effect_on_average():
    """4,000 products of noise of variance 1; five standard errors. Squares would be 9 on average."""
    noise = np.random.default_rng(1).standard_normal((2, 10, 4000))
    found = product_variance(noise, np.full(4000, 10))
    assert abs(found.mean()) < 5 * found.std() / np.sqrt(4000)
    assert product_variance(noise[:1].repeat(2, axis=0), np.full(4000, 10)).mean() == pytest.approx(8.1, abs=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["sc:x", "ms:x+y,vote=plurality", "random:x+y"])
def test_replays_find_the_variance_of_closed_forms_without_the_same_groups(strategy):
    """Five groups of two samples, of both models at once. Nine errors of 20 seeds."""
    pool, budgets = random_pool(20, 10), [2, 6]
    runs = [
        replay(pool, strategy, budgets, n_replays=1000, seed=seed, jackknife=True).jackknife.variance.sum(axis=2) / 400
        for seed in range(20)
    ]
    mean, error = np.mean(runs, axis=0), np.std(runs, axis=0) / np.sqrt(20)
    numbers = group_numbers(pool, ["x", "y"])
    groups = [without_group(pool, g, numbers) for g in range(5)]
    alone = np.array([evaluate(part, strategy, budgets, method="exact").accuracy for part in groups])
    known = 4 / 5 * ((alone - alone.mean(axis=0)) ** 2).sum(axis=(0, 3)) / 400
    assert (np.abs(mean - known) < 9 * error).all()


def test_strategies_that_draw_everything_leave_out_what_they_can():
    made = replay(random_pool(4, 12), ["ms:x+x", "sc:x,stop=beta"], [12], n_replays=100, jackknife=True)
    assert np.isfinite(made.jackknife.variance).all()
    assert (made.jackknife.error() > 0).all()
    assert made.jackknife.share.tolist() == [[1], [1]]
