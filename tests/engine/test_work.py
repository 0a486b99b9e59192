"""Work in blocks adds up to the same bits in any order, and is complete when every block is there."""

import random

import numpy as np
import pytest

from mssim.engine.job import read_job
from mssim.engine.totals import Totals
from mssim.engine.work import Work
from tests.engine.test_evaluate import random_pool
from tests.long_runs import BUDGETS, FEW, OPTIONS


def job_of(rules=FEW, **options):
    return read_job(rules, BUDGETS, **{"method": "auto", "replacement": False, "prices": None, **OPTIONS, **options})


@pytest.fixture(scope="module")
def work(pool):
    return Work(job_of(), pool)


@pytest.fixture(scope="module")
def done(work):
    return [(block, work.task(i).run()) for i, block in enumerate(work.blocks)]


def totals_of(work, done):
    totals = Totals(work.job.plans, len(work.pool.questions))
    for block, outcome in done:
        totals.add(block, outcome)
    return totals


def test_the_order_of_blocks_is_of_no_consequence(work, done):
    expected = totals_of(work, done).estimates()
    for seed in range(5):
        shuffled = random.Random(seed).sample(done, len(done))
        for one, other in zip(totals_of(work, shuffled).estimates(), expected, strict=True):
            pairs = zip((*one.outcome, *one[1:]), (*other.outcome, *other[1:]), strict=True)
            assert all(a.tobytes() == b.tobytes() for a, b in pairs)


def test_all_blocks_are_complete_and_all_but_one_are_not(work, done):
    closed, n = work.job.closed, work.job.n_replays
    assert totals_of(work, done).complete(closed, n)
    for i, (block, _) in enumerate(done):
        if not block.exact or np.array(closed)[block.plans[0], list(block.budgets)].any():
            assert not totals_of(work, done[:i] + done[i + 1 :]).complete(closed, n), block
    twice = next(pair for pair in done if not pair[0].exact)
    assert not totals_of(work, [*done, twice]).complete(closed, n)


def test_blocks_come_in_an_order_that_is_always_the_same_and_mixes_plans(pool, work):
    assert Work(job_of(), pool).blocks == work.blocks
    plans = [block.plans for block in work.blocks]
    assert plans != sorted(plans)
    assert {plan for several in plans for plan in several} == set(range(len(work.job.plans)))


def test_the_fingerprint_changes_with_plans_and_blocks(pool, work):
    assert Work(job_of(seed=99), pool).fingerprint == work.fingerprint  # which the header has apart
    assert Work(job_of(["sc:x", "ms:y+x", "alloc:x,cap=6"]), pool).fingerprint != work.fingerprint
    assert Work(job_of(n_replays=121), pool).fingerprint != work.fingerprint


def test_the_bytes_of_a_task_are_those_of_its_arrays(work):
    sizes = [work.task(i).nbytes for i in range(len(work.blocks))]
    assert all(0 < size < 10**6 for size in sizes)


@pytest.mark.parametrize(
    ("rule", "options", "adds_up"),
    [
        ("sc:x", {}, False),
        ("ms:x+y", {}, False),
        ("sc:x,stop=window:2", {}, False),
        ("sc:x", {"method": "monte_carlo"}, True),
        ("sc:x", {"quantiles": True}, True),
        ("sc:x,stop=beta", {}, True),
        ("ms:x+x", {}, True),
    ],
)
def test_replays_add_up_what_has_no_closed_form(rule, options, adds_up):
    assert Work(job_of([rule], **options), random_pool(cost=1.0)).adds_up is adds_up
    assert not Work(job_of([rule], **options), random_pool()).adds_up  # nothing is known
