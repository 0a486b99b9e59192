"""The curve of accuracy over the output tokens at which samples are cut off."""

import numpy as np
import pytest

from mssim import MssimError, PoolWarning, StrategyError, evaluate
from mssim.engine.budgets import Asked
from mssim.theory.length_limits import AtLimit, at_limits, length_limits, limit_table, read_limits, strategies_of
from tests.conftest import make_pool

COLUMNS = ["strategy", "max_tokens", "budget", "accuracy", "low", "high", "samples_used", "tokens", "cost"]
COLUMNS += ["cut_off", "recorded_cut_off", "recorded_limit", "beyond", "n_questions"]


def pool():
    """Right answers of x have 3, 6 and 9 tokens; of 16 samples of both, three were cut off at 20 and 24."""
    answers = {("x", "p"): list("aaab"), ("x", "q"): list("aaab"), ("y", "p"): list("aabb"), ("y", "q"): list("bbbb")}
    tokens = [3.0, 6, 9, 20, 3, 6, 9, 20, 2, 2, 2, 24, 2, 2, 2, 2]
    reasons = ["stop"] * 3 + ["length"] + ["stop"] * 3 + ["length"] + ["stop"] * 3 + ["length"] + ["stop"] * 4
    return make_pool(answers, output_tokens=tokens, finish_reason=reasons)


def test_one_row_per_strategy_limit_and_budget_from_one_evaluation():
    with pytest.warns(PoolWarning, match=r"max_tokens=22: 25 % of the samples of model 'x' were cut off"):
        found = length_limits(pool(), ["sc:x", "mix:x+y"], [22, 3, 6], [1, 2])
    assert found.columns.tolist() == COLUMNS
    assert found["strategy"].tolist() == ["sc:x"] * 6 + ["mix:x+y"] * 6
    assert found["max_tokens"].tolist() == [3, 3, 6, 6, 22, 22] * 2
    assert found["budget"].tolist() == [1, 2] * 6
    alone = evaluate(pool(), ["sc:x,max_tokens=6", "mix:x+y,max_tokens=6"], [1, 2]).to_frame()
    same = found[found["max_tokens"] == 6].reset_index(drop=True)
    for name in ("accuracy", "low", "high", "samples_used", "tokens"):
        assert same[name].tolist() == alone[name].tolist()


def test_it_says_what_limits_and_the_recording_cut_off():
    with pytest.warns(PoolWarning):
        found = length_limits(pool(), ["sc:x", "sc:y", "mix:x+y"], [6, 20, 22], 2)
    at = found.set_index(["strategy", "max_tokens"])
    assert at["cut_off"].round(4).tolist() == [0.5, 0.0, 0.0, 0.125, 0.125, 0.125, 0.3125, 0.0625, 0.0625]
    assert at["recorded_cut_off"].tolist() == [0.25] * 3 + [0.125] * 3 + [0.1875] * 3
    assert at["recorded_limit"].tolist() == [20] * 3 + [24] * 3 + [20] * 3
    assert at["beyond"].tolist() == [False, False, True] + [False] * 3 + [False, False, True]


def test_accuracy_rises_with_the_limit_until_right_samples_are_whole():
    with pytest.warns(PoolWarning, match="no effect"):
        found = length_limits(make_pool({("x", "q"): ["a"] * 3}, output_tokens=[3.0, 6, 9]), "sc:x", [2, 3, 6, 9], 1)
    assert found["accuracy"].tolist() == [0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1]
    assert found["tokens"].tolist() == pytest.approx([2, 3, 5, 6])
    assert not found["beyond"].any()
    assert found["recorded_limit"].isna().all()


def test_settings_are_those_of_an_evaluation():
    found = length_limits(pool(), "sc:x", 6, [2], prices={"x": 0.5}, clusters=None, confidence_level=0.5)
    assert found["cost"].tolist() == [1.0]
    assert found["low"].item() > length_limits(pool(), "sc:x", 6, [2])["low"].item()
    with pytest.raises(MssimError, match="method='fast'"):
        length_limits(pool(), "sc:x", 3, 1, method="fast")


def test_strategies_keep_their_budgets_and_names():
    every = at_limits({"mine": "sc:x@1-2", "own": "sc:y,max_tokens=4"}, [5, 3], pool())
    assert list(every) == ["mine,max_tokens=3", "mine,max_tokens=5", "own"]
    assert isinstance(every["own"], Asked)
    assert every["mine,max_tokens=5"][:2] == ("mine", 5)
    assert str(every["mine,max_tokens=5"].asked.strategy) == "sc:x,max_tokens=5"
    result = evaluate(pool(), strategies_of(every), 4)
    frame = result.to_frame()
    assert frame.groupby("strategy")["budget"].apply(list).to_dict() == {
        "mine,max_tokens=3": [1, 2],
        "mine,max_tokens=5": [1, 2],
        "own": [4],
    }
    table = limit_table(pool(), result, every)
    assert table["strategy"].unique().tolist() == ["mine"]
    assert len(table) == 4


def test_a_strategy_with_a_limit_has_no_curve():
    with pytest.raises(StrategyError, match=r"^sc:x,max_tokens=4: the strategy has max_tokens already\."):
        length_limits(pool(), "sc:x,max_tokens=4", [5], 1)


@pytest.mark.parametrize("given", [0, [], [3, 0], "64", [1.5], None, {64: 1}, [True], [[3]]])
def test_limits_are_positive_integers(given):
    with pytest.raises(MssimError, match=r"^max_tokens=.* is not valid\. Use positive integers"):
        read_limits(given)


def test_limits_are_sorted_and_distinct():
    assert read_limits(np.array([8, 2, 8])) == [2, 8]
    assert read_limits(5) == [5]
    assert isinstance(at_limits("sc:x", 5, pool())["sc:x,max_tokens=5"], AtLimit)
