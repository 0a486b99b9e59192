"""Leave-one-out estimates from counts, against deleting every sample in turn."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import ModelSwitch, SelfConsistency, evaluate, jackknife_variance, parse_strategy
from mssim.engine.left_out import fit_plan, groups_left_out, left_out, take_questions, variance_of
from mssim.kernels.draw_weights import Counts
from tests.conftest import examples, make_pool
from tests.test_at_k import draws_of, mean, right_share


def counts_of(votes, no_answer, correct, sizes):
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return Counts(np.array(votes), np.array(no_answer), offsets, np.array(correct), False)


def test_equal_classes_are_left_out_once():
    counts = counts_of([[6, 2, 2, 0, 3], [1, 2, 2, 1, 0]], [[0, 1], [2, 0]], [True, False, False, False, True], [4, 1])
    found = left_out(counts)
    assert sorted(zip(found.question.tolist(), found.model.tolist(), found.copies.tolist(), strict=True)) == [
        *((0, 0, 4), (0, 0, 6)),  # b and c are alike
        *((0, 1, 1), (0, 1, 1), (0, 1, 2), (0, 1, 4)),  # d is not: the other model has none of it
        *((1, 0, 1), (1, 0, 3)),
    ]
    recorded = found.counts.no_answer + np.add.reduceat(found.counts.votes, found.counts.offsets[:-1], axis=1)
    all_of_it = np.array([[10, 4], [8, 0]])[:, found.question]
    lacking = np.arange(2)[:, None] == found.model
    assert (recorded == all_of_it - lacking).all()
    assert counts.votes.sum() == 19  # the given counts are unchanged


def test_questions_without_classes():
    counts = counts_of([[2]], [[3, 2]], [True], [0, 1])
    found = left_out(counts)
    assert (found.question.tolist(), found.copies.tolist()) == ([0, 1, 1], [3, 2, 2])


def test_taken_questions_are_copies_in_the_given_order():
    counts = counts_of([[1, 2, 3]], [[4, 5]], [True, False, True], [2, 1])
    taken = take_questions(counts, np.array([1, 0, 1]))
    assert taken.votes.tolist() == [[3, 1, 2, 3]]
    assert taken.no_answer.tolist() == [[5, 4, 5]]
    assert taken.offsets.tolist() == [0, 1, 3, 4]
    assert taken.correct.tolist() == [True, True, False, True]


# Numbers ---------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "k", "variance"),
    [([6, 4], 1, 0.0266667), ([6, 4], 3, 0.0688776), ([5, 3, 2], 4, 0.0833333), ([8, 0], 3, 0)],
)
def test_known_variances(counts, k, variance):
    assert jackknife_variance(counts, k) == pytest.approx(variance, abs=5e-8)


def naive_variance(counts, no_answer, right, k, ties):
    """The variance in fractions, by deleting every sample; k samples or as many as remain."""
    samples = [*(c for c, n in enumerate(counts) for _ in range(n)), *[None] * no_answer]
    estimates = []
    for i in range(len(samples)):
        left = samples[:i] + samples[i + 1 :]
        votes = [left.count(c) for c in range(len(counts))]
        draws = draws_of(votes, left.count(None), min(k, len(left)), False)
        estimates.append(mean(right_share(one, right, ties) for one in draws))
    middle = sum(estimates) / len(samples)
    return Fraction(len(samples) - 1, len(samples)) * sum((one - middle) ** 2 for one in estimates)


@pytest.mark.slow
@settings(max_examples=examples(40))
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
    st.integers(0, 2),
    st.sets(st.integers(0, 2)),
    st.integers(1, 5),
    st.sampled_from(["random", "wrong"]),
)
def test_the_variance_is_that_of_deleting_every_sample(counts, no_answer, right, k, ties):
    right = {c for c in right if c < len(counts)}
    found = jackknife_variance(counts, k, correct=sorted(right), ties=ties, no_answer=no_answer)
    total = sum(counts) + no_answer
    if total < 2 or k > total:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(float(naive_variance(counts, no_answer, right, k, ties)), abs=1e-12)


def test_several_questions_have_their_own_numbers_of_samples():
    counts = [[[6, 4, 0], [5, 3, 2]], [[1, 1, 0], [0, 0, 0]]]
    found = jackknife_variance(counts, [1, 4])
    assert found.shape == (2, 2, 2)
    assert found[0, 1, 1] == pytest.approx(1 / 12)
    assert found[1, 0].tolist() == [0.25, pytest.approx(np.nan, nan_ok=True)]
    assert np.isnan(found[1, 1]).all()


def test_groups_are_rows_of_the_questions_that_have_them():
    first, second = (counts_of([votes], [[0, 1]], [True, False, True], [2, 1]) for votes in ([1, 2, 3], [2, 1, 4]))
    found = groups_left_out([first, second], np.array([1, 2]))
    assert found.question.tolist() == [0, 1, 1]
    assert found.counts.votes.tolist() == [[1, 2, 3, 4]]
    assert found.counts.no_answer.tolist() == [[0, 1, 1]]
    assert found.counts.offsets.tolist() == [0, 2, 3, 4]
    assert variance_of(np.array([[0.5, 0.2, 0.8]]), found, 2).tolist() == [[0, pytest.approx(0.5 * 0.18)]]


# Strategies -----------------------------------------------

ANSWERS = {
    ("x", "p"): list("aaabbc"),
    ("y", "p"): ["a", "b", "b", "b", None],
    ("x", "q"): list("abcdaa"),
    ("y", "q"): list("aaaab"),
}


def deleted(strategy, budget, smaller):
    """The variance of both questions by deleting samples of each model from the pool.

    smaller : strategy without a sample of x, and without one of y
    """
    variance = np.zeros(2)
    for model, fitted in zip("xy", smaller, strict=True):
        for q, question in enumerate("pq"):
            recorded = ANSWERS[model, question]
            without = {}  # an answer: the accuracy without one of its samples
            for answer in set(recorded):
                i = recorded.index(answer)
                left = {**ANSWERS, (model, question): recorded[:i] + recorded[i + 1 :]}
                without[answer] = evaluate(make_pool(left), fitted or strategy, budget).accuracy[0, 0, q]
            found = [without[answer] for answer in recorded]
            variance[q] += (len(recorded) - 1) / len(recorded) * ((found - np.mean(found)) ** 2).sum()
    return variance


@pytest.mark.parametrize(
    ("strategy", "budget", "smaller"),
    [
        ("sc:x", 3, (None, None)),
        ("sc:x,stop=window:2", 5, (None, None)),
        ("ms:x+y,vote=plurality", 4, (None, None)),
        ("ms:x+y,vote=plurality,agreement=0.6,on_agreement=pool", 5, (None, None)),
        ("cascade:x+y", 4, (None, None)),
        ("mix:x+y,prior=2/1", 6, (None, None)),
        ("random:x+y", 3, (None, None)),
        ("oracle:x+y", 3, (None, None)),
        ("cov:x+y", 4, (None, None)),
        ("until:x+y", 4, (None, None)),
        ("until:y", 5, ("until:y", "until:y,sizes=4")),
        ("mix:x+y,sizes=6/5", 11, ("mix:x+y,sizes=5/5", "mix:x+y,sizes=6/4")),
        ("ms:x+y,vote=plurality,sizes=3/5", 8, (None, "ms:x+y,vote=plurality,sizes=3/4")),
    ],
)
def test_strategies_are_evaluated_without_every_sample(strategy, budget, smaller, monkeypatch):
    monkeypatch.setattr("mssim.engine.jackknife._MOST_SHARE", 1)  # else groups are left out
    made = evaluate(make_pool(ANSWERS), strategy, budget, method="exact", jackknife=True)
    used = {model for plan in parse_strategy(strategy).plans(made.budgets) for model in plan.models}
    variance = deleted(strategy, budget, smaller)
    assert made.jackknife.variance[0, 0] == pytest.approx(variance, abs=1e-12)
    assert used <= {"x", "y"}
    assert variance.max() > 0


def test_with_replacement_every_budget_is_computed_without_a_sample():
    made = evaluate(make_pool(ANSWERS), "sc:x", [6, 9], method="exact", jackknife=True, replacement=True)
    for b, budget in enumerate((6, 9)):
        estimates = [
            evaluate(make_pool({("x", "p"): list("aaabbc")[:i] + list("aaabbc")[i + 1 :]}), "sc:x", budget,
                     replacement=True).accuracy[0, 0, 0]
            for i in range(6)
        ]  # fmt: skip
        assert made.jackknife.variance[0, b, 0] == pytest.approx(5 * np.var(estimates))


# Plans ----------------------------------------------------


def test_a_plan_draws_what_is_available_and_agrees_with_the_same_share():
    (plan,) = ModelSwitch(["x", "y"], 0.8).plans(np.array([8, 20]))
    fitted = fit_plan(plan, np.array([9, 9]))
    assert fitted.sizes.tolist() == [[4, 9], [4, 9]]
    assert plan.need[:, 1].tolist() == [8, 8]
    assert fitted.need.tolist() == [[4, 8], [4, 8]]
    unanimous = fit_plan(ModelSwitch(["x", "y"]).plans(np.array([20]))[0], np.array([9, 10]))
    assert unanimous.need.tolist() == [[9], [10]]


def test_stages_of_one_model_share_its_samples():
    (plan,) = ModelSwitch(["x", "x"]).plans(np.array([8, 3]))
    fitted = fit_plan(plan, np.array([7, 7]))
    assert fitted.sizes.sum(axis=0).tolist() == [7, 3]
    assert fitted.sizes.min() >= 1


def test_stages_that_always_or_never_stop_still_do():
    (never,) = SelfConsistency("x").plans(np.array([6]))
    assert fit_plan(never, np.array([3])).need.tolist() == never.need.tolist()
    (always,) = ModelSwitch(["x", "y"], 0.0).plans(np.array([6]))
    assert fit_plan(always, np.array([2, 2])).need.tolist() == always.need.tolist()
