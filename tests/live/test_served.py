"""What sessions share. How they fail and continue is tested with the session of a strategy."""

import pytest

from mssim.errors import MssimError
from mssim.live.served import Told, served_plan, with_system
from mssim.recorder import ModelPlan, Plan, Progress, Server

USER = {"role": "user", "content": "What is 6 x 7?"}
SERVER = Server("http://127.0.0.1:9/v1")


def model(**options):
    return ModelPlan("a", "a", SERVER, 1, **options)


def test_prompts_are_messages_whatever_the_template_of_the_plan():
    plan = Plan((model(template="Q: {{question}}", system="Be brief."),), {"title": "t"})
    served = served_plan(plan)
    assert (served.models[0].template, served.models[0].system) == ("{{messages}}", "Be brief.")
    assert served.info == plan.info
    with pytest.raises(MssimError, match="model 'a': its system message has placeholders"):
        served_plan(Plan((model(system="About {{topic}}."),)))


def test_the_system_message_of_the_plan_is_for_messages_without_one():
    plan = model(system="Be brief.")
    assert with_system(plan, [USER]) == [{"role": "system", "content": "Be brief."}, USER]
    for role in ("system", "developer"):
        messages = [USER, {"role": role, "content": ""}]
        assert with_system(plan, messages) == messages
    assert with_system(model(), [USER]) == [USER]


def test_warnings_and_silence_are_logged_once_each_time():
    lines, progress = [], Progress(8, 0, 0)
    told = Told(lines.append)
    progress.warn("first")
    told(progress)
    progress.warn("second")
    progress.silent_since, progress.trouble = 1.0, "nothing answers at http://127.0.0.1:9/v1"
    told(progress)
    told(progress)
    silent = "a server does not answer: nothing answers at http://127.0.0.1:9/v1"
    assert lines == ["warning: first", "warning: second", silent]
    progress.silent_since = None
    told(progress)
    progress.silent_since = 2.0
    told(progress)
    assert lines[3:] == [silent]
