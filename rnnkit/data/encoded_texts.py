"""Texts as token ids, one behind the other, and their batches by number.

A batch is a function of epoch and index: nothing is remembered between batches, so that a run
that is resumed needs these two integers only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.batches import Batch
from rnnkit.text.encoder import UNKNOWN, TextEncoder

_CHUNK_TEXTS = 20_000
_POOL_BATCHES = 50
_SALT = 0x7E875
"""Keeps the order of the texts apart from other draws of the same seed."""


@dataclass(frozen=True, eq=False)
class EncodedTexts:
    """Texts in ids. Text i is `ids[offsets[i]:offsets[i + 1]]`, one id at least."""

    ids: NDArray[np.int32]
    """int32[tokens], none of them 0 (padding)."""
    offsets: NDArray[np.int64]
    """int64[texts + 1], rising from 0."""
    labels: NDArray[np.int32]
    """int32[texts]."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64[texts]: tokens of each text."""
        return np.diff(self.offsets)

    def row(self, index: int) -> NDArray[np.int32]:
        """Return the ids of one text, int32[tokens of it], as a view."""
        return self.ids[self.offsets[index] : self.offsets[index + 1]]


@dataclass(frozen=True, eq=False)
class EncodingStats:
    """Statistics of texts before they were cut to the maximum length."""

    lengths: NDArray[np.int64]
    """int64[texts]: tokens of each, 0 for a text without any."""
    counts: NDArray[np.int64]
    """int64[vocabulary]: occurrences of every id."""
    truncated: int
    """Texts of which something was cut off."""

    @property
    def empty(self) -> int:
        """Texts without any token."""
        return int(np.count_nonzero(self.lengths == 0))

    @property
    def coverage(self) -> float | None:
        """Fraction of the tokens that are in the vocabulary; None when there are no tokens."""
        total = int(self.counts.sum())
        return None if total == 0 else 1.0 - int(self.counts[UNKNOWN]) / total


@dataclass
class _Pieces:
    ids: list[NDArray[np.int32]] = field(default_factory=list)
    used: list[NDArray[np.int64]] = field(default_factory=list)
    whole: list[NDArray[np.int64]] = field(default_factory=list)


def encode_texts(
    encoder: TextEncoder, texts: Sequence[str], labels: NDArray[np.int32]
) -> tuple[EncodedTexts, EncodingStats]:
    """Encode texts with their labels, int32[texts], in chunks that need little memory."""
    pieces = _Pieces()
    counts = np.zeros(encoder.size, np.int64)
    for start in range(0, len(texts), _CHUNK_TEXTS):
        whole = encoder.vocabulary.encode_many(texts[start : start + _CHUNK_TEXTS])
        used = [encoder.cut(ids) for ids in whole]
        counts += np.bincount(_join(whole), minlength=encoder.size)
        pieces.ids.append(_join(used))
        pieces.used.append(np.fromiter(map(len, used), np.int64, len(used)))
        pieces.whole.append(np.fromiter(map(len, whole), np.int64, len(whole)))
    lengths = np.concatenate([np.zeros(1, np.int64), *pieces.used])
    whole_lengths = np.concatenate([np.zeros(0, np.int64), *pieces.whole])
    encoded = EncodedTexts(
        ids=np.concatenate([np.zeros(0, np.int32), *pieces.ids]),
        offsets=np.cumsum(lengths),
        labels=np.asarray(labels, np.int32),
    )
    truncated = int(np.count_nonzero(whole_lengths > encoder.maximum_length))
    return encoded, EncodingStats(whole_lengths, counts, truncated)


def _join(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """int32[ids of all rows]."""
    return np.fromiter((index for row in rows for index in row), np.int32, sum(map(len, rows)))


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
