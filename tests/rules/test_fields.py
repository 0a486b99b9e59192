"""Fields that several strategies have: what is checked, and what it becomes."""

import math

import numpy as np
import pytest

from mssim import Mixture, ModelSwitch, SelfConsistency, StrategyError, Vote
from mssim.rules.fields import never_stop, set_last


def test_objects_check_their_types():
    for options in ({"agreement": "0.8"}, {"strict": "no"}, {"vote": "plurality"}, {"sizes": "66"}):
        with pytest.raises(StrategyError, match=r"must be a number|true or false|is not a Vote|does not fit"):
            ModelSwitch(["a", "b"], **options)
    with pytest.raises(StrategyError, match="must be one or more names of models"):
        Mixture(7)


def test_numbers_of_numpy_are_numbers():
    strategy = ModelSwitch(
        ["a", "b"], agreement=np.float64(0.5), sizes=[np.int64(2), 3], vote=Vote.plurality(prior=[np.int64(2), 1])
    )
    assert strategy == ModelSwitch(["a", "b"], agreement=0.5, sizes=(2, 3), vote=Vote.plurality(prior=(2, 1)))


def test_a_prior_by_name_must_name_the_models():
    with pytest.raises(StrategyError, match="Use one weight for each of these models"):
        Mixture(["a", "b"], Vote.plurality(prior={"a": 1, "c": 2}))


UNFIT = "does not fit the models ['x', 'y']"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SelfConsistency("x", "plurality"), "vote='plurality' is not a Vote. Use e.g. Vote.plurality()"),
        (lambda: SelfConsistency(""), "SelfConsistency: models=('',) must be one or more names of models"),
        (lambda: Mixture([]), "Mixture: models=[] must be one or more names of models"),
        (lambda: Mixture(["x", "x"]), "Mixture: models=['x', 'x'] repeats a model. Name each model once"),
        (lambda: Mixture(["x", "y"], shares=(1,)), f"shares=(1,) {UNFIT}. Use one positive number per model"),
        (lambda: Mixture(["x", "y"], shares=(1, 0)), f"shares=(1, 0) {UNFIT}. Use one positive number per model"),
        (
            lambda: Mixture(["x", "y"], shares=(1, math.inf)),
            f"shares=(1, inf) {UNFIT}. Use one positive number per model",
        ),
        (lambda: Mixture(["x", "y"], shares=3), f"shares=3 {UNFIT}. Use one positive number per model"),
        (
            lambda: Mixture(["x", "y"], shares=(1, 1), sizes=(1, 1)),
            "sizes=(1, 1) and shares=(1, 1) exclude each other. Remove one",
        ),
        (lambda: Mixture(["x", "y"], sizes=(1, 0)), f"sizes=(1, 0) {UNFIT}. Use one integer from 1"),
        (lambda: Mixture(["x", "y"], sizes=(1, 2, 3)), f"sizes=(1, 2, 3) {UNFIT}. Use one integer from 1"),
        (lambda: Mixture(["x", "y"], sizes=(1, 2**31 + 1)), f"{UNFIT}. Use one integer from 1 to {2**31} per model"),
    ],
)
def test_what_makes_no_field_is_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_fields_become_tuples_in_the_order_of_the_models():
    mixture = Mixture(["x", "y"], Vote.plurality(prior={"y": 1, "x": 2}), shares=[3, 1])
    assert (mixture.models, mixture.shares, mixture.vote.prior) == (("x", "y"), (3.0, 1.0), (2, 1))
    assert Mixture("x", sizes=[2**31]).sizes == (2**31,)
    assert Mixture("x").models == ("x",)
    assert ModelSwitch(["x", "x"]).models == ("x", "x")  # which may name a model again


def test_votes_of_the_last_stage_that_draws_are_set_at_every_budget():
    need = np.array([[1, 1, 1], [2, 2, 2], [3, 3, 3]])
    set_last(np.array([[4, 4, 4], [0, 2, 4], [0, 0, 1]]), need, 99)
    assert need.tolist() == [[99, 1, 1], [2, 99, 2], [3, 3, 99]]


def test_a_plan_that_never_stops_needs_more_votes_than_there_are():
    plan = never_stop(Mixture(["x", "y"]), np.array([[2], [1]]), None)
    assert plan.models == ("x", "y")
    assert plan.sizes.tolist() == [[2], [1]]
    assert (plan.need > 2**60).all()
    assert (plan.vote, plan.stop, plan.cap, plan.adopt) == (None, None, 0, False)
