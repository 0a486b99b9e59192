"""A quantity that is unknown is an error with a reason."""

from dataclasses import replace

import numpy as np
import pytest

from mssim import MssimError
from mssim.results.quantities import SPENDS, check_known
from mssim.rules.plan import QUANTITIES
from tests.results.test_evaluation import result


def known(**unknown):
    """Results with all quantities, NaN at the given places of [strategy, budget, question]."""
    evaluation = result()
    values = {name: np.ones_like(evaluation.accuracy) for name in QUANTITIES}
    for name, places in unknown.items():
        values[name][places] = np.nan
    return replace(evaluation, **values)


def test_what_is_known_passes():
    for name in SPENDS:
        check_known(known(), name, "x")
    check_known(known(tokens=...), "cost", "x")


@pytest.mark.parametrize(
    ("quantity", "says"),
    [
        ("tokens", r"x='tokens': the results have no tokens\. Record a column 'output_tokens' for every sample\.$"),
        (
            "cost",
            r"x='cost': the results have no costs\. Record a column 'cost' or use evaluate\(\.\.\., prices=\.\.\.\)",
        ),
        ("latency", r"x='latency': the results have no latencies\. Record a column 'latency', the seconds of every"),
    ],
)
def test_what_nothing_has(quantity, says):
    with pytest.raises(MssimError, match=says):
        check_known(known(**{quantity: ...}), quantity, "x")
    with pytest.raises(MssimError, match=rf"spend='{quantity}': the pool has no "):
        check_known(known(**{quantity: ...}), quantity, "spend", owner="the pool")


def test_what_is_missing_on_some_questions_is_counted_for_the_first_strategy_that_lacks_it():
    places = (1, slice(None), [3, 5, 8])
    with pytest.raises(MssimError, match=r"x='tokens': the tokens of 'MS' are unknown on 3 of 30 questions\. Record"):
        check_known(known(tokens=places), "tokens", "x")
    # Unknown at one budget counts.
    with pytest.raises(MssimError, match="'SC' are unknown on 30 of 30 questions"):
        check_known(known(tokens=(0, 2)), "tokens", "x")


def test_budgets_that_a_strategy_was_not_given_are_not_unknown():
    evaluation = known(tokens=(0, 2))
    accuracy = evaluation.accuracy.copy()
    accuracy[0, 2] = np.nan
    check_known(replace(evaluation, accuracy=accuracy), "tokens", "x")


@pytest.mark.parametrize(
    ("quantity", "says"),
    [
        ("cost", r"that max_tokens cuts off have no recorded cost: pass prices= with prices of tokens"),
        ("latency", r"that max_tokens cuts off have no recorded latency: leave out max_tokens"),
    ],
)
def test_what_is_unknown_because_samples_are_cut_off(quantity, says):
    evaluation = known(**{quantity: (1, slice(None), [2])})
    texts = {"SC": "sc:x", "MS": "ms:x+y,max_tokens=5"}
    evaluation = replace(evaluation, provenance={**evaluation.provenance, "strategies": texts})
    with pytest.raises(MssimError, match=says):
        check_known(evaluation, quantity, "x", prices="pass prices=")
    both = replace(evaluation, **{quantity: np.full_like(evaluation.accuracy, np.nan)})
    with pytest.raises(MssimError, match="the results have no "):  # the other strategy cuts off nothing
        check_known(both, quantity, "x")
