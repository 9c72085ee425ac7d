"""Stateless randomness: every draw is a function of (seed, purpose, epoch, sample) and of nothing that happened before.

So the number of loader workers, the order of loading, a resumed run and the world size cannot change what is drawn.
"""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    """Counter-based generator (Philox) of one purpose in one epoch; row i of what it draws belongs to sample i."""
    # As uint64 by hand: NumPy makes float64 of a list that mixes sizes, and the epoch would be rounded away.
    key = np.array([seed, zlib.crc32(purpose.encode()) << 32 | epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def order(seed: int, epoch: int, people: int) -> np.ndarray:
    """Order in which an epoch visits the people: a permutation of 0 .. people - 1."""
    return generator(seed, "order", epoch).permutation(people)
