"""Limits and finite budgets: what the law of large numbers says, what exact votes say, and the theorems on the mix."""

import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import (
    Mixture,
    MssimError,
    Pool,
    PoolError,
    PoolWarning,
    SelfConsistency,
    StrategyError,
    Vote,
    evaluate,
    load_pool,
)
from mssim.results.intervals import mean_interval
from mssim.theory import finite_budget, limits
from mssim.theory.limits import _certainty
from tests import naive
from tests.conftest import examples, make_pool, replay
from tests.engine.test_evaluate import random_pool
from tests.engine.test_monte_carlo import XYZ, pools

WEIGHTS = st.sampled_from([None, (2, 1, 1), (1, 2, 1.5), (0.1, 0.2, 0.3)])
SHARED = {
    "exam-nine-models": {"temperature": 1.0},
    "exams-two-models": [("prompt", "==", "chain_of_thought"), ("dataset", "!=", "comprehensive-100")],
}


def ragged(n_questions=12, seed=4):
    """Models x, y, z with 9, 6 and 4 samples, some without an answer."""
    frame = random_pool(n_questions, 9, seed=seed).to_frame()
    most = frame["model"].map({"x": 9, "y": 6, "z": 4})
    return Pool.from_frame(frame[frame["sample_index"] < most])


@pytest.fixture(params=["demo", "random", "ragged", *SHARED])
def any_pool(request):
    """Every pool at hand; those of real models where they lie beside the checkout."""
    own = {"demo": lambda: load_pool("tests/demo-synthetic"), "random": random_pool, "ragged": ragged}
    if request.param in own:
        return own[request.param]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)
        return load_pool(request.getfixturevalue("shared_pools") / request.param, where=SHARED[request.param])


def models_with(pool, least, most=3):
    """Up to three models with so many samples of every question."""
    enough = zip(pool.models, pool.lengths.min(axis=1), strict=True)
    return [model for model, n in enough if n >= least][:most]


@st.composite
def laws(draw, n_models, answers="abc", right=frozenset("a"), most=7):
    """A pool of one question from counts per model and answer, and of samples without an answer."""
    given = {
        (m, "q"): [a for a in (*answers, None) for _ in range(draw(st.integers(0, most)))] or [None]
        for m in XYZ[:n_models]
    }
    frame = make_pool(given).to_frame()
    return Pool.from_frame(frame.assign(correct=frame["answer"].isin(right)))


def share_right(scores, right):
    """Share of right answers among those that score highest, in rational numbers."""
    top = max(scores.values(), default=0)
    tied = [a for a, score in scores.items() if score == top]
    return float(Fraction(sum(a in right for a in tied), len(tied))) if tied else 0.0


def by_hand(pool, models, weights):
    """Limits per question, read off the recorded answers: alone [model][question], pooled [question]."""
    samples, right = naive.recorded(pool)
    alone, pooled = [[] for _ in models], []
    for q in pool.question_ids:
        pool_score = {}
        for i, (model, weight) in enumerate(zip(models, weights or [1] * len(models), strict=True)):
            given = samples[model][q]
            shares = {a: Fraction(given.count(a), len(given)) for a in given if a is not None}
            alone[i].append(share_right(shares, right[q]))
            for a, share in shares.items():
                pool_score[a] = pool_score.get(a, 0) + Fraction(str(weight)) * share
        pooled.append(share_right(pool_score, right[q]))
    return alone, pooled


# What limits are ------------------------------------------


@given(pools(n_models=3), WEIGHTS)
def test_limits_are_read_off_the_shares(pool, weights):
    found = limits(pool, weights=weights)
    alone, pooled = by_hand(pool, XYZ, weights)
    assert found.alone == pytest.approx(np.array(alone))
    assert found.pooled == pytest.approx(pooled)


@pytest.mark.slow
def test_limits_of_every_pool(any_pool):
    """By hand; and whatever was recorded has reached them, by closed forms and by replays.

    A tie is replayed 400 times: six standard errors of it, of some hundred questions, once in a million seeds.
    """
    models = models_with(any_pool, 1)
    found = limits(any_pool, models)
    alone, pooled = by_hand(any_pool, models, None)
    assert found.alone == pytest.approx(np.array(alone))
    assert found.pooled == pytest.approx(pooled)
    lengths = any_pool.lengths[[any_pool.model_index(m) for m in models]]
    if lengths.min() < lengths.max():
        return
    n, vote = int(lengths[0, 0]), Vote.plurality(ties="random")
    single = [SelfConsistency(m, vote) for m in models]
    assert evaluate(any_pool, single, n, method="exact").accuracy[:, 0] == pytest.approx(found.alone, abs=1e-9)
    replayed = replay(any_pool, Mixture(models, vote), n * len(models), n_replays=400).accuracy[0, 0]
    sure = np.isin(found.pooled, [0, 1])
    assert replayed[sure].tolist() == found.pooled[sure].tolist()
    assert (np.abs(replayed - found.pooled) <= 6 * 0.5 / 20).all()


