"""Numbers of ballots, as the kernels read them."""

import numpy as np

from mssim import Vote
from mssim.engine.ballots import levels_of, ranks_of, scaled
from mssim.kernels.tally import Recorded

NUMBERS = np.array([[[0.5, 2.0, 1.0], [3.0, 3.0, 3.0]], [[1.5, -1.0, 2.0], [4.0, 0.0, 3.0]]])


def test_ranks_go_over_all_samples_of_a_question_from_the_highest_number_down():
    ranks = ranks_of(NUMBERS)
    assert ranks[:, 0].tolist() == [[4, 0, 3], [2, 5, 1]]  # of equal numbers the one recorded first
    assert ranks[:, 1].tolist() == [[1, 2, 3], [0, 5, 4]]


def test_samples_with_equal_numbers_have_one_level():
    levels = levels_of(NUMBERS)
    assert levels[:, 0].tolist() == [[3, 0, 2], [1, 4, 0]]
    assert levels[:, 1].tolist() == [[1, 1, 1], [0, 2, 1]]


def test_samples_without_an_answer_rank_last_or_are_the_longest():
    numbers = np.array([[[2.0, np.nan, 1.0]]])
    codes, lengths = np.array([[[0, -1, 1]]], np.int16), np.array([[3]], np.int32)
    nothing = np.empty(0, np.uint64)
    recorded = Recorded(codes, lengths, np.array([0, 2]), np.zeros(2, bool), nothing, nothing)
    assert scaled(numbers, recorded, Vote.borda()).tolist() == [[[2.0, -np.inf, 1.0]]]
    assert scaled(numbers, recorded, Vote.shortest(2)).tolist() == [[[2.0, np.inf, 1.0]]]
    assert scaled(numbers, recorded, Vote.score_sum()).tolist() == [[[1.0, 0.0, 0.5]]]
    assert scaled(numbers, recorded, Vote.confidence(1.0))[0, 0, 2] == np.exp(-1.0)
