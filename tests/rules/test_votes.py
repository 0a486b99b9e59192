"""Votes by their formulas, on draws that one can check by hand, and what they need of a pool."""

import re
from dataclasses import replace
from functools import partial

import numba
import numpy as np
import pandas as pd
import pytest

from mssim import Mixture, ModelSwitch, Pool, PoolError, SelfConsistency, StrategyError, Vote, evaluate, parse_strategy
from tests import naive
from tests.conftest import replay


def recorded(truth, **models):
    """One question; every model's samples as (answer, number), all of which are drawn."""
    rows = [
        {
            "question_id": "q",
            "model": model,
            "sample_index": i,
            "answer": answer,
            "truth": truth,
            "score": float(number),
            "confidence": float(number),
            "output_tokens": int(10 + number),
        }
        for model, samples in models.items()
        for i, (answer, number) in enumerate(samples)
    ]
    return Pool.from_frame(pd.DataFrame(rows))


def wins(vote, answer, **models):
    """Chance that this answer wins when all samples are drawn, in whatever order."""
    pool = recorded(answer, **models)
    budget = sum(len(samples) for samples in models.values())
    sizes = tuple(len(samples) for samples in models.values())
    return replay(pool, {"": Mixture(list(models), vote, sizes)}, budget, n_replays=200).accuracy.item()


A_LEADS = [("a", 1), ("a", 1), ("a", 1), ("b", 2), ("b", 1.5), ("c", 9)]


@pytest.mark.parametrize(
    ("vote", "winner"),
    [
        (Vote.plurality(), "a"),
        (Vote.best_of_n(), "c"),
        (Vote.score_sum(), "c"),  # 3, 3.5, 9
        (Vote.confidence(0.1), "c"),
        (Vote.confidence(100.0), "a"),
        (replace(Vote.confidence(100.0), combine="max"), "c"),
        (Vote.majority_of_bests(1), "a"),
        (Vote.majority_of_bests(60), "c"),
        (Vote.majority_of_bests(2), "b"),  # of 36: 9 (ranks 1 to 3), 7 + 9 (ranks 4 and 5), 11
    ],
)
def test_one_model(vote, winner):
    assert wins(vote, winner, x=A_LEADS) == 1


def test_majority_of_bests_is_what_resampling_finds():
    """The chance of each draw to be the best of m, against resampling; four standard errors at a fixed seed."""
    rng = np.random.default_rng(3)
    scores, m, n = [0.3, 0.1, 0.1, 0.7, 0.7, 0.9], 3, 40_000
    stages, numbers = [list("abcdef")], [scores]
    rule = Vote.majority_of_bests(m)
    expected = naive.vote(stages, rule, numbers)
    taken = rng.integers(6, size=(n, m))
    best = np.array(scores)[taken].max(axis=1)
    for answer, score in zip("abcdef", scores, strict=True):
        tied = scores.count(score)
        assert abs((best == score).mean() / tied - expected[answer]) < 4 * np.sqrt(0.25 / n)
    assert sum(expected.values()) == pytest.approx(1)


def test_shortest_draws_vote_and_the_shorter_wins_a_tie():
    assert wins(Vote.shortest(3), "b", x=[("a", 9), ("a", 8), ("a", 7), ("b", 1), ("b", 3), ("c", 2)]) == 1
    assert wins(Vote.shortest(2), "b", x=[("a", 2), ("a", 8), ("b", 1)]) == 1
    assert wins(Vote.shortest(1), "b", x=[("a", 2), ("a", 8), (None, 1), ("b", 3)]) == 0  # the shortest has no answer
    assert wins(Vote.shortest(100), "a", x=[("a", 2), ("a", 8), ("b", 1)]) == 1


def test_max_consistency_takes_the_model_that_leads_most_and_the_earlier_of_two():
    vote = Vote.max_consistency()
    x, y = [("a", 0), ("a", 0), ("b", 0), ("b", 0)], [("c", 0), ("c", 0), ("c", 0), ("a", 0)]
    assert wins(vote, "c", x=x, y=y) == 1  # though a has as many votes
    assert wins(vote, "a", x=[("a", 0), ("b", 0), ("a", 0)], y=[("c", 0), ("c", 0), ("b", 0)]) == 1
    assert wins(vote, "c", y=[("c", 0), ("c", 0), ("b", 0)], x=[("a", 0), ("b", 0), ("a", 0)]) == 1
    assert wins(replace(vote, prior=(1, 2)), "c", x=[("a", 0)] * 3, y=[("c", 0), ("c", 0), ("b", 0)]) == 1
    # 2 of 3 is more than 3 of 5, in votes it is less.
    assert wins(vote, "a", x=[("a", 0), ("a", 0), ("b", 0)], y=[("c", 0)] * 3 + [("b", 0)] * 2) == 1


