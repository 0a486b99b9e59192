import pytest

from mssim.live.protocols import PROTOCOLS, Template
from mssim.live.protocols.templates import fill, names_in, starts_anew


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_default_templates_have_only_names_that_exist(kind):
    for template in PROTOCOLS[kind].prompts.values():
        assert {*names_in(template.text)} <= {*template.names()}


def test_values_are_not_filled_again():
    assert fill("{{a}}|{{ b }}|{a}|{{}}", {"a": lambda: "{{b}}", "b": lambda: r"\1"}) == r"{{b}}|\1|{a}|{{}}"


def test_what_starts_a_conversation():
    assert [starts_anew(text) for text in ("{{question}}", "x {{ prompt }}", "{{own}}", "question")] == [
        True,
        True,
        False,
        False,
    ]


def test_names():
    assert Template("", ("a",), ("b",)).names() == ["question", "prompt", "a", "a answer", "b"]
