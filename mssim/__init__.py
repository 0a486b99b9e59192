"""mssim: replay ModelSwitch, Self-Consistency and voting rules over recorded samples of language models."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mssim.at_k import agreement_at_k, maj_at_k, pass_at_k
    from mssim.errors import BudgetError, MssimError, PoolError, PoolWarning, RecordError, StrategyError
    from mssim.evaluation import Comparison, Evaluation
    from mssim.evaluator import evaluate
    from mssim.pool import Pool, load_pool
    from mssim.shards import evaluate_shard, merge
    from mssim.stopping import BetaStop, EntropyStop, EValueStop, MajorityStop, OwnStop, Stop, WindowStop
    from mssim.strategies import (
        AdaptiveAllocation,
        Cascade,
        Coverage,
        Mixture,
        ModelSwitch,
        OracleRouter,
        RandomRouter,
        SelfConsistency,
        Strategy,
        parse_strategy,
    )
    from mssim.tuning import Tuning, tune
    from mssim.voting import Vote

__version__ = "0.1.0"

_HOMES = {
    "at_k": ["agreement_at_k", "maj_at_k", "pass_at_k"],
    "errors": ["BudgetError", "MssimError", "PoolError", "PoolWarning", "RecordError", "StrategyError"],
    "evaluator": ["evaluate"],
    "evaluation": ["Comparison", "Evaluation"],
    "pool": ["Pool", "load_pool"],
    "shards": ["evaluate_shard", "merge"],
    "stopping": ["BetaStop", "EValueStop", "EntropyStop", "MajorityStop", "OwnStop", "Stop", "WindowStop"],
    "strategies": [
        "AdaptiveAllocation",
        "Cascade",
        "Coverage",
        "Mixture",
        "ModelSwitch",
        "OracleRouter",
        "RandomRouter",
        "SelfConsistency",
        "Strategy",
        "parse_strategy",
    ],
    "tuning": ["Tuning", "tune"],
    "voting": ["Vote"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AdaptiveAllocation",
    "BetaStop",
    "BudgetError",
    "Cascade",
    "Comparison",
    "Coverage",
    "EValueStop",
    "EntropyStop",
    "Evaluation",
    "MajorityStop",
    "Mixture",
    "ModelSwitch",
    "MssimError",
    "OracleRouter",
    "OwnStop",
    "Pool",
    "PoolError",
    "PoolWarning",
    "RandomRouter",
    "RecordError",
    "SelfConsistency",
    "Stop",
    "Strategy",
    "StrategyError",
    "Tuning",
    "Vote",
    "WindowStop",
    "agreement_at_k",
    "evaluate",
    "evaluate_shard",
    "load_pool",
    "maj_at_k",
    "merge",
    "parse_strategy",
    "pass_at_k",
    "tune",
]


def __getattr__(name: str) -> Any:
    # Names are imported when first used: pandas, SciPy and Numba take a second that `mssim --help` must not wait for.
    if name in _HOME_OF:
        value = getattr(importlib.import_module(f"mssim.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'mssim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
