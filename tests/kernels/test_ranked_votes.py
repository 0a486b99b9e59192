"""Votes by rank: hundreds of draws, equal numbers, and questions of different numbers of classes."""

from dataclasses import replace

import numpy as np
import pytest

from mssim import Mixture, Pool, SelfConsistency, Vote
from tests import naive
from tests.conftest import make_pool, replay
from tests.rules.test_catalogue import deep_pool

pytestmark = pytest.mark.kernels


def same_as_naive(pool, rule, budgets, n_replays=6, **options):
    result = replay(pool, rule, budgets, n_replays=n_replays, **options)
    for i, budget in enumerate(budgets):
        hits, _ = naive.evaluate(pool, rule, budget, n_replays=n_replays, **options)
        assert (np.rint(result.accuracy[0, i] * n_replays) == hits).all()


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize(
    "vote",
    [
        *(Vote.deepconf(0.1), Vote.deepconf(0.8), Vote.borda(0.5), Vote.borda(2)),
        replace(Vote.deepconf(0.5, prior=(1, 2, 1)), within="entropy"),
    ],
    ids=["keep a tenth", "keep most", "square root", "square", "within entropy"],
)
def test_equal_numbers_and_draws_without_an_answer(vote, replacement):
    frame = deep_pool(2, 24).to_frame()
    pool = Pool.from_frame(frame.assign(confidence=(4 * frame["confidence"]).round()))
    same_as_naive(pool, Mixture(["x", "y", "z"], vote), [3, 8, 20, 21, 60], replacement=replacement)


@pytest.mark.parametrize("vote", [Vote.deepconf(0.5), Vote.borda(1)], ids=["deepconf", "borda"])
def test_no_answer_of_one_question_is_a_class_of_the_next(vote):
    samples = {("x", "q1"): ["a", "b", None, None, None, None], ("x", "q2"): ["a", "b", "c", "c", "d", "e"]}
    frame = make_pool(samples).to_frame()
    pool = Pool.from_frame(frame.assign(confidence=np.arange(12.0)))
    same_as_naive(pool, SelfConsistency("x", vote), [1, 2, 3, 4, 5, 6], n_replays=20)


def test_a_leader_that_is_ahead_is_overtaken_as_soon_as_draws_allow():
    """The first answers are certain, all others come later, and budgets leave gaps."""
    answers = ["a"] * 30 + ["b"] * 50
    frame = make_pool({("x", "q"): answers}).to_frame()
    pool = Pool.from_frame(frame.assign(confidence=np.random.default_rng(2).random(80)))
    for vote in (Vote.borda(0.5), Vote.borda(3), Vote.deepconf(0.9), Vote.deepconf(0.3)):
        same_as_naive(pool, SelfConsistency("x", vote), [1, 3, 7, 20, 21, 45, 46, 80], n_replays=20)


def test_confidences_of_zero_tie():
    frame = make_pool({("x", "q"): ["a", "b", "b", "c"]}).to_frame()
    pool = Pool.from_frame(frame.assign(confidence=0.0))
    same_as_naive(pool, SelfConsistency("x", Vote.deepconf(0.5)), [1, 2, 3, 4], n_replays=20)
