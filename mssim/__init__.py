"""mssim: replay ModelSwitch, Self-Consistency and voting rules over recorded samples of language models."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mssim._version import __version__ as __version__

if TYPE_CHECKING:
    from mssim.at_k import agreement_at_k, jackknife_variance, maj_at_k, pass_at_k
    from mssim.engine.evaluate import evaluate
    from mssim.engine.merge import merge
    from mssim.engine.shards import evaluate_shard
    from mssim.errors import BudgetError, MssimError, PoolError, PoolWarning, RecordError, StrategyError
    from mssim.pools.loading import load_pool
    from mssim.pools.pool import Pool
    from mssim.prices import Prices, read_prices
    from mssim.reliability import g_pass_at_k, mg_pass_at_k, pass_hat_k
    from mssim.results.comparison import Comparison, Comparisons
    from mssim.results.equal_money import EqualMoney
    from mssim.results.evaluation import Evaluation
    from mssim.results.routing import aiq_table, gain_shares
    from mssim.rules.base import Strategy
    from mssim.rules.parsing import catalogue, parse_strategy
    from mssim.rules.stops import (
        BayesFactorStop,
        BEACONStop,
        BetaStop,
        CGESStop,
        EntropyStop,
        EValueStop,
        MajorityStop,
        MixtureSPRTStop,
        OptimalStop,
        OwnStop,
        PValueStop,
        ReASCStop,
        Stop,
        WindowStop,
    )
    from mssim.rules.strategies import (
        AdaptiveAllocation,
        Cascade,
        Coverage,
        DeepConf,
        DifficultyAdaptive,
        Gate,
        Mixture,
        ModelSwitch,
        OracleRouter,
        RandomRouter,
        Reliability,
        Router,
        SelfConsistency,
        UntilVerified,
    )
    from mssim.rules.votes import Vote
    from mssim.tuning._tune import Tuning, tune


_HOMES = {
    "at_k": ["agreement_at_k", "jackknife_variance", "maj_at_k", "pass_at_k"],
    "errors": ["BudgetError", "MssimError", "PoolError", "PoolWarning", "RecordError", "StrategyError"],
    "engine.evaluate": ["evaluate"],
    "reliability": ["g_pass_at_k", "mg_pass_at_k", "pass_hat_k"],
    "results.comparison": ["Comparison", "Comparisons"],
    "results.equal_money": ["EqualMoney"],
    "results.evaluation": ["Evaluation"],
    "results.routing": ["aiq_table", "gain_shares"],
    "pools.pool": ["Pool"],
    "pools.loading": ["load_pool"],
    "prices": ["Prices", "read_prices"],
    "engine.shards": ["evaluate_shard"],
    "engine.merge": ["merge"],
    "rules.stops": [
        "BayesFactorStop",
        "BEACONStop",
        "BetaStop",
        "CGESStop",
        "EntropyStop",
        "EValueStop",
        "MajorityStop",
        "MixtureSPRTStop",
        "OptimalStop",
        "OwnStop",
        "PValueStop",
        "ReASCStop",
        "Stop",
        "WindowStop",
    ],
    "rules.strategies": [
        "AdaptiveAllocation",
        "Cascade",
        "Coverage",
        "DeepConf",
        "DifficultyAdaptive",
        "Gate",
        "Mixture",
        "ModelSwitch",
        "OracleRouter",
        "RandomRouter",
        "Reliability",
        "Router",
        "SelfConsistency",
        "UntilVerified",
    ],
    "tuning": ["Tuning", "tune"],
    "rules.base": ["Strategy"],
    "rules.parsing": ["catalogue", "parse_strategy"],
    "rules.votes": ["Vote"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AdaptiveAllocation",
    "BEACONStop",
    "BayesFactorStop",
    "BetaStop",
    "BudgetError",
    "CGESStop",
    "Cascade",
    "Comparison",
    "Comparisons",
    "Coverage",
    "DeepConf",
    "DifficultyAdaptive",
    "EValueStop",
    "EntropyStop",
    "EqualMoney",
    "Evaluation",
    "Gate",
    "MajorityStop",
    "Mixture",
    "MixtureSPRTStop",
    "ModelSwitch",
    "MssimError",
    "OptimalStop",
    "OracleRouter",
    "OwnStop",
    "PValueStop",
    "Pool",
    "PoolError",
    "PoolWarning",
    "Prices",
    "RandomRouter",
    "ReASCStop",
    "RecordError",
    "Reliability",
    "Router",
    "SelfConsistency",
    "Stop",
    "Strategy",
    "StrategyError",
    "Tuning",
    "UntilVerified",
    "Vote",
    "WindowStop",
    "agreement_at_k",
    "aiq_table",
    "catalogue",
    "evaluate",
    "evaluate_shard",
    "g_pass_at_k",
    "gain_shares",
    "jackknife_variance",
    "load_pool",
    "maj_at_k",
    "merge",
    "mg_pass_at_k",
    "parse_strategy",
    "pass_at_k",
    "pass_hat_k",
    "read_prices",
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
