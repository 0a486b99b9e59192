"""Further stop rules in plain Python, which `naive.stops` asks: slow, obvious, sharing no rule with the library.

Each is a function (rule, answers, numbers) -> whether it stops after these draws. Answers are strings or None; numbers
are what the rule reads of each draw, by column.
"""

import math
from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np

NODES, WEIGHTS = (part / 2 for part in np.polynomial.legendre.leggauss(200))


def reasc(stop, answers, numbers):
    """The weights of the two leading answers in a Beta posterior, whose densities are summed over points."""
    sums = {}
    for answer, x in zip(answers, numbers[0], strict=True):
        if answer is not None:
            sums[answer] = sums.get(answer, 0) + max(1, math.exp(stop.rate * (x - stop.centre) / stop.scale))
    if not sums:
        return False
    if len(answers) == 1 and stop.gate is not None and numbers[0][0] >= stop.gate:
        return True
    first, second = sorted([*sums.values(), 0.0], reverse=True)[:2]
    return ahead(first, second) >= stop.threshold - 1e-12


@lru_cache(maxsize=100_000)
def ahead(first, second):
    """P[theta > 1/2], theta ~ Beta(first + 1, second + 1), as a ratio of integrals over the halves of 0..1."""
    mode = first / (first + second) if second else 1.0

    def half(x):
        with np.errstate(divide="ignore", under="ignore"):
            others = second * np.log((1 - x) / (1 - mode)) if second else 0.0
            return float(WEIGHTS @ np.exp(first * np.log(x / mode) + others)) / 2

    lower, upper = half(0.25 + NODES / 2), half(0.75 + NODES / 2)
    return upper / (lower + upper)


def cges(stop, answers, numbers):
    """Whether an answer has enough of the posterior probability; other answers count with `other`."""
    posterior, unseen = posterior_of([answers], [numbers[0]], stop.answers)
    if not posterior:
        return False
    top = max([*posterior.values(), *([unseen] if stop.other and unseen else [])])
    return top >= Decimal(str(stop.threshold)) - Decimal("1e-30")


def posterior_of(stages, numbers, n_answers, prior=None):
    """Posterior probability of every answer seen, in their order, and of one that was not (None if there is none).

    Draws of stage i count with the power prior[i]. Decimal numbers of 50 digits.
    """
    with localcontext(prec=50):
        draws = [
            (answer, Decimal(str(x)), Decimal(str(weight)))
            for given, of_given, weight in zip(stages, numbers, prior or [1] * len(stages), strict=True)
            for answer, x in zip(given, of_given, strict=True)
            if answer is not None
        ]
        seen = list(dict.fromkeys(answer for answer, _, _ in draws))
        k = len(seen) + 1 if n_answers is None else max(n_answers, len(seen))
        n_unseen = k - len(seen)
        made = {}
        for candidate in [*seen, None]:
            made[candidate] = Decimal(1)
            for answer, x, weight in draws:
                made[candidate] *= (x if answer == candidate else (1 - x) / (k - 1)) ** weight
        unseen = made.pop(None)
        total = sum(made.values()) + n_unseen * unseen
        return {answer: p / total for answer, p in made.items()}, unseen / total if n_unseen else None


RULES = {"ReASCStop": reasc, "CGESStop": cges}  # by the name of the rule's class
