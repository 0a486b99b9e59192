"""The pool at a glance, with what is odd, and how the page was made."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mssim._drawing import short_name
from mssim._validation import counted, printable
from mssim.engine.versions import versions
from mssim.errors import MssimError
from mssim.pools.loading import known_warnings, messages_of
from mssim.pools.quality import pool_remarks
from mssim.report.document import Part, Section, Table, Text, table_of
from mssim.report.study import Study
from mssim.rules.parsing import parse_strategy

__all__ = ["glance_section", "methods_section"]

_FORMATS = {
    "no_answer": "{:.1%}",
    "accuracy": "{:.1%}",
    "top_share": "{:.1%}",
    "distinct_answers": "{:.1f}",
    "output_tokens": "{:,.1f}",
    "samples_median": "{:g}",
}
_OPTIONS = (
    "Options of a strategy follow its models. `agreement=0.6` of ModelSwitch: a model's answer is adopted if 60% of "
    "its draws give it; the default is all of them. `vote=plurality`: without agreement, all draws count alike; by "
    "default, each model's draws weigh more the lower the entropy of its answers. `mssim evaluate --rules` lists all "
    "rules."
)
_HEADINGS = {
    "samples": "samples per question",
    "samples_min": "fewest samples",
    "samples_median": "median",
    "samples_max": "most",
    "no_answer": "no answer",
    "distinct_answers": "distinct answers",
    "accuracy": "accuracy of a sample",
    "top_share": "share of the top answer",
    "output_tokens": "output tokens",
}


def glance_section(study: Study) -> Section:
    """Return the models of the pool and warnings about the samples."""
    pool = study.pool
    described = pool.describe()
    described = described.assign(model=[study.label(model) for model in pool.models])
    described = _few_columns(described.dropna(axis="columns", how="all"))
    samples = f"{int(pool.lengths.sum()):,} samples"
    questions, models = counted(len(pool.questions), "question"), counted(len(pool.models), "model")
    parts: list[Part] = [Text([f"{samples} of {models} for {questions}.", *_origin(pool.info)])]
    table = table_of(described, "Models of the pool; means over questions", _FORMATS)
    columns = [_HEADINGS.get(name, name) for name in table.columns]
    parts.append(Table(table.caption, columns, table.rows, frozenset(columns[1:])))
    stated = known_warnings(pool)
    found = [*messages_of(pool), *(text for text in pool.warnings() if text in stated), *pool_remarks(pool)]
    found += [f"{short_name(name)} does not take part: {reason}." for name, reason in study.left_out.items()]
    if found:
        parts += [Text(["What is odd:"]), Text([printable(text)[:1000] for text in found], as_list=True)]
    else:
        parts.append(Text(["Nothing odd was found: no warning about lengths, missing answers, texts or settings."]))
    return Section("glance", "The pool at a glance", parts)


def _few_columns(described: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with one column of samples if every question has the same number of them."""
    sizes = ["samples_min", "samples_median", "samples_max"]
    if described[sizes].nunique(axis=1).max() > 1:
        return described
    renamed = described.rename(columns={sizes[0]: "samples"})
    return renamed.drop(columns=sizes[1:])


def _origin(info: Mapping[str, Any]) -> list[str]:
    """Return source and licence as sentences."""
    found = []
    if info.get("synthetic"):
        found.append("SYNTHETIC DATA: the samples were drawn from a model of answers, not from language models.")
    given = [name for name in ("source", "licence") if isinstance(info.get(name), str)]
    found += [f"{name.capitalize()}: {printable(info[name])[:500]}." for name in given]
    grader = info.get("grader")
    if isinstance(grader, Mapping) and "rule" in grader:
        found.append(f"Graded with the rule `{printable(grader['rule'])[:200]}`.")
    return found


def methods_section(study: Study, command: str | None) -> Section:
    """Return what was computed and how to repeat it."""
    tuning = study.tunings["samples_used"]
    versions_of = ", ".join(f"{name} {version}" for name, version in versions().items())
    n_folds = tuning.chosen.shape[2] - 1
    independent = (
        "questions are independent"
        if study.labels is None
        else f"questions in one of {len(set(study.labels))} clusters are dependent and stay in one fold"
    )
    rows = [
        (
            "candidates",
            f"{len(set(tuning.strategies))} strategies at budgets from {tuning.budgets.min()} to "
            f"{tuning.budgets.max()}: every single model, and combinations of "
            f"{', '.join(map(study.label, study.combined))}",
        ),
        (
            "accuracy",
            f"closed forms where they exist, else {_replays(study)}; all strategies see the same draws",
        ),
        ("held-out scores", f"cross-validation in {n_folds} folds; {independent}"),
        ("intervals", f"{100 * study.confidence_level:g}%, over questions"),
        ("seed", str(study.seed)),
        ("fingerprint of the pool", study.pool.fingerprint[:16]),
        ("versions", versions_of),
    ]
    parts: list[Part] = [
        Table("How the numbers were made", ("what", "how"), [list(row) for row in rows]),
        _rules(study),
        Text([_OPTIONS]),
    ]
    if command is not None:
        parts += [Text(["This command makes the page again:", f"`{printable(command)}`"])]
    return Section("methods", "Methods", parts)


def _replays(study: Study) -> str:
    """Return how often strategies without a closed form are replayed."""
    most = "" if study.n_replays is None else f"{study.n_replays:,} replays"
    if study.mc_error is None:
        return f"{most} of every question"
    error = f"replays until the Monte Carlo error is {100 * study.mc_error:.2g} points"
    return f"{error}, at most {most} per question on average" if most else error


def _rules(study: Study) -> Table:
    """Return the rules of the strategies that the page names."""
    named = dict.fromkeys(
        name
        for frame in study.frames.values()
        for column in ("strategy", "control")
        for name in frame[column]
        if not pd.isna(name)
    )
    fitted = {
        name: text
        for frame in study.frames.values()
        for name, text in zip(frame["strategy"], frame["fitted"], strict=True)
    }
    rows = [[f"`{study.label(name)}`", _said(fitted.get(name, name))] for name in named]
    return Table("Strategies that are named above", ("strategy", "rule"), rows)


def _said(text: str) -> str:
    """Return what a strategy and its stop rule do, in the words of their documentation; blank for own rules."""
    try:
        strategy = parse_strategy(text)
    except MssimError:
        return ""
    rules = [rule for rule in (strategy, getattr(strategy, "stop", None)) if rule is not None]
    return " ".join((inspect.getdoc(type(rule)) or "").split("\n")[0] for rule in rules)
