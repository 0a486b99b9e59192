import pytest

from mssim.errors import StrategyError
from mssim.live.protocols import Calls, Final, parse_protocol
from mssim.live.protocols.mad import PROMPTS
from tests.playing import ask, assistant, play, system, user

MODERATE = PROMPTS["moderate"].text


def script(*texts):
    """Replies in order: of three rounds and of the extraction."""
    steps = [f"round {r}, {who}" for r in (1, 2, 3) for who in ("affirmative", "negative", "judge")]
    return dict(zip([*steps, "extraction"], texts, strict=False))


def opposed(prompt, opponent):
    return user(PROMPTS["oppose"].text.replace("{{prompt}}", prompt).replace("{{opponent}}", opponent))


def replied(opponent):
    return user(PROMPTS["reply"].text.replace("{{opponent}}", opponent))


def judged(history, turn, rounds=3):
    text = PROMPTS["judge"].text.replace("{{prompt}}", "For j: 3 x 4? Digits.").replace("{{history}}", history)
    return [system(MODERATE), user(text.replace("{{round}}", str(turn)).replace("{{rounds}}", str(rounds)))]


def test_every_message_of_a_debate_that_the_judge_ends_in_the_second_round():
    texts = ["a1", "n1", "Verdict: undecided", "a2", "n2 12", "I see.\nVerdict: negative\nThe answer is 12."]
    end, calls, rounds = play("mad:told+n,judge=j", script(*texts))
    assert rounds == [[step] for step in script(*texts)]
    assert [call.model for call in calls.values()] == ["told", "n", "j"] * 2
    first, opposing, judging, second, third, last = (call.messages for call in calls.values())
    assert first == ask("told")
    assert opposing == [opposed("For n: 3 x 4? Digits.", "a1")]
    history = "Affirmative side, round 1:\na1\n\nNegative side, round 1:\nn1"
    assert judging == judged(history, 1)
    assert second == [*ask("told"), assistant("a1"), replied("n1")]
    assert third == [*opposing, assistant("n1"), replied("a2")]
    assert last == judged(f"{history}\n\nAffirmative side, round 2:\na2\n\nNegative side, round 2:\nn2 12", 2)
    assert end == Final("The answer is 12.", "judge")


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        ("Verdict: affirmative", "a 11"),  # the judge gives no answer of its own, so it is that of the side
        ("The negative side says 5.\nVerdict: affirmative.", "a 11"),
        ("The affirmative side says 5.\n**Verdict:** Negative", "n 12"),
        ("Verdict: negative\n\\boxed{13}", "\\boxed{13}"),  # its own answer counts
        (" affirmative: 14", "14"),  # the completion of a prompt that ends in "Verdict:"
        ("negative", "n 12"),
    ],
)
def test_the_judge_ends_the_debate(verdict, text):
    end, _, _ = play("mad:a", script("a 11", "n 12", verdict))
    assert end == Final(text, "judge")


@pytest.mark.parametrize(
    "verdict",
    [
        "",
        "Verdict: undecided",
        "Both have a point. 5",
        "Verdict: affirmative or negative",
        "Verdict: undecided, perhaps negative",
        "Affirmative? Negative? 7",
    ],
)
def test_a_judge_that_names_nobody_lets_the_debate_continue(verdict):
    texts = ["a1", "n1", verdict, "a2", "n2", verdict, "Finally 9"]
    steps = [*script(*texts[:6]), "extraction"]
    end, calls, _ = play("mad:a,rounds=2", dict(zip(steps, texts, strict=True)))
    assert end == Final("Finally 9", "rounds")
    history = "\n\n".join(
        f"{side} side, round {r}:\n{side[0].lower()}{r}" for r in (1, 2) for side in ("Affirmative", "Negative")
    )
    text = PROMPTS["extract"].text.replace("{{prompt}}", "For a: 3 x 4? Digits.").replace("{{history}}", history)
    assert calls["extraction"].messages == [system(MODERATE), user(text)]


def test_an_empty_first_answer_is_opposed_too():
    _, calls, _ = play("mad:a", script("", "", "Verdict: negative"))
    assert calls["round 1, negative"].messages == [opposed("For a: 3 x 4? Digits.", "")]


def test_few_shot_templates_are_sent_alone():
    prompts = {
        "mad": {
            "oppose": "{{question}} Not {{opponent answer}} but",
            "reply": "{{question}} {{own answer}} or {{opponent answer}}? Round {{round}}:",
            "moderate": "",
            "judge": "{{question}} A: {{affirmative answer}} B: {{negative answer}} Verdict:",
        }
    }
    texts = ["so 11", "12", "?", "11", "13", "affirmative: 11"]
    end, calls, _ = play("mad:a,rounds=2", script(*texts), prompts)
    sent = [[message["content"] for message in call.messages] for call in calls.values()][1:]
    assert sent == [
        ["3 x 4? Not 11 but"],
        ["3 x 4? A: 11 B: 12 Verdict:"],
        ["3 x 4? 11 or 12? Round 2:"],
        ["3 x 4? 12 or 11? Round 2:"],
        ["3 x 4? A: 11 B: 13 Verdict:"],
    ]
    assert end == Final("11", "judge")


def test_numbers_of_calls():
    assert parse_protocol("mad:a,rounds=1").calls() == Calls(3, 4)
    assert parse_protocol("mad:a+b,judge=c").calls() == Calls(3, 10)
    assert parse_protocol("mad:a+b,judge=c").participants() == ("a", "b", "c")


@pytest.mark.parametrize("text", ["mad:a+b+c", "mad:a,rounds=0", "mad:a,judge="])
def test_refused(text):
    with pytest.raises(StrategyError, match="protocol"):
        parse_protocol(text)
