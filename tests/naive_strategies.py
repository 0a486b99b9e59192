"""Further strategies in plain Python, which `naive.replay` asks: slow, obvious, sharing no rule with the library.

Each is a function (strategy, draws, right, rank, numbers) -> whether a replay is right, and samples used by stage, as
of `naive.replay`.
"""

RULES = {}  # by the name of the strategy's class