@pytest.mark.slow
@given(pools(n_models=3), WEIGHTS)
def test_the_whole_pool_has_reached_its_limit(pool, weights):
    """Without replacement and with random ties, whatever ties with whatever."""
    n, found = pool.codes.shape[2], limits(pool, weights=weights)
    mix = Mixture(XYZ, Vote.plurality(prior=weights, ties="random"))
    assert evaluate(pool, mix, 3 * n, method="exact").accuracy[0, 0] == pytest.approx(found.pooled, abs=1e-9)
    alone = evaluate(pool, [SelfConsistency(m, Vote.plurality(ties="random")) for m in XYZ], n, method="exact")
    assert alone.accuracy[:, 0] == pytest.approx(found.alone, abs=1e-9)


def lead(pool, models, weights):
    """By how much the winner leads in sum_i w_i p_i, and whether it is right."""
    samples, right = naive.recorded(pool)
    scores = {}
    for model, weight in zip(models, weights, strict=True):
        given = samples[model]["q"]
        for a in given:
            if a is not None:
                scores[a] = scores.get(a, 0) + weight * Fraction(given.count(a), len(given)) / given.count(a)
    first, second = [*sorted(scores.values(), reverse=True), 0, 0][:2]
    return float(first - second), len(scores), max(scores, key=scores.get, default=None) in right["q"]


@pytest.mark.slow
@given(laws(2), st.sampled_from([(1, 1), (2, 1), (1, 3)]))
@settings(max_examples=examples(40))
def test_draws_with_replacement_approach_the_limit_as_fast_as_hoeffding_says(pool, weights):
    """P[another answer wins] <= rivals x exp(-K lead^2 / (2 sum w^2)), K draws of each model, for every K."""
    margin, n_answers, is_right = lead(pool, XYZ[:2], weights)
    found = limits(pool, weights=weights)
    if margin < 1e-12:
        return
    assert found.pooled.tolist() == [float(is_right)]
    draws = np.array([1, 2, 4, 8, 16])
    mix = Mixture(XYZ[:2], Vote.plurality(prior=weights))
    exactly = evaluate(pool, mix, 2 * draws, method="exact", replacement=True).accuracy[0, :, 0]
    bound = n_answers * np.exp(-draws * margin**2 / (2 * sum(w * w for w in weights)))
    assert (np.abs(exactly - found.pooled) <= bound + 1e-9).all()
    one = limits(pool, ["x"])
    gap = lead(pool, ["x"], [1])[0]
    if gap > 1e-12:
        many = np.array([16, 128, 1024])
        alone = evaluate(pool, "sc:x", many, method="exact", replacement=True).accuracy[0, :, 0]
        assert (np.abs(alone - one.pooled) <= n_answers * np.exp(-many * gap**2 / 2) + 1e-9).all()


def test_tied_limits_of_two_answers_are_one_half():
    """A tie of two answers in one model, and in two models with different laws; the gap shrinks like 1 / sqrt(K)."""
    pool = make_pool({("x", "q"): list("aabbc"), ("y", "q"): list("abccc")})
    tied = limits(make_pool({("x", "q"): list("aab"), ("y", "q"): list("abb")}))
    assert tied.pooled.tolist() == [0.5]
    assert tied.to_frame()["verdict"].tolist() == ["loses to best"]
    assert limits(pool, ["x"]).pooled.tolist() == [0.5]
    near = evaluate(pool, "sc:x", 1024, method="exact", replacement=True).accuracy.item()
    assert near == pytest.approx(0.5, abs=1e-6)
    mixed = make_pool({("x", "q"): list("aab"), ("y", "q"): list("abb")})
    vote = Vote.plurality(ties="random")
    assert evaluate(mixed, Mixture(["x", "y"], vote), 98, method="exact", replacement=True).accuracy.item() == (
        pytest.approx(0.5, abs=1e-9)
    )


