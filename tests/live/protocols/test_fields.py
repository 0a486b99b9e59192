import pytest

from mssim.errors import StrategyError
from mssim.live.protocols import parse_protocol
from mssim.live.protocols.debate import Debate
from mssim.live.protocols.mad import Mad


def test_models_become_a_tuple_and_may_repeat():
    assert Debate(["a", "a"]).models == ("a", "a")
    assert Debate("ab").models == ("ab",)


@pytest.mark.parametrize("models", [(), None, [1], [""], 3])
def test_models_that_are_no_names(models):
    with pytest.raises(StrategyError, match="must be one or more names"):
        Debate(models)


@pytest.mark.parametrize("judge", [3, "", ["a"]])
def test_models_of_options(judge):
    with pytest.raises(StrategyError, match=r"judge=.* is not the name of a model. Use e.g. judge='gpt-4'."):
        Mad(["a"], judge=judge)


def test_numbers_are_integers_in_range():
    assert parse_protocol("debate:a,rounds=1000").rounds == 1000
    for rounds in (1001, 2.0, True):
        with pytest.raises(StrategyError, match="Use an integer from 1 to 1000"):
            Debate(["a"], rounds=rounds)


def test_too_many_models():
    with pytest.raises(StrategyError, match=r"at most 2 can take part. Remove some.$"):
        Mad(["a", "b", "c"])
