"""Predictions of live runs: their means, their spread, and what they refuse."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mssim import MssimError, Pool, evaluate
from mssim.engine.sample_groups import keep_samples
from mssim.live import Prediction, compare, predict
from mssim.live.replayed_runs import _MEAN_REPLAYS
from mssim.simulate import AnswerModel

TWO = AnswerModel(["a", "b"], sure=[0.2, 0.1], a=1, b=[1, 1.5], spread=2, correlation=0.7)
THREE = ("sc:a", "ms:a+b,agreement=0.75", "sc:b,stop=beta")


@dataclass
class Once:
    """A live run of given draws, with the values of each question."""

    strategy: Any
    budget: int
    frame: pd.DataFrame

    def to_frame(self):
        return self.frame


def with_tokens(pool, seed=0):
    """Output tokens that depend on the question and differ between samples."""
    random = np.random.default_rng(seed)
    long = random.integers(5, 60, (1, len(pool.questions), 1))
    return replace(pool, numbers={"output_tokens": np.ceil(long * random.lognormal(0, 0.5, pool.codes.shape))})


def cut(pool, first, end):
    """The samples from number `first` to `end`."""
    place = np.broadcast_to(np.arange(pool.codes.shape[2]), pool.codes.shape)
    return keep_samples(pool, (place >= first) & (place < end)).select(models=pool.models)


def once(pool, strategy, budget, seed=0):
    """One replay, of samples that no recording has: a live run by the kernels."""
    found = evaluate(pool, strategy, [budget], method="monte_carlo", n_replays=1, seed=seed, tokens="output")
    values = {"samples_used": found.samples_used[0, 0], "output_tokens": found.tokens[0, 0]}
    frame = found.questions[["question_id"]].assign(correct=found.accuracy[0, 0] == 1, **values)
    return Once(strategy, budget, frame)


# The numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_expectations_are_those_of_an_evaluation():
    pool = with_tokens(TWO.draw(20, 16, seed=3))
    found = predict(pool, THREE[1], 6, n_runs=5)
    row = evaluate(pool, THREE[1], [6], tokens="output", n_replays=_MEAN_REPLAYS).to_frame().iloc[0]
    np.testing.assert_allclose(found.predicted, row[["accuracy", "samples_used", "tokens"]].astype(float), rtol=1e-12)
    assert found.quantities == ("accuracy", "samples_used", "output_tokens")


def test_the_variance_of_one_sample_is_that_of_a_share():
    """With one draw of N recorded: r = p (1 - p), and v = p (1 - p) / (N - 1)."""
    answers = ["1" * k + "0" * (40 - k) for k in (4, 12, 20, 28, 36) for _ in range(12)]
    rows = [
        {"question_id": str(q), "model": "a", "sample_index": i, "answer": answer, "truth": "1"}
        for q, some in enumerate(answers)
        for i, answer in enumerate(np.random.default_rng(q).permutation(list(some)))
    ]
    found = predict(Pool.from_frame(pd.DataFrame(rows)), "sc:a", 1, n_runs=300)
    p = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    unseen = 1 / 40
    expected = (12 * (p * (1 - p) * (1 + 2 / 39)).sum() + unseen) / 60**2
    # The standard error of 300 runs of 60 questions is below 1 %; groups in place of samples change less than 1 %.
    assert found.sd[0] ** 2 == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_samples_and_tokens_vary_with_the_questions_that_switch():
    """A question that switches with the chance c uses n or 2 n samples; the variance is n^2 c (1 - c)."""
    rows = [
        {"question_id": str(q), "model": m, "sample_index": i, "answer": str(i % 2), "truth": "1", "output_tokens": 5}
        for q in range(30)
        for m in "ab"
        for i in range(200)
    ]
    found = predict(Pool.from_frame(pd.DataFrame(rows)), "ms:a+b", 4, n_runs=400)
    frame = found.to_frame().set_index("quantity")
    assert frame.loc["samples_used", "predicted"] == pytest.approx(3, abs=0.01)
    assert frame.loc["samples_used", "sd"] == pytest.approx(np.sqrt(4 / 4 / 30), rel=0.05)
    assert frame.loc["output_tokens", "sd"] == pytest.approx(5 * frame.loc["samples_used", "sd"], rel=1e-6)


def test_a_smaller_recording_predicts_with_a_larger_error():
    pool = TWO.draw(40, 128, seed=1)
    few, many = (predict(cut(pool, 0, n), "sc:a", 8, n_runs=60, seed=1).sd[0] for n in (12, 128))
    assert few > 1.2 * many


def test_a_certain_quantity_has_no_spread():
    pool = TWO.draw(10, 16, seed=1)
    found = compare(once(cut(with_tokens(pool), 0, 4), "sc:a", 4), cut(pool, 4, 16), n_runs=5)
    frame = found.to_frame().set_index("quantity")
    assert frame.loc["samples_used", ["sd", "z"]].tolist() == [0, 0]
    wrong = replace(found, live=found.live + np.array([0, 1.0]))
    assert wrong.z[1] == np.inf
    assert wrong.chi_square() == (np.inf, 2, 0.0)


def test_rounding_errors_of_replays_are_no_spread():
    pool = TWO.draw(6, 12, seed=1)
    found = predict(pool, "alloc:a", 3, n_runs=5)  # the questions share 18 samples
    assert found.sd[1] == 0
    assert replace(found, live=found.predicted + np.array([0.1, 0])).chi_square()[1] == 1


def test_samples_that_are_all_right_do_not_make_an_answer_certain():
    rows = {"question_id": np.repeat(["p", "q"], 8), "model": "a", "sample_index": [*range(8)] * 2}
    pool = Pool.from_frame(pd.DataFrame(rows | {"answer": "7", "truth": "7"}))
    found = predict(pool, "sc:a", 4, n_runs=5)
    assert found.predicted[0] == 1
    assert found.sd[0] == pytest.approx(np.sqrt(0.5) / 2)
    assert found.to_frame()["high"].iloc[0] == 1


def test_chi_square_of_independent_rows_adds_their_squares():
    shape = {"strategies": ("s", "t"), "budgets": np.array([1, 1]), "quantities": ("accuracy",) * 2, "n_questions": 9}
    found = Prediction(
        **shape, predicted=np.array([0.5, 0.5]), covariance=np.diag([0.01, 0.04]), live=np.array([0.7, 0.9])
    )
    np.testing.assert_allclose(found.z, [2, 2])
    chi, df, p = found.chi_square()
    assert (chi, df, p) == (pytest.approx(8), 2, pytest.approx(stats.chi2.sf(8, 2)))
    assert found.to_frame()["verdict"].tolist() == ["higher", "higher"]
    assert found.to_frame(confidence_level=0.99)["verdict"].tolist() == ["as predicted"] * 2


def test_chi_square_counts_quantities_that_follow_from_others_once():
    one = np.full((2, 2), 0.01)
    shape = {"strategies": ("s", "s"), "budgets": np.array([1, 1]), "quantities": ("samples_used", "output_tokens")}
    found = Prediction(
        **shape, n_questions=9, predicted=np.array([2.0, 2.0]), covariance=one, live=np.array([2.2, 2.2])
    )
    assert found.chi_square()[:2] == (pytest.approx(4), 1)


@pytest.mark.slow
def test_runs_of_the_same_samples_vary_together():
    pool = TWO.draw(60, 80, seed=2)
    runs = [once(with_tokens(cut(pool, 0, 8)), strategy, 8) for strategy in ("sc:a", "ms:a+b,agreement=0.75")]
    apart = compare(runs, cut(pool, 8, 80), n_runs=60)
    same = compare(runs, cut(pool, 8, 80), n_runs=60, same_draws=True)
    np.testing.assert_array_equal(same.sd, apart.sd)
    assert same.covariance[0, 2] > apart.covariance[0, 2] > 0


@pytest.mark.slow
def test_a_random_router_varies_by_its_choice():
    """One model is always right and the other always wrong: a question is right with the chance 1/2."""
    rows = [
        {"question_id": str(q), "model": m, "sample_index": i, "answer": answer, "truth": "1"}
        for q in range(50)
        for m, answer in (("a", "1"), ("b", "0"))
        for i in range(10)
    ]
    found = predict(Pool.from_frame(pd.DataFrame(rows)), "random:a+b", 2, n_runs=400)
    assert found.predicted[0] == pytest.approx(0.5)
    assert found.sd[0] == pytest.approx(np.sqrt((50 / 4 + 0.2) / 50**2), rel=0.03)


def test_questions_that_share_a_budget_use_it_up():
    found = predict(TWO.draw(30, 40, seed=4), "alloc:a", 4, n_runs=60)
    frame = found.to_frame().set_index("quantity")
    assert frame.loc["samples_used", ["predicted", "sd"]].tolist() == pytest.approx([4, 0], abs=1e-9)
    assert 0.02 < frame.loc["accuracy", "sd"] < 0.12


# Questions and columns ------------------------------------------------------------------------------------------------


def test_questions_that_only_one_of_both_has_are_left_out_with_a_note():
    pool = with_tokens(TWO.draw(12, 20, seed=5))
    live = once(cut(pool, 0, 4).select(questions=pool.question_ids[:8]), "sc:a", 4)
    live.frame["stopped"] = ["budget"] * 7 + ["unfinished"]
    recorded = cut(pool, 4, 20).select(questions=pool.question_ids[2:])
    found = compare(live, recorded, n_runs=5)
    assert found.n_questions == 5
    assert found.notes == (
        "questions: 5 are compared. 2 of the live runs and 5 of the pool are not in all of them and are left out.",
    )
    assert found.live[0] == live.frame["correct"][2:7].mean()


def test_unknown_quantities_are_left_out_with_a_note():
    pool = TWO.draw(6, 20, seed=5)
    live = once(with_tokens(cut(pool, 0, 4)), "sc:a", 4)
    found = compare(live, cut(pool, 4, 20), n_runs=5)
    assert found.quantities == ("accuracy", "samples_used")
    assert found.notes == ("output_tokens: the pool does not have them for all samples, so they are not predicted.",)
    live.frame["correct"] = [None, *live.frame["correct"][1:]]
    found = compare(live, with_tokens(cut(pool, 4, 20)), n_runs=5)
    assert found.quantities == ("samples_used", "output_tokens")
    assert found.notes == ("accuracy: a live run does not have it for all questions.",)


# What it refuses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strategies": "sc:c"}, "no model 'c' in this pool"),
        ({"budget": 0}, "budget=0 is out of range"),
        ({"budget": [1, 2]}, "budget=.1, 2.: use one number, or one per strategy .1."),
        (
            {"budget": 11},
            "sc:a at budget 11 draws up to 11 samples of model 'a', and 10 of question 'q1' were recorded",
        ),
        ({"budget": 10}, "Lower the budget, or use a pool with more samples"),
        ({"strategies": []}, "one per strategy .0."),
        ({"strategies": "oracle:a+b"}, "cannot be run live"),
        ({"question_ids": ["none"]}, "no question 'none'"),
        ({"n_runs": 1}, "n_runs=1 is out of range"),
        ({"seed": -1}, "seed=-1 is out of range"),
    ],
)
def test_predict_refuses(options, said):
    pool = TWO.draw(3, 10, seed=0)
    with pytest.raises(MssimError, match=said):
        predict(pool, **({"strategies": "sc:a", "budget": 2, "n_runs": 3} | options))


def test_ragged_and_single_samples_are_refused():
    pool = TWO.draw(3, 10, seed=0)
    kept = np.ones(pool.codes.shape, bool)
    kept[0, 1, 3:] = False
    with pytest.raises(MssimError, match=f"draws up to 4 .* and 3 of question '{pool.question_ids[1]}'"):
        predict(keep_samples(pool, kept), "sc:a", 4, n_runs=3)
    with pytest.raises(MssimError, match="draws up to 1 sample of model 'a', and 1 of question"):
        predict(cut(pool, 0, 1), "sc:a", 1, n_runs=3)


def test_compare_refuses_other_questions_and_no_runs():
    pool = TWO.draw(3, 10, seed=0)
    live = once(with_tokens(pool), "sc:a", 2)
    live.frame["question_id"] = ["x", "y", "z"]
    with pytest.raises(MssimError, match="no question of the live run is in it"):
        compare(live, pool)
    with pytest.raises(MssimError, match="no runs"):
        compare([], pool)


# Does it cover? -------------------------------------------------------------------------------------------------------


def z_scores(recorded, live, n_pairs, *, n_questions=30, n_samples=30, budget=6):
    """z of pairs of a recording and live runs that have draws of their own, [pair, row], and p-values.

    Both answer models draw the same questions, because these are the first that a seed draws.
    """
    z, p = [], []
    for seed in range(n_pairs):
        pool = with_tokens(recorded.draw(n_questions, n_samples, seed=seed), seed)
        fresh = with_tokens(live.draw(n_questions, n_samples + 3 * budget, seed=seed), seed)
        parts = [cut(fresh, n_samples + i * budget, n_samples + (i + 1) * budget) for i in range(3)]
        runs = [once(part, strategy, budget) for part, strategy in zip(parts, THREE, strict=True)]
        found = compare(runs, pool, n_runs=40, seed=seed)
        z.append(found.z)
        p.append(found.chi_square()[2])
    return np.array(z), np.array(p)


@pytest.mark.slow
def test_z_scores_have_the_spread_of_normal_numbers():
    """The mean over pairs of the mean square of z has a standard error of about 0.25; four of them are allowed."""
    z, p = z_scores(TWO, TWO, 5)
    varies = np.abs(z).max(axis=0) > 0
    assert varies.tolist() == [True, False, True] + [True] * 6
    assert 0.2 < (z[:, varies] ** 2).mean() < 2.5
    assert np.abs(z[:, varies].mean(axis=0)).max() < 5 / np.sqrt(5)
    assert stats.kstest(p, "uniform").pvalue > 1e-6


@pytest.mark.slow
def test_a_recording_of_other_answers_is_detected():
    """As if the temperature were lower: wrong answers are less frequent and less varied."""
    cold = replace(TWO, a=2.0, spread=0.5)
    z, p = z_scores(TWO, cold, 1, n_questions=100)
    accuracy, samples = z[0, 3], z[0, 4]
    assert accuracy > 1
    assert samples < -3
    assert p[0] < 1e-6
