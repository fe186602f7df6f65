"""Batches of texts of about the same length, by number: nothing is remembered between them.

A run that is resumed needs two integers, the epoch and the index.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.batches import Batch

if TYPE_CHECKING:
    from rnnkit.data.encoded_texts import EncodedTexts

_POOL_BATCHES = 50
_SALT = 0x7E875
"""Keeps the order of the texts apart from other draws of the same seed."""


@dataclass(frozen=True, eq=False)
class TextBatchPlan:
    """All batches of `lengths`: int[rows], tokens of each text.

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
        """Which texts batch `index` (from 0) of `epoch` holds: int64[batch]."""
        if not 0 <= index < self.batches_per_epoch:
            raise IndexError(f"batch {index} of {self.batches_per_epoch}")
        if epoch not in self._orders:
            self._orders.clear()  # Only one epoch is read at a time.
            self._orders[epoch] = self._order(epoch)
        return self._orders[epoch][index * self.batch_size : (index + 1) * self.batch_size]

    def batch(
        self,
        encoded: "EncodedTexts",
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
    encoded: "EncodedTexts", batch_size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """Every text once, short ones first: indices int64[batch] and ids int32[batch, time].

    The indices are what brings predictions back into the order of the texts.
    """
    order = np.argsort(encoded.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        yield rows, padded_rows(encoded, rows)


def padded_rows(encoded: "EncodedTexts", rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """The ids of some texts, int32[rows, time], with 0 behind the shorter ones.

    `[[5, 6], [7]]` -> `[[5, 6], [7, 0]]`
    """
    starts = encoded.offsets[rows]
    lengths = encoded.offsets[rows + 1] - starts
    time = np.arange(int(lengths.max(initial=0)))
    inside = time < lengths[:, None]
    padded = np.zeros(inside.shape, np.int32)
    padded[inside] = encoded.ids[(starts[:, None] + time)[inside]]
    return padded
