"""The table "equal money": shares of two budgets, what is out of reach, and paired differences."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import BudgetError, MssimError, StrategyError
from mssim.results.differences import mean_difference
from mssim.results.equal_money import Mix, mix_of
from mssim.results.intervals import mean_interval
from mssim.results.multiplicity import holm
from tests.conftest import examples, replay
from tests.engine.test_evaluate import random_pool
from tests.results.test_evaluation import result

NAN = np.nan


@pytest.mark.parametrize(
    ("spend", "target", "mix"),
    [
        ([1, 2, 4], 2.5, (1, 2, 0.25)),
        ([1, 2, 4], 2, (1, 1, 0)),
        ([1, 2, 4], 4 + 1e-12, (2, 2, 0)),
        ([1, 2, 4], 1, (0, 0, 0)),
        ([1, 5, 2, 4, 9], 3, (2, 3, 0.5)),  # not in the order of budgets
        ([1, 5, 2, 4, 9], 4.5, (3, 1, 0.5)),
        ([2, 2, 6, 6], 3, (0, 2, 0.25)),  # the smallest of equal spends
        ([2, 6, 6, 2], 6, (1, 1, 0)),
        ([1, NAN, 3, NAN], 1.5, (0, 2, 0.25)),
        ([0, 1], 0.125, (0, 1, 0.125)),
    ],
)
def test_the_nearest_spends_on_both_sides_are_mixed(spend, target, mix):
    found = mix_of(np.array(spend, dtype=float), target)
    assert found == Mix(*mix)
    assert found.of(np.array(spend, dtype=float)) == pytest.approx(target)


@pytest.mark.parametrize(
    ("spend", "unit", "place", "note"),
    [
        ([1, 2, 4], "tokens", 2, "costs at most 4 tokens: evaluate larger budgets"),
        ([1, 4, 2], "", 1, "costs at most 4: evaluate larger budgets"),
        ([1], "samples", 0, "costs at most 1 sample: evaluate larger budgets"),
        ([9, NAN, 7.5], "seconds", 2, "costs at least 7.5 seconds: evaluate smaller budgets"),
        ([NAN, NAN], "tokens", 0, "what it spends is not known"),
    ],
)
def test_what_cannot_be_spent_has_a_note(spend, unit, place, note):
    assert mix_of(np.array(spend, dtype=float), 5.0, unit) == Mix(place, place, 0.0, note)


@settings(max_examples=examples(200))
@given(st.lists(st.one_of(st.integers(1, 9), st.just(NAN)), min_size=1, max_size=6), st.integers(2, 20))
def test_a_mix_spends_the_amount_with_the_next_spends(spend, twice):
    spend, target = np.array(spend, dtype=float), twice / 2
    found = mix_of(spend, target)
    known = spend[~np.isnan(spend)]
    reachable = bool(known.size) and known.min() <= target <= known.max()
    assert reachable == (not found.note)
    if reachable:
        low, high = spend[found.lower], spend[found.higher]
        assert found.of(spend) == pytest.approx(target)
        assert 0 <= found.share < 1
        assert low <= target <= high
        assert not ((known > low) & (known < high)).any()
        assert found.lower == np.flatnonzero(spend == low)[0]  # the smallest of budgets that spend the same
        assert found.higher == np.flatnonzero(spend == high)[0]


# The table ------------------------------------------------------------------------------------------------------------


def made():
    """Three strategies on two questions at budgets 1, 2, 4, with numbers that can be checked by hand."""
    evaluation = replay(random_pool(2, 4), ["sc:x", "sc:y", "sc:z"], [1, 2, 4])
    accuracy = np.array([[[0, 0], [0.5, 0.5], [1, 1]], [[0, 1], [0, 1], [0.5, 1]], [[1, 1], [1, 1], [1, 1]]])
    cost = np.array([[[1, 3], [2, 6], [4, 12]], [[4, 4], [5, 5], [9, 9]], [[8, 8], [9, 9], [10, 10]]])
    return dataclasses.replace(evaluation, accuracy=accuracy.astype(float), cost=cost.astype(float))


def test_a_table_by_hand():
    table = made().at_equal_cost("sc:x", budget=4)  # spends 8; sc:y spends it with 1/4 of budget 2 and 3/4 of budget 4
    frame = table.to_frame().set_index("strategy")
    assert list(frame.index) == ["sc:x", "sc:y", "sc:z"]
    assert (table.base, table.budget, table.per, table.spend) == ("sc:x", 4, "cost", 8)
    assert frame["budget"].tolist() == [4, 0.25 * 2 + 0.75 * 4, 1]
    assert frame["spend"].tolist() == [8, 8, 8]
    assert frame["accuracy"].tolist() == [1, (0.375 + 1) / 2, 1]
    assert table.accuracy.tolist() == [[1, 1], [0.375, 1], [1, 1]]
    assert np.isnan(frame["difference"]["sc:x"])
    assert frame["difference"].tolist()[1:] == [-0.3125, 0]
    assert frame["note"].tolist() == ["base", "", ""]
    assert frame["verdict"].tolist() == ["", "no difference found", "no difference found"]


def test_rows_out_of_reach_have_no_difference():
    frame = made().at_equal_cost("sc:x", budget=2, per="cost").to_frame()  # spends 4
    assert frame["difference"].isna().tolist() == [True, False, True]
    assert frame["note"].tolist() == ["base", "", "costs at least 8"]  # no budget is smaller than 1
    assert frame["budget"].tolist() == [2, 1, 1]
    assert frame["verdict"].tolist() == ["", "no difference found", ""]
    frame = made().at_equal_cost("sc:z", budget=4, strategies=["sc:y", "sc:x", "sc:y"]).to_frame()  # spends 10
    assert frame["strategy"].tolist() == ["sc:z", "sc:y", "sc:x"]
    assert frame["note"].tolist()[1:] == [f"costs at most {cost}: evaluate larger budgets" for cost in (9, 8)]
    assert frame[["difference", "difference_low", "p_value", "p_holm"]].isna().all(axis=None)


def test_unknown_spend_of_another_strategy_is_a_note_and_of_the_base_an_error():
    evaluation = made()
    evaluation.cost[1, :, 0] = NAN
    row = evaluation.at_equal_cost("sc:x", budget=4).to_frame().iloc[1]
    assert row["note"] == "what it spends is not known"
    assert row[["budget", "spend", "accuracy", "low", "difference"]].isna().all()
    with pytest.raises(
        MssimError, match=r"per='cost': the cost of 'sc:y' is not known for all questions. Record a col"
    ):
        evaluation.at_equal_cost("sc:y", budget=4)


@pytest.mark.parametrize("margin", [None, 0.3])
def test_equal_samples_of_fixed_sizes_are_equal_budgets(margin):
    evaluation = replay(random_pool(30, 12), ["sc:x", "sc:y", "mix:z+y"], [2, 6, 12], n_replays=50)
    table = evaluation.at_equal_cost("sc:y", budget=6, per="samples_used", margin=margin).to_frame()[1:]
    family = evaluation.compare_with("sc:y", budgets=6, margin=margin).to_frame()
    assert table["strategy"].tolist() == family["a"].tolist()
    assert table["budget"].tolist() == [6, 6]
    names = {"difference": "difference", "difference_low": "low", "difference_high": "high", "p_holm": "p_holm"}
    names |= {"p_noninferior": "p_noninferior", "p_equivalent": "p_equivalent"} if margin else {}
    for name, other in names.items():
        assert table[name].to_numpy() == pytest.approx(family[other].to_numpy())
    words = [verdict.replace("a is ", "").replace("b is better", "worse") for verdict in family["verdict"]]
    assert table["verdict"].tolist() == words


def test_a_strategy_that_spends_less_is_compared_at_a_mean_of_budgets():
    evaluation = result()  # ModelSwitch uses fewer samples than its budget
    table = evaluation.at_equal_cost("MS", budget=12, per="samples_used", confidence_level=0.9, clusters="question_id")
    used = evaluation.samples_used[1, 2].mean()
    share = (used - 6) / 6
    assert 0 < share < 1
    accuracy = (1 - share) * evaluation.accuracy[0, 1] + share * evaluation.accuracy[0, 2]
    row = table.to_frame().iloc[1]
    assert row["budget"] == pytest.approx(used)
    assert table.accuracy[1] == pytest.approx(accuracy)
    assert (row["low"], row["high"]) == pytest.approx(mean_interval(accuracy, confidence_level=0.9))
    found = mean_difference(accuracy - evaluation.accuracy[1, 2], confidence_level=0.9)
    assert row[["difference_low", "difference_high"]].tolist() == pytest.approx([found.low, found.high])
    assert row["p_holm"] == pytest.approx(holm([found.p_value])[0])
    assert (table.test, table.confidence_level) == ("gaffke", 0.9)


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"per": "money"}, MssimError, "per='money' is not valid. Choose from 'cost', 'tokens', 'latency'"),
        ({"per": None}, MssimError, "per=None is not valid"),
        ({"per": "latency"}, MssimError, "per='latency': the latency of 'SC' is not known for all questions. Record"),
        ({"budget": 7}, BudgetError, r"SC: budget 7 was not evaluated. Choose from \[2, 6, 12\]"),
        ({"base": "XX"}, StrategyError, "no strategy 'XX' was evaluated"),
        ({"strategies": ["SC"]}, StrategyError, "strategies: 'SC' is also the base"),
        ({"strategies": "MS"}, StrategyError, "strategies='MS' is a single name"),
        ({"test": "sign"}, MssimError, "test='sign' is not valid"),
        ({"margin": 2}, MssimError, "margin=2 is not valid"),
        ({"confidence_level": 1}, MssimError, "confidence_level=1 is not between 0 and 1"),
        ({"clusters": "x"}, MssimError, "clusters: no column 'x'"),
    ],
)
def test_other_tables_are_refused(wrong, error, says):
    with pytest.raises(error, match=says):
        result().at_equal_cost(**{"base": "SC", "budget": 2, **wrong})
