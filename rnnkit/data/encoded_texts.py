"""Labelled texts as token ids, one behind the other, and their statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.splits import counted
from rnnkit.runs.files import Document
from rnnkit.text.encoder import UNKNOWN, TextEncoder

_CHUNK_TEXTS = 20_000
_PERCENTILES = (5, 25, 50, 75, 95)
_BARS = 30
_TOP_TOKENS = 30
_MUCH_CUT = 0.2
_LITTLE_COVERED = 0.8
_RARE_CLASS = 0.05


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


def encode_texts(
    encoder: TextEncoder, texts: Sequence[str], labels: NDArray[np.int32]
) -> tuple[EncodedTexts, EncodingStats]:
    """Encode texts with their labels, int32[texts], in chunks that need little memory."""
    ids: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    lengths, used = np.zeros(len(texts), np.int64), np.zeros(len(texts) + 1, np.int64)
    counts = np.zeros(encoder.size, np.int64)
    for start in range(0, len(texts), _CHUNK_TEXTS):
        whole = encoder.vocabulary.encode_many(texts[start : start + _CHUNK_TEXTS])
        cut = [encoder.cut(row) for row in whole]
        counts += np.bincount(_join(whole), minlength=encoder.size)
        ids.append(_join(cut))
        lengths[start : start + len(whole)] = [len(row) for row in whole]
        used[start + 1 : start + 1 + len(cut)] = [len(row) for row in cut]
    encoded = EncodedTexts(
        ids=np.concatenate(ids), offsets=np.cumsum(used), labels=np.asarray(labels, np.int32)
    )
    truncated = int(np.count_nonzero(lengths > encoder.maximum_length))
    return encoded, EncodingStats(lengths, counts, truncated)


def _join(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Return the ids of all rows: int32[ids]."""
    return np.fromiter((index for row in rows for index in row), np.int32, sum(map(len, rows)))


# ----------------------------------------------------- statistics of all splits, and notes on them


@dataclass(frozen=True, eq=False)
class VectorStats:
    """Pretrained vectors: `found` is bool[vocabulary without padding and <unk>]."""

    path: str
    width: int
    found: NDArray[np.bool_]


def profile_texts(
    classes: Sequence[str],
    *,
    labels: Mapping[str, NDArray[np.int32]],
    stats: Mapping[str, EncodingStats],
    encoder: TextEncoder,
    distinct: int,
    reading: Mapping[str, Any],
) -> Document:
    """Return statistics of the splits `train`, `validation` and `test` that are not empty.

    Args:
        classes: their names.
        labels: int32[texts] of each split.
        stats: of each split; lengths are in tokens before truncation.
        encoder: chosen from the training split.
        distinct: different tokens of the training split.
        reading: counts of rows that were left out: `duplicates`, `contradictory`,
            `shared_with_test`, and `dropped` by kind of fault.
    """
    used = [name for name, codes in labels.items() if len(codes)]
    train = stats["train"]
    texts = sum(len(labels[name]) for name in used)
    counts = {name: np.bincount(labels[name], minlength=len(classes)).tolist() for name in used}
    by_class = {
        cls: {name: counts[name][code] for name in used} for code, cls in enumerate(classes)
    }
    return {
        "rows": {name: len(labels[name]) for name in used},
        "classes": by_class,
        "length": {name: _lengths(stats[name].lengths) for name in used},
        "length_histogram": _histogram(train.lengths),
        "truncated": sum(stats[name].truncated for name in used) / texts,
        "vocabulary": {
            "size": encoder.size,
            "distinct": distinct,
            "coverage": {name: stats[name].coverage for name in used},
        },
        "duplicates": reading["duplicates"],
        "contradictory": reading["contradictory"],
        "shared_with_test": reading["shared_with_test"],
        "empty": sum(stats[name].empty for name in used),
        "dropped": dict(reading["dropped"]),
        "vectors": None,
        "top_tokens": _top_tokens(encoder, train.counts),
    }


def profile_vectors(vectors: VectorStats, counts: NDArray[np.int64]) -> Document:
    """Return statistics of pretrained vectors; `counts` int64[vocabulary] are those of training."""
    total = int(counts.sum())
    covered = int(counts[UNKNOWN + 1 :][vectors.found].sum())
    return {
        "path": vectors.path,
        "width": vectors.width,
        "found": int(vectors.found.sum()),
        "coverage": covered / total if total else 0.0,
    }


