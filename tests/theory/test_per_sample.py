"""What a sample of each model spends."""

import numpy as np
import pytest

from mssim import MssimError
from mssim.theory import per_sample
from tests.conftest import make_pool

ANSWERS = {("x", "q1"): ["a", "b", "a", "c"], ("x", "q2"): ["a"], ("y", "q1"): ["a", "a"], ("y", "q2"): ["a", "b"]}
TOKENS = [10, 20, 30, 40, 7, 1, 2, 3, 4]


def test_every_question_has_the_same_weight():
    frame = per_sample(make_pool(ANSWERS, output_tokens=TOKENS))
    assert frame["quantity"].tolist() == ["tokens"] * 2
    x, y = frame.drop(columns="quantity").to_dict("records")
    # The one sample of q2 weighs as much as the four of q1.
    assert x == {"model": "x", "mean": 16.0, "p50": 7.0, "p95": 40.0, "largest": 40.0, "ratio": 16 / 2.5}
    assert y == {"model": "y", "mean": 2.5, "p50": 2.0, "p95": 4.0, "largest": 4.0, "ratio": 1.0}


def test_quantiles_are_exact_on_equal_numbers_of_samples():
    """The 95th of 100 samples, whatever the order of the sum of their weights."""
    rng = np.random.default_rng(1)
    answers = {("x", f"q{q}"): ["a"] * 20 for q in range(5)}
    (row,) = per_sample(make_pool(answers, output_tokens=rng.permutation(100) + 1)).to_dict("records")
    assert (row["p50"], row["p95"], row["largest"]) == (50, 95, 100)
    assert row["mean"] == pytest.approx(50.5)


def test_all_quantities_that_are_known_of_a_model_are_listed():
    pool = make_pool(ANSWERS, output_tokens=TOKENS, latency=[None, *range(1, 9)], cost=0)
    frame = per_sample(pool)
    assert frame[["quantity", "model"]].to_numpy().tolist() == [
        ["tokens", "x"], ["tokens", "y"], ["cost", "x"], ["cost", "y"], ["latency", "y"],
    ]  # fmt: skip
    assert frame[frame["quantity"] == "cost"]["ratio"].isna().all()  # nothing costs anything
    assert frame["ratio"].iloc[-1] == 1
    nothing = per_sample(make_pool(ANSWERS))
    assert nothing.empty
    assert nothing.columns.tolist() == frame.columns.tolist()


def test_prices_and_tokens_are_those_of_an_evaluation():
    pool = make_pool(ANSWERS, output_tokens=TOKENS, input_tokens=100)
    assert per_sample(pool)["mean"].tolist() == [116, 102.5]
    assert per_sample(pool, tokens="output")["mean"].tolist() == [16, 2.5]
    table = {"date": "2026-11-01", "models": {name: {"input": 1, "output": 10} for name in "xy"}}
    cost = per_sample(pool, prices=table).set_index(["quantity", "model"])["mean"]["cost"]
    assert cost.tolist() == pytest.approx([260e-6, 125e-6])
    cost = per_sample(pool, prices={"x": 0.5, "y": 2}).set_index(["quantity", "model"])["ratio"]["cost"]
    assert cost.tolist() == [1, 4]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tokens": "input"}, r"tokens='input' is not valid\. Choose from 'all', 'output'"),
        ({"prices": {"x": 1}}, "model 'y' has no price"),
        ({"prices": 3}, "prices=3 is not a price table"),
    ],
)
def test_refusals(options, says):
    with pytest.raises(MssimError, match=says):
        per_sample(make_pool(ANSWERS, output_tokens=TOKENS), **options)
