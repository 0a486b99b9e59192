"""Further stop rules in plain Python, which `naive.stops` asks: slow, obvious, sharing no rule with the library.

Each is a function (rule, answers, numbers) -> whether it stops after these draws. Answers are strings or None; numbers
are what the rule reads of each draw, by column.
"""

RULES = {}  # by the name of the rule's class
