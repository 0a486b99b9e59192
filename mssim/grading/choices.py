r"""Extraction of the letter of a choice, in the usual phrases of several languages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from mssim.grading.boxes import last_boxed
from mssim.grading.characters import NO_SPACES, plain

__all__ = ["choice_in", "read_choice"]

# Phrases before an answer: a word by which they are found, in lower case, and what may follow it. To support another
# language, add its phrases here.
_LEADS = {
    "answer": r"s?(?: choice| option| letter)?(?: here)?(?: is| are|'s| would be| must be| should be)?"
    r"(?: (?:therefore|thus|hence|then|clearly|indeed|likely|most likely|probably|definitely|actually|obviously))?",
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
    r"over|than|(?:ruled?|ruling) out|eliminat(?:e|ed|ing)|exclud(?:e|ed|ing)|排除|nor|ni|weder|noch|"
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
    r"|(?:选项|選項|项|項)?(?:是|都|均|也)?(?:不对|不對|不正确|不正確|错|錯)|は(?:誤り|違|間違|不正解)|では(?:な|ありません)|[은는이가]?\s?(?:아니|아닙|틀)"
    r"|ist (?:falsch|nicht)|est (?:faux|fausse|incorrect)|n'est pas|es (?:falsa|incorrecta)|no es)",
    re.IGNORECASE,
)
_SINGULAR = re.compile(r"[\s*_)]*(?:is|was|isn't|seems|looks)\b", re.IGNORECASE)
_ARTICLE = re.compile(
    r" (?!(?:an?|and|are|as|at|because|but|by|due|for|from|given|here|if|in|is|it|not|on|or|rather|since|so|that|the|"
    r"then|was|when|where|which|while|with)\b)[a-z]"
)
_PRONOUN = re.compile(r"['\u2019]\w| (?!(?:is|because|since|as|and|or)\b)[a-z]")
_NOT_CHOSEN = re.compile(r"[不别勿未非][应應能该該可要会會]?\Z")  # 不选A
_GAP = 40  # characters at most between a negation and a letter
_JOINT = r"(?:[,、/&]\s*(?:(?:and|or|und|oder|et|ou)\b)?|(?:and|or|nor|oder|und|et|ou|y|o|e)\b|[和及与與或と]|[와과]\s)"
_BETWEEN = re.compile(rf"[\s*_()]*{_JOINT}[\s*_()]*")
# Another letter after the first, which makes a list. "A, B is wrong" is not a list, but "A or B is right" is.
_MORE = re.compile(
    rf"[\s*_)]*(?:(?:or|oder|ou|或)\s*[(*_]*[A-Z](?:(?![^\W_])|(?=[{NO_SPACES}]))"
    rf"|{_JOINT}[\s(*_]*[A-Z](?=[\s*_)\"']*(?:[.,;:!?。；、/&]|\Z|(?:and|or|und|oder|et|ou|y|o|e|are|both)\b|[和及与與或と都均])))"
)
_ALTERNATIVE = re.compile(r"\b(?:or|nor|oder|ou|o)\b|或")
_SEVERAL = 10  # letters at most that one negation covers
_COMMAND = re.compile(r"\\[A-Za-z]+\s?|\\.|[{}$]")
_MARKED = re.compile(r"(?<![^\W_])([A-Z])[).:](?=\s)")  # B) Paris
_LETTERS = re.compile(r"[\s*_(:]*([A-Z]{2,})(?![^\W_])")  # AC
_AROUND = " \t\r\n*_$.,:;!\"'`()[]{}。，、：；！「」『』《》【】"
# "I think" and "A reason" do not name a choice, but "A is right" does.
_LETTER_BEFORE = re.compile(rf"(?![{NO_SPACES}])[^\W_]")
_LETTER = re.compile(
    r"(?:[B-HJ-Z]|[AI](?!['\u2019]| (?!(?:is|are|was|and|n?or|und|oder|ist|et|ou|est|y|o|es|e)\b)[a-z]))"
    rf"(?:(?<![^\W_].)|(?<=[{NO_SPACES}].))"
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
    Several letters, as in "A and C" or "A or B", are not a choice.

    Examples
    --------
    >>> choice_in("A is out. The answer is (C), not D.", "ABCD", ())
    'C'
    >>> choice_in("B. The correct answer is not A.", "ABCD", ()), choice_in("所以答案选B。", "ABCD", ())
    ('B', 'B')
    """
    boxed = last_boxed(text)
    if boxed is not None:
        if found := read_choice(boxed, letters, choices):
            return found
        if _end_of_list(_COMMAND.sub(" ", plain(boxed)), letters):
            return None
    text = plain(text)
    longest = max(map(len, choices), default=0) + 100  # characters of a line that can be the text of a choice
    for end in sorted({*_ends_of_leads(text)}, reverse=True):
        line = text[end : end + longest].partition("\n")[0]
        if found := _at_start(line, letters, choices, whole=len(line) < longest):
            return found
        if after := _end_of_list(line, letters):
            return _last_named(text[end + after :], letters)
    if found := read_choice(text, letters, choices):
        return found
    marked = _MARKED.findall(text) if choices else []
    if len(marked) == 1 and (begun := _MARKED.match(text.lstrip(_AROUND))) and begun[1] in letters[: len(choices)]:
        rest, choice = text.lstrip(_AROUND)[begun.end() :], choices[letters.index(begun[1])]
        if _bare(rest[: len(choice) + _GAP]).startswith(_bare(choice)):
            return begun[1]
    first = text.strip().partition("\n")[0].strip(_AROUND)
    if len(first) == 1 and first in letters:
        return first
    return _last_named(text, letters)


