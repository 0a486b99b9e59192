"""A plan of a strategy, interpreted draw by draw for one question: what it asks for, when it stops, what it answers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Sequence

import numpy as np

from mssim._validation import shown
from mssim.engine.rounds import batch_starts, joined_stages
from mssim.errors import StrategyError
from mssim.live.turns import Ask, Decision, Draw
from mssim.live.votes import elect, plurality
from mssim.rules.plan import Ints, Plan, Verifier
from mssim.rules.stops import Stop

__all__ = ["Ranks", "Turns", "decide", "read_draws", "refusal"]

Turns = Generator[Ask, Sequence[Draw], Decision]


def decide(plan: Plan, *, random: np.random.Generator) -> Turns:
    """Interpret a plan at one budget for one question, as replays do.

    Parameters
    ----------
    plan : Plan
        Plan of a strategy at one budget.
    random : numpy.random.Generator
        Random numbers that decide ties under ``ties="random"``.

    Returns
    -------
    generator
        It yields an `Ask` for each round, expects its draws in order, and returns the `Decision`. A model that is asked
        again continues with its draws. No draw is asked for that a replay would not use.

    Raises
    ------
    StrategyError
        If the plan needs more than its draws to answer, such as the correct answer.

    Examples
    --------
    >>> import numpy as np
    >>> from mssim import ModelSwitch
    >>> from mssim.live import Draw
    >>> (plan,) = ModelSwitch(["strong", "weak"], agreement=0.75).plans(np.array([8]))
    >>> turns = decide(plan, random=np.random.default_rng(0))
    >>> next(turns)
    Ask(model='strong', n=4)
    >>> turns.send([Draw(0), Draw(0), Draw(1), Draw(-1)])
    Ask(model='weak', n=4)
    >>> turns.send([Draw(1), Draw(1), Draw(1), Draw(2)])
    Traceback (most recent call last):
    StopIteration: Decision(answer=1, stopped='agreement', stage=1)
    """
    problem = refusal(plan)
    if problem:
        raise StrategyError(f"plan: {problem}")
    if plan.sizes.shape[1] != 1:
        raise StrategyError(
            f"plan: it has {plan.sizes.shape[1]} budgets. Use `Plan.at([number])` to choose the number of one."
        )
    return _turns(plan, Ranks(random))


def refusal(plan: Plan) -> str | None:
    """Say what a plan needs to answer besides its draws, and the remedy; None if it needs nothing else.

    Examples
    --------
    >>> import numpy as np
    >>> from mssim import Coverage
    >>> refusal(Coverage(["gpt-4"]).plans(np.array([8]))[0]).split(". ")[0]
    'it asks whether any draw is correct, and does not choose an answer'
    """
    evaluate = "evaluate it on the recorded pool"
    if plan.cap:
        return f"its questions share one budget. Run it for all questions together, or {evaluate}."
    if plan.online is not None:
        return (
            "no server sends the confidences of groups of tokens, or ends a sample by them. Use recorded samples "
            f"with the column group_confidence, and {evaluate}."
        )
    if plan.ordered is not None:
        return f"the difficulty of all questions decides how many samples each draws. Use alloc, or {evaluate}."
    if plan.stop is not None and plan.stop.learns:
        return f"its stop rule learns from recorded samples of other questions. Use one that does not, or {evaluate}."
    if plan.least is not None:
        return f"it counts correct draws, and does not choose an answer. Use a strategy that votes, or {evaluate}."
    if plan.accepts is not None and plan.accepts.threshold is None:
        return (
            "its verifier knows the correct answer. Set column and threshold, e.g. column=confidence,threshold=-0.1, "
            f"or {evaluate}."
        )
    if plan.vote is None and plan.accepts is None:
        return (
            "it asks whether any draw is correct, and does not choose an answer. Use a strategy that votes, or "
            f"{evaluate}."
        )
    return None


class Ranks:
    """Ranks of answer classes in ties: the random number of class 0, of class 1, and so on.

    Examples
    --------
    >>> import numpy as np
    >>> ranks = Ranks(np.random.default_rng(0))
    >>> ranks(1) == ranks(1) != ranks(0)
    True
    """

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._ranks: list[float] = []

    def __call__(self, answer: int) -> float:
        """Return the rank of an answer class; the highest wins."""
        while len(self._ranks) <= answer:
            self._ranks.append(self._random.random())
        return self._ranks[answer]


def _turns(plan: Plan, rank: Ranks) -> Turns:
    """Let the models take their turns until one ends the run, and decide."""
    stages: list[list[Draw]] = [[] for _ in plan.models]
    drawing, starts = int((plan.sizes[:, 0] > 0).sum()), batch_starts(plan, None)
    for stage in range(drawing):
        needed, size = plan.need[stage, 0], plan.sizes[stage, 0]
        ended = yield from _take_turn(plan, stage, np.flatnonzero(starts[stage][:size]), stages[stage])
        if not ended and plan.vote is not None:
            _, votes = plurality(stages[stage], plan.vote.ties, rank)
            if votes >= needed:
                ended = "agreement" if needed >= 0 else "budget"
        if ended or stage == drawing - 1:
            return Decision(_answer(plan, stages, stage, ended, rank), ended or "budget", stage)
    raise AssertionError("the first stage of a plan draws")


def _take_turn(plan: Plan, stage: int, starts: Ints, draws: list[Draw]) -> Generator[Ask, Sequence[Draw], str]:
    """Draw the samples of a stage, round by round; return what ended it before all were drawn, or "" if nothing did."""
    then = _then(plan, stage)
    for n in np.diff(starts, append=plan.sizes[stage, 0]).tolist():
        drawn = yield Ask(plan.models[stage], n, then)
        draws += read_draws(plan, stage, n, drawn)
        if plan.accepts is not None and _accepts(plan.accepts, stage, draws[-1]):
            return "accepted"
        if plan.stop is not None and plan.asked(len(draws))[-1] and _stops(plan.stop, draws):
            return "stop rule"
    return ""


def _then(plan: Plan, stage: int) -> tuple[Ask, ...]:
    """Return what the stages that belong to the round of a stage ask for after it."""
    joins, sizes = joined_stages(plan, None)[:, 0], plan.sizes[:, 0].tolist()
    later = itertools.takewhile(lambda i: joins[i] and sizes[i] > 0, range(stage + 1, len(sizes)))
    return tuple(Ask(plan.models[i], sizes[i]) for i in later)


def _answer(plan: Plan, stages: Sequence[Sequence[Draw]], stage: int, ended: str, rank: Ranks) -> int:
    """Return the answer class, given the last stage and what ended the run, "" for the budget."""
    if plan.accepts is not None:
        return stages[stage][-1].answer if ended or plan.accepts.last else -1
    assert plan.vote is not None
    if plan.adopt and ended == "stop rule":
        return stages[stage][-1].answer
    if plan.adopt and ended:
        return plurality(stages[stage], plan.vote.ties, rank)[0]
    return elect(plan.vote, stages, rank)


def _accepts(verifier: Verifier, stage: int, draw: Draw) -> bool:
    """Return whether a verifier accepts a draw of a stage."""
    limit = verifier.limit(stage)
    assert limit is not None
    if draw.answer < 0 or limit == math.inf:
        return False
    number = draw.numbers[verifier.column]
    return number > limit if verifier.strict else number >= limit


def _stops(stop: Stop, draws: Sequence[Draw]) -> bool:
    """Return whether a stop rule stops after the last draw."""
    answers = np.array([draw.answer for draw in draws], np.int64)
    numbers = np.array([[draw.numbers.get(column, math.nan) for draw in draws] for column in stop.columns], dtype=float)
    return bool(stop.stops(answers, numbers.reshape(len(stop.columns), len(draws))))


def read_draws(plan: Plan, stage: int, n: int, drawn: Sequence[Draw]) -> list[Draw]:
    """Return the draws of a round as a stage reads them; raise if one with an answer lacks a number that it reads.

    Under a limit of output tokens, a longer draw has no answer.

    Examples
    --------
    >>> import numpy as np
    >>> from mssim import SelfConsistency
    >>> from mssim.live import Draw
    >>> (plan,) = SelfConsistency("gpt-4", max_tokens=512).plans(np.array([2]))
    >>> read_draws(plan, 0, 2, [Draw(0, {"output_tokens": 512}), Draw(0, {"output_tokens": 513})])
    [Draw(answer=0, numbers={'output_tokens': 512}), Draw(answer=-1, numbers={'output_tokens': 512})]
    """
    model, limit = plan.models[stage], plan.max_tokens[stage] if plan.max_tokens else None
    if len(drawn) != n:
        raise ValueError(f"{n} draws of {model!r} were asked for, and {len(drawn)} came")
    draws = [draw if limit is None else _cut_off(draw, limit) for draw in drawn]
    for draw in draws:
        for column in plan.columns if plan.accepts is None or plan.accepts.limit(stage) != math.inf else ():
            if draw.answer >= 0 and not math.isfinite(draw.numbers.get(column, math.nan)):
                raise StrategyError(
                    f"column {shown(column)}: a sample of model {shown(model)} has none. Let the server send it, or "
                    "use a strategy that does not read it."
                )
        for column, allowed in plan.ranges:
            if draw.answer >= 0 and not allowed.holds(draw.numbers[column]):
                raise StrategyError(f"model {shown(model)}: {allowed.problem(column, draw.numbers[column])}")
    return draws


def _cut_off(draw: Draw, limit: int) -> Draw:
    """Return a draw as it is under a limit of output tokens: a longer one has no answer."""
    if draw.numbers.get("output_tokens", 0) > limit:
        return Draw(-1, {**draw.numbers, "output_tokens": limit})
    return draw
