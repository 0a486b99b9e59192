"""Closed forms of strategies: equal to the mean over all draws there are, and to replays within their error."""

import dataclasses
import itertools
import math
import random
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import (
    Cascade,
    Coverage,
    Evaluation,
    Mixture,
    ModelSwitch,
    MssimError,
    Pool,
    PoolWarning,
    Reliability,
    SelfConsistency,
    StrategyError,
    Vote,
    WindowStop,
    evaluate,
    load_pool,
)
from mssim.engine.exact import agreements, chances
from mssim.kernels.draw_weights import Counts
from tests import naive
from tests.conftest import Backwards, make_pool, replay
from tests.engine.test_evaluate import random_pool
from tests.engine.test_monte_carlo import XYZ, pools
from tests.recording_http import FORKS

TIES = st.sampled_from(["first", "random", "wrong"])


def pool_of_counts(counts, right):
    """One question; counts[model][class] samples of answers a, b, c."""
    rows = [
        {"question_id": "q", "model": m, "sample_index": i, "answer": answer, "correct": answer in right}
        for m, per_class in zip(XYZ, counts, strict=False)
        for i, answer in enumerate(c for c, n in zip("abc", per_class, strict=False) for _ in range(n))
    ]
    return Pool.from_frame(pd.DataFrame(rows))


@st.composite
def plain_votes(draw, n):
    prior = draw(st.sampled_from([None, (2, 1, 1), (1, 2, 1.5), (0.1, 0.2, 0.3)]))
    return Vote.plurality(prior=prior[:n] if prior else None, ties=draw(TIES))


@st.composite
def switches(draw, n):
    return ModelSwitch(
        XYZ[:n],
        agreement=draw(st.sampled_from([0.0, 0.4, 0.5, 2 / 3, 0.8, 1.0, 1.5])),
        strict=draw(st.booleans()),
        on_agreement=draw(st.sampled_from(["adopt", "pool"])),
        test_last=draw(st.booleans()),
        vote=draw(plain_votes(n)),
    )


def assert_equals_all_draws(pool, strategy, budgets, replacement):
    result = evaluate(pool, strategy, budgets, method="exact", replacement=replacement)
    assert (result.n_replays == 0).all()
    for i, budget in enumerate(budgets):
        accuracy, used = naive.expectation(pool, strategy, budget, replacement=replacement)
        assert result.accuracy[0, i] == pytest.approx([float(p) for p in accuracy], abs=1e-12)
        assert result.samples_used[0, i] == pytest.approx([float(n) for n in used], abs=1e-11)


@pytest.mark.slow
@given(pools(n_models=3, most_samples=4), st.booleans())
def test_entropy_weights_need_no_replays_where_at_most_one_model_can_vote(pool, strict):
    """A single draw that does not agree is no answer, so at budget 3 only the first model's two draws are weighed."""
    strategy = ModelSwitch(XYZ[:2], strict=strict, agreement=0.9 if strict else 1.0)
    assert_equals_all_draws(pool, strategy, [1, 2, 3], replacement=False)


# Larger pools, in rational arithmetic ---------------------


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("counts", "right", "window", "k"),
    [
        ([300, 212], {0}, 5, 64),
        ([500, 12], {0}, 5, 83),
        ([490, 22], {1}, 5, 84),
        ([30, 20, 10], {0, 2}, 4, 18),
        ([20, 20], {0}, 2, 33),
    ],
)
def test_windows_are_precise(counts, right, window, k):
    pool = pool_of_counts([counts], {"abc"[c] for c in right})
    result = evaluate(pool, SelfConsistency("x", Vote.plurality(ties="random"), WindowStop(window)), k, method="exact")
    accuracy, used = naive.after_windows(counts, k, right, window)
    assert abs(Fraction(result.accuracy.item()) - accuracy) < 1e-9
    assert abs(Fraction(result.samples_used.item()) - used) < 1e-9


