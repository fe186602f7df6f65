"""The parts of a report that only a classifier has: scores, curves, errors."""

from collections.abc import Iterator

import numpy as np

from rnnkit.report.gather import Classification, SentimentDetails
from rnnkit.runs.listing import number as finite
from rnnkit.runs.records import Estimate
from rnnkit.tasks.text_classification.curves import curves_part
from rnnkit.views.markup import Html, Part, details, join, paragraphs, part, table, tag
from rnnkit.views.words import DASH, clip, count, number, share, short

FEW_CLASSES = 3
"""Their confusion matrix has room beside the scores."""

MOST_CLASSES_IN_MATRIX = 16
MOST_CONFUSIONS = 20
TEXT_LENGTH = 600

_NAMES = {
    "loss": "loss (nats)",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_precision": "precision, mean of classes",
    "macro_recall": "recall, mean of classes",
    "macro_f1": "F1, mean of classes",
    "roc_auc": "area under ROC",
    "pr_auc": "area under precision-recall",
    "brier": "Brier score",
    "ece": "expected calibration error",
}


def result_parts(sentiment: SentimentDetails) -> Iterator[Part]:
    """Scores, confusion matrix, curves and errors; nothing where nothing was scored."""
    found = sentiment.classification
    if found is None:
        return
    few = len(found.scores.classes) <= FEW_CLASSES
    yield _scores(found, with_matrix=few)
    if not few:
        yield _confusion(found)
    yield curves_part(found)
    yield _mistakes(found)


def _scores(found: Classification, *, with_matrix: bool) -> Part:
    metrics = found.scores.metrics
    accuracy = metrics["accuracy"]
    lead = (
        f"{count(len(found.labels), 'text')} of the {found.split} split, scored with the best "
        f"model. {share(accuracy.value)} are right{_between(accuracy)}."
    )
    overall = table(
        ("score", "value", "95 % interval"),
        [
            (name, _score(metrics[key]), _interval(metrics[key]))
            for key, name in _NAMES.items()
            if key in metrics
        ],
        caption="All classes",
    )
    supports = found.scores.confusion.sum(axis=1)
    classes = table(
        ("class", "precision", "recall", "F1", "texts"),
        [
            (
                tag("bdi", name),
                *(_stacked(metrics[f"{score}_{name}"]) for score in ("precision", "recall", "f1")),
                number(int(support)),
            )
            for name, support in zip(found.scores.classes, supports, strict=True)
        ],
        caption="Every class by itself, with 95 % intervals",
    )
    if len(found.scores.classes) > MOST_CLASSES_IN_MATRIX:
        classes = details(f"The {len(found.scores.classes)} classes one by one", classes)
    return part(
        "scores",
        "Scores",
        tag(
            "div",
            overall,
            tag(
                "div",
                classes,
                tag("h3", "Confusion matrix") if with_matrix else None,
                _matrix(found.scores.confusion, found.scores.classes) if with_matrix else None,
            ),
            class_="pair",
        ),
        tag("p", _decision(found), class_="remark"),
        paragraphs([*found.scores.notes, *found.notes]),
        lead=lead,
    )


def _decision(found: Classification) -> Html:
    decision = found.decision
    name = tag("strong", "Decision. ")
    if decision.how:
        return join([name, f"{decision.how[:1].upper()}{decision.how[1:]}."])
    if decision.threshold is None:
        chosen = join(["The class with the highest probability is chosen"])
    else:
        chosen = join(
            [
                "Class ",
                tag("bdi", decision.positive or ""),
                f" is chosen from a probability of {decision.threshold:.4f} on",
            ]
        )
    temperature = f"; logits are divided by a temperature of {decision.temperature:.4g}."
    return join([name, chosen, temperature])


def _score(score: Estimate) -> str:
    return number(finite(score.value), 4)


def _interval(score: Estimate) -> str:
    if score.low is None or score.high is None:
        return DASH
    return f"{score.low:.4f} to {score.high:.4f}"


