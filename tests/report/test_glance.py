"""The pool at a glance, and the methods."""

from dataclasses import replace

import pytest

from mssim import __version__
from mssim.report.glance import glance_section, methods_section
from mssim.report.study import make_study
from tests.conftest import make_pool
from tests.report.pools import FAST, hostile_pool, small_study


def texts(section):
    return [text for part in section.parts if part.kind == "text" for text in part.paragraphs]


def test_warnings_are_listed():
    study = small_study()
    found = texts(glance_section(study))
    assert "What is odd:" in found
    assert found[-len(study.pool.warnings()) :] == study.pool.warnings()


def test_a_sound_pool_has_nothing_odd():
    pool = make_pool({("m", f"q{q}"): ["a", "a", "b"] for q in range(4)})
    found = texts(glance_section(make_study(pool, **FAST | {"budgets": [1, 2], "limits": [2]})))
    assert found == [
        "12 samples of 1 model for 4 questions.",
        "Nothing odd was found: no warning about lengths, missing answers, texts or settings.",
    ]


def test_what_the_publisher_has_stated_is_listed():
    study = small_study()
    pool = replace(
        study.pool, info={"known_warnings": study.pool.warnings(), "licence": "MIT", "grader": {"rule": "r"}}
    )
    found = texts(glance_section(replace(study, pool=pool)))
    assert {"Licence: MIT.", "Graded with the rule `r`.", *study.pool.warnings()} <= set(found)


def test_models_that_take_no_part_are_named():
    study = replace(small_study(), left_out={"w": "it has no samples"})
    assert texts(glance_section(study))[-1] == "w does not take part: it has no samples."


def test_synthetic_pools_say_so():
    study = make_study(hostile_pool(n_questions=6), strategies=[], **FAST)
    assert any(text.startswith("SYNTHETIC DATA") for text in texts(glance_section(study)))


@pytest.mark.parametrize("command", [None, "mssim report POOL"])
def test_methods_say_how_to_repeat_the_page(command):
    section = methods_section(small_study(), command)
    cells = {row[0]: row[1] for row in section.parts[0].rows}
    assert cells["seed"] == "0"
    assert f"mssim {__version__}" in cells["versions"]
    assert cells["intervals"] == "95%, over questions"
    assert texts(section)[2:] == ([] if command is None else ["`mssim report POOL`"])


def test_every_strategy_that_is_named_has_its_rule():
    rules = methods_section(small_study(), None).parts[1]
    named = {
        name for frame in small_study().frames.values() for name in [*frame["strategy"], *frame["control"]] if name
    }
    assert {row[0].strip("`") for row in rules.rows} == named
    assert all(row[1] for row in rules.rows)