def test_model_switch_with_best_of_n_adopts_agreement_and_else_takes_the_best_of_all():
    switch = ModelSwitch(["x", "y"], vote=Vote.best_of_n(), sizes=(2, 2))
    agreed = recorded("a", x=[("a", 0), ("a", 0)], y=[("b", 9), ("b", 9)])
    assert replay(agreed, switch, 4, n_replays=9).accuracy.item() == 1
    differ = recorded("b", x=[("a", 1), ("c", 2)], y=[("b", 9), ("a", 0)])
    assert replay(differ, switch, 4, n_replays=9).accuracy.item() == 1


def test_scores_may_be_negative_and_tie_up_to_rounding():
    assert wins(Vote.score_sum(), "b", x=[("a", -1), ("a", -1), ("b", -1.5)]) == 1
    assert wins(Vote.best_of_n(), "b", x=[("a", -3), ("b", -2)]) == 1
    tie = [("a", 0.1), ("a", 0.2), ("b", 0.3)]  # 0.1 + 0.2 is not 0.3 in binary
    assert wins(Vote.score_sum(ties="wrong"), "a", x=tie) == wins(Vote.score_sum(ties="wrong"), "b", x=tie) == 0
    nearly = [("a", 0.1), ("a", 0.2), ("a", -0.3), ("b", 0.0)]
    assert wins(Vote.score_sum(ties="wrong"), "a", x=nearly) == 0


def test_a_weight_within_the_model_goes_with_any_ballots():
    """x disagrees with itself, so its scores count a quarter: .25 x 3 against 2."""
    vote = replace(Vote.score_sum(), within="entropy")
    x, y = [("a", 3), ("b", 1), ("c", 1), ("d", 1)], [("e", 1), ("e", 1)]
    assert wins(vote, "e", x=x, y=y) == 1
    assert wins(Vote.score_sum(), "a", x=x, y=y) == 1


@numba.njit
def borda(counts, prior):
    """Every model gives an answer as many points as it has answers with fewer votes."""
    score = np.zeros(counts.shape[1])
    for i in range(counts.shape[0]):
        for c in range(counts.shape[1]):
            score[c] += prior[i] * (counts[i] < counts[i, c]).sum()
    return score


@pytest.mark.parametrize("function", [borda, getattr(borda, "py_func", borda)], ids=["compiled", "plain"])
def test_a_vote_of_ones_own(function):
    x = [("a", 0)] * 5 + [("b", 0)] * 4
    y = z = [("b", 0)] * 2 + [("c", 0)]
    assert wins(Vote.own(function), "b", x=x, y=y, z=z) == 1  # 1 + 2 + 2 points; a has 2, and c 1 + 1
    assert wins(Vote.own(function, prior=(9, 1, 1)), "a", x=x, y=y, z=z) == 1
    assert str(Mixture(["x"], Vote.own(function))) == "mix:x,vote=own:borda"


def test_a_function_may_spoil_what_it_is_given():
    def spoils(counts, prior):
        score = (prior[:, None] * counts).sum(axis=0)
        counts[:] = 0
        return score

    pool = recorded("a", x=[("a", 0), ("b", 0), ("a", 0), ("c", 0), ("a", 0)])
    own = replay(pool, {"own": Mixture(["x"], Vote.own(spoils))}, range(1, 6), n_replays=50)
    assert np.array_equal(own.accuracy, replay(pool, Mixture(["x"]), range(1, 6), n_replays=50).accuracy)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda counts, _: counts, "the function of Vote.own returned array([[1, 1, 1]"),
        (lambda _, prior: prior, "Return one number per answer class, here an array of shape (3,)."),
        (lambda _, __: 1.0, "returned array(1.) for votes of shape (2, 3). Return one number per answer class"),
        (lambda _, __: ["a", "b", "c"], "Return one number per answer class"),
        (lambda counts: counts, "raises an error for votes of shape (2, 3): TypeError"),
        (numba.njit(lambda counts, prior: counts.nothing + prior), "TypingError"),
    ],
)
def test_a_function_that_is_no_vote_is_refused_at_once(function, says):
    pool = recorded("a", x=[("a", 0)], y=[("b", 0)])
    with pytest.raises(StrategyError) as error:
        evaluate(pool, {"mine": Mixture(["x", "y"], Vote.own(function))}, 2, n_replays=2)
    assert str(error.value).startswith("mine: ")
    assert says in str(error.value)


