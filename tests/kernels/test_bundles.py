"""Bundles: what plans share is numbered once."""

import numpy as np
import pytest

from mssim.kernels.bundles import FIRST_STAGE, TWIN, bundle_of, layout_of
from mssim.kernels.stage_votes import ENTROPY_DISTINCT
from mssim.rules.agreement import NEVER, votes_to_agree
from tests.kernels.pools import rules_of

pytestmark = pytest.mark.kernels
SIZES = np.array([[2, 3, 4], [2, 2, 4]])


def plans(*agreements, sizes=SIZES, **options):
    return [rules_of(sizes, votes_to_agree(sizes, agreement), **options) for agreement in agreements]


def test_thresholds_share_tracks_and_votes():
    layout = layout_of(bundle_of(plans(1.0, 0.5, 1.5)))
    assert layout.sizes.tolist() == SIZES.tolist()
    assert layout.plan_tests[2].tolist() == [-1, -1]  # more than all votes can never stop
    assert len(np.unique(layout.plan_tests[:2])) == 4
    assert layout.plan_answers.tolist() == [[0, 1, 2], [0, 1, 2], [0, 0, 2]]
    assert (layout.contest_tests.tolist(), layout.contest_stops.tolist()) == (
        [[-1, -1]],
        [-1],
    )  # some plan always needs the vote


def test_kinds_and_priors_share_a_contest():
    some = plans(1.0) + plans(1.0, kind=ENTROPY_DISTINCT) + plans(1.0, prior=np.array([1.0, 2.0]))
    layout = layout_of(bundle_of(some))
    assert layout.contest_tracks.tolist() == [[0, 1]]
    assert sorted(layout.plan_answers[:, 2].tolist()) == [2, 3, 4]
    assert layout.contest_tests.tolist() == [layout.plan_tests[0].tolist()]


def test_tracks_of_a_model_share_what_was_counted():
    layout = layout_of(bundle_of(plans(1.0) * 2, [[0, 1], [1, 0]]))
    assert len(layout.unit_rows) == 2
    assert len(layout.sizes) == 4
    assert layout.slots.reshape(2, 3, 2).tolist() == [[[0, 2]] * 3, [[2, 0], [3, 1], [2, 0]]]
    assert layout.counted.T.tolist() == [[2, 3, 4], [-1, 2, -1], [2, 2, 4], [-1, 3, -1]]


def test_stages_without_draws_at_the_end_are_left_out():
    one = rules_of(SIZES[:1], np.full((1, 3), NEVER))
    layout = layout_of(bundle_of([*plans(1.0), one]))
    assert layout.plan_units.tolist() == [[0, 1], [0, -1]]
    assert layout.plan_answers[1].tolist() == [0, 0, 0]


def test_controls_are_further_plans():
    control = np.array([[0, TWIN, FIRST_STAGE], [0, 0, 0], [TWIN, TWIN, TWIN]])
    some = plans(1.0, 0.5, 0.5, kind=ENTROPY_DISTINCT)
    layout = layout_of(bundle_of(some, control=control))
    assert layout.controls.tolist() == [[-1, 4, 3], [-1, -1, -1], [5, 5, 5]]
    assert layout.plan_units.tolist() == [[0, 1]] * 3 + [[0, -1]] + [[0, 1]] * 2
    assert layout.plan_tests[4:].tolist() == layout.plan_tests[:3:2].tolist()
    assert len(layout.kinds) == 2
    without = layout_of(bundle_of(some))
    assert (without.controls == -1).all()
    assert len(without.plan_units) == 3
