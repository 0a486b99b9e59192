"""What votes share: the general formula and its parameters, prior weights, and the numbers they need of a pool."""

import math
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mssim import Mixture, Pool, PoolError, StrategyError, Vote, evaluate
from tests.conftest import replay
from tests.rules.votes.by_hand import recorded

A_LEADS = [("a", 1), ("a", 1), ("a", 1), ("b", 2), ("b", 1.5), ("c", 9)]


def test_the_forms_are_parameters_of_one_formula():
    assert Vote.best_of_n() == Vote(ballots="number", combine="max", column="score")
    assert Vote.score_sum() == Vote(ballots="number", column="score")
    assert Vote.confidence(2) == Vote(ballots="exp", temperature=2, column="confidence")
    assert Vote.entropy(normaliser="samples") == Vote(within="entropy", normaliser="samples")
    assert Vote.max_consistency() == Vote(within="share", combine="max")
    assert Vote.shortest(3) == Vote(ballots="shortest", m=3, column="output_tokens")
    assert Vote.majority_of_bests(3) == Vote(ballots="bests", m=3, column="score")
    assert Vote.deepconf() == Vote(ballots="kept", keep=0.1, column="confidence")
    assert Vote.borda() == Vote(ballots="ranks", power=0.5, column="confidence")
    assert Vote.best_of_majority() == Vote(ballots="frequent", alpha=0.1, column="score")


def test_votes_that_only_count_say_so():
    for vote in (Vote(), Vote.entropy(prior=(1, 2)), Vote.max_consistency()):
        assert vote.counts_only
        assert vote.needs is None
    for vote in (Vote.best_of_n(), Vote.confidence(), Vote.shortest(2), Vote.own(max)):
        assert not vote.counts_only


def test_prior_weights_go_by_name_or_place_and_only_their_ratios_count():
    by_name = Vote.plurality(prior={"b": 3, "a": 1.5}).ordered(["a", "b"])
    assert by_name.prior == (1.5, 3)
    assert by_name.weights(2).tolist() == [0.5, 1]
    assert Vote.plurality(prior=(4, 1)).ordered("ab").weights(2).tolist() == [1, 0.25]
    assert Vote.plurality().ordered("abc").weights(3).tolist() == [1, 1, 1]
    assert Vote.plurality(prior={"a": 3}).ordered(["a"]).prior == Vote.plurality(prior=[3]).ordered(["a"]).prior == (3,)
    says = (
        r"vote: prior has weights of \['a'\], but the strategy uses \['b'\]\. Use one weight for each of these models"
    )
    with pytest.raises(StrategyError, match=says):
        Vote.plurality(prior={"a": 3}).ordered(["b"])


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


@pytest.mark.compiled
def test_any_column_of_numbers_will_do():
    pool = recorded("b", x=[("a", 1), ("b", 2)])
    frame = pool.to_frame().assign(chars=[30, 10], note=["long", "short"])
    other = Pool.from_frame(frame.drop(columns="output_tokens"))
    assert other.number("chars").tolist() == [[[30.0, 10.0]]]
    assert evaluate(other, "sc:x,vote=shortest,m=1,column=chars", 2).accuracy.item() == 1
    assert evaluate(other, "sc:x,vote=best_of_n,column=chars", 2).accuracy.item() == 0
    with pytest.raises(PoolError, match=r"no column 'note' of numbers\. Choose from 'chars', 'confidence', 'score'"):
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
        (lambda: Vote(ballots="vote"), "vote: ballots='vote' is not valid. Choose from 'one', 'number', 'exp'"),
        (lambda: replace(Vote.shortest(2), combine="max"), "vote: ballots='shortest' supports only combine='sum'"),
        (lambda: replace(Vote.borda(), combine="max"), "vote: ballots='ranks' supports only combine='sum'"),
        (lambda: Vote(ballots="kept", column="p"), "vote: ballots='kept' requires keep. Set it."),
        (lambda: Vote(keep=0.1), "vote: ballots='one' does not use keep. Remove it."),
        (
            lambda: replace(Vote.majority_of_bests(2), combine="max"),
            "vote: ballots='bests' supports only combine='sum'",
        ),
        (lambda: Vote.plurality(prior=(1, 0)), "vote: prior weight 0 is not a positive finite number. To ignore"),
        (lambda: Vote.plurality(prior=(1, math.inf)), "vote: prior weight inf is not a positive finite number"),
        (lambda: Vote.plurality(prior="12"), "vote: prior='12' contains no weights. Use one per model"),
        (
            lambda: Vote.plurality(prior=(1, 2)).ordered("abc"),
            "vote: prior has 2 weights for 3 models. Use one weight per model.",
        ),
        (
            lambda: Vote.plurality(prior=[3]).ordered("ab"),
            "vote: prior has 1 weight for 2 models. Use one weight per model.",
        ),
        (
            lambda: Vote(columns="score"),
            "vote: columns='score' are supported only by Vote.own. Other votes read one number, the parameter column",
        ),
        (
            lambda: Vote.own(max, columns=["a", 3]),
            "vote: columns=['a', 3] are not names. Use names of recorded numbers",
        ),
        (lambda: Vote.own(max, columns=[""]), "vote: columns=[''] are not names. Use names of recorded numbers"),
        (lambda: Vote.own("borda"), "vote: function='borda' is not callable. Use a function of (counts, prior)."),
    ],
)
def test_what_is_no_vote_says_what_is(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)
