"""Batches and rounds against the oracle's, for strategies of all kinds."""

import numpy as np
import pytest

from mssim import (
    AdaptiveAllocation,
    BetaStop,
    Cascade,
    DeepConf,
    Mixture,
    ModelSwitch,
    SelfConsistency,
    UntilVerified,
    WindowStop,
)
from mssim.engine.rounds import batch_starts, joined_stages
from tests import naive

BUDGETS = np.array([1, 2, 5, 12])
ONE_BY_ONE = [AdaptiveAllocation("a"), SelfConsistency("a", stop=BetaStop(0.9)), UntilVerified(["a", "b"])]


def as_the_kernels(plan, b, latencies, parallel):
    """Latency of a replay that reaches all stages, by batches and joined stages."""
    starts, joins, total, before = batch_starts(plan, parallel), joined_stages(plan, parallel), 0, 0
    for i, size in enumerate(plan.sizes[:, b]):
        stage, batch = 0, 0
        for j in range(size):
            batch = stage if starts[i, j] else batch
            stage = max(stage, batch + latencies[i][j])
        before = before if joins[i, b] else total
        total = max(total, before + stage)
    return total


@pytest.mark.parametrize("parallel", [None, 1, 2, 3, 20])
@pytest.mark.parametrize(
    "strategy",
    [
        *ONE_BY_ONE,
        SelfConsistency("a"),
        SelfConsistency("a", stop=WindowStop(3)),
        SelfConsistency("a", stop=BetaStop(0.9), looks=(1, 2, 5, 9)),
        SelfConsistency("a", stop=WindowStop(3), looks=[6]),
        Mixture(["a", "b", "c"]),
        ModelSwitch(["a", "b", "c"], agreement=0.6),
        ModelSwitch(["a", "b", "a"], agreement=1.5),
        Cascade(["a", "b"], agreement=0.5),
        DeepConf("a", warmup=4),
        DeepConf("a", warmup=4, consensus=None),
        DeepConf("a", warmup=12, consensus=None),
    ],
    ids=str,
)
def test_latencies_are_those_of_the_oracles_rounds(strategy, parallel):
    rng = np.random.default_rng(0)
    (plan,) = strategy.plans(BUDGETS)
    for b in range(BUDGETS.size):
        used = plan.sizes[:, b].tolist()
        latencies = [rng.integers(1, 100, n).tolist() for n in used]
        rounds = [
            [latencies[stage][first:end] for stage, first, end in found]
            for found in naive.rounds_of(strategy, used, used)
        ]
        assert as_the_kernels(plan, b, latencies, parallel) == naive.latency_of(rounds, parallel)


@pytest.mark.parametrize("strategy", ONE_BY_ONE, ids=str)
def test_rules_that_decide_after_every_draw_draw_one_at_a_time(strategy):
    (plan,) = strategy.plans(BUDGETS)
    for parallel in (None, 4):
        assert batch_starts(plan, parallel).all()
        assert not joined_stages(plan, parallel).any()


def test_draws_between_looks_are_a_round():
    (plan,) = SelfConsistency("a", stop=BetaStop(), looks=range(2, 8, 3)).plans(BUDGETS)
    assert np.flatnonzero(batch_starts(plan, None)[0]).tolist() == [0, 2, 5]
    assert np.flatnonzero(batch_starts(plan, 2)[0]).tolist() == [0, 2, 4, 5, 7, 9, 11]


def test_stages_are_joined_at_the_budgets_at_which_the_one_before_cannot_stop():
    (plan,) = ModelSwitch(["a", "b"], agreement=0.99, strict=True, sizes=(4, 4)).plans(np.array([5, 8]))
    assert not joined_stages(plan, None).any()
    never = plan._replace(need=np.array([[9, 4], [9, 9]]))
    assert joined_stages(never, None).tolist() == [[False, False], [True, False]]
