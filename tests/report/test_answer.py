"""The answer: its sentences have the numbers of the table, and say no more than they show."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mssim.report import make_report
from mssim.report.answer import _how_sure, answer_of, answer_section, noise, paired_counts, verdict
from mssim.report.study import Candidate
from tests.conftest import make_pool
from tests.report.pools import FAST, small_study

ROW = {
    "strategy": "ms:x+y",
    "budget": 8,
    "control": "sc:x",
    "control_budget": 8,
    "control_held_out": 0.5,
    "gain": 0.04,
    "gain_low": 0.01,
    "gain_high": 0.07,
    "p_holm": 0.01,
    "n_folds": 10,
}


def said(**changes):
    """The sentence about a choice with these numbers, of three limits."""
    tunings = {"tokens": SimpleNamespace(limits=np.arange(3))}
    study = SimpleNamespace(confidence_level=0.95, tunings=tunings, label=lambda name: name)
    row = pd.Series(ROW | changes, dtype=object)
    return verdict(study, row), _how_sure(study, "tokens", row)


def test_a_significant_gain_is_better():
    assert said() == (
        "better",
        "The best single model within the same limit, `sc:x`, reaches 50.0%: the choice is better, by +4.0 points "
        "[+1.0, +7.0] (p = 0.01, adjusted for 3 limits).",
    )


def test_a_significant_loss_is_worse():
    result, sentence = said(gain=-0.04, gain_low=-0.07, gain_high=-0.01)
    assert result == "worse"
    assert "worse on held-out questions, by -4.0 points [-7.0, -1.0]" in sentence


@pytest.mark.parametrize("gain", [0.04, 0.0, -0.04])
def test_anything_else_cannot_be_told_apart(gain):
    result, sentence = said(gain=gain, p_holm=0.051)
    assert result == "cannot be told apart"
    assert "cannot be told apart from zero (p = 0.051, adjusted for 3 limits)" in sentence


def test_the_same_strategy_is_the_same_and_not_a_tie():
    same = {"strategy": "sc:x", "gain": 0.0, "p_holm": 1.0}
    assert said(**same)[0] == "the same"
    assert said(**same)[1] == (  # which can be another one without some folds
        "This is the best single model itself: on all questions and without each of 10 folds, the choice within this "
        "limit is the best single model."
    )
    result, sentence = said(**same | {"gain": -0.01})  # in some folds another strategy was chosen
    assert result == "cannot be told apart"
    assert "which reaches 50.0%; without some folds, another is chosen: the difference of -1.0 points" in sentence


def test_without_a_single_model_there_is_nothing_to_compare_with():
    assert said(control=None) == ("", "No single model is within this limit, so there is nothing to compare it with.")


def test_answers_have_the_numbers_of_tune():
    study = small_study()
    for unit, frame in study.frames.items():
        for i, row in frame.iterrows():
            what, _, why = answer_of(study, unit, i)
            assert f"`{row['strategy']}`" in what
            held = [f"{100 * row[name]:.1f}" for name in ("held_out", "low", "high")]
            assert "{}% [{}, {}]".format(*held) in what
            wins, losses, ties, n = map(
                int, re.search(r"on (\d+), less on (\d+) and equal on (\d+) of (\d+)", why).groups()
            )
            assert wins + losses + ties == n == 16


def test_only_the_pair_that_is_compared_by_question_refers_to_it():
    study = small_study()
    shown = [(one.strategy, one.budget) for one in study.shown_pair()]
    for unit, frame in study.frames.items():
        for i in range(len(frame)):
            pair = [(one.strategy, one.budget) for one in (study.chosen(unit, i), study.rival(unit, i))]
            assert ("see where it wins" in answer_of(study, unit, i)[2]) == (pair == shown)


def test_ties_are_differences_within_three_errors():
    rng = np.random.default_rng(0)
    a, b = (Candidate("s", 1, rng.random(50).round(1), np.ones(50), n) for n in (0, 25))
    share = (25 * b.accuracy + 1) / 27
    error = 3 * np.sqrt(share * (1 - share) / 25)
    assert np.allclose(noise(a, b), error)
    tie = np.abs(a.accuracy - b.accuracy) <= error
    assert 0 < tie.sum() < 50
    expected = ((a.accuracy > b.accuracy) & ~tie).sum(), tie.sum(), ((a.accuracy < b.accuracy) & ~tie).sum()
    assert paired_counts(a, b) == expected
    exact = Candidate("s", 1, a.accuracy, a.spend, 0)
    assert paired_counts(a, exact) == (0, 50, 0)


def test_ties_are_also_replays_that_are_all_right_and_differences_that_are_not_shown():
    replayed, exact = (Candidate("s", 1, np.array([share]), np.ones(1), n) for share, n in ((1.0, 2000), (0.999, 0)))
    assert paired_counts(replayed, exact) == (0, 1, 0)  # two wrong replays are expected, and none is not rare
    other = replace(exact, accuracy=np.array([0.9986]))
    assert paired_counts(exact, other) == (0, 1, 0)
    assert paired_counts(exact, replace(other, accuracy=np.array([0.9984]))) == (1, 0, 0)


def test_every_limit_has_an_answer_and_one_is_first():
    study = small_study()
    section = answer_section(study)
    choices = [part for part in section.parts if part.kind == "choice"]
    assert len(choices) == sum(map(len, study.frames.values()))
    for unit in study.tunings:
        assert sum(one.first for one in choices if one.unit == unit) == 1
    tables = [part for part in section.parts if part.kind == "table"]
    assert [len(table.rows) for table in tables] == [len(frame) for frame in study.frames.values()]


@pytest.mark.parametrize(
    ("answer", "info", "says"),
    [
        ("b", {}, "No recorded sample is right"),
        (None, {}, "No recorded sample is right"),
        ("a", {"votes": False}, "votes"),
    ],
)
def test_an_answer_that_means_nothing_says_so(answer, info, says):
    pool = replace(make_pool({("m", f"q{q}"): [answer] * 3 for q in range(4)}), info=info)
    report = make_report(pool, **FAST | {"budgets": [1, 2], "limits": [2]})
    doubt = report.sections[0].parts[0]
    assert doubt.warning
    assert doubt.paragraphs[0].startswith("Do not rely on this answer: ")
    assert says in doubt.paragraphs[0]
    assert "Do not rely" not in str(answer_section(small_study()).parts[0])


def test_what_was_fitted_is_named():
    study = replace(small_study())
    frames = {unit: frame.assign(fitted="mix:x+y,shares=3/1") for unit, frame in small_study().frames.items()}
    study.__dict__["frames"] = frames
    assert "`, fitted as `mix:x+y,shares=3/1`, with a budget of" in answer_of(study, "samples_used", 0)[0]
