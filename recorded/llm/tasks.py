"""Questions of the tasks. They are generated here from a seed, or written down for this project; none is copied."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path

from mssim._files import whole_file
from recorded.llm.capitals import CAPITALS

__all__ = ["PLANS", "PROMPTS", "SEED", "TASKS", "Task", "place", "questions", "write_questions"]

SEED = 28
PROMPTS = Path(__file__).with_name("prompts")
PLANS = Path(__file__).with_name("plans")

Row = Mapping[str, str]  # question, truth and further columns


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes
    ----------
    name : str
        Name of the task, of its prompt and of its plan.
    rule : str
        Rule with which `mssim grade` grades the answers.
    about : str
        Description of the questions.
    limitation : str
        Why results for the task may not hold for others. It completes a sentence.
    make : callable (random) -> list of mappings
        Makes question, truth and further columns of every question.
    """

    name: str
    rule: str
    about: str
    limitation: str
    make: Callable[[random.Random], list[Row]]

    @property
    def plan(self) -> Path:
        """Plan of the recording, for `mssim record --plan`."""
        return PLANS / f"{self.name}.toml"


def place(text: str) -> str | None:
    """Return the name of a place up to a comma or bracket, in lower case without accents, hyphens and final dots.

    Examples
    --------
    >>> place(" Bogotá, D.C."), place("Port-au-Prince."), place(" ")
    ('bogota', 'port au prince', None)
    """
    plain = unicodedata.normalize("NFKD", text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")).casefold()
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = plain.split(",")[0].split("(")[0].replace("-", " ")
    return " ".join(plain.split()).strip(" .;:!\"'") or None


def _products(rng: random.Random) -> list[Row]:
    """Make all products of two numbers from 2 to 14 but those of the prompt, in random order."""
    shown = {(3, 4), (5, 7), (8, 9), (11, 12), (6, 14)}
    pairs = [(a, b) for a in range(2, 15) for b in range(2, 15) if (min(a, b), max(a, b)) not in shown]
    rng.shuffle(pairs)
    return [
        {
            "question": f"{a} x {b} =",
            "truth": f"{a * b}",
            "family": "one digit" if max(a, b) < 10 else "two digits",
            "cluster": f"{min(a, b)} x {max(a, b)}",  # 6 x 7 and 7 x 6 are answered alike
        }
        for a, b in pairs
    ]


def _capitals(rng: random.Random) -> list[Row]:
    """Make a question for every country but those of the prompt, in random order."""
    countries = sorted(CAPITALS.keys() - {"France", "Kenya", "Japan", "Peru"})
    rng.shuffle(countries)
    return [{"question": country, "truth": place(CAPITALS[country]) or ""} for country in countries]


def _sums(rng: random.Random) -> list[Row]:
    """Make the sums of all triples of numbers from 1 to 9 but those of the prompt, each in one random order."""
    shown = {(2, 3, 5), (1, 4, 6), (3, 6, 7), (2, 8, 9)}
    triples = [triple for triple in combinations_with_replacement(range(1, 10), 3) if triple not in shown]
    rng.shuffle(triples)
    return [{"question": ", ".join(map(str, rng.sample(triple, 3))), "truth": f"{sum(triple)}"} for triple in triples]


TASKS = {
    task.name: task
    for task in (
        Task(
            "products",
            "first-number",
            "The questions are products of two numbers from 2 to 14. Products of the same numbers in both "
            "orders form a cluster.",
            "the answers are short, without working.",
            _products,
        ),
        Task(
            "capitals",
            "python=recorded.llm.tasks:place",
            "The questions are countries, and the answers are their capitals. Countries whose capital is disputed or "
            "divided are left out. The rule ignores case, accents and what follows a comma.",
            "another English name of a capital counts as wrong, such as Kiev for Kyiv.",
            _capitals,
        ),
        Task(
            "sums",
            "number",
            "The questions are sums of three numbers from 1 to 9. The models show their working: they add two numbers, "
            "then the third. The temperatures are lower than for the other tasks, since the models lose track above.",
            "the questions are alike, and shorter than those of published tasks with working.",
            _sums,
        ),
    )
}


def questions(task: Task) -> list[dict[str, str]]:
    """Return the questions of a task with question_id, question, truth and further columns."""
    rows = task.make(random.Random(SEED))
    return [{"question_id": f"{task.name}-{number:03d}", **row} for number, row in enumerate(rows)]


def write_questions(task: Task, path: Path, number: int | None = None) -> None:
    """Write the first questions of a task, by default all, as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:  # another step may read it
        part.write_text("".join(json.dumps(row) + "\n" for row in questions(task)[:number]), encoding="utf-8")
