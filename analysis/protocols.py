"""Protocols of several agents: do they beat Self-Consistency and ModelSwitch at equal calls and at equal tokens?"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

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
    rows = [row for name in source.protocols.models for row in _of_protocol(source, name, n_replays, seed)]
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


def _of_protocol(source: Source, name: str, n_replays: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of one protocol."""
    assert source.protocols is not None
    runs = source.protocols.select(models=[name], min_samples=1)
    shared = [question for question in runs.question_ids if question in set(source.pool.question_ids)]
    if not shared:
        raise PoolError(f"{source.name}: no question of the protocol {name!r} is in the pool. Use the same questions.")
    runs, samples = runs.select(questions=shared), source.pool.select(questions=shared)
    own = evaluate(runs, {OWN: SelfConsistency(name)}, [1])
    calls = _calls(runs, name)
    spent = {"calls": calls, "tokens": float(own.tokens[0, 0].mean())}
    for unit in UNITS:
        first = {"protocol": name, "n_runs": int(runs.lengths.min()), "unit": unit}
        yield first | _row(own, OWN, calls)
        if np.isnan(spent[unit]):
            continue
        for strategy, found in _that_spend(source, samples, unit, spent[unit], n_replays, seed):
            yield first | _row(found, strategy, None) | _compared(found, own)


def _calls(runs: Pool, name: str) -> float:
    columns = SampleColumns(runs)
    if "calls" not in columns:
        raise PoolError(f"protocols: {name!r} has no column 'calls'. Record its runs with `mssim live --protocol`.")
    return float(np.nanmean(columns.numbers("calls", name), axis=1).mean())


def _that_spend(
    source: Source, samples: Pool, unit: str, limit: float, n_replays: int, seed: int
) -> Iterator[tuple[str, Evaluation]]:
    """Yield Self-Consistency of the best model, and ModelSwitch, at the budget that spends at most `limit`."""
    options: dict[str, Any] = {"n_replays": n_replays, "seed": seed}
    if unit == "calls":
        options["prices"] = dict.fromkeys(samples.models, 1.0)
    most = f"@{'cost' if unit == 'calls' else 'tokens'}={limit!r}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)  # the table has what was spent, also where samples are too few
        alone = [evaluate(samples, {"run": f"{SelfConsistency(model)}{most}"}, **options) for model in source.models]
        switch = evaluate(samples, {"run": f"{ModelSwitch(two_models(source))}{most}"}, **options)
    yield "Self-Consistency", max(alone, key=lambda one: float(one.accuracy.mean()))
    yield "ModelSwitch", switch


def _row(found: Evaluation, strategy: str, calls: float | None) -> dict[str, Any]:
    (row,) = found.to_frame().to_dict("records")
    kept = {name: row[name] for name in ("budget", "tokens", "accuracy", "low", "high", "method", "n_questions")}
    return {"strategy": strategy, "calls": row["samples_used"] if calls is None else calls, **kept}


def _compared(found: Evaluation, own: Evaluation) -> dict[str, Any]:
    """Return the paired difference to the protocol."""
    place = {question: i for i, question in enumerate(own.questions["question_id"])}
    order = [place[question] for question in found.questions["question_id"]]
    pair = compare_pair(
        ("run", OWN),
        (int(found.budgets[0]), 1),
        np.stack([found.accuracy[0, 0], own.accuracy[0, 0][order]]),
        np.array([found.n_replays[0, 0], 0]),
        margin=None,
        confidence_level=0.95,
        clusters=found.cluster_labels(),
        test="auto",
    )
    names = {"difference": "difference", "low": "difference_low", "high": "difference_high", "p_value": "p_value"}
    return {column: getattr(pair, name) for name, column in names.items()}
