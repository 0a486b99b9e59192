"""Stop rules and votes that see more of a draw than its answer class: confidence, score, tokens."""

from dataclasses import dataclass, replace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mssim import (
    ModelSwitch,
    OwnStop,
    Pool,
    PoolError,
    SelfConsistency,
    Stop,
    StrategyError,
    Vote,
    WindowStop,
    evaluate,
)
from mssim.rules import registry
from mssim.rules.text import parse_stop
from tests import naive
from tests.conftest import examples, make_pool, replay
from tests.engine.test_monte_carlo import pools as pools_of_answers
from tests.rules.test_catalogue import counts, deep_pool, pools, same

few = settings(max_examples=examples(15))


@numba.njit
def spent(counts, answers, numbers):
    """Stop at 5 tokens, or when the draws that answered are confident enough together."""
    sure = 0.0
    for j in range(answers.size):
        if answers[j] >= 0:
            sure += numbers[1, j]
    return numbers[0].sum() >= 5 or (sure >= 2.0 and counts.max() >= 2)


@numba.njit
def confident(counts, prior, stages, answers, numbers):
    """Sum of confidences, each times the prior of its stage, less a little for every token."""
    score = np.zeros(counts.shape[1])
    for j in range(answers.size):
        if answers[j] >= 0:
            score[answers[j]] += prior[stages[j]] * numbers[0, j] + 1e-3 * numbers[1, j]
    return score


@dataclass(frozen=True)
class Spent(Stop):
    """The same rule as a class: plain Python."""

    most: float = 5.0
    columns = ("output_tokens", "confidence")

    def stops(self, answers, numbers):
        sure = numbers[1, answers >= 0].sum()
        votes = np.bincount(answers[answers >= 0], minlength=1).max()
        return bool(numbers[0].sum() >= self.most or (sure >= 2.0 and votes >= 2))


COLUMNS = ("output_tokens", "confidence")
STOPS = {
    "compiled": OwnStop(spent, COLUMNS),
    "plain": OwnStop(getattr(spent, "py_func", spent), COLUMNS),
    "class": Spent(),
}
VOTES = {
    "compiled": Vote.own(confident, columns=("confidence", "output_tokens"), prior=(2, 1)),
    "plain": Vote.own(getattr(confident, "py_func", confident), columns=("confidence", "output_tokens"), prior=(2, 1)),
}


def naive_ends(pool, rule, budget, n_replays, seed, replacement):
    """Draws of every replay and question, by the plain statement of the rule and the oracle's positions."""
    used = np.zeros(len(pool.questions))
    x = pool.model_index("x")
    for q, question in enumerate(pool.question_ids):
        n = int(pool.lengths[x, q])
        for r in range(n_replays):
            places = naive.positions(seed, "x", question, r, n, budget, replacement)
            answers = pool.codes[x, q, places].astype(np.int64)
            numbers = np.array([pool.number(column)[x, q, places] for column in COLUMNS])
            ends = (k for k in range(1, budget + 1) if rule.stops(answers[:k], numbers[:, :k]))
            used[q] += next(ends, budget)
    return used


@pytest.mark.slow
@pytest.mark.kernels
@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
@few
@given(pools(), st.integers(0, 2**64 - 1), st.booleans())
def test_a_stop_that_sees_numbers_equals_its_plain_statement(stop, pool, seed, replacement):
    n = pool.codes.shape[2]
    _, used = counts(pool, SelfConsistency("x", stop=stop), [n], seed=seed, replacement=replacement)
    assert np.allclose(used[0], naive_ends(pool, Spent(), n, 5, seed, replacement))


