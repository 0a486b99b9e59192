"""Group confidences as the kernel reads them: lows of blocks, the bar of NumPy, and what is refused."""

import re

import numpy as np
import pytest

from mssim import DeepConf, PoolError, Strategy, StrategyError, Vote, evaluate
from mssim.engine.requirements import check_plan
from mssim.engine.traces import Lows, bar_at, check_online, check_traces
from mssim.kernels.online import NO_GROUP, Bar
from mssim.kernels.tally import RANDOM
from mssim.rules.plan import Online, Verifier
from tests.conftest import make_pool

ANSWERS = {("m", "q"): ["a", None], ("m", "r"): ["a", "b", "b"], ("n", "q"): ["a"], ("n", "r"): ["b"]}
GROUPS = [[3.0, 4, 2], None, [5.0], [7.0, 6, 6], [1.0, 0.5], [9.0], [9.0, 8]]
RULE = DeepConf("m", window=4, stride=3)
(PLAN,) = RULE.plans(np.array([1, 2]))


@pytest.fixture
def pool():
    return make_pool(ANSWERS, group_confidence=GROUPS, output_tokens=[12, 20, 3, 12, 8, 8, 8])


def test_a_block_has_the_lows_of_its_questions(pool):
    lows = Lows.of(pool, "m")
    assert lows.confidences.tolist() == [3, 2, 0, 5, 7, 6, 1, 0.5]
    assert lows.numbers.tolist() == [0, 2, NO_GROUP, 0, 0, 1, 0, 1]
    amounts = np.array([[[120, 200, 0], [30, 110, 80]]], np.int32)
    fixed = np.array([[[0, 0, 0], [10, 10, 10]]], np.int32)
    whole, second = (
        lows.traces(Online(0.1, 16, 0.95, 4, 3), slice(*part), amounts[:, slice(*part)], fixed[:, slice(*part)])
        for part in ((0, 2), (1, 2))
    )
    assert whole.lowest.tolist() == [[2, 0, 0], [5, 6, 0.5]]
    assert whole.first.tolist() == [[0, 2, 0], [3, 4, 6]]
    assert whole.last.tolist() == [[1, 2, 0], [3, 5, 7]]
    assert whole.spent.tolist() == [[40, 100, 200, 30, 43, 68, 45, 71]]  # tokens 4 and 10 of 12, all, all, ...
    assert second.lowest.tolist() == [[5, 6, 0.5]]
    assert second.last.tolist() == [[0, 2, 4]]
    assert second.spent.tolist() == [[30, 43, 68, 45, 71]]


@pytest.mark.parametrize("keep", [0.001, 0.07, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_the_bar_has_the_bits_of_numpy(keep):
    rng = np.random.default_rng(1)
    bar = bar_at(Online(keep, 40, None, 1, 1), 64)
    for n in range(1, 41):
        values = np.sort(rng.normal(9, 2, n))
        low, high, t = values[bar.below[n]], values[min(bar.below[n] + 1, n - 1)], bar.part[n]
        found = high - (high - low) * (1 - t) if t >= 0.5 else low + (high - low) * t
        assert found == np.percentile(values, round(100 - 100 * keep, 9))


def test_the_table_ends_with_the_draws_or_the_warm_up():
    assert isinstance(bar_at(Online(0.1, 16, None, 1, 1), 4), Bar)
    assert [bar_at(Online(0.1, warmup, None, 1, 1), 4).below.size for warmup in (2, 16)] == [3, 5]
    bar = bar_at(Online(0.1, 16, 0.8, 1, 1, "random"), 4)
    assert (bar.consensus, bar.ties) == (0.8, RANDOM)
    assert bar_at(Online(0.1, 16, None, 1, 1), 4).consensus > 1


# What is refused ------------------------------------------------------------------------------------------------------


def test_group_confidences_must_be_recorded_as_lists():
    says = "deepconf:m requires column 'group_confidence' (a list of numbers for each sample, the confidence of every"
    with pytest.raises(PoolError, match=re.escape(says)) as error:
        evaluate(make_pool(ANSWERS, output_tokens=9), "deepconf:m", 1)
    assert "the pool has no column 'group_confidence' of lists" in str(error.value)


def test_output_tokens_must_be_recorded(pool):
    with pytest.raises(PoolError, match="requires output_tokens of every sample, but 5 of 5 samples of model 'm' have"):
        check_traces(make_pool(ANSWERS, group_confidence=GROUPS), "rule", PLAN)
    lacking = make_pool(ANSWERS, group_confidence=GROUPS, output_tokens=[12, 20, 3, 11, None, None, None])
    with pytest.raises(PoolError, match="but 1 of 5 samples of model 'm' have none, first sample 2 of question 'r'"):
        check_traces(lacking, "rule", PLAN)
    check_traces(pool, "rule", PLAN)


def test_groups_end_with_the_output_tokens(pool):
    says = (
        "rule: the 3 groups of sample 0 of question 'q' of model 'm' end with token 14 for window=4 and stride=5, but "
        "it has 12 output_tokens. Use the window and the stride with which the groups were recorded."
    )
    with pytest.raises(PoolError, match=re.escape(says)):
        check_traces(pool, "rule", PLAN._replace(online=PLAN.online._replace(stride=5)))
    check_traces(pool, "rule", PLAN._replace(online=PLAN.online._replace(stride=4)))  # the last ends with token 12
    of_n = PLAN._replace(models=("n",), online=PLAN.online._replace(window=7, stride=1))
    check_traces(pool, "rule", of_n)  # its samples have 8 tokens and up to two groups
    with pytest.raises(PoolError, match="the 2 groups of sample 0 of question 'r' of model 'n' end with token 9"):
        check_traces(pool, "rule", of_n._replace(online=of_n.online._replace(window=8)))


class Own(Strategy):
    """Makes the plan of DeepConf with other fields."""

    models = ("m",)

    def __init__(self, **fields):
        self.fields = fields

    def plans(self, budgets):
        return (RULE.plans(budgets)[0]._replace(**self.fields),)


@pytest.mark.parametrize(
    "fields",
    [
        {"vote": Vote()},
        {"cap": 3},
        {"max_tokens": (9,)},
        {"least": np.array([1, 1])},
        {"accepts": Verifier()},
        {"need": np.array([[1, 1]])},
    ],
)
def test_a_plan_whose_samples_end_early_does_nothing_else(fields):
    (plan,) = Own(**fields).plans(np.array([1, 2]))
    with pytest.raises(StrategyError, match="own: its plan has online, which supports only one model"):
        check_online("own", plan)


@pytest.mark.parametrize(
    "fields",
    [
        {"online": (0.1, 16, 0.95, 1, 1)},
        {"online": PLAN.online._replace(warmup=0)},
        {"online": PLAN.online._replace(keep=1.5)},
        {"online": PLAN.online._replace(ties="last")},
        {"sizes": np.array([[2, 1]])},
    ],
)
def test_a_plan_says_in_full_how_samples_end(fields):
    (plan,) = Own(**fields).plans(np.array([1, 2]))
    with pytest.raises(StrategyError, match=r"own: online of its plan is .* Return an Online with warmup, window"):
        check_plan("own", plan, np.array([1, 2]))
    check_plan("own", PLAN, np.array([1, 2]))
