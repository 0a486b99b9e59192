"""The questions of the tiny pools and what their models were trained on: right, and disjoint."""

import itertools
import random
import re
from fractions import Fraction

import pandas as pd
import pytest
from pandas.tseries.holiday import USLaborDay, USThanksgivingDay

from recorded.tiny.tasks import ARITHMETIC, DATES, TASKS, questions, training

pytestmark = pytest.mark.slow

COUNTS = {"arithmetic": 300, "dates": 369}
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SHIFTS = {
    "today": {"days": 0},
    "yesterday": {"days": -1},
    "tomorrow": {"days": 1},
    "10 days ago": {"days": -10},
    "24 hours later": {"hours": 24},
    "one week ago": {"weeks": -1},
    "one week from today": {"weeks": 1},
    "two weeks from today": {"weeks": 2},
    "one month ago": {"months": -1},
    "a month from today": {"months": 1},
    "one year ago": {"years": -1},
    "one year from today": {"years": 1},
}


def trained_on(task, seed=0, number=20_000, direct=0.3):
    held_out = {problem.key for problem in questions(task)}
    stream = training(task, dict.fromkeys(task.families, 1.0), direct, held_out, random.Random(seed))
    return list(itertools.islice(stream, number))


def value(question):
    """What an arithmetic question asks for, by Python's own arithmetic on its numbers."""
    expression = question.removesuffix("=")
    assert re.fullmatch(r"[\d+*/()-]+", expression)
    return eval(re.sub(r"(\d+)", r"Fraction(\1)", expression), {"Fraction": Fraction})


def day(text):
    """A date in any of the spellings of the questions, by pandas."""
    if found := re.fullmatch(r"(\d+)/(\d+)/(\d+)", text):
        return pd.Timestamp(int(found[3]), int(found[1]), int(found[2]))
    words = text.replace(",", "").split()
    month = next(word for word in words if word.isalpha())
    number, year = (int(word) for word in words if word.isdigit())
    return pd.Timestamp(year, MONTHS.index(month[:3]) + 1, number)


def today(said):
    """The day that the first sentence of a question makes today."""
    if found := re.fullmatch(r"(Today is|Yesterday was|Tomorrow is|The day before yesterday was) (.*\d)\.", said):
        ago = {"Today is": 0, "Yesterday was": 1, "Tomorrow is": -1}.get(found[1], 2)
        if not found[2].startswith(("Thanksgiving", "Labor", "Christmas", "New", "the")):
            return day(found[2]) + pd.Timedelta(days=ago)
    if found := re.fullmatch(r"Today is (\d\d)/(\d\d)/(\d{4}), day first\.", said):
        return pd.Timestamp(int(found[3]), int(found[2]), int(found[1]))
    if found := re.fullmatch(r"Today is (.*) of (\d{4})\.", said):
        january = pd.Timestamp(int(found[2]), 1, 1)
        fixed = {"Christmas Eve": (12, 24), "New Year's Eve": (12, 31)}
        if found[1] in fixed:
            return pd.Timestamp(january.year, *fixed[found[1]])
        feast = {"Thanksgiving": USThanksgivingDay, "Labor Day": USLaborDay}[found[1]]
        month, weekday, n = {"Thanksgiving": (11, 3, 4), "Labor Day": (9, 0, 1)}[found[1]]
        by_rule = nth_weekday(january.year, month, weekday, n)
        if found[1] == "Labor Day" or january.year >= 1942:  # since when the days are what they are
            assert list(feast.dates(january, january + pd.Timedelta(days=364))) == [by_rule]
        return by_rule
    if found := re.fullmatch(r"Today is the last day of (\w+) (\d{4})\.", said):
        return day(f"1 {found[1]} {found[2]}") + pd.offsets.MonthEnd()
    if found := re.fullmatch(r"Today is the (\w+) (\w+) of (\w+) (\d{4})\.", said):
        n = ["first", "second", "third", "fourth"].index(found[1]) + 1
        return nth_weekday(int(found[4]), MONTHS.index(found[3][:3]) + 1, DAYS.index(found[2]), n)
    found = re.fullmatch(r"Born (.*), (\d+) today\.", said)
    return day(found[1]) + pd.DateOffset(years=int(found[2]))


def nth_weekday(year, month, weekday, n):
    days = pd.date_range(pd.Timestamp(year, month, 1), periods=35)
    return days[days.day_of_week == weekday][n - 1]


def right_date(question):
    said, shift = parted(question)
    return (today(said) + pd.DateOffset(**SHIFTS[shift])).strftime("%m/%d/%Y")


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_there_are_as_many_questions_as_in_the_paper_and_none_twice(task):
    asked = questions(task)
    assert len(asked) == COUNTS[task.name] == len({p.key for p in asked}) == len({p.question for p in asked})
    assert asked == questions(task)
    assert asked != questions(task, seed=1)
    counts = pd.Series([problem.family for problem in asked]).value_counts()
    assert counts.to_dict() == {family: number for family, (_, number) in task.families.items()}


