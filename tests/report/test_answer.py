"""The answer: its sentences have the numbers of the table, and say no more than they show."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mssim.report import make_report
from mssim.report.answer import answer_of, answer_section, noise, paired_counts, verdict
from mssim.report.study import Candidate
from mssim.tuning.choice import accuracy_noise
from tests.conftest import make_pool
from tests.report.pools import FAST, small_study

ROW = {
    "strategy": "ms:x+y,vote=plurality",
    "fitted": "ms:x+y,vote=plurality",
    "budget": 4,
    "spend": 3.5,
    "held_out": 0.54,
    "low": 0.4,
    "high": 0.7,
    "control": "sc:x",
    "control_budget": 2,
    "control_held_out": 0.5,
    "control_spend": 2.0,
    "gain": 0.04,
    "gain_low": 0.01,
    "gain_high": 0.07,
    "p_holm": 0.01,
    "n_folds": 10,
}
CHOICE = (
    "`ms:x+y,vote=plurality` with a budget of 4 samples at most, which uses 3.5 on average: strategies chosen in this "
    "way answer 54.0% [40.0, 70.0]"
)
SINGLE = (
    "the best single model, `sc:x` with a budget of 2 samples, which uses 2 on average and answers 50.0% of held-out"
)


def said(**changes):
    """The verdict and the first two sentences about a choice with these numbers, of two limits."""
    study = replace(small_study())
    frame = study.frames["samples_used"].astype(object)
    for name, value in (ROW | changes).items():
        frame.loc[1, name] = value
    study.__dict__["frames"] = {"samples_used": frame}
    return verdict(study, frame.loc[1]), *answer_of(study, "samples_used", 1)[:2]


def test_a_significant_gain_is_better():
    assert said() == (
        "better",
        f"Within 4 samples per question on average, use {CHOICE} of held-out questions correctly.",
        "The best single model within the same limit, `sc:x` with a budget of 2 samples, uses 2 on average and reaches "
        "50.0%: the choice is better, by +4.0 points [+1.0, +7.0] (p = 0.01, adjusted for 2 limits).",
    )


def test_a_significant_loss_is_worse_and_the_single_model_recommended():
    result, what, sure = said(gain=-0.04, gain_low=-0.07, gain_high=-0.01)
    assert result == "worse"
    assert what.startswith(f"Within 4 samples per question on average, use {SINGLE}")
    assert sure.startswith(
        f"The choice among all strategies is {CHOICE}, and are worse, by -4.0 points [-7.0, -1.0] (p"
    )


@pytest.mark.parametrize("gain", [0.04, 0.0, -0.04])
def test_what_cannot_be_told_apart_is_not_recommended(gain):
    result, what, sure = said(gain=gain, p_holm=0.051)
    assert result == "cannot be told apart"
    assert what.startswith(f"Within 4 samples per question on average, no strategy is shown to be better than {SINGLE}")
    assert f"{CHOICE}, and the difference of " in sure
    assert "cannot be told apart from zero (p = 0.051, adjusted for 2 limits)" in sure


def test_the_same_strategy_is_the_same_and_not_a_tie():
    same = {"strategy": "sc:x", "fitted": "sc:x", "budget": 2, "gain": 0.0, "p_holm": 1.0}
    assert said(**same)[0] == "the same"
    assert said(**same)[2].startswith("This is the best single model itself: on all questions and without each of 10")
    result, what, sure = said(**same | {"gain": -0.01})  # in some folds another strategy was chosen
    assert result == "cannot be told apart"
    assert "use `sc:x` with a budget of 2 samples" in what
    assert "which reaches 50.0%; without some folds another strategy is chosen" in sure
    assert "these choices cannot be told apart from it, with a difference of -1.0 points" in sure


def test_without_a_single_model_there_is_nothing_to_compare_with():
    result, what, sure = said(control=None, control_budget=float("nan"))
    assert (result, CHOICE in what) == ("", True)
    assert sure == "No single model is within this limit, so there is nothing to compare it with."


def test_answers_have_the_numbers_of_tune():
    study = small_study()
    for unit, frame in study.frames.items():
        for i, row in frame.iterrows():
            *told, why = answer_of(study, unit, i)
            held = "{:.1f}% [{:.1f}, {:.1f}]".format(*(100 * row[["held_out", "low", "high"]]))
            assert f"`{row['strategy']}`" in " ".join(told)
            assert f"answer {held}" in " ".join(told)
            counts = re.search(r"on (\d+), less on (\d+) and equal on (\d+) of (\d+)", why)
            wins, losses, ties, n = map(int, counts.groups())
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
    variances = np.zeros(50), rng.random(50) / 50
    a, b = (Candidate("s", 1, rng.random(50).round(1), np.ones(50), variance) for variance in variances)
    error = np.maximum(3 * np.sqrt(b.mc_variance), 0.0005)
    assert np.allclose(noise(a, b), error)
    tie = np.abs(a.accuracy - b.accuracy) <= error
    assert 0 < tie.sum() < 50
    expected = ((a.accuracy > b.accuracy) & ~tie).sum(), tie.sum(), ((a.accuracy < b.accuracy) & ~tie).sum()
    assert paired_counts(a, b) == expected
    exact = Candidate("s", 1, a.accuracy, a.spend, variances[0])
    assert paired_counts(a, exact) == (0, 50, 0)


def test_ties_are_also_replays_that_are_all_right_and_differences_that_are_not_shown():
    variances = accuracy_noise(np.zeros((2, 1)), np.array([[2000], [0]]))
    replayed, exact = (
        Candidate("s", 1, np.array([share]), np.ones(1), variance)
        for share, variance in zip((1.0, 0.999), variances, strict=True)
    )
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
