"""Texts as token ids, one behind the other, and what encoding them met."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rnnkit.text.encoder import UNKNOWN, TextEncoder

_CHUNK_TEXTS = 20_000


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
        """The ids of one text, int32[tokens of it]; a view."""
        return self.ids[self.offsets[index] : self.offsets[index + 1]]


@dataclass(frozen=True, eq=False)
class EncodingFacts:
    """What the texts were before they were cut to the maximum length."""

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
        """Share of the tokens that are in the vocabulary, 0 to 1; None when there are none."""
        total = int(self.counts.sum())
        return None if total == 0 else 1.0 - int(self.counts[UNKNOWN]) / total


@dataclass
class _Pieces:
    ids: list[NDArray[np.int32]] = field(default_factory=list)
    used: list[NDArray[np.int64]] = field(default_factory=list)
    whole: list[NDArray[np.int64]] = field(default_factory=list)


def encode_texts(
    encoder: TextEncoder, texts: Sequence[str], labels: NDArray[np.int32]
) -> tuple[EncodedTexts, EncodingFacts]:
    """Encode texts with their labels, int32[texts]; memory beside the result stays small."""
    pieces = _Pieces()
    counts = np.zeros(encoder.size, np.int64)
    for start in range(0, len(texts), _CHUNK_TEXTS):
        whole = encoder.encode_whole(texts[start : start + _CHUNK_TEXTS])
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
    return encoded, EncodingFacts(whole_lengths, counts, truncated)


def _join(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """int32[ids of all rows]."""
    return np.fromiter((index for row in rows for index in row), np.int32, sum(map(len, rows)))
