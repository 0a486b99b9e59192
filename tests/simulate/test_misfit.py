"""Differences of pools and fits: values against enumeration and closed forms, noise against simulation."""

from itertools import combinations

import numpy as np
import pytest

from mssim import ModelSwitch, Vote, evaluate
from mssim.results.clusters import standard_error
from mssim.results.multiplicity import holm
from mssim.simulate import AnswerModel, expected
from mssim.simulate.influence import influence
from mssim.simulate.misfit import misfits
from mssim.simulate.pool_fit import fit_recorded, recorded
from tests.conftest import make_pool

KNOWN = AnswerModel("x", 0.3, 0.8, 1.0, 2.0, no_answer=0.05)


def table(pool, k=None, clusters=None):
    numbers = recorded(pool, None)
    model = fit_recorded(numbers)
    draws = None if k is None else np.array(k)
    return misfits(numbers, model, influence(numbers, model), draws, clusters), model


def value(frame, quantity, k, model="x"):
    row = frame[(frame["quantity"] == quantity) & (frame["k"] == k) & (frame["model"] == model)]
    assert len(row) == 1
    return row.iloc[0]


def is_right(drawn):
    """Return the chance that the plurality of some answers is right; a is, and ties are random."""
    votes = {answer: drawn.count(answer) for answer in drawn if answer}
    leaders = [answer for answer, n in votes.items() if n == max(votes.values())]
    return leaders.count("a") / len(leaders) if leaders else 0.0


@pytest.mark.slow
def test_values_of_the_pool_are_means_over_all_draws():
    answers = ["aabbcd", "abcdef", "bbbbbb", "aaaaaa", "bbbcca"]
    asked = {("x", f"q{i}"): list(text) for i, text in enumerate(answers)} | {("x", "q5"): ["a", None, None, "b", "b"]}
    frame, _ = table(make_pool(asked), [2, 4])
    for k in (2, 4):
        draws = [list(combinations(given, k)) for given in asked.values()]
        for quantity, of in {
            "maj@k": is_right,
            "pass@k": lambda drawn: "a" in drawn,
            "agreement@k": lambda drawn: len(set(drawn)) == 1 and None not in drawn,
            "distinct answers": lambda drawn: len(set(drawn) - {None}),
        }.items():
            per_question = [np.mean([of(drawn) for drawn in each]) for each in draws]
            row = value(frame, quantity, k)
            assert row["pool"] == pytest.approx(np.mean(per_question))
            assert row["pool_error"] == pytest.approx(standard_error(per_question))
    assert value(frame, "accuracy", 1)["pool"] == pytest.approx((2 / 6 + 1 / 6 + 0 + 1 + 1 / 6 + 1 / 5) / 6)
    assert value(frame, "never right", 6)["pool"] == pytest.approx(1 / 6)
    assert set(table(make_pool(asked), [1, 50])[0]["quantity"]) == {"accuracy", "never right"}


@pytest.mark.slow
def test_values_of_the_fit_are_those_of_the_answer_model():
    true = AnswerModel(["x", "y"], [0.3, 0.1], 0.8, 1.0, 2.0, 0.6, shared_distractors=0.5, no_answer=[0.05, 0.1])
    pool = true.draw(120, 16, seed=4)
    frame, model = table(pool, [4])
    for name in "xy":
        assert value(frame, "accuracy", 1, name)["fitted"] == model.accuracy_at_k(name, 1)
        assert value(frame, "maj@k", 4, name)["fitted"] == model.accuracy_at_k(name, 4)
        assert value(frame, "agreement@k", 4, name)["fitted"] == model.agreement_at_k(name, 4)
    rule = ModelSwitch(["x", "y"], vote=Vote.plurality())
    row = value(frame, "ModelSwitch", 8, "x+y")
    accuracy = evaluate(pool, rule, [8], method="exact").accuracy[0, 0]
    assert (row["pool"], row["pool_error"]) == pytest.approx((accuracy.mean(), standard_error(accuracy)))
    assert row["noise"] >= row["pool_error"]
    # Two Monte Carlo estimates, which differ by five of their errors once in a million.
    other = expected(model, rule, [8], n_questions=2**12, seed=1).iloc[0]
    assert abs(row["fitted"] - other["accuracy"]) < 6 * np.hypot(other["accuracy_error"], 0.001)
    assert (frame["difference"] == frame["fitted"] - frame["pool"]).all()
    assert frame["p_value_holm"].tolist() == holm(frame["p_value"]).tolist()
    assert (frame["beyond_noise"] == (frame["p_value_holm"] < 0.05)).all()
    assert not frame["beyond_noise"].any()


@pytest.mark.slow
def test_differences_of_pools_of_the_family_are_as_large_as_their_noise():
    """Forty pools: the standard deviation of ten z-scores exceeds 1.7 once in 10 million times, and a mean exceeds 1
    once in 200 million times. They may be smaller, because shares have at least the noise that the fit gives them."""
    scores, findings = [], 0
    for seed in range(40):
        frame, _ = table(KNOWN.draw(150, 16, seed=100 + seed), [4, 16])
        scores.append(frame["difference"] / frame["noise"])
        findings += frame["beyond_noise"].any()
    spread = np.std(scores, axis=0, ddof=1)
    assert (spread < 1.7).all()
    assert (spread > 0.4).all()
    assert (np.abs(np.mean(scores, axis=0)) < 1).all()
    assert findings < 15  # at 5 % each, fifteen of forty once in 6 million times


@pytest.mark.slow
def test_wrong_answers_of_two_kinds_of_questions_are_a_misfit():
    """On half of the questions all wrong answers agree, on the others all differ: no spread fits both."""
    rng = np.random.default_rng(0)
    answers = {}
    for q in range(120):
        right = rng.random(16) < rng.beta(1, 1)
        answers["x", f"q{q}"] = ["a" if r else f"w{i * (q % 2)}" for i, r in enumerate(right)]
    frame, _ = table(make_pool(answers), [4, 16])
    found = frame[frame["beyond_noise"]]
    assert set(zip(found["quantity"], found["k"], strict=True)) == {("agreement@k", 4), ("distinct answers", 4)}
    assert value(frame, "agreement@k", 4)["difference"] < -0.1
    assert value(frame, "distinct answers", 4)["difference"] > 0.3


@pytest.mark.slow
def test_rare_events_that_did_not_occur_have_the_noise_of_the_fit():
    pool = AnswerModel("x", 0.0, 6.0, 2.0, 1.0).draw(50, 12, seed=0)
    row = value(table(pool)[0], "never right", 12)
    assert (row["pool"], row["pool_error"]) == (0, 0)
    assert row["noise"] >= np.sqrt(row["fitted"] * (1 - row["fitted"]) / 50) > 0
    assert not row["beyond_noise"]


@pytest.mark.slow
def test_clusters_make_noise_larger():
    """Ten questions of a cluster are copies: with these clusters the noise is that of 30 questions."""
    texts = [list(text) for text in ("aaaaaabb", "aabbbbcc", "abcdefgh", "aaaabbbb", "bbbbcccc")]
    pool = make_pool({("x", f"q{i:03}"): texts[(i // 10) % 5] for i in range(300)})
    alone, together = (table(pool, [4], clusters)[0] for clusters in (None, np.arange(300) // 10))
    ratio = (together["noise"] / alone["noise"])[alone["quantity"] == "distinct answers"]
    assert ratio.tolist() == pytest.approx([np.sqrt(10 * 30 / 29 * 299 / 300)], rel=0.01)
