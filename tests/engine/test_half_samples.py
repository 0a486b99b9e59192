"""Halves of samples: their probabilities, and the bias of drawing with replacement that they estimate."""

import itertools
import warnings
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mssim import MssimError, PoolWarning, evaluate, maj_at_k
from mssim.engine import half_samples
from mssim.engine.half_samples import half_pools, halves_of_counts
from tests.conftest import make_pool
from tests.engine.test_evaluate import random_pool


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4).filter(lambda counts: 2 <= sum(counts) <= 8))
def test_halves_are_all_subsets_of_half_the_samples(counts):
    samples = [c for c, n in enumerate(counts) for _ in range(n)]
    wanted = Counter()
    for size in (len(samples) // 2, len(samples) - len(samples) // 2):
        subsets = list(itertools.combinations(samples, size))
        for subset in subsets:
            wanted[tuple(subset.count(c) for c in range(len(counts)))] += Fraction(1, 2 * len(subsets))
    found = Counter()
    for half, chance in zip(*halves_of_counts(np.array(counts)), strict=True):
        found[tuple(half.tolist())] += chance
    assert found.keys() == wanted.keys()
    assert list(found.values()) == pytest.approx([float(wanted[half]) for half in found])


def test_many_halves_are_drawn_in_pairs(monkeypatch):
    counts = np.array([19, 19, 10, 9])
    halves, chances = halves_of_counts(counts)
    assert halves.shape == (400, 4)
    assert (halves[:200] + halves[200:] == counts).all()
    assert set(halves.sum(axis=1)) == {28, 29}
    assert chances.sum() == pytest.approx(1)
    monkeypatch.setattr(half_samples, "_MOST_HALVES", 10**6)
    every, exact = halves_of_counts(counts)
    assert exact.sum() == pytest.approx(1)
    options = {"replacement": True}
    drawn, known = chances @ maj_at_k(halves, 5, **options), exact @ maj_at_k(every, 5, **options)
    assert drawn == pytest.approx(known, abs=5 * maj_at_k(halves, 5, **options).std() / np.sqrt(200))


# maj@k ----------------------------------------------------


def test_known_corrections():
    options = {"replacement": True, "correct_bias": True}
    assert maj_at_k([[6, 2], [5, 3]], 3, **options) == pytest.approx([0.883929, 0.708705], abs=5e-7)
    assert maj_at_k([6, 2], 3, replacement=True) == pytest.approx(0.84375)
    assert maj_at_k([6, 2], 3) == pytest.approx(0.892857, abs=5e-7)
    found = maj_at_k([[6, 2], [5, 3], [1, 0]], [1, 3], correct=[[True, False], [False, True], [True, False]], **options)
    assert found[:2] == pytest.approx(np.array([[0.75, 0.883929], [0.375, 0.291295]]), abs=5e-7)
    assert np.isnan(found[2]).all()


def test_samples_without_an_answer_are_halved_too():
    found = maj_at_k([2, 1], 2, replacement=True, correct_bias=True, no_answer=1)
    halves = {(2, 0, 0): 1, (1, 1, 0): 2, (1, 0, 1): 2, (0, 1, 1): 1}
    mean = sum(n * maj_at_k(h[:2], 2, replacement=True, no_answer=h[2]) for h, n in halves.items()) / 6
    assert found == pytest.approx(2 * maj_at_k([2, 1], 2, replacement=True, no_answer=1) - mean)


@pytest.mark.parametrize(("recorded", "biased", "left"), [(8, -4.08, -1.31), (16, -2.27, -0.46), (64, -0.62, -0.04)])
def test_the_bias_of_the_docstrings_and_what_remains_of_it(recorded, biased, left):
    chances = 0.5 + (np.arange(500) + 0.5) / 1000
    right = np.arange(recorded + 1)
    counts = np.stack([right, recorded - right], axis=1)
    weights = stats.binom.pmf(right, recorded, chances[:, None]).mean(axis=0)
    truth = weights @ maj_at_k(counts, 8)
    assert 100 * (weights @ maj_at_k(counts, 8, replacement=True) - truth) == pytest.approx(biased, abs=0.02)
    corrected = maj_at_k(counts, 8, replacement=True, correct_bias=True)
    assert 100 * (weights @ corrected - truth) == pytest.approx(left, abs=0.02)


def test_only_draws_with_replacement_are_corrected():
    with pytest.raises(MssimError, match=r"correct_bias=True: draws without .* Add replacement=True"):
        maj_at_k([6, 2], 3, correct_bias=True)


# Strategies -----------------------------------------------


def test_half_pools_are_complementary():
    pool = make_pool(
        {("x", "p"): list("abcdefg"), ("x", "q"): list("a"), ("y", "p"): list("ab"), ("y", "q"): list("abcd")}
    )
    first, second = half_pools(pool, 3)
    assert first.lengths.tolist() == [[3, 1], [1, 2]]
    assert second.lengths.tolist() == [[4, 1], [1, 2]]
    for model, question in itertools.product("xy", "pq"):
        where = f"model == {model!r} and question_id == {question!r}"
        both = [part.to_frame().query(where)["answer"].tolist() for part in (first, second)]
        assert set(both[0] + both[1]) == set(pool.to_frame().query(where)["answer"])
    assert half_pools(pool, 3)[0].fingerprint == first.fingerprint


def biased_pool(n_questions=200, n_samples=8):
    rng = np.random.default_rng(5)
    return make_pool(
        {("x", f"q{q}"): np.where(rng.random(n_samples) < 0.75, "a", "b").tolist() for q in range(n_questions)}
    )


@pytest.mark.parametrize("method", ["exact", pytest.param("monte_carlo", marks=pytest.mark.compiled)])
def test_the_bias_of_an_evaluation_is_that_of_counts(method):
    """Halves of 200 questions; five times the Monte Carlo error of 400 replays of both, or the error of the halves."""
    pool = biased_pool()
    with pytest.warns(PoolWarning, match=r"replacement: .* accuracy of sc:x at budget 7 by about -\d\.\d points, more"):
        made = evaluate(pool, "sc:x", [1, 7], method=method, replacement=True, n_replays=400)
    counts = pool.class_counts("x").reshape(-1, 2)
    right = pool.class_correct.reshape(-1, 2)
    known = maj_at_k(counts, 7, correct=right, replacement=True)
    corrected = maj_at_k(counts, 7, correct=right, replacement=True, correct_bias=True)
    assert made.bias[0, 1] == pytest.approx((known - corrected).mean(), abs=0.015)
    assert made.bias[0, 0] == pytest.approx(0, abs=1e-9 if method == "exact" else 0.015)
    frame = made.to_frame(correct_bias=True)
    assert frame["bias"].tolist() == made.bias[0].tolist()
    assert frame["corrected"].tolist() == pytest.approx((frame["accuracy"] - frame["bias"]).tolist())


def test_corrected_accuracies_are_limited_in_tables():
    made = evaluate(make_pool({("x", "q"): ["a"] * 8}), "sc:x", 3, replacement=True)
    assert made.bias.tolist() == [[0]]
    object.__setattr__(made, "bias", np.array([[-0.2]]))
    assert made.to_frame(correct_bias=True)["corrected"].tolist() == [1]


def test_a_bias_that_is_small_beside_the_interval_is_not_worth_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = evaluate(biased_pool(20, 128), "sc:x", 3, replacement=True)
    assert abs(made.bias[0, 0]) < 0.01


def test_one_warning_counts_the_others():
    with pytest.warns(PoolWarning, match="interval; the same holds for 3 other accuracies") as caught:
        evaluate(biased_pool(), {"one": "sc:x", "two": "sc:x,ties=wrong"}, [3, 7], replacement=True)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert "Draw without replacement, which has no bias" in str(caught[0].message)
    with pytest.warns(PoolWarning, match="Lower the budget and draw without replacement"):
        evaluate(biased_pool(), "sc:x", [9], replacement=True)


def test_the_bias_is_kept_in_files_and_known_only_with_replacement(tmp_path):
    from mssim import Evaluation

    with pytest.warns(PoolWarning):
        made = evaluate(biased_pool(), "sc:x", [7], replacement=True)
    made.save(tmp_path / "r.parquet")
    assert Evaluation.load(tmp_path / "r.parquet").bias.tolist() == made.bias.tolist()
    plain = evaluate(biased_pool(4), "sc:x", [3])
    assert plain.bias is None
    with pytest.raises(MssimError, match="correct_bias=True: no bias is known"):
        plain.to_frame(correct_bias=True)


def test_questions_that_share_a_budget_have_no_known_bias():
    made = evaluate(random_pool(12, 16), ["alloc:x", "sc:x"], 2, n_replays=50, replacement=True)
    assert np.isnan(made.bias[0, 0])
    assert np.isfinite(made.bias[1, 0])
    only = evaluate(random_pool(4, 16), "alloc:x", 2, n_replays=50, replacement=True)
    assert np.isnan(only.bias).all()
