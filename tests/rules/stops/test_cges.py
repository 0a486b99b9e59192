"""CGES: the decisions of scorio, draws that one can check by hand, and confidences that it cannot read."""

import random

import numpy as np
import pytest
from scorio.aggregate import cges_stop

from mssim import CGESStop, PoolError, StrategyError, evaluate, parse_strategy
from mssim.live import Draw
from mssim.live.interpreter import decide
from tests.conftest import make_pool
from tests.rules.stops.ends import all_agree, decisions, in_python


def sequences(n, seed):
    """Up to 12 draws of up to five answers, some without one, with confidences around a random level."""
    rng = random.Random(seed)
    for _ in range(n):
        answers = rng.choices([*"aaabbcde", None][: rng.randint(1, 9)], k=rng.randint(1, 12))
        power = rng.choice([0.3, 1, 3])
        yield answers, [rng.random() ** power for _ in answers]


@pytest.mark.slow
@pytest.mark.parametrize("other", [False, True])
def test_the_decisions_of_scorio(other):
    """Version 0.2.3, which cites Algorithm 1; with include_other it is the article's rule."""
    stopped = set()
    for i, (answers, confidence) in enumerate(sequences(1500, seed=5)):
        threshold = [0.5, 0.8, 0.9, 0.95, 0.99][i % 5]
        options = {"threshold": threshold, "include_other": other}
        ends = range(1, len(answers) + 1)
        expected = next((n for n in ends if cges_stop(answers[:n], confidence[:n], **options)), None)
        rule = CGESStop(threshold, other=other)
        assert in_python(rule, answers, confidence) == expected
        if i % 5 < 2:
            assert decisions(rule, answers, confidence) == expected
        stopped.add(expected)
    assert len(stopped) > 6


@pytest.mark.parametrize(
    ("rule", "answers", "confidence", "end"),
    [
        (CGESStop(0.9), "a", [0.9], 1),  # exactly the threshold
        (CGESStop(0.9), "aa", [0.8, 0.7], 2),  # 0.56 / (0.56 + 0.06) = 0.9032
        (CGESStop(0.91), "aab", [0.8, 0.7, 0.6], None),  # 0.112 / (0.112 + 0.009 + 0.003), with K = 3
        (CGESStop(0.65), "ab", [0.6, 0.8], 2),  # 0.32 / (0.06 + 0.32 + 0.02) twice: 0.16 / 0.24 for b
        (CGESStop(0.94, answers=4), "aa", [0.7, 0.7], 2),  # 0.49 / (0.49 + 3 x 0.01) = 0.9423
        (CGESStop(0.95, answers=4), "aa", [0.7, 0.7], None),
        (CGESStop(answers=2), "abc", [0.6, 0.6, 0.99], 3),  # three of two: K = 3
        (CGESStop(0.8), "a", [0.1], None),
        (CGESStop(0.8, other=True), "a", [0.1], 1),  # an answer that was not drawn has 0.9
        (CGESStop(0.8, other=True, answers=3), "a", [0.1], None),  # two answers share the 0.9
        (CGESStop(0.8), [None, "a"], [float("nan"), 0.9], 2),
        (CGESStop(0.1), [None, None], [0.9, 0.9], None),
        (CGESStop(0.1), "ab", [0.2, 0.2], 1),
    ],
)
def test_when_it_stops(rule, answers, confidence, end):
    assert all_agree(rule, answers, confidence) == end


@pytest.mark.kernels
def test_kernel_plain_statement_and_oracle_agree():
    rng = random.Random(1)
    for answers, confidence in sequences(80, seed=2):
        options = {"other": rng.random() < 0.5, "answers": rng.choice([None, 2, 4, 9])}
        all_agree(CGESStop(rng.choice([0.3, 0.8, 0.95]), **options), answers, confidence)


def test_a_new_answer_strengthens_those_that_agreed():
    """With K = 3 a miss is split among two others."""
    posterior = [CGESStop(t).stops(np.array([0, 0, 0, 1]), np.array([[0.8, 0.8, 0.8, 0.3]])) for t in (0.99, 0.997)]
    assert posterior == [True, False]


@pytest.mark.parametrize("value", [0.0, 1.0, -0.2, 1.5])
def test_confidences_that_are_no_probabilities_are_refused(value):
    pool = make_pool({("x", "q"): ["a", "b", None]}, confidence=[0.3, value, 7.0])
    for rule in ("sc:x,stop=cges:0.95", "sc:x,vote=cges", "sc:x,vote=cges,stop=cges:0.95"):
        with pytest.raises(PoolError) as error:
            evaluate(pool, rule, 2)
        assert str(error.value) == (
            f"{rule}: sample 1 of model 'x' for question 'q': confidence={value:.6g} is not between 0 and 1, both "
            "excluded. Record the probability that each answer is correct, and name its column. Exponentiate log "
            "probabilities, and replace 0 and 1 by numbers between them."
        )


def test_live_confidences_that_are_no_probabilities_are_refused():
    (plan,) = parse_strategy("sc:x,vote=cges,stop=cges:0.95").plans(np.array([4]))
    running = decide(plan, random=np.random.default_rng(0))
    next(running)
    running.send([Draw(-1, {"confidence": -1.0})])
    with pytest.raises(
        StrategyError, match=r"^model 'x': confidence=-0\.3 is not between 0 and 1, both excluded\. Rec"
    ):
        running.send([Draw(0, {"confidence": -0.3})])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: CGESStop(0.0),
            "CGESStop: threshold=0.0 is out of range. Use a probability between 0 and 1, e.g. 0.95",
        ),
        (lambda: CGESStop(other=1), "other=1 is not a bool. Use True or False."),
        (lambda: CGESStop(answers=1), "answers=1 is out of range. Use an integer from 2 to"),
        (lambda: CGESStop(column=3), "column=3 is not a name"),
    ],
)
def test_options_that_are_out_of_range_are_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


def test_it_reads_back_from_its_text():
    for rule in (CGESStop(), CGESStop(0.9, "p"), CGESStop(0.9, other=True, answers=4)):
        assert parse_strategy(f"sc:a,stop={rule}").stop == rule
    assert parse_strategy("sc:a,stop=cges:0.9/p/true").stop == CGESStop(0.9, "p", True)
