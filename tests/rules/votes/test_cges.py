"""CGES's vote: the answers of scorio, and draws that one can check by hand."""

import math
import random
from dataclasses import replace

import pytest
from scorio.aggregate import cges_vote

from mssim import Mixture, Pool, SelfConsistency, StrategyError, Vote, parse_strategy
from mssim.live import Draw
from mssim.live.votes import elect
from tests import naive
from tests.conftest import replay
from tests.rules.votes.by_hand import recorded


def wins(vote, answer, **models):
    """Chance that this answer wins when all samples, of (answer, confidence), are drawn."""
    frame = recorded(answer, **{m: [(a, 1) for a, _ in samples] for m, samples in models.items()}).to_frame()
    confidence = [c for samples in models.values() for _, c in samples]
    pool = Pool.from_frame(frame.assign(confidence=confidence))
    sizes = tuple(len(samples) for samples in models.values())
    return replay(pool, {"": Mixture(list(models), vote, sizes)}, sum(sizes), n_replays=50).accuracy.item()


def test_the_answers_of_scorio():
    """Version 0.2.3, on 3000 random sequences: oracle and live vote; the kernel equals the oracle in test_catalogue."""
    rng, chosen = random.Random(7), set()
    for _ in range(3000):
        answers = rng.choices([*"aaabbcde", None][: rng.randint(1, 9)], k=rng.randint(1, 12))
        confidence = [rng.random() ** rng.choice([0.3, 1, 3]) for _ in answers]
        expected = cges_vote(answers, confidence)
        scores = naive.vote([answers], Vote.cges(), [confidence])
        assert (max(scores, key=scores.get) if scores else None) == expected
        draws = [
            Draw("abcde".index(a) if a else -1, {"confidence": x}) for a, x in zip(answers, confidence, strict=True)
        ]
        winner = elect(Vote.cges(), [draws], float)
        assert ("abcde"[winner] if winner >= 0 else None) == expected
        chosen.add(expected)
    assert len(chosen) == 6


def test_confident_draws_outvote_the_plurality():
    x = [("a", 0.6), ("a", 0.55), ("b", 0.9)]  # K = 3: odds 3 x 2.44 = 7.33 against 18
    assert wins(Vote.cges(), "b", x=x) == 1
    assert wins(Vote.cges(), "a", x=[("a", 0.6), ("a", 0.55), ("b", 0.7)]) == 1  # 7.33 against 4.67


def test_a_draw_below_one_over_k_counts_against_its_answer():
    x = [("a", 0.2), ("a", 0.2), ("a", 0.2), ("b", 0.2)]  # K = 3: each has the odds 1 / 2
    assert wins(Vote.cges(), "b", x=x) == 1
    assert wins(Vote.cges(answers=8), "a", x=x) == 1  # odds 7 / 4


def test_the_number_of_answers_that_are_drawn_counts_for_all():
    """Odds of b over a: 9 / (1.5 x 1.2)  for K = 2, and the more answers, the more two draws of a gain."""
    x = [("a", 0.6), ("a", 0.545454), ("b", 0.9)]
    assert wins(Vote.cges(answers=4), "b", x=x) == 1  # 16.2 against 27
    assert wins(Vote.cges(answers=7), "a", x=x) == 1  # 64.8 against 54


def test_prior_weights_are_powers_of_the_likelihood():
    models = {"x": [("a", 0.8)], "y": [("b", 0.7)]}  # log odds 1.39 and 0.85, plus log 2
    assert wins(Vote.cges(), "a", **models) == 1
    assert wins(Vote.cges(prior=(1, 2)), "b", **models) == 1


def test_draws_without_an_answer_need_no_confidence():
    assert wins(Vote.cges(), "a", x=[(None, math.nan), ("a", 0.4), (None, math.nan)]) == 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Vote.cges(answers=1), "vote: answers=1 is out of range. Use an integer from 2 to"),
        (lambda: replace(Vote.cges(), within="entropy"), "ballots='posterior' supports only within='none'"),
        (lambda: replace(Vote.cges(), combine="max"), "ballots='posterior' supports only combine='sum'"),
        (lambda: replace(Vote.confidence(), answers=4), "ballots='exp' does not use answers. Remove it."),
        (lambda: parse_strategy("sc:a,answers=4"), "answers is an option of vote=cges, not of vote=plurality"),
    ],
)
def test_combinations_that_are_not_defined_are_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    for vote in (Vote.cges(), Vote.cges(column="p", answers=4, ties="random")):
        rule = SelfConsistency("x", vote)
        assert parse_strategy(str(rule)) == rule
    assert str(SelfConsistency("x", Vote.cges())) == "sc:x,vote=cges"
