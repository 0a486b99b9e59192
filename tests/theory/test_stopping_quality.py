"""Stop quality and calibration, against every draw there is and against evaluate."""

import math
from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import BudgetError, ModelSwitch, MssimError, PoolError, StrategyError, Vote, evaluate
from mssim.results.intervals import ratio_interval
from mssim.theory import calibration, stop_quality
from tests import naive
from tests.conftest import examples, make_pool, replay
from tests.engine.test_evaluate import random_pool
from tests.engine.test_monte_carlo import XYZ, pools
from tests.theory import test_limits

any_pool, models_with = test_limits.any_pool, test_limits.models_with


def ends_by_hand(pool, strategy, budget, replacement):
    """Coverage and contribution of every end, in rational numbers: {stage: (share, right)}, n + 1 being the vote."""
    samples, right = naive.recorded(pool)
    sizes = naive.allocate(budget, len(strategy.models))
    found, n = {}, len(pool.question_ids)
    asked = [i for i, size in enumerate(sizes) if size]
    for q in pool.question_ids:
        chances = [naive.orders(samples[m][q], s, replacement) for m, s in zip(strategy.models, sizes, strict=True)]
        for drawn in product(*chances):
            chance = math.prod(c for _, c in drawn) / n
            draws = [order for order, _ in drawn]
            tested = asked if strategy.test_last else asked[:-1]
            agreeing = [i for i in tested if naive.agrees(draws[i], strategy.agreement, strategy.strict)]
            end = agreeing[0] + 1 if agreeing else len(sizes) + 1
            won, _ = naive.model_switch(strategy, draws, right[q], None, ())
            share, wins = found.get(end, (Fraction(0), Fraction(0)))
            found[end] = share + chance, wins + chance * won
    return found


@pytest.mark.slow
@given(
    pools(n_models=2, most_samples=4),
    st.builds(
        ModelSwitch,
        st.just(XYZ[:2]),
        agreement=st.sampled_from([0.0, 0.4, 0.5, 2 / 3, 1.0, 1.5]),
        strict=st.booleans(),
        test_last=st.booleans(),
        vote=st.builds(Vote, ties=st.sampled_from(["first", "random", "wrong"])),
    ),
    st.booleans(),
)
def test_every_end_by_every_draw(pool, strategy, replacement):
    for budget in (1, 4):
        frame = stop_quality(pool, strategy, budget, replacement=replacement).set_index("stage")
        by_hand = ends_by_hand(pool, strategy, budget, replacement)
        assert set(by_hand) <= set(frame.index)
        for stage, row in frame.iterrows():
            share, wins = by_hand.get(stage, (0, 0))
            assert row["coverage"] == pytest.approx(float(share), abs=1e-11)
            assert row["contribution"] == pytest.approx(float(wins), abs=1e-11)
            if share:
                assert row["accuracy"] == pytest.approx(float(wins / share), abs=1e-9)
                assert row["risk"] == pytest.approx(1 - row["accuracy"])
            else:
                assert np.isnan([row["accuracy"], row["low"], row["high"], row["risk"]]).all()


RULES = ["ms:x+y+z", "ms:z+x,agreement=0.5", "ms:x+y,vote=plurality,test_last=false", "ms:y", "ms:x+y+z,prior=2/1/1"]


@pytest.mark.slow
@pytest.mark.parametrize("text", RULES)
@pytest.mark.parametrize("replacement", [True, False])
def test_ends_add_up_to_the_strategy_on_every_pool(any_pool, text, replacement):
    """To replays of their own within six errors of each: 300 numbers, one seed in a million fails."""
    names = dict(zip("xyz", models_with(any_pool, 4), strict=False))
    kind, _, options = text.partition(",")
    models = [names[m] for m in kind.removeprefix("ms:").split("+") if m in names]
    if len(names) < 3:
        options = options.replace("2/1/1", "2/1")
    strategy = f"ms:{'+'.join(models)}" + (f",{options}" if options else "")
    budgets, given = [1, 3, 4], {"replacement": replacement, "n_replays": 300, "seed": 5}
    frame, result = stop_quality(any_pool, strategy, budgets, **given), evaluate(any_pool, strategy, budgets, **given)
    sums, total = frame.groupby("budget")[["coverage", "contribution"]].sum(), result.to_frame()
    assert sums["coverage"].tolist() == pytest.approx([1] * 3)
    difference = sums["contribution"].to_numpy() - total["accuracy"].to_numpy()
    assert (np.abs(difference) <= 6 * total["mc_error"] + 1e-9).all()
    replayed = replay(any_pool, strategy, budgets, **given)
    stops = frame[frame["end"] == "agreement"].groupby("budget")["coverage"].sum().reindex(budgets, fill_value=0)
    error = 0.5 / np.sqrt(300 * len(any_pool.questions))
    assert np.abs(stops.to_numpy() - replayed.agreed[0].mean(axis=1)).max() <= 6 * error
    difference = sums["contribution"].to_numpy() - replayed.accuracy[0].mean(axis=1)
    assert (np.abs(difference) <= 6 * np.hypot(total["mc_error"], error)).all()


