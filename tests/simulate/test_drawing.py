"""Pools drawn from an answer model, against its closed forms."""

import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy import special, stats

from mssim import ModelSwitch, Vote, evaluate, load_pool
from mssim.simulate import AnswerModel, drawing
from mssim.simulate.pool_fit import agreeing
from tests.kernels.test_stick_breaking import partitions_of
from tests.simulate.test_model import TWO

# Five and a half standard errors: missed by one comparison in 26 million, so about once in a million runs of this file.
SURE = 5.5


def near(values, expected):
    """The mean over questions is what is expected, up to 5.5 standard errors."""
    error = np.std(values, ddof=1) / np.sqrt(np.size(values))
    assert abs(np.mean(values) - expected) < SURE * error + 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("model", ["x", "y"])
def test_pools_have_the_curves_of_their_answer_model(model):
    pool = TWO.draw(4000, 12, seed=1)
    for k in (1, 3, 8, 12):
        near(evaluate(pool, f"sc:{model}", k).accuracy[0, 0], TWO.accuracy_at_k(model, k))
    for threshold, strict in ((1.0, False), (0.85, True), (0.4, False)):
        rule = ModelSwitch([model], agreement=threshold, strict=strict, vote=Vote.plurality())
        agreed = evaluate(pool, {"one": rule}, 8).agreed[0, 0]
        near(agreed, TWO.agreement_at_k(model, 8, agreement=threshold, strict=strict))


@pytest.mark.slow
def test_many_samples_of_a_pool():
    model = AnswerModel("x", 0.1, 0.6, 0.9, 2.5)
    pool = model.draw(1000, 512, seed=2)
    near(evaluate(pool, "sc:x", 512).accuracy[0, 0], model.accuracy_at_k("x", 512))
    near((pool.codes < 0).mean(axis=(0, 2)), 0)


@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.7, 1.0])
def test_correlation_is_that_of_a_gaussian_copula(correlation):
    """Uniform chances: their mean product is 1/4 + arcsin(correlation / 2) / 2 pi (Kruskal 1958)."""
    model = AnswerModel(["x", "y"], 0.0, 1.0, 1.0, 1.0, correlation=correlation)
    x, y = model.draw(6000, 20, seed=3).sample_correct().mean(axis=2)
    near(x * y, 1 / 4 + math.asin(correlation / 2) / (2 * math.pi))


def test_correlation_is_of_pairs():
    table = [[1, 0.9, 0.0], [0.9, 1, 0.3], [0.0, 0.3, 1]]
    pool = AnswerModel(list("xyz"), 0.0, 1.0, 1.0, 1.0, correlation=table).draw(6000, 20, seed=4)
    right = pool.sample_correct().mean(axis=2)
    for i, j in ((0, 1), (1, 2), (0, 2)):
        near(right[i] * right[j], 1 / 4 + math.asin(table[i][j] / 2) / (2 * math.pi))


def test_the_easiest_questions_are_the_sure_ones():
    model = AnswerModel(["x", "y"], [0.5, 0.3], 1.0, 3.0, 1.0, correlation=1.0)
    right = model.draw(3000, 60, seed=5).sample_correct().mean(axis=2)
    both = right[:, right[1] == 1]  # at p < 1 nobody is right sixty times, but for p near 1
    assert (both[0] == 1).mean() > 0.99
    for shares, sure in zip(right, model.sure, strict=True):
        near(shares == 1, sure + (1 - sure) * special.beta(61, 3) / special.beta(1, 3))


def coincidences(pool):
    """Per question: share of pairs of wrong samples, one of x and one of y, that agree."""
    found = []
    for q in range(len(pool.questions)):
        wrong = ~pool.class_correct[pool.class_offsets[q] : pool.class_offsets[q + 1]]
        counts = [np.bincount(codes[codes >= 0], minlength=wrong.size)[wrong] for codes in pool.codes[:, q]]
        pairs = counts[0].sum() * counts[1].sum()
        if pairs:
            found.append((counts[0] @ counts[1]) / pairs)
    return np.array(found)