def test_truths_of_arithmetic():
    for seed in range(5):
        for problem in questions(ARITHMETIC, seed):
            assert Fraction(problem.truth) == value(problem.question), problem


def test_truths_of_dates():
    for seed in range(5):
        for problem in questions(DATES, seed):
            assert problem.truth == right_date(problem.question), problem


def test_solutions_are_right():
    for question, solution in trained_on(ARITHMETIC):
        steps = solution.split("=")
        assert {value(step) for step in steps} == {value(question)}, (question, solution)
    for question, solution in trained_on(DATES, number=5_000):
        said, _ = parted(question)
        dates = [today(said).strftime("%m/%d/%Y"), right_date(question)]
        assert solution.split() in (dates, dates[1:]), (question, solution)


def test_no_training_problem_asks_what_a_test_question_asks():
    expressions = {problem.question.removesuffix("=") for problem in questions(ARITHMETIC)}
    both_ways = expressions | {re.sub(r"^(\d+)([+*])(\d+)$", r"\3\2\1", expression) for expression in expressions}
    assert len(both_ways) > len(expressions)
    for question, solution in trained_on(ARITHMETIC, number=50_000):
        assert not both_ways.intersection([question.removesuffix("="), *solution.split("=")[:-1]])
    # The same day and the same shift, in other words.
    words = {"24 hours later": "tomorrow"}
    tested = {(today(said), words.get(shift, shift)) for said, shift in map(parted, questions(DATES))}
    for question, _ in trained_on(DATES, number=5_000):
        said, shift = parted(question)
        assert (today(said), words.get(shift, shift)) not in tested


def test_how_near_training_comes_to_the_test_is_said():
    makes = {problem.key for problem in itertools.islice(problems(ARITHMETIC, "mixed"), 100_000)}
    mixed = [problem.key for problem in questions(ARITHMETIC) if problem.family == "mixed"]
    twins = [twin for twin in map(swapped, mixed) if twin not in mixed and makeable(twin)]
    assert sum(twin in makes for twin in twins) > 10  # of those that there are, many occur in so many problems
    assert f"{len(twins)} of the 60 questions in the family mixed" in ARITHMETIC.limitation
    asks_for_today = [problem for problem in questions(DATES) if problem.question.endswith("Date today?")]
    assert f"the {len(asks_for_today)} questions that ask for the date today" in DATES.limitation


def problems(task, family, seed=0):
    rng = random.Random(seed)
    while True:
        yield task.families[family][0](rng)


def swapped(expression):
    """The expression with the operands of its product, or of its sum in brackets, the other way round."""
    return re.sub(r"^\((\d+)\+(\d+)\)|(\d+)\*(\d+)", swap, expression)


def swap(found):
    return f"({found[2]}+{found[1]})" if found[1] else f"{found[4]}*{found[3]}"


def makeable(expression):
    """Whether the numbers of a swapped expression are in the ranges of its places."""
    if bracketed := re.fullmatch(r"\((\d+)\+(\d+)\)\*\d", expression):
        return 2 <= int(bracketed[1]) < 20 and 10 <= int(bracketed[2]) < 200
    return not expression.endswith(")")  # d*(c-a) has no twin


def parted(problem):
    """What is said, and the shift that is asked for."""
    question = problem if isinstance(problem, str) else problem.question
    return re.fullmatch(r"(.*\.) Date (.*)\?", question).groups()


class Refused:
    """Keys that a pattern is found in, as a collection to hold out."""

    def __init__(self, pattern):
        self.pattern = pattern

    def __contains__(self, key):
        return re.search(self.pattern, key) is not None


@pytest.mark.parametrize(
    ("task", "keys", "found"),
    [
        (ARITHMETIC, r"^\d+\*-?\d+$", r"\*"),  # also where it is a step on the way
        (ARITHMETIC, r"/1[0-9]$", r"/1[0-9]="),
        (DATES, r"\+1y$", "one year from today"),
    ],
)
def test_what_is_held_out_is_never_trained_on(task, keys, found):
    def asked(held_out):
        stream = training(task, dict.fromkeys(task.families, 1.0), 0.3, held_out, random.Random(2))
        return [question for question, _ in itertools.islice(stream, 3_000)]

    assert any(re.search(found, question) for question in asked(set()))
    assert not any(re.search(found, question) for question in asked(Refused(keys)))


def test_shares_of_families_and_direct_answers():
    stream = training(ARITHMETIC, {"add": 3.0, "multiply": 1.0}, 1.0, set(), random.Random(0))
    pairs = list(itertools.islice(stream, 8_000))
    assert all("=" not in solution for _, solution in pairs)
    assert sum("+" in question for question, _ in pairs) / len(pairs) == pytest.approx(0.75, abs=0.02)
    worked = training(ARITHMETIC, {"mixed": 1.0}, 0.0, set(), random.Random(0))
    assert all("=" in solution for _, solution in itertools.islice(worked, 100))
