"""Batches by number, of windows or of texts: a function of (plan, epoch, index), without state.

A training run that is resumed therefore needs two integers, the epoch and the index.
"""

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.encoded_texts import EncodedTexts
from rnnkit.data.splits import counted
from rnnkit.errors import DataError

_ROUNDS = 8
_POOL_BATCHES = 50
_SALT = 0x7E875
"""Keeps the order of the texts apart from other draws of the same seed."""
_RELEASE_EVERY_ROWS = 1024
_RELEASE_ABOVE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Windows:
    """The parts of a text that a model reads.

    `stream`: contiguous windows of `length` steps, one behind the other, with a target at every
    step; the recurrent state continues from window to window. `sliding`: windows that begin at
    every `stride`-th token, each with one target, the token after it.
    """

    kind: Literal["stream", "sliding"]
    length: int
    stride: int = 1

    @property
    def context(self) -> int | None:
        """Tokens that a prediction sees: the length of sliding windows, None where the recurrent
        state continues without end."""
        return self.length if self.kind == "sliding" else None


Values = NDArray[np.int32] | NDArray[np.float32]
"""Token ids and classes, or measured numbers."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and the targets to predict from them: ids and classes as int32, numbers as float32."""

    inputs: Values
    """int32[batch, time] token ids, or float32[batch, time, features]."""
    targets: Values
    """[batch, time] with a target at every step, as for streams; [batch, 1] with one for the whole
    row, as for sliding windows and texts. Numbers may have a last axis of features."""
    weights: NDArray[np.float32]
    """float32 like `targets`: 1, or 0 where the target is counted in another place."""
    starts_stream: bool
    """Whether the recurrent state begins at zero instead of continuing from the batch before."""


@dataclass(frozen=True)
class StreamLayout:
    """Positions of `batch_size` parallel streams in a text.

    Ten tokens have nine targets; in two streams they are read as (target positions)

        stream 0: 1 2 3 4 5        starts [0, 5], shortest 4, longer 1, longest 5
        stream 1: 6 7 8 9
    """

    starts: NDArray[np.int64]
    """int64[batch]: position of each stream's first input token."""
    shortest: int
    """Targets in the shorter streams."""
    longer: int
    """Number of streams with one target more; they are the first ones."""

    @property
    def longest(self) -> int:
        """Targets in the longest stream."""
        return self.shortest + (self.longer > 0)


