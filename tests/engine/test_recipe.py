"""Tasks of a part of a pool have the arrays of the tasks of the whole."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from mssim import Pool
from mssim.engine.areas import moved
from mssim.engine.recipe import WholeAmounts
from mssim.engine.work import Work
from tests.engine.test_work import job_of
from tests.long_runs import small_blocks


def costly_pool(asked=None):
    """A pool whose later questions cost more; the input tokens of one question are known, if any is."""
    rng = np.random.default_rng(0)
    return Pool.from_frame(
        pd.DataFrame(
            [
                {
                    "question_id": f"q{q}",
                    "model": model,
                    "sample_index": i,
                    "answer": str(rng.integers(3)),
                    "truth": "0",
                    "output_tokens": int(rng.integers(50)),
                    "cost": rng.random() * 4**q,
                    "input_tokens": 100 if q == asked else None,
                }
                for q in range(6)
                for model in "xy"
                for i in range(5)
            ]
        )
    )


def arrays_of(value):
    """All arrays of a task, in order."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, tuple):
        return [array for item in value for array in arrays_of(item)]
    return (
        []
        if not hasattr(value, "__dataclass_fields__")
        else [array for field in fields(value) for array in arrays_of(getattr(value, field.name))]
    )


@pytest.mark.parametrize("method", ["auto", "monte_carlo"])
def test_tasks_of_a_part(method, monkeypatch):
    small_blocks(monkeypatch)
    pool = costly_pool()
    work = Work(job_of(["sc:x", "ms:x+y", "sc:y,stop=beta"], method=method), pool)
    questions = np.array([0, 1, 2])
    part = pool.select(questions=["q0", "q1", "q2"])
    units = {name: work.amounts.unit(name, "xy") for name in work.known}
    whole = WholeAmounts(None, "all", False, False, units)
    maker = work.recipe.maker(part, whole.of(part), dict(enumerate(work.plans)), frozenset())
    compared = 0
    for number, block in enumerate(work.blocks):
        if max(block.questions) < 3:
            of_part = maker.task(work.asked(number)._replace(block=moved(block, questions)))
            pairs = list(zip(arrays_of(of_part), arrays_of(work.task(number)), strict=True))
            assert len(pairs) > 5
            assert all(a.tobytes() == b.tobytes() for a, b in pairs)
            compared += 1
    assert compared >= 3


def test_amounts_of_a_part_have_the_units_of_the_whole():
    pool = costly_pool(asked=5)
    part = pool.select(questions=["q0"])
    work = Work(job_of(["sc:x"]), pool)
    unit = work.amounts.unit("cost", ["x"])
    amounts = WholeAmounts(None, "all", False, True, {"cost": unit}).of(part)
    assert amounts.unit("cost", ["x"]) == unit > Work(job_of(["sc:x"]), part).amounts.unit("cost", ["x"])
    # A sample of the whole has input tokens, so those of this question are unknown.
    assert np.isnan(amounts.of("tokens", "x")).all()
    assert not np.isnan(WholeAmounts(None, "all", False, False, {}).of(part).of("tokens", "x")).any()
