"""Further stop rules in plain Python, which `naive.stops` asks: slow, obvious, sharing no rule with the library.

Each is a function (rule, answers, numbers) -> whether it stops after these draws. Answers are strings or None; numbers
are what the rule reads of each draw, by column.
"""

import itertools
import math
import statistics
from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np
from scipy import integrate, special

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
            for answer, x in zip(given, of_given, strict=False)  # a stage that is not reached has only numbers
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


def beacon(stop, answers, numbers):
    """Whether the value of one more draw, in predictive scales, is at most its price."""
    scores = [x for answer, x in zip(answers, numbers[0], strict=True) if answer is not None]
    k = len(scores)
    if k < 3:
        return False
    if k >= stop.horizon or len(set(scores)) == 1:
        return True
    scale = statistics.stdev(scores) * math.sqrt(1 + 1 / k)
    lead = (max(scores) - statistics.fmean(scores)) / scale
    price = stop.price / scale
    return worth_of_a_draw(k, stop.horizon, round(lead, 12), round(price, 12)) <= price


@lru_cache(maxsize=100_000)
def worth_of_a_draw(k, horizon, lead, price):
    """Expected gain of a draw after k, and of what follows at this price; by one integral within the other."""
    degrees = k - 1
    constant = math.gamma(k / 2) / math.gamma(degrees / 2) / math.sqrt(degrees * math.pi)
    if k + 1 == horizon:
        density = constant * (1 + lead * lead / degrees) ** (-k / 2)
        return (degrees + lead * lead) / (degrees - 1) * density - lead * special.stdtr(degrees, -lead)

    def gain(t):
        scale = math.sqrt((k + 2) * (degrees + t * t)) / (k + 1)
        after = (max(lead, t) - t / (k + 1)) / scale
        more = worth_of_a_draw(k + 1, horizon, after, price / scale) - price / scale
        return max(t - lead, 0.0) + scale * max(more, 0.0)

    def integrand(x):  # t = lead + sinh(x)
        t = lead + math.sinh(x)
        return gain(t) * constant * (1 + t * t / degrees) ** (-k / 2) * math.cosh(x)

    ends = [-40 / degrees, -1.0, 0.0, 1.0, 40 / degrees]
    return sum(integrate.quad(integrand, a, b, limit=200, epsabs=1e-9)[0] for a, b in itertools.pairwise(ends))


RULES = {"ReASCStop": reasc, "CGESStop": cges, "BEACONStop": beacon}  # by the name of the rule's class
