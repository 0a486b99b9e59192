"""Cost formulas: exact, against evaluate and every draw; and where the independence assumption goes wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import BudgetError, ModelSwitch, MssimError, StrategyError, Vote, evaluate
from mssim.theory import cost, expected_samples
from tests import naive
from tests.conftest import make_pool, replay
from tests.engine.test_evaluate import random_pool
from tests.engine.test_monte_carlo import XYZ, pools, switches
from tests.theory import test_limits

any_pool, models_with = test_limits.any_pool, test_limits.models_with
RATES = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@given(RATES, st.data())
def test_expected_samples_by_the_definition(rates, data):
    sizes = data.draw(st.lists(st.integers(0, 9), min_size=len(rates), max_size=len(rates)))
    used, reached = 0.0, 1.0
    for c, size in zip(rates, sizes, strict=True):
        used += reached * size
        reached *= 1 - c
    assert expected_samples(rates, sizes) == pytest.approx(used)
    assert expected_samples([rates, rates], sizes) == pytest.approx([used, used])
    assert expected_samples(np.array(rates), [[n] for n in sizes]).shape == (len(rates),)


@given(st.floats(1e-3, 1), st.integers(1, 6), st.integers(1, 50))
def test_equal_rates_stay_below_the_bound_of_the_paper(c, n, size):
    budget = n * size
    used = expected_samples([c] * n, size)
    assert used == pytest.approx(budget * (1 - (1 - c) ** n) / (n * c))
    assert used <= budget / (n * c) * (1 + 1e-12)


@given(pools(n_models=3), switches(3), st.booleans())
def test_the_true_joint_is_what_evaluate_finds(pool, strategy, replacement):
    n = pool.codes.shape[2]
    budgets = [1, 2, n, 2 * n, 3 * n]
    frame = cost(pool, strategy, budgets, replacement=replacement)
    exactly = evaluate(pool, strategy, budgets, n_replays=1, replacement=replacement)
    assert frame["samples_used"].tolist() == pytest.approx(exactly.samples_used[0].mean(axis=1), abs=1e-11)
    assert frame["saving"].tolist() == pytest.approx(1 - frame["samples_used"] / frame["budget"])


@given(pools(n_models=2, most_samples=4), st.sampled_from([0.5, 1.0]), st.booleans())
def test_the_true_joint_is_the_mean_over_every_draw(pool, agreement, replacement):
    strategy = ModelSwitch(XYZ[:2], agreement=agreement, vote=Vote.plurality())
    for budget in (2, 4):
        _, used = naive.expectation(pool, strategy, budget, replacement=replacement)
        found = cost(pool, strategy, budget, replacement=replacement)["samples_used"].item()
        assert found == pytest.approx(float(sum(used) / len(used)), abs=1e-11)


@given(pools(n_models=2), st.booleans())
def test_two_models_save_half_of_the_first_ones_agreement_at_most_half(pool, replacement):
    """Whatever the joint: only the first model's agreement matters."""
    n = pool.codes.shape[2]
    frame = cost(pool, "ms:x+y", [2, 2 * n], replacement=replacement)
    assert frame["saving"].tolist() == pytest.approx(frame["agreement"] / 2)
    assert frame["samples_used_independent"].tolist() == pytest.approx(frame["samples_used"])
    assert (frame["saving"] <= 0.5 + 1e-12).all()


@pytest.mark.slow
@given(pools(n_models=3), st.sampled_from([0.5, 0.8, 1.0]))
def test_questions_that_are_hard_for_all_cost_more_than_independence_says(pool, agreement):
    """Three models with the same answers agree on the same questions: E[(1-c)^2] >= E[1-c]^2."""
    frame = pool.to_frame()
    same = [frame[frame["model"] == "x"].assign(model=m) for m in XYZ]
    alike = pool.from_frame(type(frame)(np.vstack([f.to_numpy() for f in same]), columns=frame.columns))
    n = pool.codes.shape[2]
    found = cost(alike, ModelSwitch(XYZ, agreement=agreement), [3, 3 * n])
    assert (found["samples_used"] >= found["samples_used_independent"] - 1e-9).all()


