"""When a compiled stop rule ends a model's turn, and answers to try it on; shared by the tests of the rules."""

import random

import numpy as np

from mssim.engine import stop_kernels
from mssim.kernels.tally import Recorded, Replays
from tests import naive


def decisions(rule, answers, *columns):
    """Draws after which the kernel stops on these answers in this order; None if it does not.

    Each column has a number per draw, of those that the rule reads.
    """
    known = sorted(set(answers) - {None})
    codes = np.array([[[known.index(a) if a is not None else -1 for a in answers]]], dtype=np.int16)
    # The samples are put where a replay's random order finds them in the order given.
    depth = len(answers)
    shuffled = np.empty_like(codes)
    places = naive.positions(0, "x", "q", 0, depth, depth)
    shuffled[0, 0, places] = codes[0, 0]
    keys = np.array([[naive.stream_key(0, "x", "q")]], dtype=np.uint64)
    recorded = Recorded(
        shuffled,
        np.array([[depth]], dtype=np.int32),
        np.array([0, len(known)]),
        np.zeros(len(known), dtype=bool),
        keys,
        keys[0],
    )
    seen, looks = np.zeros((len(columns), 1, 1, depth)), np.ones(depth + 1, bool)
    seen[:, 0, 0, places] = np.array(columns, dtype=float).reshape(len(columns), depth)
    end = stop_kernels.stop_ends(rule, rule.table(depth), looks, recorded, depth, seen, Replays(0, 1, False))
    return int(end[0, 0]) if end[0, 0] <= depth else None


def in_python(rule, answers, *columns):
    """Draws after which the rule's plain statement stops; None if it does not."""
    known = sorted(set(answers) - {None})
    codes = np.array([known.index(a) if a is not None else -1 for a in answers], dtype=np.int64)
    numbers = np.array(columns, dtype=float).reshape(len(columns), codes.size)
    ends = (n for n in range(1, codes.size + 1) if rule.stops(codes[:n], numbers[:, :n]))
    return next(ends, None)


def all_agree(rule, answers, *columns):
    """The draws after which kernel, plain statement and oracle all stop."""
    given = list(answers)
    ends = {decide(rule, given, *columns) for decide in (decisions, in_python)}
    ends.add(naive.first_stop(rule, given, columns))
    assert len(ends) == 1, ends
    return ends.pop()


def sequences(n, seed):
    """Answers of 40 draws, of one to six answers with random chances."""
    rng = random.Random(seed)
    for _ in range(n):
        weights = [rng.random() ** 3 for _ in range(rng.randint(1, 6))]
        yield rng.choices("abcdef"[: len(weights)], weights, k=40)


def same_decisions(rule, package):
    """Assert that a rule stops where one of the package AdaptiveConsistency does, and not always after as many."""
    stopped = set()
    for answers in sequences(60, seed=next(iter(vars(rule).values()))):
        expected = next((n for n in range(1, 41) if package.should_stop(answers[:n])), None)
        assert decisions(rule, answers) == expected
        stopped.add(expected)
    assert len(stopped) > 1
