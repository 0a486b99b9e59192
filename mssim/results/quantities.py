"""Quantities that samples spend, and why one is unknown in a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mssim._validation import counted, printable
from mssim.errors import MssimError
from mssim.rules.plan import QUANTITIES

if TYPE_CHECKING:
    from mssim.results.evaluation import Evaluation

__all__ = ["SPENDS", "check_known", "why_unknown"]

SPENDS = ("samples_used", "budget", *QUANTITIES)  # what an axis shows and tuning limits

_PLURAL = {"tokens": "tokens", "cost": "costs", "latency": "latencies"}
_RECORD = {
    "tokens": "Record a column 'output_tokens' for every sample",
    "cost": "Record a column 'cost' or {prices}",
    "latency": "Record a column 'latency', the seconds of every sample",
}
_CUT_OFF = {  # by max_tokens, if that is why nothing is known
    "tokens": "Record a column 'output_tokens' for every sample",
    "cost": "Samples that max_tokens cuts off have no recorded cost: {prices} with prices of tokens, or leave out "
    "max_tokens",
    "latency": "Samples that max_tokens cuts off have no recorded latency: leave out max_tokens",
}


def check_known(
    evaluation: Evaluation,
    quantity: str,
    argument: str,
    *,
    owner: str = "the results",
    prices: str = "use evaluate(..., prices=...)",
) -> None:
    """Raise if a quantity is unknown for a strategy that was evaluated, and name strategy, reason and remedy.

    Parameters
    ----------
    evaluation : Evaluation
        Results that are looked at.
    quantity : str
        Name in `SPENDS`.
    argument : str
        Argument that asked for the quantity.
    owner : str, default "the results"
        What lacks the quantity.
    prices : str
        How prices are given.

    Raises
    ------
    MssimError
        If the quantity is not known everywhere.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> result = evaluate(load_pool("recorded/llm-products"), "sc:gemma", 2)
    >>> check_known(result, "samples_used", "x")
    >>> check_known(result, "latency", "x")
    Traceback (most recent call last):
        ...
    mssim.errors.MssimError: x='latency': the results have no latencies. Record a column 'latency', the seconds of every
    sample.
    """
    why = why_unknown(evaluation, quantity, owner=owner, prices=prices)
    if why is not None:
        raise MssimError(f"{argument}={quantity!r}: {why}")


def why_unknown(
    evaluation: Evaluation,
    quantity: str,
    *,
    owner: str = "the results",
    prices: str = "use evaluate(..., prices=...)",
) -> str | None:
    """Return problem and remedy, in sentences, if a quantity is unknown for a strategy that was evaluated, else None.

    Examples
    --------
    >>> from mssim import evaluate, load_pool
    >>> why_unknown(evaluate(load_pool("recorded/llm-products"), "sc:gemma", 2), "cost", owner="the samples")
    "the samples have no costs. Record a column 'cost' or use evaluate(..., prices=...)."
    """
    if quantity not in QUANTITIES:
        return None
    asked = ~np.isnan(evaluation.accuracy)  # a strategy need not have every budget
    unknown = np.isnan(getattr(evaluation, quantity)) & asked
    if not unknown.any():
        return None
    first = int(unknown.any(axis=(1, 2)).argmax())
    texts = evaluation.provenance.get("strategies", {})
    lacking = [name for name, lacks in zip(evaluation.strategies, unknown.any(axis=(1, 2)), strict=True) if lacks]
    cut_off = all("max_tokens=" in texts.get(name, "") for name in lacking)
    remedy = (_CUT_OFF if cut_off else _RECORD)[quantity].format(prices=prices)
    if (unknown == asked).all() and not cut_off:
        verb = "has" if owner == "the pool" else "have"
        problem = f"{owner} {verb} no {_PLURAL[quantity]}"
    else:
        missing, n_questions = unknown[first].any(axis=0), unknown.shape[2]
        where = f"{int(missing.sum())} of {counted(n_questions, 'question')}"
        problem = f"the {_PLURAL[quantity]} of {printable(evaluation.strategies[first])!r} are unknown on {where}"
    return f"{problem}. {remedy}."