@dataclass(frozen=True)
class BatchPlan:
    """All batches of a text of `tokens` tokens.

    Streams: row i of every batch continues row i of the one before. The last batch of an epoch is
    shorter, as the streams end; where some streams have one target more than others, the others
    repeat a token of their neighbour with weight 0.
    Sliding windows: in another order each epoch. The last batch is filled up from the beginning
    of that order, with weight 0.

    Raises DataError when the text is too short for one window, or for `batch_size` streams.
    """

    windows: Windows
    tokens: int
    batch_size: int
    seed: int = 0

    def __post_init__(self) -> None:
        # Ask now for what raises when the text is too short.
        _ = self.batches_per_epoch

    @cached_property
    def batches_per_epoch(self) -> int:
        """Number of batches that hold every target once."""
        match self.windows.kind:
            case "stream":
                return -(-self._streams.longest // self.windows.length)
            case "sliding":
                return -(-self._starts // self.batch_size)
            case _:
                assert_never(self.windows.kind)

    def batch(self, ids: NDArray[np.unsignedinteger], epoch: int, index: int) -> Batch:
        """Return batch `index` (from 0) of `epoch` from `ids`: unsigned[tokens]."""
        if len(ids) != self.tokens:
            raise ValueError(f"the plan is for {self.tokens} tokens, these are {len(ids)}")
        if not 0 <= index < self.batches_per_epoch:
            raise IndexError(f"batch {index} of {self.batches_per_epoch}")
        if index % self._release_every == 0 and ids.nbytes > _RELEASE_ABOVE_BYTES:
            _release_pages(ids)
        match self.windows.kind:
            case "stream":
                return self._stream_batch(np.asarray(ids), index)
            case "sliding":
                return self._sliding_batch(np.asarray(ids), epoch, index)
            case _:
                assert_never(self.windows.kind)

    @cached_property
    def _streams(self) -> StreamLayout:
        targets, streams = self.tokens - 1, np.arange(self.batch_size, dtype=np.int64)
        if targets < self.batch_size:
            raise DataError(
                f"A text of {counted(self.tokens, 'token')} has {max(targets, 0):,} to predict, "
                f"too few for {counted(self.batch_size, 'stream')}. Lower training.batch_size or "
                "use a longer text."
            )
        shortest, longer = divmod(targets, self.batch_size)
        return StreamLayout(streams * shortest + np.minimum(streams, longer), shortest, longer)

    @cached_property
    def _starts(self) -> int:
        """Number of sliding windows with a token after them."""
        length = self.windows.length
        if self.tokens <= length:
            raise DataError(
                f"A text of {counted(self.tokens, 'token')} holds no window of {length:,} with a "
                "token after it. Lower data.windows.length or use a longer text."
            )
        return (self.tokens - 1 - length) // self.windows.stride + 1

    @property
    def _release_every(self) -> int:
        return max(1, _RELEASE_EVERY_ROWS // self.batch_size)

    def _stream_batch(self, ids: NDArray[np.unsignedinteger], index: int) -> Batch:
        streams = self._streams
        first = index * self.windows.length
        time = min(self.windows.length, streams.longest - first)
        positions = streams.starts[:, None] + np.arange(first, first + time + 1)
        weights = np.ones((self.batch_size, time), np.float32)
        if first + time > streams.shortest:
            # The last column exists in the longer streams only; the last stream of all would
            # look one token beyond the end there.
            weights[streams.longer :, -1] = 0.0
            np.minimum(positions, self.tokens - 1, out=positions)
        steps = ids[positions].astype(np.int32)
        return Batch(
            inputs=np.ascontiguousarray(steps[:, :-1]),
            targets=np.ascontiguousarray(steps[:, 1:]),
            weights=weights,
            starts_stream=index == 0,
        )

    def _sliding_batch(self, ids: NDArray[np.unsignedinteger], epoch: int, index: int) -> Batch:
        places = np.arange(index * self.batch_size, (index + 1) * self.batch_size)
        weights = (places < self._starts).astype(np.float32)[:, None]
        order = permute(places % self._starts, size=self._starts, seed=self.seed, epoch=epoch)
        positions = order[:, None] * self.windows.stride + np.arange(self.windows.length + 1)
        steps = ids[positions].astype(np.int32)
        return Batch(
            inputs=np.ascontiguousarray(steps[:, :-1]),
            targets=np.ascontiguousarray(steps[:, -1:]),
            weights=weights,
            starts_stream=True,
        )


def _release_pages(ids: NDArray[np.unsignedinteger]) -> None:
    """Return the pages of a memory-mapped array to the system, which keeps them cached.

    Otherwise every page ever read counts as resident memory of this process, in the end the
    whole text. Reading one window maps 64 KiB or more around it, hence a limit in rows.
    """
    owner: object = ids
    read_only_file = False
    while isinstance(owner, np.ndarray):
        # Never for a copy-on-write mapping: its changes would be lost.
        read_only_file |= isinstance(owner, np.memmap) and owner.mode == "r"
        owner = owner.base
    if read_only_file and isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, eq=False)
class TextBatchPlan:
    """Batches by number of texts with `lengths`: int[rows], their tokens.

    The texts of an epoch are shuffled, put together in pools of 50 batches, sorted by length
    within a pool and cut into batches, which are shuffled again: a batch holds little padding
    and the epochs differ. Every text comes once in an epoch. When the batches do not come out
    even, the last one is smaller and drawn from all lengths.
    """

    lengths: NDArray[np.integer]
    batch_size: int
    seed: int = 0
    _orders: dict[int, NDArray[np.int64]] = field(default_factory=dict, init=False, repr=False)

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches that hold every text once."""
        return -(-len(self.lengths) // self.batch_size)

    def rows(self, epoch: int, index: int) -> NDArray[np.int64]:
        """Return the indices of the texts in batch `index` (from 0) of `epoch`: int64[batch]."""
        if not 0 <= index < self.batches_per_epoch:
            raise IndexError(f"batch {index} of {self.batches_per_epoch}")
        if epoch not in self._orders:
            self._orders.clear()  # Only one epoch is read at a time.
            self._orders[epoch] = self._order(epoch)
        return self._orders[epoch][index * self.batch_size : (index + 1) * self.batch_size]

    def batch(
        self,
        encoded: EncodedTexts,
        epoch: int,
        index: int,
        sample_weights: NDArray[np.float32] | None = None,
    ) -> Batch:
        """Batch `index` (from 0) of `epoch`.

        Inputs int32[batch, time], padded on the right with 0 to the longest row; targets
        int32[batch, 1], the class; weights float32[batch, 1], that of the class in
        `sample_weights`: float32[classes], or 1.
        """
        if len(encoded) != len(self.lengths):
            raise ValueError(f"the plan is for {len(self.lengths)} texts, these are {len(encoded)}")
        rows = self.rows(epoch, index)
        targets = encoded.labels[rows][:, None]
        if sample_weights is None:
            weights = np.ones(targets.shape, np.float32)
        else:
            weights = sample_weights[targets].astype(np.float32)
        return Batch(
            inputs=padded_rows(encoded, rows), targets=targets, weights=weights, starts_stream=False
        )

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """int64[rows]: the texts in the order of the epoch's batches."""
        draw = np.random.default_rng((self.seed, epoch, _SALT))
        shuffled = draw.permutation(len(self.lengths))
        whole = len(shuffled) - len(shuffled) % self.batch_size
        pool = _POOL_BATCHES * self.batch_size
        ordered = [
            part[np.argsort(self.lengths[part], kind="stable")]
            for start in range(0, whole, pool)
            for part in [shuffled[start : min(start + pool, whole)]]
        ]
        batches = np.concatenate(ordered or [shuffled[:0]]).reshape(-1, self.batch_size)
        return np.concatenate([draw.permutation(batches).ravel(), shuffled[whole:]])


def evaluation_batches(
    encoded: EncodedTexts, batch_size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """Yield every text once, short ones first: indices int64[batch], ids int32[batch, time].

    The indices bring predictions back into the order of the texts.
    """
    order = np.argsort(encoded.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        yield rows, padded_rows(encoded, rows)


def padded_rows(encoded: EncodedTexts, rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the ids of some texts, int32[rows, time], with 0 after the shorter ones.

    `[[5, 6], [7]]` -> `[[5, 6], [7, 0]]`
    """
    starts = encoded.offsets[rows]
    lengths = encoded.offsets[rows + 1] - starts
    time = np.arange(int(lengths.max(initial=0)))
    inside = time < lengths[:, None]
    padded = np.zeros(inside.shape, np.int32)
    padded[inside] = encoded.ids[(starts[:, None] + time)[inside]]
    return padded


# A pseudo-random order of any number of windows that needs no memory: a Feistel network whose two
# halves count modulo `a` and `b` (as in format-preserving encryption) permutes `0 .. a*b-1`. With
# `a*b` just above `size`, a result outside is permuted again until it falls inside ("cycle
# walking"), which is rare and keeps the mapping one to one.


def permute(positions: NDArray[np.int64], *, size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the original places of `positions` of a shuffled order.

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
