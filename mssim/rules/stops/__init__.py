"""Stop rules, one module each; a new rule is a module and a line here."""

from mssim.rules.stops.base import Stop, StopTable
from mssim.rules.stops.bayes_factor import BayesFactorStop, CountsTable
from mssim.rules.stops.beacon import BEACONStop
from mssim.rules.stops.beta import BetaStop
from mssim.rules.stops.cges import CGESStop
from mssim.rules.stops.entropy import EntropyStop
from mssim.rules.stops.evalue import EValueStop
from mssim.rules.stops.majority import MajorityStop
from mssim.rules.stops.msprt import MixtureSPRTStop
from mssim.rules.stops.optimal import OptimalStop
from mssim.rules.stops.own import OwnStop
from mssim.rules.stops.pvalue import PValueStop
from mssim.rules.stops.reasc import ReASCStop
from mssim.rules.stops.window import WindowStop

__all__ = [
    "BEACONStop",
    "BayesFactorStop",
    "BetaStop",
    "CGESStop",
    "CountsTable",
    "EValueStop",
    "EntropyStop",
    "MajorityStop",
    "MixtureSPRTStop",
    "OptimalStop",
    "OwnStop",
    "PValueStop",
    "ReASCStop",
    "Stop",
    "StopTable",
    "WindowStop",
]