def test_complementary_models_cost_less_than_independence_says():
    """The counter-example: either of the first two models is sure where the other is not."""
    sure, torn = list("aaaa"), list("abcd")
    pool = make_pool(
        {("x", "q"): sure, ("y", "q"): torn, ("z", "q"): torn, ("x", "r"): torn, ("y", "r"): sure, ("z", "r"): torn}
    )
    row = cost(pool, "ms:x+y+z", 6).iloc[0]
    assert row["samples_used"] == 3  # 2 on q, 4 on r
    assert row["samples_used_independent"] == 2 + 1 + 0.5
    assert row["bound"] == pytest.approx(6 / (3 * (1 / 3)))
    alike = make_pool({(m, q): given for q, given in (("q", sure), ("r", torn)) for m in XYZ})
    row = cost(alike, "ms:x+y+z", 6).iloc[0]
    assert row["samples_used"] == 4  # 2 on q, 6 on r
    assert row["samples_used_independent"] == 2 + 1 + 0.5
    assert row["samples_used"] == row["bound"]
    # Even the bound fails: one model that is always sure, asked last, raises the mean rate and saves nothing.
    late = make_pool({("x", "q"): torn, ("y", "q"): torn, ("z", "q"): sure})
    row = cost(late, "ms:x+y+z,test_last=true", 6).iloc[0]
    assert row["samples_used"] == row["bound"] == 6
    late = make_pool({("x", "q"): torn, ("y", "q"): sure, ("z", "q"): sure})
    assert cost(late, "ms:x+y+z", 6)["samples_used"].item() == 4 > cost(late, "ms:x+y+z", 6)["bound"].item()


def test_the_bound_needs_equal_sizes_and_counts_tested_models():
    pool = random_pool()
    frame = cost(pool, "ms:x+y+z", [3, 4, 6])
    assert np.isnan(frame["bound"]).tolist() == [False, True, False]
    last = cost(pool, "ms:x+y+z,test_last=false", 6).iloc[0]
    rates = [cost(pool, f"ms:{m}", 2)["agreement"].item() for m in "xyz"]
    assert last["bound"] == pytest.approx(6 / (3 * np.mean(rates[:2])))
    assert frame["bound"].iloc[2] == pytest.approx(6 / (3 * np.mean(rates)))
    assert frame["samples_used_independent"].iloc[2] == pytest.approx(expected_samples(rates, 2))
    assert np.isnan(cost(pool, "ms:x+y,agreement=1.1", 2)["bound"].item())  # nothing is tested
    never = make_pool({("x", "q"): list("ab"), ("y", "q"): list("ab")})
    assert np.isinf(cost(never, "ms:x+y", 4)["bound"].item())
    assert frame["n_questions"].tolist() == [12] * 3
    assert frame["strategy"].tolist() == ["ms:x+y+z"] * 3


def test_a_model_with_several_turns_is_exact_with_replacement():
    """Six standard errors of 12 x 4000 numbers from 2 to 6; one seed in 10^8 fails."""
    pool = random_pool()
    found = cost(pool, "ms:x+x+x", 6, replacement=True)["samples_used"].item()
    replayed = replay(pool, "ms:x+x+x", 6, n_replays=4000, replacement=True).samples_used.mean()
    assert abs(found - replayed) < 6 * 2 / np.sqrt(12 * 4000)
    with pytest.raises(
        StrategyError, match=r"stages of the same model are dependent without replacement. Name each model once, or"
    ):
        cost(pool, "ms:x+x", 4)


def test_cost_on_every_pool(any_pool):
    """Exact equals evaluate; replays within six standard errors of numbers from 0 to the budget."""
    models = models_with(any_pool, 4)
    budgets = [len(models) * k for k in (1, 2, 4)]
    switch = ModelSwitch(models, agreement=0.75)
    frame = cost(any_pool, switch, budgets)
    exactly = evaluate(any_pool, switch, budgets, n_replays=1).to_frame()
    assert frame["samples_used"].tolist() == pytest.approx(exactly["samples_used"], abs=1e-10)
    replayed = replay(any_pool, switch, budgets, n_replays=500).to_frame()
    error = np.array(budgets) / 2 / np.sqrt(500 * len(any_pool.questions))
    assert ((frame["samples_used"] - replayed["samples_used"]).abs() <= 6 * error).all()


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda: expected_samples([0.5, 1.2], 2),
            MssimError,
            "agreement=[0.5, 1.2] is not valid. Use probabilities from 0 to 1",
        ),
        (
            lambda: expected_samples(0.5, 2),
            MssimError,
            "agreement=0.5 is not valid. Use probabilities from 0 to 1, one per model",
        ),
        (
            lambda: expected_samples([0.5, 0.5], [1, 2, 3]),
            MssimError,
            "sizes: shape (3,) does not broadcast to the shape (2,) of agreement. Use one size per model",
        ),
        (lambda: cost(random_pool(), "mix:x+y", 2), StrategyError, "mix:x+y is not a ModelSwitch. Use e.g."),
        (lambda: cost(random_pool(), "ms:x+y", 100), BudgetError, "needs 50 samples of model 'x'"),
        (
            lambda: cost(random_pool(), "ms:x", 1025, replacement=True),
            BudgetError,
            "ms:x: 1025 samples of one model exceed the limit of 1024",
        ),
        (
            lambda: cost(random_pool(), "ms:x", 2, replacement=1),
            MssimError,
            "replacement=1 is not a bool. Use True or False",
        ),
    ],
)
def test_bad_input_is_refused(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)
