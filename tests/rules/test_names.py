"""Names in text: plain where possible, else in quotes, and read back as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import StrategyError
from mssim.rules.names import first_name, quoted, split_names, with_quotes

NAMES = st.text(st.sampled_from("ab+,:=/'\" \n") | st.characters(), min_size=1)


@pytest.mark.parametrize("plain", ["gpt-4o", "llama:8b", "a=b", "a b", "it's", 'a"', "org/name"])
def test_names_that_separate_nothing_stay_as_they_are(plain):
    assert quoted(plain) == plain
    assert split_names(f" {plain} +x") == [plain, "x"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("a+b", '"a+b"'), ("a,b", '"a,b"'), (" a", '" a"'), ('"a"', "'\"a\"'"), ("'a'", "\"'a'\""), ("'\"", '"\'"""')],
)
def test_other_names_have_quotes(name, text):
    assert quoted(name) == text
    assert split_names(f"{text}+x") == [name, "x"]


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_any_names_survive_as_text(names):
    assert split_names("+".join(map(quoted, names))) == names


@given(st.text(st.sampled_from("ab+,'\" ")))
def test_quotes_are_read_or_refused(text):
    try:
        names = split_names(text)
    except StrategyError:
        assert "'" in text or '"' in text
    else:
        assert names == split_names("+".join(map(quoted, names))) or "" in names


@pytest.mark.parametrize(
    ("text", "says"),
    [('"a+b', "are not closed"), ("'", "are not closed"), ('"a"b', "end before 'b'"), ("'a' 'b'", "end before")],
)
def test_quotes_that_are_not_closed(text, says):
    with pytest.raises(StrategyError, match=says):
        first_name(text)


def test_both_kinds_of_quotes_are_read():
    assert split_names(""" 'a+b' , "c,d" ,e""") == ["a+b", "c,d", "e"]


def test_known_names_get_quotes():
    known = ["a+b", "a+b+c", "x", "y,z=1"]
    assert with_quotes("a+b+c+x", known) == '"a+b+c"+x'
    assert with_quotes(" a+b,y,z=1", known) == ' "a+b","y,z=1"'
    assert with_quotes("aa+b", known) == "aa+b"
    assert with_quotes("a+b", ["a", "b"]) == "a+b"