def test_three_answers_tied_between_models_need_not_win_equally_often():
    """The counter-example to an equal share, for which three answers of two models are beyond the assumptions."""
    pool = make_pool({("x", "q"): list("aab"), ("y", "q"): list("bcc")}, truth="a")  # a: 2/3, b: 2/3, c: 2/3
    assert limits(pool).pooled == pytest.approx([1 / 3])
    vote = Vote.plurality(ties="random")
    exactly = evaluate(pool, Mixture(["x", "y"], vote), [40, 98], method="exact", replacement=True).accuracy[0, :, 0]
    assert (exactly < 0.32).all()  # the votes of b, from both models, scatter most: it wins more often than a and c


# The theorems ---------------------------------------------


@pytest.mark.slow
@given(laws(3), WEIGHTS)
@settings(max_examples=examples(150))
def test_the_mix_does_not_lose_alone_where_one_answer_is_right(pool, weights):
    for given_weights in (weights, "entropy"):
        found = limits(pool, weights=given_weights)
        if (found.alone == 1).all():
            assert found.pooled.tolist() == [1.0]
        if (found.alone > 0).all():  # all lead with the right answer, perhaps among others
            assert found.pooled >= found.alone.min(axis=0) - 1e-12
        assert found.to_frame()["verdict"].item() != "loses alone"


def test_with_two_right_answers_it_can_lose_alone():
    """The counter-example outside the assumption: each model knows a right answer, both know the same wrong one."""
    pool = make_pool({("x", "q"): list("aaaabbb"), ("y", "q"): list("ccccbbb")})
    frame = pool.to_frame()
    pool = Pool.from_frame(frame.assign(correct=frame["answer"] != "b"))
    found = limits(pool)
    assert found.alone.ravel().tolist() == [1, 1]
    assert found.pooled.tolist() == [0]
    assert found.to_frame()["verdict"].tolist() == ["loses alone"]


@pytest.mark.slow
@given(laws(3, answers="ab"), WEIGHTS)
@settings(max_examples=examples(150))
def test_with_two_answers_the_mix_never_wins_alone(pool, weights):
    for given_weights in (weights, "entropy"):
        assert limits(pool, weights=given_weights).to_frame()["verdict"].item() != "wins alone"


def test_with_three_answers_it_can_win_alone():
    pool = make_pool({("x", "q"): list("aaaabbbbbb"), ("y", "q"): list("aaaacccccc")})
    found = limits(pool)
    assert found.alone.ravel().tolist() == [0, 0]
    assert found.pooled.tolist() == [1]
    assert found.to_frame().iloc[0].tolist() == ["q", 0, 0.0, 1.0, "wins alone"]
    assert limits(pool, weights=(2, 1)).pooled.tolist() == [0.5]  # 2 x .6 = 2 x .4 + .4
    assert limits(pool, weights=(3, 1)).pooled.tolist() == [0]


@given(pools(n_models=3), st.sampled_from([1e-3, 0.3, 7.0, 1e6]))
def test_scaling_weights_and_the_order_of_models_change_nothing(pool, factor):
    one = limits(pool, XYZ, weights=(1, 2, 1.5))
    other = limits(pool, XYZ[::-1], weights={"y": 2 * factor, "x": factor, "z": 1.5 * factor})
    assert np.array_equal(one.pooled, other.pooled)
    assert np.array_equal(one.alone, other.alone[::-1])


# Entropy weights ------------------------------------------


def test_entropy_weights_are_the_limit_of_those_of_the_vote():
    """Recorded answers repeated many times over: the naive weight of all of them is the limit, up to 1 / m."""
    pool = random_pool(10, 8, seed=3)
    samples, right = naive.recorded(pool)
    found = limits(pool, weights="entropy")
    for q, pooled in zip(pool.question_ids, found.pooled, strict=True):
        stages = [samples[m][q] * 2000 for m in XYZ]
        scores = naive.vote(stages, Vote.entropy())
        top = max(scores.values())
        tied = {a for a, s in scores.items() if s > top * (1 - 1e-3)}
        assert pooled == pytest.approx(len(tied & right[q]) / len(tied))
    assert found.mix == "mix:x+y+z,vote=entropy"


