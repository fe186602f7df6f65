"""The part of a report about labelled texts: classes, lengths, vocabulary."""

from collections.abc import Iterator, Mapping
from typing import Any

from rnnkit.report.gather import SentimentDetails
from rnnkit.views.figures import histogram
from rnnkit.views.markup import Html, Part, bar, part, table, tag
from rnnkit.views.words import count, number, setting, share

_FAR = 1.5

_SPLITS = ("train", "validation", "test")
_PERCENTILES = ("p5", "p25", "p50", "p75", "p95", "max", "mean")


def data_part(sentiment: SentimentDetails) -> Part | None:
    """What was learned from; None for a run that does not say."""
    data = sentiment.data
    if not data:
        return None
    rows: Mapping[str, int] = data.get("rows", {})
    splits = [name for name in _SPLITS if rows.get(name)]
    lead = f"{count(sum(rows[name] for name in splits), 'text')}: " + ", ".join(
        f"{rows[name]:,} {'for training' if name == 'train' else f'for {name}'}" for name in splits
    )
    return part(
        "data",
        "Data",
        tag("div", _classes(data, splits), _cleaning(data), class_="pair"),
        tag("h3", "Lengths"),
        tag("div", _length_figure(sentiment, data), _lengths(data, splits), class_="pair"),
        tag("h3", "Vocabulary"),
        tag("div", _vocabulary(data, splits), _tokens(data), class_="pair"),
        lead=f"{lead}.",
    )


def _classes(data: Mapping[str, Any], splits: list[str]) -> Html:
    totals = data.get("rows", {})
    rows = []
    for name, counts in data.get("classes", {}).items():
        cells = []
        for split in splits:
            found = counts.get(split, 0)
            part_of = found / max(totals[split], 1)
            cells.append(bar(part_of, f"{found:,} ({share(part_of)})"))
        rows.append((tag("bdi", name), *cells))
    return table(("class", *splits), rows, caption="Class balance: texts per class and split")


def _cleaning(data: Mapping[str, Any]) -> Html:
    rows = [
        (name, number(data[key]))
        for key, name in (
            ("duplicates", "left out: copies of equal texts"),
            ("contradictory", "left out: equal texts with different labels"),
            ("shared_with_test", "left out: texts that the test file has too"),
            ("empty", "texts without a token"),
        )
        if data.get(key) is not None
    ]
    rows += [(f"left out: {why}", number(n)) for why, n in (data.get("dropped") or {}).items()]
    if "truncated" in data:
        rows.append(("texts cut off at the maximum length", share(data["truncated"])))
    return table(("", "texts"), rows, caption="What the check of the data found")


def _length_figure(sentiment: SentimentDetails, data: Mapping[str, Any]) -> Html | None:
    found = data.get("length_histogram")
    if not found or not found.get("counts"):
        return None
    limit = sentiment.maximum_length
    last = found["edges"][-1]
    words = (
        f"Tokens per text before truncation. {share(data.get('truncated'))} of the texts are "
        f"longer than {limit:,}."
    )
    if data.get("length", {}).get("train", {}).get("max", 0) > last:
        words += f" The last bar holds all texts of more than {last:,} tokens, too."
    return tag(
        "figure",
        histogram(
            found["edges"],
            found["counts"],
            name="lengths",
            description=f"Histogram of text lengths. {words}",
            x_label="tokens",
            y_label="training texts",
            # A limit far beyond the texts would squeeze them into a corner.
            limit=float(limit) if limit <= _FAR * last else None,
            limit_label=f"cut at {limit:,}",
        ),
        tag("figcaption", words),
    )


def _lengths(data: Mapping[str, Any], splits: list[str]) -> Html:
    names = {
        "p5": "5 % are at most",
        "p25": "25 %",
        "p50": "half",
        "p75": "75 %",
        "p95": "95 %",
        "max": "longest",
        "mean": "mean",
    }
    lengths = data.get("length", {})
    rows = [
        (
            names[key],
            *(
                number(lengths.get(split, {}).get(key), 1 if key == "mean" else 0)
                for split in splits
            ),
        )
        for key in _PERCENTILES
    ]
    return table(("", *splits), rows, caption="Tokens per text before truncation")


def _vocabulary(data: Mapping[str, Any], splits: list[str]) -> Html:
    found = data.get("vocabulary", {})
    rows: list[tuple[str, Any]] = [
        ("tokens in the vocabulary", number(found.get("size"))),
        ("distinct tokens in the training split", number(found.get("distinct"))),
    ]
    for split in splits:
        covered = found.get("coverage", {}).get(split)
        if covered is not None:
            rows.append((f"{split}: tokens that are known", bar(covered, share(covered, 2))))
    vectors = data.get("vectors")
    if vectors:
        rows += [
            ("pretrained vectors", tag("bdi", setting(vectors.get("path")))),
            ("their width", number(vectors.get("width"))),
            ("tokens found there", number(vectors.get("found"))),
        ]
        if vectors.get("coverage") is not None:
            rows.append(("share found", share(vectors["coverage"])))
    return table(("", ""), rows, caption="Coverage: the share of all words that are known")


def _tokens(data: Mapping[str, Any]) -> Html | None:
    found = data.get("top_tokens")
    if not found:
        return None
    most = max(n for _, n in found) or 1
    return tag(
        "div",
        tag("p", "Most frequent tokens of the training split", class_="label"),
        tag("ol", *_token_items(found, most), class_="tokens"),
    )


def _token_items(found: list[Any], most: int) -> Iterator[Html]:
    for token, times in found:
        name = tag("span", str(token), class_="token", dir="auto")
        yield tag("li", bar(times / most, name), tag("span", f"{times:,}", class_="number"))
