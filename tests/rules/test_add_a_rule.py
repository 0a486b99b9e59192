"""The guide that adds a rule, followed to the letter."""

import doctest
import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from mssim import SelfConsistency, StrategyError, catalogue, evaluate, parse_strategy
from mssim.rules import registry, stops
from tests.rules import test_parsing, test_recorded_numbers
from tests.rules.test_catalogue import deep_pool

GUIDE = (Path(__file__).parents[2] / "docs" / "how-to" / "add-a-rule.md").read_text(encoding="utf-8")


def block(mark):
    """The block of code after a mark."""
    return re.search(rf"<!-- {mark} -->\n```python\n(.*?)```", GUIDE, re.DOTALL).group(1)


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The rule of the guide, as a module of the package; gone after the test."""
    (tmp_path / "ahead.py").write_text(block("file: ahead.py"), encoding="utf-8")
    monkeypatch.setattr(stops, "__path__", [*stops.__path__, str(tmp_path)])
    line = block("line").strip()
    assert line == "from mssim.rules.stops.ahead import AheadStop"
    monkeypatch.setattr(registry.STOPS, "_rules", dict(registry.STOPS))
    yield importlib.import_module("mssim.rules.stops.ahead").AheadStop
    del sys.modules["mssim.rules.stops.ahead"], stops.ahead


@pytest.mark.slow
@pytest.mark.compiled
def test_the_guide_adds_a_rule_by_one_file_and_one_line(added):
    results = doctest.DocTestRunner().run(doctest.DocTestParser().get_doctest(block("use"), {}, "use", None, 0))
    assert (results.failed, results.attempted) == (0, 7)
    rule = parse_strategy("sc:x,stop=ahead:3")
    assert rule == SelfConsistency("x", stop=added(3))
    assert parse_strategy(str(rule)) == rule
    assert "sc:M,stop=ahead:2" in [row.rule for row in catalogue()]
    with pytest.raises(StrategyError, match="Did you mean 'ahead'"):
        parse_strategy("sc:x,stop=ahed")


@pytest.mark.slow
@pytest.mark.usefixtures("added")
def test_the_tests_of_all_rules_find_it():
    """Those that read the registry hold the rule to its plain statement and to the catalogue."""
    assert "ahead" in registry.STOPS
    test_recorded_numbers.test_every_registered_stop_keeps_to_its_plain_statement()
    row = next(row for row in catalogue() if "ahead" in row.rule)
    test_parsing.test_the_catalogue_says_what_is_so(row)


@pytest.mark.compiled
def test_a_looser_rule_uses_more(added):
    rules = {str(lead): SelfConsistency("x", stop=added(lead)) for lead in (1, 2, 3, 5)}
    used = evaluate(deep_pool(), rules, [20], n_replays=200).samples_used.mean(axis=(1, 2))
    assert (np.diff(used) > 0).all()