def test_entropy_weights_change_the_winner():
    pool = make_pool({("x", "q"): list("aaab"), ("y", "q"): list("ccccbbbb")[:7], ("z", "q"): list("cbbbaaa")[:3]})
    plain, weighted = limits(pool, ["x", "y"]), limits(pool, ["x", "y"], weights="entropy")
    assert (plain.pooled.item(), weighted.pooled.item()) == (1, 1)
    pool = make_pool({("x", "q"): list("aaaaab") + [None] * 4, ("y", "q"): list("bbbbbccccc")})
    assert limits(pool).pooled.item() == 0  # b: .1 + .5 against a: .5
    assert limits(pool, weights="entropy").pooled.item() == 1  # y knows nothing and has no weight


def test_a_model_that_knows_next_to_nothing_outweighs_one_that_knows_nothing():
    """x says a in 60 of 119 samples, a certainty of 5e-5; y is divided evenly, and its weight is 0."""
    pool = make_pool({("x", "q"): ["a"] * 60 + ["b"] * 59, ("y", "q"): ["b", "c"]})
    assert limits(pool, weights="entropy").pooled.tolist() == [1]
    assert limits(pool).pooled.tolist() == [0]


def test_where_no_model_knows_anything_votes_count_the_same():
    pool = make_pool({("x", "q"): list("ab"), ("y", "q"): list("ac"), ("x", "r"): [None], ("y", "r"): [None]})
    assert limits(pool, weights="entropy").pooled.tolist() == [1, 0]
    assert limits(pool, ["x"], weights="entropy").pooled.tolist() == [0.5, 0]
    for n in range(2, 30):  # whatever rounding leaves of the weight of n equally frequent answers
        many = [f"wrong {i}" for i in range(n - 1)]
        pool = make_pool({("x", "q"): ["a", *many] * 3, ("y", "q"): ["b", "b", "a"]})
        assert limits(pool, ["x"], weights="entropy").pooled.item() == pytest.approx(1 / n)
        assert limits(pool, ["x", "y"], weights="entropy").pooled.item() == 0
        assert _certainty(pool, pool.class_counts("x")[None]).item() == 0


# Tables ---------------------------------------------------


def test_verdicts_and_summary_by_hand():
    """One question for each verdict, x being the best model alone."""
    answers = {
        "wins": ("aabbb", "aaccc", "aaddd"),
        "loses": ("aaabb", "bbbbb", "bbbbb"),
        "gains": ("bbbac", "aaaaa", "aaaaa"),
        "same": ("aaaaa", "aaaaa", "bbbbb"),
        "good": ("aaaaa", "aaaaa", "aaabb"),
        "bad": ("aaaab", "ccccc", "bbbbb"),
    }
    pool = make_pool({(m, q): list(given[i]) for q, given in answers.items() for i, m in enumerate(XYZ)})
    found = limits(pool)
    frame = found.to_frame().set_index("question_id")
    assert found.models[found.best] == "x"
    assert frame["verdict"].to_dict() == {
        "wins": "wins alone",
        "loses": "loses to best",
        "gains": "gains on best",
        "same": "same as best",
        "good": "same as best",
        "bad": "loses to best",
    }
    assert frame["right_alone"].tolist() == [0, 1, 2, 2, 3, 1]
    summary = found.summary(confidence_level=0.9)
    assert summary["strategy"].tolist() == ["sc:x", "sc:y", "sc:z", "mix:x+y+z"]
    kinds = ["wins_alone", "loses_alone", "gains_on_best", "loses_to_best", "same_as_best"]
    assert (summary[kinds].sum(axis=1) == 6).all()
    assert summary["n_questions"].tolist() == [6] * 4
    values = [*found.alone, found.pooled]
    assert summary["accuracy"].tolist() == pytest.approx([v.mean() for v in values])
    for row, v in zip(summary.itertuples(), values, strict=True):
        assert (row.low, row.high) == pytest.approx(mean_interval(v, confidence_level=0.9))
    # A model is judged against the others: x alone is right on "loses" and "bad", alone wrong on "gains".
    assert summary.loc[0, kinds].tolist() == [2, 1, 0, 0, 3]
    assert limits(pool, ["y"]).summary()["same_as_best"].tolist() == [6, 6]
    assert repr(found) == "Limits(mix:x+y+z, 6 questions)"


