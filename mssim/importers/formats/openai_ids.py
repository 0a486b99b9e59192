"""Patterns that find questions in the custom_ids of a batch, which error messages suggest."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, combinations, islice

__all__ = ["hint"]

_TOKEN = re.compile(r"[^\W\d_]+|[0-9]+|.", re.DOTALL)
_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")
_LONGEST, _MOST_TOKENS = 64, 30  # longer custom_ids are not looked at
_MOST_IDS, _SCORED, _BUILT = 10_000, 50, 5  # custom_ids that are counted, compared and turned into patterns
_MOST_PATTERNS, _MOST_OF_ID = 400, 1500  # of one question in one custom_id, and of one custom_id
_KEPT = 5  # patterns that are compared on all custom_ids
_STARTS = 2  # places where the name of a model may begin
_SHOWN = 3

_QUESTION = "(?P<question_id>.+)"
_SAMPLE, _MODEL = "(?P<sample>[0-9]+)", "(?P<model>.+)"
_OPTION = "id_pattern=, a regular expression with the group question_id"

_Part = tuple[str, int]  # a regular expression and its number of literal characters


def hint(custom_ids: Iterable[str], questions: Collection[str], current: re.Pattern[str], file: str) -> str:
    """Return sentences that say how to find the questions of custom_ids.

    Parameters
    ----------
    custom_ids : iterable of str
        The custom_ids of a batch. At most 10,000 are read.
    questions : collection of str
        All question_ids.
    current : Pattern
        The pattern that does not find one of them.
    file : str
        Name of the file of questions.

    Returns
    -------
    str
        The pattern that finds most custom_ids and how many, if it finds more than the current one and at least half;
        otherwise how many are found, or what custom_ids and question_ids look like.
    """
    ids = list(dict.fromkeys(islice(custom_ids, _MOST_IDS)))
    short = [one for one in ids if len(one) <= _LONGEST]
    pattern = _best(short, questions)
    found, now = (set(_questions(one, short, questions)) for one in (pattern, current))
    if len(found) > len(now) and 2 * len(found) >= len(ids):
        lost = next((f", but not {one!r:.60}" for one in ids if one not in found), "")
        finds = f"id_pattern={pattern.pattern!r} finds {len(found)} of {len(ids)} custom_ids in {file}{lost}"
        return f"Describe custom_ids: {finds}."
    if now:
        finds = f"{len(now)} of {len(ids)} custom_ids are found"
        return f"{finds}. Add the question to {file}, or describe all custom_ids with {_OPTION}."
    looks = f"custom_ids look like {_some(ids)}, question_ids like {_some(questions)}"
    return f"{looks}. Add the question to {file}, or describe custom_ids with {_OPTION}."


def _some(names: Iterable[str]) -> str:
    return ", ".join(f"{name!r:.60}" for name in islice(names, _SHOWN))


def _questions(pattern: re.Pattern[str], ids: Sequence[str], questions: Collection[str]) -> dict[str, str]:
    """Return the known question of each custom_id that has one."""
    matches = ((one, pattern.fullmatch(one)) for one in ids)
    return {one: match["question_id"] for one, match in matches if match and match["question_id"] in questions}


def _best(ids: Sequence[str], questions: Collection[str]) -> re.Pattern[str]:
    """Return the pattern that finds most custom_ids and, among equals, most questions and most literal characters."""

    def score(one: str, ids: Sequence[str]) -> tuple[int, int, int, bool]:
        hits = _questions(re.compile(one, re.DOTALL), ids, questions)
        return len(hits), len(set(hits.values())), literals[one], _SAMPLE in one

    some = ids[:: max(len(ids) // _SCORED, 1)][:_SCORED]
    best = _QUESTION
    for models in (False, True):
        built = (_patterns(one, questions, models=models) for one in some[:: max(len(some) // _BUILT, 1)])
        literals = {_QUESTION: 0, **dict(chain.from_iterable(islice(one, _MOST_OF_ID) for one in built))}
        kept = sorted(literals, key=lambda one: score(one, some))[-_KEPT:]
        best = max(kept, key=lambda one: score(one, ids))
        if score(best, ids)[0] == len(ids):
            break
    return re.compile(best, re.DOTALL)


def _patterns(custom_id: str, questions: Collection[str], *, models: bool) -> Iterator[_Part]:
    """Iterate over patterns that find a question in this custom_id and, optionally, the name of a model."""
    tokens = _TOKEN.findall(custom_id) if custom_id.isprintable() else []
    if len(tokens) > _MOST_TOKENS:
        return
    for start, end in combinations(range(len(tokens) + 1), 2):
        if end < len(tokens) and "".join(tokens[end - 1 : end + 1]).isalnum():
            continue  # no separator follows
        text = "".join(tokens[start:end])
        padded = text.isdecimal() and text not in questions and (text.lstrip("0") or "0") in questions
        if padded or text in questions:
            found = _around("0*" * padded + _QUESTION, tokens[:start], tokens[end:], models=models)
            yield from islice(found, _MOST_PATTERNS)


def _around(question: str, before: Sequence[str], after: Sequence[str], *, models: bool) -> Iterator[_Part]:
    for left, literal in _literal(before):
        yield from ((left + question + right, literal + more) for right, more in _literal(after) if _once(left, right))
    if not models:
        return
    for left, literal in _model(before, first=True):
        yield from ((left + question + right, literal + more) for right, more in _literal(after) if _once(left, right))
    question = question.replace(".+", ".+?")  # so that the name of a model may contain the same separator
    for right, literal in _model(after, first=False):
        yield from ((left + question + right, literal + more) for left, more in _literal(before) if _once(left, right))


def _once(left: str, right: str) -> bool:
    return _SAMPLE not in left or _SAMPLE not in right


def _model(tokens: Sequence[str], *, first: bool) -> Iterator[_Part]:
    """Iterate over patterns of the tokens before (first) or after a question_id, with the name of a model."""
    separators = [place for place, token in enumerate(tokens) if not token.isalnum()]
    starts = [0] * first + [place + 1 for place in separators]
    ends = separators + [len(tokens)] * (not first)
    for start in starts[:_STARTS]:
        for end in [end for end in ends if end > start]:
            for left, literal in _literal(tokens[:start], others=False):
                right = _literal(tokens[end:], others=False)
                yield from ((left + _MODEL + one, literal + more) for one, more in right if _once(left, one))


def _literal(tokens: Sequence[str], *, others: bool = True) -> Iterator[_Part]:
    """Iterate over patterns of the same text, of text with other numbers, and with one number as the sample."""
    numbers = [place for place, token in enumerate(tokens) if token.isdecimal()]
    for sample in [None, *numbers]:
        for same in (True, False) if others and len(numbers) > (sample is not None) else (True,):
            parts = [_token(token, is_sample=place == sample, same=same) for place, token in enumerate(tokens)]
            yield "".join(part for part, _ in parts), sum(literal for _, literal in parts)


def _token(token: str, *, is_sample: bool, same: bool) -> _Part:
    if is_sample:
        return _SAMPLE, 0
    if token.isdecimal() and not same:
        return "[0-9]+", 0
    return _SPECIAL.sub(r"\\\g<0>", token), len(token)
