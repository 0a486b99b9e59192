r"""Boxes of LaTeX, \boxed{...} and its kin, and the sentence that stands for a box in Minerva's prompts."""

from __future__ import annotations

import re

__all__ = ["last_boxed", "minerva_answer"]

_NAMES = r"boxed|fbox|framebox"
_FIRST = re.compile(rf"\\(?:{_NAMES})(?![A-Za-z])|<\|begin_of_box\|>")
# Braces and starts of boxes. The start of a box without braces, such as \boxed 5, is its second alternative.
_TOKENS = re.compile(
    rf"\\\\|\\[{{}}]|(?<=\\)(?:{_NAMES})(?:\s*\{{|(?![A-Za-z\s])|[^\S\n]+(?=[^\s{{]))|<\|(?:begin|end)_of_box\|>|[{{}}]"
)
_FORMULA, _WORD = re.compile(r"[^\n$]{0,1000}"), re.compile(r"[^\s$]*")
# What separates boxes that are one answer. White space alone does so only within a line.
_BETWEEN = re.compile(
    r"(?:[^\S\n]|[$,;、，]|\\[,;:! ()\[\]]|\\q?quad|\b(?:and|or|y|o|et|ou|und|oder)\b|[和或与及]"
    r"|\\(?:text|mathrm)\s*\{\s*(?:,?\s*(?:and|or))\s*,?\s*\})*"
)
_HOPE = re.compile(r"I hope (?:it is|it's|it’s|this is) correct", re.IGNORECASE)
_FINAL = re.compile(r"(?<!\w)the final answer is:?", re.IGNORECASE)
_SIGNS = (("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"))
_LONGEST = 1000


def last_boxed(text: str) -> str | None:
    r"""Return the content of the last closed \boxed{...} or \fbox{...} that is not empty. Escaped braces are text.

    Different boxes in a row, as in \boxed{1} and \boxed{2}, are one answer, a list. Without braces, as in \boxed 5, a
    box extends to the end of the formula or, outside of one, of the word.

    Examples
    --------
    >>> last_boxed(r"\boxed{1}, no: \boxed{\frac{1}{2}}, or was it \boxed{3")
    '\\frac{1}{2}'
    >>> last_boxed(r"$\boxed{1}$ or $\boxed{2}$"), last_boxed(r"So $\boxed 5$."), last_boxed(r"\boxed{}")
    ('1, 2', '5', '')
    """
    first = _FIRST.search(text)
    if first is None:
        return None
    boxes = _boxes(text, first.start())
    filled = [(start, end) for start, end in boxes if text[start:end].strip()]
    if not filled:
        return "" if boxes else None
    answers = [text[slice(*filled[-1])].strip()]
    begun = filled[-1][0]
    for start, end in reversed(filled[:-1]):
        if end > begun or not _BETWEEN.fullmatch(text[end + 1 : text.rfind("\\", end, begun)]):
            break
        answers.insert(0, text[start:end].strip())
        begun = start
    return ", ".join(dict.fromkeys(answers))


def _boxes(text: str, place: int) -> list[tuple[int, int]]:
    """Return start and end of the content of each closed box, in order of their starts. Outer boxes are left out."""
    opened: list[int] = []  # start of the content of a box, 0 for other braces
    found: list[tuple[int, int]] = []
    dollars = seen = 0  # signs of formulas in this line, up to a place
    for token in _TOKENS.finditer(text, max(place - 1, 0)):
        match token.group():
            case "}" | "<|end_of_box|>":
                begun = opened.pop() if opened else 0
                if begun and not (found and found[-1][0] > begun):
                    found.append((begun, token.start()))
            case "{":
                opened.append(0)
            case other if other[0] == "\\":
                continue
            case other if other[-1] in "{>":
                opened.append(token.end())
            case _:
                line = text.rfind("\n", seen, token.end()) + 1
                dollars = text.count("$", max(line, seen), token.end()) + (0 if line else dollars)
                seen = token.end()
                pattern = _FORMULA if dollars % 2 else _WORD
                bare = pattern.match(text, token.end())
                if bare and bare[0]:
                    found.append((bare.start(), bare.start() + len(bare[0].rstrip(".,;:!?)。"))))
    return found


def minerva_answer(text: str) -> str | None:
    """Return X of the first "The final answer is X. I hope it is correct.", without the signs of a formula or of bold.

    Examples
    --------
    >>> minerva_answer("Final Answer: The final answer is $5$. I hope it is correct.")
    '5'
    """
    for hope in _HOPE.finditer(text) if "hope" in text.lower() else ():
        leads = [*_FINAL.finditer(text, max(hope.start() - _LONGEST, 0), hope.start())]
        if leads and (answer := text[leads[-1].end() : hope.start()].strip()):
            return _without_signs(answer.removesuffix(".").strip()) or None
    return None


def _without_signs(text: str) -> str:
    """Remove the signs of bold text and of a formula."""
    for before, after in (_SIGNS[-1], *_SIGNS):
        while len(text) >= len(before + after) and text.startswith(before) and text.endswith(after):
            text = text[len(before) : -len(after)].strip()
    return text
