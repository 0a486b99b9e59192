"""When a compiled stop rule ends a model's turn, and answers to try it on; shared by the tests of the rules."""

import random

import numpy as np

from mssim.engine import stop_kernels
from mssim.kernels.tally import Recorded, Replays
from tests import naive


def decisions(rule, answers):
    """Draws after which the kernel stops on these answers in this order; None if it does not."""
    known = sorted(set(answers) - {None})
    codes = np.array([[[known.index(a) if a is not None else -1 for a in answers]]], dtype=np.int16)
    # The samples are put where a replay's random order finds them in the order given.
    depth = len(answers)
    shuffled = np.empty_like(codes)
    shuffled[0, 0, naive.positions(0, "x", "q", 0, depth, depth)] = codes[0, 0]
    keys = np.array([[naive.stream_key(0, "x", "q")]], dtype=np.uint64)
    recorded = Recorded(
        shuffled,
        np.array([[depth]], dtype=np.int32),
        np.array([0, len(known)]),
        np.zeros(len(known), dtype=bool),
        keys,
        keys[0],
    )
    seen, looks = np.zeros((0, 1, 1, depth)), np.ones(depth + 1, bool)
    end = stop_kernels.stop_ends(rule, rule.table(depth), looks, recorded, depth, seen, Replays(0, 1, False))
    return int(end[0, 0]) if end[0, 0] <= depth else None


def in_python(rule, answers):
    """Draws after which the rule's plain statement stops; None if it does not."""
    known = sorted(set(answers) - {None})
    codes = np.array([known.index(a) if a is not None else -1 for a in answers], dtype=np.int64)
    ends = (n for n in range(1, codes.size + 1) if rule.stops(codes[:n], np.zeros((0, n))))
    return next(ends, None)


def all_agree(rule, answers):
    """The draws after which kernel, plain statement and oracle all stop."""
    given = list(answers)
    ends = {decisions(rule, given), in_python(rule, given), naive.first_stop(rule, given)}
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
