"""The kernels against tests/naive.py, decision for decision, and the invariants of every strategy."""

import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import Coverage, Mixture, ModelSwitch, Pool, SelfConsistency, Vote, WindowStop, evaluate
from mssim.kernels import sequential, staged
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
    st.builds(SelfConsistency, st.sampled_from(XYZ), TIES),
    st.builds(SelfConsistency, st.sampled_from(XYZ), TIES, st.builds(WindowStop, st.integers(1, 4))),
    st.builds(Coverage, st.sampled_from([["x"], ["x", "y"], ["z", "y", "x"]])),
)


def counts(pool, strategy, budgets, n_replays=6, **options):
    """Hits and samples used per question, as whole numbers."""
    result = replay(pool, [strategy], budgets, n_replays=n_replays, **options)
    return (
        np.rint(result.accuracy[0] * n_replays).astype(int).tolist(),
        np.rint(result.samples_used[0] * n_replays).astype(int).tolist(),
    )


@given(pools(), STRATEGIES, st.integers(0, 2**64 - 1), st.booleans())
def test_every_decision_equals_the_naive_one(pool, strategy, seed, replacement):
    n = pool.codes.shape[2]
    budgets = list(range(1, n * len(strategy.models) + 1))
    hits, used = counts(pool, strategy, budgets, seed=seed, replacement=replacement)
    for i, budget in enumerate(budgets):
        expected, spent = naive.evaluate(pool, strategy, budget, n_replays=6, seed=seed, replacement=replacement)
        assert hits[i] == expected
        assert used[i] == [sum(models) for models in spent]


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
        assert (hits[i], used[i]) == (expected, [sum(models) for models in spent])


@pytest.mark.parametrize("ties", ["first", "random", "wrong"])
def test_one_stage_gives_the_same_in_both_kernels(ties):
    rng = random.Random(1)
    pool = make_pool({("x", f"q{q}"): rng.choices(["a", "b", "c", None], k=40) for q in range(6)})
    in_stages = ModelSwitch(["x"], agreement=2, test_last=True, vote=Vote.plurality(ties=ties))
    entropy = Mixture(["x"], vote=Vote.entropy(ties=ties))
    one, two, three = (
        counts(pool, s, range(1, 41), n_replays=33) for s in (SelfConsistency("x", ties), in_stages, entropy)
    )
    # agreement above 1 never stops, so the plan is the plain curve; a threshold no share can reach goes the other way
    never = ModelSwitch(["x"], agreement=1.0, strict=True, vote=Vote.plurality(ties=ties))
    assert one == two == three == counts(pool, never, range(1, 41), n_replays=33)


@given(pools(), STRATEGIES)
def test_relabelling_answers_changes_nothing_but_ties(pool, strategy):
    if "random" in (getattr(strategy, "ties", None), getattr(getattr(strategy, "vote", None), "ties", None)):
        return
    frame = pool.to_frame()
    renamed = frame.assign(answer=frame["answer"].map({"a": "zeta", "b": "y", "c": "x", "d": "alpha"}))
    budgets = range(1, pool.codes.shape[2] + 1)
    assert counts(pool, strategy, budgets) == counts(Pool.from_frame(renamed), strategy, budgets)


@given(pools(), switches(2))
def test_a_model_that_is_never_reached_changes_nothing(pool, strategy):
    """The first model always stops, so the third, which has its share of the budget, is never asked."""
    options = {
        "agreement": 0.0,
        "on_agreement": strategy.on_agreement,
        "vote": Vote("entropy", ties=strategy.vote.ties),
    }
    n = pool.codes.shape[2]
    two = ModelSwitch(XYZ[:2], sizes=(n, 1), **options)
    three = ModelSwitch(XYZ, sizes=(n, 1, 2), **options)
    assert counts(pool, two, [n + 1, n + 3]) == counts(pool, three, [n + 1, n + 3])


@pytest.mark.parametrize("window", [1, 3, 5, 60, 200])
def test_deep_windows_equal_the_naive_ones(window):
    strategy = SelfConsistency("x", stop=WindowStop(window))
    budgets = [1, 3, 4, 59, 60, 128]
    hits, used = counts(deep_pool(), strategy, budgets, n_replays=40)
    for i, budget in enumerate(budgets):
        expected, spent = naive.evaluate(deep_pool(), strategy, budget, n_replays=40)
        assert (hits[i], used[i]) == (expected, [sum(models) for models in spent])


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
        assert (hits[i], used[i]) == (expected, [sum(models) for models in spent])


@pytest.mark.parametrize(("excess", "accuracy"), [(0.0, 0.0), (1e-12, 0.0), (1e-7, 1.0)])
def test_scores_tie_up_to_rounding_and_no_further(excess, accuracy):
    """b (weight 1 + excess) against a, seen first and wrong: only a real excess beats the tie."""
    pool = make_pool({("x", "q"): ["a"] * 3, ("y", "q"): ["b"] * 3}, truth="b")
    vote = Vote.plurality(prior=(0.1, 0.1 * (1 + excess)))
    assert replay(pool, Mixture(XYZ[:2], vote), 6, n_replays=2).accuracy.item() == accuracy


