"""A pseudo-random order of very many things that needs no memory for them.

A Feistel network whose two halves count modulo `a` and `b` (as in format-preserving encryption)
permutes `0 .. a*b-1`. With `a*b` just above `size`, a result outside is simply permuted again
until it falls inside ("cycle walking"), which is rare and keeps the mapping one to one.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 8


def permute(positions: NDArray[np.int64], *, size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Where the things at `positions` of the shuffled order come from.

    `positions`: int64[n] in `0 .. size-1`. Returns int64[n] in the same range; over all
    positions it is a permutation, another one for each `seed` and `epoch`.
    """
    keys = _round_keys(seed, epoch)
    rows = math.isqrt(size - 1) + 1
    columns = -(-size // rows)
    result = _rounds(positions.astype(np.uint64), rows, columns, keys)
    while (outside := result >= size).any():
        result[outside] = _rounds(result[outside], rows, columns, keys)
    return result.astype(np.int64)


@lru_cache(maxsize=8)
def _round_keys(seed: int, epoch: int) -> tuple[np.uint64, ...]:
    return tuple(np.random.SeedSequence((seed, epoch)).generate_state(_ROUNDS, np.uint64))


def _rounds(
    values: NDArray[np.uint64], rows: int, columns: int, keys: tuple[np.uint64, ...]
) -> NDArray[np.uint64]:
    """One pass of the network over uint64[n] values below `rows * columns`."""
    left, right = np.divmod(values, np.uint64(columns))
    moduli = (np.uint64(rows), np.uint64(columns))
    for index in range(0, _ROUNDS, 2):
        left = (left + _mix(right, keys[index]) % moduli[0]) % moduli[0]
        right = (right + _mix(left, keys[index + 1]) % moduli[1]) % moduli[1]
    return left * np.uint64(columns) + right


def _mix(values: NDArray[np.uint64], key: np.uint64) -> NDArray[np.uint64]:
    """Scramble 64 bits (the finisher of MurmurHash3); overflow wraps around as intended."""
    mixed = values ^ key
    mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return mixed ^ (mixed >> np.uint64(33))
