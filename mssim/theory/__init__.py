"""Theory: what can be said of a pool without replaying it, each statement a function that tests hold to its word.

=== =============================================== ========================== =======================================
no. statement                                       function                   where it holds
=== =============================================== ========================== =======================================
T1  Votes of many draws tend to argmax_a sum_i w_i  `limits`                   equal numbers of independent draws;
    p_i(a); the mix can be right where no model is.                            ties of three answers approximately
    All models right alone: so is the mix.                                     one answer is right; any weights
    Two answers: the mix never wins alone.                                     any weights
T2  Accuracy at budget B is the mean of P[vote      `finite_budget`            draws with replacement, or of the
    right]; limit - accuracy is what draws can add.                            recorded samples without
T3  Switching gives the answer of the full vote.    `lossless`                 an agreeing stage leads by more than
                                                                               another can have in all other stages
T4  E[used] = sum_i K_i prod_{j<i} (1 - c_j).       `expected_samples`, `cost` given the question always; with mean
                                                                               rates for two models only
    n equal rates c: used <= B / (n c).                                        rates independent over questions
    Two equal stages: saving = c_1 / 2 <= 1/2.                                 always
T5  Accuracy = sum over ends of coverage x          `stop_quality`             the model that agrees is adopted
    accuracy given that end.
    Accuracy given how many votes agree.            `calibration`              one model
T6  Entropy and accuracy correlate; what is not     `consistency`              halves of the samples can be exchanged;
    mechanical shows between split halves.                                     interval: other questions
T7  What returns a drawn answer is right on at most `ceiling`                  samples as recorded; interval:
    1 - beta of the questions.                                                 independent questions or clusters
=== =============================================== ========================== =======================================

Source of the quantities: arXiv 2504.00762; the statements are derived here, and every one has a test, with a
counter-example where it fails outside its assumptions.
"""

from mssim.theory.ceiling import Ceiling, ceiling
from mssim.theory.consistency import Consistency, consistency
from mssim.theory.costs import cost, expected_samples
from mssim.theory.limits import Limits, finite_budget, limits
from mssim.theory.lossless import Lossless, lossless
from mssim.theory.stopping_quality import calibration, stop_quality

__all__ = [
    "Ceiling",
    "Consistency",
    "Limits",
    "Lossless",
    "calibration",
    "ceiling",
    "consistency",
    "cost",
    "expected_samples",
    "finite_budget",
    "limits",
    "lossless",
    "stop_quality",
]
