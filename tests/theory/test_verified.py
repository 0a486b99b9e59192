"""What draws until one is accepted solve, by hand and against every order of the samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import BudgetError, StrategyError, UntilVerified, evaluate
from mssim.theory import verified
from tests.conftest import examples, make_pool
from tests.rules.test_catalogue import pools

COLUMNS = [
    *("strategy", "budget", "accuracy", "accepted", "false_accepts", "unsolved", "samples_used", "tokens"),
    "n_questions",
]


def test_by_hand():
    """Of p one sample is right and accepted and one is wrong and accepted; of q none is accepted."""
    answers = {("x", "p"): ["a", "b", "c", None], ("x", "q"): ["a", "b", "b", "b"]}
    pool = make_pool(answers, score=[0.9, 0.6, 0.2, 0.9, 0.4, 0.4, 0.4, 0.3])
    frame = verified(pool, "until:x,column=score,threshold=0.5", [1, 2, 4])
    assert list(frame.columns) == COLUMNS
    assert set(frame["strategy"]) == {"until:x,column=score,threshold=0.5"}
    assert frame["budget"].tolist() == [1, 2, 4]
    assert frame["accepted"].tolist() == pytest.approx([1 / 4, 5 / 12, 1 / 2])
    assert frame["accuracy"].tolist() == pytest.approx([1 / 8, 5 / 24, 1 / 4])
    assert frame["false_accepts"].tolist() == pytest.approx([1 / 8, 5 / 24, 1 / 4])
    assert frame["unsolved"].tolist() == pytest.approx([3 / 4, 7 / 12, 1 / 2])
    assert frame["samples_used"].tolist() == pytest.approx([1, (3 / 2 + 2) / 2, (5 / 3 + 4) / 2])
    assert frame["tokens"].isna().all()
    assert set(frame["n_questions"]) == {2}


@settings(max_examples=examples(24))
@given(pools(), st.sampled_from([{}, {"column": "score", "threshold": 0.2}]), st.booleans())
def test_it_is_what_evaluate_finds_and_the_shares_add_up(pool, verifier, replacement):
    rule, budgets = UntilVerified(["x", "y"], **verifier), range(1, 2 * pool.codes.shape[2] + 1)
    frame = verified(pool, rule, budgets, replacement=replacement)
    found = evaluate(pool, rule, budgets, replacement=replacement).to_frame()
    for name in ("accuracy", "samples_used", "tokens"):
        assert frame[name].tolist() == found[name].tolist()
    assert frame["accepted"].tolist() == found["agreed"].tolist()
    assert frame[["accuracy", "false_accepts", "unsolved"]].sum(axis=1).tolist() == pytest.approx([1.0] * len(budgets))
    assert (frame["false_accepts"] >= 0).all()
    if not verifier:
        assert frame["false_accepts"].tolist() == pytest.approx([0.0] * len(budgets))
    assert (np.diff(frame["unsolved"]) <= 1e-12).all()


@settings(max_examples=examples(12))
@given(pools(), st.booleans())
def test_more_budget_does_not_make_accepted_answers_better(pool, replacement):
    rule = UntilVerified(["x"], column="score", threshold=0.2)
    found = evaluate(pool, rule, range(1, pool.codes.shape[2] + 1), replacement=replacement)
    right_of_first = found.accuracy[0, 0] * found.agreed[0]  # [budget, question]
    assert right_of_first == pytest.approx(found.accuracy[0] * found.agreed[0, 0], abs=1e-12)


def test_only_draws_until_one_is_accepted():
    pool = make_pool({("x", "q"): ["a", "b"]})
    with pytest.raises(
        StrategyError, match=r"sc:x does not draw until a sample is accepted\. Use e\.g\. 'until:gpt-4'"
    ):
        verified(pool, "sc:x", 1)
    with pytest.raises(BudgetError, match="budget 3 needs 3 samples of model 'x'"):
        verified(pool, "until:x", 3)