def test_a_stage_that_always_stops_leaves_nothing_to_the_vote():
    frame = stop_quality(random_pool(), "ms:x+y,agreement=0", 4, method="monte_carlo", n_replays=20)
    assert frame["coverage"].tolist() == [1, 0, 0]
    assert frame["contribution"].sum() == pytest.approx(evaluate(random_pool(), "sc:x", 2).accuracy.mean())
    assert frame["mc_error"].tolist() == [0, 0, 0]


def test_the_final_vote_is_replayed_within_its_error():
    """Six errors of each of four accuracies: one seed in 10^8 fails."""
    pool = random_pool(30, 24, seed=8)
    for strategy in ("ms:x+y,vote=plurality", "ms:x+y+z,vote=plurality"):
        exactly = stop_quality(pool, strategy, [6, 9], method="exact")
        replayed = stop_quality(pool, strategy, [6, 9], method="monte_carlo", n_replays=3000, seed=2)
        assert (exactly["mc_error"] == 0).all()
        vote = exactly["end"] == "vote"
        assert (replayed.loc[vote, "mc_error"] > 0).all()
        assert (replayed.loc[~vote, "mc_error"] == 0).all()
        assert exactly.loc[~vote, "accuracy"].equals(replayed.loc[~vote, "accuracy"])
        difference = (exactly["accuracy"] - replayed["accuracy"]).abs()
        assert (difference <= 6 * replayed["mc_error"] + 1e-12).all()
        result = evaluate(pool, strategy, [6, 9], method="monte_carlo", n_replays=3000, seed=2).to_frame()
        expected = result["mc_error"].to_numpy() / replayed.loc[vote, "coverage"].to_numpy()
        assert replayed.loc[vote, "mc_error"].to_numpy() == pytest.approx(expected)


@pytest.mark.slow
def test_the_interval_is_that_of_a_ratio():
    pool = random_pool(40, 12, seed=1)
    row = stop_quality(pool, "ms:x+y", 4).iloc[0]
    share = np.array([stop_quality(pool.select(questions=[q]), "ms:x", 2)["coverage"][0] for q in pool.question_ids])
    wins = [stop_quality(pool.select(questions=[q]), "ms:x", 2)["contribution"][0] for q in pool.question_ids]
    assert row["accuracy"] == pytest.approx(np.sum(wins) / share.sum())
    assert row[["low", "high"]].tolist() == pytest.approx(ratio_interval(wins, share))
    wide = stop_quality(pool, "ms:x+y", 4, confidence_level=0.999).iloc[0]
    assert wide["low"] < row["low"] < row["high"] < wide["high"]


def test_clusters_reach_the_interval():
    frame = random_pool(40, 12, seed=1).to_frame()
    frame["topic"] = frame["question_id"].str[-1]
    pool = random_pool().from_frame(frame)
    for function, asked in ((stop_quality, "ms:x+y"), (calibration, "x")):
        one, other = function(pool, asked, 4), function(pool, asked, 4, clusters="topic")
        assert one["accuracy"].equals(other["accuracy"])
        assert not one["low"].equals(other["low"])


# Calibration ----------------------------------------------


def tops_by_hand(pool, model, k, replacement):
    """{votes of the leading answer: (share, right)}; of tied leaders the first drawn wins."""
    samples, right = naive.recorded(pool)
    found = {}
    for q in pool.question_ids:
        for order, chance in naive.orders(samples[model][q], k, replacement):
            votes = Counter(a for a in order if a is not None)
            top = max(votes.values(), default=0)
            won = naive.is_right(naive.vote([order], naive.PLAIN), right[q], "first", None)
            share, wins = found.get(top, (Fraction(0), Fraction(0)))
            found[top] = share + chance / len(right), wins + chance * won / len(right)
    return found


