"""Further votes in plain Python, which `naive.vote` asks: slow, obvious, sharing no rule with the library.

Each is a function (stages, rule, numbers) -> scores of all answers, in the order in which they were seen, as of
`naive.vote`.
"""

import math
from fractions import Fraction

from tests import naive, naive_stops


def drawn(stages, rule, numbers):
    """Every draw as (answer, number, weight of its model), models in order, then draws in order."""
    prior = [Fraction(str(weight)) for weight in rule.prior] if rule.prior else [1] * len(stages)
    weights = [p * naive.within_weight(rule, answers) for p, answers in zip(prior, stages, strict=True)]
    return [(stages[i][j], numbers[i][j], weights[i]) for i in range(len(stages)) for j in range(len(stages[i]))]


def added(votes):
    """Sum of the weights of each answer, of (answer, weight)."""
    scores = {}
    for answer, weight in votes:
        scores[answer] = scores.get(answer, 0) + weight
    return scores


def deepconf(stages, rule, numbers):
    """The percentile between two numbers lets those from the upper one on pass."""
    valid = [draw for draw in drawn(stages, rule, numbers) if draw[0] is not None]
    place = (1 - Fraction(str(rule.keep))) * (len(valid) - 1)
    confidences = sorted(number for _, number, _ in valid)
    return added((a, weight * c) for a, c, weight in valid if c >= confidences[math.ceil(place)])


def borda(stages, rule, numbers):
    given = drawn(stages, rule, numbers)
    known = [-math.inf if math.isnan(number) else number for _, number, _ in given]
    best_first = sorted(range(len(given)), key=lambda k: -known[k])
    rank = {k: r for r, k in enumerate(best_first, start=1)}
    votes = ((a, weight * (len(given) - rank[k] + 1) ** rule.power) for k, (a, _, weight) in enumerate(given))
    return added((a, weight) for a, weight in votes if a is not None)


def best_of_majority(stages, rule, numbers):
    given = drawn(stages, rule, numbers)
    votes = added((a, weight) for a, _, weight in given if a is not None)
    sums = added((a, weight * Fraction(number)) for a, number, weight in given if a is not None)
    enough = Fraction(str(rule.alpha)) * sum(weight for _, _, weight in given)
    enough = min(enough, max(votes.values(), default=0))
    return {a: float(sums[a] / votes[a]) for a in votes if votes[a] >= enough}


def posterior(stages, rule, numbers):
    """Posterior probabilities; the model with the largest prior weight counts once."""
    prior = rule.prior and [weight / max(rule.prior) for weight in rule.prior]
    found, _ = naive_stops.posterior_of(stages, numbers, rule.answers, prior)
    return {answer: float(p) for answer, p in found.items()}


BALLOTS = {"kept": deepconf, "ranks": borda, "frequent": best_of_majority, "posterior": posterior}
