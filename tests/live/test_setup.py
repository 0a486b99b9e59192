"""What a live run is told, and what is refused before the first request."""

import pytest

from mssim import MssimError, StrategyError, parse_strategy
from mssim.live.setup import read_rule, read_setup
from tests.live.scripted import plan


def setup(strategy="ms:a+b", budget=8, *, asked=None, rule="number", reasoning="drop", seed=0):
    return read_setup(asked or plan(), strategy, budget, rule=rule, reasoning=reasoning, seed=seed)


def test_it_has_the_models_of_the_strategy_once_and_in_order():
    found = setup("ms:b+b,agreement=1")
    assert [model.name for model in found.models] == ["b"]
    assert [model.name for model in setup("ms:b+a").models] == ["b", "a"]
    assert found.describe() == {"strategy": "ms:b+b", "budget": 8, "rule": "number", "seed": 0}
    assert setup(reasoning="keep").describe()["reasoning"] == "keep"
    assert setup(seed=2**40).seed == 2**40


def test_a_strategy_is_text_a_mapping_or_an_object():
    same = {setup(given).strategy for given in ("sc:a", {"kind": "sc", "models": ["a"]}, parse_strategy("sc:a"))}
    assert len(same) == 1


def test_an_allocation_may_take_its_cap_for_one_question():
    assert (setup("alloc:a").is_allocation, setup("alloc:a").most) == (True, 1024)
    assert setup("alloc:a,cap=20").most == 20
    assert (setup("alloc:a,cap=1", 1).is_allocation, setup("alloc:a,cap=1", 1).most) == (True, 1)
    assert (setup("sc:a").is_allocation, setup("sc:a").most) == (False, 8)


def test_limited_models_are_those_with_a_limit_of_tokens():
    asked = plan(settings=["max_tokens=9"])
    assert setup("ms:a+b,max_tokens=9", asked=asked).limited == ("a", "b")
    assert setup("ms:a+b,max_tokens=none/9", asked=asked).limited == ("b",)
    assert setup("ms:a+b").limited == ()


@pytest.mark.parametrize(
    ("strategy", "options", "says"),
    [
        ("sc:a,vote=confidence", {}, "model 'a': sc:a,vote=confidence reads the confidence of samples"),
        (
            "sc:a,vote=shortest,m=3",
            {"samples_per_request": 4},
            "reads the output_tokens .* of 4 samples here. Use samples_per_request=1 or logprobs=True",
        ),
        (
            "sc:a,vote=best_of_n,column=input_tokens",
            {"samples_per_request": 4, "logprobs": True},
            "reads the input_tokens .* of 4 samples here. Use samples_per_request=1",
        ),
        (
            "sc:a,max_tokens=9",
            {"settings": ["max_tokens=10"]},
            "limits samples to 9 .* 'max_tokens' of the model is 10. Set it to 9",
        ),
        ("sc:a,max_tokens=9", {}, "the setting 'max_tokens' of the model is missing. Set it to 9"),
        ("sc:a,vote=best_of_n", {}, "no server sends the column 'score'"),
    ],
)
def test_models_that_are_asked_in_another_way_than_the_strategy_needs_are_refused(strategy, options, says):
    with pytest.raises(StrategyError, match=says):
        setup(strategy, asked=plan(**options))


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("sc:a,vote=confidence", {"logprobs": True}),
        ("sc:a,vote=shortest,m=3", {}),
        ("sc:a,vote=shortest,m=3", {"samples_per_request": 4, "logprobs": True}),
        ("sc:a,vote=best_of_n,column=input_tokens", {}),
        ("sc:a,max_tokens=9", {"settings": ["max_completion_tokens=9"]}),
    ],
)
def test_models_that_are_asked_as_the_strategy_needs_are_accepted(strategy, options):
    assert setup(strategy, asked=plan(**options)).models


def test_a_model_that_is_not_in_the_plan_is_refused_with_the_nearest_name():
    with pytest.raises(StrategyError, match=r"is not in the plan\. Did you mean 'a'"):
        setup("sc:aa")


@pytest.mark.parametrize("rule", ["", None, 7])
def test_a_rule_is_required(rule):
    with pytest.raises(MssimError, match=r"rule: .* Name the rule, e\.g\. rule='number', as in `mssim grade`"):
        read_rule(rule)
