"""The answer: the best strategy within each limit, held out, against the best single model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mssim._drawing import short_name
from mssim._validation import counted
from mssim.pools.quality import no_votes
from mssim.report.document import Choice, Part, Section, Table, Text
from mssim.report.study import Candidate, Study
from mssim.report.wording import Quantity, percent, points, probability, with_interval

__all__ = ["answer_of", "answer_section", "paired_counts", "verdict"]

_SHOWN = 0.0005  # differences up to this are shown as 0.0 points


def answer_section(study: Study) -> Section:
    """Return the section with the answers, the first of which is shown first.

    Examples
    --------
    >>> from mssim import load_pool
    >>> from mssim.report.study import make_study
    >>> study = make_study(load_pool("recorded/llm-products"), models=["gemma"], budgets=[1, 4], n_replays=100)
    >>> answer_section(study).title
    'The answer'
    """
    doubts = _doubts(study)
    parts: list[Part] = [Text(doubts, warning=True)] if doubts else []
    for quantity in study.quantities:
        unit, first = quantity.key, study.shown_first(quantity.key)
        parts += [
            Choice(unit, quantity.amount(limit), answer_of(study, unit, i), i == first)
            for i, limit in enumerate(study.tunings[unit].limits)
        ]
    parts += [_table(study, quantity) for quantity in study.quantities]
    level = f"{100 * study.confidence_level:g}%"
    n_folds = study.frames["samples_used"]["n_folds"].iloc[0]
    parts.append(
        Text(
            [
                f"Brackets are {level} intervals over questions: they hold for all questions of this kind, of which "
                "these are a sample. Held-out accuracy is that of choices made without the questions on which they are "
                f"scored, in {n_folds} folds. The choice and the single model are compared question by question, and "
                "p-values are adjusted for the number of limits (Holm). “Cannot be told apart” does not mean equal."
            ]
        )
    )
    return Section("answer", "The answer", parts)


def _doubts(study: Study) -> list[str]:
    """Return why the answers may mean nothing."""
    found = no_votes(study.pool)
    if not (study.pool.class_correct.any() and study.tunings["samples_used"].accuracy.any()):
        found.append("No recorded sample is right, so no strategy is better than another. Check truths and grading.")
    return [f"Do not rely on this answer: {text}" for text in found]


def answer_of(study: Study, unit: str, limit: int) -> list[str]:
    """Return three sentences about a limit, given by its position: what to use, how sure that is, and why."""
    row, quantity = study.frames[unit].iloc[limit], study.quantity(unit)
    within = f"Within {quantity.amount(row['limit'])} on average"
    if verdict(study, row) in ("better", "the same", "") or _is_single(row):
        what = f"{within}, use {_choice(study, row, quantity)} of held-out questions correctly."
        return [what, _how_sure(study, unit, row), _why(study, unit, limit)]
    advice = (
        "use the best single model"
        if verdict(study, row) == "worse"
        else "no strategy is shown to be better than the best single model"
    )
    what = (
        f"{within}, {advice}, {_single(study, row)}, which uses {quantity.number(row['control_spend'])} on average and "
        f"answers {percent(row['control_held_out'])} of held-out questions correctly."
    )
    gain, adjusted = _gain(study, unit, row)
    result = (
        f"and are worse, by {gain}"
        if verdict(study, row) == "worse"
        else f"and the difference of {gain} cannot be told apart from zero"
    )
    sure = f"The choice among all strategies is {_choice(study, row, quantity)}, {result} ({adjusted})."
    return [what, sure, _why(study, unit, limit)]


def _single(study: Study, row: pd.Series[Any]) -> str:
    return f"`{study.label(row['control'])}` with a budget of {counted(int(row['control_budget']), 'sample')}"


def _choice(study: Study, row: pd.Series[Any], quantity: Quantity) -> str:
    """Return the choice, what it uses, and how many held-out questions such choices answer."""
    fitted = "" if row["fitted"] == row["strategy"] else f", fitted as `{short_name(row['fitted'])}`,"
    budget = counted(int(row["budget"]), "sample")
    return (
        f"`{study.label(row['strategy'])}`{fitted} with a budget of {budget} at most, which uses "
        f"{quantity.number(row['spend'])} on average: strategies chosen in this way answer "
        f"{with_interval(row['held_out'], row['low'], row['high'])}"
    )


def _gain(study: Study, unit: str, row: pd.Series[Any]) -> tuple[str, str]:
    """Return the difference from the best single model, and its p-value."""
    n_limits = study.tunings[unit].limits.size
    gain = with_interval(row["gain"], row["gain_low"], row["gain_high"], difference=True)
    return gain, f"{probability(row['p_holm'])}, adjusted for {counted(n_limits, 'limit')}"


def _is_single(row: pd.Series[Any]) -> bool:
    """Return whether the choice on all questions is the best single model."""
    return bool((row["strategy"], row["budget"]) == (row["control"], row["control_budget"]))


def _how_sure(study: Study, unit: str, row: pd.Series[Any]) -> str:
    """Return how a choice that is recommended compares with the best single model."""
    if pd.isna(row["control"]):
        return "No single model is within this limit, so there is nothing to compare it with."
    if verdict(study, row) == "the same":
        return (
            "This is the best single model itself: on all questions and without each of "
            f"{row['n_folds']} folds, the choice within this limit is the best single model."
        )
    gain, adjusted = _gain(study, unit, row)
    reached = percent(row["control_held_out"])
    if _is_single(row):
        result = "are worse" if verdict(study, row) == "worse" else "cannot be told apart from it"
        return (
            f"This is the best single model itself, which reaches {reached}; without some folds another strategy is "
            f"chosen, and these choices {result}, with a difference of {gain} ({adjusted})."
        )
    spent = study.quantity(unit).number(row["control_spend"])
    return (
        f"The best single model within the same limit, {_single(study, row)}, uses {spent} on average and reaches "
        f"{reached}: the choice is better, by {gain} ({adjusted})."
    )


def verdict(study: Study, row: pd.Series[Any]) -> str:
    """Return what follows for a choice and the best single model: better, worse, the same, or not told apart."""
    if pd.isna(row["control"]):
        return ""
    if _same(row):
        return "the same"
    if row["p_holm"] <= 1 - study.confidence_level + 1e-12:
        return "better" if row["gain"] > 0 else "worse"
    return "cannot be told apart"


def _same(row: pd.Series[Any]) -> bool:
    """Return whether the choice is the single model, on all questions and in all folds."""
    return _is_single(row) and abs(row["gain"]) < 1e-12


def _why(study: Study, unit: str, limit: int) -> str:
    chosen, rival = study.chosen(unit, limit), study.rival(unit, limit)
    if rival is None:
        return "No other strategy that was tried is within this limit."
    wins, ties, losses = paired_counts(chosen, rival)
    mean = points(float((chosen.accuracy - rival.accuracy).mean()))
    who = f"`{study.label(rival.strategy)}` with a budget of {rival.budget}"
    see = "; see where it wins and loses" if _names(chosen, rival) == _names(*study.shown_pair()) else ""
    if ties == chosen.accuracy.size:
        return f"Against {who}, the choice is equal on all {ties} questions."
    return (
        f"Against {who}, the choice is more accurate on {wins}, less on {losses} and equal on {ties} of "
        f"{chosen.accuracy.size} questions ({mean} points on these questions){see}."
    )


def _names(*candidates: Candidate | None) -> list[tuple[str, int]]:
    return [(one.strategy, one.budget) for one in candidates if one is not None]


def paired_counts(a: Candidate, b: Candidate) -> tuple[int, int, int]:
    """Return the numbers of questions on which a is better than, equal to and worse than b.

    Accuracies that differ by at most three Monte Carlo errors, or by less than is shown, are equal.
    """
    tie = np.abs(a.accuracy - b.accuracy) <= noise(a, b)
    higher = a.accuracy > b.accuracy
    return int((~tie & higher).sum()), int(tie.sum()), int((~tie & ~higher).sum())


def noise(a: Candidate, b: Candidate) -> Any:
    """Return the largest differences of two accuracies that count as equal, [question].

    These are three Monte Carlo errors, and half of the last digit that is shown.
    """
    return np.maximum(3 * np.sqrt(a.mc_variance + b.mc_variance), _SHOWN)


def _table(study: Study, quantity: Quantity) -> Table:
    """Return the choices within all limits of a quantity."""
    gained = "difference (points)"
    columns = ("limit", "strategy", "budget", "used", "held-out accuracy", gained, "verdict", "single model", "used")
    rows = []
    for _, row in study.frames[quantity.key].iterrows():
        known, result = not pd.isna(row["control"]), verdict(study, row)
        gain = with_interval(row["gain"], row["gain_low"], row["gain_high"], difference=True).replace(" points", "")
        rows.append(
            [
                quantity.number(row["limit"]),
                f"`{study.label(row['strategy'])}`",
                str(row["budget"]),
                quantity.number(row["spend"]),
                with_interval(row["held_out"], row["low"], row["high"]),
                gain if result not in ("", "the same") else "",
                result,
                f"`{study.label(row['control'])}` {percent(row['control_held_out'])}" if known else "none",
                quantity.number(row["control_spend"]) if known else "",
            ]
        )
    caption = f"The choice within each limit, and the best single model; limit and used are {quantity.axis}"
    return Table(caption, columns, rows, frozenset({"limit", "budget", "used"}), quantity.key)
