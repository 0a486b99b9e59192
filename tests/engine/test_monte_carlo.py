"""The kernels against tests/naive.py, decision for decision, and the invariants of every strategy."""

import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import Coverage, Mixture, ModelSwitch, Pool, Reliability, SelfConsistency, Vote, WindowStop, evaluate
from mssim.kernels import one_model, stages
from tests import naive
from tests.conftest import make_pool, replay

XYZ = ["x", "y", "z"]
TIES = st.sampled_from(["first", "random", "wrong"])
PRIORS = st.sampled_from([None, (2, 1, 1), (1, 2, 1.5), (0.1, 0.2, 0.3)])


@st.composite
def pools(draw, n_models=3, truth=None, most_samples=7):
    """One to three questions, three models, few answers so that ties abound, some without an answer."""
    n_samples = draw(st.integers(2, most_samples))
    answers = st.lists(st.sampled_from(["a", "a", "b", "c", "d", None]), min_size=n_samples, max_size=n_samples)
    given = {(m, f"q{q}"): draw(answers) for m in XYZ[:n_models] for q in range(draw(st.integers(1, 3)))}
    questions = {q for _, q in given}
    full = {(m, q): given.get((m, q), ["a"] * n_samples) for m in XYZ[:n_models] for q in sorted(questions)}
    right = draw(st.sets(st.sampled_from("abcd"), max_size=2)) if truth is None else truth
    frame = pd.DataFrame(
        [
            {"question_id": q, "model": m, "sample_index": i, "answer": a, "correct": a in right}
            for (m, q), listed in full.items()
            for i, a in enumerate(listed)
        ]
    )
    return Pool.from_frame(frame)


@st.composite
def votes(draw, n=3):
    prior = draw(PRIORS)
    prior = prior[:n] if prior else None
    if draw(st.booleans()):
        return Vote.plurality(prior=prior, ties=draw(TIES))
    return Vote.entropy(normaliser=draw(st.sampled_from(["distinct", "samples"])), prior=prior, ties=draw(TIES))


@st.composite
def switches(draw, n=3):
    return ModelSwitch(
        XYZ[:n],
        agreement=draw(st.sampled_from([0.0, 0.4, 0.5, 2 / 3, 0.8, 1.0, 1.5])),
        strict=draw(st.booleans()),
        on_agreement=draw(st.sampled_from(["adopt", "pool"])),
        test_last=draw(st.booleans()),
        vote=draw(votes(n)),
    )


STRATEGIES = st.one_of(
    switches(),
    switches(2),
    st.builds(Mixture, st.just(XYZ), votes()),
    st.builds(SelfConsistency, st.sampled_from(XYZ), st.builds(Vote, ties=TIES)),
    st.builds(
        SelfConsistency, st.sampled_from(XYZ), st.builds(Vote, ties=TIES), st.builds(WindowStop, st.integers(1, 4))
    ),
    st.builds(Coverage, st.sampled_from([["x"], ["x", "y"], ["z", "y", "x"]])),
    st.builds(Reliability, st.sampled_from(XYZ), st.sampled_from([1.0, 0.75, 0.5, 0.1, "mean"])),
)


def counts(pool, strategy, budgets, n_replays=6, **options):
    """Hits and samples used per question, as whole numbers."""
    result = replay(pool, [strategy], budgets, n_replays=n_replays, **options)
    return (
        np.rint(result.accuracy[0] * n_replays).astype(int).tolist(),
        np.rint(result.samples_used[0] * n_replays).astype(int).tolist(),
    )


@pytest.mark.slow
@given(pools(), STRATEGIES, st.integers(0, 2**64 - 1), st.booleans())
def test_every_decision_equals_the_naive_one(pool, strategy, seed, replacement):
    n = pool.codes.shape[2]
    budgets = list(range(1, n * len(strategy.models) + 1))
    hits, used = counts(pool, strategy, budgets, seed=seed, replacement=replacement)
    for i, budget in enumerate(budgets):
        expected, spent = naive.evaluate(pool, strategy, budget, n_replays=6, seed=seed, replacement=replacement)
        assert hits[i] == expected
        assert used[i] == spent


@pytest.mark.slow
@given(pools(), st.lists(st.integers(1, 5), min_size=3, max_size=3), st.data())
def test_sizes_per_model_equal_the_naive_ones(pool, sizes, data):
    n = pool.codes.shape[2]
    sizes = tuple(min(size, n) for size in sizes)
    strategy = data.draw(
        st.sampled_from(
            [ModelSwitch(XYZ, sizes=sizes, agreement=0.6), Mixture(XYZ, sizes=sizes), Coverage(XYZ, sizes=sizes)]
        )
    )
    budgets = list(range(1, sum(sizes) + 2))
    hits, used = counts(pool, strategy, budgets)
    for i, budget in enumerate(budgets):
        expected, spent = naive.evaluate(pool, strategy, budget, n_replays=6)
        assert (hits[i], used[i]) == (expected, spent)


@pytest.mark.parametrize("ties", ["first", "random", "wrong"])
def test_one_stage_gives_the_same_in_both_kernels(ties):
    rng = random.Random(1)
    pool = make_pool({("x", f"q{q}"): rng.choices(["a", "b", "c", None], k=40) for q in range(6)})
    in_stages = ModelSwitch(["x"], agreement=2, test_last=True, vote=Vote.plurality(ties=ties))
    entropy = Mixture(["x"], vote=Vote.entropy(ties=ties))
    one, two, three = (
        counts(pool, s, range(1, 41), n_replays=33)
        for s in (SelfConsistency("x", Vote.plurality(ties=ties)), in_stages, entropy)
    )
    # agreement above 1 never stops, so the plan is the plain curve; a threshold no share can reach goes the other way
    never = ModelSwitch(["x"], agreement=1.0, strict=True, vote=Vote.plurality(ties=ties))
    assert one == two == three == counts(pool, never, range(1, 41), n_replays=33)


