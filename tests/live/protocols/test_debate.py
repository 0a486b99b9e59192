import pytest

from mssim.errors import StrategyError
from mssim.live.protocols import Calls, Final, parse_protocol
from tests.playing import ask, assistant, play, system, user

REVISE = (
    "Here is what the others answered to the same question.\n\n{}\n\nCheck their reasoning and yours against each "
    "other. Then answer the question once more, in the same form as before."
)


def steps(agents, rounds):
    return [[f"round {r}, agent {a}" for a in range(1, agents + 1)] for r in range(1, rounds + 1)]


def script(*rounds):
    return {
        step: text
        for turn, texts in zip(steps(3, 3), rounds, strict=False)
        for step, text in zip(turn, texts, strict=False)
    }


def test_all_agents_answer_alone_and_then_see_the_last_answers_of_the_others():
    said = [("a1 11", "b1 12", "c1 13"), ("a2 21", "b2 22", "c2 22"), ("a3 31", "b3 31", "c3 32")]
    end, calls, rounds = play("debate:told+b,agents=3,rounds=3", script(*said))
    assert rounds == steps(3, 3)
    assert [calls[f"round 1, agent {i}"].model for i in (1, 2, 3)] == ["told", "b", "told"]
    assert calls["round 1, agent 1"].messages == ask("told")
    others = "Another answer:\nb1 12\n\nAnother answer:\nc1 13"
    second = [*ask("told"), assistant("a1 11"), user(REVISE.format(others))]
    assert calls["round 2, agent 1"].messages == second
    others = "Another answer:\na2 21\n\nAnother answer:\nb2 22"
    assert calls["round 3, agent 3"].messages[-1] == user(REVISE.format(others))
    assert calls["round 3, agent 3"].messages[:3] == [system("Be brief."), *ask("told")[1:], assistant("c1 13")]
    assert len(calls["round 3, agent 2"].messages) == 5
    assert end == Final("a3 31", "rounds")


@pytest.mark.parametrize(
    ("last", "text"),
    [
        (("7", "8", "8"), "8"),
        (("7", "8", "9"), "7"),  # a tie goes to the answer seen first
        (("none", "8", "9"), "8"),  # no answer does not vote
        (("none", "nothing", "nobody"), "none"),
    ],
)
def test_the_majority_of_the_last_round_is_the_answer(last, text):
    assert play("debate:a,rounds=2", script(("1", "1", "1"), last))[0] == Final(text, "rounds")


def test_one_round_is_a_vote():
    end, _, rounds = play("debate:a+b,agents=2,rounds=1", {"round 1, agent 1": "7", "round 1, agent 2": "8"})
    assert end == Final("7", "rounds")
    assert rounds == steps(2, 1)


@pytest.mark.parametrize(("text", "number"), [("a", 6), ("a+b", 4), ("a+b+c+d,rounds=3", 12), ("a+a,agents=5", 10)])
def test_the_number_of_calls_is_known_before(text, number):
    assert parse_protocol(f"debate:{text}").calls() == Calls(number, number)


def test_a_few_shot_template_is_sent_alone_with_answers_only():
    prompts = {
        "debate": {
            "revise": "{{question}} Others: {{others}}. Own: {{own answer}}. Result:",
            "other": "{{text answer}}",
            "between": ", ",
        }
    }
    said = script(("so 11", "so 12", "so 13"), ("1", "2", "3"))
    _, calls, _ = play("debate:told,rounds=2", said, prompts)
    assert calls["round 2, agent 2"].messages == [system("Be brief."), user("3 x 4? Others: 11, 13. Own: 12. Result:")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("agents=1", "agents=1 is out of range"),
        ("rounds=0", "rounds=0 is out of range"),
        ("rounds=two", "rounds='two' cannot be read. Example: rounds=3"),
        ("round=2", "unknown option 'round'. Did you mean 'rounds'?"),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(StrategyError, match=message):
        parse_protocol(f"debate:a,{options}")


def test_models_that_would_not_take_part_are_refused():
    with pytest.raises(StrategyError, match=r"at most 2 can take part. Remove some, or increase agents."):
        parse_protocol("debate:a+b+c,agents=2")
