import pytest

from mssim.errors import StrategyError
from mssim.live.protocols import PROTOCOLS, Calls, Final, Protocol, Task, parse_protocol
from tests.playing import QUESTION, ask, last_number, task

KINDS = ["agentverse", "best-of-n", "chateval", "debate", "mad", "moa"]


def test_the_registry_has_every_protocol_with_its_source_and_prompts():
    assert sorted(PROTOCOLS) == KINDS
    for kind, protocol in PROTOCOLS.items():
        assert protocol.kind == kind
        assert protocol.source[4] == "."
        assert "between" in protocol.prompts
        assert protocol.run.__doc__


@pytest.mark.parametrize("kind", KINDS)
def test_text_reads_back(kind):
    protocol = parse_protocol(f'{kind}:"a,b"+c')
    assert parse_protocol(str(protocol)) == protocol
    assert protocol.participants() == ("a,b", "c")


def test_models_take_turns():
    protocol = parse_protocol("debate:a+b")
    assert [protocol.model_of(number) for number in range(4)] == ["a", "b", "a", "b"]


def test_participants_name_each_model_once():
    assert parse_protocol("moa:a+b+a,aggregator=b").participants() == ("a", "b")


def test_answers_of_values_are_computed_only_if_the_template_has_them():
    protocol = parse_protocol("debate:a")

    def refuse(text):
        raise AssertionError(text)

    given = Task(QUESTION, ask, refuse)
    assert "others" in protocol.text(given, "revise", others="the others say")
    with pytest.raises(AssertionError, match="so 7"):
        protocol.text(Task(QUESTION, ask, refuse, {"revise": "{{own answer}}"}), "revise", own="so 7")
    replaced = Task(QUESTION, ask, last_number, {"revise": "{{ own answer }}{{others answer}}"})
    assert protocol.text(replaced, "revise", own="so 7", others="none") == "7"


def test_items_are_listed():
    protocol = parse_protocol("debate:a")
    assert protocol.listed(task(protocol), "other", [{"text": "1"}, {"text": "2"}]) == (
        "Another answer:\n1\n\nAnother answer:\n2"
    )


def test_a_protocol_of_a_user_registers_itself():
    class Parrot(Protocol):
        kind = "parrot-of-test"
        models = ("a",)

        def run(self, task):
            (text,) = yield [task]
            return Final(text, "done")

        def calls(self):
            return Calls(1, 1)

    try:
        assert PROTOCOLS["parrot-of-test"] is Parrot
        with pytest.raises(StrategyError, match="Choose another name"):
            PROTOCOLS.add("parrot-of-test", type("Other", (Parrot,), {}))
    finally:
        del PROTOCOLS._rules["parrot-of-test"]
