"""What labelled texts are like, as JSON values and as a few notes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.encoded_texts import EncodingFacts
from rnnkit.tables.labelled import ReadingFacts
from rnnkit.text.encoder import UNKNOWN, TextEncoder

_PERCENTILES = (5, 25, 50, 75, 95)
_BARS = 30
_TOP_TOKENS = 30
_MUCH_CUT = 0.2
_LITTLE_COVERED = 0.8
_RARE_CLASS = 0.05


@dataclass(frozen=True, eq=False)
class VectorFacts:
    """Pretrained vectors: `found` is bool[vocabulary without padding and <unk>]."""

    path: str
    width: int
    found: NDArray[np.bool_]


def summarize_texts(
    classes: tuple[str, ...],
    facts: ReadingFacts,
    *,
    labels: Mapping[str, NDArray[np.int32]],
    statistics: Mapping[str, EncodingFacts],
    encoder: TextEncoder,
    distinct: int,
    vectors: VectorFacts | None,
) -> dict[str, Any]:
    """Statistics of the splits `train`, `validation` and `test` that are not empty.

    `labels`: int32[texts] of each. Lengths are in tokens before truncation, shares from 0 to 1.
    """
    used = [name for name, codes in labels.items() if len(codes)]
    train = statistics["train"]
    texts = sum(len(labels[name]) for name in used)
    counts = {name: np.bincount(labels[name], minlength=len(classes)).tolist() for name in used}
    by_class = {
        cls: {name: counts[name][code] for name in used} for code, cls in enumerate(classes)
    }
    return {
        "rows": {name: len(labels[name]) for name in used},
        "classes": by_class,
        "length": {name: _lengths(statistics[name].lengths) for name in used},
        "length_histogram": _histogram(train.lengths),
        "truncated": sum(statistics[name].truncated for name in used) / texts,
        "vocabulary": {
            "size": encoder.size,
            "distinct": distinct,
            "coverage": {name: statistics[name].coverage for name in used},
        },
        "duplicates": facts.duplicates,
        "contradictory": facts.contradictory,
        "shared_with_test": facts.shared_with_test,
        "empty": sum(statistics[name].empty for name in used),
        "dropped": dict(facts.dropped),
        "vectors": None if vectors is None else _vectors(vectors, train.counts),
        "top_tokens": _top_tokens(encoder, train.counts),
    }


def describe_texts(summary: Mapping[str, Any], *, maximum_length: int) -> list[str]:
    """A few notes from what `summarize_texts` returned."""
    rows, names = summary["rows"], {"train": "training"}
    parts = [f"{number:,} {names.get(split, split)}" for split, number in rows.items()]
    classes = ", ".join(
        f"{sum(by_split.values()):,} {name}" for name, by_split in summary["classes"].items()
    )
    notes = [f"{sum(rows.values()):,} texts ({classes}): {', '.join(parts)}."]
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
    coverage = {name: share for name, share in vocabulary["coverage"].items() if share is not None}
    covered = ", ".join(
        f"{_percent(share)} of the {names.get(name, name)} tokens"
        for name, share in coverage.items()
    )
    line = f"Vocabulary: {vocabulary['size']:,} ids for {vocabulary['distinct']:,} different tokens"
    line += f"; it covers {covered}." if covered else "."
    if coverage and min(coverage.values()) < _LITTLE_COVERED:
        line += " A larger vocabulary, characters or subwords would cover more."
    notes.append(line)
    if empty := summary["empty"]:
        notes.append(f"{empty:,} texts hold no token and are read as a single <unk>.")
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


def _vectors(vectors: VectorFacts, counts: NDArray[np.int64]) -> dict[str, Any]:
    total = int(counts.sum())
    covered = int(counts[UNKNOWN + 1 :][vectors.found].sum())
    return {
        "path": vectors.path,
        "width": vectors.width,
        "found": int(vectors.found.sum()),
        "coverage": covered / total if total else 0.0,
    }


def _top_tokens(encoder: TextEncoder, counts: NDArray[np.int64]) -> list[list[str | int]]:
    order = np.argsort(-counts, kind="stable")[: _TOP_TOKENS + 1].tolist()
    return [
        [encoder.token_of(index), int(counts[index])]
        for index in order
        if index > UNKNOWN and counts[index]
    ][:_TOP_TOKENS]


def _percent(share: float) -> str:
    """`0.9834 -> "98.3 %"`; what is not nothing is not shown as nothing."""
    if 0 < share < 0.0005:
        return "less than 0.1 %"
    if 0.9995 <= share < 1:
        return "more than 99.9 %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")
