"""Section of a report about labelled texts: classes, lengths, vocabulary."""

from collections.abc import Mapping
from typing import Any

from rnnkit.runs.files import Document
from rnnkit.views.formats import count, number, percent, setting
from rnnkit.views.plot import Axis, Figure, Histogram, Panel, Rule
from rnnkit.views.view import Block, Cell, Frequencies, Grid, Heading, Pair, Section, table

_FAR = 1.5
"""A limit beyond so many times the longest text would squeeze the histogram into a corner."""

_SPLITS = ("train", "validation", "test")

_PERCENTILES = {
    "p5": "5 % are at most",
    "p25": "25 %",
    "p50": "half",
    "p75": "75 %",
    "p95": "95 %",
    "max": "longest",
    "mean": "mean",
}

_CLEANING = {
    "duplicates": "left out: copies of equal texts",
    "contradictory": "left out: equal texts with different labels",
    "shared_with_test": "left out: texts that the test file has too",
    "empty": "texts without a token",
}


def data_section(data: Document | None, *, maximum_length: int) -> tuple[Section, ...]:
    """Return the section about the content of data.json; none for a run without it."""
    if not data:
        return ()
    rows: Mapping[str, int] = data.get("rows", {})
    splits = [name for name in _SPLITS if rows.get(name)]
    listed = ", ".join(
        f"{rows[name]:,} {'for training' if name == 'train' else f'for {name}'}" for name in splits
    )
    tokens = tuple((str(token), times) for token, times in data.get("top_tokens") or ())
    frequencies = Frequencies(tokens, "Most frequent tokens of the training split")
    blocks = (
        Pair((_classes(data, splits),), (_cleaning(data),)),
        Heading("Lengths"),
        Pair((_length_figure(data, maximum_length),), (_lengths(data, splits),)),
        Heading("Vocabulary"),
        Pair((_vocabulary(data, splits),), (frequencies,) if tokens else ()),
    )
    total = count(sum(rows[name] for name in splits), "text")
    return (Section("Data", blocks, lead=f"{total}: {listed}.", name="data"),)


def _classes(data: Document, splits: list[str]) -> Block:
    rows = []
    for name, counts in data.get("classes", {}).items():
        numbers = [counts.get(split, 0) for split in splits]
        totals = [max(data["rows"][split], 1) for split in splits]
        cells = [
            Cell(f"{found:,} ({percent(found / total)})", bar=found / total)
            for found, total in zip(numbers, totals, strict=True)
        ]
        rows.append((name, *cells))
    caption = "Class balance: texts per class and split"
    return table(("class", *splits), rows, left=("class",), caption=caption)


def _cleaning(data: Document) -> Block:
    rows = [
        (name, number(data[key])) for key, name in _CLEANING.items() if data.get(key) is not None
    ]
    rows += [(f"left out: {why}", number(n)) for why, n in (data.get("dropped") or {}).items()]
    if "truncated" in data:
        rows.append(("texts cut off at the maximum length", percent(data["truncated"])))
    return table(("found", "texts"), rows, left=("found",), caption="Results of checking the data")


def _length_figure(data: Document, maximum_length: int) -> Block:
    found = data.get("length_histogram")
    if not found or not found.get("counts"):
        return Grid(())
    last = found["edges"][-1]
    caption = (
        f"Tokens per text before truncation. {percent(data.get('truncated'))} of the texts are "
        f"longer than {maximum_length:,}."
    )
    if data.get("length", {}).get("train", {}).get("max", 0) > last:
        caption += f" The last bar holds all texts of more than {last:,} tokens, too."
    is_near = maximum_length <= _FAR * last
    limit = (Rule(f"cut at {maximum_length:,}", float(maximum_length)),) if is_near else ()
    marks = (Histogram(found["edges"], found["counts"]), *limit)
    return Figure(
        "lengths",
        (Panel("training texts", marks, x=Axis("tokens")),),
        description=f"Histogram of text lengths. {caption}",
        caption=caption,
    )


def _lengths(data: Document, splits: list[str]) -> Block:
    lengths = data.get("length", {})
    rows = []
    for key, title in _PERCENTILES.items():
        values = (lengths.get(split, {}).get(key) for split in splits)
        rows.append((title, *(number(value, 1 if key == "mean" else 0) for value in values)))
    caption = "Tokens per text before truncation"
    return table(("length", *splits), rows, left=("length",), caption=caption)


def _vocabulary(data: Document, splits: list[str]) -> Block:
    found = data.get("vocabulary", {})
    rows: list[tuple[str, str | Cell]] = [
        ("tokens in the vocabulary", number(found.get("size"))),
        ("distinct tokens in the training split", number(found.get("distinct"))),
    ]
    for split in splits:
        covered = found.get("coverage", {}).get(split)
        if covered is not None:
            rows.append((f"{split}: known tokens", Cell(percent(covered, 2), bar=covered)))
    vectors: Any = data.get("vectors")
    if vectors:
        rows += [
            ("pretrained vectors", setting(vectors.get("path"))),
            ("their width", number(vectors.get("width"))),
            ("tokens found there", number(vectors.get("found"))),
        ]
        if vectors.get("coverage") is not None:
            rows.append(("fraction found", percent(vectors["coverage"])))
    caption = "Coverage: the fraction of all tokens that are known"
    return table(("quantity", "value"), rows, left=("quantity",), caption=caption)
