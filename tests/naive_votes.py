"""Further votes in plain Python, which `naive.vote` asks: slow, obvious, sharing no rule with the library.

Each is a function (stages, rule, numbers) -> scores of all answers, in the order in which they were seen, as of
`naive.vote`.
"""

from tests import naive_stops


def posterior(stages, rule, numbers):
    """Posterior probabilities; the model with the largest prior weight counts once."""
    prior = rule.prior and [weight / max(rule.prior) for weight in rule.prior]
    found, _ = naive_stops.posterior_of(stages, numbers, rule.answers, prior)
    return {answer: float(p) for answer, p in found.items()}


BALLOTS = {"posterior": posterior}  # by the ballots of the vote