def _ends_of_leads(text: str) -> Iterator[int]:
    """Iterate over the ends of phrases that precede an answer."""
    lower = text.lower()
    if len(lower) != len(text):  # a few letters become two
        lower = text
    for word in _IN_ASCII if text.isascii() else _LEADS:
        place = lower.find(word)
        while place >= 0:
            separate = place == 0 or not (
                _LETTER_BEFORE.match(text, place - 1) or _NOT_CHOSEN.search(text, max(place - 2, 0), place)
            )
            if separate and (after := _FOLLOWED[word].match(text, place + len(word))):
                yield after.end()
            place = lower.find(word, place + len(word))


def _at_start(line: str, letters: str, choices: Sequence[str], *, whole: bool) -> str | None:
    """Return the letter at the start of a line, or the letter of the choice that is the whole line."""
    word = _FIRST_WORD.match(line)
    if word and _is_letter(word[1], line, word, choices) and word[1].upper() in letters:
        open_end = _AFTER_NOT.match(line, word.end()) or _MORE.match(line, word.end())
        return None if open_end else word[1].upper()
    return read_choice(line, letters, choices) if whole else None


def _end_of_list(line: str, letters: str) -> int:
    """Return the end of several letters at the start of a line, as in "A and C" or "AC", or 0."""
    if (several := _LETTERS.match(line)) and len({*several[1]}) == len(several[1]) and {*several[1]} <= {*letters}:
        return several.end()
    word = _FIRST_WORD.match(line)
    if not word or not word[1].isupper() or word[1] not in letters:
        return 0
    end = 0
    while more := _MORE.match(line, end or word.end()):
        end = more.end()
    return end


def _is_letter(letter: str, line: str, word: re.Match[str], choices: Sequence[str]) -> bool:
    """Return whether a letter names a choice. A small one must be before a bracket or end the line.

    "I" may be a pronoun and "A" an article, unless it precedes the text of its choice.
    """
    if letter.islower():
        marked = line[word.start(1) - 1 : word.start(1)] == "(" or line[word.end(1) : word.end(1) + 2] == ") "
        return marked or not line[word.end() :].strip(_AROUND)
    if letter == "A" and _ARTICLE.match(line, word.end()):
        return bool(choices) and line[word.end() :].strip(_AROUND).casefold().startswith(_bare(choices[0]))
    return letter != "I" or not _PRONOUN.match(line, word.end())


def _last_named(text: str, letters: str) -> str | None:
    """Return the last separate capital letter that is not negated, unless it is the last of several, as in "A or B"."""
    last = [*islice((one for one in _named(text) if one[0] in letters), 2)]
    if len(last) == 2 and last[0][0] != last[1][0] and _BETWEEN.fullmatch(text, last[1].end(), last[0].start()):
        return None
    return last[0][0] if last else None


def _named(text: str) -> Iterator[re.Match[str]]:
    """Iterate over the separate capital letters that are not negated, from the last to the first."""
    found = [*_LETTER.finditer(text)]
    alternative = False  # whether "or" joins this letter and the following ones
    together = False  # whether a negation after the next letter also covers this one, as in "A and B are wrong"
    for i in range(len(found) - 1, -1, -1):
        end = found[i].end()
        gap = text[end : min(end + _GAP, found[i + 1].start())] if i + 1 < len(found) else ""
        joint = bool(_BETWEEN.fullmatch(gap))
        alternative = joint and (alternative or bool(_ALTERNATIVE.search(gap)))
        together = joint and together
        negated = together or bool(_AFTER_NOT.match(text, end))
        together = negated and (together or not _SINGULAR.match(text, end))
        if not negated and not _negated_before(text, found, i, alternative):
            yield found[i]


def _negated_before(text: str, found: list[re.Match[str]], i: int, alternative: bool) -> bool:
    """Return whether a negation precedes a letter, or the first of several that "or" joins, as in "not A, B or C"."""
    if _BEFORE_NOT.search(text, max(found[i].start() - _GAP, 0), found[i].start()):
        return True
    first = i
    while 0 < first > i - _SEVERAL and _BETWEEN.fullmatch(text, found[first - 1].end(), found[first].start()):
        alternative = alternative or bool(_ALTERNATIVE.search(text, found[first - 1].end(), found[first].start()))
        first -= 1
    start = found[first].start()
    return alternative and bool(_BEFORE_NOT.search(text, max(start - _GAP, 0), start))


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
