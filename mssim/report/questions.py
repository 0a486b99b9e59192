"""Questions: where the choice wins and loses, and what every model answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mssim._drawing import short_name
from mssim._validation import counted, printable
from mssim.pools.pool import Pool
from mssim.report.answer import noise
from mssim.report.charts import differences_chart
from mssim.report.document import Explorer, Figure, Section, Table, Text
from mssim.report.examples import example_texts
from mssim.report.study import Candidate, Study
from mssim.report.wording import points
from mssim.results.differences import mean_difference

__all__ = ["answers_of", "explorer_section", "group_columns", "wins_section"]

_MOST_BARS = 400
_MOST_GROUPS, _MOST_COLUMNS = 40, 4
_MOST_ANSWERS = 5
_LONGEST_QUESTION, _LONGEST_ANSWER = 400, 80  # letters
_CHUNK = 50  # questions whose details are read together
_NO_GROUP = {"question_id", "question", "truth", "request_samples"}


def group_columns(pool: Pool) -> list[str]:
    """Return the columns of questions that divide them into groups, such as topic and cluster.

    Examples
    --------
    >>> from mssim import load_pool
    >>> group_columns(load_pool("recorded/llm-products"))
    ['family']
    """
    found = []
    for name in pool.questions.columns:
        if name in _NO_GROUP:
            continue
        if not pool.questions[name].map(pd.api.types.is_hashable).all():
            continue  # values such as mappings and arrays do not name a group
        sizes = pool.questions[name].value_counts()
        if 2 <= len(sizes) <= _MOST_GROUPS and len(sizes) <= len(pool.questions) / 2:
            found.append(str(name))
    return found[:_MOST_COLUMNS]


# Where it wins and loses --------------------------------------------------------------------------------------------


def wins_section(study: Study) -> Section:
    """Return the questions sorted by the difference of the choice and its rival, and means by group."""
    chosen, rival = study.shown_pair()
    title = "Where it wins and loses"
    if rival is None:
        return Section("wins", title, [Text(["No other strategy that was tried is within the limit."])])
    frame = _bars(study, chosen, rival)
    a, b = (
        f"`{study.label(chosen.strategy)}` (budget {chosen.budget})",
        f"`{study.label(rival.strategy)}` (budget {rival.budget})",
    )
    n = len(study.pool.questions)
    merged = "" if n <= _MOST_BARS else f" Each bar is the mean of about {n // len(frame)} questions."
    text = Text(
        [
            f"{a} against {b}, question by question, in expectation over draws. Differences within three Monte Carlo "
            f"errors or 0.05 points count as equal.{merged} Select a bar to see the question."
        ]
    )
    figure = Figure(
        "differences",
        f"Accuracy of {a} minus that of {b}",
        differences_chart(frame),
        [
            {"name": name, "colour": colour, "dash": "", "shape": "square"}
            for name, colour in (("wins", "0"), ("equal", "grey"), ("loses", "6"))
        ],
    )
    tables = [_by_group(study, chosen, rival, column) for column in group_columns(study.pool)]
    return Section("wins", title, [text, figure, *tables])


def _bars(study: Study, a: Candidate, b: Candidate) -> pd.DataFrame:
    """Return the bars of sorted differences; of many questions, each bar is the mean of several."""
    difference = a.accuracy - b.accuracy
    equal = np.abs(difference) <= noise(a, b)
    order = np.argsort(-difference, kind="stable")
    ids = study.pool.question_ids
    rows: list[dict[str, Any]] = []
    first = 0
    for part in np.array_split(order, min(order.size, _MOST_BARS)):
        mean = float(difference[part].mean())
        result = "equal" if equal[part].all() else "wins" if mean > 0 else "loses"
        name = short_name(ids[part[0]]) if part.size == 1 else f"{counted(part.size, 'question')}"
        rows.append(
            {
                "rank": first,
                "end": first + part.size,
                "difference": mean,
                "result": result,
                "question": name,
                "position": int(part[0]),
            }
        )
        first += part.size
    return pd.DataFrame(rows)


def _by_group(study: Study, a: Candidate, b: Candidate, column: str) -> Table:
    """Return the mean difference of each group of questions, with its interval."""
    difference, values = a.accuracy - b.accuracy, study.pool.questions[column]
    rows = []
    for value, positions in values.groupby(values, sort=True).indices.items():
        members = np.asarray(positions)
        labels = None if study.labels is None else study.labels[members]
        several = members.size if labels is None else np.unique(labels).size
        mean, limits = float(difference[members].mean()), ""
        if several > 1:
            found = mean_difference(difference[members], confidence_level=study.confidence_level, clusters=labels)
            limits = f" [{points(float(found.low))}, {points(float(found.high))}]"
        accuracies = [f"{100 * one.accuracy[members].mean():.1f}%" for one in (a, b)]
        rows.append([short_name(str(value)), str(members.size), *accuracies, f"{points(mean)}{limits}"])
    columns = [short_name(column), "questions", "choice", "rival", "difference (points)"]
    caption = f"By {short_name(column)}; intervals are those of single groups, not adjusted for their number"
    return Table(caption, columns, rows, frozenset(columns[1:4]))


# Explorer -----------------------------------------------------------------------------------------------------------


def explorer_section(study: Study) -> Section:
    """Return all questions with the answers of every model."""
    pool = study.pool
    chosen, rival = study.shown_pair()
    difference = np.zeros(len(pool.questions)) if rival is None else chosen.accuracy - rival.accuracy
    texts, note = example_texts(pool, np.argsort(-np.abs(difference), kind="stable"))
    details = answers_of(pool)
    for detail, examples in zip(details, texts, strict=True):
        detail["examples"] = examples
    text = Text(
        [
            "Search and filter the questions, and open one to see how often each model gives each answer. Right "
            "answers are marked. Models are those of the pool, with all recorded samples." + note
        ]
    )
    chunks = [details[i : i + _CHUNK] for i in range(0, len(details), _CHUNK)]
    index = _index(study, chosen, rival, difference)
    return Section("questions", "Questions and answers", [text, Explorer(index, chunks)])


def _index(study: Study, chosen: Candidate, rival: Candidate | None, difference: Any) -> dict[str, Any]:
    """Return what the list of questions shows and is searched by."""
    pool = study.pool
    questions = pool.questions

    def column(name: str, most: int) -> list[str]:
        if name not in questions:
            return [""] * len(questions)
        return [_clipped(value, most) for value in questions[name]]

    groups = []
    for name in group_columns(pool):
        values = questions[name].map(lambda value: short_name(str(value)))
        labels = sorted(values.unique())
        groups.append({"name": short_name(name), "labels": labels, "of": [labels.index(value) for value in values]})
    one = [{"name": study.label(chosen.strategy), "accuracy": _rounded(chosen.accuracy)}]
    other = [] if rival is None else [{"name": study.label(rival.strategy), "accuracy": _rounded(rival.accuracy)}]
    return {
        "ids": [short_name(name) for name in pool.question_ids],
        "questions": column("question", _LONGEST_QUESTION),
        "truths": column("truth", _LONGEST_ANSWER),
        "difference": _rounded(difference),
        "equal": [True] * len(questions) if rival is None else (np.abs(difference) <= noise(chosen, rival)).tolist(),
        "strategies": [*one, *other],
        "groups": groups,
        "models": [study.label(model) for model in pool.models],
        "chunk": _CHUNK,
    }


def answers_of(pool: Pool) -> list[dict[str, Any]]:
    """Return the answers to each question: texts, whether they are right, and how often each model gives them.

    Returns
    -------
    list of dict, one per question
        answers (texts of the most frequent answers and of the right ones); right (whether each is right); counts
        [model][answer]; others (samples with another answer) and none (without an answer) per model.

    Examples
    --------
    >>> from mssim import load_pool
    >>> found = answers_of(load_pool("recorded/llm-products").select(models=["gemma", "smol"]))[1]
    >>> found["answers"][:2], found["right"][:2], [one[:2] for one in found["counts"]]
    (['16', '48'], [False, True], [[0, 187], [223, 1]])
    """
    counts = np.stack([pool.class_counts(model) for model in pool.models])
    shares = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).sum(axis=0)
    found = []
    for q, (first, last) in enumerate(zip(pool.class_offsets[:-1], pool.class_offsets[1:], strict=True)):
        right = pool.class_correct[first:last]
        order = np.argsort(-shares[first:last], kind="stable")
        kept = [*order[:_MOST_ANSWERS], *(i for i in order[_MOST_ANSWERS:] if right[i])][: 2 * _MOST_ANSWERS]
        rows = first + np.array(kept, dtype=int)
        of_models = counts[:, rows]
        total = counts[:, first:last].sum(axis=1)
        found.append(
            {
                "answers": [_clipped(text, _LONGEST_ANSWER) for text in pool.class_labels.take(rows).to_pylist()],
                "right": [bool(right[i]) for i in kept],
                "counts": of_models.tolist(),
                "others": (total - of_models.sum(axis=1)).tolist(),
                "none": (pool.lengths[:, q] - total).tolist(),
            }
        )
    return found


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 4) for value in values]


def _clipped(value: Any, most: int) -> str:
    if value is None or value != value:
        return ""
    text = "\n".join(map(printable, str(value).split("\n")))  # questions have lines, such as choices
    return text if len(text) <= most else f"{text[:most]}…"
