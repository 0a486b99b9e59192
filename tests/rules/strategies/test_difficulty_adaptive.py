"""Questions by difficulty: as the naive rule does, by hand, and what it requires of questions."""

import random

import numpy as np
import pandas as pd
import pytest

from mssim import DifficultyAdaptive, MssimError, Pool, StrategyError, evaluate
from mssim.rules.plan import Ordered
from mssim.rules.strategies.difficulty_adaptive import hardest_first
from tests import naive, naive_strategies
from tests.conftest import replay
from tests.rules.test_catalogue import TIES, counts


def graded_pool(n_questions=40, n_samples=24, seed=1):
    """Questions whose samples disagree the more the harder they are; some samples have no answer."""
    rng = random.Random(seed)
    rows = []
    for q in range(n_questions):
        level = rng.randrange(6)
        for i in range(n_samples):
            answer = rng.choices(["a", "b", "c", None], [9, level, level / 2, level / 8])[0]
            known = {"truth": "a", "level": level + q % 2 / 10, "topic": f"t{level}", "question": f"asked {level}"}
            row = {"question_id": f"q{q}", "model": "x", "sample_index": i, "answer": answer, **known}
            rows.append({**row, "output_tokens": rng.randrange(5, 50)})
    return Pool.from_frame(pd.DataFrame(rows))


@pytest.mark.kernels
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"difficulty": "level", "easy": 3},
        {"difficulty": "level", "easy": 2, "before": 3, "window": 3, "ties": "random"},
        {"difficulty": "level", "before": 2, "threshold": 0.99, "ties": "wrong"},
        {"features": ["topic"], "easy": 4, "before": 5},
        {"easy": 2, "window": 5, "before": 4},
    ],
)
def test_many_questions_draw_as_in_the_naive_rule(options, replacement):
    pool, rule = graded_pool(), DifficultyAdaptive("x", **options)
    budgets = [1, 2, 3, 6, 11, 24]
    hits, used = counts(pool, rule, budgets, n_replays=3, replacement=replacement)
    for i, budget in enumerate(budgets):
        expected = naive.evaluate(pool, rule, budget, n_replays=3, replacement=replacement)
        assert (list(hits[i]), list(used[i])) == expected, budget


@pytest.mark.parametrize("quantiles", [False, True])
def test_what_it_spends_is_that_of_the_naive_rule(quantiles):
    pool, rule = graded_pool(12, 16), DifficultyAdaptive("x", "level", easy=3, before=2)
    found = evaluate(pool, rule, [5, 16], n_replays=6, quantiles=quantiles)
    for b, budget in enumerate((5, 16)):
        spent = naive.spent(pool, rule, budget, quantity="tokens", n_replays=6)
        assert found.tokens[0, b] == pytest.approx(np.mean(spent, axis=1))


def totals(rule, budget, draws):
    """The naive rule for questions from the hardest to the easiest."""
    frame = pd.DataFrame({"level": -np.arange(len(draws))})
    given = [[None if c == "-" else c for c in one] for one in draws]
    return naive_strategies.totals(rule, budget, given, given, frame)


def test_by_hand():
    rule = DifficultyAdaptive("x", "level", window=4, easy=2, before=1)
    # The fourth and the fifth question agree: they are hard, as are all before, and the sixth draws once.
    hard = ["abababab", "aaaaaaaa", "aabaaaaa", "bbbbbbbb", "aaaaaaaa", "abababab"]
    # From the easiest: 4, then a look at 4 of each; (3, 1) is not certain, (7, 1) is, but 8 is the budget.
    assert totals(rule, 8, hard) == [8, 8, 8, 4, 4, 1]
    # At budget 3 a look at three draws decides what is easy: aaa and then aab are not two in a row.
    assert totals(rule, 3, hard) == [3, 3, 3, 3, 3, 1]
    assert totals(rule, 1, hard) == [1] * 6


def test_the_mean_of_totals_is_rounded_to_windows_halves_to_even():
    rule = DifficultyAdaptive("x", "level", window=4, easy=9, before=2)
    draws = ["a" * 16, "a" * 16, "abcd" + "a" * 12, "a" * 16]
    # 4, then 12 of the third one: the mean 8 is two windows. The mean of 12 and 8 is 2.5 windows, rounded to 2.
    assert totals(rule, 16, draws) == [8, 8, 12, 4]


@pytest.mark.compiled
def test_questions_that_are_easy_draw_once():
    pool = graded_pool(120, 40)
    rules = {"by difficulty": DifficultyAdaptive("x", "level", easy=8), "even": "sc:x"}
    found = replay(pool, rules, [40], n_replays=100)
    level = pool.questions["level"].to_numpy()
    used = found.samples_used[0, 0]
    assert used[level < 1].mean() < 4
    assert used[level > 4].mean() > 8
    assert found.accuracy[0].mean() > found.accuracy[1].mean() - 0.05


def test_questions_with_equal_difficulty_are_in_the_order_of_the_pool():
    questions = pd.DataFrame({"question_id": list("abcd"), "level": [1, 3, 3, 2]})
    assert hardest_first(Ordered("level"), questions, np.zeros(4)).tolist() == [1, 2, 3, 0]


def test_difficulty_is_learnt_on_other_questions():
    """The samples of a question do not decide its own difficulty."""
    questions = pd.DataFrame({"question_id": range(40), "topic": ["sum", "product"] * 20})
    disagreement = np.array([0.0, 0.5] * 20)
    learnt = Ordered(features=("topic",))
    order = hardest_first(learnt, questions, disagreement)
    assert order.tolist() == [*range(1, 40, 2), *range(0, 40, 2)]
    changed = disagreement.copy()
    changed[0] = 1.0  # raises the sums of other folds, and not the first one
    assert hardest_first(learnt, questions, changed).tolist().index(0) > 35


@pytest.mark.parametrize("ties", TIES)
def test_a_plan_has_the_most_samples_of_a_question(ties):
    (plan,) = DifficultyAdaptive("x", "level", ties=ties).plans(np.array([3, 5]))
    assert plan.sizes.tolist() == [[3, 5]]
    assert plan.is_joint
    assert (plan.ordered, plan.vote.ties) == (Ordered("level"), ties)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"window": 0}, "DifficultyAdaptive: window=0 is out of range"),
        ({"easy": 2.5}, "DifficultyAdaptive: easy=2.5 is not an integer"),
        ({"before": -1}, "DifficultyAdaptive: before=-1 is out of range"),
        ({"threshold": 0.3}, "DifficultyAdaptive: threshold=0.3 is out of range"),
        ({"difficulty": 3}, "difficulty=3 is not the name of a question column"),
        ({"difficulty": "level", "features": ["topic"]}, "features: they are for a difficulty that is learnt"),
        ({"features": []}, "features=() are not names of question columns"),
    ],
)
def test_options_out_of_range_are_refused(options, says):
    with pytest.raises(StrategyError) as error:
        DifficultyAdaptive("x", **options)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dsc:x,difficulty=height", "difficulty='height': no such question column"),
        ("dsc:x,difficulty=topic", "difficulty='topic': 6 of 6 questions have no finite number in this column, first"),
        ("dsc:x,features=height", "height"),
    ],
)
def test_questions_must_have_the_columns(text, says):
    with pytest.raises(MssimError) as error:
        evaluate(graded_pool(6, 4), text, [2], n_replays=3)
    assert str(error.value).startswith(text)
    assert says in str(error.value)


def test_text():
    rule = DifficultyAdaptive("x", features=["topic", "level"], easy=8)
    assert str(rule) == "dsc:x,features=topic/level,easy=8"