@given(pools(), st.sampled_from(["first", "random", "wrong"]))
def test_agreement_zero_is_the_first_models_vote_and_above_one_the_mixture(pool, ties):
    n = pool.codes.shape[2]
    vote = Vote.entropy(ties=ties)
    always = ModelSwitch(XYZ, agreement=0, vote=vote)
    never = ModelSwitch(XYZ, agreement=1.01, vote=vote)
    budgets = [3 * k for k in range(1, n + 1)]
    assert counts(pool, always, budgets)[0] == counts(pool, SelfConsistency("x", ties), range(1, n + 1))[0]
    assert counts(pool, always, budgets)[1] == counts(pool, SelfConsistency("x", ties), range(1, n + 1))[1]
    assert counts(pool, never, budgets) == counts(pool, Mixture(XYZ, vote), budgets)


@given(pools(), switches())
def test_samples_used_lie_between_the_first_stage_and_the_budget(pool, strategy):
    n = len(strategy.models)
    budgets = np.arange(1, n * pool.codes.shape[2] + 1)
    result = replay(pool, strategy, budgets, n_replays=6)
    first = np.array([naive.allocate(b, n)[0] for b in budgets])
    assert (result.samples_used[0] >= first[:, None]).all()
    assert (result.samples_used[0] <= budgets[:, None]).all()


@given(pools(), st.booleans())
def test_samples_used_grow_with_the_threshold(pool, strict):
    thresholds = [0.0, 0.3, 0.5, 0.7, 0.9, 1.0, 1.1]
    rules = {str(t): ModelSwitch(XYZ, agreement=t, strict=strict) for t in thresholds}
    used = replay(pool, rules, [pool.codes.shape[2]], n_replays=8).samples_used
    assert (np.diff(used, axis=0) >= 0).all()


@given(pools(), st.sampled_from([XYZ[:1], XYZ[:2], XYZ]))
def test_coverage_is_monotone_and_the_ceiling(pool, models):
    budgets = np.arange(1, pool.codes.shape[2] + 1)
    rules = {"ceiling": Coverage(models), "mixture": Mixture(models), "switch": ModelSwitch(models)}
    result = replay(pool, rules, budgets * len(models), n_replays=8)
    assert (np.diff(result.accuracy[0], axis=0) >= 0).all()
    assert (result.accuracy[1:] <= result.accuracy[0]).all()


@given(pools(), votes(), st.sampled_from([1e-3, 0.3, 3.3, 7.0, 1e6]))
def test_scaling_all_weights_changes_nothing(pool, vote, factor):
    prior = vote.prior or (1, 1, 1)
    scaled = Vote(vote.within, vote.normaliser, tuple(w * factor for w in prior), vote.ties)
    budgets = range(1, 3 * pool.codes.shape[2] + 1)
    assert counts(pool, ModelSwitch(XYZ, vote=vote), budgets) == counts(pool, ModelSwitch(XYZ, vote=scaled), budgets)


@given(pools(), STRATEGIES, st.integers(1, 5))
def test_a_budget_alone_gives_what_it_gives_among_others(pool, strategy, budget):
    most = pool.codes.shape[2] * len(strategy.models)
    budget = min(budget, most)
    together = counts(pool, strategy, range(1, most + 1))
    alone = counts(pool, strategy, [budget])
    assert (alone[0][0], alone[1][0]) == (together[0][budget - 1], together[1][budget - 1])


@given(pools(), STRATEGIES)
def test_selecting_models_and_questions_leaves_their_draws_alone(pool, strategy):
    if "random" in (getattr(strategy, "ties", None), getattr(getattr(strategy, "vote", None), "ties", None)):
        return
    n = pool.codes.shape[2]
    part = pool.select(models=strategy.models, questions=pool.question_ids[-1:])
    whole, small = counts(pool, strategy, range(1, n + 1)), counts(part, strategy, range(1, n + 1))
    assert [row[-1:] for row in whole[0]] == small[0]


def test_one_version_of_a_kernel_serves_all_plans():
    """Whichever budgets are replayed: a second version, for arrays in another order, costs seconds to compile."""
    pool = deep_pool()
    strategies = [ModelSwitch(XYZ), Mixture(XYZ, Vote.entropy()), Coverage(XYZ), SelfConsistency("x")]
    for budgets in ([2, 5, 70, 128], [1], [1, 2]):
        evaluate(pool, strategies, budgets, n_replays=2)  # closed forms take some budgets and leave the others
        replay(pool, strategies, budgets, n_replays=2)
    assert len(staged.staged.signatures) == len(sequential.curve.signatures) == 1


def test_permuting_samples_changes_nothing_but_monte_carlo_error():
    # z-scores of independent replays of two orders of one pool; fails for one seed in a million.
    rng = random.Random(5)
    given_ = {(m, f"q{q}"): rng.choices("aabbc", k=12) for m in "xy" for q in range(20)}
    shuffled = {key: rng.sample(answers, len(answers)) for key, answers in given_.items()}
    one, two = (
        replay(make_pool(p), ModelSwitch(XYZ[:2]), [8], n_replays=4000).to_frame().iloc[0] for p in (given_, shuffled)
    )
    assert abs(one.accuracy - two.accuracy) < 5 * np.hypot(one.mc_error, two.mc_error)
    assert one.mc_error > 0
