"""What judges and reviewers say: verdicts, numbers and lists in the text of a reply."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

__all__ = ["agrees", "lines_of", "most_frequent", "number_in", "verdict"]


def _after(reply: str, mark: str) -> str:
    """Return the text after the last mark and its colon, or the whole reply if there is none."""
    found = list(re.finditer(rf"\b{mark}\W*?:", reply, re.IGNORECASE))
    return reply[found[-1].end() :] if found else reply


def verdict(reply: str, words: Sequence[str], mark: str) -> tuple[str | None, str]:
    r"""Return the word that a judge names, and the text after it; None and no text if it names none or several.

    Parameters
    ----------
    reply : str
        Reply of the judge.
    words : sequence of str
        The words among which it chooses, in lower case.
    mark : str
        Word before the choice, such as "verdict" in "Verdict: affirmative". Without it, the whole reply is read.

    Examples
    --------
    >>> verdict("Negative errs.\nVerdict: Affirmative.\n12", ["affirmative", "negative"], "verdict")
    ('affirmative', '12')
    >>> verdict("Affirmative or negative?", ["affirmative", "negative"], "verdict")
    (None, '')
    """
    rest = _after(reply, mark)
    found = list(re.finditer(rf"\b(?:{'|'.join(map(re.escape, words))})\b", rest, re.IGNORECASE))
    if len({one[0].lower() for one in found}) != 1:
        return None, ""
    return found[0][0].lower(), re.sub(r"\A[\W_]*\s", "", rest[found[0].end() :])


def number_in(reply: str, mark: str, low: float, high: float) -> float | None:
    r"""Return the first number of a reply, after the mark if there is one; None if it is missing or out of range.

    Examples
    --------
    >>> number_in("Of the 4, the second.\nBest: 2", "best", 1, 4), number_in("Score: 11", "score", 0, 10)
    (2.0, None)
    """
    found = re.search(r"(?<![\w.])-?\d+(?:\.\d+)?", _after(reply, mark))
    number = None if found is None else float(found[0])
    return number if number is not None and low <= number <= high else None


def agrees(reply: str) -> bool:
    """Return whether a reply begins with the word agree.

    Examples
    --------
    >>> agrees("[Agree] The sum is right."), agrees("I do not agree."), agrees("Disagree")
    (True, False, False)
    """
    return re.match(r"\W*agree\b", reply, re.IGNORECASE) is not None


def lines_of(reply: str) -> list[str]:
    r"""Return the items of a list: its numbered lines, else its lines with bullets, else all lines that are not blank.

    Examples
    --------
    >>> lines_of("I choose:\n1. a cook\n2) a judge"), lines_of("a cook\n\na judge")
    (['a cook', 'a judge'], ['a cook', 'a judge'])
    """
    for pattern in (r"^\W*\d+\s*[.):]\s*(.*\S)", r"^\s*[-*•]\s+(.*\S)", r"^\s*(.*\S)"):
        if found := re.findall(pattern, reply, re.MULTILINE):
            return found
    return []


def most_frequent(replies: Sequence[str], answer_of: Callable[[str], str | None]) -> str:
    """Return the first reply with the most frequent answer; of answers that are equally frequent, the one seen first.

    Parameters
    ----------
    replies : sequence of str
        Replies in order.
    answer_of : callable (text) -> str or None
        Answer class of a reply. None, no answer, does not vote.

    Returns
    -------
    str
        The reply. If no reply has an answer, it is the first.

    Examples
    --------
    >>> most_frequent(["8", "I say 7", "?", "7", "8"], lambda text: text[-1] if text[-1].isdigit() else None)
    '8'
    """
    answers = [answer_of(reply) for reply in replies]
    votes = Counter(answer for answer in answers if answer is not None)
    top = max(votes, key=votes.__getitem__) if votes else answers[0]
    return replies[answers.index(top)]
