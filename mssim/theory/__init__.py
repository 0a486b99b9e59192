"""Theoretical results for pools; each statement has a function and a test.

- T1, `limits`: votes of many draws tend to `argmax_a sum_i w_i p_i(a)`, and the mix can be right where no model is.
  Assumes equal numbers of independent draws; ties of three answers are approximate. If all models are right alone, so
  is the mix (one correct answer, any weights). For two answers, the mix never wins alone (any weights).
- T2, `finite_budget`: accuracy at budget B is the mean of P[vote right]. The gap to the limit is the gain from further
  draws. Draws are with replacement, or of the recorded samples without.
- T3, `lossless`: switching gives the answer of the full vote if an agreeing stage leads by more than all votes of other
  stages.
- T4, `expected_samples` and `cost`: `E[used] = sum_i K_i prod_{j<i} (1 - c_j)`, always per question; with mean rates
  for two models only. With n equal rates c, `used <= B / (n c)` if the rates are independent over questions. Two equal
  stages always save `c_1 / 2 <= 1/2`.
- T5, `stop_quality`: accuracy is the sum over ends of coverage times accuracy given that end, if the answer of the
  agreeing model is adopted. `calibration`: accuracy of one model given the number of agreeing votes.
- T6, `consistency`: entropy and accuracy correlate, and split halves remove the mechanical part. Assumes exchangeable
  halves of samples; the interval is over questions.
- T7, `ceiling`: strategies that return a drawn answer are right on at most 1 - beta of the questions, with samples as
  recorded. The interval assumes independent questions or clusters.
- T8, `extrapolate`: pass@k and maj@k beyond the recorded samples. Assumes laws of difficulty and of answers, which are
  described there, and independent samples.

`pilot` estimates what `mssim.results.planning` needs to plan a measurement. `verified` tabulates what draws until a
verifier accepts one solve, solve wrongly and leave unsolved. `per_sample` summarises what a sample of each model
spends. `length_limits` is the curve of accuracy over the output tokens at which samples are cut off.

The quantities are defined in arXiv 2504.00762. The statements are derived here, and tests include counter-examples
outside their assumptions.
"""

from mssim.theory.ceiling import Ceiling, ceiling
from mssim.theory.consistency import Consistency, consistency
from mssim.theory.costs import cost, expected_samples
from mssim.theory.extrapolation import extrapolate
from mssim.theory.length_limits import length_limits
from mssim.theory.limits import Limits, finite_budget, limits
from mssim.theory.lossless import Lossless, lossless
from mssim.theory.per_sample import per_sample
from mssim.theory.pilot import Pilot, pilot
from mssim.theory.stopping_quality import calibration, stop_quality
from mssim.theory.verified import verified

__all__ = [
    "Ceiling",
    "Consistency",
    "Limits",
    "Lossless",
    "Pilot",
    "calibration",
    "ceiling",
    "consistency",
    "cost",
    "expected_samples",
    "extrapolate",
    "finite_budget",
    "length_limits",
    "limits",
    "lossless",
    "per_sample",
    "pilot",
    "stop_quality",
    "verified",
]