def test_clusters_widen_the_interval():
    frame = random_pool(20, 6).to_frame()
    frame["topic"] = frame["question_id"].str[-1]
    pool = Pool.from_frame(frame)
    found = limits(pool)
    low, high = mean_interval(found.pooled, clusters=pool.questions["topic"])
    assert found.summary(clusters="topic").iloc[-1][["low", "high"]].tolist() == pytest.approx([low, high])
    named = limits(Pool.from_frame(frame.rename(columns={"topic": "cluster"})))
    assert named.summary().equals(found.summary(clusters="topic"))
    with pytest.raises(MssimError, match=r"clusters: no column 'topics'\. Did you mean 'topic'"):
        found.summary(clusters="topics")


def test_finite_budgets_are_evaluations_beside_their_limit():
    pool = ragged()
    frame = finite_budget(pool, ["x", "y"], [2, 8], weights=(2, 1), clusters="question_id", confidence_level=0.9)
    strategies = ["sc:x", "sc:y", "mix:x+y,prior=2/1"]
    expected = evaluate(pool, strategies, [2, 8], replacement=True).to_frame(confidence_level=0.9)
    pd.testing.assert_frame_equal(frame[expected.columns.intersection(frame.columns)], expected[frame.columns[:7]])
    found = limits(pool, ["x", "y"], weights=(2, 1))
    means = [*found.alone.mean(axis=1), found.pooled.mean()]
    assert frame["limit"].tolist() == pytest.approx(np.repeat(means, 2))
    assert frame["gap"].tolist() == pytest.approx(np.repeat(means, 2) - frame["accuracy"])
    assert set(frame["method"]) == {"exact"}
    assert finite_budget(pool, "x", 4)["strategy"].tolist() == ["sc:x"]
    assert finite_budget(pool, None, 2)["strategy"].tolist() == ["sc:x", "sc:y", "sc:z", "mix:x+y+z"]
    weighted = finite_budget(pool, ["x", "y"], 8, weights="entropy", n_replays=20, seed=3)
    assert weighted["strategy"].tolist()[-1] == "mix:x+y,vote=entropy"
    assert weighted["method"].tolist() == ["exact", "exact", "monte_carlo"]
    with pytest.raises(MssimError, match="but 6 were recorded"):
        finite_budget(pool, ["x", "y"], 8, replacement=False)


@pytest.mark.slow
@pytest.mark.parametrize("replacement", [True, False])
def test_finite_budgets_agree_with_replays_on_every_pool(any_pool, replacement):
    """Six Monte Carlo errors, 90 comparisons of nearly normal means: one seed in a million fails."""
    models, budgets = models_with(any_pool, 6, most=2), [2, 4, 6]
    options = {"replacement": replacement, "seed": 9}
    exactly = finite_budget(any_pool, models, budgets, **options, method="exact")
    replayed = finite_budget(any_pool, models, budgets, **options, method="monte_carlo", n_replays=2000)
    assert (exactly["accuracy"] - replayed["accuracy"]).abs().le(6 * replayed["mc_error"] + 1e-12).all()
    assert (exactly["mc_error"] == 0).all()


# Refusals -------------------------------------------------


@pytest.mark.parametrize(
    ("models", "weights", "error", "says"),
    [
        (["x", "w"], None, PoolError, "no model 'w' in this pool"),
        (["x", "x"], None, PoolError, "models=['x', 'x'] is empty or repeats a model. Name each model once."),
        ([], None, PoolError, "models=[] is empty or repeats a model. Name each model once."),
        (None, "entropie", StrategyError, "weights='entropie' is not valid. Use 'entropy', or one positive number"),
        (None, (1, 2), StrategyError, "prior has 2 weights for 3 models. Use one weight per model"),
        (None, (1, 2, 0), StrategyError, "prior weight 0 is not a positive finite number"),
        (None, {"x": 1, "y": 2, "w": 1}, StrategyError, "prior has weights of ['w', 'x', 'y'], but the strategy uses"),
    ],
)
def test_what_has_no_limit_is_refused(models, weights, error, says):
    with pytest.raises(error) as caught:
        limits(random_pool(), models, weights=weights)
    assert says in str(caught.value)


def test_a_model_without_samples_is_named():
    pool = make_pool({("x", "q"): ["a"], ("y", "q"): ["a"], ("x", "r"): ["a"]})
    with pytest.raises(PoolError) as caught:
        limits(pool)
    assert str(caught.value) == (
        "models: 'y' has 0 samples of question 'r', but 1 are required. "
        "Drop the model, or use pool.select(min_samples=1), which keeps 1 of 2 questions."
    )
    assert limits(pool, ["x"]).pooled.tolist() == [1, 1]
