"""Multiple-choice prompts of EvalScope, whose choices may be in another order in each sample.

Prompts end with the choices, one after another as "A) TEXT", see evalscope/utils/multi_choices.py in
github.com/modelscope/evalscope. Some benchmarks shuffled the choices of every repeat on their own, such as
evalscope/benchmarks/gpqa/gpqa_adapter.py of version 1.0, so equal letters were different answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["parse_choices", "spelled"]

_CHOICE = re.compile(r"^([A-Z])\) ", re.MULTILINE)


def parse_choices(prompt: str) -> tuple[str, dict[str, str]] | None:
    """Split a prompt into the question and its choices by letter, None if it has no choices or equal ones."""
    marks = list(_CHOICE.finditer(prompt))
    first = max((place for place, mark in enumerate(marks) if mark[1] == "A"), default=len(marks))
    if not (marks := marks[first:]):
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(prompt)]
    texts = {mark[1]: prompt[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)}
    letters = [chr(ord("A") + place) for place in range(len(marks))]
    if list(texts) != letters or len(set(texts.values())) < max(len(marks), 2):
        return None
    return prompt[: marks[0].start()].strip(), texts


def spelled(letters: str | None, choices: Mapping[str, str]) -> str | None:
    """Replace letters by the texts of the choices, unless they are something else."""
    if not letters or not set(letters) <= set(choices):
        return letters
    return " | ".join(sorted(choices[letter] for letter in letters))
