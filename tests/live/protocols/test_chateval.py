import pytest

from mssim.errors import MssimError, StrategyError
from mssim.live.protocols import Calls, Final, parse_protocol
from mssim.live.protocols.chateval import PROMPTS
from tests.playing import play, system, user

ROLES = ("public", "critic")
TEXT = "chateval:a+b,roles=public/critic"


def turn(model, role, history, number, turns=2):
    text = PROMPTS["turn"].text
    values = {"prompt": f"For {model}: 3 x 4? Digits.", "role": PROMPTS[f"roles.{role}"].text, "history": history}
    for name, value in {**values, "turn": number, "turns": turns}.items():
        text = text.replace(f"{{{{{name}}}}}", str(value))
    return user(text)


def script(*texts):
    return dict(zip([f"turn {t}, {role}" for t in (1, 2) for role in ROLES], texts, strict=True))


def test_one_by_one_each_role_sees_all_that_was_said():
    end, calls, rounds = play(TEXT, script("p1 11", "c1 12", "p2 12", "c2 12"))
    assert rounds == [[step] for step in calls]
    assert [call.model for call in calls.values()] == ["a", "b"] * 2
    said = ["Public:\np1 11", "Critic:\nc1 12", "Public:\np2 12"]
    histories = ["(You speak first.)", said[0], "\n\n".join(said[:2]), "\n\n".join(said)]
    for (step, call), history in zip(calls.items(), histories, strict=True):
        assert call.messages == [turn(call.model, step[8:], history, int(step[5]))]
    assert end == Final("p2 12", "turns")


def test_simultaneous_roles_see_the_turns_before():
    end, calls, rounds = play(f"{TEXT},style=simultaneous", script("p1 11", "c1 12", "p2 13", "c2 14"))
    assert rounds == [["turn 1, public", "turn 1, critic"], ["turn 2, public", "turn 2, critic"]]
    history = "Public:\np1 11\n\nCritic:\nc1 12"
    assert calls["turn 1, critic"].messages == [turn("b", "critic", "(You speak first.)", 1)]
    assert calls["turn 2, public"].messages == [turn("a", "public", history, 2)]
    assert calls["turn 2, critic"].messages == [turn("b", "critic", history, 2)]
    assert end == Final("p2 13", "turns")  # a tie goes to the first role


def test_a_summary_stands_for_what_was_said():
    said = script("p1 11", "c1 12", "p2 13", "none") | {"turn 1, summary": "11 or 12."}
    end, calls, rounds = play(f"{TEXT},style=simultaneous_summary,summariser=told", said)
    assert rounds[1] == ["turn 1, summary"]
    text = PROMPTS["summarise"].text.replace("{{question}}", "3 x 4?")
    text = text.replace("{{history}}", "Public:\np1 11\n\nCritic:\nc1 12")
    assert calls["turn 1, summary"].messages == [system("Be brief."), user(text)]
    assert calls["turn 2, critic"].messages == [turn("b", "critic", "Summary of the discussion:\n11 or 12.", 2)]
    assert end == Final("p2 13", "turns")


def test_roles_of_users():
    prompts = {"chateval": {"roles": {"cook": "You cook {{question}}"}}}
    said = {"turn 1, cook": "1", "turn 1, critic": "2"}
    _, calls, _ = play("chateval:a,roles=cook/critic,turns=1", said, prompts)
    assert "You cook 3 x 4?" in calls["turn 1, cook"].messages[0]["content"]
    with pytest.raises(MssimError, match=r"no template 'roles.cook'.* add it to the prompts"):
        play("chateval:a,roles=cook/critic,turns=1", said)


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ("", 6),
        ("roles=critic,turns=5", 5),
        ("style=simultaneous,turns=5", 15),
        ("style=simultaneous_summary,turns=5", 19),
    ],
)
def test_numbers_of_calls(options, number):
    assert parse_protocol(f"chateval:a,{options}" if options else "chateval:a").calls() == Calls(number, number)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chateval:a,roles=critic/critic", "must be distinct names"),
        ("chateval:a,style=together", "style='together' is not valid. Choose from 'one_by_one', 'simultaneous'"),
        ("chateval:a,summariser=b", "only with style=simultaneous_summary"),
        ("chateval:a+b+c+d", "at most 3 can take part. Remove some, or increase roles."),
        ("chateval:a,turns=0", "turns=0 is out of range"),
    ],
)
def test_refused(text, message):
    with pytest.raises(StrategyError, match=message):
        parse_protocol(text)
