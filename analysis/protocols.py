"""Protocols of several agents: do they beat Self-Consistency and ModelSwitch at equal calls and at equal tokens?"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.equal_budget import two_models
from analysis.sources import Source
from analysis.tables import of_source
from mssim import Evaluation, ModelSwitch, Pool, SelfConsistency, evaluate
from mssim.engine.sample_columns import SampleColumns
from mssim.errors import PoolError, PoolWarning
from mssim.results.comparison import compare_pair

__all__ = ["label_of", "run"]

IN_FILE = ("protocol", "n_runs", "low", "high", "p_value", "method")  # columns that are only in the CSV file
UNITS = ("calls", "tokens")
_QUANTITIES = {"calls": "cost", "tokens": "tokens"}  # of an evaluation; a call costs 1
OWN = "protocol"
LABELS = {
    "mad": "MAD",
    "debate": "debate",
    "chateval": "ChatEval",
    "agentverse": "AgentVerse",
    "moa": "MOA",
    "best-of-n": "best of N",
}


def run(source: Source, *, n_replays: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Compare one run of each protocol with Self-Consistency and ModelSwitch that spend as much.

    The budget of both is the largest whose expected calls, or tokens, are at most those of the protocol. Self-
    Consistency is that of the model with the highest accuracy on these questions at this budget, so its accuracy is
    biased upwards. ModelSwitch asks the two strongest models. Input tokens count: those of a request for several
    samples are paid once.

    Returns
    -------
    DataFrame
        source, synthetic, protocol, label (short name), n_runs (fewest recorded runs of a question), unit ("calls" or
        "tokens"), strategy ("protocol", "Self-Consistency" or "ModelSwitch"), budget, calls, tokens (means of one run),
        accuracy, low, high, difference (strategy - protocol), difference_low, difference_high, p_value (paired over
        questions), method, n_questions.

    Raises
    ------
    PoolError
        If the source has no runs of protocols, or they have no numbers of calls.
    """
    if source.protocols is None:
        raise PoolError(
            f"{source.name}: no runs of protocols. Record them with `mssim live --protocol` into the folder "
            f"{source.name}-protocols beside the pool."
        )
    two_models(source)
    played = [_played(source, name) for name in source.protocols.models]
    rivals = {
        (questions, unit): _rivals(source, questions, unit, [one.spent[unit] for one in some], n_replays, seed)
        for questions, some in _by_questions(played).items()
        for unit in UNITS
    }
    rows = [row for one in played for unit in UNITS for row in _rows(one, unit, rivals[one.questions, unit])]
    frame = pd.DataFrame(rows)
    frame.insert(1, "label", frame["protocol"].map(_labels(source.protocols.models)))
    return of_source(source, frame)


def label_of(protocol: str) -> str:
    """Return the name of a protocol in figures, given its text.

    Examples
    --------
    >>> label_of("moa:smol+gemma,layers=2"), label_of("own:smol")
    ('MOA', 'own')
    """
    kind = protocol.partition(":")[0]
    return LABELS.get(kind, kind)


def _labels(protocols: tuple[str, ...]) -> dict[str, str]:
    """Return a label of each protocol; several of a kind are told apart by their models."""
    kinds = [label_of(one) for one in protocols]
    models = [one.partition(":")[2].partition(",")[0] for one in protocols]
    return {
        one: kind if kinds.count(kind) == 1 else f"{kind} {of}"
        for one, kind, of in zip(protocols, kinds, models, strict=True)
    }


class _Played(NamedTuple):
    """The runs of a protocol on the questions of the pool."""

    name: str
    questions: tuple[str, ...]
    n_runs: int
    own: Evaluation
    spent: dict[str, float]


def _played(source: Source, name: str) -> _Played:
    assert source.protocols is not None
    runs, asked = source.protocols.select(models=[name], min_samples=1), set(source.pool.question_ids)
    shared = tuple(question for question in runs.question_ids if question in asked)
    if not shared:
        raise PoolError(f"{source.name}: no question of the protocol {name!r} is in the pool. Use the same questions.")
    runs = runs.select(questions=shared)
    own = evaluate(runs, {OWN: SelfConsistency(name)}, [1])
    spent = {"calls": _calls(runs, name), "tokens": float(own.tokens[0, 0].mean())}
    return _Played(name, tuple(sorted(shared)), int(runs.lengths.min()), own, spent)


