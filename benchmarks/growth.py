"""Growth.

This section measures how time and memory of `evaluate` grow with the size of the work. One dimension grows while the
others have the values in the table of settings. Pools are SYNTHETIC. Times are processor times after compilation, the
best of interleaved rounds. The exponent is the slope of a line through the logarithms: 1 is proportional growth, 0 is
no growth. "MB" is the increase of the memory of the process by one evaluation. "Monte Carlo" is ModelSwitch with
entropy weights; "exact" is the closed form of Self-Consistency. The time of the closed form of ModelSwitch grows with
the number of draws to the power of the number of models; see "Closed forms".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.engines import ONE
from benchmarks.measuring import extra_memory, interleaved, slope
from benchmarks.pools import MODELS, make_pool
from mssim import Pool, evaluate

LEAST_MB = 0.25  # smaller amounts are within the noise of the interpreter
MONTE_CARLO, EXACT = "Monte Carlo", "exact"


class Size(NamedTuple):
    """Size of an evaluation; `budgets` is the number of budgets, spread evenly up to the largest."""

    questions: int = 200
    samples: int = 512
    models: int = 2
    budget: int = 64
    budgets: int = 16
    replays: int = 1000


SMALL = Size(20, 64, 2, 16, 4, 40)
GROWING: dict[str, tuple[str, list[int]]] = {
    "questions": ("questions", [50, 100, 200, 400, 800]),
    "samples recorded": ("samples", [64, 128, 256, 512, 1024]),
    "models, 8 draws each": ("models", [1, 2, 4, 8, 16]),
    "largest budget": ("budget", [16, 32, 64, 128, 256]),
    "number of budgets": ("budgets", [4, 8, 16, 32, 64]),
    "replays": ("replays", [500, 1000, 2000, 4000, 8000]),
}


def budgets(size: Size) -> list[int]:
    return sorted({round(size.budget * (i + 1) / size.budgets) for i in range(size.budgets)})


def evaluation(pool: Pool, size: Size, engine: str) -> Callable[[], object]:
    """Return the call that is timed."""
    if engine == EXACT:
        return partial(evaluate, pool, "sc:one", budgets(size), method="exact", executor=ONE)
    spec = "ms:" + "+".join(MODELS[: size.models]) if size.models > 1 else "sc:one"
    options = {"method": "monte_carlo", "n_replays": size.replays, "executor": ONE}
    return partial(evaluate, pool, spec, budgets(size), **options)


def sized(dimension: str, value: int, smoke: bool) -> Size:
    """Return the default size with one dimension changed."""
    size = (SMALL if smoke else Size())._replace(**{GROWING[dimension][0]: value})
    if GROWING[dimension][0] == "models":
        size = size._replace(budget=8 * value, budgets=4)
    return size


def grown(dimension: str, smoke: bool, rounds: int) -> Iterator[dict[str, object]]:
    """Yield the rows of one dimension."""
    field, values = GROWING[dimension]
    sizes = {value: sized(dimension, value, smoke) for value in (values[:2] if smoke else values)}
    engines = [MONTE_CARLO] if field in ("models", "replays") else [MONTE_CARLO, EXACT]
    calls: dict[tuple[str, int], Callable[[], object]] = {}
    for value, size in sizes.items():
        pool = make_pool(size.questions, size.samples, n_models=max(2, size.models))
        calls |= {(engine, value): evaluation(pool, size, engine) for engine in engines}
    for call in calls.values():
        call()
    timed = interleaved({key: lambda _, call=call: call() for key, call in calls.items()}, rounds)
    for (engine, value), call in calls.items():
        seconds, memory = timed[engine, value].seconds, min(extra_memory(call) for _ in range(2))
        yield {"engine": engine, "growing": dimension, "size": value, "ms": 1e3 * seconds, "MB": memory}


def slopes(points: pd.DataFrame) -> pd.DataFrame:
    """Return one row per engine and dimension; memory has an exponent if it is large enough to be measured."""
    rows = []
    for (engine, dimension), part in points.groupby(["engine", "growing"], sort=False):
        first, last = part.iloc[0], part.iloc[-1]
        rows.append(
            {
                "engine": engine,
                "growing": dimension,
                "from": first["size"],
                "to": last["size"],
                "ms at first": first["ms"],
                "ms at last": last["ms"],
                "exponent": slope(part["size"], part["ms"]),
                "MB at first": first["MB"],
                "MB at last": last["MB"],
                "exponent of MB": slope(part["size"], part["MB"]) if part["MB"].min() > LEAST_MB else np.nan,
            }
        )
    return pd.DataFrame(rows)


def measure(smoke: bool) -> dict[str, pd.DataFrame]:
    points = pd.DataFrame([row for name in GROWING for row in grown(name, smoke, 1 if smoke else 7)])
    points = points.sort_values("engine", ascending=False, kind="stable", ignore_index=True)
    usual = pd.DataFrame([(SMALL if smoke else Size())._asdict()])
    return {"Exponents": slopes(points), "Growth": points, "Settings": usual}
