"""Published numbers of the ModelSwitch paper, read from published.json, each with its source."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from mssim._validation import choose_from
from mssim.errors import MssimError

__all__ = [
    "claims",
    "consistency_bins",
    "curves",
    "dataset",
    "datasets",
    "disagreements",
    "first_agreement",
    "in_order",
    "kind_of_pair",
    "named",
    "not_multiples",
    "pair",
    "paired",
    "point",
    "points",
    "saved",
    "weights",
]

_FILE = Path(__file__).with_name("published.json")
_COLUMNS = (
    *("figure", "dataset", "strategy", "models", "n_models", "budget", "samples_used", "accuracy", "saved"),
    *("kind", "n", "note", "source"),
)
_PERCENT = ["accuracy", "saved"]
_NEVER_STOPS = ("SC", "single", "best single", "best of N")


@cache
def _data() -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return data


# Points ---------------------------------------------------------------------------------------------------------------


def _expanded(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one row per point of a record; values that are lists vary together along it."""
    varying = {name: values for name, values in record.items() if isinstance(values, list) and name != "models"}
    lengths = {len(values) for values in varying.values()} or {1}
    if len(lengths) > 1:
        raise MssimError(
            f"{_FILE.name}: lists of different lengths in {json.dumps(record)}. All lists of a record need one value "
            "per point."
        )
    for i in range(lengths.pop()):
        row = {**record, **{name: values[i] for name, values in varying.items()}}
        models = row["models"][: row.get("n_models")]
        row |= {"models": "+".join(models), "n_models": len(models) or None}
        row.setdefault("source", _data()["figures"][row["figure"]]["source"])
        if row["strategy"] in _NEVER_STOPS:
            row.setdefault("samples_used", row.get("budget"))
        yield row


@cache
def _points() -> pd.DataFrame:
    rows = (row for record in _data()["points"] for row in _expanded(record))
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    frame[_PERCENT] = (frame[_PERCENT] / 100).round(8)
    frame["kind"] = frame["kind"].fillna("experiment")
    return frame


def points(**where: Any) -> pd.DataFrame:
    """Return published numbers, one per row, in the order of the file.

    Parameters
    ----------
    **where
        Columns, each with the required value or a list of allowed values, e.g. ``dataset="MATH", strategy=["SC",
        "single"]``. Models are one string in the order in which they are asked, "A+B".

    Returns
    -------
    DataFrame
        figure (fig1, fig3, fig4, fig4-open, ... of the article; "-earlier" and "-draft" are earlier versions), dataset,
        strategy, models ("" if not stated), n_models, budget, samples_used (per question; equal to the budget for a
        strategy that never stops early), accuracy, saved (shares; saved only where it was printed), kind ("experiment"
        or "theory"), n (number of questions, if a result file states it), note, source (key of `sources` in the file).

    Raises
    ------
    MssimError
        If there is no such column, or no row has a given value. Combinations that were not published yield no rows.

    Examples
    --------
    >>> points(figure="fig1", dataset="MATH", strategy="ModelSwitch")[["budget", "samples_used", "accuracy"]]
       budget  samples_used  accuracy
    18    4.0           2.5     0.766
    19    8.0           5.5     0.786
    20   16.0          10.7     0.794
    21    NaN          35.0     0.810
    """
    frame = _points()
    keep = pd.Series(True, index=frame.index)
    for column, wanted in where.items():
        if column not in frame:
            raise MssimError(f"no column {column!r} of published numbers. {choose_from(column, frame.columns)}.")
        values = list(wanted) if isinstance(wanted, list | tuple | set) else [wanted]
        known = frame[column].dropna().unique()
        for value in values:
            if value not in known:
                raise MssimError(f"{column}: no published number has {value!r}. {choose_from(str(value), known)}.")
        keep &= frame[column].isin(values)
    return frame[keep].copy()


def point(**where: Any) -> pd.Series:
    """Return the only published number that matches; raise if there are none or several.

    Parameters
    ----------
    **where
        As in `points`.

    Returns
    -------
    Series
        The row of `points`.

    Examples
    --------
    >>> float(point(figure="fig7", strategy="ModelSwitch + best of N", samples_used=16)["accuracy"])
    0.8367
    """
    found = points(**where)
    if len(found) != 1:
        raise MssimError(f"{where} matches {len(found)} published numbers. Use conditions that match exactly one.")
    return found.iloc[0]


def curves(figure: str, dataset: str, *, strategy: str = "SC") -> dict[str, dict[int, float]]:
    """Return the accuracies of a figure as {models: {budget: accuracy}}, without points that have no budget.

    Examples
    --------
    >>> curves("fig4", "MATH")["Gemini 1.5 Flash"]
    {1: 0.696, 4: 0.748, 8: 0.776, 12: 0.78, 16: 0.788}
    """
    found = points(figure=figure, dataset=dataset, strategy=strategy, kind="experiment").dropna(
        subset=["budget", "accuracy"]
    )
    return {
        str(models): {int(b): float(a) for b, a in zip(part["budget"], part["accuracy"], strict=True)}
        for models, part in found.groupby("models", sort=False)
    }


# Data sets and models -------------------------------------------------------------------------------------------------


def datasets() -> list[str]:
    """Return the names of the data sets."""
    return list(_data()["datasets"])


def dataset(name: str) -> dict[str, Any]:
    """Return facts of a data set: n (questions, None if not stated), clusters (if questions form such), and others.

    Examples
    --------
    >>> dataset("MGSM")["n"], dataset("MGSM")["clusters"]
    (1000, 100)
    """
    return copy.deepcopy(_data()["datasets"][_known("data set", name, _data()["datasets"])])


