from mssim.live.protocols import Agent, parse_protocol
from tests.playing import ask, assistant, system, task, user

DEBATE = parse_protocol("debate:a")


def test_a_conversation_continues_and_calls_keep_their_messages():
    agent = Agent(DEBATE, task(DEBATE, {"debate": {"revise": "Others: {{others}}"}}), "told")
    first = agent.propose("round 1")
    agent.hears("11")
    second = agent.asked("round 2", "revise", others="12")
    agent.hears("")
    third = agent.asked("round 3", "revise", others="13")
    assert first == ("round 1", "told", ask("told"))
    assert second.messages == [*ask("told"), assistant("11"), user("Others: 12")]
    assert third.messages == [*second.messages, assistant(""), user("Others: 13")]
    assert agent.said == ""


def test_a_template_with_the_question_starts_anew_with_the_system_message():
    agent = Agent(DEBATE, task(DEBATE, {"debate": {"revise": "{{prompt}} {{others}}"}}), "told")
    agent.propose("round 1")
    agent.hears("11")
    call = agent.asked("round 2", "revise", others="12")
    assert call.messages == [system("Be brief."), user("For told: 3 x 4? Digits. 12")]


def test_a_system_text_is_added_to_that_of_the_model():
    asked = task(DEBATE, {"debate": {"revise": "{{question}}"}})
    assert Agent(DEBATE, asked, "told", "Judge.").asked("x", "revise").messages[0] == system("Be brief.\n\nJudge.")
    assert Agent(DEBATE, asked, "a", "Judge.").asked("x", "revise").messages[0] == system("Judge.")
    assert Agent(DEBATE, asked, "a", " \n").asked("x", "revise").messages == [user("3 x 4?")]
