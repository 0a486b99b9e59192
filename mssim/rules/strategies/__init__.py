"""Strategies, one module each; a new strategy is a module and a line here."""

from mssim.rules.strategies.adaptive_allocation import AdaptiveAllocation
from mssim.rules.strategies.cascade import Cascade
from mssim.rules.strategies.coverage import Coverage
from mssim.rules.strategies.deepconf import DeepConf
from mssim.rules.strategies.difficulty_adaptive import DifficultyAdaptive
from mssim.rules.strategies.gate import Gate
from mssim.rules.strategies.mixture import Mixture
from mssim.rules.strategies.model_switch import ModelSwitch
from mssim.rules.strategies.oracle_router import OracleRouter
from mssim.rules.strategies.random_router import RandomRouter
from mssim.rules.strategies.reliability import Reliability
from mssim.rules.strategies.router import Router
from mssim.rules.strategies.self_consistency import SelfConsistency
from mssim.rules.strategies.until_verified import UntilVerified

__all__ = [
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
]
