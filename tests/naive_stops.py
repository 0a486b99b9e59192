"""Further stop rules in plain Python, which `naive.stops` asks: slow, obvious, sharing no rule with the library.

Each is a function (rule, answers, numbers) -> whether it stops after these draws. Answers are strings or None; numbers
are what the rule reads of each draw, by column.
"""

import math
from collections import Counter
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

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


RULES = {"OptimalStop": optimal, "PValueStop": p_value, "MixtureSPRTStop": msprt}  # by the name of the rule's class
