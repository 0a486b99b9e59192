"""Stop rules by a function of the user's: what it is given, and what is refused at once."""

import numba
import numpy as np
import pytest

from mssim import OwnStop, SelfConsistency, StrategyError, evaluate, parse_strategy
from tests.conftest import make_pool
from tests.rules.stops.ends import all_agree


@pytest.mark.parametrize(
    ("function", "answers", "end"),
    [
        (lambda counts, n: counts.sum() == n == 3, "abc", 3),
        (lambda counts, n: n > counts.sum(), ["a", "a", None], 3),  # draws without an answer count, and do not vote
        (lambda counts, n: counts.max() > n, "aaa", None),
    ],
)
def test_when_it_stops(function, answers, end):
    assert all_agree(OwnStop(function), answers) == end


def test_a_function_with_columns_is_given_answers_and_numbers():
    seen = []
    rule = OwnStop(lambda *given: seen.append(given) or 1, ["tokens", "score"])
    answers, numbers = np.array([1, -1, 1]), np.arange(6.0).reshape(2, 3)
    assert rule.stops(answers, numbers) is True
    counts, *others = seen.pop()
    assert counts.tolist() == [0, 2]
    assert others[0] is answers
    assert others[1] is numbers
    assert rule.columns == ("tokens", "score")
    assert OwnStop(max, "tokens").columns == ("tokens",)


@pytest.mark.compiled
@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda counts, n: counts[n + 7] > 0, "raises an error for votes of shape (3,): IndexError: index 8 is out of"),
        (
            lambda counts, n: counts >= n,
            "the function of OwnStop returned array([ True, False, False]). Return True or",
        ),
        (lambda counts, n: None if n else counts, "returned None. Return True or False"),
        (numba.njit(lambda counts, n: counts.nothing + n), "TypingError"),
    ],
)
def test_a_function_that_is_no_rule_is_refused_at_once(function, says):
    pool = make_pool({("x", "q"): ["a", "b"]})
    with pytest.raises(StrategyError) as error:
        evaluate(pool, {"mine": SelfConsistency("x", stop=OwnStop(function))}, 2, n_replays=2)
    assert str(error.value).startswith("mine: ")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: OwnStop("three"), "OwnStop: function='three' is not callable. Use a function of (counts, n)."),
        (lambda: OwnStop(max, ["a", 3]), "OwnStop: columns=['a', 3] are not names. Use names of recorded numbers"),
        (lambda: OwnStop(max, [""]), "OwnStop: columns=[''] are not names. Use names of recorded numbers"),
        (lambda: parse_strategy("sc:a,stop=own:f"), "rule 'own'. Choose from"),
    ],
)
def test_what_is_no_function_or_column_is_refused(make, says):
    with pytest.raises(StrategyError) as error:
        make()
    assert says in str(error.value)


@pytest.mark.slow
def test_where_nobody_ever_answers():
    pool = make_pool({("x", "q"): [None, None, None]})
    for function in (
        numba.njit(lambda counts, n: counts.max() > 0 or n > 1),
        lambda counts, n: counts.max() > 0 or n > 1,
    ):
        result = evaluate(pool, {"": SelfConsistency("x", stop=OwnStop(function))}, 3, n_replays=2)
        assert (result.accuracy.item(), result.samples_used.item()) == (0, 2)


def test_its_text_names_the_function():
    def three(_, n):
        return n >= 3

    class Nameless:
        def __call__(self, *_):
            return False

    assert str(OwnStop(three)) == "own:three"
    assert str(OwnStop(Nameless())) == "own:function"


def test_without_an_answer_there_is_one_class_without_votes():
    seen = []
    OwnStop(lambda counts, n: seen.append((counts.tolist(), n)) or False).stops(np.array([-1, -1]), np.zeros((0, 2)))
    assert seen == [([0], 2)]
