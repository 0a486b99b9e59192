"""Multiple-choice prompts of EvalScope, whose choices may be in another order in each sample.

Prompts end with the choices, one after another as "A) TEXT", see evalscope/utils/multi_choices.py in
github.com/modelscope/evalscope. Some benchmarks shuffled the choices of every repeat on their own, such as
evalscope/benchmarks/gpqa/gpqa_adapter.py of version 1.0, so equal letters were different answers.
"""

from __future__ import annotations

import re

__all__ = ["parse_choices"]

_CHOICE = re.compile(r"^([A-Z])\) ", re.MULTILINE)


def parse_choices(prompt: str) -> tuple[str, list[str]] | None:
    r"""Split a prompt into the question and its choices in the order of their letters, None if it has no choices.

    Examples
    --------
    >>> parse_choices("Which is a planet?\n\nA) Mars\nB) Pluto")
    ('Which is a planet?', ['Mars', 'Pluto'])
    """
    marks = list(_CHOICE.finditer(prompt))
    first = max((place for place, mark in enumerate(marks) if mark[1] == "A"), default=len(marks))
    if not (marks := marks[first:]):
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(prompt)]
    texts = [prompt[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    letters = [mark[1] for mark in marks]
    if len(marks) < 2 or letters != [chr(ord("A") + place) for place in range(len(marks))]:
        return None
    return prompt[: marks[0].start()].strip(), texts
