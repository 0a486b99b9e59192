"""Registries of rules: every rule of the library declares itself, and no two by one name."""

import pytest

from mssim import StrategyError
from mssim.rules.registry import STOPS, STRATEGIES, VOTES, Registry, Row


def test_every_registered_rule_of_the_library_has_a_row_that_names_it():
    by_default = {"entropy", "plurality"}  # votes that some strategies have unless told otherwise
    for registry, text in ((STRATEGIES, "{}:"), (STOPS, "stop={}:"), (VOTES, "vote={}")):
        names = {n for n, rule in registry.items() if getattr(rule, "__module__", "mssim").startswith("mssim")}
        names -= by_default if registry is VOTES else set()
        assert names
        for name in names:
            assert any(text.format(name) in row.rule for row in registry[name].rows), name


def test_rules_are_found_by_name_in_the_order_in_which_they_were_declared():
    rules = Registry("vote")
    rules.add("b", "one")
    rules.add("a", "two")
    assert list(rules) == ["b", "a"]
    assert (len(rules), rules["a"], "c" in rules) == (2, "two", False)


def test_a_name_is_taken_by_one_rule_which_may_be_declared_again():
    """A module that is loaded again, as in a notebook, replaces its own rule."""
    rules = Registry("stop rule")
    first, again = type("Early", (), {}), type("Early", (), {})
    rules.add("early", first)
    rules.add("early", again)
    assert rules["early"] is again
    with pytest.raises(StrategyError, match=r"stop rule 'early' is the name of .*\.Early\. Choose another name\."):
        rules.add("early", type("Other", (), {}))
    assert rules["early"] is again


def test_a_row_is_replayed_and_needs_no_column_unless_it_says_so():
    row = Row("sc:M", "argmax n(a)", "2203.11171")
    assert (row.column, row.method) == ("-", "replay")
