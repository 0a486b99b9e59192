"""Fonts of figures: letters that the font of a style does not have come from another font of the system."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from mssim._validation import counted

__all__ = ["families"]

_GLYPH = r"(?s)Glyph \d+ .* missing from "
_SHOWN = 5  # missing letters in a warning
_LIKELY = ("cjk", "noto sans", "wenquanyi", "gothic", "hei", "song", "ming", "nanum", "malgun", "yahei", "unicode")
_UNFIT = ("last resort", "symbol", "nonunicode", "cmex", "cmsy")  # boxes, or glyphs under the code of another letter


def families(texts: Iterable[str]) -> list[str]:
    """Return the font families for texts: those of the style, and others for letters that they do not have.

    Matplotlib looks up each letter in the first family that has it. If no font has a letter, a warning names it, and
    Matplotlib's own warnings about each glyph are hidden.
    """
    from matplotlib import font_manager, rcParams

    found = list(rcParams["font.family"])
    missing = {letter for text in texts for letter in text if letter.isprintable() and not letter.isspace()}
    if all(letter.isascii() for letter in missing):
        return found
    for family in found:
        path = str(font_manager.findfont(font_manager.FontProperties(family=[family])))
        missing -= _letters(path, Path(path).stat().st_mtime_ns)
    for name, path in _candidates(font_manager.fontManager.ttflist) if missing else ():
        has = missing & _letters(path, Path(path).stat().st_mtime_ns)
        if has:
            found.append(name)
            missing -= has
        if not missing:
            break
    if missing:
        _warn(missing)
    return found


def _candidates(fonts: Iterable[Any]) -> list[tuple[str, str]]:
    """Return name and file of one font of each family, likely ones first."""
    plainness = [(font.style != "normal", abs(_weight(font.weight) - 400), str(font.fname), font) for font in fonts]
    files: dict[str, str] = {}
    for *_, path, font in sorted(plainness, key=lambda entry: entry[:3]):
        if Path(path).is_file() and not any(word in font.name.lower() for word in _UNFIT):
            files.setdefault(font.name, path)
    return sorted(files.items(), key=lambda entry: (not any(word in entry[0].lower() for word in _LIKELY), entry[0]))


def _weight(weight: Any) -> int:
    return weight if isinstance(weight, int) else 400


@lru_cache(maxsize=1024)
def _letters(path: str, changed: int) -> frozenset[str]:  # noqa: ARG001 (a changed file is read again)
    """Return the letters of a font; none if it cannot be read, or consists of bitmaps."""
    from matplotlib import font_manager

    try:
        font = font_manager.get_font(path)
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _warn(missing: set[str]) -> None:
    letters = sorted(missing)
    named = ", ".join(letters[:_SHOWN]) + (", ..." if len(letters) > _SHOWN else "")
    warnings.warn(
        f"figure: no installed font has {counted(len(letters), 'letter')} of its names ({named}), which are drawn as "
        "boxes. Install a font that has them, such as Noto Sans CJK.",
        stacklevel=3,
    )
    # One warning for each glyph and each drawing would follow, with a path into Matplotlib.
    if not any(pattern is not None and pattern.pattern == _GLYPH for _, pattern, *_ in warnings.filters):
        warnings.filterwarnings("ignore", _GLYPH, UserWarning)
