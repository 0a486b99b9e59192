"""Sums of blocks: closed forms first, then means of replays, of which questions can have different numbers."""

import numpy as np
import pytest

from mssim import parse_strategy
from mssim.engine.blocks import Block, Outcome, SharedOutcome
from mssim.engine.estimates import Control
from mssim.engine.totals import Totals

PLANS = [parse_strategy(text).plans(np.array([4, 8]))[0] for text in ("ms:a+b", "ms:a+b,vote=plurality")]


def shared(right, control=None):
    values = np.array(right, dtype=float)
    pair = np.empty((0, *values.shape)) if control is None else np.array(control, dtype=float)
    return SharedOutcome(values, np.empty((0, 2, *values.shape[1:])), pair)


def test_questions_can_have_different_numbers_of_replays():
    totals = Totals(PLANS, 3)
    totals.add(Block((0, 1), False, (0, 1), (0, 2), 0, 10), shared([[[5, 1], [10, 0]], [[4, 2], [9, 1]]]))
    totals.add(Block((0, 1), False, (0, 1), range(1, 2), 0, 40), shared([[[20], [30]], [[10], [40]]]))
    first, second = totals.estimates()
    assert first.outcome.right.tolist() == [[0.5, 0.5, 0.1], [1, 0.75, 0]]
    assert second.outcome.right.tolist() == [[0.4, 0.25, 0.2], [0.9, 1, 0.1]]
    assert first.n_replays.tolist() == [[10, 40, 10]] * 2
    assert first.variance[0] == pytest.approx([0.25 / 9, 0.25 / 39, 0.09 / 9])
    assert np.isnan(first.outcome.drawn).all()
    assert totals.complete([np.zeros(2, bool)] * 2, None)
    assert not totals.complete([np.zeros(2, bool)] * 2, 10)


def test_closed_forms_win_and_have_no_error():
    totals = Totals(PLANS[:1], 2)
    totals.add(Block((0,), False, (1,), range(2), 0, 5), shared([[[2, 3]]]))
    exact = np.array([[0.25, 0.5], [np.nan, 1.0]])
    used = np.ones((2, 2, 2))
    totals.add(Block((0,), True, (0, 1), range(2)), Outcome.of(exact, used, exact))
    (found,) = totals.estimates()
    assert found.outcome.right.tolist() == [[0.25, 0.5], [0.4, 1]]
    assert found.n_replays.tolist() == [[0, 0], [5, 0]]
    assert found.variance.tolist() == [[0, 0], [pytest.approx(0.06), 0]]
    assert found.outcome.drawn.tolist() == used.tolist()


def test_a_control_corrects_by_what_is_known_of_it():
    totals = Totals([PLANS[0], PLANS[1]], 1)
    block = Block((0,), False, (0, 1), range(1), 0, 100)
    totals.add(block, shared([[[60], [50]]], [[[[55], [50]]], [[[54], [40]]]]))
    known = np.array([[0.5], [np.nan]])
    totals.add(Block((1,), True, (0, 1), range(1)), Outcome.of(known, np.ones((2, 2, 1)), known))
    found = totals.estimates({0: Control(1, np.array([[16], [0]]))})[0]
    assert found.outcome.right.ravel() == pytest.approx([0.55, 0.5])
    assert found.variance[1, 0] == pytest.approx(0.25 / 99)
    differs = 0.07 - 0.05**2  # the outcomes differ in 6 + 1 of 100 replays
    assert found.variance[0, 0] == pytest.approx(differs / 99)


def test_hits_of_what_was_not_replayed_are_zero():
    right, control = Totals(PLANS, 3).hits(1)
    assert right.shape == (2, 3)
    assert not control.any()
