"""Simulated pools: answer models, fits to published curves or to pools, and expected results.

>>> from mssim.simulate import AnswerModel, expected
>>> twins = AnswerModel(["x", "y"], sure=0.3, a=0.8, b=1.2, spread=1.5, correlation=0.7, shared_distractors=0.5)
>>> twins.accuracy_at_k("x", [1, 8]).round(4)
array([0.58  , 0.6406])
>>> expected(twins, ["ms:x+y"], [8], n_questions=2**12)[["accuracy", "samples_used"]].round(1)
   accuracy  samples_used
0       0.7           6.3
"""

from mssim.simulate._expected import expected
from mssim.simulate.coupling import Coupling, fit_coupling
from mssim.simulate.curve_fit import CurveFit, fit_curves
from mssim.simulate.fit_report import FitReport, fit_report
from mssim.simulate.model import AnswerModel
from mssim.simulate.pool_fit import fit_pool

__all__ = [
    "AnswerModel",
    "Coupling",
    "CurveFit",
    "FitReport",
    "expected",
    "fit_coupling",
    "fit_curves",
    "fit_pool",
    "fit_report",
]
