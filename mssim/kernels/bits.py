"""Sets of small numbers as bits of 64-bit words."""

from __future__ import annotations

import numpy as np

from mssim.kernels.compiling import compiled

_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)  # every six bits in a row differ (Leiserson, Prokop & Randall 1998)
_TOP = np.uint64(58)
_ONE, _TWO, _FOUR, _LAST_BYTE = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
# Every second bit, every second pair, every second group of four, and the lowest bit of each byte.
_ONES, _PAIRS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_FOURS, _BYTES = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


def _places() -> np.ndarray:
    places = np.zeros(64, np.int64)
    for bit in range(64):
        places[((int(_DE_BRUIJN) << bit) & (2**64 - 1)) >> 58] = bit
    return places


_PLACES = _places()


@compiled
def lowest(word):
    """Return the number of the lowest set bit of a word other than 0."""
    return _PLACES[((word & (~word + _ONE)) * _DE_BRUIJN) >> _TOP]


@compiled
def bit(number):
    """Return a word with one bit set: number & 63."""
    return _ONE << np.uint64(number & 63)


@compiled
def count(word):
    """Return the number of set bits of a word."""
    found = np.uint64(word)
    found -= (found >> _ONE) & _ONES
    found = (found & _PAIRS) + ((found >> _TWO) & _PAIRS)
    found = (found + (found >> _FOUR)) & _FOURS
    return np.int64((found * _BYTES) >> _LAST_BYTE)
