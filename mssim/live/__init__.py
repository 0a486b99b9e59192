"""Strategies and protocols of several agents, run against servers. Every call goes into the recorder's journal."""

from mssim.live._run import run
from mssim.live.played import Played, ProtocolRun
from mssim.live.prediction import Prediction, RunTable, compare, predict
from mssim.live.protocol_runs import run_protocol
from mssim.live.results import Answer, Drawn, LiveProgress, LiveRun
from mssim.live.serving import serve, serve_protocol
from mssim.live.turns import Ask, Decision, Draw

__all__ = [
    "Answer",
    "Ask",
    "Decision",
    "Draw",
    "Drawn",
    "LiveProgress",
    "LiveRun",
    "Played",
    "Prediction",
    "ProtocolRun",
    "RunTable",
    "compare",
    "predict",
    "run",
    "run_protocol",
    "serve",
    "serve_protocol",
]
