"""The best split of money, against all splits and against the formula without rounding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import MssimError
from mssim.results.best_split import Prices, affordable, best_split
from mssim.results.planning import Variances, detectable_difference
from tests.conftest import examples

VARIANCES = Variances(0.05, 0.15, 0.2)


@settings(max_examples=examples(20))
@given(
    st.builds(
        Variances, st.floats(0.001, 1), st.floats(0.001, 0.25), st.floats(0.001, 0.25), st.floats(1, 4), st.floats(0, 1)
    ),
    st.builds(Prices, st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from([0.01, 0.1]), st.sampled_from([0.0, 0.05])),
    st.integers(2, 12),
    st.integers(100, 300),
    st.sampled_from(["normal", "gaffke", "t"]),
)
def test_no_other_split_within_the_money_is_better(variances, prices, most_runs, most_questions, test):
    money = 30
    split = best_split(variances, money, prices, most_runs=most_runs, most_questions=most_questions, test=test)
    price = prices.question + split.runs * (prices.run_a + prices.run_b)
    assert split.cost == pytest.approx(split.questions * price)
    assert split.cost <= money * (1 + 1e-9)
    assert split.difference == pytest.approx(detectable_difference(variances, split.questions, split.runs, test=test))
    for runs in range(1, most_runs + 1):
        for questions in {2, 3, most_questions // 2, most_questions}:
            if questions * (prices.question + runs * (prices.run_a + prices.run_b)) <= money:
                other = detectable_difference(variances, questions, runs, test=test)
                assert other >= split.difference * (1 - 1e-9)
        bought = min(int(money / (prices.question + runs * (prices.run_a + prices.run_b)) + 1e-9), most_questions)
        assert detectable_difference(variances, bought, runs, test=test) >= split.difference * (1 - 1e-9)


def test_with_much_money_the_split_is_that_of_the_formula():
    prices = Prices(question=2.0, run_a=0.01, run_b=0.03)
    continuous = np.sqrt(0.35 * 2.0 / (0.05 * 0.04))
    split = best_split(VARIANCES, 1e6, prices)
    assert abs(split.runs - continuous) < 1
    assert split.questions == int(1e6 / (2 + 0.04 * split.runs))


def test_free_questions_need_one_run_each():
    assert best_split(VARIANCES, 100, Prices(run_a=0.1, run_b=0.1)).runs == 1


def test_limited_questions_get_the_money_as_runs():
    prices = Prices(run_a=0.01, run_b=0.01)
    split = best_split(VARIANCES, 100, prices, most_questions=200)
    assert (split.questions, split.runs) == (200, 25)
    assert best_split(VARIANCES, 100, prices, most_questions=200, most_runs=10).runs == 10


def test_equal_splits_are_the_cheaper():
    """Without noise within questions more runs help nothing."""
    split = best_split(Variances(0.05, 0, 0), 10, Prices(run_a=0.01), most_questions=100)
    assert (split.questions, split.runs, split.cost) == (100, 1, 1.0)


def test_differences_above_one_are_not_detected():
    """With too little money the smallest detectable difference is above 1, which no accuracies have."""
    largest = Variances(1, 0.25, 0.25)
    one = Prices(question=1, run_a=0, run_b=0)
    least = next(n for n in range(2, 100) if detectable_difference(largest, n, 64) <= 1)
    assert best_split(largest, least, one).questions == least
    with pytest.raises(MssimError, match=f"buys at most {least - 1} questions, too few to detect any difference"):
        best_split(largest, least - 1, one)


def test_money_buys_what_it_pays_but_for_rounding():
    assert affordable(0.3, Prices(question=0.1), [1, 2]).tolist() == [3, 3]
    assert affordable(100, Prices(question=0.1, run_a=0.05, run_b=0.15), 2) == 200
    assert affordable(100, Prices(question=0.1), 1, most_questions=7) == 7


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: best_split(VARIANCES, 0, Prices(1)), "money=0 is out of range. Use a positive number"),
        (
            lambda: best_split(VARIANCES, 5, Prices()),
            "question, run_a, run_b: all are 0, so money does not limit the plan",
        ),
        (lambda: best_split(VARIANCES, 5, Prices(2)), "money=5 buys at most 2 questions, too few to detect"),
        (lambda: best_split(VARIANCES, 5, Prices(0.1), most_runs=0), "most_runs=0 is out of range"),
        (lambda: best_split(VARIANCES, 5, Prices(0.1), most_questions=1), "most_questions=1 is out of range"),
        (lambda: best_split(VARIANCES, 5, Prices(0.1), test="z"), "test='z' is not valid"),
        (lambda: Prices(-1), "question=-1 is out of range. Use a number from 0 to 1e+12."),
        (lambda: Prices(run_b=float("nan")), "run_b=nan is out of range"),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(MssimError) as caught:
        call()
    assert says in str(caught.value)
