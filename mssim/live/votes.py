"""Votes over the draws of one question, by the answer class that wins. `Vote` has the formula."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mssim.errors import StrategyError
from mssim.live.turns import Draw
from mssim.rules.votes import Vote

__all__ = ["elect", "plurality"]

_CLOSE = 1e-9  # scores that are relatively closer than this are equal, as in replays
_CANCELLED = 1e-12  # sums of numbers are equal within this share of the largest number that was drawn

Stages = Sequence[Sequence[Draw]]
Scores = list[tuple[int, float]]  # of answer classes, in the order in which they were seen
Rank = Callable[[int], float]


def elect(vote: Vote, stages: Stages, rank: Rank) -> int:
    """Return the answer class that wins a vote, or -1 if no draw has an answer or a tie counts as wrong.

    Parameters
    ----------
    vote : Vote
        The vote, with its prior in the order of the stages.
    stages : sequence of sequence of Draw
        Draws of every stage of the plan, in order; empty for a stage that does not vote.
    rank : callable (answer class) -> float
        Order of tied answers under ``ties="random"``; the highest wins.

    Returns
    -------
    int

    Examples
    --------
    >>> from mssim import Vote
    >>> from mssim.live import Draw
    >>> stages = [[Draw(0), Draw(1)], [Draw(1), Draw(2), Draw(1)]]
    >>> elect(Vote.plurality(), stages, rank=float), elect(Vote.plurality(prior=(4, 1)), stages, rank=float)
    (1, 1)
    >>> elect(Vote.plurality(ties="wrong"), [[Draw(0), Draw(1)]], rank=float)
    -1
    """
    if vote.function is not None:
        scores, close = _own(vote, stages), 0.0
    elif vote.counts_only and vote.combine == "max":
        scores, close = _of_leaders(vote, stages), 0.0
    else:
        scores = _means(vote, stages) if vote.ballots == "frequent" else _sum_up(vote, stages)
        close = _CANCELLED * _largest(vote, stages) if vote.ballots in ("number", "frequent") else 0.0
        close = _CLOSE if vote.ballots == "posterior" else close  # logarithms of likelihoods
    return _winner(scores, vote.ties, rank, close)


def plurality(draws: Sequence[Draw], ties: str, rank: Rank) -> tuple[int, int]:
    """Return the answer class with the most votes among the draws of one stage, and its votes.

    Examples
    --------
    >>> from mssim.live import Draw
    >>> plurality([Draw(3), Draw(-1), Draw(0), Draw(3)], "first", rank=float)
    (3, 2)
    """
    votes = Counter(draw.answer for draw in draws if draw.answer >= 0)
    return _winner(list(votes.items()), ties, rank, 0.0), max(votes.values(), default=0)


def _winner(scores: Iterable[tuple[int, float]], ties: str, rank: Rank, close: float) -> int:
    """Return the class with the highest score; of equal ones the first, the one of the highest rank, or none."""
    known = [(c, score) for c, score in scores if not math.isnan(score)]  # a function may return NaN
    if not known:
        return -1
    top = max(score for _, score in known)
    bar = top - max(close, _CLOSE * abs(top))
    tied = list(dict.fromkeys(c for c, score in known if score == top or score >= bar))  # top may be infinite
    if ties == "random":
        return max(tied, key=rank)
    return tied[0] if ties == "first" or len(tied) == 1 else -1


def _weights(vote: Vote, stages: Stages) -> list[float]:
    """Return the weight of each stage, its prior times its weight by agreement."""
    priors = vote.weights(len(stages))
    return [float(prior) * _within(vote, draws) for prior, draws in zip(priors, stages, strict=True)]


def _within(vote: Vote, draws: Sequence[Draw]) -> float:
    """Return the weight that a stage has by itself: 1, 1 / draws, or more the more its votes agree."""
    if vote.within == "share":
        return 1 / max(len(draws), 1)
    counted = [draws[j] for j in _voting(vote, draws)]
    votes = Counter(draw.answer for draw in counted if draw.answer >= 0).values()
    m = sum(votes)
    if vote.within == "none" or len(votes) <= 1:
        return 1.0
    entropy = math.log2(m) - math.fsum(n * math.log2(n) for n in votes) / m
    return 1 / m + (1 - 1 / m) * (1 - entropy / math.log2(len(votes) if vote.normaliser == "distinct" else m))


def _voting(vote: Vote, draws: Sequence[Draw]) -> Sequence[int]:
    """Return the places of the draws of a stage that vote: all, or the shortest, the shorter one first."""
    if vote.ballots != "shortest":
        return range(len(draws))
    lengths = [_number(vote, draw) for draw in draws]
    lengths = [math.inf if math.isnan(length) else length for length in lengths]  # of draws without an answer
    return sorted(range(len(draws)), key=lengths.__getitem__)[: vote.m]


def _number(vote: Vote, draw: Draw) -> float:
    return float(draw.numbers.get(vote.column or "", math.nan))


def _largest(vote: Vote, stages: Stages) -> float:
    return max((abs(_number(vote, draw)) for draws in stages for draw in draws if draw.answer >= 0), default=0.0)


def _sum_up(vote: Vote, stages: Stages) -> Scores:
    """Score every class by the sum or the best of its weighted ballots."""
    ballots, weights = _ballots(vote, stages), _weights(vote, stages)
    scores: dict[int, float] = {}
    for i, draws in enumerate(stages):
        for j in _voting(vote, draws):
            c = draws[j].answer
            if c >= 0 and not math.isnan(ballots[i][j]):
                score = weights[i] * ballots[i][j]
                known = scores.get(c)
                if known is not None:
                    score = max(known, score) if vote.combine == "max" else known + score
                scores[c] = score
    return list(scores.items())


def _ballots(vote: Vote, stages: Stages) -> list[list[float]]:
    """Return what each draw counts, [stage][draw]; NaN: it does not vote. Those without an answer are not used."""
    if vote.ballots in ("one", "shortest"):
        return [[1.0] * len(draws) for draws in stages]
    numbers = [[_number(vote, draw) for draw in draws] for draws in stages]
    if vote.ballots == "posterior":
        return _log_odds(vote, stages)
    valid = sorted(_number(vote, draw) for draws in stages for draw in draws if draw.answer >= 0)
    if vote.ballots == "number" or not valid:
        return numbers
    if vote.ballots == "ranks":
        return _ranked(numbers, vote.power or 0.0)
    if vote.ballots == "kept":
        return _kept(vote, numbers, valid)
    if vote.temperature is not None:
        temperature = vote.temperature
        return [[math.exp(min(x - valid[-1], 0.0) / temperature) for x in given] for given in numbers]
    assert vote.m is not None
    chances = _chances_to_be_best(np.array(valid), vote.m)
    return [[chances.get(x, 0.0) for x in given] for given in numbers]


def _log_odds(vote: Vote, stages: Stages) -> list[list[float]]:
    """Return the logarithm of the likelihood that each draw adds to its answer, [stage][draw]."""
    n_seen = len({draw.answer for draws in stages for draw in draws if draw.answer >= 0})
    n_others = max(n_seen + (vote.answers is None), vote.answers or 0) - 1
    return [
        [math.log(n_others * x / (1 - x)) if draw.answer >= 0 else 0.0 for draw in draws for x in [_number(vote, draw)]]
        for draws in stages
    ]


def _ranked(numbers: list[list[float]], power: float) -> list[list[float]]:
    """Return (N - r + 1)^power of each draw, of rank r among all N draws; those without a number rank last."""
    n = sum(len(given) for given in numbers)
    places = [(-math.inf if math.isnan(x) else x, i, j) for i, given in enumerate(numbers) for j, x in enumerate(given)]
    ballots = [[0.0] * len(given) for given in numbers]
    for rank, (_, i, j) in enumerate(sorted(places, key=lambda place: -place[0]), start=1):
        ballots[i][j] = ((n - rank + 1) / n) ** power
    return ballots


def _kept(vote: Vote, numbers: list[list[float]], valid: list[float]) -> list[list[float]]:
    """Return the numbers of the top share of draws, and NaN for all others; `valid` are sorted numbers of draws."""
    if valid[0] < 0:
        raise StrategyError(
            f"votes weigh their {vote.column}, which must not be negative, but a sample has {valid[0]:g}. Use a vote "
            f"such as vote=borda or vote=confidence, which allow negative numbers."
        )
    assert vote.keep is not None
    least = valid[-1 - math.floor(vote.keep * (len(valid) - 1) + _CLOSE)]
    return [[x if x >= least else math.nan for x in given] for given in numbers]


def _means(vote: Vote, stages: Stages) -> Scores:
    """Score the classes that have enough votes, or else the most votes, by their mean number."""
    votes: dict[int, float] = {}
    sums: dict[int, float] = {}
    weights = _weights(vote, stages)
    for weight, draws in zip(weights, stages, strict=True):
        for draw in draws:
            if draw.answer >= 0:
                votes[draw.answer] = votes.get(draw.answer, 0.0) + weight
                sums[draw.answer] = sums.get(draw.answer, 0.0) + weight * _number(vote, draw)
    drawn = sum(weight * len(draws) for weight, draws in zip(weights, stages, strict=True))
    assert vote.alpha is not None
    enough = min((vote.alpha - _CLOSE) * drawn, (1 - _CLOSE) * max(votes.values(), default=0.0))
    return [(c, sums[c] / n) for c, n in votes.items() if n >= enough]


def _chances_to_be_best(numbers: np.ndarray, m: int) -> dict[float, float]:
    """Return the chance of a draw with each number to be the best of m that are drawn again with replacement."""
    values, same = np.unique(numbers, return_counts=True)
    below = np.cumsum(same) - same
    chances = (((below + same) / numbers.size) ** m - (below / numbers.size) ** m) / same
    return dict(zip(values.tolist(), chances.tolist(), strict=True))


def _of_leaders(vote: Vote, stages: Stages) -> Scores:
    """Score the classes that lead a stage, stage by stage, by the share or weighted votes with which they lead it."""
    scores: Scores = []
    for weight, draws in zip(_weights(vote, stages), stages, strict=True):
        votes = Counter(draw.answer for draw in draws if draw.answer >= 0)
        scores += [(c, weight * n) for c, n in votes.items() if n == max(votes.values())]
    return scores


def _own(vote: Vote, stages: Stages) -> Scores:
    """Score the classes by a user's function, in the order in which they were seen."""
    assert vote.function is not None
    seen = list(dict.fromkeys(draw.answer for draws in stages for draw in draws if draw.answer >= 0))
    if len(seen) <= 1:
        return [(c, 1.0) for c in seen]
    counts = np.zeros((len(stages), max(seen) + 1), np.int64)
    for i, draws in enumerate(stages):
        for draw in draws:
            counts[i, draw.answer] += draw.answer >= 0
    arguments = [counts, vote.weights(len(stages))]
    if vote.columns:
        drawn = [draw for draws in stages for draw in draws]
        numbers = [[float(draw.numbers.get(column, math.nan)) for draw in drawn] for column in vote.columns]
        arguments.append(np.repeat(np.arange(len(stages)), [len(draws) for draws in stages]))
        arguments += [np.array([draw.answer for draw in drawn], np.int64), np.array(numbers, dtype=float)]
    try:
        given = np.asarray(vote.function(*arguments), dtype=float)
    except Exception as error:
        raise StrategyError(f"Vote.own: calling the function failed: {error}") from error
    if given.shape != counts.shape[1:]:
        raise StrategyError(
            f"Vote.own: the function must return one number per answer class, here {counts.shape[1]}. It returned an "
            f"array of shape {given.shape}."
        )
    return [(c, float(given[c])) for c in seen]