def test_what_an_answer_without_votes_scores_does_not_matter():
    def contrary(counts, prior):
        return -(prior[:, None] * counts).sum(axis=0)

    pool = recorded("c", x=[("a", 0), ("a", 0), ("b", 0)], y=[("c", 0)] * 3)
    assert replay(pool, Mixture(["x"], Vote.own(contrary)), 3, n_replays=9).accuracy.item() == 0
    pool = recorded("b", x=[("a", 0), ("a", 0), ("b", 0)], y=[("c", 0)] * 3)
    assert replay(pool, Mixture(["x"], Vote.own(contrary)), 3, n_replays=9).accuracy.item() == 1


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("sc:x,vote=best_of_n", "score", "the reward or verifier score of each sample, the higher the better"),
        ("sc:x,vote=score_sum", "score", "the reward or verifier score"),
        ("sc:x,vote=majority_of_bests,m=4", "score", "the reward or verifier score"),
        ("ms:x+y,vote=best_of_n", "score", "the reward or verifier score"),
        ("sc:x,vote=confidence", "confidence", "how sure the model is of each sample, e.g. P(True)"),
        ("sc:x,vote=shortest,m=2", "output_tokens", "the length of each response"),
        ("random:x+y,vote=score_sum,column=reward_2", "reward_2", "a number for each sample"),
    ],
)
def test_a_missing_column_is_named_with_how_to_record_it(text, column, what):
    frame = recorded("a", x=[("a", 1), ("b", 2)], y=[("a", 1), ("b", 2)]).to_frame()
    pool = Pool.from_frame(frame.drop(columns=["score", "confidence", "output_tokens"]).assign(chars=[3.0, 4, 5, 6]))
    with pytest.raises(PoolError) as error:
        evaluate(pool, text, 2)
    message = str(error.value)
    assert f"{text} requires column {column!r} ({what}" in message
    assert f"no column {column!r} of numbers" in message
    assert "'chars'" in message  # what there is instead
    assert "Record it as a column of samples.parquet, or name another column." in message


def test_any_column_of_numbers_will_do():
    pool = recorded("b", x=[("a", 1), ("b", 2)])
    frame = pool.to_frame().assign(chars=[30, 10], note=["long", "short"])
    other = Pool.from_frame(frame.drop(columns="output_tokens"))
    assert other.number("chars").tolist() == [[[30.0, 10.0]]]
    assert evaluate(other, "sc:x,vote=shortest,m=1,column=chars", 2).accuracy.item() == 1
    assert evaluate(other, "sc:x,vote=best_of_n,column=chars", 2).accuracy.item() == 0
    with pytest.raises(PoolError, match="no column 'note' of numbers; choose from 'chars', 'confidence', 'score'"):
        other.number("note")


def test_a_number_that_is_missing_for_some_samples_is_refused_with_the_first():
    frame = recorded("a", x=[("a", 1), ("b", 2)], y=[("a", 1), ("b", 2)]).to_frame()
    frame["chars"] = [30.0, 10.0, 20.0, np.nan]
    pool = Pool.from_frame(frame)
    says = "1 samples of model 'y' have none, first sample 1 of question 'q'. Record it for all"
    with pytest.raises(PoolError, match=re.escape(says)):
        evaluate(pool, "mix:x+y,vote=best_of_n,column=chars", 2)
    assert evaluate(pool, "sc:x,vote=best_of_n,column=chars", 2).accuracy.item() == 1  # y is not asked


@pytest.mark.parametrize("vote", [Vote.best_of_n, Vote.score_sum, Vote.confidence, partial(Vote.majority_of_bests, 2)])
def test_a_sample_without_an_answer_needs_no_number(vote):
    frame = recorded("b", x=[("a", 1), ("b", 2), (None, 0)], y=[("b", 3), (None, 0), (None, 0)]).to_frame()
    with_numbers = Pool.from_frame(frame.assign(chars=[1.0, 2, 900, 3, 900, 900]))
    without = Pool.from_frame(frame.assign(chars=[1.0, 2, np.nan, 3, np.nan, np.nan]))
    rules = {"": Mixture(["x", "y"], vote(column="chars"))}
    one, other = (replay(pool, rules, range(1, 7), n_replays=50) for pool in (with_numbers, without))
    assert np.array_equal(one.accuracy, other.accuracy)
    assert 0 < one.accuracy[0, 0].mean() < 1


