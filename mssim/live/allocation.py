"""One budget for all questions: the next sample goes to the question whose leading answer is least certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from functools import lru_cache
from heapq import heappop, heappush

import numpy as np

from mssim.live.interpreter import Ranks, read_draws
from mssim.live.turns import Ask, Decision, Draw
from mssim.live.votes import plurality
from mssim.rules.plan import Plan
from mssim.rules.strategies.adaptive_allocation import certainty

__all__ = ["Together", "share_budget"]

Together = Generator[list[tuple[str, Ask]], Sequence[Sequence[Draw]], dict[str, Decision]]
_Waiting = tuple[float, int, str]  # certainty, place in the queue, question; the least one is next


def share_budget(plan: Plan, randoms: Mapping[str, np.random.Generator]) -> Together:
    """Interpret a plan whose questions share one budget, as replays do.

    The next sample goes to the question whose leading answer is least certain; of equally certain questions, to the one
    that was sampled least recently. Draws that are certain to be used are asked for together. At first this is a draw
    of every question. Later it is at least one, and more where `cap` keeps the questions before from taking all that is
    left.

    Parameters
    ----------
    plan : Plan
        Plan at one budget, with a cap.
    randoms : mapping of str to numpy.random.Generator
        For each question, in the order in which they are first sampled, the random numbers that decide its ties under
        ``ties="random"``.

    Returns
    -------
    generator
        It yields a list of questions with what each asks for, expects the draws of each in the same order, and returns
        the decisions.

    Examples
    --------
    >>> import numpy as np
    >>> from mssim import AdaptiveAllocation
    >>> from mssim.live import Draw
    >>> (plan,) = AdaptiveAllocation("gpt-4").plans(np.array([1]))
    >>> running = share_budget(plan, {"q1": np.random.default_rng(1), "q2": np.random.default_rng(2)})
    >>> [question for question, _ in next(running)]
    ['q1', 'q2']
    >>> try:
    ...     running.send([[Draw(0)], [Draw(-1)]])
    ... except StopIteration as stopped:
    ...     print({question: decision.answer for question, decision in stopped.value.items()})
    {'q1': 0, 'q2': -1}
    """
    drawn: dict[str, list[Draw]] = {question: [] for question in randoms}
    waiting = [(_certainty((), plan.certainty)[0], place, question) for place, question in enumerate(drawn)]
    left, received = int(plan.sizes[0, 0]) * len(drawn), dict[str, list[Draw]]()
    for place in range(len(drawn), len(drawn) + left):
        if waiting[0][2] not in received:
            questions = [q for q in _certain(waiting, drawn, plan, left) if q not in received]
            given = yield [(question, Ask(plan.models[0])) for question in questions]
            received |= {q: read_draws(plan, 0, 1, one) for q, one in zip(questions, given, strict=True)}
        _, _, question = heappop(waiting)
        drawn[question] += received.pop(question)
        left -= 1
        if len(drawn[question]) < plan.cap:
            heappush(waiting, (_certainty(drawn[question], plan.certainty)[0], place, question))
    assert plan.vote is not None
    ties = plan.vote.ties
    answers = {q: plurality(draws, ties, Ranks(randoms[q]))[0] for q, draws in drawn.items()}
    return {question: Decision(answer, "budget", 0) for question, answer in answers.items()}


def _certain(waiting: Sequence[_Waiting], drawn: Mapping[str, Sequence[Draw]], plan: Plan, left: int) -> list[str]:
    """Return the questions whose next draw is certain to be used, given the draws that are left."""
    lowest, before, certain = waiting[0][0], 0, []
    for _, _, question in sorted(entry for entry in waiting if entry[0] == lowest):
        if before >= left:
            break
        certain.append(question)
        # A draw can make a question less certain. Then it is next, again and again, until it takes no more. A question
        # whose leader is not ahead cannot become less certain.
        ahead = _certainty(drawn[question], plan.certainty)[1]
        before += plan.cap - len(drawn[question]) if ahead else 1
    return certain


def _certainty(draws: Sequence[Draw], measure: str) -> tuple[float, bool]:
    """Return how certain the leading answer of some draws is, and whether it has more votes than any other."""
    votes = Counter(draw.answer for draw in draws if draw.answer >= 0).most_common(2)
    first, second = [*(n for _, n in votes), 0, 0][:2]
    return _of_votes(first, second, measure), first > second


@lru_cache(maxsize=4096)
def _of_votes(first: int, second: int, measure: str) -> float:
    return float(certainty(np.array(first), np.array(second), measure))
