"""Tokens of replies with several choices: reported for all of them, or for one."""

import pytest

from mssim.recorder import Choice, Reply
from mssim.recorder.usage import with_all_choices

HINDI = "\u0926\u094b \u0938\u0902\u0916\u094d\u092f\u093e\u090f\u0901 \u091c\u094b\u0921\u093c\u0947\u0902 " * 12
PROSE = "To add two numbers, begin at the right and carry what exceeds nine. " * 6  # 414 bytes, some 90 tokens


def choices(text=PROSE, n=6, **more):
    return tuple(Choice(text, "stop", **more) for _ in range(n))


def corrected(given, reported, most=None, known=False):
    reply, counts_one = with_all_choices(Reply(given, 50, reported), most, known)
    assert (reply.choices, reply.input_tokens) == (given, 50)
    return reply.output_tokens, counts_one


@pytest.mark.parametrize(
    ("given", "reported", "most", "expected"),
    [
        (choices(), 540, None, (540, False)),  # all choices
        (choices(), 90, None, (540, True)),  # one of them
        (choices(n=3), 90, None, (270, True)),
        (choices(n=1), 90, None, (90, False)),
        (choices(HINDI), 6 * len(HINDI) // 4, None, (6 * len(HINDI) // 4, False)),  # 4 characters a token, 10 bytes
        (choices(HINDI), len(HINDI) // 4, None, (6 * (len(HINDI) // 4), True)),
        (choices(), None, None, (None, False)),  # nothing
        (choices(output_tokens=91), 90, None, (546, True)),  # log-probabilities say how many there are
        (choices(output_tokens=91), 552, None, (552, False)),  # six more for the end of each
        (choices("7", output_tokens=1), 2, None, (6, True)),
        (choices("7"), 1, None, (6, True)),
        (choices("7"), 12, None, (12, False)),
        ((*choices(output_tokens=91), Choice("")), 90, None, (546, True)),
        ((*choices(n=2), Choice("", reasoning=PROSE * 9)), 900, None, (900, False)),
        (choices(" " * 4000, n=2), 40, None, (40, False)),  # a token may have many spaces
        (tuple(Choice("x" * 40, "length") for _ in range(4)), 32, 32, (128, True)),  # each was cut off at 32 tokens
        (tuple(Choice("x" * 40, "length") for _ in range(4)), 128, 32, (128, False)),
    ],
)
def test_tokens_of_all_choices(given, reported, most, expected):
    assert corrected(given, reported, most) == expected


def test_a_server_that_is_known_is_corrected_unless_no_choice_has_so_many_tokens():
    unequal = (Choice(PROSE, "stop"), Choice("7", "stop"))
    assert corrected(unequal, 90) == (90, False)
    assert corrected(unequal, 90, known=True) == (180, True)
    assert corrected(unequal, 90, 64, known=True) == (90, False)
    assert corrected(choices("7"), 60, known=True) == (60, False)