@pytest.mark.parametrize("spread", [(1.5, 1.5), (0.3, 4.0)])
@pytest.mark.parametrize("shared", [0.0, 0.4, 1.0])
def test_wrong_answers_of_two_models_agree_where_distractors_are_shared(spread, shared):
    model = AnswerModel(["x", "y"], 0.0, 1e-6, 1e6, spread, shared_distractors=shared)
    near(coincidences(model.draw(3000, 8, seed=6)), shared * agreeing(*spread))


def test_wrong_answers_of_one_model_split_as_in_the_restaurant():
    """Class sizes of four wrong draws against their chances, by a chi-square test that fails once in a million."""
    theta = 1.5
    pool = AnswerModel("x", 0.0, 1e-6, 1e6, theta).draw(5000, 4, seed=7)
    seen = Counter(tuple(sorted(np.bincount(codes)[np.bincount(codes) > 0])) for codes in pool.codes[0])
    chances = partitions_of(4, Fraction(theta))
    assert set(seen) == set(chances)
    table = [(seen[sizes], 5000 * float(chance)) for sizes, chance in chances.items()]
    assert stats.chisquare(*zip(*table, strict=True)).pvalue > 1e-6


def test_scores_tell_right_from_wrong():
    separation = 1.2
    model = AnswerModel("x", 0.0, 1e6, 1e6, 1.0, separation=separation)
    pool = model.draw(20_000, 2, seed=8)
    right, score = pool.sample_correct()[0], pool.numbers["score"][0]
    near(score[~right], 0)
    near(score[right], separation)
    assert score[right].std() == pytest.approx(1, abs=0.05)
    # One right and one wrong draw: the right one has the higher score with chance Phi(separation / sqrt 2).
    best = evaluate(pool, "sc:x,vote=best_of_n", 2, n_replays=1).accuracy[0, 0]
    near(best, 1 / 4 + special.ndtr(separation / math.sqrt(2)) / 2)


def test_the_same_seed_gives_the_same_pool():
    pool = TWO.draw(50, 9, seed=3)
    assert TWO.draw(50, 9, seed=3).fingerprint == pool.fingerprint
    assert TWO.draw(50, 9, seed=4).fingerprint != pool.fingerprint
    assert replace(TWO).draw(50, 9, seed=3).fingerprint == pool.fingerprint


@pytest.mark.parametrize("separation", [None, 0.7])
@pytest.mark.parametrize("at_once", [2**20, 100])
def test_a_pool_is_the_same_after_it_was_saved(tmp_path, monkeypatch, separation, at_once):
    monkeypatch.setattr(drawing, "_SAMPLES_AT_ONCE", at_once)
    pool = replace(TWO, separation=separation, no_answer=[0.02, 0.01], spread=[30, 2]).draw(
        40, 20, seed=1, title="twins"
    )
    pool.save(tmp_path / "pool")
    again = load_pool(tmp_path / "pool")
    assert again.fingerprint == pool.fingerprint
    assert again.info == pool.info
    assert again.to_frame().equals(pool.to_frame())
    assert again.questions.equals(pool.questions)
    assert np.diff(pool.class_offsets).min() < np.diff(pool.class_offsets).max()
    assert pool.class_correct.sum() < 40  # a question that nobody answered rightly


def test_one_question_one_sample():
    pool = AnswerModel("x", 0, 1e-6, 1e6, 1).draw(1, 1)
    assert pool.class_labels.to_pylist() == ["wrong 1"]
    assert pool.codes.tolist() == [[[0]]]
    pool = AnswerModel("x", 0, 1, 1, 1, no_answer=1).draw(2, 3)
    assert pool.codes.tolist() == [[[-1] * 3] * 2]
    assert evaluate(pool, "sc:x", 3).accuracy.tolist() == [[[0, 0]]]