def test_without_a_length_and_an_answer_a_draw_is_not_among_the_shortest():
    frame = recorded("b", x=[("a", 1), ("b", 2), (None, 0)]).to_frame().assign(chars=[5.0, 4.0, np.nan])
    pool = Pool.from_frame(frame)
    assert replay(pool, "sc:x,vote=shortest,m=1,column=chars", 3, n_replays=20).accuracy.item() == 1


def test_confidences_beyond_the_range_of_a_double_are_refused():
    pool = recorded("a", x=[("a", 0), ("b", 700)])
    with pytest.raises(
        StrategyError, match="temperature=1 is too small for confidence, whose range is 700: only the most"
    ):
        evaluate(pool, "sc:x,vote=confidence", 2)
    assert evaluate(pool, "sc:x,vote=confidence,temperature=2", 2).accuracy.item() == 0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Vote.shortest(0), "vote: m=0 is out of range. Use an integer from 1 to 32767"),
        (lambda: Vote.shortest(2.5), "vote: m=2.5 is not an integer. Use an integer"),
        (lambda: Vote.confidence(0), "vote: temperature=0 is not a positive number"),
        (lambda: Vote.confidence("hot"), "vote: temperature='hot' is not a positive number"),
        (
            lambda: Vote.score_sum(column=""),
            "vote: column='' is not a name. Use the name of a recorded number, e.g. 'score'",
        ),
        (lambda: Vote(ballots="number"), "vote: ballots='number' requires column. Set it."),
        (lambda: Vote(column="score"), "vote: ballots='one' does not use column. Remove it."),
        (lambda: Vote(ballots="vote"), "vote: ballots='vote' is not valid; choose from 'one', 'number', 'exp'"),
        (lambda: replace(Vote.shortest(2), combine="max"), "vote: ballots='shortest' supports only combine='sum'"),
        (lambda: Vote.own("borda"), "vote: function='borda' is not callable. Give a function of (counts, prior)."),
        (lambda: SelfConsistency("x", "plurality"), "vote='plurality' is not a Vote. Use e.g. Vote.plurality()"),
        (lambda: parse_strategy("sc:x,vote=shortest"), "vote=shortest requires m. Use e.g. vote=shortest,m=3"),
        (
            lambda: parse_strategy("sc:x,m=3"),
            "m is an option of vote=majority_of_bests or vote=shortest, not of vote=plurality",
        ),
        (lambda: parse_strategy("sc:x,vote=own:borda"), "Use Vote.own(function)."),
        (lambda: parse_strategy("sc:x,vote=best_of"), "did you mean 'best_of_n'"),
        (
            lambda: parse_strategy({"kind": "sc", "models": "x", "vote": Vote(), "ties": "random"}),
            "Remove ties, or set it in the Vote",
        ),
        (lambda: parse_strategy("sc:x,vote=confidence,temperature=x"), "Example: temperature=0.8."),
        (
            lambda: Mixture(["x", "y"], shares=(1,)),
            "shares=(1,) does not fit the models ['x', 'y']. Use one positive number per model",
        ),
        (lambda: Mixture(["x", "y"], shares=(1, 0)), "shares=(1, 0) does not fit the models"),
        (
            lambda: Mixture(["x", "y"], shares=(1, 1), sizes=(1, 1)),
            "sizes=(1, 1) and shares=(1, 1) exclude each other. Remove one of them",
        ),
    ],
)
def test_what_is_no_vote_says_what_is(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("shares", "budget", "sizes"),
    [((3, 1), 8, [6, 2]), ((0.7, 0.3), 10, [7, 3]), ((1, 1, 1), 16, [6, 6, 4]), ((1, 2), 1, [1, 0])],
)
def test_shares_of_a_budget(shares, budget, sizes):
    plan = Mixture([f"m{i}" for i in range(len(shares))], shares=shares).plans(np.array([budget]))[0]
    assert plan.sizes[:, 0].tolist() == sizes == naive.allocate(budget, len(shares), None, shares)
