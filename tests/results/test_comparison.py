"""Paired comparisons: antisymmetric, narrow on equal draws, wins and ties by hand."""

import numpy as np
import pandas as pd
import pytest

from mssim import BudgetError, Evaluation, MssimError, StrategyError, evaluate
from mssim.results.comparison import Comparison
from mssim.results.intervals import mean_interval, sign_flip_p_value
from tests.conftest import make_pool
from tests.results.test_evaluation import result


def test_a_comparison_is_paired():
    evaluation = result()
    found = evaluation.compare("MS", "SC", budget=12, seed=4, n_resamples=999)
    difference = evaluation.accuracy[1, 2] - evaluation.accuracy[0, 2]
    assert found.difference == pytest.approx(difference.mean())
    assert (found.low, found.high) == pytest.approx(mean_interval(difference, bounded=False))
    assert found.p_value == sign_flip_p_value(difference, seed=4, n_resamples=999)
    assert found.wins + found.ties + found.losses == found.n_questions == 30
    assert found.to_frame().columns.tolist()[:5] == ["a", "b", "budget_a", "budget_b", "difference"]


def test_a_comparison_is_antisymmetric():
    there, back = result().compare("MS", "SC", budget=6), result().compare("SC", "MS", budget=6)
    assert there.difference == -back.difference
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert (there.wins, there.ties, there.losses) == (back.losses, back.ties, back.wins)


def test_equal_draws_make_the_paired_interval_narrow():
    frame = result().to_frame()
    found = result().compare("MS", "SC", budget=12)
    width = frame.query("budget == 12").eval("high - low").sum()
    assert found.high - found.low < width / 2


def test_two_budgets_of_one_strategy_are_compared():
    found = result().compare("SC", "SC", budget=(12, 2))
    assert (found.budget_a, found.budget_b) == (12, 2)
    assert found.difference == pytest.approx(np.diff(result().to_frame()["accuracy"][[0, 2]]).item())


def test_wins_ties_and_losses_by_hand():
    answers = {("x", "q1"): "aa", ("y", "q1"): "bb", ("x", "q2"): "bb", ("y", "q2"): "aa"}
    answers |= {("x", "q3"): "ab", ("y", "q3"): "ba", ("x", "q4"): "aa", ("y", "q4"): "bb"}
    pool = make_pool({key: list(value) for key, value in answers.items()})
    found = evaluate(pool, ["sc:x", "sc:y"], 1, n_replays=999).compare("sc:x", "sc:y", budget=1)
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)


@pytest.mark.parametrize(("standard_errors", "ties"), [(2.9, 1), (3.1, 0)])
def test_a_tie_is_a_difference_of_up_to_three_monte_carlo_errors(standard_errors, ties):
    n, p = 10_000, 0.5
    gap = standard_errors * np.sqrt(2 * p * (1 - p) / n)
    accuracy = np.array([[[p + gap / 2]], [[p - gap / 2]]])
    nothing = np.zeros_like(accuracy)
    question = pd.DataFrame({"question_id": ["q"]})
    made = Evaluation(("a", "b"), np.array([1]), question, accuracy, nothing, nothing, nothing, np.full((2, 1), n), {})
    found = made.compare("a", "b", budget=1)
    assert (found.wins, found.ties, found.losses) == (1 - ties, ties, 0)


@pytest.mark.parametrize("options", [{"seed": -1}, {"n_resamples": 0}, {"budget": (2, 6, 12)}])
def test_options_of_a_comparison_are_checked(options):
    with pytest.raises(MssimError, match=r"give a whole number from|is neither an int nor a pair"):
        result().compare("SC", "MS", **{"budget": 6, **options})


def test_what_was_not_evaluated_cannot_be_compared():
    with pytest.raises(StrategyError, match="no strategy 'SCC' was evaluated; did you mean 'SC'"):
        result().compare("SCC", "MS", budget=6)
    with pytest.raises(BudgetError, match=r"budget 7 was not evaluated; choose from \[2, 6, 12\]"):
        result().compare("SC", "MS", budget=7)


def test_a_comparison_is_a_row_of_a_table():
    found = Comparison("a", "b", 8, 16, 0.5, 0.25, 0.75, 0.01, 6, 3, 1, 10)
    (row,) = found.to_frame().to_dict("records")
    assert row == vars(found)
    assert list(row) == [
        *("a", "b", "budget_a", "budget_b", "difference", "low", "high", "p_value"),
        *("wins", "ties", "losses", "n_questions"),
    ]
