"""Extrapolation: recorded budgets are exact, further ones follow the laws, and intervals cover."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import MssimError, PoolError, evaluate, maj_at_k, pass_at_k
from mssim.results.intervals import mean_interval
from mssim.theory import extrapolate
from mssim.theory.beta_tail import fit_tail
from tests.conftest import examples, make_pool


def pool_of(counts, n=16, models=("x",)):
    """Questions with so many correct of n samples; the wrong answers are b, c and d in turn."""
    answers = {
        (model, f"q{q:03}"): ["a"] * c + ["bcd"[i % 3] for i in range(n - c)] for model in models for q, c in counts
    }
    return make_pool(answers)


def quick(pool, budgets, model="x", **options):
    return extrapolate(pool, model, budgets, **{"n_resamples": 40, **options})


SOME = list(enumerate([0, 0, 0, 1, 1, 2, 3, 5, 8, 13, 16, 16]))
POOL = pool_of(SOME, models=("x", "y"))


def test_recorded_budgets_are_exact():
    c = np.array([c for _, c in SOME])
    votes = np.array([[c, *np.bincount(np.arange(16 - c) % 3, minlength=3)] for c in c])
    for quantity, exact in (("pass", pass_at_k(16, c, [1, 5, 16])), ("maj", maj_at_k(votes, [1, 5, 16]))):
        frame = quick(POOL, [16, 1, 5], quantity=quantity)
        assert frame["budget"].tolist() == [1, 5, 16]
        assert frame["accuracy"].to_numpy() == pytest.approx(exact.mean(axis=0), abs=1e-12)
        assert frame["low"].to_numpy() == pytest.approx(mean_interval(exact.T)[0], abs=1e-12)
        assert frame["high"].to_numpy() == pytest.approx(mean_interval(exact.T)[1], abs=1e-12)
        assert frame["method"].tolist() == ["exact"] * 3
        assert frame["law"].isna().all()
        assert frame["quantity"].tolist() == [f"{quantity}@k"] * 3
    alone = evaluate(POOL, {"pass": "cov:x", "maj": "sc:x"}, [5]).to_frame().set_index("strategy")
    for quantity in ("pass", "maj"):
        assert quick(POOL, 5, quantity=quantity)["accuracy"].item() == pytest.approx(alone["accuracy"][quantity])


def test_pass_at_k_is_the_share_solved_and_what_the_laws_add():
    c = np.array([c for _, c in SOME])
    tail = fit_tail(np.full(c.size, 16), c, np.ones((1, c.size)))
    for k in (17, 64, 1000):
        row = quick(POOL, k).iloc[0]
        later = tail.weight * tail.plain.solved_later(16, k) + (1 - tail.weight) * tail.inflated.solved_later(16, k)
        assert row["accuracy"] == pytest.approx((9 + 3 * later.item()) / 12)
        assert row["low"] < 9 / 12 < row["accuracy"] < row["high"] <= 1
        assert (row["method"], row["law"]) == ("extrapolated", "zero-inflated beta")
        assert (row["n_samples"], row["n_questions"]) == (16, 12)


@settings(max_examples=examples(20))
@given(st.lists(st.integers(0, 16), min_size=3, max_size=12).filter(any), st.sampled_from(["pass", "maj"]))
def test_estimates_lie_in_their_intervals(counts, quantity):
    frame = quick(pool_of(enumerate(counts)), [16, 17, 64, 5000], quantity=quantity)
    assert (frame["low"] >= 0).all()
    assert (frame["low"] <= frame["accuracy"] + 1e-12).all()
    assert (frame["accuracy"] <= frame["high"] + 1e-12).all()
    assert (frame["high"] <= 1).all()
    assert (frame["low"] < frame["high"]).all()
    if quantity == "pass":
        for column in ("accuracy", "high"):
            assert (np.diff(frame[column]) >= -1e-12).all()
        assert frame["accuracy"][0] == pytest.approx(np.mean(np.array(counts) > 0))


def test_questions_with_enough_samples_keep_their_exact_value():
    answers = {("x", "q1"): ["a"] * 2 + ["b"] * 38, ("x", "q2"): ["a"] * 17, ("x", "q3"): ["a", "b"] * 10}
    pool = make_pool(answers)
    row = quick(pool, 21).iloc[0]
    assert row["accuracy"] == pytest.approx((pass_at_k(40, 2, 21) + 2) / 3)
    assert (row["method"], row["n_samples"]) == ("extrapolated", 17)
    votes = quick(pool, 21, quantity="maj", n_resamples=2000).iloc[0]
    # q2 is right. By symmetry q3, the only one that is drawn, has 1/2; 5 standard errors of 2000 draws are 0.06.
    assert votes["accuracy"] == pytest.approx((maj_at_k([2, 38], 21) + 1.5) / 3, abs=0.02)
    assert quick(pool, 17)["method"].item() == "exact"


def test_the_votes_of_a_clear_case_converge():
    counts = {("x", f"q{q}"): ["a"] * 24 + ["b"] * 4 + ["c"] * 4 for q in range(6)}
    counts |= {("x", f"r{q}"): ["a"] * 3 + ["b"] * 29 for q in range(4)}
    row = quick(make_pool(counts), 5000, quantity="maj").iloc[0]
    assert row["accuracy"] == pytest.approx(0.6, abs=0.05)
    assert (row["method"], row["law"]) == ("extrapolated", "beta and Dirichlet")
    assert row["low"] < 0.5
    assert row["high"] > 0.7


def test_if_all_is_solved_only_the_lower_limit_is_open():
    for quantity in ("pass", "maj"):
        row = quick(pool_of(enumerate([16] * 40)), 100, quantity=quantity).iloc[0]
        assert row["accuracy"] == pytest.approx(1, abs=1e-3)
        assert 0.85 < row["low"] < 0.97
        assert row["high"] == 1


def test_results_depend_on_the_seed_and_not_on_other_models():
    for quantity in ("pass", "maj"):
        one, same, other = (quick(POOL, [32], quantity=quantity, seed=seed) for seed in (4, 4, 5))
        pd.testing.assert_frame_equal(one, same)
        assert one["low"].item() != other["low"].item()
        pd.testing.assert_frame_equal(one, quick(POOL.select(models=["x"]), [32], quantity=quantity, seed=4))
        assert quick(POOL, [32], quantity=quantity, confidence_level=0.5)["low"].item() > one["low"].item()


def test_clusters_are_drawn_whole():
    counts = [(5 * q + i, c) for q, (_, c) in enumerate(SOME) for i in range(5)]
    pool = pool_of(counts)
    questions = pool.questions.assign(cluster=[f"c{q // 5}" for q in range(60)])
    clustered = type(pool)(**{**vars(pool), "questions": questions})
    for quantity in ("pass", "maj"):
        wide, narrow = (quick(clustered, 64, quantity=quantity, clusters=c).iloc[0] for c in (None, "question_id"))
        assert wide["high"] - wide["low"] > 1.15 * (narrow["high"] - narrow["low"])
    one = type(pool)(**{**vars(pool), "questions": questions.assign(cluster="c")})
    with pytest.raises(MssimError, match="has one cluster, so an interval cannot be computed"):
        quick(one, 64)


@pytest.mark.parametrize(
    ("pool", "options", "says"),
    [
        (pool_of([(0, 3)]), {}, "extrapolate: the pool has one question, so an interval cannot be computed"),
        (
            pool_of([(0, 3), (1, 2)], 15),
            {},
            r"has 15 samples of question 'q000', but at least 16 are required\. Record more\.$",
        ),
        (pool_of([(0, 0), (1, 0)]), {}, "none of the 32 samples of model 'x' is correct, so further samples are not"),
        (pool_of([(0, 0), (1, 0)]), {"quantity": "maj"}, "none of the 32 samples"),
        (POOL, {"quantity": "cov"}, "quantity='cov' is not valid. .* 'pass', 'maj'"),
        (POOL, {"quantity": 3}, "quantity=3 is not valid"),
        (POOL, {"n_resamples": 3}, "n_resamples=3 is out of range. Use an integer from 20"),
        (POOL, {"seed": -1}, "seed=-1 is out of range"),
        (POOL, {"confidence_level": 95}, "confidence_level=95 is not between 0 and 1"),
        (POOL, {"clusters": "topic"}, "clusters: no column 'topic'"),
        (POOL, {"model": "z"}, "no model 'z' in this pool"),
        (POOL, {"budgets": [0]}, r"budgets=\[0\] is not valid"),
    ],
)
def test_what_cannot_be_extrapolated_says_why(pool, options, says):
    with pytest.raises(MssimError, match=says):
        quick(pool, **{"budgets": 64, **options})


def test_a_selection_is_a_remedy_if_it_leaves_questions():
    pool = make_pool({("x", "q1"): ["a"] * 15, ("x", "q2"): ["a", "b"] * 8})
    says = r"has 15 samples of question 'q1', but at least 16 are required\. Record more, or use pool\.select\("
    with pytest.raises(PoolError, match=says + r"min_samples=16\), which keeps 1 of 2 questions\.$"):
        quick(pool, 64)


def test_recorded_budgets_need_no_law():
    assert quick(pool_of([(0, 0), (1, 0)]), 16)["accuracy"].item() == 0
    with pytest.raises(PoolError, match="has 0 samples"):
        quick(make_pool({("x", "q1"): ["a"], ("y", "q2"): ["a"]}), 1)


@pytest.mark.slow
def test_intervals_cover_a_law_that_is_not_beta():
    """Half of the questions are hard: 60 data sets of 60 questions, 32 samples each, k = 128.

    Nominal coverage is 95 %. At 92 %, fewer than 43 of 60 would occur less than once in a million.
    """
    draw = np.random.default_rng(8)
    hard, easy = draw.beta(1, 30, 10**6), draw.beta(20, 5, 10**6)
    truth = 1 - (np.mean((1 - hard) ** 128) + np.mean((1 - easy) ** 128)) / 2
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        p = np.where(rng.random(60) < 0.5, rng.beta(1, 30, 60), rng.beta(20, 5, 60))
        row = quick(pool_of(enumerate(rng.binomial(32, p)), 32), 128, n_resamples=60).iloc[0]
        covered += row["low"] <= truth <= row["high"]
    assert covered >= 43


@pytest.mark.slow
def test_intervals_of_votes_cover_a_long_tail_of_wrong_answers():
    """Thirty wrong answers of very unequal shares: 60 data sets of 60 questions, 16 samples each, k = 64.

    Nominal coverage is 95 %. At 92 %, fewer than 43 of 60 would occur less than once in a million.
    """

    def shares(rng, n_questions):
        right = rng.beta(1, 2, (n_questions, 1))
        return np.hstack([right, (1 - right) * rng.dirichlet(np.full(30, 0.1), n_questions)])

    draw = np.random.default_rng(9)
    votes = draw.multinomial(64, shares(draw, 40_000))
    leading = votes == votes.max(axis=1, keepdims=True)
    truth = np.mean(leading[:, 0] / leading.sum(axis=1))
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(16, shares(rng, 60))
        names = [chr(ord("a") + i) if i < 26 else f"z{i}" for i in range(31)]
        pool = make_pool({("x", f"q{q:02}"): list(np.repeat(names, row)) for q, row in enumerate(counts)})
        row = quick(pool, 64, quantity="maj", n_resamples=60).iloc[0]
        covered += row["low"] <= truth <= row["high"]
    assert covered >= 43