@pytest.mark.parametrize("ties", ["first", "random", "wrong"])
@pytest.mark.parametrize(
    "rule",
    [
        {"on_agreement": "adopt"},
        {"on_agreement": "pool"},
        {"on_agreement": "adopt", "agreement": 0.5},
        {"on_agreement": "adopt", "agreement": 0.8, "strict": True, "test_last": False},
    ],
)
def test_two_models_are_precise(ties, rule):
    """All counts of both models' draws from 512 samples each, in rational arithmetic."""
    counts, right = [[280, 150, 82], [200, 220, 92]], {"a"}
    strategy = ModelSwitch(XYZ[:2], vote=Vote.plurality(ties=ties), **rule)
    result = evaluate(pool_of_counts(counts, right), strategy, [9, 16], method="exact")
    for i, budget in enumerate([9, 16]):
        accuracy, used = switch_by_counts(counts, strategy, budget)
        assert abs(Fraction(result.accuracy[0, i, 0]) - accuracy) < 1e-12
        assert abs(Fraction(result.samples_used[0, i, 0]) - used) < 1e-12


def ways(counts, size):
    """Every outcome of `size` draws, as counts, with its chance."""
    for drawn in itertools.product(*(range(min(n, size) + 1) for n in counts)):
        if sum(drawn) == size:
            chosen = math.prod(math.comb(n, j) for n, j in zip(counts, drawn, strict=True))
            yield drawn, Fraction(chosen, math.comb(sum(counts), size))


def switch_by_counts(counts, strategy, budget):
    """Two models, class 0 is right; given its counts, every order of a model's draws is as likely as any other."""
    sizes = naive.allocate(budget, 2)
    accuracy, used = Fraction(0), Fraction(sizes[0])
    first, second = (list(ways(n, size)) for n, size in zip(counts, sizes, strict=True))
    ties = strategy.vote.ties

    def stops(drawn, last):
        share, asked = Fraction(max(drawn), sum(drawn)), Fraction(str(strategy.agreement))
        return (share > asked if strategy.strict else share >= asked) and not (last and not strategy.test_last)

    for one, chance in first:
        if stops(one, False):
            accuracy += chance * right_share([one], ties)
            continue
        used += chance * sizes[1]
        for two, more in second:
            adopt = stops(two, True) and strategy.on_agreement == "adopt"
            accuracy += chance * more * right_share([two] if adopt else [one, two], ties)
    return accuracy, used


def right_share(stages, ties):
    """How often class 0 wins, over all orders of draws with these counts."""
    votes = [sum(column) for column in zip(*stages, strict=True)]
    tied = [c for c, n in enumerate(votes) if n == max(votes)]
    if ties == "wrong":
        return Fraction(tied == [0])
    if ties == "random":
        return Fraction(0 in tied, len(tied))
    decisive = next(stage for stage in stages if any(stage[c] for c in tied))
    return Fraction(decisive[0] if 0 in tied else 0, sum(decisive[c] for c in tied))


# Replays --------------------------------------------------


@pytest.mark.compiled
def test_replays_agree_within_their_error():
    """Five errors of the mean over questions, 72 comparisons of independent seeds: one seed in 24,000 fails."""
    pool, budgets = random_pool(20, 24, seed=3), [1, 4, 6, 9, 14, 16]
    exactly = evaluate(pool, CLOSED, budgets, method="exact").to_frame()
    replayed = replay(pool, CLOSED, budgets, n_replays=4000, seed=11).to_frame()
    assert set(exactly["method"]) == {"exact"}
    assert (exactly["accuracy"] - replayed["accuracy"]).abs().le(5 * exactly["replay_sd"] / np.sqrt(4000) + 1e-12).all()
    spread = exactly["budget"] / 2 / np.sqrt(20 * 4000)  # a number from 0 to the budget scatters by half of it at most
    assert (exactly["samples_used"] - replayed["samples_used"]).abs().le(5 * spread).all()
    assert (exactly["agreed"] - replayed["agreed"]).abs().le(5 * 0.5 / np.sqrt(20 * 4000)).all()
    assert exactly["replay_sd"].to_numpy() == pytest.approx(replayed["replay_sd"].to_numpy(), rel=0.05)


