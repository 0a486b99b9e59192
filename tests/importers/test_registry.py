"""Formats by name, each with a reader and a public function."""

from types import SimpleNamespace

import pytest

from mssim import MssimError
from mssim.importers.registry import FORMATS, find, options_of


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_reader_and_a_function(name):
    import mssim.importers

    module = find(name)
    function = getattr(mssim.importers, f"from_{name.replace('-', '_')}")
    assert name in FORMATS
    assert module.PATTERNS
    assert set(options_of(module)) <= set(__import__("inspect").signature(function).parameters)


def test_options_are_what_a_reader_can_be_told_by_name():
    def read(sources, sink, *, scorer=None, rule=None):
        return sources, sink, scorer, rule

    assert options_of(SimpleNamespace(read=read)) == ["scorer", "rule"]


def test_an_unknown_format_is_named_with_its_neighbours():
    with pytest.raises(MssimError, match=r"format: 'lm_eval' is not known\. Did you mean 'lm-eval'"):
        find("lm_eval")