def describe_texts(summary: Mapping[str, Any], *, maximum_length: int) -> list[str]:
    """Return a few notes about the statistics that `profile_texts` returned."""
    rows, names = summary["rows"], {"train": "training"}
    parts = [f"{number:,} {names.get(split, split)}" for split, number in rows.items()]
    classes = ", ".join(
        f"{sum(by_split.values()):,} {name}" for name, by_split in summary["classes"].items()
    )
    notes = [f"{counted(sum(rows.values()), 'text')} ({classes}): {', '.join(parts)}."]
    length = summary["length"]["train"]
    cut = summary["truncated"]
    line = (
        f"Tokens per text: median {length['p50']:,.0f}, 95 % up to {length['p95']:,.0f}, "
        f"longest {length['max']:,}; "
        f"{f'{_percent(cut)} are' if cut else 'none is'} cut to {maximum_length:,}."
    )
    if cut > _MUCH_CUT:
        line += " A larger data.maximum_length keeps more of them."
    notes.append(line)
    vocabulary = summary["vocabulary"]
    coverage = {name: found for name, found in vocabulary["coverage"].items() if found is not None}
    covered = ", ".join(
        f"{_percent(found)} of the {names.get(name, name)} tokens"
        for name, found in coverage.items()
    )
    line = (
        f"Vocabulary: {counted(vocabulary['size'], 'id')} for "
        f"{counted(vocabulary['distinct'], 'different token')}"
    )
    line += f"; it covers {covered}." if covered else "."
    if coverage and min(coverage.values()) < _LITTLE_COVERED:
        line += " A larger vocabulary, characters or subwords would cover more."
    notes.append(line)
    if empty := summary["empty"]:
        holds = "holds no token and is" if empty == 1 else "hold no token and are"
        notes.append(f"{counted(empty, 'text')} {holds} read as a single <unk>.")
    train = {name: by_split["train"] for name, by_split in summary["classes"].items()}
    rarest = min(train, key=train.__getitem__)
    if train[rarest] < _RARE_CLASS * sum(train.values()):
        notes.append(
            f"Class {rarest!r} is rare: {train[rarest]:,} of {sum(train.values()):,} training "
            "texts. Look at macro_f1 rather than accuracy; training.class_weights: balanced may "
            "help."
        )
    if (vectors := summary["vectors"]) is not None:
        notes.append(
            f"Vectors of {vectors['width']:,} numbers: {vectors['found']:,} of "
            f"{vocabulary['size'] - 2:,} tokens have one, {_percent(vectors['coverage'])} of the "
            "training tokens."
        )
    return notes


def _lengths(lengths: NDArray[np.int64]) -> dict[str, float | int]:
    values = np.percentile(lengths, _PERCENTILES).tolist()
    named = {f"p{percent}": value for percent, value in zip(_PERCENTILES, values, strict=True)}
    return {**named, "max": int(lengths.max()), "mean": float(lengths.mean())}


def _histogram(lengths: NDArray[np.int64]) -> dict[str, list[int]]:
    """About 30 bars of equal width in whole tokens; the last holds everything above the 99th
    percentile."""
    top = max(1, int(np.percentile(lengths, 99)))
    step = -(-(top + 1) // _BARS)
    edges = np.arange(0, top + 1 + step, step)
    counts, _ = np.histogram(np.minimum(lengths, edges[-1]), edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _top_tokens(encoder: TextEncoder, counts: NDArray[np.int64]) -> list[list[str | int]]:
    order = np.argsort(-counts, kind="stable")[: _TOP_TOKENS + 1].tolist()
    return [
        [encoder.vocabulary.token_of(index), int(counts[index])]
        for index in order
        if index > UNKNOWN and counts[index]
    ][:_TOP_TOKENS]


def _percent(fraction: float) -> str:
    """`0.9834 -> "98.3 %"`; a fraction above 0 is never shown as 0, one below 1 never as 100."""
    if 0 < fraction < 0.0005:
        return "less than 0.1 %"
    if 0.9995 <= fraction < 1:
        return "more than 99.9 %"
    return f"{100 * fraction:.1f} %".replace(".0 %", " %")
