"""Patterns of files: they find what `re` finds, and do not search for ever."""

import re

import pytest

from mssim import PoolError
from mssim.importers.fields import Fields
from mssim.importers.patterns import Pattern


@pytest.mark.slow
def test_a_pattern_of_a_file_does_not_search_for_ever():
    pattern = Pattern("(a|aa)+$", Fields({}, "here"))
    assert pattern.findall("caa") == ["a"]
    assert (pattern.search("caa")[0], pattern.without("caa"), pattern.groups) == ("aa", "c", 1)
    with pytest.raises(PoolError, match=r"here: the pattern '\(a\|aa\)\+\$' takes more than 1 s for one text"):
        pattern.search("a" * 60 + "b")
    with pytest.raises(PoolError, match=r"here: the pattern '\(' is not a valid regular"):
        Pattern("(", Fields({}, "here"))


@pytest.mark.parametrize("pattern", [r"\d+", r"(\d)(\d)?", r"(?<=a)b|c", ""])
def test_patterns_find_what_re_finds(pattern):
    text = "12 ab 3c cab"
    compiled = Pattern(pattern, Fields({}, "here"))
    assert compiled.findall(text) == re.findall(pattern, text)
    assert compiled.search(text).span() == re.search(pattern, text).span()
    assert compiled.without(text) == re.sub(pattern, "", text)
    assert compiled.groups == re.compile(pattern).groups