def _by_questions(played: list[_Played]) -> dict[tuple[str, ...], list[_Played]]:
    found: dict[tuple[str, ...], list[_Played]] = {}
    for one in played:
        found.setdefault(one.questions, []).append(one)
    return found


def _rows(one: _Played, unit: str, rivals: dict[str, list[Evaluation]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a protocol for one unit of what it spends."""
    first = {"protocol": one.name, "n_runs": one.n_runs, "unit": unit}
    yield first | _row(one.own, OWN, 0, one.spent["calls"])
    for strategy, evaluations in rivals.items() if not np.isnan(one.spent[unit]) else ():
        places = [_place(found, unit, one.spent[unit]) for found in evaluations]
        means = [float(found.accuracy[0, b].mean()) for found, b in zip(evaluations, places, strict=True)]
        best = int(np.argmax(means))
        found, b = evaluations[best], places[best]
        yield first | _row(found, strategy, b, None) | _compared(found, b, one.own)


def _calls(runs: Pool, name: str) -> float:
    columns = SampleColumns(runs)
    if "calls" not in columns:
        raise PoolError(f"protocols: {name!r} has no column 'calls'. Record its runs with `mssim live --protocol`.")
    return float(np.nanmean(columns.numbers("calls", name), axis=1).mean())


def _rivals(
    source: Source, questions: tuple[str, ...], unit: str, limits: list[float], n_replays: int, seed: int
) -> dict[str, list[Evaluation]]:
    """Evaluate each model's Self-Consistency, and ModelSwitch, at the largest budgets that spend within the limits.

    All limits together take one evaluation per strategy.
    """
    known = sorted(limit for limit in set(limits) if not np.isnan(limit))
    if not known:
        return {}
    samples, options = source.pool.select(questions=questions), {"n_replays": n_replays, "seed": seed}
    if unit == "calls":
        options["prices"] = dict.fromkeys(samples.models, 1.0)
    most = ",".join(f"{_QUANTITIES[unit]}={limit!r}" for limit in known)
    wanted = {
        "Self-Consistency": [SelfConsistency(model) for model in source.models],
        "ModelSwitch": [ModelSwitch(two_models(source))],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)  # the table has what was spent, also where samples are too few
        return {
            name: [evaluate(samples, {"run": f"{one}@{most}"}, **options) for one in strategies]
            for name, strategies in wanted.items()
        }


def _place(found: Evaluation, unit: str, limit: float) -> int:
    """Return the place of the largest budget that spends within a limit."""
    spent = getattr(found, _QUANTITIES[unit])[0].mean(axis=1)
    return max(int((spent <= limit * (1 + 1e-9)).sum()) - 1, 0)


def _row(found: Evaluation, strategy: str, b: int, calls: float | None) -> dict[str, Any]:
    row = found.to_frame().to_dict("records")[b]
    kept = {name: row[name] for name in ("budget", "tokens", "accuracy", "low", "high", "method", "n_questions")}
    return {"strategy": strategy, "calls": row["samples_used"] if calls is None else calls, **kept}


def _compared(found: Evaluation, b: int, own: Evaluation) -> dict[str, Any]:
    """Return the paired difference to the protocol."""
    place = {question: i for i, question in enumerate(own.questions["question_id"])}
    order = [place[question] for question in found.questions["question_id"]]
    pair = compare_pair(
        ("run", OWN),
        (int(found.budgets[b]), 1),
        np.stack([found.accuracy[0, b], own.accuracy[0, 0][order]]),
        np.stack([found.mc_variance[0, b], own.mc_variance[0, 0][order]]),
        margin=None,
        confidence_level=0.95,
        clusters=found.cluster_labels(),
        test="auto",
    )
    names = {"difference": "difference", "low": "difference_low", "high": "difference_high", "p_value": "p_value"}
    return {column: getattr(pair, name) for name, column in names.items()}