@pytest.mark.slow
@pytest.mark.parametrize("window", [1, 3, 5, 60, 200])
def test_deep_windows_equal_the_naive_ones(window):
    strategy = SelfConsistency("x", stop=WindowStop(window))
    budgets = [1, 3, 4, 59, 60, 128]
    hits, used = counts(deep_pool(), strategy, budgets, n_replays=40)
    for i, budget in enumerate(budgets):
        expected, spent = naive.evaluate(deep_pool(), strategy, budget, n_replays=40)
        assert (hits[i], used[i]) == (expected, spent)


def deep_pool():
    rng = random.Random(8)
    answers = "aaaaabbbbccdefgh"
    return make_pool({(m, f"q{q}"): rng.choices([*answers, None], k=128) for m in XYZ for q in range(4)})


@pytest.mark.parametrize("normaliser", ["distinct", "samples"])
@pytest.mark.parametrize("on_agreement", ["adopt", "pool"])
def test_deep_stages_equal_the_naive_ones(normaliser, on_agreement):
    """Hundreds of votes, where the entropy weights of two models can be very near each other."""
    pool = deep_pool()
    vote = Vote.entropy(normaliser=normaliser, prior=(1, 1, 0.9), ties="random")
    strategy = ModelSwitch(XYZ, agreement=0.4, strict=True, on_agreement=on_agreement, vote=vote)
    budgets = [60, 150, 299, 384]
    hits, used = counts(pool, strategy, budgets, n_replays=12)
    for i, budget in enumerate(budgets):
        expected, spent = naive.evaluate(pool, strategy, budget, n_replays=12)
        assert (hits[i], used[i]) == (expected, spent)


@pytest.mark.parametrize(("excess", "accuracy"), [(0.0, 0.0), (1e-12, 0.0), (1e-7, 1.0)])
def test_scores_tie_up_to_rounding_and_no_further(excess, accuracy):
    """b (weight 1 + excess) against a, seen first and wrong: only a real excess beats the tie."""
    pool = make_pool({("x", "q"): ["a"] * 3, ("y", "q"): ["b"] * 3}, truth="b")
    vote = Vote.plurality(prior=(0.1, 0.1 * (1 + excess)))
    assert replay(pool, Mixture(XYZ[:2], vote), 6, n_replays=2).accuracy.item() == accuracy


@pytest.mark.slow
@given(pools(), st.sampled_from([XYZ[:1], XYZ[:2], XYZ]))
def test_coverage_is_monotone_and_the_ceiling(pool, models):
    budgets = np.arange(1, pool.codes.shape[2] + 1)
    rules = {"ceiling": Coverage(models), "mixture": Mixture(models), "switch": ModelSwitch(models)}
    result = replay(pool, rules, budgets * len(models), n_replays=8)
    assert (np.diff(result.accuracy[0], axis=0) >= 0).all()
    assert (result.accuracy[1:] <= result.accuracy[0]).all()


@pytest.mark.slow
@given(pools(), STRATEGIES)
def test_selecting_models_and_questions_leaves_their_draws_alone(pool, strategy):
    if getattr(getattr(strategy, "vote", None), "ties", None) == "random":
        return
    n = pool.codes.shape[2]
    part = pool.select(models=strategy.models, questions=pool.question_ids[-1:])
    whole, small = counts(pool, strategy, range(1, n + 1)), counts(part, strategy, range(1, n + 1))
    assert [row[-1:] for row in whole[0]] == small[0]


@pytest.mark.compiled
def test_one_version_of_a_kernel_serves_all_plans():
    """Whichever budgets are replayed: a second version, for arrays in another order, costs seconds to compile."""
    pool = deep_pool()
    strategies = [ModelSwitch(XYZ), Mixture(XYZ, Vote.entropy()), Coverage(XYZ), SelfConsistency("x")]
    for budgets in ([2, 5, 70, 128], [1], [1, 2]):
        evaluate(pool, strategies, budgets, n_replays=2)  # closed forms take some budgets and leave the others
        replay(pool, strategies, budgets, n_replays=2)
    assert len(stages._staged.signatures) == len(one_model._curve.signatures) == 1


@pytest.mark.parametrize(("excess", "accuracy"), [(0.0, 0), (1e-13, 0), (1e-11, 1)])
def test_sums_of_scores_that_nearly_cancel_tie_by_the_size_of_the_scores(excess, accuracy):
    """The scores of a add up to the excess, those of b to 0; a tie of right and wrong counts as wrong."""
    pool = make_pool({("x", "q"): ["a", "a", "a", "b"]}, score=[1.0, -1.0, excess, 0.0])
    rule = SelfConsistency("x", Vote.score_sum(ties="wrong"))
    assert replay(pool, {"": rule}, 4, n_replays=8).accuracy.item() == accuracy


def test_adding_a_number_to_all_confidences_changes_nothing():
    """Weights are relative to the most confident draw of a question, so that none is beyond a double."""
    answers = {(m, q): list("aabbc") for m in "xy" for q in ("q1", "q2")}
    confidence = np.random.default_rng(0).random(20)
    rule = Mixture(["x", "y"], Vote.confidence(0.3))
    one, other = (
        replay(make_pool(answers, confidence=confidence + shift), {"": rule}, range(1, 11), n_replays=40)
        for shift in (0, 2**20)
    )
    assert np.array_equal(one.accuracy, other.accuracy)
    assert 0 < one.accuracy.mean() < 1
