"""Further stop rules in plain Python, which `naive.stops` asks: slow, obvious, sharing no rule with the library.

Each is a function (rule, answers, numbers) -> whether it stops after these draws. Answers are strings or None; numbers
are what the rule reads of each draw, by column.
"""

import itertools
import math
from collections import Counter
from functools import lru_cache

from scipy import integrate, special

RULES = {}  # by the name of the rule's class


@lru_cache(maxsize=10_000)
def _loses(leader, others):
    def density(t):
        x = math.exp(t)
        wins = math.prod(special.gammainc(other, x) for other in others)
        return (1 - wins) * math.exp(leader * t - x - math.lgamma(leader))

    edges = [-45, -20, -8, -3, 0, *(math.log(leader + k * math.sqrt(leader)) for k in (0, 2, 5, 12)), 8]
    edges = sorted({edge for edge in edges if edge <= 8})
    return sum(integrate.quad(density, a, b, epsabs=1e-18, epsrel=1e-12)[0] for a, b in itertools.pairwise(edges))


def loses(leader, others):
    """The chance that the largest of Gamma variables is not the first one: an integral over its logarithm."""
    return _loses(float(leader), tuple(sorted(map(float, others))))


def bayes_factor(rule, answers, numbers):  # noqa: ARG001
    votes = sorted(Counter(a for a in answers if a is not None).values(), reverse=True)
    if not votes:
        return False
    more = 1 if rule.form == "code" else 0
    chance = loses(votes[0] + more, [*(v + more for v in votes[1:]), rule.alpha + more])
    # The factor f (1 - c) / c is at least the threshold; c may be above by a share of 1e-9.
    chance /= 1 + 1e-9
    return (len(votes) + more) * (1 - chance) >= rule.threshold * chance


RULES["BayesFactorStop"] = bayes_factor
