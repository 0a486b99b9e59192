"""Theoretical results for pools; each statement has a function and a test.

=== =============================================== ========================== =======================================
no. statement                                       function                   assumptions
=== =============================================== ========================== =======================================
T1  Votes of many draws tend to argmax_a sum_i w_i  `limits`                   equal numbers of independent draws;
    p_i(a); the mix can be right where no model is.                            ties of three answers approximately
    If all models are right alone, so is the mix.                              one correct answer; any weights
    For two answers, the mix never wins alone.                                 any weights
T2  Accuracy at budget B is the mean of P[vote      `finite_budget`            draws with replacement, or of the
    right]; the gap to the limit is the gain from                              recorded samples without
    further draws.
T3  Switching gives the answer of the full vote.    `lossless`                 an agreeing stage leads by more than
                                                                               all votes of other stages
T4  E[used] = sum_i K_i prod_{j<i} (1 - c_j).       `expected_samples`, `cost` always per question; with mean rates
                                                                               for two models only
    n equal rates c: used <= B / (n c).                                        rates independent over questions
    Two equal stages: saving = c_1 / 2 <= 1/2.                                 always
T5  Accuracy = sum over ends of coverage x          `stop_quality`             the answer of the agreeing model is
    accuracy given that end.                                                   adopted
    Accuracy given the number of agreeing votes.    `calibration`              one model
T6  Entropy and accuracy correlate; split halves    `consistency`              exchangeable halves of samples;
    remove the mechanical part.                                                interval: over questions
T7  Strategies that return a drawn answer are right `ceiling`                  samples as recorded; interval:
    on at most 1 - beta of the questions.                                      independent questions or clusters
T8  pass@k and maj@k beyond the recorded samples.   `extrapolate`              laws of difficulty and of answers, see
                                                                               there; independent samples
=== =============================================== ========================== =======================================

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
