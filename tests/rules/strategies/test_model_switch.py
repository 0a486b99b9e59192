"""ModelSwitch: what it is at its limits, and who gives the answer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import (
    Mixture,
    ModelSwitch,
    SelfConsistency,
    StrategyError,
    Vote,
    WindowStop,
    evaluate,
)
from mssim.rules.agreement import NEVER
from tests.conftest import make_pool
from tests.rules.test_catalogue import TIES, VOTES, XYZ, counts, few, one_model, pools, same

# A function of one's own is compiled again in every process.
EVERY_VOTE = [pytest.param(v, id=name, marks=[pytest.mark.slow] if name == "own" else []) for name, v in VOTES.items()]


@pytest.mark.parametrize("vote", EVERY_VOTE)
@few
@given(pools(), st.sampled_from(TIES))
def test_agreement_zero_is_the_first_models_vote_and_above_one_the_mixture(vote, pool, ties):
    n = pool.codes.shape[2]
    vote = replace(vote, ties=ties)
    budgets = [3 * k for k in range(1, n + 1)]
    always = ModelSwitch(XYZ, agreement=0, vote=vote, on_agreement="pool")
    assert same(counts(pool, always, budgets), counts(pool, SelfConsistency("x", one_model(vote)), range(1, n + 1)))
    never = ModelSwitch(XYZ, agreement=1.01, vote=vote)
    assert same(counts(pool, never, budgets), counts(pool, Mixture(XYZ, vote), budgets))


@given(pools(), st.integers(1, 3), st.integers(1, 3), st.sampled_from(TIES))
def test_switching_to_the_same_model_is_esc(pool, window, n_windows, ties):
    """The control of ModelSwitch: unanimous windows of one model, else the plurality of all."""
    n_windows = min(n_windows, pool.codes.shape[2] // window)
    vote = Vote.plurality(ties=ties)
    switch = ModelSwitch(["x"] * n_windows, vote=vote, sizes=(window,) * n_windows)
    budgets = [window * k for k in range(1, n_windows + 1)]
    assert same(counts(pool, switch, budgets), counts(pool, SelfConsistency("x", vote, WindowStop(window)), budgets))


@pytest.mark.parametrize(
    ("options", "accuracy", "used"),
    [
        ({"agreement": 0.75}, 0, 4),  # x agrees: its b is adopted
        ({"agreement": 0.75, "on_agreement": "pool"}, 0, 4),
        ({"agreement": 0.75, "strict": True}, 1, 7),  # 3/4 is not above 3/4; then y agrees
        ({"agreement": 1.0, "test_last": False}, 1, 7),  # all vote: four a, three b
        ({"agreement": 1.0, "test_last": False, "vote": Vote.plurality(prior=(2, 1))}, 0, 7),  # 5 against 6
    ],
)
def test_who_gives_the_answer(options, accuracy, used):
    pool = make_pool({("x", "q"): ["b", "b", "b", "a"], ("y", "q"): ["a", "a", "a"]})
    switch = ModelSwitch(["x", "y"], **{"vote": Vote.plurality(), "sizes": (4, 3), **options})
    result = evaluate(pool, switch, [7])
    assert (result.accuracy.item(), result.samples_used.item()) == (accuracy, used)


def test_the_last_stage_that_draws_is_tested_unless_told_otherwise():
    budgets = np.array([2, 4])
    (tested,) = ModelSwitch(["x", "y"], sizes=(2, 2)).plans(budgets)
    (untested,) = ModelSwitch(["x", "y"], sizes=(2, 2), test_last=False).plans(budgets)
    assert tested.need.tolist() == [[2, 2], [NEVER, 2]]
    assert untested.need.tolist() == [[NEVER, 2], [NEVER, NEVER]]
    assert tested.adopt
    assert not ModelSwitch(["x", "y"], on_agreement="pool").plans(budgets)[0].adopt


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"test_last": 1}, r"test_last=1 is not a bool\. Use true or false"),
        ({"on_agreement": "adapt"}, "on_agreement='adapt' is not valid. Did you mean 'adopt'"),
        ({"on_agreement": None}, "on_agreement=None is not valid. Choose from 'adopt', 'pool'"),
        ({"agreement": None}, "agreement=None must be a number of at least 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, says):
    with pytest.raises(StrategyError, match=says):
        ModelSwitch(["x", "y"], **options)
