"""Cascades: the first model that agrees answers alone, else the last."""

from dataclasses import replace

import numpy as np
import pytest

from mssim import (
    Cascade,
    ModelSwitch,
    StrategyError,
    Vote,
    evaluate,
)
from mssim.rules.agreement import FORCED
from tests.conftest import make_pool


@pytest.mark.parametrize("method", ["auto", "monte_carlo"])
def test_the_last_model_of_a_cascade_answers_without_having_agreed(method):
    pool = make_pool({("x", "q"): ["a", "b"] * 4, ("y", "q"): ["a"] * 8})
    result = evaluate(pool, Cascade(["x", "y"]), [16], method=method, n_replays=9)
    assert (result.accuracy.item(), result.samples_used.item(), result.agreed.item()) == (1, 16, 0)


def test_the_first_model_that_agrees_answers_and_no_other_is_asked():
    pool = make_pool({("x", "q"): ["a", "a"], ("y", "q"): ["b"] * 4, ("z", "q"): ["b"] * 4})
    result = evaluate(pool, Cascade(["x", "y", "z"], sizes=(2, 4, 4)), [10])
    assert (result.accuracy.item(), result.samples_used.item(), result.agreed.item()) == (1, 2, 1)


def test_draws_of_models_that_were_not_accepted_do_not_vote():
    """Three of x say b, two of y say a: ModelSwitch lets all five vote, a cascade only y."""
    pool = make_pool({("x", "q"): ["b", "b", "b", "c"], ("y", "q"): ["a", "a"]})
    split = {"agreement": 0.8, "sizes": (4, 2)}
    assert evaluate(pool, Cascade(["x", "y"], **split), [6]).accuracy.item() == 1
    switch = ModelSwitch(["x", "y"], vote=Vote.plurality(), **split)
    assert evaluate(pool, switch, [6]).accuracy.item() == 1  # y agrees with itself
    assert evaluate(pool, replace(switch, test_last=False), [6]).accuracy.item() == 0


def test_only_the_last_stage_that_draws_stops_unasked():
    (plan,) = Cascade(["x", "y", "z"], agreement=0.6, sizes=(2, 5, 5)).plans(np.array([2, 4, 9]))
    assert plan.sizes.tolist() == [[2, 2, 2], [0, 2, 5], [0, 0, 2]]
    assert plan.need[:, 2].tolist() == [2, 3, FORCED]
    assert plan.need[1, 1] == plan.need[0, 0] == FORCED
    assert plan.adopt


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"agreement": -1}, "agreement=-1 must be a number of at least 0"),
        ({"ties": "last"}, "ties='last' is not valid. Choose from 'first', 'random', 'wrong'"),
        ({"strict": "yes"}, r"strict='yes' is not a bool\. Use true or false"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, says):
    with pytest.raises(StrategyError, match=says):
        Cascade(["x", "y"], **options)
