"""Names in the text of strategies: plain, or quoted where they contain characters that separate names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mssim.errors import StrategyError

__all__ = ["first_name", "quoted", "split_names", "with_quotes"]

_QUOTED = re.compile(r"""\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)')\s*""")


def quoted(name: str, separators: str = "+,") -> str:
    '''Return a name as it is written in text, in quotes exactly where it needs them.

    A quote inside of quotes of its kind is doubled.

    Examples
    --------
    >>> print(quoted("llama:8b"), quoted("gpt-4o+search"), quoted('"a"'), quoted("""'a' "b" """))
    llama:8b "gpt-4o+search" '"a"' "'a' ""b"" "
    '''
    if name == name.strip() and name[:1] not in ('"', "'") and not any(mark in name for mark in separators):
        return name
    mark = "'" if '"' in name and "'" not in name else '"'
    return mark + name.replace(mark, 2 * mark) + mark


def first_name(text: str, separators: str = "+,") -> tuple[str, str, str]:
    """Read the first name of a list; return it without quotes, the separator after it ("" at the end), and the rest.

    Raises
    ------
    StrategyError
        If a quote is not closed, or is followed by text.

    Examples
    --------
    >>> first_name("'a+b' + c,x=1")
    ('a+b', '+', ' c,x=1')
    >>> first_name("c,x=1")
    ('c', ',', 'x=1')
    """
    if text.lstrip()[:1] not in ('"', "'"):
        end = next((i for i, c in enumerate(text) if c in separators), len(text))
        return text[:end].strip(), text[end : end + 1], text[end + 1 :]
    found = _QUOTED.match(text)
    if found is None:
        raise StrategyError(
            f"the quotes of {text.strip()!r:.100} are not closed. Close them, and double quotes inside."
        )
    end = found.end()
    if end < len(text) and text[end] not in separators:
        raise StrategyError(
            f"the quotes of {text.strip()!r:.100} end before {text[end:]!r:.100}. Put the whole name into quotes, and "
            "double quotes inside."
        )
    name = found[1].replace('""', '"') if found[1] is not None else found[2].replace("''", "'")
    return name, text[end : end + 1], text[end + 1 :]


def split_names(text: str, separators: str = "+,") -> list[str]:
    """Split a list of names at separators outside of quotes.

    Examples
    --------
    >>> split_names('a, "b,c"', ",")
    ['a', 'b,c']
    """
    names, separator = [], separators[0]
    while separator:
        name, separator, text = first_name(text, separators)
        names.append(name)
    return names


def with_quotes(text: str, known: Iterable[str], separators: str = "+,") -> str:
    """Put known names that need quotes into quotes, wherever they are whole names of a list.

    Examples
    --------
    >>> with_quotes("gpt-4o+search+llama", ["gpt-4o+search", "llama"])
    '"gpt-4o+search"+llama'
    """
    names = sorted((name for name in known if quoted(name, separators) != name), key=len, reverse=True)
    if not names:
        return text
    marks = re.escape(separators)
    pattern = rf"(?:(?<=[{marks}])|\A)(\s*)({'|'.join(map(re.escape, names))})(?=\s*(?:[{marks}]|\Z))"
    return re.sub(pattern, lambda found: found[1] + quoted(found[2], separators), text)
