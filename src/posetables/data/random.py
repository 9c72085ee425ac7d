"""Stateless randomness: every draw is a function of (seed, purpose, epoch, sample) and of nothing that happened before.

So the number of loader workers, the order of loading, a resumed run and the world size cannot change what is drawn.
"""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    """Counter-based generator (Philox) of one purpose in one epoch; row i of what it draws belongs to sample i."""
    return np.random.Generator(np.random.Philox(key=_key(seed, purpose, epoch)))


def order(seed: int, epoch: int, people: int) -> np.ndarray:
    """Order in which an epoch visits the people: a permutation of 0 .. people - 1."""
    return generator(seed, "order", epoch).permutation(people)


def of_samples(seed: int, purpose: str, epoch: int, samples: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(B, *size) numbers from [0, 1) of some samples alone, where those of all would fill the memory."""
    key = _key(seed, purpose, epoch)
    # The first word of the counter is what a generator itself counts; the last one is free for the sample.
    counters = [np.array([0, 0, 0, sample], np.uint64) for sample in samples]
    return np.stack([np.random.Generator(np.random.Philox(counter=each, key=key)).random(size) for each in counters])


def _key(seed: int, purpose: str, epoch: int) -> np.ndarray:
    # As uint64 by hand: NumPy makes float64 of a list that mixes sizes, and the epoch would be rounded away.
    return np.array([seed, zlib.crc32(purpose.encode()) << 32 | epoch], np.uint64)
