import pytest

from mssim.errors import StrategyError
from mssim.live.protocols import Calls, Final, parse_protocol
from mssim.live.protocols.agentverse import PROMPTS
from tests.playing import play, user


def filled(name, **values):
    text = PROMPTS[name].text
    for key, value in {"question": "3 x 4?", "feedback": "", **values}.items():
        text = text.replace(f"{{{{{key}}}}}", str(value))
    return [user(text)]


def expert(name, model, role, history):
    return filled(name, prompt=f"For {model}: 3 x 4? Digits.", expert=role, history=history)


def test_reviewers_criticise_until_all_agree():
    said = {
        "round 1, recruiter": "1. a teacher\n2. a grocer\n3. a monk\n4. a judge",
        "round 1, solver": "s0 11",
        "round 1, review 1, reviewer 1": "Agree",
        "round 1, review 1, reviewer 2": "No, 12",
        "round 1, revision 1": "s1 12",
        "round 1, review 2, reviewer 1": "[Agree] well done",
        "round 1, review 2, reviewer 2": "agree.",
        "round 1, evaluator": "Verdict: correct",
    }
    end, calls, rounds = play("agentverse:a+b,recruiter=r,evaluator=e", said)
    both = [[f"round 1, review {n}, reviewer {i}" for i in (1, 2)] for n in (1, 2)]
    assert rounds[2] == both[0]
    assert rounds[4] == both[1]
    assert [call.model for call in calls.values()] == ["r", "a", "b", "b", "a", "b", "b", "e"]
    messages = [call.messages for call in calls.values()]
    assert messages[0] == filled("recruit", count=3)
    assert messages[1] == expert("solve", "a", "a teacher", "(Nothing.)")
    assert messages[2] == expert("review", "b", "a grocer", "Solver:\ns0 11")
    assert messages[3] == expert("review", "b", "a monk", "Solver:\ns0 11")
    history = "Solver:\ns0 11\n\nReviewer 2:\nNo, 12"
    assert messages[4] == expert("solve", "a", "a teacher", history)
    assert messages[5] == expert("review", "b", "a grocer", f"{history}\n\nSolver:\ns1 12")
    assert messages[7] == filled("evaluate", solution="s1 12")
    assert end == Final("s1 12", "evaluator")


def test_the_evaluator_sends_the_group_into_another_round():
    said = {
        "round 1, recruiter": "a teacher",
        "round 1, solver": "s1 11",
        "round 1, review 1, reviewer 1": "Agree",
        "round 1, evaluator": "Verdict: incorrect\nAdd again.",
        "round 2, recruiter": "",
        "round 2, solver": "s2 12",
        "round 2, review 1, reviewer 1": "Agree",
        "round 2, evaluator": "I cannot tell.",  # no verdict does not accept
    }
    end, calls, _ = play("agentverse:a,reviewers=1,rounds=2", said)
    assert end == Final("s2 12", "rounds")
    feedback = PROMPTS["feedback"].text.replace("{{solution}}", "s1 11").replace("{{advice}}", "Add again.")
    assert calls["round 2, recruiter"].messages == filled("recruit", count=2, feedback=feedback)
    unnamed = PROMPTS["unnamed"].text
    assert calls["round 1, review 1, reviewer 1"].messages == expert("review", "a", unnamed, "Solver:\ns1 11")
    history = "Solver:\ns1 11\n\nEvaluator:\nAdd again."
    assert calls["round 2, solver"].messages == expert("solve", "a", unnamed, history)


def test_reviews_end_after_their_largest_number():
    said = {
        "round 1, recruiter": "",
        "round 1, solver": "1",
        "round 1, review 1, reviewer 1": "I do not agree.",
        "round 1, revision 1": "2",
        "round 1, review 2, reviewer 1": "Disagree",
        "round 1, revision 2": "3",
        "round 1, evaluator": "",
    }
    text = "agentverse:a,reviewers=1,rounds=1,reviews=2"
    assert play(text, said)[0] == Final("3", "rounds")
    assert parse_protocol(text).calls() == Calls(4, len(said))


def test_horizontal_experts_speak_in_turn_and_the_solver_decides():
    said = {
        "round 1, recruiter": "- a teacher\n- a grocer\n- a monk",
        "round 1, reviewer 1": "g 12",
        "round 1, reviewer 2": "m 12",
        "round 1, solver": "12",
        "round 1, evaluator": "correct",
    }
    end, calls, rounds = play("agentverse:a+b+c,structure=horizontal", said)
    assert rounds == [[step] for step in said]
    assert [call.model for call in calls.values()] == ["a", "b", "c", "a", "a"]
    assert calls["round 1, reviewer 1"].messages == expert("discuss", "b", "a grocer", "(Nothing.)")
    assert calls["round 1, reviewer 2"].messages == expert("discuss", "c", "a monk", "Reviewer 1:\ng 12")
    history = "Reviewer 1:\ng 12\n\nReviewer 2:\nm 12"
    assert calls["round 1, solver"].messages == expert("solve", "a", "a teacher", history)
    assert end == Final("12", "evaluator")


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ("", Calls(5, 36)),
        ("structure=horizontal", Calls(5, 15)),
        ("reviewers=1,rounds=1,reviews=1", Calls(4, 5)),
    ],
)
def test_numbers_of_calls(options, calls):
    assert parse_protocol(f"agentverse:a,{options}" if options else "agentverse:a").calls() == calls


@pytest.mark.parametrize("text", ["a+b+c+d", "a,reviewers=0", "a,rounds=0", "a,reviews=0", "a,structure=flat"])
def test_refused(text):
    with pytest.raises(StrategyError, match="protocol 'agentverse"):
        parse_protocol(f"agentverse:{text}")
