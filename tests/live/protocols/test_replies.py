import pytest

from mssim.live.protocols.replies import agrees, lines_of, most_frequent, number_in, verdict

WORDS = ("affirmative", "negative")


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("Verdict: AFFIRMATIVE", ("affirmative", "")),
        ("**Verdict:** negative side.\n 12", ("negative", "side.\n 12")),
        ("Verdict: negative\nVerdict: affirmative, 7", ("affirmative", "7")),
        ("verdict : negative", ("negative", "")),
        ("The affirmative is wrong. Verdict: negative", ("negative", "")),
        ("negative: -5", ("negative", "-5")),
        ("Verdict: affirmative and negative", (None, "")),
        ("Verdict: negative?", ("negative", "?")),
        ("nonaffirmative", (None, "")),
        ("", (None, "")),
    ],
)
def test_verdicts(reply, found):
    assert verdict(reply, WORDS, "verdict") == found


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("Best: 3", 3),
        ("3", 3),
        ("Of 2 and 4, best: #4", 4),
        ("1.5", 1.5),
        ("x3", None),
        ("-1", None),
        ("9", None),
        ("", None),
    ],
)
def test_numbers(reply, number):
    assert number_in(reply, "best", 1, 4) == number


@pytest.mark.parametrize(
    ("reply", "agreed"),
    [
        ("Agree", True),
        (" [Agree]", True),
        ("agree, but", True),
        ("Agreed", False),
        ("We agree", False),
        ("disagree", False),
        ("", False),
    ],
)
def test_agreement(reply, agreed):
    assert agrees(reply) == agreed


@pytest.mark.parametrize(
    ("reply", "lines"),
    [
        ("Sure:\n1. a cook\n2) a judge \n 3: a monk", ["a cook", "a judge", "a monk"]),
        ("**1.** a cook", ["** a cook"]),
        ("Sure:\n- a cook\n* a judge\n• a monk", ["a cook", "a judge", "a monk"]),
        ("a cook\n\n  a judge", ["a cook", "a judge"]),
        (" \n", []),
    ],
)
def test_lists(reply, lines):
    assert lines_of(reply) == lines


def test_most_frequent_answers():
    def answer(text):
        return text[-1] if text[-1].isdigit() else None

    assert most_frequent(["no", "a 8", "b 7", "c 7"], answer) == "b 7"
    assert most_frequent(["a 8", "b 7", "c 7", "d 8"], answer) == "a 8"
    assert most_frequent(["no", "none"], answer) == "no"
