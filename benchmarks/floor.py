"""Floor: loops that only draw samples, the minimum work of any replay.

No replay without replacement can be faster than its draws, so the floor is the reference of all engines. The draws are
identical to those of `mssim.kernels.streams.draw`: SplitMix64 words and a partial Fisher-Yates shuffle, undone
afterwards. The sum of the drawn classes is returned, so that the compiler does not remove draws. There are three
versions, because the fastest depends on the machine: `plain` draws one sample at a time; `ahead` first computes the
numbers of a replay in a vectorised loop; `side_by_side` does so for four replays, whose swaps are independent.

All take samples uint16 [model, question, sample]; keys uint64 [model, question] of the streams; depths and replays
int64 [model, question], the numbers of draws and replays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mssim import Evaluation, Pool
from mssim.kernels.streams import GOLDEN, hash_names, mix, stream_keys, word

_HIGH = np.uint64(32)

inlined = njit(nogil=True, forceinline=True)


@njit(nogil=True, cache=True)
def plain(samples, keys, depths, replays):
    """Draw one sample at a time, then undo the swaps."""
    n_models, n_questions, n = samples.shape
    scratch, targets, total = np.empty(n, np.uint16), np.empty(n, np.uint32), np.uint64(0)
    for m in range(n_models):
        for q in range(n_questions):
            recorded, depth = samples[m, q], depths[m, q]
            scratch[:] = recorded
            for r in range(replays[m, q]):
                state = word(keys[m, q], r)
                for j in range(depth):
                    state += GOLDEN
                    t = np.uint32(j) + np.uint32(((mix(state) >> _HIGH) * np.uint64(n - j)) >> _HIGH)
                    total += np.uint64(scratch[t])
                    scratch[t] = scratch[j]
                    targets[j] = t
                for j in range(depth):
                    scratch[targets[j]] = recorded[targets[j]]
    return total


@inlined
def _number(state, j, n):
    """Return the index among n samples of draw j (from 0), in the replay whose words begin at `state`."""
    return np.uint64(j) + (((mix(state + np.uint64(j + 1) * GOLDEN) >> _HIGH) * np.uint64(n - j)) >> _HIGH)


@inlined
def _replay(state, depth, recorded, scratch, targets):
    """Run a replay: numbers, swaps, undo. Return the sum of the classes."""
    total = np.uint64(0)
    for j in range(depth):
        targets[j] = _number(state, j, recorded.size)
    for j in range(depth):
        t = targets[j]
        total += np.uint64(scratch[t])
        scratch[t] = scratch[j]
    for j in range(depth):
        scratch[targets[j]] = recorded[targets[j]]
    return total


@njit(nogil=True, cache=True)
def ahead(samples, keys, depths, replays):
    """Compute the numbers of a replay, then swap, then undo the swaps."""
    n_models, n_questions, n = samples.shape
    scratch, targets, total = np.empty(n, np.uint16), np.empty(n, np.uint32), np.uint64(0)
    for m in range(n_models):
        for q in range(n_questions):
            recorded, depth = samples[m, q], np.uint32(depths[m, q])
            scratch[:] = recorded
            for r in range(replays[m, q]):
                total += _replay(word(keys[m, q], r), depth, recorded, scratch, targets)
    return total


@njit(nogil=True, cache=True)
def side_by_side(samples, keys, depths, replays):
    """Work as `ahead` on four replays at a time, each with its own copy of the samples."""
    n_models, n_questions, n = samples.shape
    s0, s1, s2, s3 = np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.uint16)
    t0, t1, t2, t3 = np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(n, np.uint32)
    total = np.uint64(0)
    for m in range(n_models):
        for q in range(n_questions):
            recorded, depth, key = samples[m, q], np.uint32(depths[m, q]), keys[m, q]
            s0[:], s1[:], s2[:], s3[:] = recorded, recorded, recorded, recorded
            for r in range(0, replays[m, q] - 3, 4):
                a, b, c, d = word(key, r), word(key, r + 1), word(key, r + 2), word(key, r + 3)
                for j in range(depth):
                    t0[j] = _number(a, j, n)
                    t1[j] = _number(b, j, n)
                    t2[j] = _number(c, j, n)
                    t3[j] = _number(d, j, n)
                for j in range(depth):  # separate statements; tuples take 1.5 times as long
                    total += np.uint64(s0[t0[j]])
                    s0[t0[j]] = s0[j]
                    total += np.uint64(s1[t1[j]])
                    s1[t1[j]] = s1[j]
                    total += np.uint64(s2[t2[j]])
                    s2[t2[j]] = s2[j]
                    total += np.uint64(s3[t3[j]])
                    s3[t3[j]] = s3[j]
                for j in range(depth):
                    s0[t0[j]] = recorded[t0[j]]
                    s1[t1[j]] = recorded[t1[j]]
                    s2[t2[j]] = recorded[t2[j]]
                    s3[t3[j]] = recorded[t3[j]]
            for r in range(replays[m, q] // 4 * 4, replays[m, q]):
                total += _replay(word(key, r), depth, recorded, s0, t0)
    return total


FLOORS = {"draw by draw": plain, "numbers ahead": ahead, "four replays side by side": side_by_side}


class Draws(NamedTuple):
    """Arguments of a floor."""

    samples: NDArray[np.uint16]
    keys: NDArray[np.uint64]
    depths: NDArray[np.int64]
    replays: NDArray[np.int64]

    @property
    def total(self) -> int:
        """Total number of draws."""
        return int((self.depths * self.replays).sum())


def draws_of(pool: Pool, models: list[str], depths: NDArray[np.int64], replays: NDArray[np.int64]) -> Draws:
    """Return the draws of some models from every question, with the streams of seed 0."""
    rows = [pool.model_index(model) for model in models]
    keys = stream_keys(0, models, hash_names(pool.question_ids))
    return Draws(pool.codes[rows].astype(np.uint16), keys, depths, replays)


def draws_as_used(pool: Pool, models: list[str], sizes: list[int], result: Evaluation, n_replays: int) -> Draws:
    """Return the draws of a strategy at its largest budget; a second model draws only where it was reached."""
    used = result.samples_used[0, -1]
    shares = np.ones((len(models), used.size))
    if len(models) == 2:
        shares[1] = (used - sizes[0]) / sizes[1]
        depths = np.repeat(np.array(sizes)[:, None], used.size, axis=1)
    else:  # a single model that can stop: its mean number of draws
        depths = np.rint(used).astype(np.int64)[None]
    return draws_of(pool, models, depths, np.rint(shares * n_replays).astype(np.int64))
