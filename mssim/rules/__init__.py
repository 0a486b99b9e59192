"""Rules: strategies, stop rules and votes, independent of any pool.

Every rule is a module of `strategies`, `stops` or `votes` and declares itself to the registry, which parser, help,
catalogue, documentation and tests read.
"""

from mssim.rules.base import Strategy
from mssim.rules.parsing import catalogue, parse_strategy

__all__ = ["Strategy", "catalogue", "parse_strategy"]
