"""Further votes in plain Python, which `naive.vote` asks: slow, obvious, sharing no rule with the library.

Each is a function (stages, rule, numbers) -> scores of all answers, in the order in which they were seen, as of
`naive.vote`.
"""

BALLOTS = {}  # by the ballots of the vote