def pair(dataset: str, kind: str) -> tuple[str, str]:
    """Return the two models of Fig. 4 in the order in which ModelSwitch asks them.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    kind : {"closed", "open"}
        Which pair. The order of open pairs is stated for MathBench only; elsewhere the model with the higher accuracy
        at one sample is first.

    Examples
    --------
    >>> pair("MATH", "closed")
    ('Gemini 1.5 Flash', 'GPT-4o mini')
    """
    records = _data()["pairs"]
    _known("pair", kind, {record["pair"] for record in records})
    of_kind = {record["dataset"]: record["models"] for record in records if record["pair"] == kind}
    first, second = of_kind[_known(f"{kind} pair on the data set", dataset, of_kind)]
    return first, second


def paired() -> list[str]:
    """Return the names of the data sets for which figures compare a pair of models with each model alone."""
    return list(dict.fromkeys(record["dataset"] for record in _data()["pairs"]))


def kind_of_pair(dataset: str, models: Sequence[str]) -> str | None:
    """Return which pair of Fig. 4 two models form in this order, or None.

    Examples
    --------
    >>> kind_of_pair("MATH", ["Gemini 1.5 Flash", "GPT-4o mini"])
    'closed'
    """
    kinds = (
        record["pair"]
        for record in _data()["pairs"]
        if [record["dataset"], record["models"]] == [dataset, list(models)]
    )
    return next(kinds, None)


def in_order(dataset: str, models: Sequence[str]) -> tuple[str, ...]:
    """Return the models that the paper evaluates, in its order; a pair of Fig. 4, preferably closed, first.

    Examples
    --------
    >>> in_order("MATH", ["Claude 3 Haiku", "my-model", "GPT-4o mini", "Gemini 1.5 Flash"])
    ('Gemini 1.5 Flash', 'GPT-4o mini', 'Claude 3 Haiku')
    """
    pairs = (record["models"] for record in _data()["pairs"] if record["dataset"] == dataset)
    first = next((found for found in pairs if set(found) <= set(models)), [])
    six = points(figure="fig6", n_models=6)["models"].iloc[0].split("+")
    return tuple(dict.fromkeys([*first, *(model for model in six if model in models)]))


def named(models: Sequence[str]) -> tuple[str, ...]:
    """Return the names that models of the released files have in the paper's figures; other names are unchanged.

    Examples
    --------
    >>> named(["gemini-1.5-flash-latest", "gemma-2-9b-it", "my-model"])
    ('Gemini 1.5 Flash', 'Gemma-2-9B-it', 'my-model')
    """
    known = {model.casefold(): model for text in points()["models"] for model in text.split("+") if model}
    known |= {name.casefold(): model for model, names in _data()["names"].items() for name in names}
    found = [known.get(model.casefold(), model) for model in models]
    return tuple(own if found.count(name) > 1 else name for name, own in zip(found, models, strict=True))


def weights(dataset: str, *, form: str = "released") -> dict[str, float]:
    """Return the prior weights of the three closed models at budget 15, in the order in which they are asked.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    form : {"released", "older full", "older efficient"}
        Version of the weights. The older versions do not name their models and have the keys "1", "2" and "3".

    Examples
    --------
    >>> weights("MMLU-Pro")
    {'Gemini 1.5 Flash': 1.5, 'GPT-4o mini': 1, 'Claude 3 Haiku': 1}
    """
    records = _data()["weights"]
    _known("form of weights", form, dict.fromkeys(record["form"] for record in records))
    found = {record["dataset"]: record for record in records if record["form"] == form}
    record = found[_known(f"{form} weights for the data set", dataset, found)]
    return dict(zip(record.get("models", "123"), record["prior"], strict=True))


def consistency_bins() -> pd.DataFrame:
    """Return questions of GSM8K and correct majorities by normalised consistency weight (Fig. 3, earlier version).

    Returns
    -------
    DataFrame
        model, weight (an interval, as text), right (questions with a correct majority), questions.
    """
    return pd.DataFrame(_data()["consistency_bins"])


def claims() -> list[dict[str, Any]]:
    """Return the headline claims: claim, text, says (the claimed numbers), source, and a and b, arguments of `point`.

    Claims that are not a difference of two accuracies have `figures` instead of a and b. `scanned` marks claims whose
    number of samples was chosen by the score on the same questions.
    """
    return copy.deepcopy(_data()["claims"])


def disagreements() -> list[dict[str, Any]]:
    """Return quantities with different values in the article and the repository, or in two versions of a figure.

    Keys are what (a description), quantity (the column that differs), a and b (arguments of `point`).
    """
    return copy.deepcopy(_data()["disagreements"])


def not_multiples() -> list[dict[str, Any]]:
    """Return printed accuracies that are not a share of the questions, each with a reason and arguments of `point`."""
    return copy.deepcopy(_data()["not_multiples"])


def _known(what: str, name: str, names: Iterable[str]) -> str:
    if name not in names:
        raise MssimError(f"no {what} {name!r}. {choose_from(str(name), sorted(names))}.")
    return name


# Derived numbers ------------------------------------------------------------------------------------------------------


def saved(samples_used: Any, budget: Any) -> Any:
    """Return the share of the budget that was not spent, 1 - used / budget, elementwise.

    Examples
    --------
    >>> round(saved(35, 512), 3)
    0.932
    """
    return 1 - samples_used / budget


def first_agreement(samples_used: Any, budget: Any) -> Any:
    """Return how often the first of two models agreed: c = 2 - 2 used / budget, from used = budget / 2 (2 - c).

    Examples
    --------
    >>> first_agreement(10.7, 16)
    0.6625000000000001
    """
    return 2 - 2 * samples_used / budget
