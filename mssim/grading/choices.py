r"""Extraction of the letter of a choice, in the usual phrases of several languages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mssim.grading.boxes import last_boxed
from mssim.grading.characters import NO_SPACES, plain

__all__ = ["choice_in", "read_choice"]

# Phrases before an answer: a word by which they are found, in lower case, and what may follow it. To support another
# language, add its phrases here.
_LEADS = {
    "answer": r"s?(?: choice| option| letter)?(?: is| are|'s| would be| must be| should be)?",
    "choice": r"(?:(?<=correct choice)|(?<=right choice)|(?<=best choice)|(?<=final choice))(?: is| would be)?| is",
    "option": r"(?:(?<=correct option)|(?<=right option)|(?<=best option))(?: is| would be)?| is",
    "letter": r"(?:(?<=correct letter)|(?<=right letter))(?: is)?",
    "答案": r"(?:应该|應該|应|應)?(?:是|为|為|选|選)?",
    "选项": r"(?:应该|应)?(?:是|为)?",
    "選項": r"(?:應該|應)?(?:是|為)?",
    "选": r"择?",
    "選": r"擇?",
    "正解": r"(?:は|：|:)",
    "正答": r"(?:は|：|:)",
    "答え": r"(?:は|：|:)",
    "回答": r"(?:は|：|:)",
    "選択肢": r"(?:は|：|:)",
    "정답": r"(?:은|는|이|:|：)",
    "답": r"(?:은|는|이|:|：)",
    "réponse": r"(?: correcte| finale| exacte)?(?: est)?(?: la| le)?(?: lettre| réponse)?",
    "respuesta": r"(?: correcta| final)?(?: es)?(?: la)?(?: opción| letra)?",
    "opción correcta": r"(?: es)?(?: la)?",
    "alternativa correcta": r"(?: es)?(?: la)?(?: letra)?",
    "antwort": r"(?: ist| lautet| wäre)?",
    "lösung": r"(?: ist| lautet| wäre)?",
    "risposta": r"(?: corretta| giusta| finale)?(?: è)?(?: la)?",
    "resposta": r"(?: correta| certa| final)?(?: é)?(?: a)?",
    "ответ": "",
    "الإجابة": r"(?: الصحيحة)?(?: هي)?",
}
_FOLLOWED = {word: re.compile(rf"(?:{pattern})[\s:：]*", re.IGNORECASE) for word, pattern in _LEADS.items()}
_IN_ASCII = [word for word in _LEADS if word.isascii()]
_NOT = (
    r"not|n't|never|cannot be|neither|isn't|rather than|instead of|except|unlike|不是|并非|不选|不為|不为|不|非|"
    r"nicht|kein\w*|n'est pas|pas|no es|no|non è|não é|не"
)
_BEFORE_NOT = re.compile(
    rf"(?:(?<![^\W_])|(?<=[{NO_SPACES}]))(?:{_NOT})[\s*_(\"']*"
    r"(?:(?:option|choice|answer|the|la|le|die)\s+)*[\s*_(\"']*\Z",
    re.IGNORECASE,
)
_AFTER_NOT = re.compile(
    r"[\s*_).\"'、]*(?:"
    r"(?:is|are|was|were|seems?|looks?|(?:can|must|would|could) be)\s+"
    r"(?:not|n't|wrong|incorrect|false|out\b|ruled|excluded|eliminated|invalid|impossible)"
    r"|isn't|aren't|cannot|can't|doesn't|does not|do not"
    r"|不对|不對|不正确|不正確|错|錯|は(?:誤り|違|間違|不正解)|では(?:な|ありません)|[은는이가]?\s?(?:아니|아닙|틀)"
    r"|ist (?:falsch|nicht)|est (?:faux|fausse|incorrect)|n'est pas|es (?:falsa|incorrecta)|no es)",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"['\u2019]\w| (?!(?:is|because|since|as|and|or)\b)[a-z]")
_OR = re.compile(r"[\s*_)]*(?:or|oder|ou|或)\s*[(*_]*[A-Z](?![^\W_])")
_GAP = 40  # characters at most between a negation and a letter
_BETWEEN = re.compile(r"[\s*_()]*(?:,|、|/|&|and|or|nor|和|及|与|或|oder|und|et|ou|y|o|と)?[\s*_()]*")
_AROUND = " \t\r\n*_$.,:;!\"'`()[]{}。，、：；！「」『』《》【】"
# "I think" and "A reason" do not name a choice, but "A is right" does.
_LETTER_BEFORE = re.compile(rf"(?![{NO_SPACES}])[^\W_]")
_LETTER = re.compile(
    rf"(?:[B-HJ-Z]|[AI](?!['\u2019]| (?!(?:is|are|and|or)\b)[a-z]))(?:(?<![^\W_].)|(?<=[{NO_SPACES}].))"
    rf"(?:(?![^\W_]|['\u2019]\w)|(?=[{NO_SPACES}]))"
)
_FIRST_WORD = re.compile(
    rf"(?![\s*]*,)\W*(?:(?:option|choice|letter|opción|lettre|buchstabe|选项|選項)\s*)?\W*"
    rf"([A-Z]|(?<=\()[a-z](?=\))|[a-z](?=[\W_]*\Z))(?:(?![^\W_])|(?=[{NO_SPACES}]))",
    re.IGNORECASE,
)


def choice_in(text: str, letters: str, choices: Sequence[str]) -> str | None:
    r"""Return the letter of the choice that a text names.

    The first that applies is used: the last box; what follows the last phrase such as "the answer is", "答案是" or
    "la respuesta es"; the whole text, if it is the text of a choice; the first line, if it is a letter; the last
    separate capital letter. A choice that is negated, as in "the answer is not A" or "A is wrong", is not named.

    Examples
    --------
    >>> choice_in("A is out. The answer is (C), not D.", "ABCD", ())
    'C'
    >>> choice_in("B. The correct answer is not A.", "ABCD", ()), choice_in("所以答案选B。", "ABCD", ())
    ('B', 'B')
    """
    boxed = last_boxed(text)
    if boxed is not None and (found := read_choice(boxed, letters, choices)):
        return found
    text = plain(text)
    for end in sorted(_ends_of_leads(text), reverse=True):
        line = text[end : end + 1000].partition("\n")[0]
        if found := _at_start(line, letters, choices):
            return found
    if found := read_choice(text, letters, choices):
        return found
    first = text.strip().partition("\n")[0].strip(_AROUND)
    if len(first) == 1 and first in letters:
        return first
    return next((letter for letter in _named(text) if letter in letters), None)


def _ends_of_leads(text: str) -> Iterator[int]:
    """Iterate over the ends of phrases that precede an answer."""
    lower = text.lower()
    if len(lower) != len(text):  # a few letters become two
        lower = text
    for word in _IN_ASCII if text.isascii() else _LEADS:
        place = lower.find(word)
        while place >= 0:
            separate = place == 0 or not _LETTER_BEFORE.match(text, place - 1)
            if separate and (after := _FOLLOWED[word].match(text, place + len(word))):
                yield after.end()
            place = lower.find(word, place + len(word))


def _at_start(line: str, letters: str, choices: Sequence[str]) -> str | None:
    word = _FIRST_WORD.match(line)
    if word and _is_letter(word[1], line, word) and word[1].upper() in letters:
        open_end = _AFTER_NOT.match(line, word.end()) or _OR.match(line, word.end())
        return None if open_end else word[1].upper()
    return read_choice(line, letters, choices)


def _is_letter(letter: str, line: str, word: re.Match[str]) -> bool:
    """Return whether a letter names a choice. A small one must be in brackets or end the line. "I" may be a pronoun."""
    if letter.islower():
        return line[word.start(1) - 1 : word.start(1)] == "(" or not line[word.end() :].strip(_AROUND)
    return letter != "I" or not _PRONOUN.match(line, word.end())


def _named(text: str) -> Iterator[str]:
    """Iterate over the separate capital letters that are not negated, from the last to the first."""
    found = [*_LETTER.finditer(text)]
    together = False  # whether a negation after the next letter also covers this one, as in "A and B are wrong"
    for i in range(len(found) - 1, -1, -1):
        start, end = found[i].span()
        if together:
            gap = text[end : found[i + 1].start()]
            together = bool(gap.strip()) and len(gap) < _GAP and bool(_BETWEEN.fullmatch(gap))
        together = together or bool(_AFTER_NOT.match(text, end))
        if not together and not _BEFORE_NOT.search(text, max(start - _GAP, 0), start):
            yield found[i][0]


def read_choice(text: str, letters: str, choices: Sequence[str]) -> str | None:
    """Return the letter of a text that consists of the letter or the text of one choice, ignoring case.

    Examples
    --------
    >>> read_choice("(b)", "AB", ("London", "Paris")), read_choice("paris.", "AB", ("London", "Paris"))
    ('B', 'B')
    """
    short = _bare(text) if len(text) < 2000 else ""
    if len(short) == 1 and short.upper() in letters:
        return short.upper()
    named = re.match(r"\(?([a-z])[).:]\s*(?=\S)", short)  # b) Paris
    if named and (place := letters.find(named[1].upper())) >= 0 and choices[place : place + 1]:
        rest = short[named.end() :].strip(_AROUND)
        return letters[place] if rest == _bare(choices[place]) else None
    spelled = [letter for letter, choice in zip(letters, choices, strict=False) if _bare(choice) == short]
    return spelled[0] if len(spelled) == 1 and short else None


def _bare(text: str) -> str:
    r"""Remove punctuation around a text, \text{} and similar commands, and case."""
    text = plain(text).strip()
    while inner := re.fullmatch(r"\$?\\(?:text|textbf|mathrm|mathbf|boxed)\s*\{(.*)\}\$?", text, re.DOTALL):
        text = inner[1].strip()
    return " ".join(text.strip(_AROUND).split()).casefold()
