"""Plans in the representation of kernels, and their outcomes by hand."""

import numpy as np

from mssim import parse_strategy
from mssim.engine.stage_rules import rules_of, skipped, stage_outcome
from mssim.kernels import stage_votes


def plan_of(text, budgets):
    return parse_strategy(text).plans(np.array(budgets))[0]


def test_samples_of_a_stage_are_drawn_unless_one_before_stops():
    plan = plan_of("ms:a+b", [6])
    found = stage_outcome(plan, 10, np.array([[7.0]]), np.array([[[4.0]], [[1.0]]]))
    assert found.right.tolist() == [[7]]
    assert found.drawn.tolist() == [[[30]], [[18]]]  # three samples of a in ten replays, of b in six
    assert found.agreed.tolist() == [[5]]
    some = stage_outcome(plan, np.array([[10]]), np.array([[7.0]]), np.array([[[4.0]], [[1.0]]]))
    assert some.drawn.tolist() == found.drawn.tolist()


def test_votes_by_kind():
    assert rules_of(plan_of("ms:a+b", [4])).kind == stage_votes.ENTROPY_DISTINCT
    assert rules_of(plan_of("mix:a+b", [4])).kind == stage_votes.PLAIN
    assert rules_of(plan_of("cov:a+b", [4])).kind == stage_votes.COVERAGE
    assert rules_of(plan_of("mix:a+b,vote=max_consistency", [4])).highest


def test_a_second_turn_skips_the_draws_of_the_first():
    assert skipped(plan_of("ms:a+b+a", [9])).tolist() == [0, 0, 3]
    assert skipped(plan_of("ms:a+b", [9])).tolist() == [0, 0]
