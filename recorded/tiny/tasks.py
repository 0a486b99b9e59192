"""Questions of two tasks, arithmetic and dates, with worked solutions for training.

The arithmetic questions are similar to those of MathBench and use the four operations. The date questions are similar
to the date understanding task of BIG-bench and ask for shifted dates. All questions are generated here from seeds. None
is copied from these data sets.

A problem has a key. Sums and products of two numbers have the same key in both orders, and so do questions for the same
shift of the same day in different words. Training excludes problems that have the key of a test question, and those of
arithmetic with such a step in their solutions. The `limitation` of a task describes the remaining similarity.
"""

from __future__ import annotations

import calendar
import datetime
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["ARITHMETIC", "DATES", "TASKS", "TEST_SEED", "Problem", "Task", "questions", "training"]

TEST_SEED = 20261125


@dataclass(frozen=True)
class Problem:
    """A question, its correct answer, and solutions.

    Attributes
    ----------
    family : str
        Name of a family of similar problems.
    key : str
        Identifier that does not depend on the wording.
    question, truth : str
        The question and its correct answer.
    solutions : tuple of str
        Texts for training. The first is the answer only, the others are worked solutions.
    parts : tuple of str
        Keys of the problems that are steps of the solutions.
    """

    family: str
    key: str
    question: str
    truth: str
    solutions: tuple[str, ...]
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A task with families of problems.

    Attributes
    ----------
    name : str
        Name of the task.
    rule : str
        Rule with which `mssim grade` grades the answers.
    about : str
        Description of the questions.
    limitation : str
        Description of how similar training and test questions are.
    families : mapping of str to (callable, int)
        Function that makes a problem of each family, and the number of test questions.
    """

    name: str
    rule: str
    about: str
    limitation: str
    families: Mapping[str, tuple[Callable[[random.Random], Problem], int]]


# Arithmetic -----------------------------------------------------------------------------------------------------------


def _split(number: int) -> tuple[int, ...]:
    """Split 407 into 400 and 7, and 47 into 40 and 7. Return no parts for a number such as 7 or 40."""
    unit = 100 if number >= 100 else 10
    parts = number // unit * unit, number % unit
    return parts if all(parts) else ()


def _key(expression: str) -> str:
    """Return the key: sums and products of two numbers in ascending order, other expressions unchanged."""
    for sign in "+*":
        first, found, second = expression.partition(sign)
        if found and first.isdigit() and second.isdigit():
            return sign.join(sorted([first, second], key=int))
    return expression


def _asked_for(family: str, expression: str, value: int, steps: list[str]) -> Problem:
    """Make a problem. `steps` are last steps of worked solutions, each a sum, a difference or a product."""
    worked = (f"{step}={value}" for step in steps)
    return Problem(
        family, _key(expression), f"{expression}=", f"{value}", (f"{value}", *worked), tuple(map(_key, steps))
    )


def _some_number(rng: random.Random) -> int:
    return rng.randrange(10, rng.choice([100, 1000]))


def _add(rng: random.Random) -> Problem:
    a, b = _some_number(rng), _some_number(rng)
    return _asked_for("add", f"{a}+{b}", a + b, [f"{a + b - last}+{last}" for last in _split(b)])


def _subtract(rng: random.Random) -> Problem:
    a, b = _some_number(rng), _some_number(rng)
    if rng.random() < 0.7:
        a, b = max(a, b), min(a, b)
    return _asked_for("subtract", f"{a}-{b}", a - b, [f"{a - b + last}-{last}" for last in _split(b)])


def _multiply(rng: random.Random) -> Problem:
    a, b = rng.randrange(3, rng.choice([10, 40])), rng.randrange(11, 100)
    if rng.random() < 0.5:
        a, b = b, a
    steps = []
    for first, second in ((a, b), (b, a)):
        if products := [str(first * part) for part in _split(second)]:
            steps += ["+".join(products), "+".join(products[::-1])]
    return _asked_for("multiply", f"{a}*{b}", a * b, steps)


def _divide(rng: random.Random) -> Problem:
    divisor, quotient = rng.randrange(3, 20), rng.randrange(11, 100)
    steps = ["+".join(map(str, parts))] if (parts := _split(quotient)) else []
    return _asked_for("divide", f"{divisor * quotient}/{divisor}", quotient, steps)


def _mixed(rng: random.Random) -> Problem:
    a, b, c, d = rng.randrange(2, 20), rng.randrange(2, 20), rng.randrange(10, 200), rng.randrange(2, 10)
    expression, first, step, value = rng.choice(
        [
            (f"{a}*{b}+{c}", f"{a}*{b}", f"{a * b}+{c}", a * b + c),
            (f"{c}-{a}*{b}", f"{a}*{b}", f"{c}-{a * b}", c - a * b),
            (f"({a}+{c})*{d}", f"{a}+{c}", f"{a + c}*{d}", (a + c) * d),
            (f"{d}*({c}-{a})", f"{c}-{a}", f"{d}*{c - a}", d * (c - a)),
        ]
    )
    problem = _asked_for("mixed", expression, value, [step])
    return replace(problem, parts=(*problem.parts, _key(first)))


ARITHMETIC = Task(
    "arithmetic",
    "number",
    "The questions are sums, differences, products and quotients of whole numbers up to 999, and expressions of two "
    "operations with brackets, such as `83-19*6=` and `3*(191-9)=`. They are similar to the arithmetic questions of "
    "MathBench.",
    "Expressions of two operations with operands in another order count as different. For 34 of the 60 questions in "
    "the family mixed, the models may have been trained on such a variant, for example `6*19` instead of `19*6`.",
    {
        "add": (_add, 60),
        "subtract": (_subtract, 60),
        "multiply": (_multiply, 60),
        "divide": (_divide, 60),
        "mixed": (_mixed, 60),
    },
)

# Dates ----------------------------------------------------------------------------------------------------------------

_DAY = datetime.timedelta(days=1)
_SHIFTS: dict[str, tuple[str, int]] = {  # wording -> unit and number
    "today": ("d", 0),
    "yesterday": ("d", -1),
    "tomorrow": ("d", 1),
    "10 days ago": ("d", -10),
    "24 hours later": ("d", 1),
    "one week ago": ("d", -7),
    "one week from today": ("d", 7),
    "two weeks from today": ("d", 14),
    "one month ago": ("m", -1),
    "a month from today": ("m", 1),
    "one year ago": ("y", -1),
    "one year from today": ("y", 1),
}


def _written(date: datetime.date) -> str:
    return date.strftime("%m/%d/%Y")


def _some_day(rng: random.Random) -> datetime.date:
    return datetime.date(1930, 1, 1) + rng.randrange(365 * 100) * _DAY


def _spelled(rng: random.Random, date: datetime.date) -> str:
    month = date.strftime(rng.choice(["%b", "%B"]))
    return rng.choice(
        [
            _written(date),
            f"{date.month}/{date.day}/{date.year}",
            f"{month} {date.day}, {date.year}",
            f"{date.day} {month} {date.year}",
        ]
    )


def _shifted(date: datetime.date, unit: str, number: int) -> datetime.date:
    if unit == "d":
        return date + number * _DAY
    months = date.year * 12 + date.month - 1 + number * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    return datetime.date(year, month + 1, min(date.day, calendar.monthrange(year, month + 1)[1]))


def _nth_weekday(year: int, month: int, weekday: int, n: int) -> datetime.date:
    first = datetime.date(year, month, 1)
    return first + ((weekday - first.weekday()) % 7 + 7 * (n - 1)) * _DAY


def _asked(rng: random.Random, family: str, today: datetime.date, said: str) -> Problem:
    shift = rng.choice(list(_SHIFTS))
    unit, number = _SHIFTS[shift]
    answer = _shifted(today, unit, number)
    direct, worked = _written(answer), f"{_written(today)} {_written(answer)}"
    question = f"{said} Date {shift}?"
    key = f"{_written(today)} {number:+d}{unit}"
    return Problem(family, key, question, direct, (direct, worked))


def _stated(rng: random.Random) -> Problem:
    today = _some_day(rng)
    said, days = rng.choice(
        [("Today is", 0), ("Yesterday was", -1), ("Tomorrow is", 1), ("The day before yesterday was", -2)]
    )
    return _asked(rng, "stated", today, f"{said} {_spelled(rng, today + days * _DAY)}.")


def _british(rng: random.Random) -> Problem:
    today = _some_day(rng)
    return _asked(rng, "british", today, f"Today is {today.strftime('%d/%m/%Y')}, day first.")


def _feast(rng: random.Random) -> Problem:
    year = rng.randrange(1930, 2030)
    name, today = rng.choice(
        [
            ("Christmas Eve", datetime.date(year, 12, 24)),
            ("New Year's Eve", datetime.date(year, 12, 31)),
            ("Thanksgiving", _nth_weekday(year, 11, 3, 4)),
            ("Labor Day", _nth_weekday(year, 9, 0, 1)),
        ]
    )
    return _asked(rng, "feast", today, f"Today is {name} of {year}.")


def _calendar(rng: random.Random) -> Problem:
    year, month = rng.randrange(1930, 2030), rng.randrange(1, 13)
    name = datetime.date(year, month, 1).strftime("%B")
    last = datetime.date(year, month, calendar.monthrange(year, month)[1])
    weekday, n = rng.randrange(7), rng.randrange(1, 5)
    ordinal = ["first", "second", "third", "fourth"][n - 1]
    said, today = rng.choice(
        [
            (f"Today is the last day of {name} {year}.", last),
            (
                f"Today is the {ordinal} {calendar.day_name[weekday]} of {name} {year}.",
                _nth_weekday(year, month, weekday, n),
            ),
        ]
    )
    return _asked(rng, "calendar", today, said)


def _anniversary(rng: random.Random) -> Problem:
    then, years = _some_day(rng), rng.randrange(2, 51)
    today = _shifted(then, "y", years)
    return _asked(rng, "anniversary", today, f"Born {_spelled(rng, then)}, {years} today.")


DATES = Task(
    "dates",
    "date",
    "The questions ask for the date some days, weeks, months or years from a described day, such as `Tomorrow is "
    "06/01/1961. Date one week ago?` and `Today is Thanksgiving of 1987. Date 10 days ago?`. They are similar to the "
    "date understanding task of BIG-bench. Answers have the form MM/DD/YYYY.",
    "Worked solutions start with the described day. The answers to the 34 questions that ask for the date today may "
    "therefore have appeared as a step of a solution in training.",
    {
        "stated": (_stated, 119),
        "british": (_british, 50),
        "feast": (_feast, 50),
        "calendar": (_calendar, 75),
        "anniversary": (_anniversary, 75),
    },
)

TASKS = {task.name: task for task in (ARITHMETIC, DATES)}

# Test and training ----------------------------------------------------------------------------------------------------


def questions(task: Task, seed: int = TEST_SEED) -> list[Problem]:
    """Return the test questions of a task, with distinct keys."""
    rng = random.Random(f"{task.name} {seed}")
    found: dict[str, Problem] = {}
    for make, number in task.families.values():
        wanted = len(found) + number
        while len(found) < wanted:
            problem = make(rng)
            found.setdefault(problem.key, problem)
    return list(found.values())


def training(
    task: Task, weights: Mapping[str, float], direct: float, held_out: Collection[str], rng: random.Random
) -> Iterator[tuple[str, str]]:
    """Yield questions and solutions without end.

    Parameters
    ----------
    task : Task
        Task of the questions.
    weights : mapping of str to float
        Relative frequency of each family.
    direct : float
        Share of solutions with the answer only.
    held_out : collection of str
        Keys of problems to exclude.
    rng : random.Random
        Source of random numbers.
    """
    makers = [task.families[family][0] for family in weights]
    shares = list(weights.values())
    while True:
        for make in rng.choices(makers, shares, k=1024):
            problem: Any = make(rng)
            if problem.key in held_out or any(part in held_out for part in problem.parts):
                continue
            worked = problem.solutions[1:]
            yield problem.question, rng.choice(worked) if worked and rng.random() >= direct else problem.solutions[0]