@pytest.mark.slow
@given(pools(n_models=1, most_samples=5), st.booleans())
def test_calibration_by_every_draw(pool, replacement):
    budgets = [1, 2, min(pool.codes.shape[2], 5)]
    frame = calibration(pool, "x", budgets, replacement=replacement)
    assert frame["budget"].unique().tolist() == sorted(set(budgets))
    for k, rows in frame.groupby("budget"):
        by_hand = tops_by_hand(pool, "x", k, replacement)
        assert rows["votes"].tolist() == list(range(k + 1))
        assert rows["agreement"].tolist() == pytest.approx(np.arange(k + 1) / k)
        for row in rows.itertuples():
            share, wins = by_hand.get(row.votes, (0, 0))
            assert row.coverage == pytest.approx(float(share), abs=1e-11)
            assert row.contribution == pytest.approx(float(wins), abs=1e-11)
            if share:
                assert row.accuracy == pytest.approx(float(wins / share), abs=1e-9)
            else:
                assert np.isnan([row.accuracy, row.low, row.high]).all()


@settings(max_examples=examples(20))
@given(pools(n_models=1), st.booleans())
def test_the_top_of_calibration_is_the_stop_of_unanimity(pool, replacement):
    k = pool.codes.shape[2]
    top = calibration(pool, "x", k, replacement=replacement).iloc[-1]
    stop = stop_quality(pool, "ms:x", k, replacement=replacement).iloc[0]
    assert top[["coverage", "contribution"]].tolist() == pytest.approx(stop[["coverage", "contribution"]].tolist())


def test_calibration_adds_up_on_every_pool(any_pool):
    """To the exact accuracy, and to replays within six of their errors: 60 numbers, one seed in ten million fails."""
    for model in models_with(any_pool, 4):
        budgets = sorted({1, 4, min(int(any_pool.lengths[any_pool.model_index(model)].min()), 10)})
        sums = calibration(any_pool, model, budgets).groupby("budget")[["coverage", "contribution"]].sum()
        exactly = evaluate(any_pool, f"sc:{model}", budgets, method="exact").accuracy[0].mean(axis=1)
        replayed = replay(any_pool, f"sc:{model}", budgets, n_replays=500).to_frame()
        assert sums["coverage"].tolist() == pytest.approx([1] * len(budgets))
        assert sums["contribution"].tolist() == pytest.approx(exactly, abs=1e-9)
        difference = sums["contribution"].to_numpy() - replayed["accuracy"].to_numpy()
        assert (np.abs(difference) <= 6 * replayed["mc_error"] + 1e-9).all()


def test_agreement_need_not_be_calibrated():
    """The counter-example: a model that is sure of what is wrong."""
    pool = make_pool({("x", "q"): ["b"] * 9 + ["a"], ("x", "r"): ["a"] * 5 + ["c"] * 5})
    frame = calibration(pool, "x", 5).set_index("votes")
    assert frame.loc[5, "accuracy"] < 0.05
    assert frame.loc[3, "accuracy"] == pytest.approx(0.5)
    assert frame.loc[3, "agreement"] == 0.6


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda p: stop_quality(p, "ms:x+y,on_agreement=pool", 4), StrategyError, "Use on_agreement=adopt"),
        (lambda p: stop_quality(p, "cascade:x+y", 4), StrategyError, "is not a ModelSwitch. Use e.g."),
        (
            lambda p: stop_quality(p, "ms:x+x", 4),
            StrategyError,
            "stages of the same model are dependent without replacement",
        ),
        (lambda p: stop_quality(p, "ms:x+y", 4, method="mc"), MssimError, "method='mc' is not valid. Choose from"),
        (lambda p: calibration(p, "w", 4), PoolError, "no model 'w' in this pool"),
        (lambda p: calibration(p, "x", 25), BudgetError, "needs 25 samples of model 'x'"),
        (
            lambda p: calibration(p, "x", 2, replacement="no"),
            MssimError,
            "replacement='no' is not a bool. Use True or False",
        ),
        (lambda p: calibration(p, "x", 2000, replacement=True), BudgetError, "exceed the limit of 1024"),
        (
            lambda p: calibration(p, "x", 2, confidence_level=95),
            MssimError,
            "confidence_level=95 is not between 0 and 1",
        ),
    ],
)
def test_bad_input_is_refused(call, error, says):
    with pytest.raises(error) as caught:
        call(random_pool())
    assert says in str(caught.value)
