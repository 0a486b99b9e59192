"""What strategies share: registration, text, and the result of one plan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from mssim import StrategyError, evaluate, parse_strategy
from mssim.rules import registry
from mssim.rules.base import Strategy
from mssim.rules.fields import never_stop, set_models
from mssim.rules.plan import Expected, allocate
from mssim.rules.votes import Vote
from tests.conftest import make_pool


@dataclass(frozen=True)
class First(Strategy):
    """Only the first of all draws counts."""

    models: Sequence[str]
    at_most: int = 1

    def __post_init__(self):
        set_models(self, self.models)

    def plans(self, budgets):
        return (never_stop(self, allocate(np.minimum(budgets, self.at_most), 1), Vote.plurality()),)


@pytest.fixture
def registered(monkeypatch):
    """A registry of strategies that is as before after the test."""
    monkeypatch.setattr(registry.STRATEGIES, "_rules", dict(registry.STRATEGIES))


def test_a_strategy_without_a_kind_is_evaluated_but_cannot_be_read():
    pool = make_pool({("x", "q"): ["a"] * 4})
    result = evaluate(pool, {"first": First(("x",))}, [1, 4], n_replays=3)
    assert result.samples_used[0, :, 0].tolist() == [1, 1]
    assert str(First("x", 2)) == "First:x,at_most=2"
    with pytest.raises(StrategyError, match=r"kind 'First'\. Choose from"):
        parse_strategy("First:x")


def test_only_a_strategy_of_one_plan_is_that_plan_for_certain():
    class Better(First):
        def combine(self, parts, _questions):
            return max(parts, key=lambda part: part.accuracy.mean())

    assert First("x").chances() == (1,)
    assert Better("x").chances() is None


@pytest.mark.usefixtures("registered")
def test_a_kind_makes_a_strategy_of_text_and_belongs_to_one_class():
    @dataclass(frozen=True)
    class Named(First):
        kind = "first"

    assert parse_strategy("first:x,at_most=3") == Named(("x",), 3)
    assert str(Named("x", 3)) == "first:x,at_most=3"
    with pytest.raises(StrategyError, match="strategy 'sc' is the name of mssim"):

        class Other(First):
            kind = "sc"


def test_the_result_of_one_plan_is_that_of_the_strategy():
    part = Expected(*(np.full((1, 1), x) for x in range(6)))
    assert First("x").combine([part], None) is part


def test_a_strategy_without_plans_cannot_be_made():
    with pytest.raises(TypeError, match="abstract method"):
        type("Nothing", (Strategy,), {})()