CLOSED = {
    "sc": SelfConsistency("x"),
    "sc wrong": SelfConsistency("y", Vote.plurality(ties="wrong")),
    "windows": SelfConsistency("x", stop=WindowStop(3)),
    "cov": Coverage(["x", "y"]),
    "rel 1/3": Reliability("x", 1 / 3),
    "rel 2/3": Reliability("y", 2 / 3),
    "rel mean": Reliability("z", "mean"),
    "mix": Mixture(["y", "x"], Vote.plurality(prior=(2, 1.5))),
    "ms": ModelSwitch(["x", "y"], vote=Vote.plurality()),
    "ms 2/3": ModelSwitch(["x", "y", "z"], agreement=2 / 3, vote=Vote.plurality(ties="random")),
    "ms pool": ModelSwitch(["z", "y"], agreement=0.6, on_agreement="pool", vote=Vote.plurality(ties="wrong")),
    "ms last": ModelSwitch(["z", "y", "x"], test_last=False, vote=Vote.plurality(prior=(1, 1, 3))),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exams-two-models", "exam-nine-models"])
def test_replays_of_real_answers_agree_within_their_error(shared_pools, name):
    """Five Monte Carlo errors; fewer than a hundred comparisons: one seed in 10,000 fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        pool = load_pool(shared_pools / name, where=REAL[name])
    one, two = pool.models[:2]
    pool = pool.select(models=[one, two], min_samples=8)
    vote = Vote.plurality()
    strategies = {
        "sc": SelfConsistency(one),
        "windows": SelfConsistency(two, stop=WindowStop(2)),
        "cov": Coverage([one, two]),
        "mix": Mixture([one, two], vote),
        "ms": ModelSwitch([two, one], vote=vote),
        "ms .8": ModelSwitch([one, two], agreement=0.8, vote=vote, on_agreement="pool"),
    }
    budgets = range(1, 9)
    exactly = evaluate(pool, strategies, budgets, method="exact").to_frame()
    replayed = replay(pool, strategies, budgets, n_replays=2000).to_frame()
    assert (exactly["accuracy"] - replayed["accuracy"]).abs().le(5 * exactly["replay_sd"] / np.sqrt(2000) + 1e-12).all()
    spread = exactly["budget"] / 2 / np.sqrt(len(pool.questions) * 2000)
    assert (exactly["samples_used"] - replayed["samples_used"]).abs().le(5 * spread).all()


REAL = {
    "exams-two-models": [("prompt", "==", "chain_of_thought"), ("dataset", "!=", "comprehensive-100")],
    "exam-nine-models": {"temperature": 1.0},
}


def test_replay_sd_is_that_of_independent_questions():
    result = evaluate(random_pool(), "sc:x", [1, 5], method="exact")
    frame, p = result.to_frame(), result.accuracy[0]
    assert frame["replay_sd"].to_numpy() == pytest.approx(np.sqrt((p * (1 - p)).sum(axis=1)) / p.shape[1])
    assert (frame["mc_error"] == 0).all()
    # A draw of one sample from each question: the standard deviation over all of them.
    pool = make_pool({("x", "q1"): list("ab"), ("x", "q2"): list("aaab")})
    runs = [(one + two) / 2 for one in (1, 0) for two in (1, 1, 1, 0)]
    assert evaluate(pool, "sc:x", 1).to_frame()["replay_sd"].item() == pytest.approx(np.std(runs))


# Invariants -----------------------------------------------


@pytest.mark.slow
@given(pools(n_models=2), TIES)
def test_two_models_lose_nothing_by_switching(pool, ties):
    """The lossless lemma: equal sizes, unanimity, a plain vote with ties to the first model."""
    n = pool.codes.shape[2]
    vote = Vote.plurality(ties="first")
    budgets = range(2, 2 * n + 1, 2)
    rules = [ModelSwitch(XYZ[:2], vote=vote), ModelSwitch(XYZ[:2], vote=vote, test_last=False), Mixture(XYZ[:2], vote)]
    switch, untested, always = (evaluate(pool, rule, budgets, method="exact").accuracy for rule in rules)
    assert switch == pytest.approx(always, abs=1e-12)
    assert untested == pytest.approx(always, abs=1e-12)
    wrong = Vote.plurality(ties="wrong")
    lower, upper = (
        evaluate(pool, Mixture(XYZ[:2], given), budgets, method="exact").accuracy
        for given in (wrong, Vote.plurality(ties=ties))
    )
    assert (lower <= upper + 1e-12).all()


def test_three_models_may_lose_by_switching():
    pool = make_pool({("x", "q"): list("ab"), ("y", "q"): list("cc"), ("z", "q"): list("aa")})
    vote = Vote.plurality()
    switch = evaluate(pool, ModelSwitch(XYZ, vote=vote), 6, method="exact")
    assert switch.accuracy.item() == 0
    assert switch.samples_used.item() == 4
    assert evaluate(pool, Mixture(XYZ, vote), 6, method="exact").accuracy.item() == 1


@pytest.mark.slow
@pytest.mark.compiled
@given(pools(n_models=3), st.booleans())
def test_samples_used_grow_and_agreement_falls_with_the_threshold(pool, strict):
    thresholds = [0.0, 0.3, 0.5, 0.7, 0.9, 1.0, 1.1]
    rules = {str(t): ModelSwitch(XYZ, agreement=t, strict=strict, vote=Vote.plurality()) for t in thresholds}
    result = evaluate(pool, rules, [pool.codes.shape[2]], method="exact")
    assert (np.diff(result.samples_used, axis=0) >= -1e-12).all()
    assert (np.diff(result.agreed, axis=0) <= 1e-12).all()


@pytest.mark.compiled
@given(pools(n_models=2), st.booleans())
def test_coverage_is_monotone_and_the_ceiling(pool, replacement):
    budgets = np.arange(1, 2 * pool.codes.shape[2] + 1)
    vote = Vote.plurality(prior=(1, 2))
    rules = {"ceiling": Coverage(XYZ[:2]), "mix": Mixture(XYZ[:2], vote), "ms": ModelSwitch(XYZ[:2], vote=vote)}
    result = evaluate(pool, rules, budgets, method="exact", replacement=replacement)
    assert (np.diff(result.accuracy[0, 1::2], axis=0) >= -1e-12).all()
    assert (result.accuracy[1:] <= result.accuracy[0] + 1e-12).all()


@pytest.mark.slow
@pytest.mark.compiled
@given(pools(n_models=2), switches(2), st.sampled_from([1e-3, 0.3, 7.0, 1e6]))
def test_scaling_the_prior_weights_changes_nothing(pool, strategy, factor):
    prior = strategy.vote.prior or (1, 1)
    vote = Vote.plurality(prior=[w * factor for w in prior], ties=strategy.vote.ties)
    budgets = range(1, 2 * pool.codes.shape[2] + 1)
    one, other = (
        evaluate(pool, rule, budgets, method="exact").accuracy
        for rule in (strategy, dataclasses.replace(strategy, vote=vote))
    )
    assert one == pytest.approx(other, abs=1e-12)


# What is out of reach -------------------------------------


def wide_pool(n_samples, models="xy"):
    return make_pool({(m, f"q{q}"): random.Random(q).choices("aab", k=n_samples) for m in models for q in range(2)})


OUT_OF_REACH = [
    (ModelSwitch(["x", "y"]), 8, False, "an entropy weight depends on all votes of its model (vote=plurality"),
    (Mixture(["x", "y"], Vote.entropy()), 2, False, "an entropy weight depends on all votes of its model (vote"),
    (ModelSwitch(["x", "y"], on_agreement="pool"), 3, False, "an entropy weight depends"),
    (ModelSwitch(["x", "y"], vote=Vote.plurality()), 100, False, "50+50 samples have 51 x 51 = 2601 combinations"),
    (SelfConsistency("x", stop=WindowStop(2)), 34, False, "17 windows in 34 samples"),
    (SelfConsistency("x", stop=WindowStop(200)), 300, True, "1 windows in 300 samples"),
    (SelfConsistency("x"), 1025, True, "1025 samples of one model exceed the limit of the closed form, 1024"),
    (
        Mixture(["x", "y"], sizes=(1, 600)),
        514,
        True,
        "513 samples of one of several models exceed the limit of the closed form, 512",
    ),
]


@pytest.mark.compiled
@pytest.mark.parametrize(("strategy", "budget", "replacement", "reason"), OUT_OF_REACH)
def test_what_is_out_of_reach_is_refused_with_the_reason_and_replayed_under_auto(strategy, budget, replacement, reason):
    pool, options = wide_pool(60), {"replacement": replacement, "n_replays": 50}
    with pytest.raises(StrategyError) as error:
        evaluate(pool, strategy, [1, budget], method="exact", **options)
    message = str(error.value)
    assert message.startswith(f"{strategy}: method='exact' is not available at budget {budget}: {reason}")
    assert message.endswith(". Use method='auto' or method='monte_carlo'.")
    result = evaluate(pool, strategy, [1, budget], **options)
    assert result.to_frame()["method"].tolist() == ["exact", "monte_carlo"]
    assert result.n_replays.max(axis=2).tolist() == [[0, 50]]
    # Where a budget is replayed, accuracy has the bits of the replays.
    assert np.array_equal(result.accuracy[:, 1], replay(pool, strategy, [1, budget], **options).accuracy[:, 1])


@pytest.mark.compiled
def test_samples_used_are_exact_where_accuracy_is_not():
    pool = random_pool(cost=0.5)
    result = evaluate(pool, ModelSwitch(XYZ, agreement=0.5), [12, 30], n_replays=20)
    plain = evaluate(pool, ModelSwitch(XYZ, agreement=0.5, vote=Vote.plurality()), [12, 30], method="exact")
    assert set(result.to_frame()["method"]) == {"monte_carlo"}
    assert np.array_equal(result.samples_used, plain.samples_used)
    assert np.array_equal(result.agreed, plain.agreed)
    assert np.array_equal(result.cost, plain.cost)
    assert not np.array_equal(replay(pool, ModelSwitch(XYZ), 12, n_replays=20).samples_used, plain.samples_used[:, [0]])


@pytest.mark.compiled
def test_auto_goes_as_far_as_it_is_quick_and_exact_further():
    pool, strategy = wide_pool(40), Mixture(["x", "y"])
    assert evaluate(pool, strategy, [32, 36], n_replays=5).to_frame()["method"].tolist() == ["exact", "monte_carlo"]
    three = evaluate(wide_pool(8, XYZ), Mixture(XYZ), [18, 20], n_replays=5).to_frame()
    assert three["method"].tolist() == ["exact", "monte_carlo"]
    assert evaluate(pool, strategy, [32, 36, 80], method="exact").to_frame()["method"].tolist() == ["exact"] * 3


@pytest.mark.compiled
def test_a_budget_alone_gives_what_it_gives_among_others():
    pool = random_pool()
    whole = evaluate(pool, CLOSED, range(1, 17), method="exact")
    for i, name in enumerate(CLOSED):
        for budget in (1, 5, 16):
            alone = evaluate(pool, {name: CLOSED[name]}, budget, method="exact")
            assert alone.accuracy[0, 0] == pytest.approx(whole.accuracy[i, budget - 1], abs=1e-13)
            assert alone.samples_used[0, 0] == pytest.approx(whole.samples_used[i, budget - 1], abs=1e-12)


# The door -------------------------------------------------


def bits(**options):
    result = evaluate(random_pool(), CLOSED, [1, 2, 3, 8, 16], method="auto", n_replays=5, **options)
    return np.stack([result.accuracy, result.samples_used, result.agreed])


@pytest.mark.compiled
@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(1), lambda: ThreadPoolExecutor(7), Backwards])
def test_the_same_bits_whatever_the_executor(make, monkeypatch):
    whole = bits()
    monkeypatch.setattr("mssim.engine.exact_tasks._CELLS_PER_TASK", 1)
    with make() as executor:
        assert np.array_equal(bits(executor=executor), whole)


@pytest.mark.slow
@pytest.mark.compiled
def test_the_same_bits_from_other_processes():
    with ProcessPoolExecutor(2, mp_context=FORKS) as executor:
        assert np.array_equal(bits(executor=executor), bits())


UNEQUAL = {
    f"{rule}, {ties}": f"{rule},ties={ties}"
    for rule in ("mix:x+y,prior=5/1", "mix:y+x+z,prior=0.5/3/1", "ms:x+y,vote=plurality,prior=1e6/1,on_agreement=pool")
    for ties in ("first", "random", "wrong")
}


def exact_bits(seed):
    result = evaluate(random_pool(6, 12, seed), CLOSED | UNEQUAL, [2, 3, 5, 9, 12], method="exact")
    return b"".join(values.tobytes() for values in (result.accuracy, result.samples_used, result.agreed))


@pytest.mark.slow
def test_exact_means_the_same_bits_whatever_else_is_in_memory():
    """Twelve times in one process, with junk left behind in memory of all sizes in between, and in another."""
    rng, first = np.random.default_rng(0), exact_bits(3)
    for _ in range(12):
        junk = [rng.random(n) * 10.0**power for n in 2 ** rng.integers(0, 14, 50) for power in (-300, 0, 300)]
        del junk[::2]  # what the next evaluation finds is full of holes
        assert exact_bits(3) == first
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        assert executor.submit(exact_bits, 3).result() == first


def test_an_unknown_method_is_refused():
    with pytest.raises(MssimError, match=r"method='exakt' is not valid\. Did you mean 'exact'"):
        evaluate(random_pool(), "sc:x", 2, method="exakt")


def test_the_method_and_agreement_survive_a_file(tmp_path):
    result = evaluate(random_pool(), {"ms": ModelSwitch(XYZ, vote=Vote.plurality())}, [6, 40], n_replays=7)
    result.save(tmp_path / "r.parquet")
    loaded = Evaluation.load(tmp_path / "r.parquet")
    assert loaded.n_replays.max(axis=2).tolist() == [[0, 7]]
    assert np.array_equal(loaded.n_replays, result.n_replays)
    assert np.array_equal(loaded.mc_variance, result.mc_variance)
    assert np.array_equal(loaded.agreed, result.agreed)
    assert loaded.provenance["method"] == "auto"


def test_questions_without_any_answer_are_wrong_and_cost():
    pool = make_pool({("x", "q1"): [None] * 6, ("x", "q2"): ["a"] * 6, ("y", "q1"): [None] * 6, ("y", "q2"): ["b"] * 6})
    for strategy in CLOSED["ms"], CLOSED["windows"], CLOSED["mix"], CLOSED["cov"]:
        result = evaluate(pool, strategy, 6, method="exact")
        assert result.accuracy[0, 0].tolist() == [0, 0 if strategy is CLOSED["mix"] else 1] or strategy is CLOSED["mix"]
        assert result.samples_used[0, 0, 0] == 6


def test_a_stage_that_needs_no_votes_always_agrees_unless_nothing_was_recorded():
    counts = Counts(np.array([[2, 1]]), np.array([[1, 0]]), np.array([0, 2, 2]), np.array([True, False]), False)
    draws, need = np.array([2, 2, 2, 2, 5]), np.array([-1, 0, 2, 3, 1])
    agreed, right = agreements(counts, draws, need)
    # Of four samples, two of them right: one pair of six is equal.
    assert agreed[0] == pytest.approx([1, 1, 1 / 6, 0, np.nan], nan_ok=True)
    assert right[0] == pytest.approx([np.nan, np.nan, 1 / 6, 0, np.nan], nan_ok=True)
    assert np.isnan(agreed[1]).all()


@pytest.mark.parametrize("strict", [False, True])
def test_a_threshold_of_zero_stops_after_the_first_model_and_above_one_never(strict):
    pool = make_pool({("x", "q"): ["b", "b", "c", None], ("y", "q"): ["a"] * 4})
    rules = {str(t): ModelSwitch(["x", "y"], agreement=t, strict=strict, vote=Vote.plurality()) for t in (0, 1.5)}
    result = evaluate(pool, rules, [4], method="exact")
    assert result.agreed[:, 0, 0] == pytest.approx([1, 0])
    assert result.samples_used[:, 0, 0] == pytest.approx([2, 4])


@given(st.floats(0, 1))
def test_chances_are_0_and_1_up_to_rounding(value):
    assert chances(np.array([1e-13, -1e-15, 1 - 1e-13, 1 + 1e-15])).tolist() == [0, 0, 1, 1]
    assert chances(np.array([1e-11, 1 - 1e-11])).tolist() == [1e-11, 1 - 1e-11]
    assert abs(chances(np.array(value)) - value) < 1e-12


def test_a_stage_that_is_forced_to_stop_has_not_agreed():
    pool = make_pool({("x", "q"): ["a", "b", "b", "b"], ("y", "q"): ["a"] * 4})
    result = evaluate(pool, Cascade(["x", "y"]), [4], method="exact")
    assert result.agreed.item() == pytest.approx(1 / 2)  # two of x agree in three of six pairs
    assert result.samples_used.item() == pytest.approx(3)
    assert result.accuracy.item() == pytest.approx(1 / 2)
