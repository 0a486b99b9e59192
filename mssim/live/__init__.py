"""Strategies and protocols of several agents, run against servers. Every call goes into the recorder's journal."""

from mssim.live.prediction import Prediction, compare, predict
from mssim.live.turns import Ask, Decision, Draw

__all__ = ["Ask", "Decision", "Draw", "Prediction", "compare", "predict"]
