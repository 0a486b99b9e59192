from pathlib import Path

import pytest

from mssim.errors import MssimError
from mssim.live.protocols import PROTOCOLS, parse_protocol, prompts_for, read_prompts
from tests.playing import task

ROOT = Path(__file__).parents[3]
FEW_SHOT = sorted((ROOT / "recorded" / "llm" / "prompts").glob("*.toml"))
DEBATE = parse_protocol("debate:a")


def test_defaults_and_what_replaces_them():
    own = prompts_for(DEBATE, None)
    assert set(own) == {"revise", "other", "between"}
    given = {"debate": {"other": "{{number}}: {{text answer}}", "between": ""}, "mad": {"moderate": ""}}
    assert prompts_for(DEBATE, given) == own | given["debate"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"debat": {}}, "prompts: unknown key 'debat'. Did you mean 'debate'?"),
        ({"debate": "x"}, "debate has type str. It must be a table"),
        ({"debate": {"revize": "x"}}, "debate: unknown template 'revize'. Did you mean 'revise'?"),
        ({"debate": {"revise": 1}}, "debate.revise has type int. It must be text."),
        ({"debate": {"revise": "{{other}}"}}, r"debate.revise: \{\{other\}\} does not exist. Did you mean 'others'"),
        ({"debate": {"roles": {"a": "x"}}}, "debate: unknown template 'roles.a'"),
        ({"moa": {"answer": "{{own}}"}}, "moa.answer"),  # tables of other kinds are checked too
        ({"chateval": {"roles": {"cook": "{{role}}"}}}, "chateval.roles.cook"),
        ({"chateval": {"roles": 1}}, "unknown template 'roles'"),
    ],
)
def test_refused(given, message):
    with pytest.raises(MssimError, match=message):
        prompts_for(DEBATE, given)


def test_roles_are_added_to_their_table_only():
    protocol = parse_protocol("chateval:a,roles=cook")
    assert prompts_for(protocol, {"chateval": {"roles": {"cook": "You cook."}}})["roles.cook"] == "You cook."
    with pytest.raises(MssimError, match=r"Choose from 'roles.public'"):
        prompts_for(protocol, {})


def test_a_file(tmp_path):
    path = tmp_path / "prompts.toml"
    path.write_text('[best-of-n]\npick = "Best:"\n[chateval.roles]\ncook = "You cook."\n')
    assert read_prompts(path) == {"best-of-n": {"pick": "Best:"}, "chateval": {"roles": {"cook": "You cook."}}}
    assert prompts_for(parse_protocol("best-of-n:a"), read_prompts(path))["pick"] == "Best:"
    with pytest.raises(MssimError, match="cannot be read"):
        read_prompts(tmp_path / "none.toml")


@pytest.mark.parametrize("path", FEW_SHOT, ids=lambda path: path.stem)
@pytest.mark.parametrize("kind", PROTOCOLS)
@pytest.mark.parametrize("reply", ["12", "incorrect"])
def test_few_shot_prompts_that_ship_are_one_message_each(path, kind, reply):
    style = ",style=simultaneous_summary" if kind == "chateval" else ""
    protocol = parse_protocol(f"{kind}:a+b{style}")
    run = protocol.run(task(protocol, read_prompts(path)))
    calls = next(run)
    try:
        while True:
            for call in calls:
                (message,) = call.messages
                assert message["role"] == "user"
                assert "3 x 4?" in message["content"].split("\n\n")[-1]
                assert "{{" not in message["content"]
            calls = run.send([reply] * len(calls))
    except StopIteration as stop:
        end = stop.value
    assert end.text == reply


def test_prompts_ship_for_some_tasks():
    assert {path.stem for path in FEW_SHOT} >= {"capitals", "products"}
