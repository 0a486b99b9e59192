"""The report as a whole."""

import sys
from dataclasses import replace

import pytest

from mssim import MssimError
from mssim.report import make_report
from tests.engine.test_evaluate import random_pool
from tests.report.pools import FAST, SCRIPT, hostile_report, small_study

SECTIONS = ["answer", "glance", "curves", "frontier", "wins", "questions", "stops", "consistency", "methods"]


@pytest.mark.slow
def test_two_pages_of_the_same_pool_are_identical(tmp_path):
    one, two = hostile_report(), hostile_report()
    assert [section.key for section in one.sections] == SECTIONS
    assert one.title == f"SYNTHETIC DATA: made up {SCRIPT}"
    one.save(tmp_path / "one.html")
    assert (tmp_path / "one.html").read_text(encoding="utf-8") == two.to_html()
    assert [path.name for path in tmp_path.iterdir()] == ["one.html"]


def test_a_title_does_not_hide_that_data_are_synthetic():
    pool = random_pool(n_questions=3)
    titles = [
        make_report(replace(pool, info=info), title="a\ud800", **FAST).title for info in ({}, {"synthetic": True})
    ]
    assert titles == [r"a\ud800", r"SYNTHETIC DATA: a\ud800"]


def test_progress_reaches_its_end():
    seen = []
    report = make_report(random_pool(), strategies=["ms:x+y"], progress=lambda *now: seen.append(now), **FAST)
    assert seen[-1] == (1000, 1000)
    assert seen == sorted(seen)
    assert repr(report) == "Report('Recorded samples', 9 sections)"
    assert len(report.answer) == 3
    assert "`" not in "".join(report.answer)


@pytest.mark.parametrize("name", ["altair", "vl_convert"])
def test_missing_packages_are_named_before_any_work(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MssimError, match=rf"the package {name}, which is not installed"):
        make_report(small_study().pool)
