"""Counter-based random numbers: the sample drawn at a position of a replay is a pure function of names and numbers.

Every (seed, model, question, replay) owns a SplitMix64 sequence (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195)
whose j-th word picks the j-th draw. Nothing is carried from one replay to the next, so any replay of any question can
be computed anywhere, in any order, with the same bits. A 32-bit product maps a word to a position among n samples;
its bias, at most n / 2**32 per position, is below 1e-6 for any pool that fits in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mssim.kernels.compiling import compiled, inlined

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
HIGH = np.uint64(32)
_ONE = np.uint64(1)


@compiled
def mix(z):
    """Scramble 64 bits one to one: the output function of SplitMix64."""
    z = (z ^ (z >> _SHIFT_1)) * _MULTIPLIER_1
    z = (z ^ (z >> _SHIFT_2)) * _MULTIPLIER_2
    return z ^ (z >> _SHIFT_3)


@compiled
def word(state, index):
    """Return word number `index` (from 0) of the SplitMix64 sequence that starts at `state`."""
    return mix(state + (np.uint64(index) + _ONE) * GOLDEN)


@compiled
def draw(order, row, depth, targets, scratch, samples, source, n, state, replacement):
    """Fill order[row, :depth] with the classes of the first `depth` draws of one replay.

    order    : uint16 [row, draw]
    targets  : uint32 [>= depth], overwritten
    samples  : uint16 [source, sample], recorded classes, of which samples[source, :n] are drawn from
    scratch  : the same array again, equal to samples on entry and on return
    state    : uint64, start of this replay's word sequence

    Without replacement this is a Fisher-Yates shuffle stopped after `depth` steps, so a shorter prefix is the
    beginning of a longer one. (Rows are passed as numbers because a view costs as much as twenty draws.)
    """
    draw_more(order, row, 0, depth, targets, scratch, source, n, state, replacement)
    put_back(depth, targets, scratch, samples, source, replacement)


@compiled
def draw_more(order, row, begin, depth, targets, scratch, source, n, state, replacement):
    """Draw positions begin to depth - 1 of a replay whose earlier draws are not put back yet; see `draw`."""
    if replacement:
        for j in range(begin, depth):
            order[row, j] = scratch[source, ((word(state, j) >> HIGH) * np.uint64(n)) >> HIGH]
        return
    for j in range(begin, depth):  # by themselves, because this loop is vectorised and the next is not
        targets[j] = np.uint32(j) + np.uint32(((word(state, j) >> HIGH) * np.uint64(n - j)) >> HIGH)
    for j in range(begin, depth):
        t = targets[j]
        order[row, j] = scratch[source, t]
        scratch[source, t] = scratch[source, j]


@compiled
def put_back(depth, targets, scratch, samples, source, replacement):
    """Undo what `depth` draws did to `scratch`."""
    if not replacement:
        for j in range(depth):
            scratch[source, targets[j]] = samples[source, targets[j]]


@inlined
def draw_next(j, n, state, numbers, targets, replacement):
    """Return the sample of draw j of a replay that may end after it; `targets` notes where it was.

    numbers : uint16 [sample], numbers of the samples, which are swapped; see `put_numbers_back`
    """
    begin, among = (0, n) if replacement else (j, n - j)
    t = np.uint32(begin) + np.uint32(((word(state, j) >> HIGH) * np.uint64(among)) >> HIGH)
    s = numbers[t]
    numbers[t] = numbers[t if replacement else np.uint32(j)]
    targets[np.uint32(j)] = t
    return s


@inlined
def put_numbers_back(depth, targets, numbers):
    """Undo what `depth` draws did to the numbers of the samples."""
    for j in range(depth):
        t = targets[np.uint32(j)]
        numbers[t] = t


def hash_names(names: Iterable[str]) -> NDArray[np.uint64]:
    """Return a stable 64-bit number per name, so that streams do not depend on places in a pool."""
    digests = b"".join(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def stream_keys(seed: int, models: Iterable[str], questions: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the keys of the streams of every model and question.

    Parameters
    ----------
    seed : int
        Any integer from 0 to 2**64 - 1.
    models : iterable of str
        Names; the empty name is the stream that breaks ties at random.
    questions : ndarray of uint64, shape (n_questions,)
        `hash_names` of the question ids.

    Returns
    -------
    ndarray of uint64, shape (n_models, n_questions)
        Replay r of a stream starts its words at ``word(key, r)``.
    """
    start = _mix_array(np.array([seed], dtype=np.uint64))
    per_model = _mix_array(start + hash_names(models))
    return _mix_array(per_model[:, None] + questions[None, :])


def _mix_array(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> _SHIFT_1)) * _MULTIPLIER_1
    z = (z ^ (z >> _SHIFT_2)) * _MULTIPLIER_2
    return z ^ (z >> _SHIFT_3)
