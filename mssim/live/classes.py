"""Answer classes of one question while its samples arrive, by the same rule as `mssim grade`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

from mssim.grading.answers import answer_of
from mssim.grading.classes import class_keys
from mssim.grading.equivalence import Judge
from mssim.grading.reasoning import Part, answer_part
from mssim.grading.rules import Rule
from mssim.pools.endings import was_cut_off

__all__ = ["Classes"]


class Classes:
    """Answer classes of one question, numbered in the order in which samples are read.

    A class once given is kept, since decisions depend on it. Rules that compare answers by math-verify may assign other
    classes when all samples are graded together.

    Parameters
    ----------
    rule : Rule
        Rule of the question.
    truth : str, optional
        The truth in the form of an answer.
    judge : Judge, optional
        Client of math-verify, for rules that need it.

    Examples
    --------
    >>> from mssim.grading import parse_rule
    >>> classes = Classes(parse_rule("number"), "7")
    >>> [classes.read("a", {"text": text}) for text in ("It is 7.", "8", "I do not know.", "7.0")]
    [0, 1, -1, 0]
    >>> classes.name(0), classes.is_right(0), classes.is_right(1)
    ('7', True, False)
    """

    def __init__(self, rule: Rule, truth: str | None, judge: Judge | None = None) -> None:
        self._rule, self._truth, self._judge = rule, truth, judge
        self._codes: dict[str, int] = {}  # by spelling, in order of first appearance
        self._counts: Counter[str] = Counter()  # of spellings
        self._keys: dict[Hashable, int] = {}  # code of each key, for rules without math-verify
        self._first: list[str] = []  # spelling of each class that was read first
        self._unopened: set[str] = set()  # models whose prompt begins the reasoning

    def read(self, model: str, sample: Mapping[str, Any]) -> int:
        """Return the class of a sample; -1 = no answer.

        Parameters
        ----------
        model : str
            Name of the model.
        sample : mapping
            Has the text and optionally reasoning, finish_reason and sample_index.

        Raises
        ------
        PoolError
            If the function of the rule fails.
        """
        answer = self._answer(model, sample)
        if answer is None:
            return -1
        self._counts[answer] += 1
        if answer not in self._codes:
            self._codes[answer] = self._class_of(answer)
        return self._codes[answer]

    def name(self, code: int) -> str | None:
        """Return the most frequent spelling of a class so far, the first of equally frequent ones; None for -1."""
        spelled = [answer for answer, own in self._codes.items() if own == code]
        return max(spelled, key=self._counts.__getitem__) if spelled else None

    def first(self, code: int) -> str | None:
        """Return the spelling of a class that was read first; None for -1."""
        return self._first[code] if code >= 0 else None

    def is_right(self, code: int) -> bool | None:
        """Return whether a class contains the truth, or None if the truth is unknown. No answer is wrong."""
        if self._truth is None:
            return None
        if code < 0:
            return False
        if self._judge is None:
            return self._rule.key(self._first[code]) == self._rule.key(self._truth)
        keys, truth = class_keys(list(self._codes), self._truth, self._rule, self._judge)
        return bool(keys[list(self._codes).index(self._first[code])] == truth)

    def _answer(self, model: str, sample: Mapping[str, Any]) -> str | None:
        text = sample["text"]
        keep = self._rule.reasoning == "keep"
        if keep and sample.get("reasoning") is not None:
            text = f"{sample['reasoning']}\n{text or ''}"
        if text is None:
            return None
        part = Part(text) if keep else answer_part(text)
        if part.reasoning == "unopened":
            self._unopened.add(model)
        if part.reasoning == "none" and model in self._unopened and was_cut_off(sample.get("finish_reason")):
            return None  # the text ends within the reasoning
        if part.answer is None:
            return None
        return answer_of(self._rule, part.answer, lambda: f"model {model!r}, sample {sample.get('sample_index')}")

    def _class_of(self, answer: str) -> int:
        """Return the class of a new spelling."""
        if self._judge is None:
            code = self._keys.setdefault(self._rule.key(answer), len(self._first))
        else:
            known = list(self._codes)
            keys, _ = class_keys([*known, answer], self._truth, self._rule, self._judge)
            same = [spelling for spelling, key in zip(known, keys, strict=False) if key == keys[-1]]
            code = self._codes[same[0]] if same else len(self._first)
        if code == len(self._first):
            self._first.append(answer)
        return code
