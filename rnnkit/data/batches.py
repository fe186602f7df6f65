"""Batches of windows by number: any batch of any epoch can be asked for, nothing is remembered.

A training run that is resumed therefore needs two integers, the epoch and the index.
"""

import mmap
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.permutation import permute
from rnnkit.data.windows import StreamLayout, count_sliding, lay_streams

if TYPE_CHECKING:
    from rnnkit.tasks.language_model.config import Windows

_RELEASE_EVERY_ROWS = 1024
_RELEASE_ABOVE_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and what should be predicted from them."""

    inputs: NDArray[np.int32]
    """int32[batch, time]"""
    targets: NDArray[np.int32]
    """int32[batch, time] for streams, one at every step; int32[batch, 1] for sliding windows."""
    weights: NDArray[np.float32]
    """float32 like `targets`: 1, or 0 where the target is counted in another place."""
    starts_stream: bool
    """The recurrent state begins at zero here instead of going on from the batch before."""


@dataclass(frozen=True)
class BatchPlan:
    """All batches of a text of `tokens` tokens.

    Streams: row i of every batch goes on where row i of the one before stopped. The last batch
    of an epoch is as short as the streams end; where some streams have one target more than
    others, the others show a token of their neighbour with weight 0.
    Sliding windows: in another order each epoch. The last batch is filled up from the beginning
    of that order, with weight 0.

    Raises DataError when the text is too short for one window, or for `batch_size` streams.
    """

    windows: "Windows"
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
                assert_never(self.windows)

    def batch(self, ids: NDArray[np.unsignedinteger], epoch: int, index: int) -> Batch:
        """Batch `index` (from 0) of `epoch`, cut out of `ids`: unsigned[tokens]."""
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
                assert_never(self.windows)

    @cached_property
    def _streams(self) -> StreamLayout:
        return lay_streams(self.tokens, self.batch_size)

    @cached_property
    def _starts(self) -> int:
        assert self.windows.kind == "sliding"
        return count_sliding(self.tokens, length=self.windows.length, stride=self.windows.stride)

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
        assert self.windows.kind == "sliding"
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
    """Give the pages of a memory-mapped array back to the system, which keeps them cached.

    Otherwise every page ever read counts as resident memory of this process, in the end the
    whole text. Reading one window maps up to 64 KiB or more around it, hence a limit in rows.
    """
    owner: object = ids
    read_only_file = False
    while isinstance(owner, np.ndarray):
        # Never for a copy-on-write mapping: its changes would be lost.
        read_only_file |= isinstance(owner, np.memmap) and owner.mode == "r"
        owner = owner.base
    if read_only_file and isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