@pytest.mark.slow
@pytest.mark.kernels
@pytest.mark.parametrize("vote", VOTES.values(), ids=VOTES)
@few
@given(pools(), st.integers(0, 2**64 - 1), st.booleans())
def test_a_vote_that_sums_confidences_is_the_named_vote(vote, pool, seed, replacement):
    """Confidences as scores, summed by a function of one's own and by score_sum."""
    rule = replace(vote, columns=("confidence", "none"))
    pool = replace(pool, numbers={**pool.numbers, "none": np.zeros(pool.codes.shape)})
    named = Vote.score_sum(column="confidence", prior=(2, 1))
    for make in (lambda v: ModelSwitch(["x", "y"], agreement=0.8, vote=v), lambda v: ModelSwitch(["y", "y"], vote=v)):
        n = pool.codes.shape[2]
        budgets = range(2, n + 1)
        one, other = (counts(pool, make(v), budgets, seed=seed, replacement=replacement) for v in (rule, named))
        assert same(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_the_three_ways_to_write_a_rule_agree_and_go_with_any_vote(stop):
    pool = deep_pool(4, 30)
    pool = replace(pool, numbers={**pool.numbers, "output_tokens": pool.numbers["output_tokens"] / 20})
    for vote in (Vote.plurality(), Vote.best_of_n(), replace(VOTES["compiled"], prior=None)):
        rules = [SelfConsistency("x", vote, other) for other in (stop, Spent())]
        assert same(*(counts(pool, rule, [5, 20], n_replays=20) for rule in rules))


def test_what_a_rule_reads_must_be_recorded():
    answers = {("x", "q"): ["a", "b", "a"], ("y", "q"): ["a", "a", "b"]}
    with pytest.raises(PoolError, match="requires column 'output_tokens'"):
        evaluate(make_pool(answers), {"rule": SelfConsistency("x", stop=STOPS["class"])}, 2)
    pool = make_pool(answers, output_tokens=[1, None, 1, 1, 1, 1], confidence=0.5)
    with pytest.raises(PoolError, match="but 1 samples of model 'x' have none, first sample 1"):
        evaluate(pool, {"rule": SelfConsistency("x", Vote.own(confident, columns=COLUMNS))}, 2)


def test_functions_are_tried_with_what_they_will_see():
    pool = make_pool({("x", "q"): ["a", "b", "a"]}, output_tokens=1.0)
    wrong = OwnStop(lambda counts, _: counts.max() >= 2, "output_tokens")
    with pytest.raises(StrategyError, match="raises an error for votes of shape"):
        evaluate(pool, {"rule": SelfConsistency("x", stop=wrong)}, 2)
    with pytest.raises(StrategyError, match=r"returned None. Return True or False"):
        evaluate(pool, {"rule": SelfConsistency("x", stop=OwnStop(lambda *_: None, "output_tokens"))}, 2)
    with pytest.raises(StrategyError, match="one number per answer class"):
        evaluate(pool, {"rule": SelfConsistency("x", Vote.own(lambda *_: 1.0, columns="output_tokens"))}, 2)


@pytest.mark.parametrize("columns", [["a", 3], [""]])
@pytest.mark.parametrize("make", [OwnStop, lambda function, columns: Vote.own(function, columns=columns)])
def test_columns_are_names(make, columns):
    with pytest.raises(StrategyError, match="Use names of recorded numbers"):
        make(spent, columns)


def test_columns_are_for_functions():
    with pytest.raises(StrategyError, match=r"are supported only by Vote\.own"):
        Vote(columns="score")


@pytest.mark.compiled
@few
@given(pools_of_answers())
def test_every_registered_stop_keeps_to_its_plain_statement(pool):
    """Rules that are looked up, against `stops`, which says the same of answers and numbers."""
    frame = pool.to_frame()
    numbers = (frame.index.to_numpy() * 7 % 10 + 1) / 12
    pool = Pool.from_frame(frame.assign(score=numbers, confidence=numbers))
    examples = [row.rule for cls in registry.STOPS.values() for row in cls.rows]
    assert len(examples) >= 5
    for example in examples:
        stop = parse_stop(example.split("stop=")[1].split(",")[0])
        if stop.learns or stop.name == "cges":  # one learns from other questions, one refuses the number 1 of the check
            continue

        @dataclass(frozen=True)
        class Plain(Stop):
            adopts, columns = stop.adopts, stop.columns

            def stops(self, answers, numbers, stop=stop):
                return stop.stops(answers, numbers)

        n = int(pool.lengths.min())
        results = [
            replay(pool, {"rule": SelfConsistency("x", stop=rule)}, [n], n_replays=6) for rule in (stop, Plain())
        ]
        assert np.array_equal(results[0].samples_used, results[1].samples_used), example
        assert np.array_equal(results[0].accuracy, results[1].accuracy), example
    assert WindowStop(5).adopts