def _between(score: Estimate) -> str:
    if score.low is None or score.high is None:
        return ""
    return f", with 95 % confidence {share(score.low)} to {share(score.high)}"


def _stacked(score: Estimate) -> Html:
    """A value with its interval below."""
    if score.low is None or score.high is None:
        return tag("span", number(finite(score.value), 3))
    below = tag("small", f"{score.low:.3f}–{score.high:.3f}", class_="below")
    return join([number(finite(score.value), 3), below])


# --------------------------------------------------------------------------- confusion matrix


def _confusion(found: Classification) -> Part:
    counts, classes = found.scores.confusion, found.scores.classes
    wrong = int(counts.sum() - np.trace(counts))
    off = counts.copy()
    np.fill_diagonal(off, 0)
    lead: Html | None = None
    if wrong:
        true, predicted = np.unravel_index(int(off.argmax()), off.shape)
        lead = join(
            [
                f"{count(wrong, 'text')} of {int(counts.sum()):,} went wrong; the most frequent "
                "error takes ",
                tag("bdi", short(classes[int(true)])),
                " for ",
                tag("bdi", short(classes[int(predicted)])),
                f" ({count(int(off.max()), 'time')}).",
            ]
        )
    if len(classes) > MOST_CLASSES_IN_MATRIX:
        order = np.argsort(-off, axis=None, kind="stable")[:MOST_CONFUSIONS]
        pairs = [divmod(int(place), len(classes)) for place in order]
        content = table(
            ("true", "predicted", "texts", "share of the true class"),
            [
                (
                    tag("bdi", classes[true]),
                    tag("bdi", classes[predicted]),
                    number(int(off[true, predicted])),
                    share(float(off[true, predicted] / counts[true].sum())),
                )
                for true, predicted in pairs
                if off[true, predicted]
            ],
            caption=f"The most frequent errors between {len(classes)} classes",
            text_columns=(0, 1),
        )
    else:
        content = _matrix(counts, classes)
    return part("confusion", "Confusion matrix", content, lead=lead)


def _matrix(counts: np.ndarray, classes: tuple[str, ...]) -> Html:
    head = [tag("th", "true \\ predicted", scope="col", class_="corner")]
    head += [tag("th", tag("bdi", name), scope="col") for name in classes]
    rows = []
    for name, row in zip(classes, counts, strict=True):
        total = max(int(row.sum()), 1)
        cells = [
            tag(
                "td",
                tag("b", number(int(cell))),
                tag("small", share(cell / total)),
                style=f"--share:{cell / total:.4f}",
            )
            for cell in row
        ]
        rows.append(tag("tr", tag("th", tag("bdi", name), scope="row"), *cells))
    whole = tag(
        "table",
        tag("caption", "Rows are true classes, columns predicted ones; shares are of the row"),
        tag("thead", tag("tr", *head)),
        tag("tbody", *rows),
        class_="matrix",
    )
    return tag(
        "div", whole, class_="scroll", tabindex="0", role="region", aria_label="Confusion matrix"
    )


# ------------------------------------------------------------------------------------- errors


def _mistakes(found: Classification) -> Part:
    if not found.mistakes:
        return part("errors", "Worst errors", lead="Every text was classified right.")
    items = [
        tag(
            "li",
            tag("p", clip(mistake.text, TEXT_LENGTH), class_="quote", dir="auto"),
            tag(
                "p",
                "true ",
                tag("b", tag("bdi", mistake.true)),
                f" with {share(mistake.probability, 2)}, predicted ",
                tag("b", tag("bdi", mistake.predicted)),
                " · ",
                mistake.place,
                class_="label",
            ),
        )
        for mistake in found.mistakes
    ]
    return part(
        "errors",
        "Worst errors",
        tag("ol", *items, class_="errors"),
        lead="Wrong predictions whose true class got the least probability. Labels are wrong now "
        "and then, too: this is where it shows.",
    )
