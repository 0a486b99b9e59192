"""Runs of strategies over the draws of replays, which `tests/naive.py` makes."""

from dataclasses import replace

import numpy as np

from mssim.live import Draw
from mssim.live.interpreter import decide
from tests import naive
from tests.rules.test_catalogue import RULES


def in_python(rule):
    """The same rule with functions of one's own in plain Python; compiling them would take most of the time."""
    for name in ("vote", "stop"):
        function = getattr(getattr(rule, name, None), "function", None)
        if hasattr(function, "py_func"):
            rule = replace(rule, **{name: replace(getattr(rule, name), function=function.py_func)})
    return rule


EVERY = {name: in_python(rule) for name, rule in RULES.items()}


class Ranked:
    """Random numbers that are the ranks of the answer classes 0, 1, ... in a tie."""

    def __init__(self, ranks):
        self._ranks = iter(ranks)

    def random(self):
        return next(self._ranks)


def run(turns, draws_of):
    """Answer what a generator asks for by the next draws of each model; return its decision and what it asked for."""
    asked, left = [], {model: list(draws) for model, draws in draws_of.items()}
    try:
        ask = next(turns)
        while True:
            if asked and asked[-1].then:  # what was certain to follow
                assert ask == asked[-1].then[0]._replace(then=asked[-1].then[1:])
            asked.append(ask)
            drawn, left[ask.model] = left[ask.model][: ask.n], left[ask.model][ask.n :]
            ask = turns.send(drawn)
    except StopIteration as stopped:
        return stopped.value, asked


def known_of(pool, question):
    """Answers of a question, of which the place is the number of the answer class, as in a pool."""
    answers = naive.recorded(pool)[0]
    return sorted({a for given in answers.values() for a in given[question] if a is not None})


def samples_of(pool, question, model, places):
    """Recorded samples as draws."""
    answers, known = naive.recorded(pool)[0], known_of(pool, question)
    columns = {column: naive.column_of(pool, column)[model][question] for column in pool.numbers}
    return [
        Draw(
            -1 if (answer := answers[model][question][place]) is None else known.index(answer),
            {column: values[place] for column, values in columns.items()},
        )
        for place in places
    ]


def runs(pool, strategy, budget, **options):
    """For each replay: the decision, then whether it is right and its draws by stage, live and by the naive rule."""
    (plan,) = strategy.plans(np.array([budget]))
    right = naive.recorded(pool)[1]
    for one in naive.replays(pool, strategy, budget, **options):
        q, draws = one["question"], {model: [] for model in strategy.models}
        for model, places in zip(strategy.models, one["places"], strict=True):
            draws[model] += samples_of(pool, q, model, places)
        known = known_of(pool, q)
        decision, asked = run(decide(plan, random=Ranked(map(one["rank"], known))), draws)
        answer = known[decision.answer] if decision.answer >= 0 else None
        won, used = naive.replay(strategy, one["draws"], right[q], one["rank"], one["numbers"], one["lot"], one["seen"])
        yield decision, (answer in right[q], by_stage(plan, asked)), (bool(won), used)


def by_stage(plan, asked):
    """Draws of each stage, of which each has one model's turn; a stage ends with its last draw, or earlier."""
    sizes, used, stage = plan.sizes[:, 0].tolist(), [0] * len(plan.models), 0
    for ask in asked:
        while used[stage] == sizes[stage] or plan.models[stage] != ask.model:
            stage += 1
        used[stage] += ask.n
    return used
