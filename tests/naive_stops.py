"""Further stop rules in plain Python, which `naive.stops` asks: slow, obvious, sharing no rule with the library.

Each is a function (rule, answers, numbers) -> whether it stops after these draws. Answers are strings or None; numbers
are what the rule reads of each draw, by column.
"""

import itertools
import math
import statistics
from collections import Counter
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache, lru_cache

import numpy as np
from scipy import integrate, special

PI = Decimal("3.1415926535897932384626433832795028841971693993751")


def leaders(answers):
    """Votes of the two leading answers."""
    votes = sorted(Counter(a for a in answers if a is not None).values(), reverse=True)
    return [*votes, 0, 0][:2]


def p_value(rule, answers, _):
    """The chance that a fair coin favours one side at least as much as the leader."""
    first, second = leaders(answers)
    n = first + second
    return Fraction(sum(math.comb(n, k) for k in range(first, n + 1)), 2**n) <= rule.alpha


def msprt(rule, answers, _):
    """Whether log LR of the two leaders is beyond a bound; with none there is nothing to test."""
    first, second = leaders(answers)
    if first == 0:
        return False
    ratio = log_ratio(rule.a, rule.b, first, second)
    high, low = math.log((1 - rule.beta) / rule.alpha), math.log(rule.beta / (1 - rule.alpha))
    return ratio >= Decimal(high - 1e-12) or ratio <= Decimal(low + 1e-12)


@lru_cache(maxsize=10_000)
def log_ratio(a, b, first, second):
    """log LR in 50 digits, vote by vote; whole numbers a and b that are equal or small.

    `above` is the chance that theta ~ Beta(a, b) exceeds 1/2, `density` a quarter of its density there. One vote more
    moves `above` by density / a, as integration by parts shows.
    """
    with localcontext() as context:
        context.prec = 50
        a, b = Decimal(a), Decimal(b)
        density = (log_gamma(a + b) - log_gamma(a) - log_gamma(b) - (a + b) * Decimal(2).ln()).exp()
        n = int(a + b) - 1
        above = Decimal(sum(math.comb(n, k) for k in range(int(a)))) / 2**n if a != b else Decimal("0.5")
        log = -above.ln()
        for _ in range(first):
            log += (2 * a / (a + b)).ln()
            above, density, a = above + density / a, density * (a + b) / (2 * a), a + 1
        for _ in range(second):
            log += (2 * b / (a + b)).ln()
            above, density, b = above - density / b, density * (a + b) / (2 * b), b + 1
        return log + above.ln()


def log_gamma(x):
    """log of (x - 1)!, by Stirling's series for large x."""
    if x < 2000:
        return Decimal(math.factorial(int(x) - 1)).ln()
    series = [(12, 1), (-360, 3), (1260, 5), (-1680, 7), (1188, 9)]
    return (x - Decimal("0.5")) * x.ln() - x + (2 * PI).ln() / 2 + sum(1 / (d * x**k) for d, k in series)


def optimal(rule, answers, _):
    """Whether the posterior of the leader is high enough; the priors are given."""
    first, second = leaders(answers)
    if first == second:
        return False  # each of the tied answers has the same posterior
    n = sum(a is not None for a in answers)
    return posterior(rule.priors, n, first, second) >= Fraction(str(rule.threshold)) - Fraction(1, 10**9)


@lru_cache(maxsize=100_000)
def posterior(priors, n, first, second):
    """The chance that the leader is the answer with the largest share; 0 if the votes are impossible."""
    ahead = every = Fraction(0)
    for prior in priors:
        exact = [Fraction(str(share)) for share in sorted(prior, reverse=True)]
        unit = math.lcm(*(share.denominator for share in exact))
        shares = [int(share * unit) for share in exact]
        each = [likelihood(shares, i, n, first, second) / Fraction(sum(shares)) ** n for i in range(len(shares))]
        ahead, every = ahead + each[0], every + sum(each)
    return ahead / every if every else Fraction(0)


def likelihood(shares, i, n, first, second):
    """The chance that answer i has `first` of n votes and the best of the others `second`, times sum(shares) ** n."""
    others = shares[:i] + shares[i + 1 :]
    at_most = [at_most_each(others, n - first, most) for most in (second, second - 1)]
    return math.comb(n, first) * shares[i] ** first * (at_most[0] - at_most[1])


def at_most_each(shares, n, most):
    """The chance that n votes give each of some answers at most so many, times sum(shares) ** n."""
    if most < 0:
        return 0
    ways = [1] + [0] * n  # of answers so far, by their votes in total
    for share in shares:
        ways = [
            sum(ways[total - votes] * math.comb(total, votes) * share**votes for votes in range(min(most, total) + 1))
            for total in range(n + 1)
        ]
    return ways[n]


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


def learnt(stop, answers, question, place):
    """The rule with the priors of the other folds of questions, None if there are none.

    answers[q] are the recorded answers to question q, place(q) a number by which questions are put in order.
    """
    order = sorted(answers, key=place)
    folds = {q: i % min(5, len(order)) for i, q in enumerate(order)}
    priors = []
    for q in order[:320]:
        votes = sorted(Counter(a for a in answers[q] if a is not None).values(), reverse=True)
        if folds[q] != folds[question] and votes:
            priors.append(votes[:32])
    return replace(stop, priors=priors) if priors else None


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
    return top >= Decimal(str(stop.threshold)) - Decimal("1e-20")  # of 28 digits, outside of `posterior_of`


@cache
def log_of(x):
    """Logarithm of 50 digits; most draws have a number that another one had."""
    with localcontext(prec=50):
        return x.ln()


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
        logs = [(answer, weight * log_of(x), weight * log_of((1 - x) / (k - 1))) for answer, x, weight in draws]
        made = {
            candidate: sum((hit if answer == candidate else miss for answer, hit, miss in logs), Decimal(0)).exp()
            for candidate in [*seen, None]
        }
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


RULES = {  # by the name of the rule's class
    "BayesFactorStop": bayes_factor,
    "OptimalStop": optimal,
    "PValueStop": p_value,
    "MixtureSPRTStop": msprt,
    "ReASCStop": reasc,
    "CGESStop": cges,
    "BEACONStop": beacon,
}
